"""Keys of one kind, searched exactly: blocked, on any device, without a table of N x M scores."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

_SCORES = 1 << 22  # at a time: 16 MB
_QUERIES = 256  # at a time


class Index(Protocol):
    """How keys are searched: gives empty tables of keys."""

    def table(self, dim: int, metric: str) -> "KeyTable": ...


@dataclass(frozen=True)
class Exact:
    """Every key is looked at: the exact result, at a cost that grows with N.

    Args:
        device: where the keys are kept and searched, "cuda" for instance.
    """

    device: str = "cpu"

    def table(self, dim: int, metric: str) -> "KeyTable":
        return KeyTable(dim, metric, self.device)


class KeyTable:
    """Keys (n, dim) with their ids, in rising order of id.

    Scores are the inner product ("cosine", for keys that come normalized) or minus half the
    squared distance ("euclidean"): on unit vectors the two differ by a constant.
    """

    def __init__(self, dim: int, metric: str, device: str = "cpu"):
        self.dim, self.metric = dim, metric
        self._keys = torch.empty(0, dim, device=device)  # with room to grow
        self._ids = torch.empty(0, dtype=torch.int64, device=device)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def keys(self) -> Tensor:
        """(n, dim), a view."""
        return self._keys[: self._length]

    @property
    def ids(self) -> Tensor:
        """(n,) int64, rising, a view."""
        return self._ids[: self._length]

    def add(self, ids: Tensor, keys: Tensor) -> None:
        """Append keys whose ids are above all that are there."""
        end = self._length + len(ids)
        if end > len(self._ids):  # doubled, so that N writes of one key copy O(N) keys
            self._reserve(max(end, 2 * self._length))
        self._ids[self._length : end] = ids
        self._keys[self._length : end] = keys
        self._length = end

    def remove(self, ids: Tensor) -> None:
        """Forget those of the ids that are here; the others keep their order."""
        keep = ~torch.isin(self.ids, ids.to(self._ids.device))
        kept = int(keep.sum())
        self._ids[:kept], self._keys[:kept] = self.ids[keep], self.keys[keep]
        self._length = kept
        if 4 * kept < len(self._ids):
            self._reserve(2 * kept)

    def rows(self, ids: Tensor) -> Tensor:
        """Row of each id, -1 for one that isn't here."""
        ids = ids.to(self._ids.device).contiguous()  # a column of a table is not
        if not len(self):
            return torch.full_like(ids, -1)
        rows = torch.searchsorted(self.ids, ids).clamp(max=len(self) - 1)
        return torch.where(self.ids[rows] == ids, rows, -1)

    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Scores and ids (M, min(k, n)) of the best keys, on the CPU, the best first."""
        parts = [self._search(part, min(k, len(self))) for part in queries.split(_QUERIES)]
        scores, ids = (torch.cat(column) for column in zip(*parts, strict=True))
        return scores, ids

    def _search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        queries = queries.to(self._keys.device)
        best = torch.empty(len(queries), 0, device=queries.device)
        rows = torch.empty(len(queries), 0, dtype=torch.int64, device=queries.device)
        step = max(_SCORES // max(len(queries), 1), k)
        for start in range(0, len(self), step):
            scores = self._scores(queries, self.keys[start : start + step])
            top = scores.topk(min(k, scores.shape[1]))
            best = torch.cat([best, top.values], dim=1)
            rows = torch.cat([rows, top.indices + start], dim=1)
            if start:
                best, places = best.topk(k)
                rows = rows.gather(1, places)
        return best.cpu(), self.ids[rows].cpu()

    def _scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """(M, dim) and (n, dim) -> (M, n)."""
        if self.metric == "cosine":
            return queries @ keys.T
        halves = (part.square().sum(dim=1) / 2 for part in (queries, keys))
        of_queries, of_keys = halves
        return torch.addmm(of_queries[:, None] + of_keys, queries, keys.T, beta=-1)

    def _reserve(self, rows: int) -> None:
        for name in ("_ids", "_keys"):
            old = getattr(self, name)
            new = old.new_empty(rows, *old.shape[1:])
            new[: self._length] = old[: self._length]
            setattr(self, name, new)
