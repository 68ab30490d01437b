"""What a learned conditional density adds to the Gaussian estimate.

By the chain rule I(X;Y) = sum_i E log p(y_i | x, y_1..i-1) - E log p(y_i | y_1..i-1). Each
conditional density is a linear regression whose residual has, in place of one normal distribution,
a mixture with parameters from a small network (Bishop 1994, mixture density networks), of normal
components and of boxes with soft edges: it begins near the Gaussian estimate, and learns what that
misses. A difference of two learned entropies, as by McAllester & Stratos (2020), has none of the
variance e^I of a bound over shuffled pairs. Three devices take most of its bias away: what
`_cross_fit` says of scores held out and seen, and

- the second term is learned with x shuffled, by the same networks, so that what is lost to
  overfitting is lost in both and what is no dependence comes out as 0;
- inputs that show no association with the target, by a chi-square test, are scaled down if others
  do. So columns that matter only together, beside others that matter alone, are found in part.
"""

import math
import time

import numpy as np
import torch
from scipy.linalg import solve_triangular
from scipy.special import ndtr
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, silu

from simmim_lite._random import random_generator
from simmim_lite.mutual_information._cross_fit import FOLDS, Gain, cross_fit
from simmim_lite.mutual_information._estimate import Estimate
from simmim_lite.mutual_information._gaussian import gaussian_estimate

_MOST_TARGETS = 10
_TRIAL = 0.3  # share of the time for finding out which variable to predict
_MOST_OWN = 1.0  # nats that the columns of the predicted variable may tell of each other
_HIDDEN = 64
_COMPONENTS = 4  # normal ones, and as many boxes


def by_densities(
    x: np.ndarray,
    y: np.ndarray,
    order: np.ndarray,
    folds: np.ndarray,
    *,
    limit: float,
    seed: int,
    **options,
) -> Estimate:
    """Of normal scores x (N, dim_x) and y (N, dim_y); networks are trained on the rows ``order``.

    ``limit`` in seconds; ``folds`` (N,) and the rest are those of `cross_fit`.
    """
    gaussian = gaussian_estimate(x, y, "learned")
    x, y, folds = x[order], y[order], folds[order]
    shuffled = random_generator(seed, "shuffled").permutation(len(x))
    start = time.monotonic()

    def gain(
        x: np.ndarray, y: np.ndarray, begin: float, end: float, **effort
    ) -> tuple[Gain, float]:
        """Of y conditioned on x, and of y on its own columns alone, both beyond regression.

        It may take the time from one share of the limit to another.
        """
        targets = np.arange(y.shape[1])
        if len(targets) > _MOST_TARGETS:
            residuals = _residuals(x, y, np.ones(len(x), dtype=bool))
            need = association(x, residuals).max(axis=0)
            targets = np.sort(np.argsort(-need)[:_MOST_TARGETS])
        if x.shape[1] > 1:
            x = np.hstack([x, _canonical(x, y)])
        gains = [
            _learn(
                given,
                y,
                targets,
                folds,
                seed=seed,
                deadline=start + limit * share,
                **effort,
                **options,
            )
            for given, share in ((x, (begin + end) / 2), (x[shuffled], end))
        ]
        with_x, without = gains
        difference = Gain(
            with_x.samples - without.samples,
            with_x.held_out - without.held_out,
            with_x.seen - without.seen,
            [value - without.held_out for value in with_x.history],
        )
        return difference, without.held_out

    pairs = sorted([(x, y), (y, x)], key=lambda pair: pair[1].shape[1])
    if min(x.shape[1], y.shape[1]) > 1 and max(x.shape[1], y.shape[1]) <= 8:
        # Columns that nearly determine each other have a density with spikes, of which networks
        # learn more if x helps them: the difference is too large. So they are the last choice.
        worth = []
        for i, pair in enumerate(pairs):
            found, own = gain(
                *pair, i * _TRIAL / 2, (i + 1) * _TRIAL / 2, trained=range(1), epochs=12
            )
            worth.append(found.held_out if own < _MOST_OWN else -own)
        if worth[1] > worth[0]:
            pairs.reverse()
    found, _ = gain(*pairs[0], _TRIAL, 1)
    learned = (found.held_out + found.seen) / 2
    error = math.hypot(
        gaussian.standard_error,
        found.samples.std() / math.sqrt(len(order)),
        (found.seen - found.held_out) / 2,
    )
    return Estimate(
        gaussian.nats + learned,
        error,
        "learned",
        f"{gaussian.nats:.3f} by correlation, {learned:+.3f} learned",
        history=tuple(gaussian.nats + value for value in found.history),
    )


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
    """Gain over linear regression for y[:, targets], given x (N, D) and the columns of y before.

    ``folds`` (N,) and the rest are those of `cross_fit`.
    """
    inputs, first = _inputs(x, y)
    residuals = np.stack([_residuals(x, y, folds != fold)[:, targets] for fold in trained])
    usable = first <= targets[:, None]  # (T, D): columns of y come one after the other
    nets = _Mixtures(
        len(trained),
        _scales(inputs, residuals[0].astype(np.float32), y[:, targets], usable),
        torch.Generator().manual_seed(seed),
    )
    base = -(residuals**2 + math.log(2 * math.pi)) / 2
    return cross_fit(nets, inputs, residuals, base, folds, trained=trained, seed=seed, **options)


