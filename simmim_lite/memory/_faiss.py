"""Keys searched through FAISS: not all of them are looked at, so a few may be missed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simmim_lite._arguments import check_choice, check_integer
from simmim_lite.memory._index import KeyTable
from simmim_lite.memory._optional import require
from simmim_lite.memory._recall import score

KINDS = ("ivf", "hnsw", "lsh")
_SAMPLE = 64  # keys a list, to place the lists by
_HASHED = 16  # candidates for each item wanted that are looked at again, when hashing


@dataclass(frozen=True)
class Faiss:
    """Approximate search with FAISS (Douze et al. 2024, arXiv 2401.08281), in RAM, on the CPU.

    FAISS proposes items; their scores are then computed from the keys themselves. Below
    ``smallest`` keys, and where it finds fewer items than were wanted, the search is exact.

    Args:
        kind: "ivf", inverted lists: the lists nearest to the query are searched; "hnsw", a graph
            of neighbors (quick to search, slow to build; forgotten keys leave it only when it is
            built anew); "lsh", one bit for the side of each of many random planes.
        lists: of "ivf"; None is the root of the number of keys.
        probes: lists that are searched: more find more and take longer.
        links: of each key of "hnsw".
        effort: candidates that "hnsw" follows; the same trade.
        bits: of "lsh".
        smallest: number of keys.
    """

    kind: str = "ivf"
    lists: int | None = None
    probes: int = 16
    links: int = 16
    effort: int = 64
    bits: int = 256
    smallest: int = 10_000

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KINDS)
        for name in ("probes", "links", "effort", "bits", "smallest"):
            check_integer(name, getattr(self, name), minimum=1)
        if self.lists is not None:
            check_integer("lists", self.lists, minimum=1)
        require("faiss", "faiss-cpu")

    def table(self, dim: int, metric: str) -> KeyTable:
        return FaissTable(dim, metric, self)


class FaissTable(KeyTable):
    """Keys with a FAISS index beside them, built when it is first needed and when it has aged."""

    def __init__(self, dim: int, metric: str, options: Faiss):
        super().__init__(dim, metric)
        self.options = options
        self._index: Any = None
        self._built = 0  # keys when it was built
        self._dead = np.empty(0, np.int64)  # ids that a graph still holds

    def add(self, ids: Tensor, keys: Tensor) -> None:
        super().add(ids, keys)
        if self._index is not None:
            self._index.add_with_ids(_array(keys), ids.numpy())

    def remove(self, ids: Tensor) -> None:
        super().remove(ids)
        if self._index is None:
            return
        if self.options.kind == "hnsw":
            self._dead = np.union1d(self._dead, ids.numpy())
        else:
            self._index.remove_ids(ids.numpy())

    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        k = min(k, len(self))
        if len(self) < self.options.smallest:
            return super().search(queries, k)
        if len(self) > 4 * self._built or 2 * len(self._dead) > self._built:
            self._build()
        rows = self.rows(torch.from_numpy(self._candidates(_array(queries), k)))
        scores = score(queries, self.keys[rows.clamp(min=0)], self.metric)
        scores, places = scores.masked_fill(rows < 0, -torch.inf).topk(k)
        ids = self.ids[rows.gather(1, places)]
        few = scores[:, -1] == -torch.inf
        if few.any():
            scores[few], ids[few] = super().search(queries[few], k)
        return scores, ids

    def _candidates(self, queries: np.ndarray, k: int) -> np.ndarray:
        """Ids (M, k or more), -1 where there are fewer."""
        faiss, options = require("faiss", "faiss-cpu"), self.options
        if options.kind == "lsh":
            return self._index.search(queries, min(_HASHED * k, len(self)))[1]
        if options.kind == "ivf":
            return self._index.search(
                queries, k, params=faiss.SearchParametersIVF(nprobe=options.probes)
            )[1]
        parameters = faiss.SearchParametersHNSW(efSearch=max(options.effort, k))
        if len(self._dead):
            dead = faiss.IDSelectorBatch(self._dead)
            alive = faiss.IDSelectorNot(dead)
            parameters.sel = alive
        return self._index.search(queries, k, params=parameters)[1]

    def _build(self) -> None:
        faiss, options = require("faiss", "faiss-cpu"), self.options
        metric = faiss.METRIC_INNER_PRODUCT if self.metric == "cosine" else faiss.METRIC_L2
        keys = _array(self.keys)
        if options.kind == "ivf":
            lists = options.lists or round(len(self) ** 0.5)
            flat = faiss.IndexFlat(self.dim, metric)
            index = faiss.IndexIVFFlat(flat, self.dim, lists, metric)
            index.cp.max_points_per_centroid = _SAMPLE
            index.cp.min_points_per_centroid = 1  # no warning on the screen
            index.train(keys)
            self._quantizer = flat  # FAISS doesn't hold on to it
        elif options.kind == "hnsw":
            index = faiss.IndexIDMap(faiss.IndexHNSWFlat(self.dim, options.links, metric))
        else:
            index = faiss.IndexIDMap(faiss.IndexLSH(self.dim, options.bits))
        index.add_with_ids(keys, self.ids.numpy())
        self._index, self._built, self._dead = index, len(self), np.empty(0, np.int64)


def _array(rows: Tensor) -> np.ndarray:
    return np.ascontiguousarray(rows.detach().cpu().numpy(), np.float32)
