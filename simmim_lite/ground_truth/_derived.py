"""Transformed and combined distributions, curves with noise, symbols."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import cbrt, ndtr

from simmim_lite import entropy
from simmim_lite._arguments import (
    as_probabilities,
    check_choice,
    check_integer,
    check_number,
)
from simmim_lite.ground_truth._base import GroundTruth


class _Derived(GroundTruth):
    """A distribution with the mutual information of ``base``."""

    base: GroundTruth

    def _information(self) -> tuple[float, float]:
        return self.base._information()


MONOTONE_MAPS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda values: values,
    "cube": lambda values: values**3,
    "cube_root": cbrt,
    "exp": np.exp,
    "sinh": np.sinh,
    "asinh": np.arcsinh,
    "normal_cdf": ndtr,
}


class _Transform(_Derived):
    """``base`` with the map ``x_map`` of X and ``y_map`` of Y, names in ``maps``."""

    maps: dict[str, Callable[[np.ndarray], np.ndarray]]

    def __init__(self, base: GroundTruth, x_map: str, y_map: str):
        check_choice("x_map", x_map, self.maps)
        check_choice("y_map", y_map, self.maps)
        self.base, self.x_map, self.y_map = base, x_map, y_map
        self.dim_x = self.maps[x_map](np.zeros((1, base.dim_x))).shape[1]
        self.dim_y = self.maps[y_map](np.zeros((1, base.dim_y))).shape[1]

    def _draw(self, n, generator):
        x, y = self.base._draw(n, generator)
        return self.maps[self.x_map](x), self.maps[self.y_map](y)


class MonotoneTransform(_Transform):
    """``base`` with an increasing map in `MONOTONE_MAPS` of each column of X, and one of Y.

    I is that of ``base``, if its values suit the maps: "normal_cdf" merges those above 8, "exp" and
    "sinh" overflow above 709. Only heavy tails, as of `StudentT`, reach so far.
    """

    maps = MONOTONE_MAPS


class WithNoiseDimensions(_Derived):
    """``base`` with ``extra`` normal columns without information in X and in Y: I is unchanged."""

    def __init__(self, base: GroundTruth, extra: int):
        self.base = base
        self.extra = check_integer("extra", extra, minimum=0)
        self.dim_x, self.dim_y = base.dim_x + extra, base.dim_y + extra

    def _draw(self, n, generator):
        x, y = self.base._draw(n, generator)
        noise = generator.standard_normal((2, n, self.extra))
        return np.hstack([x, noise[0]]), np.hstack([y, noise[1]])


class AdditiveNoise(GroundTruth):
    """X uniform on (0, 1) and Y = X + uniform noise on (-width, width).

    I = h(Y) - h(Y|X) with h(Y|X) = log(2 width). The density of Y is a trapezoid. Integration over
    its plateau and its two ramps gives h(Y) = width if 2 width <= 1, else log(2 width) +
    1 / (4 width). So I = width - log(2 width), or 1 / (4 width).
    """

    def __init__(self, width: float):
        self.width = check_number("width", width, minimum=0)
        if width == 0:
            raise ValueError("width: expected a width > 0, got 0 (without noise I is infinite)")
        self._nats = width - math.log(2 * width) if 2 * width <= 1 else 1 / (4 * width)

    def _draw(self, n, generator):
        x = generator.uniform(0, 1, (n, 1))
        return x, x + generator.uniform(-self.width, self.width, (n, 1))


class DiscreteTable(GroundTruth):
    """Pairs of symbols 0, 1, ... from a probability table p(x, y); x and y are integer (n, 1)."""

    def __init__(self, table: Any):
        self.table = as_probabilities("table", table)
        self._nats = entropy.mutual_information(self.table)

    def _draw(self, n, generator):
        # Normalized exactly, as `choice` requires.
        p = self.table.ravel() / self.table.sum()
        x, y = np.divmod(generator.choice(p.size, size=n, p=p), self.table.shape[1])
        return x[:, None], y[:, None]


class ClassAndFeature(GroundTruth):
    """X one of K equally likely classes (integer); Y uniform on (X, X + 2): classes overlap.

    Y has density 1/K on (1, K) and half of that on the unit interval on each side. So
    h(Y) = log K + (log 2) / K, h(Y|X) = log 2 and I = log K - (K - 1) / K log 2.
    """

    def __init__(self, K: int = 5):
        self.K = check_integer("K", K, minimum=1)
        self._nats = math.log(K) - (K - 1) / K * math.log(2)

    def _draw(self, n, generator):
        x = generator.integers(self.K, size=(n, 1))
        return x, x + generator.uniform(0, 2, (n, 1))
