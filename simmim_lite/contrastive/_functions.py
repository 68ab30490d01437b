"""Sums over all scores, with gradients that are formed tile by tile on the way forward."""

import math

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import logsigmoid

from simmim_lite.contrastive._tiles import Gradients, Scores, Sums

_SAFE_EXPONENT = 40.0  # sums of e^40 over millions of columns, and e^-40, are normal float32


class Contrast(torch.autograd.Function):
    """Mean log-sum-exp over the rows of the scores; ``both``: its mean with that over the columns.

    ``pairs``: less the score of the partner. The gradient is formed while the scores are there, so
    that one way costs three products of matrices, as the plain formula does. Both ways cost four
    in a large batch: the sums of the columns are known last, and the scores are then computed a
    second time. Scores of views with one another (``mirrored``) are symmetric, and half of each
    product is enough.
    """

    @staticmethod
    def forward(ctx, queries, keys, scale, pairs, both, mirrored, tile):
        with torch.autocast(queries.device.type, enabled=False):
            largest = scale * queries.norm(dim=1).max() * keys.norm(dim=1).max()
            small = bool(largest <= _SAFE_EXPONENT)  # by Cauchy and Schwarz
            # In units of ln 2: torch's exp2 is up to four times as fast as its exp.
            scores = Scores(queries, keys, scale / math.log(2), tile, mirrored, small)
            grads = Gradients(queries, keys, mirrored) if any(ctx.needs_input_grad[:3]) else None
            N, own = len(queries), queries.new_zeros(len(queries))
            if pairs:
                partners = queries.roll(N // 2, 0) if mirrored else keys[:N]
                own = scale * (queries * partners).sum(dim=1)
                if grads:
                    grads.subtract_mean(partners)
            value = (_both_ways if both else _one_way)(scores, own, grads)
        _keep(ctx, queries, scale, grads)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        return *_gradients(ctx, upstream), None, None, None, None


class SumSoftplus(torch.autograd.Function):
    """Sum of softplus(score + bias) over all queries and keys."""

    @staticmethod
    def forward(ctx, queries, keys, scale, bias, tile):
        with torch.autocast(queries.device.type, enabled=False):
            grads = Gradients(queries, keys) if any(ctx.needs_input_grad[:4]) else None
            value, slope = queries.new_zeros(()), queries.new_zeros(())
            for rows, columns, part in Scores(queries, keys, scale, tile):
                part += bias
                value -= logsigmoid(-part).sum()  # torch's softplus is rounded beyond 20
                if grads:
                    grads.add(rows, columns, part.sigmoid_())
                    slope += part.sum()
        _keep(ctx, queries, scale, grads)
        ctx.slope = slope
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        return *_gradients(ctx, upstream), ctx.slope * upstream, None


def _one_way(scores: Scores, own: Tensor, grads: Gradients | None) -> Tensor:
    N, value = len(own), own.new_zeros(())
    for rows in scores.rows():
        strip, sums = [], Sums(scores, rows.stop - rows.start)
        for columns, part in scores.strip(rows):
            sums.add(slice(None), part, dim=1)
            strip.append((columns, part))
        value += (sums.log() - own[rows]).sum()
        if grads:
            for columns, part in strip:
                if not scores.small:
                    part.sub_(sums.top[:, None]).exp2_()
                grads.add(rows, columns, part, 1 / (N * sums.sums[:, None]))
    return value / N


def _both_ways(scores: Scores, own: Tensor, grads: Gradients | None) -> Tensor:
    N = len(own)
    of_rows = Sums(scores, N)
    of_columns = of_rows if scores.mirrored else Sums(scores, len(scores.keys))
    few = N * len(scores.keys) <= max(scores.kept, scores.height * scores.width)
    tiles = list(scores) if few else scores  # that are computed in each of the two loops
    for rows, columns, part in tiles:
        of_rows.add(rows, part, dim=1)
        if not scores.on_diagonal(rows, columns):
            of_columns.add(columns, part, dim=0)
    value = ((of_rows.log() - own).mean() + (of_columns.log()[:N] - own).mean()) / 2
    if not grads:
        return value
    by_row, by_column = (1 / (2 * N * sums.sums) for sums in (of_rows, of_columns))
    by_column[N:] = 0
    buffer = scores.queries.new_empty(scores.height, scores.width)
    for rows, columns, part in tiles:
        if scores.small:
            out = buffer[: len(part), : part.shape[1]]
            part.mul_(torch.add(by_row[rows, None], by_column[columns], out=out))
        else:
            other = (part - of_columns.top[columns]).exp2_().mul_(by_column[columns])
            part.sub_(of_rows.top[rows, None]).exp2_().mul_(by_row[rows, None]).add_(other)
        grads.add(rows, columns, part)
    return value


def _keep(ctx, queries: Tensor, scale: Tensor, grads: Gradients | None) -> None:
    if grads:
        of_queries, of_keys = grads.result()
        # The derivative by the scale is the sum of slopes times q k^T, which is this product.
        by_scale = (of_queries * queries).sum()
        ctx.save_for_backward(scale, of_queries, of_keys, by_scale)


def _gradients(ctx, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    scale, of_queries, of_keys, by_scale = ctx.saved_tensors
    factor = scale * upstream
    return of_queries * factor, of_keys * factor, by_scale * upstream
