"""Contrastive losses with exact gradients, in memory that grows with the batch, not its square.

A batch of B pairs has B x B scores. The losses compute them a tile at a time, use each tile for the
loss and for the gradient, and drop it: memory O(B x tile), where the plain formula needs O(B^2).
The loss and the gradients of queries, keys and temperature are the same up to rounding.

Scores are ``queries @ keys.T / temperature``; normalize the embeddings first, as is usual.
With N queries and M keys, ln M - `info_nce_loss` is a lower bound on the mutual information in nats
one way, and (ln M + ln N) / 2 - `info_nce_loss` both ways: at most that of the logarithms.

Examples:
    >>> import torch
    >>> from simmim_lite.contrastive import info_nce_loss
    >>> embeddings = torch.eye(8)
    >>> round(info_nce_loss(embeddings, embeddings, 0.1).item(), 4)
    0.0003
    >>> same = torch.ones(8, 4)  # every key fits every query: log 8 nats
    >>> round(info_nce_loss(same, same, 0.1).item(), 4)
    2.0794
"""

import math
from collections.abc import Callable, Iterator
from functools import cache

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from simmim_lite._arguments import as_tensor, check_integer, check_number

_COLDEST = 0.01  # temperature
TILE = {"cpu": 256, "cuda": 2048}  # rows; a tile has 8 times as many columns, 2 MB on a CPU
KEPT = {"cpu": 1 << 24, "cuda": 1 << 28}  # most scores that are kept instead of computed twice
_SAFE_EXPONENT = 40.0  # sums of e^40 over millions of columns, and e^-40, are normal float32


class LearnedTemperature(nn.Module):
    """A positive temperature whose logarithm is learned, as in CLIP.

    Radford et al. (2021, arXiv 2103.00020), section 2.5, keep the temperature at 0.01 or above.
    Each call sets a lower parameter back to this minimum, where its gradient can raise the
    temperature again. (A clamp of the value alone has the gradient 0 below.) The ``initial``
    temperature is at least 0.01; ``learned=False`` keeps it.
    """

    def __init__(self, initial: float = 0.07, *, learned: bool = True):
        super().__init__()
        start = math.log(check_number("temperature", initial, minimum=_COLDEST))
        self.log_temperature = nn.Parameter(torch.tensor(start), requires_grad=learned)

    def forward(self) -> Tensor:
        """Return the temperature, a positive scalar."""
        with torch.no_grad():
            self.log_temperature.clamp_(min=math.log(_COLDEST))
        return self.log_temperature.exp()


def info_nce_loss(
    queries: Tensor,
    keys: Tensor,
    temperature: Tensor | float,
    *,
    symmetric: bool = True,
    tile: int | None = None,
) -> Tensor:
    """InfoNCE: cross-entropy of finding each query's positive, the key of its row, among all keys.

    van den Oord et al. (2018, arXiv 1807.03748); symmetric: Radford et al. (2021, arXiv 2103.00020)

    Args:
        queries: (N, dim).
        keys: (M, dim), M >= N; keys beyond N (a queue, a memory) are negatives of all queries.
        temperature: positive scalar; a tensor of one number may be learned.
        symmetric: take the mean with the other direction, in which the first N keys are queries.
        tile: number of queries whose scores are held at a time, with 8 times as many keys, or with
            all keys if the loss is one-way; None chooses.

    Returns:
        The loss in nats, a scalar; float32 for half precision, else of the embeddings' type.
    """
    queries, keys, scale = _check(queries, keys, temperature)
    return _Contrast.apply(queries, keys, scale, symmetric, False, tile)


def nt_xent_loss(
    first: Tensor, second: Tensor, temperature: Tensor | float, *, tile: int | None = None
) -> Tensor:
    """NT-Xent: cross-entropy of finding each view's positive among the 2N - 1 other views.

    Chen et al. (2020, arXiv 2002.05709), equation 1, without the normalization. ``first`` and
    ``second`` (N, dim) are views of the same N samples; the rest is as in `info_nce_loss`.
    """
    first, second, scale = _check(first, second, temperature, ("first", "second"))
    if first.shape != second.shape:
        got = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise ValueError(f"first, second: expected equal shapes, got {got}")
    views = torch.cat([first, second])
    return _Contrast.apply(views, views, scale, True, True, tile)


