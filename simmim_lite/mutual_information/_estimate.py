"""The result of an estimator, and the common preparation of samples."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from simmim_lite._arguments import as_labels, as_samples, check_choice, check_same_length
from simmim_lite._numerics import center_and_scale

GRID = 2.0**36


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


def distinct_pairs(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the indices of the pairs (N, dim_x), (N, dim_y) without copies of earlier ones.

    A pair is a copy if all its numbers are equal and one of them is of a column where equal
    numbers are rare otherwise. Rounded numbers coincide without being copies.
    """
    rows = np.hstack([x, y])
    numbers = [len(np.unique(column)) for column in rows.T]
    if max(numbers) == len(rows):
        return np.arange(len(rows))
    first = np.sort(np.unique(rows, axis=0, return_index=True)[1])
    return first if max(numbers) >= 0.95 * len(first) else np.arange(len(rows))


def scaled(values: np.ndarray, scale: str, generator: np.random.Generator) -> np.ndarray:
    """Return columns (N, dim) on one scale, each without repeated values, on a grid.

    Differences of numbers on a grid are exact in float64: equal distances are equal. Constant
    columns become 0.
    """
    check_choice("scale", scale, ("rank", "standardize"))
    center, deviation = center_and_scale(values)
    if scale == "rank":
        values = normal_scores(values, generator) * np.isfinite(deviation)
    else:
        values = (values - center) / deviation
        for column, varies in zip(values.T, np.isfinite(deviation), strict=True):
            if varies and len(np.unique(column)) < len(column):
                column += 1e-6 * generator.standard_normal(len(column))
    return np.round(values * GRID) / GRID


def normal_scores(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Map the ranks of each column to normal quantiles; break ties at random."""
    ranks = np.empty(values.shape)
    for column, ranked in zip(values.T, ranks.T, strict=True):
        order = np.lexsort((generator.random(len(column)), column))
        ranked[order] = np.arange(1, len(column) + 1)
    return ndtri(ranks / (len(values) + 1))
