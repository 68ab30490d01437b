"""SQLite's own troubles: full, locked, foreign, damaged, closed, read-only, opened by several."""

import hashlib
import os
import random
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from simmim_lite.memory import SimulatedMemory, SQLite, _sqlite

DIM = 4


def keys(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, DIM)).astype(np.float32)


def opened(path: Path) -> SimulatedMemory:
    return SimulatedMemory(DIM, metric="euclidean", backend=SQLite(path))


def files(folder: Path) -> dict[str, str]:
    """Name and checksum of each file."""
    return {f.name: hashlib.md5(f.read_bytes()).hexdigest() for f in folder.iterdir()}


def test_a_full_disk_is_told_and_changes_nothing(tmp_path: Path):
    with opened(tmp_path / "m.db") as memory:
        memory.write({"a": keys(10)})
        connection = memory._backend._connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(sqlite3.OperationalError, match=r"m\.db: database or disk is full"):
            memory.write({"a": keys(2000)})
        assert len(memory) == 10
        connection.execute("PRAGMA max_page_count = 100000")
        assert memory.write({"a": keys(1)}).tolist() == [10]
    with opened(tmp_path / "m.db") as memory:
        assert memory.read(torch.from_numpy(keys(10)), "a").ids[:, 0].tolist()[1:] == [
            *range(1, 10)
        ]


def shop(path: Path, mode: str = "DELETE") -> None:
    """A database of another program."""
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA journal_mode = {mode}")
        database.execute("CREATE TABLE items (name TEXT)")
        database.execute("INSERT INTO items VALUES ('mine')")
        database.commit()