def _check(
    queries: Tensor,
    keys: Tensor,
    temperature: Tensor | float,
    names: tuple[str, str] = ("queries", "keys"),
) -> tuple[Tensor, ...]:
    """Embeddings of one type, at least float32, and 1 / temperature as a tensor."""
    for name, values in zip(names, (queries, keys), strict=True):
        if not isinstance(values, Tensor) or not values.is_floating_point():
            kind = values.dtype if isinstance(values, Tensor) else type(values).__name__
            raise TypeError(f"{name}: expected a floating point tensor, got {kind}")
        if values.ndim != 2 or 0 in values.shape:
            raise ValueError(f"{name}: expected shape (N, dim), got {tuple(values.shape)}")
        bad = ~values.detach().isfinite().all(dim=1)
        if bad.any():
            row = int(bad.nonzero()[0])
            raise ValueError(f"{name}: expected finite numbers, got others in row {row}")
    N, dim = queries.shape
    if len(keys) < N or keys.shape[1] != dim:
        expected, got = f"at least {N} rows of {dim} columns, as {names[0]}", tuple(keys.shape)
        raise ValueError(f"{names[1]}: expected {expected}, got {got}")
    dtype = torch.promote_types(torch.promote_types(queries.dtype, keys.dtype), torch.float32)
    temperature = as_tensor("temperature", temperature, dtype=dtype, device=queries.device)
    scale = 1 / temperature  # a larger one than this overflows in units of ln 2
    if scale.numel() != 1 or not 0 < scale.item() < torch.finfo(dtype).max * math.log(2):
        expected = f"one positive number whose inverse {dtype} holds"
        raise ValueError(f"temperature: expected {expected}, got {temperature.tolist()}")
    return queries.to(dtype).contiguous(), keys.to(dtype).contiguous(), scale.reshape(())


class _Contrast(torch.autograd.Function):
    """Mean cross-entropy of the rows of the scores; ``both``: of the rows, and of the columns.

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
            scores = _Scores(queries, keys, scale / math.log(2), tile, mirrored, small)
            N = len(queries)
            positives = queries.roll(N // 2, 0) if mirrored else keys[:N]
            positive_scores = scale * (queries * positives).sum(dim=1)
            wanted = any(ctx.needs_input_grad)
            gradients = _Gradients(queries, keys, positives, mirrored) if wanted else None
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


class _Scores:
    """The scores ``scale * queries @ keys.T``, tile by tile; the caller may change each tile.

    ``mirrored``: queries and keys are the same views, and no view is scored with itself. Tiles
    below the diagonal are left out, as those above it hold the same scores, transposed. ``small``:
    tiles of 2^score, which can neither overflow nor vanish.
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
            part = _product(queries, self.keys[columns])
            if columns in first:
                part.fill_diagonal_(torch.finfo(part.dtype).min)
            yield columns, part.exp2_() if self.small else part


class _Sums:
    """Sums of 2^score, as ``2^top * sums``, which neither overflow nor vanish."""

    def __init__(self, scores: _Scores, length: int):
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


class _Gradients:
    """Gradients, without the scale, of a function of scores minus the mean score of positives."""

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
        queries, of_queries = self.queries[rows], _product(slopes, self.keys[columns].T)
        if factor is not None:
            queries, of_queries = queries * factor, of_queries.mul_(factor)
        self.of_queries[rows] += of_queries
        if not (self.mirrored and rows == columns):
            self.of_keys[:, columns] += _product(queries.T.contiguous(), slopes.T)

    def result(self) -> tuple[Tensor, Tensor]:
        """Return the gradients of the queries (N, dim) and of the keys (M, dim)."""
        if not self.mirrored:
            return self.of_queries, self.of_keys.T.contiguous()
        self.of_queries += self.of_keys.T.contiguous()
        return self.of_queries, self.of_queries


def _one_way(scores: _Scores, positive_scores: Tensor, gradients: _Gradients | None) -> Tensor:
    N, value = len(positive_scores), positive_scores.new_zeros(())
    for rows in scores.rows:
        strip, sums = [], _Sums(scores, rows.stop - rows.start)
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


def _both_ways(scores: _Scores, positive_scores: Tensor, gradients: _Gradients | None) -> Tensor:
    N = len(positive_scores)
    row_sums = _Sums(scores, N)
    column_sums = row_sums if scores.mirrored else _Sums(scores, len(scores.keys))
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


def _product(a: Tensor, b: Tensor) -> Tensor:
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
        one = torch.ones(1, 1, dtype=torch.float32, device="cpu")
        linear(one, one, None, "none", [], "")
    except (AttributeError, RuntimeError):
        return None
    return linear
