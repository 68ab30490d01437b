"""Learned conditional densities: their gain over the Gaussian estimate.

By the chain rule I(X;Y) = sum_i E log p(y_i | x, y_1..i-1) - E log p(y_i | y_1..i-1). Each
conditional density is a linear regression whose residual has a mixture density instead of a normal
one: normal components and boxes with soft edges, with parameters from a small network (mixture
density networks, Bishop 1994). A difference of two learned entropies (McAllester & Stratos 2020)
does not have the variance e^I of a bound over shuffled pairs. Three measures remove most of its
bias: the mean of held-out and training scores (see `_learned`), and

- the second term is learned by the same networks with x shuffled, so that overfitting lowers both
  terms equally and independent variables give 0;
- inputs without association with the target (chi-square test) are scaled down if others have some:
  columns that matter only in combination, beside columns that matter alone, are found in part.
"""

import math
import time
from functools import partial

import numpy as np
import torch
from scipy.linalg import solve_triangular
from scipy.special import ndtr
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, silu

from simmim_lite._random import random_generator
from simmim_lite._torch_state import ordinary_torch
from simmim_lite.mutual_information._estimate import Estimate
from simmim_lite.mutual_information._formulas import gaussian_estimate
from simmim_lite.mutual_information._learned import FOLDS, Gain, cross_fit

_MOST_TARGETS = 10
_TRIAL = 0.3  # share of the time for choosing the variable to predict
MOST_OWN = 1.0  # nats between the columns of the predicted variable, at most
_HIDDEN = 64
_COMPONENTS = 4  # normal components, and as many boxes


@ordinary_torch()
def by_densities(
    x: np.ndarray,
    y: np.ndarray,
    order: np.ndarray,
    folds: np.ndarray,
    *,
    limit: float,
    seed: int,
    **options,
) -> tuple[Estimate, float]:
    """Estimate I from normal scores x (N, dim_x) and y (N, dim_y); learn from the rows ``order``.

    ``limit`` is in seconds; ``folds`` (N,) and ``options`` are those of `cross_fit`. The second
    result is the information between the columns of the predicted variable beyond correlation, in
    nats: if it is large, the columns nearly determine one another.
    """
    gaussian = gaussian_estimate(x, y, "learned")
    x, y, folds = x[order], y[order], folds[order]
    shuffled = random_generator(seed, "shuffled").permutation(len(x))
    start = time.monotonic()

    def gain(
        x: np.ndarray, y: np.ndarray, begin: float, end: float, **effort
    ) -> tuple[Gain, float]:
        """Return the gain of y given x minus that of y given shuffled x, and the latter in nats.

        Both gains are relative to linear regression. ``begin`` and ``end`` are shares of the limit.
        """
        targets = np.arange(y.shape[1])
        if len(targets) > _MOST_TARGETS:
            residuals = _residuals(x, y, np.ones(len(x), dtype=bool))
            need = association(x, residuals).max(axis=0)
            targets = np.sort(np.argsort(-need)[:_MOST_TARGETS])
        if x.shape[1] > 1:
            x = np.hstack([x, _canonical(x, y)])
        learn = partial(_learn, y=y, targets=targets, folds=folds, seed=seed, **effort, **options)
        with_x = learn(x=x, deadline=start + limit * (begin + end) / 2)
        without = learn(x=x[shuffled], deadline=start + limit * end)
        difference = Gain(
            with_x.samples - without.samples,
            with_x.held_out - without.held_out,
            with_x.seen - without.seen,
        )
        return difference, without.held_out

    pairs = sorted([(x, y), (y, x)], key=lambda pair: pair[1].shape[1])
    if min(x.shape[1], y.shape[1]) > 1 and max(x.shape[1], y.shape[1]) <= 8:
        # Columns that nearly determine each other have a density with spikes. Networks learn these
        # better with the help of x, and the difference becomes too large: the second choice.
        scores = []
        for i, pair in enumerate(pairs):
            share = i * _TRIAL / 2, (i + 1) * _TRIAL / 2
            found, own = gain(*pair, *share, trained=range(1), epochs=12)
            scores.append(found.held_out if own < MOST_OWN else -own)
        if scores[1] > scores[0]:
            pairs.reverse()
    found, own = gain(*pairs[0], _TRIAL, 1)
    learned = (found.held_out + found.seen) / 2
    error = math.hypot(
        gaussian.standard_error,
        found.samples.std() / math.sqrt(len(order)),
        (found.seen - found.held_out) / 2,
    )
    estimate = Estimate(
        gaussian.nats + learned,
        error,
        "learned",
        f"{gaussian.nats:.3f} by correlation, {learned:+.3f} learned",
    )
    return estimate, own


