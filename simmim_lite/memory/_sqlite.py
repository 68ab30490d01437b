"""Items in a database file that several processes may share."""

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simmim_lite.memory._backend import KeyTables, Ledger, check_header
from simmim_lite.memory._items import Batch, as_keys
from simmim_lite.memory._search import Index

# AUTOINCREMENT: no id is used twice, not even the last one. Keys and contents are sorted by id, so
# that the items of another process are one stretch at the end.
_SCHEMA = (
    "CREATE TABLE header (text TEXT NOT NULL)",
    "CREATE TABLE modalities (name TEXT PRIMARY KEY)",
    "CREATE TABLE items (id INTEGER PRIMARY KEY AUTOINCREMENT, item_group INTEGER NOT NULL)",
    "CREATE TABLE keys (id INTEGER NOT NULL, key_table TEXT NOT NULL, "
    "key BLOB NOT NULL, PRIMARY KEY (id, key_table)) WITHOUT ROWID",
    "CREATE TABLE contents (id INTEGER NOT NULL, modality TEXT NOT NULL, "
    "content BLOB NOT NULL, PRIMARY KEY (id, modality)) WITHOUT ROWID",
)
_APPLICATION = int.from_bytes(b"SiMM")  # in the header of the file; 0 in files of version 0.1.0
_MAGIC = b"SQLite format 3\0"
_PATIENCE = 60.0  # seconds to wait for another process that writes
_ROWS = 1 << 14  # keys in one answer


