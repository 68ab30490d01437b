"""Distributions with a known mutual information, to test estimators on.

Each has ``sample(n, seed) -> x (n, dim_x), y (n, dim_y)``, the true ``mutual_information`` in nats,
and ``mutual_information_error``, the standard error of that truth: 0 where a formula gives it.

Examples:
    >>> truth = CorrelatedGaussian(2, nats=1.5)
    >>> x, y = truth.sample(1000, seed=0)
    >>> x.shape, y.shape
    ((1000, 2), (1000, 2))
    >>> harder = WithNoiseDimensions(MonotoneTransform(truth, "cube", "exp"), 3)
    >>> harder.dim_x, harder.mutual_information
    (5, 1.5)
    >>> AdditiveNoise(width=0.5).mutual_information
    0.5
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import cbrt, logsumexp, ndtr

from simmim_lite._arguments import (
    as_array,
    as_finite,
    as_probabilities,
    check_choice,
    check_integer,
    check_number,
)
from simmim_lite._random import random_generator


class GroundTruth(ABC):
    """Joint distribution of X (``dim_x`` columns) and Y (``dim_y`` columns) with known I(X;Y).

    A subclass defines ``_draw`` and sets ``_nats``, or overrides ``_information``.
    """

    dim_x = dim_y = 1
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
        ratios = np.concatenate([self._log_ratio(x, y) for x, y in draws])
        return float(ratios.mean()), float(ratios.std() / math.sqrt(len(ratios)))

    @abstractmethod
    def _log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return log p(x, y) / (p(x) p(y)) in nats, of shape (n,); its mean is I."""


class CorrelatedGaussian(GroundTruth):
    """Standard normal X and Y of ``dim`` columns; columns i of X and Y have one ``correlation``.

    I = -dim/2 log(1 - correlation^2). Give exactly one of ``nats`` (the total I, >= 0) and
    ``correlation`` (between -1 and 1, both excluded).
    """

    def __init__(
        self, dim: int = 1, *, nats: float | None = None, correlation: float | None = None
    ):
        self.dim_x = self.dim_y = check_integer("dim", dim, minimum=1)
        if (nats is None) == (correlation is None):
            got = f"got nats={nats}, correlation={correlation}"
            raise ValueError(f"nats, correlation: expected exactly one of them, {got}")
        if nats is not None:
            self._nats = check_number("nats", nats, minimum=0)
            self.correlation = math.sqrt(-math.expm1(-2 * nats / dim))
        if correlation is not None:
            self.correlation = check_number("correlation", correlation, minimum=-1, maximum=1)
            if abs(correlation) == 1:
                raise ValueError(f"correlation: expected -1 < correlation < 1, got {correlation}")
            self._nats = -dim / 2 * math.log1p(-(correlation**2))

    def _draw(self, n, generator):
        x, noise = generator.standard_normal((2, n, self.dim_x))
        # sqrt(1 - correlation^2), accurate also if the correlation rounds to 1
        deviation = math.exp(-self.mutual_information / self.dim_x)
        return x, self.correlation * x + deviation * noise


class Independent(GroundTruth):
    """Independent standard normal X and Y: I = 0."""

    _nats = 0.0

    def __init__(self, dim_x: int = 1, dim_y: int = 1):
        self.dim_x = check_integer("dim_x", dim_x, minimum=1)
        self.dim_y = check_integer("dim_y", dim_y, minimum=1)

    def _draw(self, n, generator):
        x, y = np.split(generator.standard_normal((n, self.dim_x + self.dim_y)), [self.dim_x], 1)
        return x, y


