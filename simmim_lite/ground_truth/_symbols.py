"""Symbols x symbols, and symbols x numbers."""

import math
from typing import Any

import numpy as np
from scipy.special import logsumexp

from simmim_lite import entropy
from simmim_lite._arguments import as_probabilities, check_integer
from simmim_lite.ground_truth._base import GroundTruth, MonteCarloTruth, finite


class DiscreteTable(GroundTruth):
    """Pairs of symbols 0, 1, ... drawn from a probability table p(x, y); both integer (n, 1)."""

    def __init__(self, table: Any):
        self.table = as_probabilities("table", table)
        self.mutual_information = entropy.mutual_information(self.table)

    def _draw(self, n, generator):
        # Exactly normalized, as `choice` asks; the table's own tolerance is wider.
        p = self.table.ravel() / self.table.sum()
        x, y = np.divmod(generator.choice(p.size, size=n, p=p), self.table.shape[1])
        return x[:, None], y[:, None]


class ClassAndFeature(GroundTruth):
    """X one of K classes (integer), equally likely; Y uniform on (X, X + 2): neighbors overlap.

    Y has density 1/K on (1, K) and half of that on the unit interval at each side, so
    h(Y) = log K + (log 2) / K, h(Y|X) = log 2 and I = log K - (K - 1) / K log 2.
    """

    def __init__(self, K: int = 5):
        self.K = check_integer("K", K, minimum=1)
        self.mutual_information = math.log(K) - (K - 1) / K * math.log(2)

    def _draw(self, n, generator):
        x = generator.integers(self.K, size=(n, 1))
        return x, x + generator.uniform(0, 2, (n, 1))


class ClassAndNormal(MonteCarloTruth):
    """X one of K classes (integer), equally likely; Y the mean of its class plus normal noise.

    ``means`` (K, dim_y); the noise has deviation 1 in every column.
    """

    _draws, _parts = 20_000, 10

    def __init__(self, means: Any):
        self.means = finite("means", means)
        if self.means.ndim != 2 or self.means.size == 0:
            raise ValueError(f"means: expected shape (K, dim_y), got {self.means.shape}")
        self.dim_y = self.means.shape[1]

    def log_density_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """log p(y | x) / p(y) in nats, exact, of shape (n,); its mean is I."""
        terms = y @ self.means.T - (self.means**2).sum(axis=1) / 2  # but for what they share
        own = np.take_along_axis(terms, x, axis=1)[:, 0]
        return own - logsumexp(terms, axis=1) + math.log(len(self.means))

    def _draw(self, n, generator):
        x = generator.integers(len(self.means), size=(n, 1))
        return x, self.means[x[:, 0]] + generator.standard_normal((n, self.dim_y))