class SQLite(KeyTables):
    """Items in one SQLite file with a write-ahead log; the keys are in RAM, too, for the search.

    A batch is one transaction, and it is on the disk before its ids are returned. After a crash of
    the program or of the machine every such item is there, and no batch is there in part. Several
    processes may read and write at the same time (on one machine, not over a network drive); each
    process sees the changes of the others at its next call.

    Args:
        path: database file, made if it is missing.
        index: see `Ram`.
    """

    def __init__(self, path: str | Path, index: Index | None = None):
        super().__init__(index)
        if path == ":memory:":
            raise ValueError("path: expected a file, got ':memory:'; Ram keeps items in RAM")
        self.path = Path(path)
        self._connection: Any = None

    def open(self, header: Mapping[str, Any]) -> Ledger:
        self._open(header)
        self._seen, self._opened, place = -1, None, self.path.absolute()
        try:
            self._check_file()
            self._connection = sqlite3.connect(place, timeout=_PATIENCE, isolation_level=None)
            self._begin(header)
            self._opened = place, place.stat()
            return self._read_items()
        except BaseException as error:
            self._metric, self._tables = "", {}  # so that it can be opened again
            self.close()
            if isinstance(error, sqlite3.Error | OSError):
                got = str(error).removeprefix(f"path: {self.path.name}: ")
                raise ValueError(f"path: {self.path.name} cannot be opened: {got}") from error
            raise

    def add(self, batch: Batch) -> Tensor:
        with self._transaction():  # no other process writes now
            self._load()  # the keys of other processes come first, so that ids rise
            for table, keys in batch.keys.items():
                as_keys(table, keys, self._width(table))  # another process may have chosen one
            first = self.next_id()
            ids = range(first, first + len(batch))
            self._insert("items", zip(ids, batch.groups.tolist(), strict=True), "?, ?")
            for table, keys in batch.keys.items():
                rows = _encode(keys.detach().cpu().numpy())
                self._insert("keys", zip(ids, repeat(table), rows))
            for modality, column in batch.values.items():
                self._connection.execute("INSERT OR IGNORE INTO modalities VALUES (?)", (modality,))
                self._insert("contents", zip(ids, repeat(modality), column))
        self._seen = ids[-1]
        found = torch.tensor(ids, device="cpu")
        self._add_keys(found, batch.keys)
        return found

    def remove(self, ids: Tensor) -> None:
        with self._transaction():
            for table in ("items", "keys", "contents"):
                statement = f"DELETE FROM {table} WHERE id = ?"
                self._connection.executemany(statement, ((i,) for i in ids.tolist()))
        self._execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the write-ahead log held them, too
        self._remove_keys(ids)

    def refresh(self) -> Ledger | None:
        # the version differs only after a change by another connection
        version = self._execute("PRAGMA data_version").fetchone()
        return None if version == self._version else self._read_items()

    def next_id(self) -> int:
        found = self._execute("SELECT seq FROM sqlite_sequence WHERE name = 'items'").fetchone()
        return 0 if found is None else found[0] + 1

    def modalities(self) -> set[str]:
        return {name for (name,) in self._execute("SELECT name FROM modalities")}

    def values(self, modality: str, ids: Tensor) -> list[bytes | None]:
        where = "modality = ? AND id IN (SELECT value FROM json_each(?))"
        statement = f"SELECT id, content FROM contents WHERE {where}"
        wanted = json.dumps(ids.unique().tolist())
        found = dict(self._execute(statement, (modality, wanted)))
        return [found.get(item) for item in ids.tolist()]

    def close(self) -> None:
        with self._naming():
            if self._connection is not None:
                self._connection.close()

    def _check_file(self) -> None:
        """Raise ValueError, without touching the file, unless it is new or a memory."""
        if not self.path.exists() or self.path.is_dir():  # SQLite refuses a folder
            return
        with self.path.open("rb") as file:
            start = file.read(100)
        application, tables = int.from_bytes(start[68:72]), set()
        if start[:16] == _MAGIC and not application:
            address = f"{self.path.absolute().as_uri()}?mode=ro&immutable=1"  # no lock, no log
            with closing(sqlite3.connect(address, uri=True)) as file:
                tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
        own = application == _APPLICATION or {"header", "modalities", "items", "keys"} <= tables
        if start and not own:
            expected = "expected a new file or a memory"
            raise ValueError(f"path: {self.path.name} cannot be opened: {expected}")

    def _begin(self, header: Mapping[str, Any]) -> None:
        """Create the tables, or check the header, while no other process does so."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                with self._transaction():
                    if not self._execute("SELECT name FROM sqlite_master").fetchone():
                        for statement in (*_SCHEMA, f"PRAGMA application_id = {_APPLICATION}"):
                            self._execute(statement)
                        self._insert("header", [(json.dumps(dict(header)),)], "?")
                    (text,) = self._execute("SELECT text FROM header").fetchone() or ("",)
                    self._check_header(text, header)
                self._execute("PRAGMA journal_mode = WAL")
                self._execute("PRAGMA synchronous = FULL")
                self._execute("PRAGMA secure_delete = ON")  # zeros over removed items
                return
            except sqlite3.OperationalError as error:  # the change of mode does not wait by itself
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def _check_header(self, text: str, header: Mapping[str, Any]) -> None:
        try:
            stored = dict(json.loads(text))
        except (TypeError, ValueError):
            stored = {}
        if stored.get("format") != header["format"]:
            expected = f"a memory of format {header['format']}"
            raise ValueError(f"path: expected {expected}, got {text!r:.80} in {self.path.name}")
        check_header(self.path.name, stored, header)

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Errors of SQLite name the file."""
        try:
            yield
        except sqlite3.Error as error:
            if str(error).startswith("path: "):
                raise
            text = f"path: {self.path.name}: {error}"
            if "locked" in text:
                text += f" by another process for {_PATIENCE:g} seconds"
            damaged = type(error) is sqlite3.DatabaseError  # not one of its subclasses
            raise (ValueError if damaged else type(error))(text) from error

    def _execute(self, statement: str, values: tuple = ()) -> sqlite3.Cursor:
        with self._naming():
            return self._connection.execute(statement, values)

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        """A context that ends with a commit, or with a rollback after an error."""
        with self._naming():
            self._connection.execute(f"BEGIN {kind}")
            with self._connection:
                yield
                place, opened = self._opened or (self.path, None)
                lost = opened and not (place.exists() and os.path.samestat(place.stat(), opened))
                if lost and kind == "IMMEDIATE":  # what is written would be lost
                    got = "was deleted or replaced while the memory was open"
                    raise ValueError(f"path: {place} {got}")

    def _insert(self, table: str, rows: Iterable[tuple], marks: str = "?, ?, ?") -> None:
        self._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def _read_items(self) -> Ledger:
        """All items of the file; the key tables follow it."""
        version = self._execute("PRAGMA data_version").fetchone()
        try:
            with self._transaction("DEFERRED"):  # one state of the file for all statements
                self._load()
                rows = self._execute("SELECT id, item_group FROM items ORDER BY id")
                items = Ledger(rows.fetchall())
                "".join(self.modalities())  # raises TypeError for names that are no texts
        except (TypeError, ValueError) as error:
            raise ValueError(f"path: {self.path.name} is damaged: {error}") from error
        for name, table in self._tables.items():
            ids = self.key_ids(name)
            table.remove(ids[~items.has(ids)])
        self._version = version
        return items

    def _load(self) -> None:
        """Load the keys of the items above the last id seen."""
        statement = "SELECT id, key_table, key FROM keys WHERE id > ? ORDER BY id"
        rows = self._execute(statement, (self._seen,))
        while part := rows.fetchmany(_ROWS):
            for table in dict.fromkeys(table for _, table, _ in part):
                ids = torch.tensor([i for i, name, _ in part if name == table], device="cpu")
                keys = np.stack([_decode(key) for _, name, key in part if name == table])
                self._add_keys(ids, {table: as_keys(table, keys, self._width(table))})
            self._seen = part[-1][0]


def _encode(keys: np.ndarray) -> Iterator[bytes]:
    """Keys (N, dim) as bytes; one more byte marks float64."""
    wide = keys.dtype == np.float64
    for row in keys.astype("<f8" if wide else "<f4"):
        yield row.tobytes() + b"8" * wide


def _decode(key: bytes) -> np.ndarray:
    """A key (dim,)."""
    kind = "<f8" if len(key) % 4 else "<f4"
    return np.frombuffer(key, kind, count=len(key) // int(kind[-1]))
