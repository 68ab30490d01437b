"""The list of items, the interface of a backend, and the default backend, which is in RAM."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from simmim_lite.memory._items import INSTANCE, Batch, as_keys, table_metric
from simmim_lite.memory._search import Exact, Index, KeyTable

POLICIES = ("oldest", "least_read", "reservoir")


class Ledger:
    """The items of a memory; ``rows`` (N, 2) are their ids, in rising order, and groups."""

    def __init__(self, rows: ArrayLike = ()):
        self.ids, self.groups = np.array(rows, np.int64).reshape(-1, 2).T.copy()
        self.reads = np.zeros_like(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def has(self, ids: Tensor) -> Tensor:
        """Whether each of the ids (n,) belongs to an item."""
        if not len(self):
            return torch.zeros_like(ids, dtype=torch.bool)
        places = np.searchsorted(self.ids, ids.numpy()).clip(max=len(self) - 1)
        return torch.from_numpy(self.ids[places] == ids.numpy())

    def add(self, ids: Tensor, groups: Tensor) -> None:
        """Append items; their ids (n,) are above all others."""
        if self.ids.size and int(ids[0]) <= self.ids[-1]:  # a refresh has already added them
            return
        self.ids = np.concatenate([self.ids, ids.numpy()])
        self.groups = np.concatenate([self.groups, groups.numpy()])
        self.reads = np.concatenate([self.reads, np.zeros(len(ids), np.int64)])

    def remove(self, ids: Tensor) -> None:
        """Remove the items with these ids."""
        keep = ~np.isin(self.ids, ids.numpy())
        self.ids, self.groups, self.reads = self.ids[keep], self.groups[keep], self.reads[keep]

    def count_reads(self, ids: Tensor) -> None:
        """Add one read for each place of an item in ``ids`` (M, k)."""
        np.add.at(self.reads, np.searchsorted(self.ids, ids.flatten().numpy()), 1)

    def copy_reads(self, before: "Ledger") -> None:
        """Take over the reads of the items that ``before`` holds too."""
        kept = before.has(torch.from_numpy(self.ids)).numpy()
        self.reads[kept] = before.reads[np.searchsorted(before.ids, self.ids[kept])]

    def surplus(self, keep: int, policy: str, seed: int, newest: Tensor | None = None) -> Tensor:
        """Ids to forget so that ``keep`` items stay, by one of the policies of `SimulatedMemory`.

        Of items that were read equally often, the oldest go; the ``newest`` ids are spared.

        For a reservoir, each step removes the item of lowest priority from the largest group. A
        priority is a random number that depends on the id and the seed alone. So each group, while
        it is among the largest, keeps a uniform sample of all its items that were ever written
        (reservoir sampling, Vitter 1985; balanced by class as in Chrysakis and Moens 2020; with
        priorities in place of counts, as in bottom-k sampling, Cohen and Kaplan 2007, so that no
        record of removed items is needed).
        """
        n = len(self) - keep
        if n <= 0:
            return torch.empty(0, dtype=torch.int64, device="cpu")
        order = np.arange(len(self))
        if policy == "least_read":
            spared = np.zeros(len(self), bool) if newest is None else self.ids >= int(newest[0])
            order = np.lexsort([self.ids, self.reads, spared])
        elif policy == "reservoir":
            priority = priorities(self.ids, seed)
            by_group = np.lexsort([-priority, self.groups])
            groups = self.groups[by_group]
            rank = np.empty(len(self), np.int64)
            rank[by_group] = order - np.searchsorted(groups, groups)
            # The r-th best of a group goes before any (r-1)-th best: largest groups first.
            order = np.lexsort([priority, -rank])
        return torch.from_numpy(np.sort(self.ids[order[:n]]))


def priorities(ids: np.ndarray, seed: int) -> np.ndarray:
    """A fixed random number in [0, 1) for each id, (N,) (SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        x = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x += np.uint64(seed) * np.uint64(0xD1B54A32D192ED03) + np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
        x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)) * 2.0**-53


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
        if stored.get(field) != got:
            raise ValueError(f"{field}: expected {stored.get(field)!r}, as in {place}, got {got!r}")


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
        self._metric, self._dim = "", 0  # until `open`

    def shapes(self) -> dict[str, tuple[int, int]]:
        return {name: (len(table), table.dim) for name, table in self._tables.items()}

    def search(self, table: str, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        return self._tables[table].search(queries, k)

    def keys(self, table: str, ids: Tensor | None) -> Tensor:
        stored = self._tables[table]
        if ids is None:
            return stored.at(slice(None))
        rows = stored.rows(ids)
        check_all_there(table, ids, rows.cpu() >= 0)
        return stored.at(rows)

    def key_ids(self, table: str) -> Tensor:
        return self._tables[table].ids.cpu()

    def _open(self, header: Mapping[str, Any]) -> None:
        if self._metric:
            name = type(self).__name__
            raise ValueError(f"backend: expected a fresh {name}, got the one of another memory")
        self._metric, self._dim = header["metric"], header["dim"]

    def _width(self, table: str) -> int | None:
        """Width of the keys in a table; None for a new table of instance keys."""
        if table in self._tables:
            return self._tables[table].dim
        return None if table.endswith(INSTANCE) else self._dim

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
        self.saved: dict[str, Any] | None = None  # content of a file, until `open`

    def open(self, header: Mapping[str, Any]) -> Ledger:
        self._open(header)
        saved, self.saved = self.saved, None
        if saved is None:
            return Ledger()
        _check_ids(saved)
        for table, (ids, rows) in saved["keys"].items():
            if len(rows) != len(ids):
                raise ValueError(f"{table}: expected {len(ids)} keys, got {len(rows)}")
            self._add_keys(ids, {table: as_keys(table, rows, self._width(table))})
        for modality, (ids, lengths, content) in saved["values"].items():
            parts = zip(ids.tolist(), content.split(lengths.tolist()), strict=True)
            self._values[modality] = {item: part.numpy().tobytes() for item, part in parts}
        self._next_id = saved["next_id"]
        return Ledger(saved["items"].numpy())

    def add(self, batch: Batch) -> Tensor:
        ids = torch.from_numpy(np.arange(self._next_id, self._next_id + len(batch)))
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


def _check_ids(saved: dict[str, Any]) -> None:
    """Raise ValueError unless the keys and values of a saved memory belong to its items."""
    ids, _ = saved["items"].T
    columns = [(name, of[0]) for part in ("keys", "values") for name, of in saved[part].items()]
    for name, own in [("items", ids), *columns]:
        if own.dtype != torch.int64 or (own.diff() <= 0).any() or not torch.isin(own, ids).all():
            raise ValueError(f"{name}: expected rising ids of items, got {own!r:.80}")
    if len(ids) and not 0 <= ids[0] <= ids[-1] < saved["next_id"]:
        raise ValueError(f"next_id: expected more than {ids[-1]}, got {saved['next_id']}")


def join(ids: Tensor, values: list[bytes | None]) -> list[Tensor]:
    """Ids of the values, their lengths, and all bytes end to end."""
    found = {i: value for i, value in zip(ids.tolist(), values, strict=True) if value is not None}
    numbers = torch.from_numpy(np.array([[*found], [*map(len, found.values())]], np.int64))
    content = np.frombuffer(bytearray(b"".join(found.values())), np.uint8)
    return [*numbers, torch.from_numpy(content)]
