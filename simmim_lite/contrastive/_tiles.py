"""Sums over all scores and their gradients, computed tile by tile of the score matrix."""

import math
from collections.abc import Callable, Iterator
from functools import cache

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from simmim_lite._arguments import check_integer

TILE = {"cpu": 256, "cuda": 2048}  # rows; a tile has 8 times as many columns, 2 MB on a CPU
KEPT = {"cpu": 1 << 24, "cuda": 1 << 28}  # most scores that are kept instead of computed twice
_SAFE_EXPONENT = 40.0  # sums of e^40 over millions of columns, and e^-40, are normal float32


class Contrast(torch.autograd.Function):
    """Mean cross-entropy of the rows of the scores; ``both``: of the rows, and of the columns.

    ``mirrored``: queries and keys are the same views; see `Scores`.

    The forward pass forms the gradient while the scores exist. One way then costs three matrix
    products, as in the plain formula. Both ways cost four in a large batch: the sums of the columns
    are complete only at the end, and the scores are then computed a second time.
    """

    @staticmethod
    def forward(ctx, queries, keys, scale, both, mirrored, tile):
        with torch.autocast(queries.device.type, enabled=False):
            largest = scale * queries.norm(dim=1).max() * keys.norm(dim=1).max()
            small = bool(largest <= _SAFE_EXPONENT)  # a bound on the scores, by Cauchy and Schwarz
            # In units of ln 2: torch's exp2 is up to four times as fast as its exp.
            scores = Scores(queries, keys, scale / math.log(2), tile, mirrored, small)
            N = len(queries)
            positives = queries.roll(N // 2, 0) if mirrored else keys[:N]
            positive_scores = scale * (queries * positives).sum(dim=1)
            wanted = any(ctx.needs_input_grad)
            gradients = Gradients(queries, keys, positives, mirrored) if wanted else None
            value = (_both_ways if both else _one_way)(scores, positive_scores, gradients)
            if gradients:
                of_queries, of_keys = gradients.result()
                # The derivative by the scale is the sum of slopes times q k^T: this product.
                ctx.save_for_backward(scale, of_queries, of_keys, (of_queries * queries).sum())
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        scale, of_queries, of_keys, by_scale = ctx.saved_tensors
        factor = scale * upstream
        return of_queries * factor, of_keys * factor, by_scale * upstream, None, None, None


class Scores:
    """The scores ``scale * queries @ keys.T``, tile by tile; the caller may change each tile.

    ``mirrored``: queries and keys are the same views, and no view is scored with itself. Tiles
    below the diagonal are left out, as those above it hold the same scores, transposed; the square
    tiles on the diagonal are complete. ``small``: tiles of 2^score, which can neither overflow nor
    vanish.
    """

    def __init__(self, queries, keys, scale, tile: int | None, mirrored: bool, small: bool):
        self.queries, self.keys, self.scale = queries, keys, scale
        self.mirrored, self.small = mirrored, small
        device = queries.device.type if queries.device.type in TILE else "cpu"
        self.height = TILE[device] if tile is None else check_integer("tile", tile, minimum=1)
        self.width = 8 * self.height
        kept = max(self.height * self.width, KEPT[device] if tile is None else tile * len(keys))
        self.few = len(queries) * len(keys) <= kept
        if len(queries) * len(keys) <= self.height * self.width:
            self.height, self.width = len(queries), len(keys)
        self.rows = _slices(0, len(queries), self.height)

    def __iter__(self) -> Iterator[tuple[slice, slice, Tensor]]:
        """Yield rows, columns and scores of each tile."""
        return ((rows, *tile) for rows in self.rows for tile in self.strip(rows))

    def strip(self, rows: slice) -> Iterator[tuple[slice, Tensor]]:
        """Yield columns and scores of each tile of these rows."""
        queries = self.queries[rows] * self.scale
        first, start = ([rows], rows.stop) if self.mirrored else ([], 0)
        for columns in first + _slices(start, len(self.keys), self.width):
            part = product(queries, self.keys[columns])
            if columns in first:
                part.fill_diagonal_(torch.finfo(part.dtype).min)
            yield columns, part.exp2_() if self.small else part


class Sums:
    """Sums of 2^score, as ``2^top * sums``, which neither overflow nor vanish."""

    def __init__(self, scores: Scores, length: int):
        self.small = scores.small
        self.sums = scores.queries.new_zeros(length)
        self.top = scores.queries.new_full((length,), 0 if self.small else -torch.inf)

    def add(self, where: slice, part: Tensor, dim: int) -> None:
        """Add the sums of a tile along ``dim``."""
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
    """Gradients by queries and keys, without the scale, of a function of the scores.

    The first term of the function is minus the mean score of the ``positives``.
    """

    def __init__(self, queries: Tensor, keys: Tensor, positives: Tensor, mirrored: bool):
        self.queries, self.keys, self.mirrored = queries, keys, mirrored
        self.of_queries = torch.zeros_like(queries)
        # Transposed, because a product is fastest if its result is wide.
        self.of_keys = keys.new_zeros(keys.T.shape)
        N = len(queries)
        self.of_queries.sub_(positives, alpha=1 / N)
        if not mirrored:
            self.of_keys[:, :N].sub_(queries.T, alpha=1 / N)

    def add(self, rows, columns, slopes: Tensor, factor: Tensor | None = None) -> None:
        """Add a tile: derivatives ``slopes`` by its scores, times ``factor`` (rows, 1)."""
        queries, of_queries = self.queries[rows], product(slopes, self.keys[columns].T)
        if factor is not None:
            queries, of_queries = queries * factor, of_queries.mul_(factor)
        self.of_queries[rows] += of_queries
        if not (self.mirrored and rows == columns):
            self.of_keys[:, columns] += product(queries.T.contiguous(), slopes.T)

    def result(self) -> tuple[Tensor, Tensor]:
        """Return the gradients of the queries (N, dim) and of the keys (M, dim)."""
        if not self.mirrored:
            return self.of_queries, self.of_keys.T.contiguous()
        self.of_queries += self.of_keys.T.contiguous()
        return self.of_queries, self.of_queries


def _one_way(scores: Scores, positive_scores: Tensor, gradients: Gradients | None) -> Tensor:
    N, value = len(positive_scores), positive_scores.new_zeros(())
    for rows in scores.rows:
        strip, sums = [], Sums(scores, rows.stop - rows.start)
        for columns, part in scores.strip(rows):
            sums.add(slice(None), part, dim=1)
            strip.append((columns, part))
        value += (sums.log() - positive_scores[rows]).sum()
        if gradients:
            for columns, part in strip:
                if not scores.small:
                    part.sub_(sums.top[:, None]).exp2_()
                gradients.add(rows, columns, part, 1 / (N * sums.sums[:, None]))
    return value / N


def _both_ways(scores: Scores, positive_scores: Tensor, gradients: Gradients | None) -> Tensor:
    N = len(positive_scores)
    row_sums = Sums(scores, N)
    column_sums = row_sums if scores.mirrored else Sums(scores, len(scores.keys))
    tiles = list(scores) if scores.few else scores  # else both loops compute the scores
    for rows, columns, part in tiles:
        row_sums.add(rows, part, dim=1)
        if not (scores.mirrored and rows == columns):
            column_sums.add(columns, part, dim=0)
    by_rows, by_columns = row_sums.log(), column_sums.log()[:N]
    value = ((by_rows - positive_scores).mean() + (by_columns - positive_scores).mean()) / 2
    if not gradients:
        return value
    row_factors, column_factors = (1 / (2 * N * sums.sums) for sums in (row_sums, column_sums))
    column_factors[N:] = 0
    buffer = scores.queries.new_empty(scores.height, scores.width)
    for rows, columns, part in tiles:
        if scores.small:
            out = buffer[: len(part), : part.shape[1]]
            part.mul_(torch.add(row_factors[rows, None], column_factors[columns], out=out))
        else:
            other = (part - column_sums.top[columns]).exp2_().mul_(column_factors[columns])
            part.sub_(row_sums.top[rows, None]).exp2_().mul_(row_factors[rows, None]).add_(other)
        gradients.add(rows, columns, part)
    return value


def _slices(start: int, stop: int, size: int) -> list[slice]:
    return [slice(i, min(i + size, stop)) for i in range(start, stop, size)]


def product(a: Tensor, b: Tensor) -> Tensor:
    """Return ``a @ b.T`` as a new tensor.

    On a CPU `torch.mm` calls MKL, which leaves half of an AMD processor idle (100 against 250
    Gflop/s on one core of 2024); oneDNN does not.
    """
    on_cpu = a.device.type == "cpu" and a.dtype == torch.float32 and torch.backends.mkldnn.enabled
    linear = _onednn_linear() if on_cpu else None
    return a @ b.T if linear is None else linear(a, b, None, "none", [], "")


@cache
def _onednn_linear() -> Callable[..., Tensor] | None:
    """The function behind `torch.compile` of a linear layer. Not public, so it is tried first."""
    try:
        linear = torch.ops.mkldnn._linear_pointwise
        linear(torch.ones(1, 1), torch.ones(1, 1), None, "none", [], "")
    except (AttributeError, RuntimeError):
        return None
    return linear
