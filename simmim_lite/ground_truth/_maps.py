"""Other truths with their columns mapped, mixed or joined."""

import math
from collections.abc import Callable

import numpy as np
from scipy.special import cbrt, ndtr

from simmim_lite._arguments import check_choice, check_integer
from simmim_lite.ground_truth._base import GroundTruth


class _Derived(GroundTruth):
    """A truth whose mutual information is that of ``base``."""

    base: GroundTruth

    @property
    def mutual_information(self) -> float:
        return self.base.mutual_information

    @property
    def mutual_information_error(self) -> float:
        return self.base.mutual_information_error


MONOTONE_MAPS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda values: values,
    "cube": lambda values: values**3,
    "cube_root": cbrt,
    "exp": np.exp,
    "sinh": np.sinh,
    "asinh": np.arcsinh,
    "normal_cdf": ndtr,
}


class MonotoneTransform(_Derived):
    """Another truth with every column of X and of Y put through a strictly increasing map.

    The maps are named in `MONOTONE_MAPS`. They can be undone, so I is that of ``base``.
    """

    def __init__(self, base: GroundTruth, x_map: str, y_map: str):
        check_choice("x_map", x_map, MONOTONE_MAPS)
        check_choice("y_map", y_map, MONOTONE_MAPS)
        self.base, self.x_map, self.y_map = base, x_map, y_map
        self.dim_x, self.dim_y = base.dim_x, base.dim_y

    def _draw(self, n, generator):
        x, y = self.base._draw(n, generator)
        return MONOTONE_MAPS[self.x_map](x), MONOTONE_MAPS[self.y_map](y)


def _swirl(values: np.ndarray) -> np.ndarray:
    """Each pair of columns turned by an angle that grows with its radius."""
    values = values.copy()
    for i in range(0, values.shape[1] - 1, 2):
        a, b = values[:, i].copy(), values[:, i + 1].copy()
        angle = 1.5 * np.hypot(a, b)
        values[:, i] = a * np.cos(angle) - b * np.sin(angle)
        values[:, i + 1] = a * np.sin(angle) + b * np.cos(angle)
    return values


def _shear(values: np.ndarray) -> np.ndarray:
    """To each column the sine of twice the new column before it."""
    values = values.copy()
    for i in range(1, values.shape[1]):
        values[:, i] += np.sin(2 * values[:, i - 1])
    return values


def _bend(values: np.ndarray) -> np.ndarray:
    """To each column half the square of the column before it."""
    return np.hstack([values[:, :1], values[:, 1:] + values[:, :-1] ** 2 / 2])


def _rotate(values: np.ndarray) -> np.ndarray:
    """Turned by a fixed orthogonal matrix that mixes all columns."""
    dim = values.shape[1]
    noise = np.random.default_rng([7, dim]).standard_normal((dim, dim))
    return values @ np.linalg.qr(noise)[0]


def _swiss_roll(values: np.ndarray) -> np.ndarray:
    """The first column rolled up into two."""
    turn = 1.5 * np.pi * (1 + 2 * ndtr(values[:, :1]))
    return np.hstack([turn * np.cos(turn), turn * np.sin(turn), values[:, 1:]]) / 5


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
}


class MixingTransform(_Derived):
    """Another truth with the columns of X, and those of Y, mixed by a map that can be undone.

    The maps are named in `MIXING_MAPS`.
    """

    def __init__(self, base: GroundTruth, x_map: str, y_map: str):
        check_choice("x_map", x_map, MIXING_MAPS)
        check_choice("y_map", y_map, MIXING_MAPS)
        self.base, self.x_map, self.y_map = base, x_map, y_map
        self.dim_x = base.dim_x + (x_map == "swiss_roll")
        self.dim_y = base.dim_y + (y_map == "swiss_roll")

    def _draw(self, n, generator):
        x, y = self.base._draw(n, generator)
        return MIXING_MAPS[self.x_map](x), MIXING_MAPS[self.y_map](y)


class Joined(GroundTruth):
    """Truths independent of each other side by side: columns and information add up."""

    def __init__(self, *parts: GroundTruth):
        if not parts:
            raise ValueError("parts: expected at least one truth, got none")
        self.parts = parts
        self.dim_x = sum(part.dim_x for part in parts)
        self.dim_y = sum(part.dim_y for part in parts)

    @property
    def mutual_information(self) -> float:
        return sum(part.mutual_information for part in self.parts)

    @property
    def mutual_information_error(self) -> float:
        return math.hypot(*(part.mutual_information_error for part in self.parts))

    def _draw(self, n, generator):
        draws = [part._draw(n, generator) for part in self.parts]
        return np.hstack([x for x, _ in draws]), np.hstack([y for _, y in draws])


class WithNoiseDimensions(_Derived):
    """Another truth with ``extra`` standard normal columns, independent of all, in X and in Y.

    They carry nothing, so I is that of ``base``; nearest-neighbor estimators drown in them.
    """

    def __init__(self, base: GroundTruth, extra: int):
        self.base = base
        self.extra = check_integer("extra", extra, minimum=0)
        self.dim_x, self.dim_y = base.dim_x + extra, base.dim_y + extra

    def _draw(self, n, generator):
        x, y = self.base._draw(n, generator)
        noise = generator.standard_normal((2, n, self.extra))
        return np.hstack([x, noise[0]]), np.hstack([y, noise[1]])
