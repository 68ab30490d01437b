"""Cross-fitted networks, and I(symbol; numbers) by a learned classifier.

The training samples are split into five folds. Each sample is scored by networks that were trained
without its fold, and each target keeps the epoch with the best scores. These held-out scores are
too low by about as much as the scores of training samples are too high. So the estimate is the mean
of both (as in Akaike's criterion), and half their difference is part of the error.
"""

import math
import time
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy.special import ndtri
from scipy.stats import rankdata
from torch import Tensor, nn
from torch.nn.functional import silu
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from simmim_lite._torch_state import ordinary_torch
from simmim_lite.environment import CoreSharing
from simmim_lite.mutual_information._estimate import Estimate

FOLDS = 5
_PATIENCE = 4
_BATCH = 256
_LEARNING_RATE = 1e-2


@dataclass(frozen=True)
class Gain:
    """Log density in nats above that of the base model."""

    samples: np.ndarray  # (N,) of each held-out sample
    held_out: float  # mean over held-out samples
    seen: float  # mean over training samples


def cross_fit(
    nets: nn.Module,
    inputs: np.ndarray,
    targets: np.ndarray,
    base: np.ndarray,
    folds: np.ndarray,
    *,
    trained: range = range(FOLDS),
    epochs: int = 24,
    seed: int,
    deadline: float,
    device: str | torch.device,
) -> Gain:
    """Train one set of networks for each of the F folds in ``trained``; score these held-out folds.

    Args:
        nets: takes inputs (F, B, D) and targets (F, B, T), returns log densities (F, B, T).
        inputs: (N, D).
        targets, base: (F, N, T), target values, and log densities of the base model.
        folds: (N,) in 0..4; copies of a sample share a fold.
        deadline: of `time.monotonic`; a finite one shortens the training, so that it ends in time.
    """
    F, T = len(trained), targets.shape[2]
    generator = torch.Generator().manual_seed(seed)
    nets = nets.to(device)
    average = AveragedModel(nets, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    X, Y, base_scores = (
        torch.tensor(a, dtype=torch.float32, device=device) for a in (inputs, targets, base)
    )

    size = int(np.bincount(folds, minlength=FOLDS).min())
    parts = [torch.tensor(np.flatnonzero(folds == fold)[:size]) for fold in range(FOLDS)]
    held_out = torch.stack([parts[fold] for fold in trained])
    # Each sample once, with networks that were trained on it.
    seen = torch.stack([parts[(fold + 1) % FOLDS] for fold in trained])
    training = torch.stack([torch.cat(parts[:fold] + parts[fold + 1 :]) for fold in trained])
    n = training.shape[1]
    batch = min(_BATCH, n // 4)
    steps = min(max(n // batch, 32), 64)  # several passes over the samples if these are few
    passes = math.ceil(steps * batch / n)
    rows = torch.arange(F)[:, None]
    optimizer = torch.optim.AdamW(
        nets.parameters(), lr=_LEARNING_RATE, betas=(0.9, 0.99), weight_decay=0.2
    )
    if deadline < math.inf:
        start = time.monotonic()
        index = training[:, :batch]
        nets(X[index], Y[rows, index]).mean().backward()  # time of a step, which is not taken
        step_seconds = time.monotonic() - start
        planned = max(1, int(0.6 * (deadline - start) / step_seconds))
        epochs = max(1, min(epochs, planned // steps))
        steps = min(steps, planned)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _LEARNING_RATE, total_steps=epochs * steps, pct_start=0.15
    )

    def gain(index: Tensor) -> Tensor:
        """Return (F, size, T), computed in parts that fit into memory."""
        with torch.no_grad():
            parts = index.split(4096, dim=1)
            gains = [average(X[i], Y[rows, i]) - base_scores[rows, i] for i in parts]
            return torch.cat(gains, dim=1).cpu()

    best, best_seen = np.zeros(T), np.zeros(T)
    samples = np.zeros((held_out.numel(), T), dtype=np.float32)
    last, sharing = 0, CoreSharing()
    for epoch in range(epochs):
        draws = torch.rand(F, passes, n, generator=generator, dtype=torch.float32)
        order = draws.argsort(2).flatten(1)
        for step in range(steps):
            index = training.gather(1, order[:, step * batch : (step + 1) * batch])
            loss = -nets(X[index], Y[rows, index]).mean(1).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            average.update_parameters(nets)
            sharing.look()
            if time.monotonic() > deadline:
                break
        scores = gain(held_out)
        mean = scores.mean((0, 1), dtype=torch.float64).numpy()
        better = mean > best
        if better.any():
            last = epoch
            best_seen[better] = gain(seen).mean((0, 1), dtype=torch.float64).numpy()[better]
            best[better] = mean[better]
            for target in np.flatnonzero(better):
                samples[:, target] = scores[..., target].ravel()
        if epoch - last >= _PATIENCE or time.monotonic() > deadline:
            break
    return Gain(samples.sum(1), float(best.sum()), float(best_seen.sum()))


_HIDDEN = 128


@ordinary_torch()
def by_classifier(
    numbers: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    *,
    limit: float,
    seed: int,
    **options,
) -> Estimate:
    """Estimate H(symbol) - H(symbol | numbers), the second term with a learned classifier.

    With many columns a classifier is far better than densities of the numbers given the symbol: it
    need not learn the dependence between columns (McAllester & Stratos 2020; Barber & Agakov 2003).
    In expectation the score of held-out samples is a lower bound.

    ``numbers`` (N, D), ``labels`` (N,), ``limit`` in seconds; ``options`` are those of `cross_fit`.
    """
    K, N = int(labels.max()) + 1, len(labels)
    # Ties share the mean of their ranks: many equal values, such as black pixels, add no noise.
    inputs = ndtri(rankdata(numbers, axis=0) / (N + 1))
    inputs = (inputs - inputs.mean(axis=0)) / np.maximum(inputs.std(axis=0), 1e-12)
    counts = np.stack([np.bincount(labels[folds != fold], minlength=K) for fold in range(FOLDS)])
    log_prior = np.log((counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True))
    nets = _Classifiers(log_prior, inputs.shape[1], torch.Generator().manual_seed(seed))
    targets = np.broadcast_to(labels[None, :, None], (FOLDS, N, 1))
    options |= {"seed": seed, "deadline": time.monotonic() + limit}
    gain = cross_fit(nets, inputs, targets, log_prior[:, labels, None], folds, **options)
    chance = math.sqrt((K - 1) * inputs.shape[1] / 2) / N  # for a linear classifier (Wilks)
    error = math.hypot(gain.samples.std() / math.sqrt(N), (gain.seen - gain.held_out) / 2, chance)
    nats = (gain.held_out + gain.seen) / 2
    return Estimate(nats, error, "learned")


class _Classifiers(nn.Module):
    """One network for each fold: log prior, plus a linear part, plus two hidden layers."""

    def __init__(self, log_prior: np.ndarray, D: int, generator: torch.Generator):
        super().__init__()
        F, K = log_prior.shape
        H, normal = _HIDDEN, partial(torch.randn, generator=generator, dtype=torch.float32)
        zeros = partial(torch.zeros, dtype=torch.float32)
        self.linear = nn.Parameter(zeros(F, D, K))
        self.first = nn.Parameter(normal(F, D, H) / math.sqrt(D))
        self.first_bias = nn.Parameter(0.5 * normal(F, 1, H))
        self.second = nn.Parameter(normal(F, H, H) * math.sqrt(2 / H))
        self.second_bias = nn.Parameter(zeros(F, 1, H))
        self.last = nn.Parameter(zeros(F, H, K))
        self.last_bias = nn.Parameter(torch.tensor(log_prior, dtype=torch.float32)[:, None])

    def forward(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return log probabilities (F, B, 1) of labels (F, B, 1), given inputs (F, B, D)."""
        hidden = silu(torch.baddbmm(self.first_bias, inputs, self.first))
        hidden = silu(torch.baddbmm(self.second_bias, hidden, self.second))
        logits = torch.baddbmm(self.last_bias, hidden, self.last) + inputs @ self.linear
        return torch.log_softmax(logits, dim=2).gather(2, labels.long())
