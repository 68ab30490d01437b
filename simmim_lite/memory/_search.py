"""Key tables and their search: exact, in blocks on any device; or approximate, with FAISS."""

import importlib
import warnings
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simmim_lite._arguments import check_choice, check_integer

_SCORES = 1 << 22  # scores in one block: 16 MB
_QUERIES = 256  # queries in one block
_SAMPLE = 64  # keys for each inverted list that FAISS trains the lists with
_CANDIDATES = 16  # candidates for each wanted item, when FAISS hashes
_LINKS = 16  # links of each key in a graph
_BITS = 256  # random planes of a hash


def score(queries: Tensor, keys: Tensor, metric: str) -> Tensor:
    """Scores (M, k) of queries (M, dim), each with its own keys (M, k, dim), differentiable."""
    if metric == "cosine":
        return torch.einsum("md,mkd->mk", queries, keys)
    return -(queries[:, None] - keys).square().sum(dim=2) / 2


def require(module: str, package: str) -> ModuleType:
    """Import a module of an optional package; an ImportError says how to install the package."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of SWIG and setuptools
            return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{module} is not installed: pip install {package}, "
            'or everything for large memories: pip install "simmim-lite[scale]"'
        ) from error


@dataclass(frozen=True)
class Exact:
    """Exact search: every query is compared with every key, on a device such as "cuda"."""

    device: str = "cpu"

    def table(self, dim: int, metric: str) -> "KeyTable":
        return KeyTable(dim, metric, self.device)


class KeyTable:
    """Keys (n, dim) with their ids (n,), in rising order of id, and exact search among them.

    A score is the inner product ("cosine"; the keys have length one) or minus half the squared
    distance ("euclidean"). For unit vectors the two differ by a constant.
    """

    def __init__(self, dim: int, metric: str, device: str):
        self.dim, self.metric = dim, metric
        self._keys = torch.empty(0, dim, device=device)  # with room to grow
        self._ids = torch.empty(0, dtype=torch.int64, device=device)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def keys(self) -> Tensor:
        return self._keys[: self._length]

    @property
    def ids(self) -> Tensor:
        return self._ids[: self._length]

    def add(self, ids: Tensor, keys: Tensor) -> None:
        """Append keys (m, dim) whose ids (m,) are above all others."""
        end = self._length + len(ids)
        if end > len(self._ids):  # doubled, so that N writes of one key copy O(N) keys
            self._reserve(max(end, 2 * self._length))
        self._ids[self._length : end] = ids
        self._keys[self._length : end] = keys
        self._length = end

    def remove(self, ids: Tensor) -> None:
        """Remove the keys with these ids; the other keys keep their order."""
        keep = ~torch.isin(self.ids, ids.to(self._ids.device))
        kept = int(keep.sum())
        self._ids[:kept], self._keys[:kept] = self.ids[keep], self.keys[keep]
        self._length = kept
        if 4 * kept < len(self._ids):
            self._reserve(2 * kept)

    def rows(self, ids: Tensor) -> Tensor:
        """Row of each id, in the shape of ``ids``; -1 for an id that is not in the table."""
        ids = ids.to(self._ids.device).contiguous()  # a column of a matrix is not contiguous
        if not len(self):
            return torch.full_like(ids, -1)
        rows = torch.searchsorted(self.ids, ids).clamp(max=len(self) - 1)
        return torch.where(self.ids[rows] == ids, rows, -1)

    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Scores and ids (M, min(k, n)) of the best keys, best first, on the CPU."""
        parts = [self._search(part, min(k, len(self))) for part in queries.split(_QUERIES)]
        scores, ids = map(torch.cat, zip(*parts, strict=True))
        return scores, ids

    def _search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        queries = queries.to(self._keys.device)
        best = queries.new_empty(len(queries), 0)
        rows = best.long()
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
        """Scores (M, n) of queries (M, dim) with keys (n, dim)."""
        if self.metric == "cosine":
            return queries @ keys.T
        of_queries, of_keys = (rows.square().sum(dim=1) / 2 for rows in (queries, keys))
        return torch.addmm(of_queries[:, None] + of_keys, queries, keys.T, beta=-1)

    def _reserve(self, rows: int) -> None:
        ids, keys = self.ids, self.keys
        self._ids, self._keys = ids.new_empty(rows), keys.new_empty(rows, self.dim)
        self._ids[: len(ids)], self._keys[: len(keys)] = ids, keys


