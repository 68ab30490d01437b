"""Contrastive losses with exact gradients in memory that grows with the batch, not with its square.

A batch of B pairs has B x B scores. They are computed a tile of rows at a time, used for the loss
and for the gradient, and forgotten: memory O(B x tile) where the plain formula needs O(B^2). The
result is the same, gradients of queries, keys and temperature included, up to rounding.

Scores are ``queries @ keys.T / temperature``; normalize the embeddings first, as is usual. The
bound on the mutual information that a batch shows is ``log(len(keys)) - info_nce_loss(...)`` nats
(one-way, or the mean of both ways): 0 while nothing is learned, at most ``log(len(keys))``.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import logsigmoid

from simmim_lite._arguments import check_integer

# Bytes of one tile of scores: on a CPU it should stay in the cache, on a GPU fill the processor.
_TILE_BYTES = {"cpu": 1 << 22, "cuda": 1 << 28}
_SAFE_EXPONENT = 40.0  # sums of e^40 over millions of columns, and e^-40, are normal float32


def info_nce_loss(
    queries: Tensor,
    keys: Tensor,
    temperature: Tensor | float,
    *,
    symmetric: bool = True,
    groups: Tensor | None = None,
    tile: int | None = None,
) -> Tensor:
    """InfoNCE: tell each query's partner, the key of the same row, from all other keys.

    van den Oord et al. (2018, arXiv 1807.03748); symmetric as in Radford et al. (2021, arXiv
    2103.00020); several positives as in Khosla et al. (2020, arXiv 2004.11362).

    Args:
        queries: (N, dim).
        keys: (M, dim), M >= N; keys beyond N (a queue, a memory) are negatives for all queries.
        temperature: positive scalar; a tensor of one number may be learned.
        symmetric: take the mean with the other way round, where the first N keys look for their
            query.
        groups: (M,) whole numbers, the group of each key; query i is in the group of key i. All
            keys of its group are partners of a query, and the loss is the mean over them: for
            pairs that share just a class, whose other members are no negatives.
        tile: rows of scores held at a time; None chooses.

    Returns:
        The loss in nats, a scalar; float32 for half precision, else of the embeddings' type.

    Raises:
        TypeError, ValueError: shapes that do not fit, a NaN or infinite row, a temperature that is
            not positive.
    """
    queries, keys, scale = _check(queries, keys, temperature)
    N = len(queries)
    spread = _MeanLogSumExp.apply(queries, keys, scale, symmetric, False, tile)
    if groups is None:
        return spread - scale * (queries * keys[:N]).sum(dim=1).mean()
    groups = _check_groups(groups, len(keys))
    partners = (queries * _group_means(keys, groups)[:N]).sum(dim=1).mean()
    if symmetric:
        back = (keys[:N] * _group_means(queries, groups[:N])).sum(dim=1).mean()
        partners = (partners + back) / 2
    return spread - scale * partners


def nt_xent_loss(
    first: Tensor, second: Tensor, temperature: Tensor | float, *, tile: int | None = None
) -> Tensor:
    """NT-Xent: each of the 2N views looks for the other view of its sample among the 2N - 1 others.

    Chen et al. (2020, arXiv 2002.05709), equation 1, without the normalization.

    Args:
        first, second: (N, dim), two views of the same N samples.
        temperature, tile: as in `info_nce_loss`.
    """
    first, second, scale = _check(first, second, temperature)
    if first.shape != second.shape:
        got = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise ValueError(f"first, second: expected equal shapes, got {got}")
    views = torch.cat([first, second])
    spread = _MeanLogSumExp.apply(views, views, scale, False, True, tile)
    return spread - scale * (first * second).sum(dim=1).mean()


def sigmoid_loss(
    queries: Tensor,
    keys: Tensor,
    temperature: Tensor | float,
    bias: Tensor | float,
    *,
    tile: int | None = None,
) -> Tensor:
    """Pairwise sigmoid loss: is this a pair or not, for each query and each key on its own.

    Zhai et al. (2023, arXiv 2303.15343): the sum over all pairs divided by N. No softmax and so no
    log K ceiling, but no bound on mutual information of that form either.

    Args:
        queries, keys, temperature, tile: as in `info_nce_loss`.
        bias: added to every score, a scalar; a tensor may be learned.
    """
    queries, keys, scale = _check(queries, keys, temperature)
    N = len(queries)
    bias = torch.as_tensor(bias, dtype=queries.dtype, device=queries.device)
    total = _SumSoftplus.apply(queries, keys, scale, bias, tile)
    # A pair counts softplus(-score) where the sum has softplus(score); they differ by the score.
    return total / N - (scale * (queries * keys[:N]).sum(dim=1) + bias).mean()


class _MeanLogSumExp(torch.autograd.Function):
    """Mean log-sum-exp over the rows of the scores; ``symmetric``: and over the first N columns.

    The gradient is formed while the scores are there, so that one way costs three products of
    matrices, as the plain formula does. Both ways cost four: the sums of the columns are known
    last, and the scores are then computed a second time.
    """

    @staticmethod
    def forward(ctx, queries, keys, scale, symmetric, without_self, tile):
        with torch.autocast(queries.device.type, enabled=False):
            scores = _Scores(queries, keys, scale, without_self, tile)
            wanted = any(ctx.needs_input_grad[:3])
            value, grads = (_both_ways if symmetric else _one_way)(scores, wanted)
        _keep(ctx, queries, scale, grads)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        return *_gradients(ctx, upstream), None, None, None


class _SumSoftplus(torch.autograd.Function):
    """Sum of softplus(score + bias) over all queries and keys."""

    @staticmethod
    def forward(ctx, queries, keys, scale, bias, tile):
        with torch.autocast(queries.device.type, enabled=False):
            scores = _Scores(queries, keys, scale, False, tile)
            grads = _Gradients(queries, keys) if any(ctx.needs_input_grad[:4]) else None
            value, slope = queries.new_zeros(()), queries.new_zeros(())
            for rows, part in scores:
                part += bias
                value -= logsigmoid(-part).sum()  # torch's softplus is rounded beyond 20
                if grads:
                    grads.add(rows, part.sigmoid_())
                    slope += part.sum()
        _keep(ctx, queries, scale, grads)
        ctx.slope = slope
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        return *_gradients(ctx, upstream), ctx.slope * upstream, None


class _Scores:
    """The scores ``scale * queries @ keys.T``, a tile of rows after the other, in one buffer."""

    def __init__(self, queries, keys, scale, without_self, tile):
        self.queries, self.keys, self.without_self = queries, keys, without_self
        self.scaled = queries * scale
        N, M = len(queries), len(keys)
        if tile is None:
            row = M * queries.element_size()
            tile = max(16, _TILE_BYTES.get(queries.device.type, _TILE_BYTES["cpu"]) // row)
        self.tile = min(N, check_integer("tile", tile, minimum=1))
        self.buffer = queries.new_empty(self.tile, M)
        largest = self.scaled.norm(dim=1).max() * keys.norm(dim=1).max()
        self.small = bool(largest <= _SAFE_EXPONENT)  # by Cauchy and Schwarz

    def __iter__(self) -> Iterator[tuple[slice, Tensor]]:
        """Rows, and their scores (rows, M), which are overwritten by the next."""
        for start in range(0, len(self.queries), self.tile):
            rows = slice(start, min(start + self.tile, len(self.queries)))
            part = self.buffer[: rows.stop - start]
            torch.mm(self.scaled[rows], self.keys.T, out=part)
            if self.without_self:
                part[:, rows].fill_diagonal_(-torch.inf)
            yield rows, part


class _Gradients:
    """Of a sum of functions of the scores with respect to queries and keys, but for the scale."""

    def __init__(self, queries, keys):
        self.queries, self.keys = queries, keys
        self.of_queries, self.of_keys = torch.empty_like(queries), torch.zeros_like(keys)

    def add(self, rows, slopes, divisor=None):
        """``slopes`` (rows, M) by score, each row to be divided by ``divisor`` (rows, 1)."""
        queries = self.queries[rows]
        torch.mm(slopes, self.keys, out=self.of_queries[rows])
        if divisor is not None:
            self.of_queries[rows] /= divisor
            queries = queries / divisor
        self.of_keys.addmm_(slopes.T, queries)


def _one_way(scores: _Scores, wanted: bool) -> tuple[Tensor, _Gradients | None]:
    grads = _Gradients(scores.queries, scores.keys) if wanted else None
    N, value = len(scores.queries), scores.queries.new_zeros(())
    for rows, part in scores:
        if not scores.small:
            top = part.amax(dim=1, keepdim=True)
            part -= top
            value += top.sum()
        sums = part.exp_().sum(dim=1, keepdim=True)
        value += sums.log().sum()
        if grads:
            grads.add(rows, part, N * sums)
    return value / N, grads


def _both_ways(scores: _Scores, wanted: bool) -> tuple[Tensor, _Gradients | None]:
    N = len(scores.queries)
    of_rows = scores.queries.new_empty(N, 1)
    of_columns = scores.queries.new_full((N,), -torch.inf)
    for rows, part in scores:
        if scores.small:
            part.exp_()
            of_rows[rows] = part.sum(dim=1, keepdim=True).log()
            of_columns = torch.logaddexp(of_columns, part[:, :N].sum(dim=0).log())
        else:
            of_rows[rows] = part.logsumexp(dim=1, keepdim=True)
            of_columns = torch.logaddexp(of_columns, part[:, :N].logsumexp(dim=0))
    value = (of_rows.mean() + of_columns.mean()) / 2
    if not wanted:
        return value, None
    grads = _Gradients(scores.queries, scores.keys)
    weights = torch.empty_like(scores.buffer)
    from_columns = scores.queries.new_zeros(len(scores.keys))
    from_columns[:N] = (-of_columns).exp() / (2 * N) if scores.small else 0
    for rows, part in scores:
        weight = weights[: len(part)]
        if scores.small:
            torch.add((-of_rows[rows]).exp() / (2 * N), from_columns, out=weight)
            part.exp_().mul_(weight)
        else:
            torch.sub(part, of_rows[rows], out=weight).exp_()
            weight[:, :N] += part[:, :N].sub_(of_columns).exp_()
            part = weight.div_(2 * N)
        grads.add(rows, part)
    return value, grads


def _keep(ctx, queries: Tensor, scale: Tensor, grads: _Gradients | None) -> None:
    if grads:
        # The derivative by the scale is the sum of slopes times q k^T, which is this product.
        by_scale = (grads.of_queries * queries).sum()
        ctx.save_for_backward(scale, grads.of_queries, grads.of_keys, by_scale)


def _gradients(ctx, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    scale, of_queries, of_keys, by_scale = ctx.saved_tensors
    factor = scale * upstream
    return of_queries * factor, of_keys * factor, by_scale * upstream


def _check(
    queries: Tensor, keys: Tensor, temperature: Tensor | float
) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings of one type, not half precision, and 1 / temperature as a tensor."""
    for name, values in (("queries", queries), ("keys", keys)):
        if not isinstance(values, Tensor) or not values.is_floating_point():
            kind = values.dtype if isinstance(values, Tensor) else type(values).__name__
            raise TypeError(f"{name}: expected a floating point tensor, got {kind}")
        if values.ndim != 2 or 0 in values.shape:
            raise ValueError(f"{name}: expected shape (N, dim), got {tuple(values.shape)}")
        bad = ~values.detach().isfinite().all(dim=1)
        if bad.any():
            row = int(bad.nonzero()[0])
            raise ValueError(f"{name}: expected finite numbers, got others in row {row}")
    if len(keys) < len(queries) or keys.shape[1] != queries.shape[1]:
        raise ValueError(
            f"keys: expected at least {len(queries)} rows of {queries.shape[1]} columns, as "
            f"queries has, got {tuple(keys.shape)}"
        )
    dtype = torch.promote_types(torch.promote_types(queries.dtype, keys.dtype), torch.float32)
    temperature = torch.as_tensor(temperature, device=queries.device)
    if temperature.numel() != 1 or not 0 < temperature.item() < math.inf:
        raise ValueError(f"temperature: expected one positive number, got {temperature.tolist()}")
    return queries.to(dtype), keys.to(dtype), 1 / temperature.to(dtype).reshape(())


def _check_groups(groups: Tensor, M: int) -> Tensor:
    """Groups as codes 0..G-1."""
    groups = torch.as_tensor(groups)
    if groups.is_floating_point() or groups.shape != (M,):
        got = f"{groups.dtype} of shape {tuple(groups.shape)}"
        raise ValueError(f"groups: expected {M} whole numbers, one for each key, got {got}")
    return groups.unique(return_inverse=True)[1]


def _group_means(values: Tensor, groups: Tensor) -> Tensor:
    """Each row (M, dim) replaced by the mean of the rows of its group."""
    G = int(groups.max()) + 1
    groups = groups.to(values.device)
    sums = values.new_zeros(G, values.shape[1]).index_add(0, groups, values)
    sizes = torch.bincount(groups, minlength=G).to(values.dtype)
    return (sums / sizes[:, None].clamp(min=1))[groups]
