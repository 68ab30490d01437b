"""Durable memories, killed at random moments while they are written, and written by two at once."""

import multiprocessing
import random
import tempfile
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from simmim_lite.memory import Milvus, SimulatedMemory, SQLite

_DIM, _BATCH = 64, 50
_BACKENDS = {"SQLite": SQLite, "Milvus": Milvus}
_LONGEST = {"SQLite": 0.6, "Milvus": 3.0}  # seconds of writing before a kill


def killed(backend: str, times: int, *, seed: int = 0) -> tuple[int, list[str]]:
    """SIGKILL at random moments; after each the memory is opened and checked, later written on.

    Args:
        backend: "SQLite" or "Milvus".

    Returns:
        How many batches were acknowledged before kills, and a line for each that was then lost,
        each that is there by half, each store that could not be read.
    """
    moments, total, complaints = random.Random(seed), 0, []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path, kept = Path(folder) / "memory.db", []
        for trial in range(times):
            if moments.random() < 0.2:  # else the same file suffers again
                path, kept = Path(folder) / f"memory{trial}.db", []
            process, log = _start_writer(backend, path, f"run{trial}", 100_000)
            time.sleep(moments.uniform(0, _LONGEST[backend]))
            process.kill()
            process.join()
            kept.append((log.stem, _acknowledged(log)))
            total += len(kept[-1][1])
            try:
                with _open(backend, path) as memory:
                    for name, lines in kept if len(memory) else []:
                        complaints += _lost(memory, lines, name)
                    if len(memory):
                        memory.read(torch.randn(1, _DIM), "text", 10)
                    elif any(lines for _, lines in kept):
                        complaints.append("all that was acknowledged is gone")
            except Exception as error:
                complaints.append(f"unreadable after a kill: {error!r}")
    return total, complaints


def two_writers(batches: int = 200) -> tuple[int, list[str]]:
    """Two processes write to one SQLite file: how many items are there then, and complaints."""
    with tempfile.TemporaryDirectory() as folder:
        path, complaints = Path(folder) / "memory.db", []
        running = [_start_writer("SQLite", path, name, batches) for name in ("a", "b")]
        for process, _ in running:
            process.join()
        with _open("SQLite", path) as memory:
            for _, log in running:
                lines = _acknowledged(log)
                complaints += _lost(memory, lines, log.stem)
                if len(lines) != batches:
                    complaints.append(f"{log.stem} wrote {len(lines)} batches of {batches}")
            return len(memory), complaints


def _open(backend: str, path: Path) -> SimulatedMemory:
    return SimulatedMemory(_DIM, backend=_BACKENDS[backend](path))


def _write_batches(backend: str, path: Path, name: str, batches: int, log: Path) -> None:
    """Writes batches, each noted in ``log`` as soon as it is acknowledged."""
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


def _start_writer(backend: str, path: Path, name: str, batches: int) -> tuple[BaseProcess, Path]:
    """The process, at work, and its log."""
    log = path.with_name(f"{name}.log")
    process = _processes().Process(target=_write_batches, args=(backend, path, name, batches, log))
    process.start()
    while process.is_alive() and not (log.exists() and log.stat().st_size):
        time.sleep(0.005)
    return process, log


def _processes() -> multiprocessing.context.BaseContext:
    """Forks of a process that has torch loaded and no threads; where there is none, fresh ones."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _acknowledged(log: Path) -> list[str]:
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    return [line for line in lines[1:] if line.endswith("\n")]


def _lost(memory: SimulatedMemory, lines: list[str], name: str) -> list[str]:
    """Acknowledged batches that aren't there as they were written, and batches there by half."""
    complaints = []
    texts = dict(zip(memory.ids.tolist(), memory.values(memory.ids, "text"), strict=True))
    for line in lines:
        batch, first, last = map(int, line.split())
        found = [texts.get(item) for item in range(first, last + 1)]
        if found != [f"{name} {batch} {i}" for i in range(_BATCH)]:
            complaints.append(f"batch {batch} of {name} was acknowledged and is gone")
    counts = Counter(text.rsplit(" ", 1)[0] for text in texts.values())
    complaints += [f"batch {batch} has {n} items" for batch, n in counts.items() if n != _BATCH]
    for kind in ("image", "text", "image/instance"):
        if memory._backend.count(kind) != len(memory):
            complaints.append(f"{kind}: {memory._backend.count(kind)} keys, {len(memory)} items")
    return complaints
