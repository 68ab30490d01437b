"""Tiles of the matrix of scores, and what is gathered from them: sums, and gradients."""

import math
from collections.abc import Callable, Iterator
from functools import cache

import torch
from torch import Tensor

from simmim_lite._arguments import check_integer

TILE = {"cpu": 256, "cuda": 2048}  # rows; a tile has 8 times as many columns, 2 MB on a CPU
KEPT = {"cpu": 1 << 24, "cuda": 1 << 28}  # so few scores are kept where they are needed twice


class Scores:
    """The scores ``scale * queries @ keys.T``, a tile after the other, each the caller's to change.

    ``mirrored``: queries are the keys, and none is scored with itself. Then what is below the
    diagonal is left out, but for the square tile on it: it is what is above, transposed. ``small``:
    2^score is given, which can neither overflow nor vanish.
    """

    def __init__(self, queries, keys, scale, tile, mirrored=False, small=False):
        self.queries, self.keys, self.scale = queries, keys, scale
        self.mirrored, self.small = mirrored, small
        device = queries.device.type if queries.device.type in TILE else "cpu"
        if tile is None:
            tile, self.kept = TILE[device], KEPT[device]
        else:
            check_integer("tile", tile, minimum=1)
            self.kept = tile * len(keys)
        self.height, self.width = tile, 8 * tile
        if len(queries) * len(keys) <= self.height * self.width:
            self.height, self.width = len(queries), len(keys)

    def __iter__(self) -> Iterator[tuple[slice, slice, Tensor]]:
        """Rows, columns, and their scores."""
        return ((rows, *tile) for rows in self.rows() for tile in self.strip(rows))

    def on_diagonal(self, rows: slice, columns: slice) -> bool:
        """Whether the tile is its own mirror image."""
        return self.mirrored and rows == columns

    def rows(self) -> Iterator[slice]:
        return _slices(0, len(self.queries), self.height)

    def strip(self, rows: slice) -> Iterator[tuple[slice, Tensor]]:
        """Columns, and their scores."""
        queries = self.queries[rows] * self.scale
        first = [rows] if self.mirrored else []
        others = _slices(rows.stop if self.mirrored else 0, len(self.keys), self.width)
        for columns in (*first, *others):
            part = product(queries, self.keys[columns])
            if self.on_diagonal(rows, columns):
                part.fill_diagonal_(torch.finfo(part.dtype).min)
            yield columns, part.exp2_() if self.small else part


class Sums:
    """Sums of 2^score, ``2^top * sums``, that neither overflow nor vanish."""

    def __init__(self, scores: Scores, length: int):
        self.small = scores.small
        self.sums = scores.queries.new_zeros(length)
        self.top = scores.queries.new_full((length,), 0 if self.small else -torch.inf)

    def add(self, where: slice, part: Tensor, dim: int) -> None:
        """``part``: a tile of the scores, to be summed along ``dim``."""
        if self.small:
            self.sums[where] += part.sum(dim)
            return
        top = torch.maximum(self.top[where], part.amax(dim))
        self.sums[where] *= (self.top[where] - top).exp2()
        self.sums[where] += (part - top.unsqueeze(dim)).exp2_().sum(dim)
        self.top[where] = top

    def log(self) -> Tensor:
        return self.sums.log() + self.top * math.log(2)


class Gradients:
    """Of a sum of functions of the scores with respect to queries and keys, but for the scale.

    ``mirrored``: a tile is there for its mirror image, too.
    """

    def __init__(self, queries, keys, mirrored=False):
        self.queries, self.keys, self.mirrored = queries, keys, mirrored
        self.of_queries = torch.zeros_like(queries)
        # Transposed, because a product is fastest where its result is wide.
        self.of_keys = keys.new_zeros(keys.T.shape)

    def add(self, rows, columns, slopes, factor=None):
        """``slopes`` (rows, columns) by score, to be multiplied by ``factor`` (rows, 1)."""
        queries, of_queries = self.queries[rows], product(slopes, self.keys[columns].T)
        if factor is not None:
            queries, of_queries = queries * factor, of_queries.mul_(factor)
        self.of_queries[rows] += of_queries
        if not (self.mirrored and rows == columns):
            self.of_keys[:, columns] += product(queries.T.contiguous(), slopes.T)

    def subtract_mean(self, partners):
        """The mean score of the queries with ``partners``, the first keys or the other views."""
        N = len(partners)
        self.of_queries.sub_(partners, alpha=1 / N)
        if not self.mirrored:
            self.of_keys[:, :N].sub_(self.queries.T, alpha=1 / N)

    def result(self) -> tuple[Tensor, Tensor]:
        """Of queries (N, dim) and of keys (M, dim)."""
        if not self.mirrored:
            return self.of_queries, self.of_keys.T.contiguous()
        self.of_queries += self.of_keys.T.contiguous()
        return self.of_queries, self.of_queries


def _slices(start: int, stop: int, size: int) -> Iterator[slice]:
    return (slice(i, min(i + size, stop)) for i in range(start, stop, size))


def product(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b.T``, a new tensor.

    Behind `torch.mm` on a CPU is MKL, which leaves half of an AMD processor idle (100 against 250
    Gflop/s on one core of 2024); oneDNN does not.
    """
    on_cpu = a.device.type == "cpu" and a.dtype == torch.float32 and torch.backends.mkldnn.enabled
    linear = _onednn_linear() if on_cpu else None
    return a @ b.T if linear is None else linear(a, b, None, "none", [], "")


@cache
def _onednn_linear() -> Callable[..., Tensor] | None:
    """What `torch.compile` calls for a linear layer. It is not public, and so it is tried first."""
    try:
        linear = torch.ops.mkldnn._linear_pointwise
        linear(torch.ones(1, 1), torch.ones(1, 1), None, "none", [], "")
    except (AttributeError, RuntimeError):
        return None
    return linear