@dataclass(frozen=True)
class Faiss:
    """Approximate search with FAISS (Douze et al. 2024, arXiv 2401.08281), in RAM, on the CPU.

    FAISS compares a query with a part of the keys, so it may miss a few neighbors. FAISS proposes
    items, and their scores are computed from the keys themselves. Where FAISS proposes too few
    items, the search is exact. Needs faiss-cpu.

    Args:
        kind: "ivf", as many inverted lists as the square root of the number of keys: FAISS searches
            the lists nearest to the query; "hnsw", a graph of neighbors (fast to search, slow to
            build; removed keys leave it when it is rebuilt); "lsh", locality-sensitive hashing: one
            bit for the side of each of 256 random planes.
        probes: number of lists to search ("ivf"): more lists find more and take longer.
        effort: number of candidates that the search follows ("hnsw"), the same trade-off.
        smallest: number of keys from which FAISS is used; with fewer, the search is exact.
    """

    kind: str = "ivf"
    probes: int = 16
    effort: int = 64
    smallest: int = 10_000

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("ivf", "hnsw", "lsh"))
        for name in ("probes", "effort", "smallest"):
            check_integer(name, getattr(self, name), minimum=1)
        require("faiss", "faiss-cpu")

    def table(self, dim: int, metric: str) -> KeyTable:
        return FaissTable(dim, metric, self)


Index = Exact | Faiss


class FaissTable(KeyTable):
    """Keys with a FAISS index, built at the first search and rebuilt when the keys have changed."""

    def __init__(self, dim: int, metric: str, options: Faiss):
        super().__init__(dim, metric, "cpu")
        self.options = options
        self._index: Any = None
        self._built = 0  # number of keys at the last build
        self._removed = np.empty(0, np.int64)  # ids that a graph still holds

    def add(self, ids: Tensor, keys: Tensor) -> None:
        super().add(ids, keys)
        if self._index is not None:
            self._index.add_with_ids(_float32(keys), ids.numpy())

    def remove(self, ids: Tensor) -> None:
        super().remove(ids)
        if self._index is not None and self.options.kind == "hnsw":
            self._removed = np.union1d(self._removed, ids.numpy())
        elif self._index is not None:
            self._index.remove_ids(ids.numpy())

    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        queries, k = queries.to(self._keys.device), min(k, len(self))
        if len(self) < self.options.smallest:
            return super().search(queries, k)
        if len(self) > 4 * self._built or 2 * len(self._removed) > self._built:
            self._build()
        rows = self.rows(torch.from_numpy(self._candidates(_float32(queries), k)))
        scores = score(queries, self.keys[rows.clamp(min=0)], self.metric)
        scores, places = scores.masked_fill(rows < 0, -torch.inf).topk(k)
        ids = self.ids[rows.gather(1, places)]
        few = scores[:, -1] == -torch.inf
        if few.any():
            scores[few], ids[few] = super().search(queries[few], k)
        return scores, ids

    def _candidates(self, queries: np.ndarray, k: int) -> np.ndarray:
        """Ids (M, k or more) that FAISS proposes, -1 where it finds fewer."""
        faiss, options, parameters = require("faiss", "faiss-cpu"), self.options, None
        if options.kind == "lsh":
            k = min(_CANDIDATES * k, len(self))
        elif options.kind == "ivf":
            parameters = faiss.SearchParametersIVF(nprobe=options.probes)
        else:
            parameters = faiss.SearchParametersHNSW(efSearch=max(options.effort, k))
            if len(self._removed):
                removed = faiss.IDSelectorBatch(self._removed)
                selector = faiss.IDSelectorNot(removed)
                parameters.sel = selector  # FAISS keeps no reference
        return self._index.search(queries, k, params=parameters)[1]

    def _build(self) -> None:
        faiss, options = require("faiss", "faiss-cpu"), self.options
        metric = faiss.METRIC_INNER_PRODUCT if self.metric == "cosine" else faiss.METRIC_L2
        keys = _float32(self.keys)
        if options.kind == "ivf":
            index = faiss.index_factory(self.dim, f"IVF{round(len(self) ** 0.5)},Flat", metric)
            index.cp.max_points_per_centroid = _SAMPLE
            index.cp.min_points_per_centroid = 1  # no warning on the screen
            index.train(keys)
        elif options.kind == "hnsw":
            index = faiss.IndexIDMap(faiss.IndexHNSWFlat(self.dim, _LINKS, metric))
        else:
            index = faiss.IndexIDMap(faiss.IndexLSH(self.dim, _BITS))
        index.add_with_ids(keys, self.ids.numpy())
        self._index, self._built, self._removed = index, len(self), np.empty(0, np.int64)


def _float32(rows: Tensor) -> np.ndarray:
    return np.ascontiguousarray(rows.detach().cpu().numpy(), np.float32)
