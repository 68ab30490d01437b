"""The interface of a backend, and the default backend, which keeps everything in RAM."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from simmim_lite.memory._items import Batch, table_metric
from simmim_lite.memory._ledger import Ledger
from simmim_lite.memory._search import Exact, Index, KeyTable
from simmim_lite.storage import CheckpointError, pack, unpack, write_atomically


class Backend(Protocol):
    """Storage of items.

    Ids rise and are never used twice. A batch is added as a whole or not at all. The keys of one
    modality and purpose form a *key table*: "image" (semantic keys) or "image/instance".
    """

    def open(self, header: Mapping[str, Any]) -> Ledger:
        """Start a store, or continue one with the same header (else ValueError); return items."""

    def add(self, batch: Batch) -> Tensor:
        """Store a batch; return its ids (N,) int64 once the items are safe."""

    def remove(self, ids: Tensor) -> None:
        """Remove items, at once and for good."""

    def refresh(self) -> Ledger | None:
        """Return the items if another process may have changed them, else None."""
        return None

    def shapes(self) -> dict[str, tuple[int, int]]:
        """Return the number and the width of the keys in each key table."""

    def search(self, table: str, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Return scores and ids (M, k or fewer) of the best keys, best first, on the CPU."""

    def keys(self, table: str, ids: Tensor | None) -> Tensor:
        """Return the keys (n, dim) of items (ValueError without a key), or all keys for None."""

    def key_ids(self, table: str) -> Tensor:
        """Return the ids (n,) of a key table, in the order of ``keys(table, None)``."""

    def next_id(self) -> int:
        """Return the smallest id that was never used."""

    def modalities(self) -> set[str]:
        """Return the modalities of all values."""

    def values(self, modality: str, ids: Tensor) -> list[bytes | None]:
        """Return the encoded value of each item, None for an item without one."""

    def close(self) -> None:
        """Release files and connections."""
        return


def check_header(place: str, stored: Mapping[str, Any], header: Mapping[str, Any]) -> None:
    """Raise ValueError unless the header stored in ``place`` agrees with the header."""
    for field, got in header.items():
        if stored[field] != got:
            raise ValueError(f"{field}: expected {stored[field]!r}, as in {place}, got {got!r}")


def check_all_there(table: str, ids: Tensor, there: Tensor) -> None:
    """Raise ValueError if an item, False in ``there`` (n,), has no key in this table."""
    if not there.all():
        got = int(ids[~there][0])
        raise ValueError(f"ids: expected items with {table} keys, got {got}, which has none")


class KeyTables(Backend):
    """Key tables in RAM: the part of a backend that searches."""

    def __init__(self, index: Index | None = None):
        self.index = Exact() if index is None else index
        self._tables: dict[str, KeyTable] = {}
        self._metric = ""  # until `open`

    def shapes(self) -> dict[str, tuple[int, int]]:
        return {name: (len(table), table.dim) for name, table in self._tables.items()}

    def search(self, table: str, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        return self._tables[table].search(queries, k)

    def keys(self, table: str, ids: Tensor | None) -> Tensor:
        stored = self._tables[table]
        if ids is None:
            return stored.keys
        rows = stored.rows(ids)
        check_all_there(table, ids, rows.cpu() >= 0)
        return stored.keys[rows]

    def key_ids(self, table: str) -> Tensor:
        return self._tables[table].ids.cpu()

    def _open(self, metric: str) -> None:
        if self._metric:
            name = type(self).__name__
            raise ValueError(f"backend: expected a fresh {name}, got the one of another memory")
        self._metric = metric

    def _add_keys(self, ids: Tensor, keys: Mapping[str, Tensor]) -> None:
        for table, rows in keys.items():
            if table not in self._tables:
                metric = table_metric(table, self._metric)
                self._tables[table] = self.index.table(rows.shape[1], metric)
            self._tables[table].add(ids, rows)

    def _remove_keys(self, ids: Tensor) -> None:
        for table in self._tables.values():
            table.remove(ids)


class Ram(KeyTables):
    """Everything in the memory of this process: fast, and lost at its end unless it is saved.

    Args:
        index: search method; None is `Exact`.
    """

    def __init__(self, index: Index | None = None):
        super().__init__(index)
        self._values: dict[str, dict[int, bytes]] = {}
        self._next_id = 0
        self._saved: dict[str, Any] | None = None  # state of a file, until `open`

    def open(self, header: Mapping[str, Any]) -> Ledger:
        self._open(header["metric"])
        saved, self._saved = self._saved, None
        if saved is None:
            return Ledger()
        for table, (ids, rows) in saved["keys"].items():
            self._add_keys(ids, {table: rows})
        for modality, (ids, lengths, content) in saved["values"].items():
            parts = zip(ids.tolist(), content.split(lengths.tolist()), strict=True)
            self._values[modality] = {item: part.numpy().tobytes() for item, part in parts}
        self._next_id = saved["next_id"]
        return Ledger(saved["items"].numpy())

    def add(self, batch: Batch) -> Tensor:
        ids = torch.arange(self._next_id, self._next_id + len(batch))
        self._add_keys(ids, batch.keys)
        for modality, column in batch.values.items():
            self._values.setdefault(modality, {}).update(zip(ids.tolist(), column, strict=True))
        self._next_id += len(batch)
        return ids

    def remove(self, ids: Tensor) -> None:
        self._remove_keys(ids)
        for column in self._values.values():
            for item in ids.tolist():
                column.pop(item, None)

    def next_id(self) -> int:
        return self._next_id

    def modalities(self) -> set[str]:
        return {modality for modality, column in self._values.items() if column}

    def values(self, modality: str, ids: Tensor) -> list[bytes | None]:
        column = self._values.get(modality, {})
        return [column.get(item) for item in ids.tolist()]

    @classmethod
    def from_file(cls, path: Path, index: Index | None) -> tuple["Ram", dict[str, Any]]:
        """A backend with the items of a file, and the state in the file; see `write_file`."""
        state = unpack(path.read_bytes(), path.name)
        if not isinstance(state, dict) or "memory" not in state or state["memory"]["format"] != 1:
            raise CheckpointError(f"{path.name}: expected a file of SimulatedMemory.save")
        backend = cls(index)
        backend._saved = state
        return backend, state


def write_file(
    path: Path, header: dict[str, Any], options: dict[str, Any], backend: Backend, ledger: Ledger
) -> None:
    """Write the header and options of a memory, its items and the next id."""
    ids = torch.from_numpy(ledger.ids)
    state = {
        "memory": header,
        "options": options,
        "next_id": backend.next_id(),
        "items": torch.from_numpy(np.stack([ledger.ids, ledger.groups], axis=1)),
        "keys": {t: [backend.key_ids(t), backend.keys(t, None)] for t in backend.shapes()},
        "values": {m: _join(ids, backend.values(m, ids)) for m in sorted(backend.modalities())},
    }
    write_atomically(path, pack(state))


def _join(ids: Tensor, values: list[bytes | None]) -> list[Tensor]:
    """Ids of the values, their lengths, and all bytes end to end."""
    found = {i: value for i, value in zip(ids.tolist(), values, strict=True) if value is not None}
    numbers = torch.tensor([[*found], [*map(len, found.values())]], dtype=torch.int64)
    content = np.frombuffer(bytearray(b"".join(found.values())), np.uint8)
    return [*numbers, torch.from_numpy(content)]