class GaussianMixture(MonteCarloTruth):
    """Mixture of K normal distributions of the concatenated columns (X, Y).

    ``weights`` (K,), ``means`` (K, d), ``covariances`` (K, d, d); the first ``dim_x`` columns are
    X, the others Y. No formula for I is known: `MonteCarloTruth`, from a million samples.
    """

    def __init__(self, weights: Any, means: Any, covariances: Any, dim_x: int):
        self.weights = as_probabilities("weights", weights)
        self.means = as_finite("means", means)
        self.covariances = as_finite("covariances", covariances)
        K, shape = self.weights.size, self.covariances.shape
        if self.weights.ndim != 1:
            raise ValueError(f"weights: expected shape (K,), got {self.weights.shape}")
        if self.means.ndim != 2 or len(self.means) != K or self.means.shape[1] < 2:
            raise ValueError(f"means: expected shape ({K}, d) with d >= 2, got {self.means.shape}")
        d = self.means.shape[1]
        if shape != (K, d, d):
            raise ValueError(f"covariances: expected shape {(K, d, d)}, got {shape}")
        for k, covariance in enumerate(self.covariances):
            _check_covariance(covariance, k)
        self.dim_x = check_integer("dim_x", dim_x, minimum=1, maximum=d - 1)
        self.dim_y = d - self.dim_x

    def _log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        X, Y = slice(None, self.dim_x), slice(self.dim_x, None)
        joint = self._log_density(np.hstack([x, y]), slice(None))
        return joint - self._log_density(x, X) - self._log_density(y, Y)

    def _log_density(self, points: np.ndarray, columns: slice) -> np.ndarray:
        terms = []
        with np.errstate(divide="ignore"):  # a component of weight 0 has log density -inf
            logs = np.log(self.weights)
        for log_weight, mean, covariance in zip(logs, self.means, self.covariances, strict=True):
            root = np.linalg.cholesky(covariance[columns, columns])
            z = solve_triangular(root, (points - mean[columns]).T, lower=True)
            log_volume = np.log(np.diag(root)).sum() + len(root) / 2 * math.log(2 * math.pi)
            terms.append(log_weight - (z**2).sum(axis=0) / 2 - log_volume)
        return logsumexp(terms, axis=0)

    def _draw(self, n, generator):
        component = generator.choice(len(self.weights), size=n, p=self.weights)
        noise = generator.standard_normal((n, self.means.shape[1], 1))
        roots = np.linalg.cholesky(self.covariances)
        points = self.means[component] + (roots[component] @ noise)[:, :, 0]
        return points[:, : self.dim_x], points[:, self.dim_x :]


def _check_covariance(matrix: np.ndarray, k: int) -> None:
    """Raise ValueError unless ``matrix`` is symmetric and positive definite."""
    deviations = np.sqrt(np.where(np.diag(matrix) > 0, np.diag(matrix), 1.0))
    scaled = matrix / deviations[:, None] / deviations  # small numbers would be "close"
    if not np.allclose(scaled, scaled.T) or np.linalg.eigvalsh(scaled).min() <= 0:
        expected, got = "symmetric positive definite matrices", matrix.tolist()
        raise ValueError(f"covariances: expected {expected}, got {got} at index {k}")


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


class MonotoneTransform(_Derived):
    """``base`` with an increasing map in `MONOTONE_MAPS` of each column of X, and one of Y.

    I is that of ``base``, if its values suit the maps: "normal_cdf" merges those above 8, "exp" and
    "sinh" overflow above 709. Only heavy tails, as of Student's t, reach so far.
    """

    maps = MONOTONE_MAPS

    def __init__(self, base: GroundTruth, x_map: str, y_map: str):
        check_choice("x_map", x_map, self.maps)
        check_choice("y_map", y_map, self.maps)
        self.base, self.x_map, self.y_map = base, x_map, y_map
        self.dim_x = self.maps[x_map](np.zeros((1, base.dim_x))).shape[1]
        self.dim_y = self.maps[y_map](np.zeros((1, base.dim_y))).shape[1]

    def _draw(self, n, generator):
        x, y = self.base._draw(n, generator)
        return self.maps[self.x_map](x), self.maps[self.y_map](y)


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


