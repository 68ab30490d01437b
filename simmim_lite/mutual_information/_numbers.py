"""I(numbers; numbers): learned densities, compared with a learned ratio and nearest neighbors.

Each method fails in its own way, and the others show it. Densities claim too much if the columns of
a variable determine one another: then these columns share much information. They find too little of
a dependence in many thin pieces: then the held-out score of critics, a lower bound in expectation,
or the estimate by neighbors is higher. Critics need many pairs and end at a ceiling. Neighbors find
too little, and with more neighbors still less: estimates with 3 and with 10 differ.

Critics learn the log ratio p(x, y) / (p(x) p(y)), which exists where densities do not: columns such
as cosine and sine put all samples on a curve. They score pairs against other pairs of a batch
(InfoNCE, van den Oord et al. 2018, arXiv:1807.03748).
"""

import math
import time
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor, nn
from torch.nn.functional import silu

from simmim_lite._torch_state import ordinary_torch
from simmim_lite.mutual_information._densities import MOST_OWN, by_densities
from simmim_lite.mutual_information._estimate import Estimate
from simmim_lite.mutual_information._learned import FOLDS, Gain, cross_fit
from simmim_lite.mutual_information._neighbors import extrapolated_ksg

_FEWEST = 500  # samples that critics need
_MOST_COLUMNS = 6  # of x and y together: with more, neighbors are far away
_MOST_OF_ONE = 8  # columns of a variable: with more, critics are behind densities
_MOST_NEIGHBORS = 10_000  # samples among which neighbors are counted
_DOUBT = 0.1  # share of the difference between critics and densities in the error
_SHARES = 0.5, 0.6, 0.95  # of the time limit: ends of densities, of a trial of critics, of critics
_CEILING = 4.0  # nats, safely below the log of the number of pairs
_HIDDEN = 64
_EMBEDDED = 48
_COSINES = {1: 48, 2: 24, 3: 12, 4: 8}  # for each column, by the number of columns: fine structure


def by_networks(
    x: np.ndarray,
    y: np.ndarray,
    order: np.ndarray,
    folds: np.ndarray,
    distinct: np.ndarray,
    *,
    limit: float,
    seed: int,
    **options,
) -> Estimate:
    """Estimate I from normal scores x (N, dim_x) and y (N, dim_y).

    ``distinct`` are the indices of rows without their copies; the others are as in `by_densities`.
    """
    start = time.monotonic()
    found, own = by_densities(x, y, order, folds, limit=_SHARES[0] * limit, seed=seed, **options)
    determined = own > MOST_OWN
    if len(distinct) >= _FEWEST and (determined or max(x.shape[1], y.shape[1]) <= _MOST_OF_ONE):
        options |= {"seed": seed}
        samples = x[order], y[order], folds[order]
        if not determined:
            deadline = start + _SHARES[1] * limit
            trial = by_critics(*samples, trained=range(1), epochs=12, deadline=deadline, **options)
            doubtful = trial.held_out > 0 and trial.held_out + _error(trial) > found.nats
        if determined or doubtful:
            critics = by_critics(*samples, deadline=start + _SHARES[2] * limit, **options)
            usable = critics.held_out > 0 and critics.seen < _CEILING
            if (determined and usable) or critics.held_out > max(0, found.nats):
                nats = (critics.held_out + critics.seen) / 2
                doubt = (_DOUBT if limit == math.inf else 1.0) * (nats - found.nats)
                half = (critics.seen - critics.held_out) / 2
                error = math.hypot(_error(critics), half, doubt)
                why = "columns determine one another" if determined else "many thin pieces"
                reason = f"{why}: {nats:.3f} by critics, {found.nats:.3f} by densities"
                found = Estimate(nats, error, "learned", reason)
            elif determined:
                error = math.hypot(found.standard_error, found.nats - critics.held_out)
                note = f"columns determine one another, and critics find {critics.held_out:.3f}"
                found = replace(found, standard_error=error, reason=f"{found.reason}; {note}")
    if x.shape[1] + y.shape[1] <= _MOST_COLUMNS:
        found = _with_neighbors(x[distinct], y[distinct], found, determined, seed)
    elif determined and len(distinct) < _FEWEST:
        near = extrapolated_ksg(x[distinct], y[distinct], seed=seed)[0]
        note = f"columns determine one another, samples are few, {near.nats:.3f} by neighbors"
        error = math.hypot(found.standard_error, found.nats - near.nats, near.standard_error)
        nats = max(found.nats, near.nats)
        found = replace(found, nats=nats, standard_error=error, reason=f"{found.reason}; {note}")
    return found


def _error(gain: Gain) -> float:
    return float(gain.samples.std() / math.sqrt(len(gain.samples)))


def _with_neighbors(
    x: np.ndarray, y: np.ndarray, found: Estimate, determined: bool, seed: int
) -> Estimate:
    """Return ``found``, the estimate by neighbors, or a mean, with an error that includes both."""
    near, raw = extrapolated_ksg(x[:_MOST_NEIGHBORS], y[:_MOST_NEIGHBORS], seed=seed)
    apart = found.nats - raw.nats
    allowed = 2 * math.hypot(raw.standard_error, found.standard_error)
    share, error, note = 0.0, found.standard_error, ""
    if apart < -allowed:  # neighbors find too little, not too much
        share, error, note = 1.0, near.standard_error, ", which are taken"
    elif determined:
        errors = found.standard_error, near.standard_error
        share = errors[0] ** 2 / (errors[0] ** 2 + errors[1] ** 2)
        error = max(math.prod(errors) / math.hypot(*errors), abs(found.nats - near.nats) / 2)
        note = ", a weighted mean is taken"
    elif apart > allowed and near.nats == raw.nats:  # the neighbors seem near enough
        error = math.hypot(error, apart / 2)
    else:
        return found
    nats = found.nats + share * (near.nats - found.nats)
    reason = f"{found.reason}; {near.nats:.3f} by neighbors{note}"
    return replace(found, nats=nats, standard_error=error, reason=reason)


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