def _learn(
    x: np.ndarray,
    y: np.ndarray,
    targets: np.ndarray,
    folds: np.ndarray,
    *,
    trained: range = range(FOLDS),
    seed: int,
    **options,
) -> Gain:
    """Return the gain over linear regression for y[:, targets] given x and earlier columns of y."""
    inputs, first = _inputs(x, y)
    residuals = np.stack([_residuals(x, y, folds != fold)[:, targets] for fold in trained])
    usable = first <= targets[:, None]  # (T, D): only earlier columns of y
    scales = _scales(inputs, residuals[0].astype(np.float32), y[:, targets], usable)
    nets = _Mixtures(len(trained), scales, torch.Generator().manual_seed(seed))
    base = -(residuals**2 + math.log(2 * math.pi)) / 2
    return cross_fit(nets, inputs, residuals, base, folds, trained=trained, seed=seed, **options)


class _Mixtures(nn.Module):
    """One network for each fold and target: two hidden layers, then the mixture parameters.

    These are log-weights, means and log-scales of the normal components, then log-weights, centers,
    log-widths and log-softness of the boxes.
    """

    scale: Tensor

    def __init__(self, F: int, scales: np.ndarray, generator: torch.Generator):
        super().__init__()
        T, D = scales.shape
        H, K, groups = _HIDDEN, _COMPONENTS, F * T
        normal = partial(torch.randn, generator=generator, dtype=torch.float32)
        scale = torch.tensor(scales.T, dtype=torch.float32).repeat_interleave(H, dim=1)
        self.register_buffer("scale", scale)
        fan = (scale**2).sum(0).clamp(min=1)
        self.first = nn.Parameter(normal(F, D, T * H) * (1.5 / fan).sqrt())
        self.first_bias = nn.Parameter(0.7 * normal(F, 1, T * H))
        self.second = nn.Parameter(normal(groups, H, H) * math.sqrt(2 / H))
        self.second_bias = nn.Parameter(scale.new_zeros(groups, 1, H))
        self.last = nn.Parameter(scale.new_zeros(groups, H, 7 * K))
        spread, one = torch.linspace(-1, 1, K, dtype=torch.float32), scale.new_ones(K)
        start = torch.cat([0 * one, spread, -0.3 * one, 0 * one, spread, 0 * one, -0.5 * one])
        self.last_bias = nn.Parameter(start.reshape(1, 1, 7 * K).repeat(groups, 1, 1))

    def forward(self, inputs: Tensor, residuals: Tensor) -> Tensor:
        """Return log densities (F, B, T) of residuals (F, B, T), given inputs (F, B, D)."""
        F, B, T = residuals.shape
        hidden = silu(torch.baddbmm(self.first_bias, inputs, self.first * self.scale))
        hidden = hidden.reshape(F, B, T, _HIDDEN).transpose(1, 2).reshape(F * T, B, _HIDDEN)
        hidden = silu(torch.baddbmm(self.second_bias, hidden, self.second))
        output = torch.baddbmm(self.last_bias, hidden, self.last)
        parameters = output.reshape(F, T, B, 7, _COMPONENTS).unbind(3)
        weight, mean, log_scale, box_weight, center, log_width, log_softness = parameters
        residuals = residuals.transpose(1, 2)[..., None]
        log_scale = log_scale.clamp(-7, 3)
        z = (residuals - mean) * torch.exp(-log_scale)
        normal = -log_scale - z**2 / 2 - math.log(2 * math.pi) / 2
        box = _log_box(residuals - center, log_width.clamp(-5, 2), log_softness.clamp(-6, 2))
        log_weights = torch.log_softmax(torch.cat([weight, box_weight], dim=-1), dim=-1)
        return (log_weights + torch.cat([normal, box], dim=-1)).logsumexp(dim=-1).transpose(1, 2)