class _Mixtures(nn.Module):
    """One network a fold and target: two hidden layers, then the parameters of the mixture.

    These are log-weights, means and log-scales of the normal components, then log-weights, middles,
    log-widths and log-softness of the boxes.
    """

    def __init__(self, F: int, scales: np.ndarray, generator: torch.Generator):
        super().__init__()
        T, D = scales.shape
        H, K, groups = _HIDDEN, _COMPONENTS, F * T

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        scale = torch.tensor(scales.T, dtype=torch.float32).repeat_interleave(H, dim=1)
        self.register_buffer("scale", scale)
        fan = (scale**2).sum(0).clamp(min=1)
        self.first = nn.Parameter(normal(F, D, T * H) * (1.5 / fan).sqrt())
        self.first_bias = nn.Parameter(0.7 * normal(F, 1, T * H))
        self.second = nn.Parameter(normal(groups, H, H) * math.sqrt(2 / H))
        self.second_bias = nn.Parameter(torch.zeros(groups, 1, H))
        self.last = nn.Parameter(torch.zeros(groups, H, 7 * K))
        spread, one = torch.linspace(-1, 1, K), torch.ones(K)
        start = torch.cat([0 * one, spread, -0.3 * one, 0 * one, spread, 0 * one, -0.5 * one])
        self.last_bias = nn.Parameter(start.reshape(1, 1, 7 * K).repeat(groups, 1, 1))

    def forward(self, inputs: Tensor, residuals: Tensor) -> Tensor:
        """inputs (folds, B, D), residuals (folds, B, T) -> log densities (folds, B, T)."""
        F, B, T = residuals.shape
        hidden = silu(torch.baddbmm(self.first_bias, inputs, self.first * self.scale))
        hidden = hidden.reshape(F, B, T, _HIDDEN).transpose(1, 2).reshape(F * T, B, _HIDDEN)
        hidden = silu(torch.baddbmm(self.second_bias, hidden, self.second))
        output = torch.baddbmm(self.last_bias, hidden, self.last)
        parameters = output.reshape(F, T, B, 7, _COMPONENTS).unbind(3)
        weight, mean, log_scale, box_weight, middle, log_width, log_softness = parameters
        residuals = residuals.transpose(1, 2)[..., None]
        log_scale = log_scale.clamp(-7, 3)
        z = (residuals - mean) * torch.exp(-log_scale)
        normal = -log_scale - z**2 / 2 - math.log(2 * math.pi) / 2
        box = _log_box(residuals - middle, log_width.clamp(-5, 2), log_softness.clamp(-6, 2))
        log_weights = torch.log_softmax(torch.cat([weight, box_weight], dim=-1), dim=-1)
        return (log_weights + torch.cat([normal, box], dim=-1)).logsumexp(dim=-1).transpose(1, 2)


