"""Which items there are, their groups and sizes, and how often each was found."""

import numpy as np
import torch
from torch import Tensor

from simmim_lite.memory._backend import Contents
from simmim_lite.memory._forgetting import choose


class Ledger:
    """Arrays (N,) int64 in rising order of id: ``ids``, ``groups``, ``sizes`` and ``reads``.

    Args:
        contents: the items.
        before: their reads are carried over.
    """

    def __init__(self, contents: Contents, before: "Ledger | None" = None):
        self.ids = contents.ids.numpy()
        self.groups = contents.groups.numpy()
        self.sizes = contents.sizes.numpy()
        self.reads = np.zeros(len(self.ids), np.int64)
        if before is not None:
            kept = before.has(contents.ids).numpy()
            self.reads[kept] = before.reads[np.searchsorted(before.ids, self.ids[kept])]

    def __len__(self) -> int:
        return len(self.ids)

    def has(self, ids: Tensor) -> Tensor:
        """For each of the ids (n,) whether it is here, (n,) bool."""
        if not len(self):
            return torch.zeros(len(ids), dtype=torch.bool)
        rows = np.searchsorted(self.ids, ids.numpy()).clip(max=len(self) - 1)
        return torch.from_numpy(self.ids[rows] == ids.numpy())

    def add(self, ids: Tensor, groups: Tensor, sizes: Tensor) -> None:
        """Items whose ids are above all that are here."""
        if self.ids.size and int(ids[0]) <= self.ids[-1]:  # a refresh has brought them already
            return
        self.ids = np.concatenate([self.ids, ids.numpy()])
        self.groups = np.concatenate([self.groups, groups.numpy()])
        self.sizes = np.concatenate([self.sizes, sizes.numpy()])
        self.reads = np.concatenate([self.reads, np.zeros(len(ids), np.int64)])

    def remove(self, ids: Tensor) -> None:
        keep = ~np.isin(self.ids, ids.numpy())
        for name in ("ids", "groups", "sizes", "reads"):
            setattr(self, name, getattr(self, name)[keep])

    def count_reads(self, ids: Tensor) -> None:
        """One more for each time that an item stands in ``ids`` (M, k)."""
        rows = np.searchsorted(self.ids, ids.flatten().numpy())
        np.add.at(self.reads, rows, 1)

    def surplus(self, keep: int, policy: str, seed: int, newest: Tensor | None = None) -> Tensor:
        """Ids to forget so that ``keep`` items stay.

        Args:
            newest: those that have just been written, and count as read.
        """
        n = max(len(self) - keep, 0)
        reads = self.reads
        if newest is not None:
            reads = np.where(self.ids < int(newest[0]), reads, np.iinfo(np.int64).max)
        gone = choose(policy, n, self.ids, self.groups, reads, seed)
        return torch.from_numpy(np.sort(gone))