class GaussianField:
    """Stationary Gaussian random field on a grid, with every conditional distribution known.

    The covariance of two pixels is exp(-distance / length): "exponential"; or
    exp(-distance^2 / (2 length^2)) plus a ``nugget`` on the diagonal: "squared". Masks are (height,
    width) of bool, true where a pixel is hidden; the others are visible.
    """

    def __init__(
        self,
        height: int,
        width: int,
        *,
        length: float = 3.0,
        kernel: str = "exponential",
        nugget: float = 0.0,
    ):
        self.height = check_integer("height", height, minimum=1)
        self.width = check_integer("width", width, minimum=1)
        if check_number("length", length, minimum=0.0) == 0:
            raise ValueError("length: expected a number above 0, got 0")
        check_choice("kernel", kernel, ("exponential", "squared"))
        check_number("nugget", nugget, minimum=0.0)
        places = np.indices((height, width)).reshape(2, -1).T.astype(float)
        distance = np.linalg.norm(places[:, None] - places, axis=2) / length
        power = distance if kernel == "exponential" else distance**2 / 2
        self.covariance = np.exp(-power) + nugget * np.eye(len(places))
        try:
            self._root = np.linalg.cholesky(self.covariance)
        except np.linalg.LinAlgError as error:
            expected = "a larger one, as these pixels determine one another almost exactly"
            raise ValueError(f"nugget: expected {expected}, got {nugget}") from error

    def sample(self, n: int, seed: int = 0) -> np.ndarray:
        """Return ``n`` independent fields (n, height, width)."""
        check_integer("n", n, minimum=1)
        noise = random_generator(seed, "Gaussian field").standard_normal((n, len(self._root)))
        return (noise @ self._root.T).reshape(n, self.height, self.width)

    def conditional(self, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return A (hidden, visible) and C (hidden, hidden): hidden | visible ~ N(A visible, C)."""
        hidden = self._hidden(mask)
        across = self.covariance[np.ix_(hidden, ~hidden)]
        weights = np.linalg.solve(self.covariance[np.ix_(~hidden, ~hidden)], across.T).T
        return weights, self.covariance[np.ix_(hidden, hidden)] - weights @ across.T

    def conditional_mean(self, fields: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return the fields (n, height, width) with hidden pixels replaced by their means."""
        hidden = self._hidden(mask)
        filled = self._rows(fields).copy()
        filled[:, hidden] = filled[:, ~hidden] @ self.conditional(mask)[0].T
        return filled.reshape(-1, self.height, self.width)

    def bayes_errors(self, mask: np.ndarray) -> tuple[float, float]:
        """Return the smallest possible mean squared and mean absolute error of a hidden pixel."""
        variances = np.diag(self.conditional(mask)[1])
        return float(variances.mean()), float(np.sqrt(2 / np.pi * variances).mean())

    def mutual_information(self, mask: np.ndarray) -> float:
        """I(hidden pixels; visible pixels) in nats."""
        hidden = self._hidden(mask)
        before = self.covariance[np.ix_(hidden, hidden)]
        return _half_log_det(before) - _half_log_det(self.conditional(mask)[1])

    def pixelwise_information(self, mask: np.ndarray) -> float:
        """Sum over hidden pixels of I(pixel; visible pixels), in nats."""
        before = np.diag(self.covariance)[self._hidden(mask)]
        return float(np.log(before / np.diag(self.conditional(mask)[1])).sum() / 2)

    def total_correlation(self, mask: np.ndarray, *, given_visible: bool = False) -> float:
        """Total correlation of the hidden pixels, in nats; also given the visible ones."""
        hidden = self._hidden(mask)
        plain = self.covariance[np.ix_(hidden, hidden)]
        matrix = self.conditional(mask)[1] if given_visible else plain
        return float(np.log(np.diag(matrix)).sum() / 2 - _half_log_det(matrix))

    def log_density(self, fields: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return (n,): log p(hidden | visible) of fields (n, height, width), in nats."""
        hidden = self._hidden(mask)
        weights, covariance = self.conditional(mask)
        rows = self._rows(fields)
        rest = rows[:, hidden] - rows[:, ~hidden] @ weights.T
        scaled = solve_triangular(np.linalg.cholesky(covariance), rest.T, lower=True)
        constant = hidden.sum() / 2 * math.log(2 * math.pi) + _half_log_det(covariance)
        return -0.5 * (scaled**2).sum(axis=0) - constant

    def _rows(self, fields: np.ndarray) -> np.ndarray:
        """Fields (n, height width) as a row each."""
        fields = as_finite("fields", fields)
        if fields.shape[1:] != (self.height, self.width):
            expected = f"shape (n, {self.height}, {self.width})"
            raise ValueError(f"fields: expected {expected}, got {fields.shape}")
        return fields.reshape(-1, self.height * self.width)

    def _hidden(self, mask: np.ndarray) -> np.ndarray:
        mask = as_array("mask", mask)
        expected = self.height, self.width
        if mask.dtype != bool or mask.shape != expected or mask.all() or not mask.any():
            need = f"bool of shape {expected}, with hidden and visible pixels"
            raise ValueError(f"mask: expected {need}, got {mask.dtype} {mask.shape}")
        return mask.ravel()


def _half_log_det(covariance: np.ndarray) -> float:
    return float(np.linalg.slogdet(covariance)[1] / 2)
