"""Reading: the result of a read, and attention; and how evenly keys are spread."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import skew
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from simmim_lite._numerics import squared_distances

_NEIGHBORS = 10
_LOST = 1e-3  # error of beta * score that attention may have
_NUMBERS = 1 << 22  # differences in memory at a time


@dataclass(frozen=True, eq=False)
class ReadResult:
    """For each of M queries, k items of a memory, on the CPU.

    Attributes:
        ids: (M, k) int64.
        scores: (M, k), best first (samples in the order of the draw): the cosine, or minus half the
            squared distance.
        weights: (M, k), each row sums to one: attention weights, otherwise 1 / k.
        lookup: function (ids (n,), modality) -> n values, used by `values`.
        key: (M, dim) weighted mean of the keys, on the device of the query and differentiable in
            the query; None unless read with ``mode="attend"``.
    """

    ids: Tensor
    scores: Tensor
    weights: Tensor
    lookup: Callable[[Tensor, str], list[Any]]
    key: Tensor | None = None

    def __repr__(self) -> str:
        return f"ReadResult({self.ids.shape[0]} queries, {self.ids.shape[1]} items each)"

    def values(self, modality: str) -> list[list[Any]]:
        """M lists of k values; None for an item without a value of this modality."""
        flat = iter(self.lookup(self.ids.flatten(), modality))
        return [[next(flat) for _ in row] for row in self.ids]


def attend_to_all(queries: Tensor, keys: Tensor, beta: float, metric: str) -> Tensor:
    """softmax(beta * scores) @ keys, (M, dim), without the matrix of M x N scores.

    One update of a modern Hopfield network (Ramsauer et al. 2021, arXiv 2008.02217, equation 3).
    """
    wide = torch.promote_types(queries.dtype, keys.dtype)
    queries, keys = queries.to(wide), keys.to(wide)
    if metric == "cosine":
        return _attention(queries, keys, beta)
    center = keys.mean(dim=0)
    near, others = queries - center, keys - center
    squares = torch.cat([rows.detach().square().sum(dim=1) for rows in (near, others)])
    if beta * float(squares.max()) * torch.finfo(wide).eps > _LOST:
        if wide == torch.float32 and keys.device.type != "mps":
            return attend_to_all(queries.double(), keys, beta, metric)
        parts = near.split(max(1, _NUMBERS // keys.numel()))
        scores = ((part[:, None] - others).square().sum(dim=2) / -2 for part in parts)
        return torch.cat([(beta * each).softmax(dim=1) @ others for each in scores]) + center
    # -|q - k|^2 / 2 = q k - |k|^2 / 2 - |q|^2 / 2, the last cancels
    ones = torch.ones_like(near[:, :1])
    extended = torch.cat([others, -others.square().sum(dim=1, keepdim=True) / 2], dim=1)
    return _attention(torch.cat([near, ones], dim=1), extended, beta)[:, :-1] + center


def _attention(queries: Tensor, keys: Tensor, beta: float) -> Tensor:
    query, key = queries[None, None], keys[None, None]
    return scaled_dot_product_attention(query, key, key, scale=beta)[0, 0]


def describe_keys(keys: Tensor, metric: str) -> dict[str, float]:
    """Effective rank and hubness of keys (n, dim).

    - ``effective_rank``: exp of the entropy of the normalized singular values, without centering
      (Roy and Vetterli 2007): dim for keys that are spread evenly, 1 for keys on a line.
    - ``hubness`` of more than 10 keys: skewness of the number of times that a key is among the 10
      nearest neighbors of others (Radovanovic et al. 2010): near 0 if all keys are found equally
      often, large if a few keys are found in place of many.
    """
    keys = keys.double()
    weights = torch.linalg.svdvals(keys)
    weights = weights / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
    found = {"effective_rank": float(torch.special.entr(weights).sum().exp())}
    if len(keys) > _NEIGHBORS:
        scores = keys @ keys.T if metric == "cosine" else -squared_distances(keys, keys)
        nearest = scores.fill_diagonal_(-torch.inf).topk(_NEIGHBORS).indices
        times = np.bincount(nearest.flatten().cpu().numpy(), minlength=len(keys))
        found["hubness"] = float(skew(times)) if times.std() else 0.0
    return found
