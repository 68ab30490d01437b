"""Base classes of the distributions."""

import math
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import numpy as np

from simmim_lite._arguments import as_array, check_integer
from simmim_lite._random import random_generator


class GroundTruth(ABC):
    """Joint distribution of X (``dim_x`` columns) and Y (``dim_y`` columns) with known I(X;Y).

    A subclass defines ``_draw`` and sets ``_nats``, or overrides ``_information``.
    """

    dim_x: int = 1
    dim_y: int = 1
    _nats: float

    @property
    def mutual_information(self) -> float:
        """I(X;Y) in nats."""
        return self._information()[0]

    @property
    def mutual_information_error(self) -> float:
        """Standard error of `mutual_information`, 0 if exact."""
        return self._information()[1]

    def _information(self) -> tuple[float, float]:
        return self._nats, 0.0

    def sample(self, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Return ``n`` independent pairs, x (n, dim_x) and y (n, dim_y), drawn from ``seed``."""
        check_integer("n", n, minimum=1)
        return self._draw(n, random_generator(seed, "ground truth"))

    @abstractmethod
    def _draw(self, n: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]: ...


class MonteCarloTruth(GroundTruth):
    """Distribution without a formula for I: the mean of the exact log density ratio over samples.

    The samples are independent of those of `sample`. The mean is computed at its first use.
    """

    _draws, _parts = 50_000, 20  # in parts, to limit memory

    def _information(self) -> tuple[float, float]:
        return self._monte_carlo

    @cached_property
    def _monte_carlo(self) -> tuple[float, float]:
        generator = random_generator(0, "Monte Carlo")
        draws = (self._draw(self._draws, generator) for _ in range(self._parts))
        ratios = np.concatenate([self.log_density_ratio(x, y) for x, y in draws])
        return float(ratios.mean()), float(ratios.std() / math.sqrt(len(ratios)))

    @abstractmethod
    def log_density_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return log p(x, y) / (p(x) p(y)) in nats, of shape (n,); its mean is I."""


def finite(name: str, value: Any) -> np.ndarray:
    """Return real numbers of any shape as float64; refuse others, nan and infinity."""
    array = as_array(name, value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected real numbers, got dtype {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, got {array[~np.isfinite(array)][0]}")
    return array.astype(np.float64)
