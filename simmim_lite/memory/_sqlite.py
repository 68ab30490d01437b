"""Items in a database file that several processes may share."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simmim_lite.memory._backend import KeyTables, check_header
from simmim_lite.memory._items import Batch
from simmim_lite.memory._ledger import Ledger
from simmim_lite.memory._search import Index

# AUTOINCREMENT: no id is used twice, not even the last one. Keys and contents are sorted by id, so
# that the items of another process are one stretch at the end.
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS header (text TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS modalities (name TEXT PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY AUTOINCREMENT, "
    "item_group INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS keys (id INTEGER NOT NULL, key_table TEXT NOT NULL, "
    "key BLOB NOT NULL, PRIMARY KEY (id, key_table)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS contents (id INTEGER NOT NULL, modality TEXT NOT NULL, "
    "content BLOB NOT NULL, PRIMARY KEY (id, modality)) WITHOUT ROWID",
)
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
        self.path = Path(path)

    def open(self, header: Mapping[str, Any]) -> Ledger:
        if not self.path.parent.is_dir():
            raise ValueError(f"path: expected a file in a folder that exists, got {self.path}")
        self._open(header["metric"])
        self._seen = -1
        self._connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        try:
            with self._transaction():
                for statement in _SCHEMA:
                    self._connection.execute(statement)
                found = self._connection.execute("SELECT text FROM header").fetchone()
                if found is None:
                    self._insert("header", [(json.dumps(dict(header)),)], "?")
                else:
                    check_header(self.path.name, json.loads(found[0]), header)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            return self._read_items()
        except BaseException as error:
            self._metric, self._tables = "", {}  # so that it can be opened again
            self.close()
            if isinstance(error, sqlite3.DatabaseError):
                raise ValueError(f"path: {self.path.name} cannot be opened: {error}") from error
            raise

    def add(self, batch: Batch) -> Tensor:
        with self._transaction():  # no other process writes now
            self._load()  # the keys of other processes come first, so that ids rise
            first = self.next_id()
            ids = range(first, first + len(batch))
            self._insert("items", zip(ids, batch.groups.tolist(), strict=True), "?, ?")
            for table, keys in batch.keys.items():
                rows = keys.detach().cpu().numpy().astype("<f4")
                self._insert("keys", zip(ids, repeat(table), (row.tobytes() for row in rows)))
            for modality, column in batch.values.items():
                self._connection.execute("INSERT OR IGNORE INTO modalities VALUES (?)", (modality,))
                self._insert("contents", zip(ids, repeat(modality), column))
        self._seen = ids[-1]
        self._add_keys(torch.tensor(ids), batch.keys)
        return torch.tensor(ids)

    def remove(self, ids: Tensor) -> None:
        with self._transaction():
            for table in ("items", "keys", "contents"):
                statement = f"DELETE FROM {table} WHERE id = ?"
                self._connection.executemany(statement, ((i,) for i in ids.tolist()))
        self._remove_keys(ids)

    def refresh(self) -> Ledger | None:
        # the version differs only after a change by another connection
        version = self._connection.execute("PRAGMA data_version").fetchone()
        return None if version == self._version else self._read_items()

    def next_id(self) -> int:
        statement = "SELECT seq FROM sqlite_sequence WHERE name = 'items'"
        found = self._connection.execute(statement).fetchone()
        return 0 if found is None else found[0] + 1

    def modalities(self) -> set[str]:
        return {name for (name,) in self._connection.execute("SELECT name FROM modalities")}

    def values(self, modality: str, ids: Tensor) -> list[bytes | None]:
        where = "modality = ? AND id IN (SELECT value FROM json_each(?))"
        statement = f"SELECT id, content FROM contents WHERE {where}"
        wanted = json.dumps(ids.unique().tolist())
        found = dict(self._connection.execute(statement, (modality, wanted)))
        return [found.get(item) for item in ids.tolist()]

    def close(self) -> None:
        self._connection.close()

    def _transaction(self, kind: str = "IMMEDIATE") -> sqlite3.Connection:
        """A context that ends with a commit, or with a rollback after an error."""
        self._connection.execute(f"BEGIN {kind}")
        return self._connection

    def _insert(self, table: str, rows: Iterable[tuple], marks: str = "?, ?, ?") -> None:
        self._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def _read_items(self) -> Ledger:
        """All items of the file; the key tables follow it."""
        version = self._connection.execute("PRAGMA data_version").fetchone()
        with self._transaction("DEFERRED"):  # one state of the file for all statements
            self._load()
            rows = self._connection.execute("SELECT id, item_group FROM items ORDER BY id")
            items = Ledger(rows.fetchall())
        for name, table in self._tables.items():
            ids = self.key_ids(name)
            table.remove(ids[~items.has(ids)])
        self._version = version
        return items

    def _load(self) -> None:
        """Load the keys of the items above the last id seen."""
        statement = "SELECT id, key_table, key FROM keys WHERE id > ? ORDER BY id"
        rows = self._connection.execute(statement, (self._seen,))
        while part := rows.fetchmany(_ROWS):
            for table in dict.fromkeys(table for _, table, _ in part):
                own = [(i, key) for i, name, key in part if name == table]
                keys = np.frombuffer(b"".join(key for _, key in own), "<f4").reshape(len(own), -1)
                self._add_keys(torch.tensor([i for i, _ in own]), {table: torch.tensor(keys)})
            self._seen = part[-1][0]
