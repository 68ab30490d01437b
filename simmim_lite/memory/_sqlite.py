"""Items in a database file: what is acknowledged is on the disk, and processes may share it."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simmim_lite.memory._backend import Contents, Tables
from simmim_lite.memory._batch import Batch
from simmim_lite.memory._index import Index

# AUTOINCREMENT: an id is never given again, not even the last one. Keys and contents are sorted by
# id, so that what another process has written is one stretch at the end.
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS header (text TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS modalities (name TEXT PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY AUTOINCREMENT, "
    "part INTEGER NOT NULL, size INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS keys (id INTEGER NOT NULL, kind TEXT NOT NULL, "
    "key BLOB NOT NULL, PRIMARY KEY (id, kind)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS contents (id INTEGER NOT NULL, modality TEXT NOT NULL, "
    "content BLOB NOT NULL, PRIMARY KEY (id, modality)) WITHOUT ROWID",
)
_PATIENCE = 60.0  # seconds to wait for another process that writes
_AT_ONCE = 500  # ids in one question
_ROWS = 1 << 14  # keys in one answer


class SQLite(Tables):
    """Items in one SQLite file with a write-ahead log; keys in RAM as well, to be searched there.

    A batch is one transaction, forced to the disk before its ids are returned: after a crash of
    the program or the machine every acknowledged item is there, and no batch is there by half.
    Several processes may read and write at the same time (on one machine, not over a network
    drive); each sees what the others have done with its next call.

    Args:
        path: of the file; it is made if it isn't there.
        index: how keys are searched; None is `Exact`.
    """

    def __init__(self, path: str | Path, index: Index | None = None):
        super().__init__(index)
        self.path = Path(path)

    def open(self, header: Mapping[str, Any]) -> Contents:
        if self._tables or not self.path.parent.is_dir():
            raise ValueError(f"path: expected a folder for {self.path.name} and a fresh SQLite")
        self._metric, self._version, self._seen = header["metric"], -1, -1
        self._connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        try:
            with self._transaction():
                for statement in _SCHEMA:
                    self._connection.execute(statement)
                self._check(header)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            return self.refresh()
        except sqlite3.DatabaseError as error:
            self.close()
            raise ValueError(f"path: {self.path.name} can't be opened: {error}") from error
        except BaseException:
            self.close()
            raise

    def add(self, batch: Batch) -> Tensor:
        with self._transaction():  # the only one that writes now
            self._load()  # what others wrote, before our keys, so that ids rise
            first = self.following()
            ids = range(first, first + len(batch))
            self._insert(
                "items", zip(ids, batch.groups.tolist(), batch.sizes().tolist(), strict=True)
            )
            for kind, keys in batch.keys.items():
                rows = keys.detach().cpu().numpy().astype("<f4")
                self._insert(
                    "keys", ((i, kind, row.tobytes()) for i, row in zip(ids, rows, strict=True))
                )
            for modality, column in batch.values.items():
                self._connection.execute("INSERT OR IGNORE INTO modalities VALUES (?)", (modality,))
                self._insert(
                    "contents", ((i, modality, text) for i, text in zip(ids, column, strict=True))
                )
        self._seen = ids[-1]
        self._add_keys(torch.tensor(ids), batch.keys)
        return torch.tensor(ids)

    def remove(self, ids: Tensor) -> None:
        with self._transaction():
            for table in ("items", "keys", "contents"):
                statement = f"DELETE FROM {table} WHERE id = ?"
                self._connection.executemany(statement, ((i,) for i in ids.tolist()))
        self._remove_keys(ids)

    def refresh(self) -> Contents | None:
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version == self._version:  # it differs only after a change by another connection
            return None
        with self._transaction("DEFERRED"):  # one state of the file for all that is read
            self._load()
            rows = self._connection.execute("SELECT id, part, size FROM items ORDER BY id")
            contents = Contents(*torch.tensor(rows.fetchall(), dtype=torch.int64).reshape(-1, 3).T)
        for kind in self.kinds():
            owners = self.owners(kind)
            self._tables[kind].remove(owners[~torch.isin(owners, contents.ids)])
        self._version = version
        return contents

    def following(self) -> int:
        question = "SELECT seq FROM sqlite_sequence WHERE name = 'items'"
        found = self._connection.execute(question).fetchone()
        return 0 if found is None else found[0] + 1

    def modalities(self) -> set[str]:
        return {name for (name,) in self._connection.execute("SELECT name FROM modalities")}

    def values(self, modality: str, ids: Tensor) -> list[bytes | None]:
        found: dict[int, bytes] = {}
        for part in ids.unique().split(_AT_ONCE):
            marks = ", ".join("?" * len(part))
            question = f"SELECT id, content FROM contents WHERE id IN ({marks}) AND modality = ?"
            found |= self._connection.execute(question, (*part.tolist(), modality)).fetchall()
        return [found.get(item) for item in ids.tolist()]

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        self._connection.execute(f"BEGIN {kind}")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _insert(self, table: str, rows: Iterable[tuple]) -> None:
        self._connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)

    def _check(self, header: Mapping[str, Any]) -> None:
        found = self._connection.execute("SELECT text FROM header").fetchone()
        if found is None:
            self._connection.execute("INSERT INTO header VALUES (?)", (json.dumps(dict(header)),))
            return
        for name, there in json.loads(found[0]).items():
            if header[name] != there:
                raise ValueError(
                    f"{name}: {self.path.name} holds a memory with {there!r}, got {header[name]!r}"
                )

    def _load(self) -> None:
        """Take over the keys of items that are newer than those seen."""
        question = "SELECT id, kind, key FROM keys WHERE id > ? ORDER BY id"
        rows = self._connection.execute(question, (self._seen,))
        while part := rows.fetchmany(_ROWS):
            for kind in dict.fromkeys(kind for _, kind, _ in part):
                own = [(i, key) for i, k, key in part if k == kind]
                keys = np.frombuffer(b"".join(key for _, key in own), "<f4").reshape(len(own), -1)
                self._add_keys(torch.tensor([i for i, _ in own]), {kind: torch.tensor(keys)})
            self._seen = part[-1][0]
