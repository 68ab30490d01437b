"""The list of all items, and the policies that choose which items to forget."""

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

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
            return torch.zeros(len(ids), dtype=torch.bool)
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
        """Ids to forget so that ``keep`` items stay, by one of `POLICIES`.

        - "oldest": the items that were written first.
        - "least_read": the items that were read least often; of these the oldest. Only the
          ``newest`` ids are spared.
        - "reservoir": a balanced random sample stays. Each step removes the item of lowest priority
          from the largest group. A priority is a random number that depends on the id and the seed
          alone. So each group, while it is among the largest, keeps a uniform sample of all its
          items that were ever written (reservoir sampling, Vitter 1985; balanced by class as in
          Chrysakis and Moens 2020; with priorities in place of counts, as in bottom-k sampling,
          Cohen and Kaplan 2007, so that no record of removed items is needed).
        """
        n = len(self) - keep
        if n <= 0:
            return torch.empty(0, dtype=torch.int64)
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