def newer(path: Path) -> None:
    opened(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("""UPDATE header SET text = replace(text, '"format": 1', '"format": 2')""")
        database.commit()


def empty(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("VACUUM")


STRANGE = {
    "another program's": shop,
    "another program's, with a log": lambda path: shop(path, "WAL"),
    "a newer format": newer,
    "a text": lambda path: path.write_text("no database"),
    "a long text": lambda path: path.write_text("no database " * 5000),
    "an empty database": empty,
}


@pytest.mark.parametrize("kind", STRANGE)
def test_a_file_of_another_kind_is_refused_and_untouched(kind: str, tmp_path: Path):
    STRANGE[kind](tmp_path / "m.db")
    before = files(tmp_path)
    if before["m.db"] == hashlib.md5(b"").hexdigest():
        pytest.skip("this SQLite writes nothing for an empty database")
    with pytest.raises(ValueError, match=r"^path: "):
        opened(tmp_path / "m.db")
    assert files(tmp_path) == before


def test_a_file_of_version_0_1_0_opens(tmp_path: Path):
    with opened(tmp_path / "m.db") as memory:
        memory.write({"a": keys(3)}, {"a": ["x", "y", "z"]})
    with closing(sqlite3.connect(tmp_path / "m.db")) as database:
        database.execute("PRAGMA application_id = 0")
    with opened(tmp_path / "m.db") as memory:
        assert memory.read(torch.from_numpy(keys(3)), "a").values("a") == [["x"], ["y"], ["z"]]


@pytest.mark.parametrize("path", ["missing/m.db", ".", "file/m.db"])
def test_a_path_that_cannot_be_a_file_is_named(path: str, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"^path: "):
        opened(tmp_path / path)


def test_a_name_that_sqlite_understands_otherwise_is_a_file(tmp_path, monkeypatch):
    """SQLite would keep ":memory:" in RAM, and lose it."""
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        with opened(Path(":memory:")) as memory:
            memory.write({"a": keys(1)})
    with opened(Path(":memory:")) as memory:
        assert len(memory) == 2


READ_ONLY = """
import os, sys
from simmim_lite.memory import SimulatedMemory, SQLite
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for path in sys.argv[1:]:
    try:
        memory = SimulatedMemory(4, metric="euclidean", backend=SQLite(path))
        memory.write({"a": [[0.0, 1, 2, 3]]})
        print("written")
    except ValueError as error:
        print(error)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="changes its user")
@pytest.mark.slow
def test_a_file_and_a_folder_that_may_not_be_written_are_named(tmp_path: Path):
    for place in (tmp_path, *tmp_path.parents[:2]):
        place.chmod(0o755)
    with opened(tmp_path / "m.db") as memory:
        memory.write({"a": keys(1)})
    (tmp_path / "m.db").chmod(0o444)
    command = [sys.executable, "-c", READ_ONLY, str(tmp_path / "m.db"), str(tmp_path / "new.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line[:6] for line in done.stdout.splitlines()] == ["path: "] * 2


def test_a_lock_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_sqlite, "_PATIENCE", 0.1)
    with opened(tmp_path / "m.db") as memory, closing(sqlite3.connect(tmp_path / "m.db")) as other:
        memory.write({"a": keys(2)})
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match=r"m\.db: database is locked by another"):
            memory.write({"a": keys(2)})
        with pytest.raises(sqlite3.OperationalError, match="locked by another"):
            memory.forget([0])
        assert memory.read(torch.from_numpy(keys(2)), "a").ids[:, 0].tolist() == [0, 1]
        with pytest.raises(ValueError, match="locked by another"):
            opened(tmp_path / "m.db")
        other.rollback()
        assert memory.write({"a": keys(1)}).tolist() == [2]


def test_a_closed_memory_and_another_thread_are_told(tmp_path: Path):
    memory, told = opened(tmp_path / "m.db"), []
    memory.write({"a": keys(2)})

    def elsewhere() -> None:
        try:
            memory.read(torch.from_numpy(keys(1)), "a")
        except sqlite3.ProgrammingError as error:
            told.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert told[0].startswith("path: m.db: ")
    assert "thread" in told[0]
    memory.close()
    memory.close()
    for action in (
        lambda: memory.read(torch.from_numpy(keys(1)), "a"),
        lambda: memory.write({"a": keys(1)}),
        lambda: memory.forget([0]),
        lambda: len(memory),
    ):
        with pytest.raises(sqlite3.ProgrammingError, match=r"m\.db: .*closed"):
            action()


FIRST = """
import sys, time
from simmim_lite.memory import SimulatedMemory, SQLite
print("ready", flush=True)
for place in range(5):
    sys.stdin.readline()
    memory = SimulatedMemory(4, metric="euclidean", backend=SQLite(f"{sys.argv[1]}/{place}.db"))
    memory.write({"a": [[1.0, 2, 3, 4]]})
    memory.close()
    print("written", flush=True)
"""


@pytest.mark.slow
def test_processes_that_open_a_new_file_at_once_all_succeed(tmp_path: Path):
    command = [sys.executable, "-c", FIRST, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **pipes) for _ in range(4)]
    for answer in ("ready", *["written"] * 5):
        assert [process.stdout.readline().strip() for process in running] == [answer] * 4
        for process in running:
            with suppress(BrokenPipeError):
                process.stdin.write("go\n")
                process.stdin.flush()
    for process in running:
        process.communicate()
    for place in range(5):
        with opened(tmp_path / f"{place}.db") as memory:
            assert memory.ids.tolist() == [0, 1, 2, 3]


def test_keys_of_another_width_by_another_process_are_refused(tmp_path: Path):
    """Both processes looked at a table that was not there yet."""
    first, second = opened(tmp_path / "m.db"), opened(tmp_path / "m.db")
    shapes = second._backend.shapes
    first.write({"a": keys(1)}, instance={"a": np.zeros((1, 5), np.float32)})
    assert shapes() == {}
    with pytest.raises(ValueError, match=r"a/instance: expected shape \(N, 5\)"):
        second.write({"a": keys(1)}, instance={"a": np.zeros((1, 3), np.float32)})
    second.write({"a": keys(1)}, instance={"a": np.zeros((1, 5), np.float32)})
    assert len(first) == 2
    first.close()
    second.close()


def test_damaged_files_raise_declared_errors(tmp_path: Path):
    path, draw = tmp_path / "m.db", random.Random(0)
    with opened(path) as memory:
        memory.write({"a": keys(50)}, {"a": [f"word {i}" for i in range(50)], "n": keys(50)})
        memory.write({"a": keys(50)}, instance={"a": keys(50)})
    whole, refused = path.read_bytes(), 0
    for _ in range(30):
        content = bytearray(whole)
        for _ in range(draw.choice([1, 30])):
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        if draw.random() < 0.2:
            del content[draw.randrange(len(content)) :]
        path.write_bytes(content)
        try:
            with opened(path) as memory:
                if len(memory):
                    memory.read(torch.from_numpy(keys(2)), "a", 3)
                    memory.values(memory.ids, "n")
        except (ValueError, sqlite3.Error):
            refused += 1
        for log in tmp_path.glob("m.db-*"):
            log.unlink()
    assert refused > 5


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE header SET text = '[]'",
        "UPDATE header SET text = 'x'",
        "DELETE FROM header",
        "UPDATE keys SET key = 'text' WHERE id = 1",
        "UPDATE keys SET key = x'00000000' WHERE id = 1",
        "UPDATE keys SET key = x'0000c07f0000c07f0000c07f0000c07f' WHERE id = 1",
        "UPDATE items SET item_group = 'text'",
        "UPDATE keys SET key = x''",
        f"UPDATE keys SET key = x'{(np.full(DIM, 1e300).tobytes() + b'8').hex()}'",
        "INSERT INTO modalities VALUES (x'61')",
    ],
)
def test_wrong_content_is_named(change: str, tmp_path: Path):
    with opened(tmp_path / "m.db") as memory:
        memory.write({"a": keys(3)})
    with closing(sqlite3.connect(tmp_path / "m.db")) as database:
        database.execute(change)
        database.commit()
    with pytest.raises(ValueError, match=r"^path: "):
        opened(tmp_path / "m.db")


@pytest.mark.parametrize("replaced", [False, True])
def test_a_write_to_a_deleted_file_is_refused(tmp_path, replaced):
    path = tmp_path / "x.db"
    memory = SimulatedMemory(2, backend=SQLite(path))
    memory.write({"image": torch.eye(2)})
    path.unlink()
    if replaced:
        path.touch()
    with pytest.raises(ValueError, match=r"path: .*x\.db was deleted or replaced"):
        memory.write({"image": torch.eye(2)})
    assert len(memory) == 2
    memory.close()


def test_a_database_in_ram_is_refused():
    with pytest.raises(ValueError, match="path: expected a file, got ':memory:'; Ram"):
        SQLite(":memory:")


def test_no_byte_of_a_forgotten_item_stays_in_the_files(tmp_path: Path):
    secret = np.arange(1, 65, dtype=np.uint8) * 3
    with opened(tmp_path / "m.db") as memory:
        ids = memory.write({"a": keys(3)}, values={"picture": np.tile(secret, (3, 1))})
        assert secret.tobytes() in b"".join(f.read_bytes() for f in tmp_path.iterdir())
        memory.forget(ids)
        for file in tmp_path.iterdir():  # the log is still there
            assert secret.tobytes() not in file.read_bytes(), file.name
            assert keys(3).tobytes()[:8] not in file.read_bytes(), file.name
