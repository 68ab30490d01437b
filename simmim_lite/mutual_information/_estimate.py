"""The result of an estimator, and the common preparation of samples."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from simmim_lite._arguments import as_labels, as_samples, check_choice, check_same_length


@dataclass(frozen=True)
class Estimate:
    """Estimated mutual information.

    Attributes:
        nats: the estimate, in nats.
        standard_error: its standard deviation over other samples of this size, without the bias,
            which is often larger: test an estimator on `ground_truth` first. (The error of
            "learned" includes its bias.)
        method: name of the estimator.
        reason: why "auto" chose this method, and warnings.
        is_lower_bound: whether I is probably higher (columns were reduced) or infinite.
        history: the estimate after each epoch of a learned estimator.
    """

    nats: float
    standard_error: float
    method: str
    reason: str = ""
    is_lower_bound: bool = False
    history: tuple[float, ...] = ()

    def __str__(self) -> str:
        bound = "at least " if self.is_lower_bound else ""
        return f"{bound}{self.nats:.3f} ± {self.standard_error:.3f} nats ({self.method})"


def paired_samples(
    x: Any, y: Any, discrete: Collection[str] = (), *, minimum: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y: labels (N,) for the names in ``discrete``, others as float64 (N, dim)."""
    x = (as_labels if "x" in discrete else as_samples)("x", x, minimum=minimum)
    y = (as_labels if "y" in discrete else as_samples)("y", y, minimum=minimum)
    check_same_length(x=x, y=y)
    return x, y


def scaled(values: np.ndarray, scale: str, generator: np.random.Generator) -> np.ndarray:
    """Return columns (N, dim) on one scale, each without repeated values."""
    check_choice("scale", scale, ("rank", "standardize"))
    if scale == "rank":
        return normal_scores(values, generator)
    deviation = values.std(axis=0)
    values = (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    for column in values.T:
        if len(np.unique(column)) < len(column):
            column += 1e-10 * generator.standard_normal(len(column))
    return values


def normal_scores(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Map the ranks of each column to normal quantiles; break ties at random."""
    ranks = np.empty(values.shape)
    for column, ranked in zip(values.T, ranks.T, strict=True):
        order = np.lexsort((generator.random(len(column)), column))
        ranked[order] = np.arange(1, len(column) + 1)
    return ndtri(ranks / (len(values) + 1))
