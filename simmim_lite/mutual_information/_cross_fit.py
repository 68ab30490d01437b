"""Training of conditional log densities that are scored on samples that they did not see.

Every sample is scored by networks that were trained without it (five folds), and each conditional
stops at the epoch where these scores are best. They are too low by about what the scores of samples
that were seen are too high, so that an estimate takes the mean of both (as Akaike's criterion has
it), and half their distance as its error.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

FOLDS = 5
_PATIENCE = 4
_BATCH = 256


@dataclass(frozen=True)
class Gain:
    """Log density above the base, nats: of each sample held out, and on average.

    ``history`` holds the average over samples held out after each epoch, the best so far.
    """

    samples: np.ndarray
    held_out: float
    seen: float
    history: list[float]


def cross_fit(
    nets: nn.Module,
    inputs: np.ndarray,
    targets: np.ndarray,
    base: np.ndarray,
    folds: np.ndarray,
    *,
    trained: range = range(FOLDS),
    epochs: int = 24,
    learning_rate: float = 1e-2,
    weight_decay: float = 0.2,
    seed: int,
    deadline: float,
    device: str | torch.device,
    tick: Callable[[], object] = lambda: None,
) -> Gain:
    """Train ``nets``, one set a fold of ``trained``; score the samples of these folds.

    ``nets(inputs, targets)`` takes (F, B, D) and (F, B, T), and gives log densities (F, B, T).
    ``inputs`` (N, D); ``targets`` and ``base`` (F, N, T), F the number of folds trained; ``folds``
    (N,) in 0..4, the same for samples that should never be parted (copies). It stops early after
    ``deadline`` (of `time.monotonic`), and calls ``tick`` after each epoch.
    """
    F, T = len(trained), targets.shape[2]
    generator = torch.Generator().manual_seed(seed)
    nets = nets.to(device)
    average = AveragedModel(nets, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    X, E, base = (
        torch.tensor(a, dtype=torch.float32, device=device) for a in (inputs, targets, base)
    )

    size = int(np.bincount(folds, minlength=FOLDS).min())
    parts = [torch.tensor(np.flatnonzero(folds == fold)[:size]) for fold in range(FOLDS)]
    held_out = torch.stack([parts[fold] for fold in trained])
    # Each sample once, by networks that trained on it.
    seen = torch.stack([parts[(fold + 1) % FOLDS] for fold in trained])
    training = torch.stack([torch.cat(parts[:fold] + parts[fold + 1 :]) for fold in trained])
    n = training.shape[1]
    batch = min(_BATCH, n // 4)
    steps = min(max(n // batch, 32), 64)  # an epoch is some passes over few samples
    passes = math.ceil(steps * batch / n)
    rows = torch.arange(F)[:, None]
    optimizer = torch.optim.AdamW(
        nets.parameters(), lr=learning_rate, betas=(0.9, 0.99), weight_decay=weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=epochs * steps, pct_start=0.15
    )

    def gain(index: Tensor) -> Tensor:
        """(F, size, T), in parts that fit into the memory."""
        with torch.no_grad():
            return torch.cat(
                [
                    average(X[part], E[rows, part]) - base[rows, part]
                    for part in index.split(4096, dim=1)
                ],
                dim=1,
            ).cpu()

    best, best_seen, history = np.zeros(T), np.zeros(T), []
    samples = np.zeros((F * size, T), dtype=np.float32)
    last = 0
    for epoch in range(epochs):
        order = torch.rand(F, passes, n, generator=generator).argsort(2).flatten(1)
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
                samples[:, target] = scores[..., target].ravel()
        history.append(float(best.sum()))
        if epoch - last >= _PATIENCE or time.monotonic() > deadline:
            break
    return Gain(samples.sum(1), float(best.sum()), float(best_seen.sum()), history)
