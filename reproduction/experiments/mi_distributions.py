"""Distributions of `mi_tasks`: heavy tails, symbols, mixed columns, curves, thin pieces, parts."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import digamma, gammaln, ive, logsumexp, ndtr, softmax
from scipy.stats import vonmises_fisher

from simmim_lite import entropy
from simmim_lite.ground_truth import (
    CorrelatedGaussian,
    GaussianMixture,
    GroundTruth,
    Independent,
    MonotoneTransform,
    MonteCarloTruth,
)


class Gaussian(GroundTruth):
    """Normal X and Y with any joint ``covariance`` (d, d); the first ``dim_x`` columns are X.

    I = 1/2 log det(S_x) det(S_y) / det(S).
    """

    def __init__(self, covariance: Any, dim_x: int):
        self.covariance = S = np.asarray(covariance, float)
        mixture = GaussianMixture([1.0], np.zeros((1, len(S))), S[None], dim_x)  # checks both
        self.dim_x, self.dim_y = mixture.dim_x, mixture.dim_y
        parts = S[:dim_x, :dim_x], S[dim_x:, dim_x:], S
        volumes = [np.linalg.slogdet(part)[1] for part in parts]
        # Non-negative in exact arithmetic; rounding can give -1e-17.
        self._nats = max(0.0, float(volumes[0] + volumes[1] - volumes[2]) / 2)

    def _draw(self, n, generator):
        root = np.linalg.cholesky(self.covariance)
        points = generator.standard_normal((n, len(root))) @ root.T
        return points[:, : self.dim_x], points[:, self.dim_x :]


class StudentT(GroundTruth):
    """Multivariate t with heavy tails: each pair of a normal ``base`` times one random scale.

    ``base`` is `CorrelatedGaussian`, `Gaussian` or `Independent`; ``degrees`` of freedom, 0.1..1e6.
    The common scale adds information. The entropy of d columns exceeds that of a normal variable
    with the same matrix by a term g(d) (Kotz & Nadarajah, *Multivariate t Distributions*, 2004,
    chapter 1): I = I(base) + g(dim_x) + g(dim_y) - g(dim_x + dim_y).
    """

    def __init__(self, base: GroundTruth, degrees: float):
        if not isinstance(base, CorrelatedGaussian | Gaussian | Independent):
            raise TypeError(f"base: expected normal variables, got {type(base).__name__}")
        if not 0.1 <= degrees <= 1e6:
            raise ValueError(f"degrees: expected a number in [0.1, 1e+06], got {degrees}")
        self.base, self.degrees = base, degrees
        self.dim_x, self.dim_y = base.dim_x, base.dim_y
        separate = self._excess(self.dim_x) + self._excess(self.dim_y)
        added = max(0.0, separate - self._excess(self.dim_x + self.dim_y))  # else -1e-9 by rounding
        self._nats = base.mutual_information + added

    def _excess(self, dim: int) -> float:
        """Return g(dim), without a part proportional to ``dim``, which cancels in I."""
        half, more = self.degrees / 2, (self.degrees + dim) / 2
        return float(gammaln(half) - gammaln(more) + more * (digamma(more) - digamma(half)))

    def _draw(self, n, generator):
        x, y = self.base._draw(n, generator)
        scale = np.sqrt(self.degrees / generator.chisquare(self.degrees, (n, 1)))
        return x * scale, y * scale


class DiscreteTable(GroundTruth):
    """Pairs of symbols 0, 1, ... from a probability table p(x, y); x and y are integer (n, 1)."""

    def __init__(self, table: Any):
        self._nats = entropy.mutual_information(table)
        self.table = np.asarray(table, float)

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
        if K < 1:
            raise ValueError(f"K: expected a number of classes >= 1, got {K}")
        self.K = K
        self._nats = math.log(K) - (K - 1) / K * math.log(2)

    def _draw(self, n, generator):
        x = generator.integers(self.K, size=(n, 1))
        return x, x + generator.uniform(0, 2, (n, 1))


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
    "with_bins": lambda v: np.hstack([v, np.eye(4)[np.fmin(4 * ndtr(v[:, 0]), 3).astype(int)]]),
}


class MixingTransform(MonotoneTransform):
    """``base`` with a one-to-one map in `MIXING_MAPS` of the columns of X, and one of those of Y.

    I is that of ``base``, but "circle" and "swiss_roll" merge values above 8 in the first column,
    and "composition" loses those beyond 700. With added functions there is no joint density.
    """

    maps = MIXING_MAPS


class Joined(GroundTruth):
    """Independent distributions with their columns concatenated: their information adds up."""

    def __init__(self, *parts: GroundTruth):
        self.parts = parts
        self.dim_x = sum(part.dim_x for part in parts)
        self.dim_y = sum(part.dim_y for part in parts)

    def _information(self) -> tuple[float, float]:
        nats, errors = zip(*(part._information() for part in self.parts), strict=True)
        return sum(nats), math.hypot(*errors)

    def _draw(self, n, generator):
        draws = [part._draw(n, generator) for part in self.parts]
        return np.hstack([x for x, _ in draws]), np.hstack([y for _, y in draws])


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
        self.curve, self.noise = curve, noise
        self.dim_y = CURVES[curve](np.zeros(1)).shape[1]

    def _log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        curve, scale = CURVES[self.curve], -2 * self.noise**2
        own = ((y - curve(x[:, 0])) ** 2).sum(axis=1) / scale
        terms = cdist(y, curve((np.arange(1000) + 0.5) / 1000), "sqeuclidean") / scale
        return own - logsumexp(terms, axis=1) + math.log(1000)

    def _draw(self, n, generator):
        x = generator.random((n, 1))
        noise = self.noise * generator.standard_normal((n, self.dim_y))
        return x, CURVES[self.curve](x[:, 0]) + noise


class ClassAndNormal(MonteCarloTruth):
    """X one of K equally likely classes (integer); Y the mean of its class plus normal noise.

    ``means`` (K, dim_y); the noise has standard deviation 1 in every column.
    """

    _draws, _parts = 20_000, 10

    def __init__(self, means: Any):
        self.means = np.asarray(means, float)
        self.K, self.dim_y = self.means.shape

    def _log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        terms = cdist(y, self.means, "sqeuclidean") / -2  # without a common constant
        own = terms[np.arange(len(terms)), x[:, 0].astype(int)]
        return own - logsumexp(terms, axis=1) + math.log(len(self.means))

    def _draw(self, n, generator):
        x = generator.integers(len(self.means), size=(n, 1))
        return x, self.means[x[:, 0]] + generator.standard_normal((n, self.dim_y))


class UniformCells(GroundTruth):
    """X and Y in (0, 1), with a joint density that is constant in each cell of a grid.

    ``table`` (K_x, K_y) holds the probabilities of the cells, and I is that of the table.
    """

    def __init__(self, table: Any):
        self._cells = DiscreteTable(table)
        self._nats = self._cells.mutual_information

    def _draw(self, n, generator):
        x, y = self._cells._draw(n, generator)
        place = generator.random((2, n, 1))
        K_x, K_y = self._cells.table.shape
        return (x + place[0]) / K_x, (y + place[1]) / K_y


class NoisyDirection(GroundTruth):
    """X uniform on the unit sphere of ``dim`` columns, Y from von Mises & Fisher around X.

    Circle: ``dim`` = 2. With concentration c, h(Y|X) = -log C(c) - c A(c), where C is the constant
    of the density, c^(d/2-1) / ((2 pi)^(d/2) I_{d/2-1}(c)), and A = I_{d/2} / I_{d/2-1}, with
    modified Bessel functions (Mardia & Jupp, *Directional Statistics*, 2000, section 9.3). Y is
    uniform, so I = log(area) + log C(c) + c A(c).
    """

    def __init__(self, dim: int, concentration: float):
        self.dim_x = self.dim_y = d = dim
        self.concentration = c = concentration
        bessel = ive(d / 2 - 1, c)  # times exp(-c)
        constant = (d / 2 - 1) * math.log(c) - d / 2 * math.log(2 * math.pi) - math.log(bessel) - c
        area = math.log(2) + d / 2 * math.log(math.pi) - gammaln(d / 2)
        self._nats = float(area + constant + c * ive(d / 2, c) / bessel)

    def _draw(self, n, generator):
        x = generator.standard_normal((n, self.dim_x))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        pole = np.eye(self.dim_x)[0]
        y = vonmises_fisher(pole, self.concentration).rvs(n, random_state=generator)
        axis = x - pole  # the reflection that takes the pole to x
        axis /= np.linalg.norm(axis, axis=1, keepdims=True)
        return x, y - 2 * axis * (axis * y).sum(axis=1, keepdims=True)


class OneHotClass(GroundTruth):
    """``base`` with its class X (integer) as K one-hot columns; I is that of ``base``."""

    def __init__(self, base: ClassAndFeature | ClassAndNormal):
        self.base, self.dim_x, self.dim_y = base, base.K, base.dim_y

    def _information(self):
        return self.base._information()

    def _draw(self, n, generator):
        x, y = self.base._draw(n, generator)
        return np.eye(self.dim_x)[x[:, 0]], y
