"""The first cell of a notebook, where the package is missing: a wheel, GitHub, or a clear error."""

import os
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from notebooks.tools import builder

GITHUB = f"{builder.REPOSITORY}/archive/refs/heads/main.zip"
MISSING = """\
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == "simmim_lite" else find(name)
"""


def run(folder: Path, cell: str, **environment: str) -> subprocess.CompletedProcess:
    """Run the cell in ``folder`` as if the package were not installed; pip waits 1 s, not 20."""
    assert "--timeout=20" in cell
    script = MISSING + cell.replace("--timeout=20", "--timeout=1")
    environment = (
        os.environ | {"PIP_NO_DEPS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | environment
    )
    command = [sys.executable, "-c", script]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


def write_wheel(path: Path) -> None:
    """The smallest wheel that pip installs."""
    info = f"simmim_lite-{path.name.split('-')[1]}.dist-info"
    meta = f"Metadata-Version: 2.1\nName: simmim-lite\nVersion: {path.name.split('-')[1]}\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("simmim_lite/__init__.py", "")
        archive.writestr(f"{info}/METADATA", meta)
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture(params=[404, 503, None], ids=["404", "503", "no answer"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """A local server that answers with an error, or not at all."""
    if request.param is None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/main.zip"
        return

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(request.param)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/main.zip"
        server.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("cell", [builder.SETUP, builder.SETUP_OF_SOLUTIONS], ids=["", "solutions"])
def test_an_address_that_fails_leads_to_advice(tmp_path: Path, address: str, cell: str):
    assert GITHUB in cell
    done = run(tmp_path, cell.replace(GITHUB, address))
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"RuntimeError: {address} cannot be installed.")
    assert "simmim_lite-*.whl" in last
    assert "Colab" in last


@pytest.mark.parametrize("place", [".", ".."])
def test_the_newest_wheel_beside_the_notebook_is_installed(tmp_path: Path, place: str):
    folder = tmp_path / "kit" / "notebooks"
    folder.mkdir(parents=True)
    for version in ("0.0.1", "0.0.2"):
        write_wheel(folder / place / f"simmim_lite-{version}-py3-none-any.whl")
    done = run(folder, builder.SETUP, PIP_TARGET=str(tmp_path / "target"), PIP_NO_INDEX="1")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "target" / "simmim_lite-0.0.2.dist-info").is_dir()


def test_the_address_stands_in_one_place():
    """In pyproject.toml; the builder puts it into notebooks, and other texts must agree."""
    for name in ("README.md", "CITATION.cff", "simmim_lite/__main__.py"):
        assert builder.REPOSITORY in (builder.FOLDER.parent / name).read_text(encoding="utf-8")


def test_another_address_reaches_badge_and_setup(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(builder, "REPOSITORY", "https://github.com/someone/course")
    for name in builder.names(builder.FOLDER):
        script = builder.FOLDER / "scripts" / f"{name}.py"
        notebook = builder.read_script(script)
        text = "\n".join(cell.source for cell in notebook.cells)
        assert "simmim-lite/simmim-lite" not in text, name
        assert "colab.research.google.com/github/someone/course/" in text
        assert "https://github.com/someone/course/archive" in text
