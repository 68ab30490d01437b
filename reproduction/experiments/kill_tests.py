"""Durable memories: writers or a server killed at random moments, and two writers at once."""

import importlib
import multiprocessing
import random
import socket
import tempfile
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from simmim_lite.memory import Milvus, SimulatedMemory, SQLite

_DIM, _BATCH = 64, 50
_BACKENDS = {"SQLite": SQLite, "Milvus": Milvus}
_LONGEST = {"SQLite": 0.6, "Milvus": 3.0, "server": 9.0}  # most seconds until a kill


def killed(backend: str, times: int, *, seed: int = 0) -> tuple[int, list[str]]:
    """Kill a writer (SIGKILL) at random moments; open and check the memory after each kill.

    Most of the time, the next writer continues with the same file.

    Args:
        backend: "SQLite" or "Milvus".
        times: number of kills.
        seed: of the moments.

    Returns:
        The number of batches that were acknowledged before kills, and a line for each batch that
        was lost or is only partly there, and for each store that could not be read.
    """
    moments, total, complaints = random.Random(seed), 0, []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path, kept = Path(folder) / "memory.db", []
        for trial in range(times):
            if moments.random() < 0.2:  # start a new file
                path, kept = Path(folder) / f"memory{trial}.db", []
            log = path.with_name(f"run{trial}.log")
            process, log = _start_writer(backend, path, log.stem, 100_000, log)
            time.sleep(moments.uniform(0, _LONGEST[backend]))
            process.kill()
            process.join()
            kept.append((log.stem, _acknowledged(log)))
            total += len(kept[-1][1])
            complaints += _complaints(backend, path, kept)
    return total, complaints


class MilvusServer:
    """A Milvus server on loopback, on a free port, with its files in a folder.

    The package milvus holds the server, as a program for Linux on x86-64.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address = ""  # until `start`
        self.start()

    def start(self) -> None:
        """Start, or start again after `kill`, with the same files, at the next free port."""
        self._server = importlib.import_module("milvus").MilvusServer()
        self._server.set_base_dir(str(self.folder))
        self._server.listen_port = self._port
        self._server.start()
        self.address = f"http://127.0.0.1:{self._server.listen_port}"

    def kill(self) -> None:
        """End the server at once (SIGKILL)."""
        self._server.server_proc.kill()
        self._server.server_proc.wait()
        self._server.stop()

    def stop(self) -> None:
        """End the server."""
        self._server.stop()


def server_killed(server: MilvusServer, times: int, *, seed: int = 0) -> tuple[int, list[str]]:
    """Kill a Milvus server (SIGKILL) while a process writes to it; start, open and check it again.

    All writers continue with the same memory. Returns what `killed` returns.
    """
    moments, kept, total, complaints = random.Random(seed), [], 0, []
    with tempfile.TemporaryDirectory() as folder:
        for trial in range(times):
            log = Path(folder) / f"run{trial}.log"
            process, log = _start_writer("Milvus", server.address, log.stem, 100_000, log)
            time.sleep(moments.uniform(0, _LONGEST["server"]))
            server.kill()
            process.kill()  # it waits for the server
            process.join()
            kept.append((log.stem, _acknowledged(log)))
            total += len(kept[-1][1])
            server.start()
            complaints += _complaints("Milvus", server.address, kept)
    return total, complaints


def two_writers(batches: int = 200) -> tuple[int, list[str]]:
    """Let two processes write to one SQLite file; return the number of items, and complaints."""
    with tempfile.TemporaryDirectory() as folder:
        path, complaints = Path(folder) / "memory.db", []
        logs = {name: path.with_name(f"{name}.log") for name in ("a", "b")}
        running = [_start_writer("SQLite", path, name, batches, logs[name]) for name in logs]
        for process, _ in running:
            process.join()
        with _open("SQLite", path) as memory:
            complaints += _missing_keys(memory)
            for _, log in running:
                lines = _acknowledged(log)
                complaints += _lost(memory, lines, log.stem)
                if len(lines) != batches:
                    complaints.append(f"{log.stem} wrote {len(lines)} batches of {batches}")
            return len(memory), complaints


def _complaints(backend: str, path: Path | str, kept: list[tuple[str, list[str]]]) -> list[str]:
    """Complaints about a store after a kill; ``kept``: names and acknowledged lines of writers."""
    complaints = []
    try:
        with _open(backend, path) as memory:
            for name, lines in kept if len(memory) else []:
                complaints += _lost(memory, lines, name)
            if len(memory):
                complaints += _missing_keys(memory)
                memory.read(torch.randn(1, _DIM), "text", 10)
            elif any(lines for _, lines in kept):
                complaints.append("all acknowledged batches are lost")
    except Exception as error:
        complaints.append(f"unreadable after a kill: {error!r}")
    return complaints


def _open(backend: str, path: Path | str) -> SimulatedMemory:
    return SimulatedMemory(_DIM, backend=_BACKENDS[backend](path))


def _write_batches(backend: str, path: Path | str, name: str, batches: int, log: Path) -> None:
    """Write batches; note each batch in ``log`` as soon as the memory has acknowledged it."""
    torch.set_num_threads(1)
    memory = _open(backend, path)
    with log.open("wb", buffering=0) as acknowledged:
        acknowledged.write(b"open\n")
        for batch in range(batches):
            keys = {"image": torch.randn(_BATCH, _DIM), "text": torch.randn(_BATCH, _DIM)}
            texts = [f"{name} {batch} {i}" for i in range(_BATCH)]
            ids = memory.write(keys, {"text": texts}, instance={"image": keys["image"]})
            acknowledged.write(f"{batch} {ids[0]} {ids[-1]}\n".encode())
    memory.close()


def _start_writer(
    backend: str, path: Path | str, name: str, batches: int, log: Path
) -> tuple[BaseProcess, Path]:
    """Start a process that writes; return it, with its log, once it has opened the memory."""
    process = _processes().Process(target=_write_batches, args=(backend, path, name, batches, log))
    process.start()
    while process.is_alive() and not (log.exists() and log.stat().st_size):
        time.sleep(0.005)
    return process, log


def _processes() -> multiprocessing.context.BaseContext:
    """Forks of a process that has loaded torch and has no threads; else new processes."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _acknowledged(log: Path) -> list[str]:
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    return [line for line in lines[1:] if line.endswith("\n")]


def _lost(memory: SimulatedMemory, lines: list[str], name: str) -> list[str]:
    """Complaints: acknowledged batches that are lost or changed, and batches partly there."""
    complaints = []
    texts = dict(zip(memory.ids.tolist(), memory.values(memory.ids, "text"), strict=True))
    for line in lines:
        batch, first, last = map(int, line.split())
        found = [texts.get(item) for item in range(first, last + 1)]
        if found != [f"{name} {batch} {i}" for i in range(_BATCH)]:
            complaints.append(f"batch {batch} of {name} was acknowledged and is lost")
    counts = Counter(text.rsplit(" ", 1)[0] for text in texts.values())
    complaints += [f"batch {batch} has {n} items" for batch, n in counts.items() if n != _BATCH]
    return complaints


def _missing_keys(memory: SimulatedMemory) -> list[str]:
    """Complaints: tables with another number of keys than there are items."""
    tables = memory.stats()["keys"]
    counts = {
        name: tables[name]["items"] if name in tables else 0
        for name in ("image", "text", "image/instance")
    }
    return [
        f"{name}: {count} keys, {len(memory)} items"
        for name, count in counts.items()
        if count != len(memory)
    ]
