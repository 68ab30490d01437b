"""What every estimator returns, and the preparation of samples that they share."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from simmim_lite._arguments import as_samples, check_choice, check_same_length


@dataclass(frozen=True)
class Estimate:
    """Mutual information in nats, with the deviation that other samples of this size would show.

    ``standard_error`` says nothing of bias, which is often larger: test an estimator on
    `ground_truth` first. (That of "learned" allows for its bias.) ``reason``: why "auto" took
    this method, and what to beware of. ``is_lower_bound``: the truth is likely to be higher, since
    columns had to be left out. ``history``: the value after each epoch of a learned estimator.
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


def paired_samples(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    x, y = as_samples("x", x), as_samples("y", y)
    check_same_length(x=x, y=y)
    return x, y


def scaled(values: np.ndarray, scale: str, generator: np.random.Generator) -> np.ndarray:
    """Columns (N, dim) on one scale, none of them with repeated values."""
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
    """Each column's ranks put through the inverse normal distribution; ties broken at random."""
    ranks = np.empty(values.shape)
    for column, ranked in zip(values.T, ranks.T, strict=True):
        order = np.lexsort((generator.random(len(column)), column))
        ranked[order] = np.arange(1, len(column) + 1)
    return ndtri(ranks / (len(values) + 1))
