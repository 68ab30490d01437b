"""A learned log density ratio: scores of pairs against other pairs of a batch (InfoNCE).

The ratio p(x, y) / (p(x) p(y)) exists where densities do not: columns that determine one another,
such as cosine and sine, put all samples on a curve or surface. Densities of such columns have
spikes that networks learn badly; a ratio is smooth if the dependence is. The score of held-out
pairs is a lower bound of I in expectation (van den Oord et al. 2018, arXiv:1807.03748), with the
log of the number of pairs as its ceiling: `CEILING` is safely below.
"""

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor, nn
from torch.nn.functional import silu

from simmim_lite._torch_state import ordinary_torch
from simmim_lite.mutual_information._learned import FOLDS, Gain, cross_fit

CEILING = 4.0  # nats
_HIDDEN = 64
_EMBEDDED = 48
_COSINES = {1: 48, 2: 24, 3: 12, 4: 8}  # for each column, by the number of columns: fine structure


@ordinary_torch()
def by_critics(
    x: np.ndarray, y: np.ndarray, folds: np.ndarray, *, trained: range = range(FOLDS), **options
) -> Gain:
    """Learn log density ratios of normal scores x (N, dim_x) and y (N, dim_y), see `cross_fit`."""
    N, seed = len(x), options["seed"]
    q_x, q_y = (np.linalg.qr(values - values.mean(axis=0))[0] for values in (x, y))
    u, rho, vt = np.linalg.svd(q_x.T @ q_y, full_matrices=False)
    inputs = [_inputs(q @ turn * math.sqrt(N), z) for q, turn, z in ((q_x, u, x), (q_y, vt.T, y))]
    # Initial scores: the bilinear part of the ratio of normal variables with these correlations.
    weights = np.sqrt(np.minimum(rho / (1 - np.minimum(rho, 0.99) ** 2), 4))
    generator = torch.Generator().manual_seed(seed)
    nets = _Critics(len(trained), [part.shape[1] for part in inputs], weights, generator)
    zeros = np.zeros((len(trained), N, 1), dtype=np.float32)
    return cross_fit(nets, np.hstack(inputs), zeros, zeros, folds, trained=trained, **options)


def _inputs(canonical: np.ndarray, values: np.ndarray) -> np.ndarray:
    columns = [canonical, values]
    if count := _COSINES.get(values.shape[1]):
        turns = np.pi * ndtr(values)[:, :, None] * np.arange(1, count + 1)
        columns.append(math.sqrt(2) * np.cos(turns).reshape(len(values), -1))
    if values.shape[1] > 1:  # radius: the common scale of heavy-tailed columns
        columns.append(np.log1p((values**2).sum(axis=1, keepdims=True)) - 1)
    return np.hstack(columns)


class _Critics(nn.Module):
    """Two networks for each fold: the score of (x, y) is f(x) . g(y) + a(x) + b(y)."""

    def __init__(self, F: int, dims: list[int], weights: np.ndarray, generator: torch.Generator):
        super().__init__()
        self.dims, H, E = dims, _HIDDEN, _EMBEDDED
        normal = partial(torch.randn, generator=generator, dtype=torch.float32)
        start = torch.tensor(np.diag(weights), dtype=torch.float32)
        self.parts = nn.ModuleList()
        for D in dims:
            linear = start.new_zeros(F, D, len(start))
            linear[:, : len(start)] = start
            layers = {
                "first": normal(F, D, H) * math.sqrt(1.5 / D),
                "first_bias": 0.7 * normal(F, 1, H),
                "second": normal(F, H, H) * math.sqrt(2 / H),
                "second_bias": start.new_zeros(F, 1, H),
                "last": normal(F, H, E) * 0.1 / math.sqrt(H),
                "last_bias": start.new_zeros(F, 1, E),
                "own": start.new_zeros(F, H, 1),
                "linear": linear,
            }
            self.parts.append(nn.ParameterDict(layers))

    def forward(self, inputs: Tensor, _: Tensor) -> Tensor:
        """Return (F, B, 1): scores of B pairs above the log mean of scores with other pairs."""
        (f, a), (g, b) = (
            self._embed(values, layers)
            for values, layers in zip(inputs.split(self.dims, dim=2), self.parts, strict=True)
        )
        scores = f @ g.transpose(1, 2) + a + b.transpose(1, 2)
        mean = (scores.logsumexp(dim=1) + scores.logsumexp(dim=2)) / 2 - math.log(scores.shape[1])
        return (scores.diagonal(dim1=1, dim2=2) - mean)[..., None]

    @staticmethod
    def _embed(values: Tensor, layers: Any) -> tuple[Tensor, Tensor]:
        hidden = silu(torch.baddbmm(layers["first_bias"], values, layers["first"]))
        hidden = silu(torch.baddbmm(layers["second_bias"], hidden, layers["second"]))
        embedded = torch.baddbmm(layers["last_bias"], hidden, layers["last"])
        embedded = torch.cat([embedded, values @ layers["linear"]], dim=2)
        return embedded, hidden @ layers["own"]
