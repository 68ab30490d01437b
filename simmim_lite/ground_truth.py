"""Distributions whose mutual information is known: the yardsticks for every estimator.

Each has ``sample(n, seed) -> x (n, dim_x), y (n, dim_y)``, the truth ``mutual_information`` in
nats, and ``mutual_information_error``, its standard error: 0 where a formula gives the truth.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import cbrt, logsumexp, ndtr

from simmim_lite import entropy
from simmim_lite._arguments import (
    as_array,
    as_probabilities,
    check_choice,
    check_integer,
    check_number,
    random_generator,
)


class GroundTruth(ABC):
    """A joint distribution of X (``dim_x`` columns) and Y (``dim_y``) with known I(X;Y)."""

    dim_x: int = 1
    dim_y: int = 1
    mutual_information: float
    mutual_information_error: float = 0.0

    def sample(self, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """``n`` independent pairs: x (n, dim_x), y (n, dim_y); the same for the same seed."""
        check_integer("n", n, minimum=1)
        return self._draw(n, random_generator(seed, "ground truth"))

    @abstractmethod
    def _draw(self, n: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]: ...


class CorrelatedGaussian(GroundTruth):
    """Standard normal X and Y of ``dim`` columns; column i of X and of Y have one correlation.

    I = -dim/2 log(1 - correlation^2). Give exactly one of ``nats`` (the total I, >= 0) and
    ``correlation`` (in -1..1, ends excluded).
    """

    def __init__(
        self, dim: int = 1, *, nats: float | None = None, correlation: float | None = None
    ):
        self.dim_x = self.dim_y = check_integer("dim", dim, minimum=1)
        if (nats is None) == (correlation is None):
            raise ValueError(
                "nats, correlation: expected exactly one of them, "
                f"got nats={nats}, correlation={correlation}"
            )
        if nats is not None:
            self.mutual_information = check_number("nats", nats, minimum=0)
            self.correlation = math.sqrt(-math.expm1(-2 * nats / dim))
        else:
            self.correlation = check_number("correlation", correlation, minimum=-1, maximum=1)
            if abs(correlation) == 1:
                raise ValueError(f"correlation: expected -1 < correlation < 1, got {correlation}")
            self.mutual_information = -dim / 2 * math.log1p(-(correlation**2))

    def _draw(self, n, generator):
        x, noise = generator.standard_normal((2, n, self.dim_x))
        # sqrt(1 - correlation^2), exact for correlations that round to 1
        share = math.exp(-self.mutual_information / self.dim_x)
        return x, self.correlation * x + share * noise


class Independent(GroundTruth):
    """Standard normal X and Y that share nothing: I = 0."""

    mutual_information = 0.0

    def __init__(self, dim_x: int = 1, dim_y: int = 1):
        self.dim_x = check_integer("dim_x", dim_x, minimum=1)
        self.dim_y = check_integer("dim_y", dim_y, minimum=1)

    def _draw(self, n, generator):
        x, y = np.split(generator.standard_normal((n, self.dim_x + self.dim_y)), [self.dim_x], 1)
        return x, y


class AdditiveNoise(GroundTruth):
    """X uniform on (0, 1) and Y = X + uniform noise on (-width, width).

    I = h(Y) - h(Y|X), and h(Y|X) = log(2 width). Y has a trapezoid density, whose plateau carries
    no or constant -log p and whose two ramps integrate to h(Y) = width if 2 width <= 1 and
    h(Y) = log(2 width) + 1 / (4 width) if not. So I = width - log(2 width), or 1 / (4 width).
    """

    def __init__(self, width: float):
        self.width = check_number("width", width, minimum=0)
        if width == 0:
            raise ValueError("width: expected a width > 0, got 0 (without noise I is infinite)")
        self.mutual_information = width - math.log(2 * width) if 2 * width <= 1 else 1 / (4 * width)

    def _draw(self, n, generator):
        x = generator.uniform(0, 1, (n, 1))
        return x, x + generator.uniform(-self.width, self.width, (n, 1))


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
    """X one of K classes (integer), equally likely; Y uniform on (X, X + 2): neighbours overlap.

    Y has density 1/K on (1, K) and half of that on the unit interval at each side, so
    h(Y) = log K + (log 2) / K, h(Y|X) = log 2 and I = log K - (K - 1) / K log 2.
    """

    def __init__(self, K: int = 5):
        self.K = check_integer("K", K, minimum=1)
        self.mutual_information = math.log(K) - (K - 1) / K * math.log(2)

    def _draw(self, n, generator):
        x = generator.integers(self.K, size=(n, 1))
        return x, x + generator.uniform(0, 2, (n, 1))


class GaussianMixture(GroundTruth):
    """Mixture of K normal distributions over the joined columns (X, Y).

    ``weights`` (K,), ``means`` (K, d), ``covariances`` (K, d, d); the first ``dim_x`` columns are
    X, the others Y. No formula is known for I: it is the mean of log p(x, y) / (p(x) p(y)), with
    exact densities, over a million draws of its own, computed once when first asked for.
    """

    def __init__(self, weights: Any, means: Any, covariances: Any, dim_x: int):
        self.weights = as_probabilities("weights", weights)
        self.means = _finite("means", means)
        self.covariances = _finite("covariances", covariances)
        K = self.weights.size
        if self.weights.ndim != 1:
            raise ValueError(f"weights: expected shape (K,), got {self.weights.shape}")
        if self.means.ndim != 2 or len(self.means) != K or self.means.shape[1] < 2:
            raise ValueError(f"means: expected shape ({K}, d) with d >= 2, got {self.means.shape}")
        d = self.means.shape[1]
        if self.covariances.shape != (K, d, d):
            raise ValueError(
                f"covariances: expected shape {(K, d, d)}, got {self.covariances.shape}"
            )
        for k, covariance in enumerate(self.covariances):
            symmetric = np.allclose(covariance, covariance.T)
            if not symmetric or np.linalg.eigvalsh(covariance).min() <= 0:
                raise ValueError(
                    "covariances: expected symmetric positive definite matrices, "
                    f"got {covariance.tolist()} at index {k}"
                )
        self.dim_x = check_integer("dim_x", dim_x, minimum=1, maximum=d - 1)
        self.dim_y = d - self.dim_x

    @property
    def mutual_information(self) -> float:
        return self._monte_carlo[0]

    @property
    def mutual_information_error(self) -> float:
        return self._monte_carlo[1]

    @cached_property
    def _monte_carlo(self) -> tuple[float, float]:
        generator = random_generator(0, "Monte Carlo")
        draws = [self._draw(50_000, generator) for _ in range(20)]  # in parts, to bound memory
        ratios = np.concatenate([self.log_density_ratio(x, y) for x, y in draws])
        return float(ratios.mean()), float(ratios.std() / math.sqrt(len(ratios)))

    def log_density_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """log p(x, y) / (p(x) p(y)) in nats, exact, of shape (n,); its mean is I."""
        X, Y = slice(None, self.dim_x), slice(self.dim_x, None)
        joint = self._log_density(np.hstack([x, y]), slice(None))
        return joint - self._log_density(x, X) - self._log_density(y, Y)

    def _log_density(self, points: np.ndarray, columns: slice) -> np.ndarray:
        terms = []
        for weight, mean, covariance in zip(
            self.weights, self.means, self.covariances, strict=True
        ):
            root = np.linalg.cholesky(covariance[columns, columns])
            z = solve_triangular(root, (points - mean[columns]).T, lower=True)
            log_volume = np.log(np.diag(root)).sum() + len(root) / 2 * math.log(2 * math.pi)
            with np.errstate(divide="ignore"):  # a component of weight 0 has log density -inf
                terms.append(np.log(weight) - (z**2).sum(axis=0) / 2 - log_volume)
        return logsumexp(terms, axis=0)

    def _draw(self, n, generator):
        component = generator.choice(len(self.weights), size=n, p=self.weights)
        noise = generator.standard_normal((n, self.means.shape[1], 1))
        roots = np.linalg.cholesky(self.covariances)
        points = self.means[component] + (roots[component] @ noise)[:, :, 0]
        return points[:, : self.dim_x], points[:, self.dim_x :]


MONOTONE_MAPS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda values: values,
    "cube": lambda values: values**3,
    "cube_root": cbrt,
    "exp": np.exp,
    "sinh": np.sinh,
    "asinh": np.arcsinh,
    "normal_cdf": ndtr,
}


class MonotoneTransform(GroundTruth):
    """Another truth with every column of X and of Y put through a strictly increasing map.

    The maps are named in `MONOTONE_MAPS`. They can be undone, so I is that of ``base``.
    """

    def __init__(self, base: GroundTruth, x_map: str, y_map: str):
        check_choice("x_map", x_map, MONOTONE_MAPS)
        check_choice("y_map", y_map, MONOTONE_MAPS)
        self.base, self.x_map, self.y_map = base, x_map, y_map
        self.dim_x, self.dim_y = base.dim_x, base.dim_y

    @property
    def mutual_information(self) -> float:
        return self.base.mutual_information

    @property
    def mutual_information_error(self) -> float:
        return self.base.mutual_information_error

    def _draw(self, n, generator):
        x, y = self.base._draw(n, generator)
        return MONOTONE_MAPS[self.x_map](x), MONOTONE_MAPS[self.y_map](y)


class WithNoiseDimensions(GroundTruth):
    """Another truth with ``extra`` standard normal columns, independent of all, in X and in Y.

    They carry nothing, so I is that of ``base``; nearest-neighbour estimators drown in them.
    """

    def __init__(self, base: GroundTruth, extra: int):
        self.base = base
        self.extra = check_integer("extra", extra, minimum=0)
        self.dim_x, self.dim_y = base.dim_x + extra, base.dim_y + extra

    @property
    def mutual_information(self) -> float:
        return self.base.mutual_information

    @property
    def mutual_information_error(self) -> float:
        return self.base.mutual_information_error

    def _draw(self, n, generator):
        x, y = self.base._draw(n, generator)
        noise = generator.standard_normal((2, n, self.extra))
        return np.hstack([x, noise[0]]), np.hstack([y, noise[1]])


def _finite(name: str, value: Any) -> np.ndarray:
    array = as_array(name, value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected real numbers, got dtype {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, got {array[~np.isfinite(array)][0]}")
    return array.astype(np.float64)