def _log_box(z: Tensor, log_width: Tensor, log_softness: Tensor) -> Tensor:
    """Return the log density at z of a uniform variable in (-width, width) plus a logistic one.

    (sigmoid(a) - sigmoid(-b)) / 2 width, with a = (width + z) / softness and b = (width - z) /
    softness, equals sigmoid(a) sigmoid(b) (1 - exp(-a - b)) / 2 width, without cancellation.
    """
    width, sharpness = log_width.exp(), torch.exp(-log_softness)
    a, b = (width + z) * sharpness, (width - z) * sharpness
    inside = torch.log(-torch.expm1(-2 * width * sharpness))
    return logsigmoid(a) + logsigmoid(b) + inside - log_width - math.log(2)


def _inputs(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return input columns (N, D), and (D,) the first column of y that may depend on each."""
    columns = [x, y]
    first = [np.zeros(x.shape[1]), np.arange(1, y.shape[1] + 1)]
    if x.shape[1] <= 4:  # cosines: fine structure, which networks learn slowly
        turns = np.pi * ndtr(x)[:, :, None] * np.arange(1, 17)
        columns.append(math.sqrt(2) * np.cos(turns).reshape(len(x), -1))
        first.append(np.zeros(16 * x.shape[1]))
    if x.shape[1] > 1:  # radii: the common scale of heavy-tailed columns
        columns.append(np.log1p((x**2).sum(1, keepdims=True)) - 1)
        first.append(np.zeros(1))
    if y.shape[1] > 1:
        columns.append(np.log1p(np.cumsum(y**2, axis=1)[:, 1:]) - 1)
        first.append(np.arange(2, y.shape[1] + 1))
    if y.shape[1] > 1 and x.shape[1] * y.shape[1] <= 64:  # products: combinations of signs
        columns.append((x[:, :, None] * y[:, None, :-1]).reshape(len(x), -1))
        first.append(np.tile(np.arange(1, y.shape[1]), x.shape[1]))
    return np.hstack(columns), np.concatenate(first)


def _residuals(x: np.ndarray, y: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Return residuals (N, dim_y) of y_i regressed on x and y_1..i-1, with training deviation 1."""
    columns = np.hstack([np.ones((len(x), 1)), x, y])
    gram = columns[training].T @ columns[training] / training.sum()
    root = np.linalg.cholesky(gram + 1e-8 * np.eye(len(gram)))
    return solve_triangular(root, columns.T, lower=True)[-y.shape[1] :].T


def _scales(
    inputs: np.ndarray, residuals: np.ndarray, targets: np.ndarray, usable: np.ndarray
) -> np.ndarray:
    """Return scales (T, D) of the inputs of each network: 0.02 to 1, or all 1 without evidence."""
    z = np.maximum(association(inputs, residuals), association(inputs, targets)).T
    z = np.where(usable, z, -math.inf)
    evidence = np.clip((z - 6) / 10, 0, 1)
    none = evidence.max(axis=1, keepdims=True) == 0
    return usable * np.where(none, 1.0, 0.02 + 0.98 * evidence)


def association(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return standardized chi-square statistics (columns of a, columns of b) of rank tables."""
    bins = 8
    N = min(len(a), 20_000)  # the rows are in random order

    def cells(columns: np.ndarray) -> np.ndarray:
        ranks = columns[:N].argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
        one_hot = (ranks * bins // N)[:, :, None] == np.arange(bins)
        return one_hot.reshape(N, -1).astype(np.float32)

    table = (cells(a).T @ cells(b)).reshape(a.shape[1], bins, b.shape[1], bins)
    expected = N / bins**2
    chi_square = ((table - expected) ** 2 / expected).sum(axis=(1, 3))
    return (chi_square - (bins - 1) ** 2) / (math.sqrt(2) * (bins - 1))


def _canonical(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rotate x to canonical variates of deviation 1, in decreasing order of correlation with y."""
    q_x, q_y = (np.linalg.qr(values - values.mean(axis=0))[0] for values in (x, y))
    return math.sqrt(len(x)) * (q_x @ np.linalg.svd(q_x.T @ q_y)[0])
