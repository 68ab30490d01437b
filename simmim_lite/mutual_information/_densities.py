"""What a learned conditional density adds to the Gaussian estimate.

By the chain rule I(X;Y) = sum_i E log p(y_i | x, y_1..i-1) - E log p(y_i | y_1..i-1). Each
conditional density is a linear regression whose residual has, in place of one normal distribution,
a mixture with parameters from a small network (Bishop 1994, mixture density networks): it begins
at the Gaussian estimate, and learns what that misses. A difference of two learned entropies, as by
McAllester & Stratos (2020), has none of the variance e^I of a bound over shuffled pairs, and three
devices take most of its bias away:

- the second term is learned with x shuffled, by the same networks, so that what is lost to
  overfitting is lost in both and what is no dependence comes out as 0;
- every sample is scored by networks that did not see it (five folds), and each conditional stops
  at the epoch where these scores are best. They are too low by about what the scores of samples
  that were seen are too high, so that the two are averaged (as Akaike's criterion has it);
- inputs that show no association with the target, by a chi-square test, are scaled down if others
  do. So columns that matter only together, beside others that matter alone, are found in part.
"""

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import solve_triangular
from scipy.special import ndtr
from torch import Tensor, nn
from torch.nn.functional import silu
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

_FOLDS = 5
_EPOCHS = 24
_PATIENCE = 4
_BATCH = 256
_HIDDEN = 64
_COMPONENTS = 8
_LEARNING_RATE = 1e-2


@dataclass(frozen=True)
class Gain:
    """How much better than linear regression, nats: on samples held out (N,), and on average."""

    samples: np.ndarray
    held_out: float
    seen: float
    history: list[float]


def learn(
    x: np.ndarray,
    y: np.ndarray,
    targets: np.ndarray,
    folds: np.ndarray,
    *,
    seed: int,
    deadline: float,
    device: str | torch.device,
    tick=lambda: None,
) -> Gain:
    """Gain of the networks for y[:, targets], given x (N, D) and the columns of y before each.

    ``folds`` (N,) in 0..4; samples that should never be parted (copies) have the same.
    """
    N, T = len(y), len(targets)
    generator = torch.Generator().manual_seed(seed)
    inputs, first = _inputs(x, y)
    residuals = np.stack(
        [_residuals(x, y, folds != fold)[:, targets] for fold in range(_FOLDS)]
    ).astype(np.float32)
    usable = first <= targets[:, None]  # (T, D): columns of y come one after the other
    nets = _Mixtures(_scales(inputs, residuals[0], y[:, targets], usable), generator).to(device)
    average = AveragedModel(nets, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    X, E = (torch.tensor(a, dtype=torch.float32, device=device) for a in (inputs, residuals))
    base = -(E**2 + math.log(2 * math.pi)) / 2

    size = int(np.bincount(folds, minlength=_FOLDS).min())
    parts = [torch.tensor(np.flatnonzero(folds == fold)[:size]) for fold in range(_FOLDS)]
    held_out = torch.stack(parts)
    seen = held_out.roll(-1, 0)  # each sample once, by networks that trained on it
    training = torch.stack([torch.cat(parts[:fold] + parts[fold + 1 :]) for fold in range(_FOLDS)])
    n = training.shape[1]
    batch = min(_BATCH, n // 4)
    steps = min(max(n // batch, 32), 64)  # an epoch is some passes over few samples
    passes = math.ceil(steps * batch / n)
    rows = torch.arange(_FOLDS)[:, None]
    optimizer = torch.optim.AdamW(
        nets.parameters(), lr=_LEARNING_RATE, betas=(0.9, 0.99), weight_decay=0.1
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _LEARNING_RATE, total_steps=_EPOCHS * steps, pct_start=0.15
    )

    def gain(index: Tensor) -> Tensor:
        """(folds, size, T), in parts that fit into the memory."""
        with torch.no_grad():
            return torch.cat(
                [
                    average(X[part], E[rows, part]) - base[rows, part]
                    for part in index.split(4096, dim=1)
                ],
                dim=1,
            ).cpu()

    best, best_seen, history = np.zeros(T), np.zeros(T), []
    samples = np.zeros((N, T), dtype=np.float32)
    last = 0
    for epoch in range(_EPOCHS):
        order = torch.rand(_FOLDS, passes, n, generator=generator).argsort(2).flatten(1)
        for step in range(steps):
            index = training.gather(1, order[:, step * batch : (step + 1) * batch])
            loss = -nets(X[index], E[rows, index]).mean(1).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            average.update_parameters(nets)
        tick()
        scores = gain(held_out)
        mean = scores.mean((0, 1), dtype=torch.float64).numpy()
        better = mean > best
        if better.any():
            last = epoch
            best_seen[better] = gain(seen).mean((0, 1), dtype=torch.float64).numpy()[better]
            best[better] = mean[better]
            for target in np.flatnonzero(better):
                samples[held_out.ravel(), target] = scores[..., target].ravel()
        history.append(float(best.sum()))
        if epoch - last >= _PATIENCE or time.monotonic() > deadline:
            break
    return Gain(samples.sum(1), float(best.sum()), float(best_seen.sum()), history)


class _Mixtures(nn.Module):
    """One network a fold and target: two hidden layers, then weights, means and log-scales."""

    def __init__(self, scales: np.ndarray, generator: torch.Generator):
        super().__init__()
        T, D = scales.shape
        H, K, groups = _HIDDEN, _COMPONENTS, _FOLDS * T

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        scale = torch.tensor(scales.T, dtype=torch.float32).repeat_interleave(H, dim=1)
        self.register_buffer("scale", scale)
        fan = (scale**2).sum(0).clamp(min=1)
        self.first = nn.Parameter(normal(_FOLDS, D, T * H) * (1.5 / fan).sqrt())
        self.first_bias = nn.Parameter(0.7 * normal(_FOLDS, 1, T * H))
        self.second = nn.Parameter(normal(groups, H, H) * math.sqrt(2 / H))
        self.second_bias = nn.Parameter(torch.zeros(groups, 1, H))
        self.last = nn.Parameter(torch.zeros(groups, H, 3 * K))
        start = torch.stack([torch.zeros(K), torch.linspace(-1, 1, K), torch.full((K,), -0.3)])
        self.last_bias = nn.Parameter(start.reshape(1, 1, 3 * K).repeat(groups, 1, 1))

    def forward(self, inputs: Tensor, residuals: Tensor) -> Tensor:
        """inputs (folds, B, D), residuals (folds, B, T) -> log densities (folds, B, T)."""
        F, B, T = residuals.shape
        hidden = silu(torch.baddbmm(self.first_bias, inputs, self.first * self.scale))
        hidden = hidden.reshape(F, B, T, _HIDDEN).transpose(1, 2).reshape(F * T, B, _HIDDEN)
        hidden = silu(torch.baddbmm(self.second_bias, hidden, self.second))
        output = torch.baddbmm(self.last_bias, hidden, self.last)
        logits, mean, log_scale = output.reshape(F, T, B, 3, _COMPONENTS).unbind(3)
        log_scale = log_scale.clamp(-7, 3)
        z = (residuals.transpose(1, 2)[..., None] - mean) * torch.exp(-log_scale)
        terms = torch.log_softmax(logits, dim=-1) - log_scale - z**2 / 2
        return (terms.logsumexp(dim=-1) - math.log(2 * math.pi) / 2).transpose(1, 2)


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
