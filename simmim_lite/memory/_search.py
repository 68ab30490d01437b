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
from simmim_lite._torch_state import ordinary_torch

_SCORES = 1 << 22  # scores in one block: 16 MB
_QUERIES = 256  # queries in one block
_NUMBERS = 1 << 19  # numbers of gathered keys in one block: 4 MB
_SPARE = 4  # keys beyond k that are compared precisely
_WIDER = 64  # times as many, where these do not suffice
_UNIT = 2.0**-24  # largest relative error of a rounding to float32
_SAMPLE = 64  # keys for each inverted list that FAISS trains the lists with
_CANDIDATES = 16  # candidates for each wanted item, when FAISS hashes
_LINKS = 16  # links of each key in a graph
_BITS = 256  # random planes of a hash


def score(queries: Tensor, keys: Tensor, metric: str) -> Tensor:
    """Scores (M, k) of queries (M, dim), each with its own keys (M, k, dim), differentiable."""
    if metric == "cosine":
        return torch.einsum("md,mkd->mk", queries, keys)
    return -(queries[:, None] - keys).square().sum(dim=2) / 2


def closeness(queries: Tensor, keys: Tensor, metric: str) -> Tensor:
    """Scores as in `score`, of the cosine minus 1, from differences in float64, (M, k).

    Equal vectors have closeness 0, all others less, and copies of a key the same. Vectors are of
    length one for the cosine; that of a vector of zeros is 0.
    """
    queries, keys = _double(queries)[:, None], _double(keys)
    close = (queries - keys).square().sum(dim=2) / -2  # of unit vectors, cos - 1 is the same
    if metric == "euclidean":
        return close
    return torch.where((queries == 0).all(dim=2) | (keys == 0).all(dim=2), -1.0, close)