def _log_box(z: Tensor, log_width: Tensor, log_softness: Tensor) -> Tensor:
    """Log density at z of a uniform variable in (-width, width) plus a logistic one.

    (sigmoid(a) - sigmoid(-b)) / 2 width, with a = (width + z) / softness, b = (width - z) /
    softness, is sigmoid(a) sigmoid(b) (1 - exp(-a - b)) / 2 width: nothing cancels.
    """
    width, sharpness = log_width.exp(), torch.exp(-log_softness)
    a, b = (width + z) * sharpness, (width - z) * sharpness
    inside = torch.log(-torch.expm1(-2 * width * sharpness))
    return logsigmoid(a) + logsigmoid(b) + inside - log_width - math.log(2)


def _inputs(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns for the networks, and for each the first column of y whose target may see it."""
    columns = [x, y]
    first = [np.zeros(x.shape[1]), np.arange(1, y.shape[1] + 1)]
    if x.shape[1] <= 4:  # cosines: fine structure, which networks are slow to see
        turns = np.pi * ndtr(x)[:, :, None] * np.arange(1, 17)
        columns.append(math.sqrt(2) * np.cos(turns).reshape(len(x), -1))
        first.append(np.zeros(16 * x.shape[1]))
    if x.shape[1] > 1:  # radii: what the columns of heavy-tailed variables have in common
        columns.append(np.log1p((x**2).sum(1, keepdims=True)) - 1)
        first.append(np.zeros(1))
    if y.shape[1] > 1:
        columns.append(np.log1p(np.cumsum(y**2, axis=1)[:, 1:]) - 1)
        first.append(np.arange(2, y.shape[1] + 1))
    if y.shape[1] > 1 and x.shape[1] * y.shape[1] <= 64:  # products: which sign goes with which
        columns.append((x[:, :, None] * y[:, None, :-1]).reshape(len(x), -1))
        first.append(np.tile(np.arange(1, y.shape[1]), x.shape[1]))
    return np.hstack(columns), np.concatenate(first)


def _residuals(x: np.ndarray, y: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Residuals (N, dim_y) of the regressions of y_i on x and y_1..i-1, deviation 1 in training."""
    columns = np.hstack([np.ones((len(x), 1)), x, y])
    gram = columns[training].T @ columns[training] / training.sum()
    root = np.linalg.cholesky(gram + 1e-8 * np.eye(len(gram)))
    return solve_triangular(root, columns.T, lower=True)[-y.shape[1] :].T


def _scales(
    inputs: np.ndarray, residuals: np.ndarray, targets: np.ndarray, usable: np.ndarray
) -> np.ndarray:
    """How strongly each network sees each input (T, D): from 0.02 to 1; all alike if in doubt."""
    z = np.maximum(association(inputs, residuals), association(inputs, targets)).T
    z = np.where(usable, z, -math.inf)
    share = np.clip((z - 6) / 10, 0, 1)
    doubt = share.max(axis=1, keepdims=True) == 0
    return usable * np.where(doubt, 1.0, 0.02 + 0.98 * share)


def association(a: np.ndarray, b: np.ndarray, *, bins: int = 8) -> np.ndarray:
    """Chi-square statistics (columns of a, columns of b) of 8 x 8 rank tables, standardized."""
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
    """x rotated to canonical variates, of deviation 1: what x shares with y comes first."""
    q_x, q_y = (np.linalg.qr(values - values.mean(axis=0))[0] for values in (x, y))
    return math.sqrt(len(x)) * (q_x @ np.linalg.svd(q_x.T @ q_y)[0])
