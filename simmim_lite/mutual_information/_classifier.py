"""I(symbol; numbers) = H(symbol) - H(symbol | numbers), the second term by a learned classifier.

Far better than densities of the numbers given the symbol where the numbers have many columns: a
classifier need not learn what the columns have to do with each other (McAllester & Stratos 2020;
Barber & Agakov 2003). In expectation the score of samples held out is a lower bound.
"""

import math
import time

import numpy as np
import torch
from scipy.special import ndtri
from scipy.stats import rankdata
from torch import Tensor, nn
from torch.nn.functional import silu

from simmim_lite.mutual_information._cross_fit import FOLDS, cross_fit
from simmim_lite.mutual_information._estimate import Estimate

_HIDDEN = 128


def by_classifier(
    numbers: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    *,
    limit: float,
    seed: int,
    **options,
) -> Estimate:
    """Of ``numbers`` (N, D) and ``labels`` (N,); ``limit`` in seconds; the rest of `cross_fit`."""
    K, N = int(labels.max()) + 1, len(labels)
    # Tied values share the mean of their ranks: that most pixels are black is no noise.
    inputs = ndtri(rankdata(numbers, axis=0) / (N + 1))
    inputs = (inputs - inputs.mean(axis=0)) / np.maximum(inputs.std(axis=0), 1e-12)
    counts = np.stack([np.bincount(labels[folds != fold], minlength=K) for fold in range(FOLDS)])
    log_prior = np.log((counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True))
    nets = _Classifiers(log_prior, inputs.shape[1], torch.Generator().manual_seed(seed))
    gain = cross_fit(
        nets,
        inputs,
        np.broadcast_to(labels[None, :, None], (FOLDS, N, 1)),
        log_prior[:, labels, None],
        folds,
        seed=seed,
        deadline=time.monotonic() + limit,
        **options,
    )
    by_chance = math.sqrt((K - 1) * inputs.shape[1] / 2) / N  # of a linear classifier (Wilks)
    error = math.hypot(
        gain.samples.std() / math.sqrt(N), (gain.seen - gain.held_out) / 2, by_chance
    )
    nats = (gain.held_out + gain.seen) / 2
    return Estimate(nats, error, "learned", history=tuple(gain.history))


class _Classifiers(nn.Module):
    """One network a fold: log prior, plus a linear part, plus two hidden layers."""

    def __init__(self, log_prior: np.ndarray, D: int, generator: torch.Generator):
        super().__init__()
        F, K = log_prior.shape
        H = _HIDDEN

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        self.linear = nn.Parameter(torch.zeros(F, D, K))
        self.first = nn.Parameter(normal(F, D, H) / math.sqrt(D))
        self.first_bias = nn.Parameter(0.5 * normal(F, 1, H))
        self.second = nn.Parameter(normal(F, H, H) * math.sqrt(2 / H))
        self.second_bias = nn.Parameter(torch.zeros(F, 1, H))
        self.last = nn.Parameter(torch.zeros(F, H, K))
        self.last_bias = nn.Parameter(torch.tensor(log_prior, dtype=torch.float32)[:, None])

    def forward(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """inputs (F, B, D), labels (F, B, 1) -> log probabilities of the labels (F, B, 1)."""
        hidden = silu(torch.baddbmm(self.first_bias, inputs, self.first))
        hidden = silu(torch.baddbmm(self.second_bias, hidden, self.second))
        logits = torch.baddbmm(self.last_bias, hidden, self.last) + inputs @ self.linear
        return torch.log_softmax(logits, dim=2).gather(2, labels.long())
