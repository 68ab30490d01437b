"""The result of an estimator, and the common preparation of samples."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

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
    """

    nats: float
    standard_error: float
    method: str
    reason: str = ""
    is_lower_bound: bool = False

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


def distinct_pairs(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the indices of pairs (N, dim_x), (N, dim_y) that are no copies of others; and a note.

    A pair is a copy if all its numbers are equal and one of them is of a column where equal
    numbers are rare otherwise. Rounded numbers coincide without being copies.
    """
    rows = np.hstack([x, y])
    group, distinct, note = groups_of_rows(rows)
    first = np.sort(np.unique(group, return_index=True)[1])
    numbers = max(len(np.unique(column)) for column in rows.T)
    if len(first) == len(rows) or numbers < 0.95 * distinct:
        return np.arange(len(rows)), note
    return first, "; ".join(
        filter(None, [f"{len(rows) - len(first)} copies of rows left out", note])
    )


def groups_of_rows(rows: np.ndarray) -> tuple[np.ndarray, int, str]:
    """Number the samples in (N, dim), equally for copies of one: (N,). Count the distinct rows.

    A row that makes up 5 % of all rows is no copy, but an atom, such as 0 for "nothing measured":
    each of these rows is a sample, as a note says.
    """
    if any(len(np.unique(column)) == len(rows) for column in rows.T):
        return np.arange(len(rows)), len(rows), ""  # fast proof that no row is a copy
    group, count = np.unique(rows, axis=0, return_inverse=True, return_counts=True)[1:]
    group = group.reshape(-1)
    atom = count[group] >= max(20, len(rows) / 20)
    group[atom] = len(count) + np.arange(atom.sum())
    note = f"{atom.sum()} copies of frequent rows count as samples" if atom.any() else ""
    return np.unique(group, return_inverse=True)[1], len(count), note


def distinct_columns(values: np.ndarray) -> np.ndarray:
    """Return the indices of columns (N, dim) that are no monotone functions of columns before."""
    for rows in (values[:1000], values):
        ranks = rankdata(rows, axis=0) - (len(rows) + 1) / 2
        ranks *= np.sign(ranks[(ranks != 0).argmax(axis=0), range(ranks.shape[1])])
        first = np.sort(np.unique(ranks, axis=1, return_index=True)[1])
        if len(first) == values.shape[1]:
            break
    return first


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
