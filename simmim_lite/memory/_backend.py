"""What a backend has to do, and the default one, which keeps everything in RAM."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from simmim_lite.memory._batch import Batch, metric_of
from simmim_lite.memory._index import Exact, Index, KeyTable


@dataclass(frozen=True)
class Contents:
    """Which items there are: ids in rising order, their groups and bytes, all (N,) int64."""

    ids: Tensor
    groups: Tensor
    sizes: Tensor


class Backend(Protocol):
    """Keeps items. Ids are given in rising order and never twice; a batch is added whole or not."""

    def open(self, header: Mapping[str, Any]) -> Contents:
        """Begin, or go on with what was kept under an equal header; ValueError under another."""

    def add(self, batch: Batch) -> Tensor:
        """Keep a batch; its ids (N,) int64 are returned once it is safe."""

    def remove(self, ids: Tensor) -> None:
        """Forget items, at once and for all."""

    def refresh(self) -> Contents | None:
        """What there is, if another process may have changed it; else None."""

    def kinds(self) -> dict[str, int]:
        """The kinds of keys there are, with their dims."""

    def count(self, kind: str) -> int:
        """How many items have a key of this kind."""

    def search(self, kind: str, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Scores and ids (M, k or fewer) of the best keys, the best first, on the CPU."""

    def keys(self, kind: str, ids: Tensor | None) -> Tensor:
        """Keys (n, dim) of items (ValueError if one has none); for None of all that have one."""

    def owners(self, kind: str) -> Tensor:
        """Ids (n,) of the items with a key of this kind, in the order of ``keys(kind, None)``."""

    def following(self) -> int:
        """The least id that was never given."""

    def modalities(self) -> set[str]:
        """Those that some item has a value of."""

    def values(self, modality: str, ids: Tensor) -> list[bytes | None]:
        """Encoded values; None for an item without one."""

    def close(self) -> None:
        """Release files and connections."""


def check_all_there(kind: str, ids: Tensor, there: Tensor) -> None:
    """``there`` (n,) bool: each of the items has a key of this kind."""
    if not there.all():
        raise ValueError(f"ids: item {int(ids[~there][0])} has no {kind} key")


class Tables:
    """Keys in RAM, a table for each kind: the part of a backend that searches."""

    def __init__(self, index: Index | None = None):
        self.index = Exact() if index is None else index
        self._tables: dict[str, KeyTable] = {}
        self._metric = ""

    def kinds(self) -> dict[str, int]:
        return {kind: table.dim for kind, table in self._tables.items()}

    def count(self, kind: str) -> int:
        return len(self._tables[kind]) if kind in self._tables else 0

    def search(self, kind: str, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        return self._tables[kind].search(queries, k)

    def keys(self, kind: str, ids: Tensor | None) -> Tensor:
        table = self._tables[kind]
        if ids is None:
            return table.keys
        rows = table.rows(ids)
        check_all_there(kind, ids, rows.cpu() >= 0)
        return table.keys[rows]

    def owners(self, kind: str) -> Tensor:
        return self._tables[kind].ids.cpu()

    def _add_keys(self, ids: Tensor, keys: Mapping[str, Tensor]) -> None:
        for kind, rows in keys.items():
            if kind not in self._tables:
                metric = metric_of(kind, self._metric)
                self._tables[kind] = self.index.table(rows.shape[1], metric)
            self._tables[kind].add(ids, rows)

    def _remove_keys(self, ids: Tensor) -> None:
        for table in self._tables.values():
            table.remove(ids)


class Ram(Tables):
    """Everything in the memory of this process: fast, and gone with it unless it is saved.

    Args:
        index: how keys are searched; None is `Exact`.
    """

    def __init__(self, index: Index | None = None):
        super().__init__(index)
        self._values: dict[str, dict[int, bytes]] = {}
        self._next = 0
        self._opened = False

    def open(self, header: Mapping[str, Any]) -> Contents:
        if self._opened:
            raise ValueError("backend: expected a fresh Ram, got one that another memory uses")
        self._opened, self._metric = True, header["metric"]
        return Contents(*torch.empty(3, 0, dtype=torch.int64))

    def restore(
        self,
        keys: Mapping[str, tuple[Tensor, Tensor]],
        values: Mapping[str, dict[int, bytes]],
        following: int,
    ) -> None:
        """Take over what `SimulatedMemory.save` wrote."""
        for kind, (owners, rows) in keys.items():
            self._add_keys(owners, {kind: rows})
        self._values = {modality: dict(column) for modality, column in values.items()}
        self._next = following

    def add(self, batch: Batch) -> Tensor:
        ids = torch.arange(self._next, self._next + len(batch))
        self._add_keys(ids, batch.keys)
        for modality, column in batch.values.items():
            self._values.setdefault(modality, {}).update(zip(ids.tolist(), column, strict=True))
        self._next += len(batch)
        return ids

    def remove(self, ids: Tensor) -> None:
        self._remove_keys(ids)
        for column in self._values.values():
            for item in ids.tolist():
                column.pop(item, None)

    def refresh(self) -> None:
        return None

    def following(self) -> int:
        return self._next

    def modalities(self) -> set[str]:
        return {modality for modality, column in self._values.items() if column}

    def values(self, modality: str, ids: Tensor) -> list[bytes | None]:
        column = self._values.get(modality, {})
        return [column.get(item) for item in ids.tolist()]

    def close(self) -> None:
        pass
