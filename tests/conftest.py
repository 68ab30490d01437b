"""Fixtures about data: real sets where they are at hand, a web server, an empty cache."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # a busy machine is not a wrong answer
settings.load_profile("patient")

REAL_DATA = os.environ.get("SIMMIM_DATA")


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of real data sets; without one the test is skipped."""
    if not REAL_DATA:
        pytest.skip("needs the full data sets: set SIMMIM_DATA to their folder")
    monkeypatch.setenv("SIMMIM_DATA", REAL_DATA)
    return Path(REAL_DATA)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh download cache, and no other data."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("SIMMIM_CACHE", str(cache))
    monkeypatch.delenv("SIMMIM_DATA", raising=False)
    monkeypatch.delenv("SIMMIM_FULL", raising=False)
    return cache


class FileServer(ThreadingHTTPServer):
    """Serves ``files`` from memory and counts the ``requests``.

    Also served: "loop", a redirection to itself, and "silent", which never answers.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.requests = 0
        self.drop_after: list[int] = []  # for the coming requests: bytes until the line is cut
        self.stopped = threading.Event()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        content = self.server.files.get(unquote(self.path.strip("/")))
        self.server.requests += 1
        if self.path == "/loop":
            self.send_response(302)
            self.send_header("Location", "/loop")
            self.end_headers()
            return
        if self.path == "/silent":
            self.server.stopped.wait(5)
            return
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        odd = self.path == "/odd%20length"
        self.send_header("Content-Length", "many" if odd else str(len(content)))
        self.end_headers()
        stop = self.server.drop_after.pop(0) if self.server.drop_after else None
        self.wfile.write(content[:stop])

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A local web server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FileServer() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.stopped.set()
        running.shutdown()
        thread.join()