def best(close: Tensor, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best of candidates (M, n), best first; ``rows`` rise, of equal keys the first wins."""
    close, places = close.sort(dim=1, descending=True, stable=True)
    return close[:, :k], rows.gather(1, places[:, :k])


def as_scores(close: Tensor, metric: str) -> Tensor:
    """Scores for users, float32 on the CPU, from `closeness`."""
    return ((close + 1).clamp(min=-1) if metric == "cosine" else close).float().cpu()


def _double(rows: Tensor) -> Tensor:
    return (rows.cpu() if rows.device.type == "mps" else rows).double()


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

    A score is the cosine, or minus half the squared distance ("euclidean"); of equal scores, that
    of the lower id is better. A product of matrices in float32 gives an upper bound of every score.
    The keys with the best bounds are compared by `closeness`, and more keys, where the bounds do
    not exclude all others. Keys are kept as they are given, and in float32 for the product.
    """

    def __init__(self, dim: int, metric: str, device: str):
        self.dim, self.metric = dim, metric
        self._error = (2 * dim + 32) * _UNIT  # of a product in float32, relative
        with torch.inference_mode(False):  # else only a caller in this mode could add keys
            new = torch.empty(0, dtype=torch.float32, device=device)
            # with room to grow: ids, keys, the part of the bounds that depends on the key alone
            self._columns = [new.long(), new.new_empty(0, dim), new]
            self._center = new.new_zeros(dim)
        self._ratio = self._spread = 1.0  # typical |key| / |key - center|, and |key - center|
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def ids(self) -> Tensor:
        return self._columns[0][: self._length]

    @property
    def keys(self) -> Tensor:
        """All keys, rounded to float32."""
        return self._columns[1][: self._length]

    def at(self, rows: Tensor | slice) -> Tensor:
        """Keys in these rows, float32, or float64 once the table has been given float64."""
        column = self._columns[1 if len(self._columns) == 3 else 3]
        return column[: self._length][rows]

    @ordinary_torch()
    def add(self, ids: Tensor, keys: Tensor) -> None:
        """Append keys (m, dim) whose ids (m,) are above all others."""
        wide = keys.dtype == torch.float64 and self.keys.device.type != "mps"  # has no float64
        if wide and len(self._columns) == 3:
            self._columns.append(self._columns[1].double())
        end, rounded = self._length + len(ids), keys.float()
        if grown := end > len(self._columns[0]):  # doubled: N writes of a key copy O(N) keys
            self._reserve(max(end, 2 * self._length))
        new: list[Any] = [ids, rounded, 0.0, keys]
        for column, rows in zip(self._columns, new, strict=False):
            column[self._length : end] = rows
        self._length = end
        self._prepare(0 if grown else end - len(ids), choose_center=grown)

    def remove(self, ids: Tensor) -> None:
        """Remove the keys with these ids; the other keys keep their order."""
        keep = ~torch.isin(self.ids, ids.to(self.ids.device))
        kept = int(keep.sum())
        for column in self._columns:
            column[:kept] = column[: self._length][keep]
        self._length = kept
        if 4 * kept < len(self._columns[0]):
            self._reserve(2 * kept)

    def rows(self, ids: Tensor) -> Tensor:
        """Row of each id, in the shape of ``ids``; -1 for an id that is not in the table."""
        ids = ids.to(self.ids.device).contiguous()  # a column of a matrix is not contiguous
        if not len(self):
            return torch.full_like(ids, -1)
        rows = torch.searchsorted(self.ids, ids).clamp(max=len(self) - 1)
        return torch.where(self.ids[rows] == ids, rows, -1)

    @ordinary_torch()
    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Scores and ids (M, min(k, n)) of the best keys, best first, on the CPU."""
        queries = queries.detach().to(self.keys.device)
        close, rows = self._search(queries, min(k, len(self)))
        return as_scores(close, self.metric), self.ids[rows].cpu()

    def _search(self, queries: Tensor, k: int, spare: int = _SPARE) -> tuple[Tensor, Tensor]:
        """Closeness and rows (M, k) of the best keys, from k + spare keys or, if needed, more."""
        wanted = min(k + spare, len(self))
        parts = queries.split(max(1, min(_QUERIES, _NUMBERS // wanted)))
        if len(parts) > 1:
            found = [KeyTable._search(self, part, k, spare) for part in parts]
            close, rows = map(torch.cat, zip(*found, strict=True))
            return close, rows
        moved, constant = self._move(queries)
        bounds = moved.new_empty(len(queries), 0)
        rows = bounds.long()
        step = max(_SCORES // max(len(queries), 1), wanted)
        for start in range(0, len(self), step):
            part = self._bounds(moved, slice(start, start + step))
            top = part.topk(min(wanted, part.shape[1]))
            bounds = torch.cat([bounds, top.values], dim=1)
            rows = torch.cat([rows, top.indices + start], dim=1)
            if start:
                bounds, places = bounds.topk(wanted)
                rows = rows.gather(1, places)
        rows = rows.sort(dim=1).values
        close, rows = best(self._closeness(queries, rows), rows, k)
        if wanted < len(self):
            unsure = _double(bounds[:, -1]) + constant >= close[:, -1]
            if unsure.any():
                wider = KeyTable._search(self, queries[unsure], k, _WIDER * spare)
                close[unsure], rows[unsure] = wider
        return close, rows

    def _closeness(self, queries: Tensor, rows: Tensor) -> Tensor:
        """Closeness (M, n) of queries (M, dim), each with the keys in its own rows (M, n)."""
        step = max(1, _NUMBERS // (self.dim * max(1, len(queries))))
        parts = [closeness(queries, self.at(part), self.metric) for part in rows.split(step, dim=1)]
        return torch.cat(parts, dim=1).to(rows.device)

    # With q and k measured from the center c: -|q - k|^2 / 2 = q (k + c) - |k|^2 / 2 - q c -
    # |q|^2 / 2. The first two terms are computed in float32, the others are constants of a query.
    # An error of float32 is at most e |q| |k + c| <= e (r |q|^2 + |k + c|^2 / r) / 2 with any r.
    # The cosine minus 1 of unit vectors is -|q - k|^2 / 2, too.

    def _move(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Queries from the center, in float32, and the constants (M,) of their bounds."""
        center = _double(self._center)
        moved = _double(queries) - center
        constant = -moved @ center - (1 - self._error * self._ratio) * moved.square().sum(1) / 2
        return moved.float().to(queries.device), constant.to(queries.device) + 1e-35

    def _bounds(self, moved: Tensor, rows: slice) -> Tensor:
        """Upper bounds of the closeness (M, n) of the keys in these rows, minus the constants."""
        keys, own = self.keys[rows], self._columns[2][: self._length][rows]
        if torch.get_float32_matmul_precision() != "highest":
            moved, keys, own = map(_double, (moved, keys, own))
        return torch.addmm(own, moved, keys.T).float().to(self.keys.device)

    def _prepare(self, first: int, *, choose_center: bool) -> None:
        """Compute the bounds' own parts of the keys from row ``first`` on."""
        if choose_center and len(self):
            some = self.keys[:: 1 + len(self) // 1024]
            self._center = some.median(dim=0).values
            self._spread = float(_double(some - self._center).norm(dim=1).median())
            typical = float(_double(some).norm(dim=1).median())
            self._ratio = min(max(1.0, typical / (self._spread or 1e-30)), 1e6)
        for start in range(first, len(self), _QUERIES * 64):
            rows = slice(start, min(start + _QUERIES * 64, len(self)))
            keys = self.keys[rows]
            half, whole = ((x.square().sum(dim=1) / 2) for x in (keys - self._center, keys))
            slack = self._error * (self._ratio * half + whole / self._ratio)
            self._columns[2][rows] = slack - half

    def _reserve(self, rows: int) -> None:
        with torch.inference_mode(False):
            new = [column.new_empty(rows, *column.shape[1:]) for column in self._columns]
        for column, old in zip(new, self._columns, strict=True):
            column[: self._length] = old[: self._length]
        self._columns = new


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
        self._origin = self._center, 1.0  # FAISS has keys measured from here, in this unit

    def add(self, ids: Tensor, keys: Tensor) -> None:
        super().add(ids, keys)
        if self._index is not None:
            self._index.add_with_ids(self._float32(keys), ids.numpy())

    def remove(self, ids: Tensor) -> None:
        super().remove(ids)
        if self._index is not None and self.options.kind == "hnsw":
            self._removed = np.union1d(self._removed, ids.numpy())
        elif self._index is not None:
            self._index.remove_ids(ids.numpy())

    def _search(self, queries: Tensor, k: int, spare: int = _SPARE) -> tuple[Tensor, Tensor]:
        if len(self) < self.options.smallest:
            return super()._search(queries, k, spare)
        if len(self) > 4 * self._built or 2 * len(self._removed) > self._built:
            self._build()
        candidates = self._candidates(self._float32(queries), k)
        rows = self.rows(torch.from_numpy(candidates)).sort(dim=1).values
        close = self._closeness(queries, rows.clamp(min=0)).masked_fill(rows < 0, -torch.inf)
        close, rows = best(close, rows, k)
        few = close[:, -1] == -torch.inf
        if few.any():
            close[few], rows[few] = super()._search(queries[few], k, spare)
        return close, rows

    def _candidates(self, queries: np.ndarray, k: int) -> np.ndarray:
        """Ids (M, k or more) that FAISS proposes, -1 where it finds fewer."""
        faiss, options, parameters = require("faiss", "faiss-cpu"), self.options, None
        k = min(_CANDIDATES * k if options.kind == "lsh" else k + _SPARE, len(self))
        if options.kind == "ivf":
            parameters = faiss.SearchParametersIVF(nprobe=options.probes)
        elif options.kind == "hnsw":
            parameters = faiss.SearchParametersHNSW(efSearch=max(options.effort, k))
            if len(self._removed):
                removed = faiss.IDSelectorBatch(self._removed)
                selector = faiss.IDSelectorNot(removed)
                parameters.sel = selector  # FAISS keeps no reference
        return self._index.search(queries, k, params=parameters)[1]

    def _build(self) -> None:
        faiss, options = require("faiss", "faiss-cpu"), self.options
        self._origin = self._center, self._spread or 1.0
        keys = self._float32(self.at(slice(None)))
        if options.kind == "ivf":
            index = faiss.index_factory(self.dim, f"IVF{round(len(self) ** 0.5)},Flat")
            index.cp.max_points_per_centroid = _SAMPLE
            index.cp.min_points_per_centroid = 1  # no warning on the screen
            index.train(keys)
        elif options.kind == "hnsw":
            index = faiss.IndexIDMap(faiss.IndexHNSWFlat(self.dim, _LINKS))
        else:
            index = faiss.IndexIDMap(faiss.IndexLSH(self.dim, _BITS))
        index.add_with_ids(keys, self.ids.numpy())
        self._index, self._built, self._removed = index, len(self), np.empty(0, np.int64)

    def _float32(self, rows: Tensor) -> np.ndarray:
        rows = (rows - self._origin[0]) / self._origin[1]
        return np.ascontiguousarray(rows.clamp(-1e15, 1e15).numpy(), np.float32)
