"""Transformed and combined distributions, curves with noise, symbols."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import cbrt, logsumexp, ndtr, softmax

from simmim_lite import entropy
from simmim_lite._arguments import (
    as_class_numbers,
    as_finite,
    as_probabilities,
    check_choice,
    check_integer,
    check_number,
)
from simmim_lite.ground_truth._base import GroundTruth, MonteCarloTruth


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


def _swirl(values: np.ndarray) -> np.ndarray:
    """Rotate each pair of columns by an angle proportional to its radius."""
    values = values.copy()
    for i in range(0, values.shape[1] - 1, 2):
        a, b = values[:, i].copy(), values[:, i + 1].copy()
        angle = 1.5 * np.hypot(a, b)
        values[:, i] = a * np.cos(angle) - b * np.sin(angle)
        values[:, i + 1] = a * np.sin(angle) + b * np.cos(angle)
    return values


def _shear(values: np.ndarray) -> np.ndarray:
    """Add to each column the sine of twice the new column before it."""
    values = values.copy()
    for i in range(1, values.shape[1]):
        values[:, i] += np.sin(2 * values[:, i - 1])
    return values


def _bend(values: np.ndarray) -> np.ndarray:
    """Add to each column half the square of the column before it."""
    return np.hstack([values[:, :1], values[:, 1:] + values[:, :-1] ** 2 / 2])


def _rotate(values: np.ndarray) -> np.ndarray:
    """Multiply by a fixed orthogonal matrix that mixes all columns."""
    dim = values.shape[1]
    noise = np.random.default_rng([7, dim]).standard_normal((dim, dim))
    return values @ np.linalg.qr(noise)[0]


def _swiss_roll(values: np.ndarray) -> np.ndarray:
    """Roll the first column up into two columns."""
    turn = 1.5 * np.pi * (1 + 2 * ndtr(values[:, :1]))
    return np.hstack([turn * np.cos(turn), turn * np.sin(turn), values[:, 1:]]) / 5


def _circle(turns: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], axis=1)


MIXING_MAPS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda values: values,
    "swirl": _swirl,
    "shear": _shear,
    "bend": _bend,
    "rotate": _rotate,
    "swiss_roll": _swiss_roll,
    "shear_rotate": lambda values: _rotate(_shear(values)),
    "rotate_shear": lambda values: _shear(_rotate(values)),
    "rotate_cube": lambda values: _rotate(values) ** 3,
    "circle": lambda values: np.hstack([_circle(ndtr(values[:, 0])), values[:, 1:]]),
    "composition": lambda values: softmax(np.pad(values, ((0, 0), (0, 1))), axis=1),
    "with_square": lambda values: np.hstack([values, values[:, :1] ** 2]),
    "with_bins": lambda values: np.hstack(
        [values, np.eye(4)[(4 * ndtr(values[:, 0])).astype(int)]]
    ),
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

    I is that of ``base``.
    """

    maps = MONOTONE_MAPS


class MixingTransform(_Transform):
    """``base`` with a one-to-one map in `MIXING_MAPS` of the columns of X, and one of those of Y.

    I is that of ``base``. Where a map adds functions of columns, there is no joint density.
    """

    maps = MIXING_MAPS


class Joined(GroundTruth):
    """Independent distributions with their columns concatenated: their information adds up."""

    def __init__(self, *parts: GroundTruth):
        if not parts:
            raise ValueError("parts: expected at least one distribution, got none")
        self.parts = parts
        self.dim_x = sum(part.dim_x for part in parts)
        self.dim_y = sum(part.dim_y for part in parts)

    def _information(self) -> tuple[float, float]:
        nats, errors = zip(*(part._information() for part in self.parts), strict=True)
        return sum(nats), math.hypot(*errors)

    def _draw(self, n, generator):
        draws = [part._draw(n, generator) for part in self.parts]
        return np.hstack([x for x, _ in draws]), np.hstack([y for _, y in draws])


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


# Maps from X (n,) in 0..1 to the columns of Y without noise.
CURVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "parabola": lambda x: (2 * x[:, None] - 1) ** 2,
    "sine": lambda x: np.sin(4 * np.pi * x)[:, None],
    "fast_sine": lambda x: np.sin(10 * np.pi * x)[:, None],
    "zigzag": lambda x: np.abs(4 * (3 * x % 1) - 2)[:, None] - 1,
    "circle": _circle,
    "figure_eight": lambda x: np.hstack([_circle(x)[:, 1:], _circle(2 * x)[:, 1:]]),
    "spiral": lambda x: 2 * x[:, None] * _circle(2 * x),
    "helix": lambda x: np.hstack([_circle(3 * x), 2 * x[:, None] - 1]),
}


class NoisyCurve(MonteCarloTruth):
    """X uniform on (0, 1) and Y a point on a curve plus normal noise in every column.

    ``curve`` is a name in `CURVES`; ``noise`` >= 0.02 is the standard deviation. p(y) is the mean
    density over 1,000 points of the curve: exact unless the noise is far below their distance.
    """

    _draws, _parts = 2500, 60

    def __init__(self, curve: str, noise: float):
        check_choice("curve", curve, CURVES)
        self.curve, self.noise = curve, check_number("noise", noise, minimum=0.02)
        self.dim_y = CURVES[curve](np.zeros(1)).shape[1]

    def _log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        points = CURVES[self.curve]((np.arange(1000) + 0.5) / 1000) / self.noise
        y = y / self.noise
        own = ((y - CURVES[self.curve](x[:, 0]) / self.noise) ** 2).sum(axis=1)
        terms = (y**2).sum(axis=1)[:, None] + (points**2).sum(axis=1) - 2 * y @ points.T
        return -own / 2 - logsumexp(-terms / 2, axis=1) + math.log(1000)

    def _draw(self, n, generator):
        x = generator.random((n, 1))
        noise = self.noise * generator.standard_normal((n, self.dim_y))
        return x, CURVES[self.curve](x[:, 0]) + noise


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


class ClassAndNormal(MonteCarloTruth):
    """X one of K equally likely classes (integer); Y the mean of its class plus normal noise.

    ``means`` (K, dim_y); the noise has standard deviation 1 in every column.
    """

    _draws, _parts = 20_000, 10

    def __init__(self, means: Any):
        self.means = as_finite("means", means)
        if self.means.ndim != 2 or self.means.size == 0:
            raise ValueError(f"means: expected shape (K, dim_y), got {self.means.shape}")
        self.K, self.dim_y = self.means.shape

    def _log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        classes = as_class_numbers("x", x[:, 0], self.K)
        terms = y @ self.means.T - (self.means**2).sum(axis=1) / 2  # without a common constant
        own = terms[np.arange(len(terms)), classes]
        return own - logsumexp(terms, axis=1) + math.log(len(self.means))

    def _draw(self, n, generator):
        x = generator.integers(len(self.means), size=(n, 1))
        return x, self.means[x[:, 0]] + generator.standard_normal((n, self.dim_y))
