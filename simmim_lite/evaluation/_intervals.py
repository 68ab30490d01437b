"""How far a number may be from what it stands for: over items, over seeds, of a share."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from simmim_lite._arguments import (
    as_labels,
    as_samples,
    check_integer,
    check_number,
    check_same_length,
)
from simmim_lite._random import random_generator


class Interval(NamedTuple):
    """A measured value between the ends of its interval."""

    value: float
    low: float
    high: float


def bootstrap_interval(
    outcomes: Any,
    *,
    statistic: Callable[..., Any] = np.mean,
    groups: Any = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """What a statistic of test items could have been with other items of the same kind.

    Items are drawn anew from those that there are (Efron 1979); ends by scipy's BCa, corrected for
    bias and skewness (Efron 1987). It knows nothing of other seeds of a training, see
    `seed_interval`. Outcomes that are all the same give an interval without width; a share of 1 or
    0 wants `wilson_interval`.

    Args:
        outcomes: (N,) or (N, columns): right or wrong, a score, a pair of numbers, of each item.
        statistic: of outcomes (M,) or (M, columns), gives a number.
        groups: (N,), which items come together: those of a speaker, say. Then whole groups are
            drawn. To take items of one voice for independent makes intervals too short.
        level: probability that the interval holds what it should.
        resamples: number of draws.
    """
    x = as_samples("outcomes", outcomes)
    x = x[:, 0] if np.ndim(outcomes) == 1 else x
    codes = np.arange(len(x)) if groups is None else as_labels("groups", groups)
    check_same_length(outcomes=x, groups=codes)
    level = check_number("level", level, minimum=1e-6, maximum=1 - 1e-6)
    resamples = check_integer("resamples", resamples, minimum=100)
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    if len(members) < 2:
        raise ValueError("groups: expected at least two, got one")
    value = float(statistic(x))
    if (x == x[0]).all():
        return Interval(value, value, value)

    def of_groups(drawn: np.ndarray) -> float:
        return float(statistic(x[np.concatenate([members[i] for i in drawn])]))

    found = stats.bootstrap(
        (np.arange(len(members)),),
        of_groups if groups is not None else lambda drawn: float(statistic(x[drawn])),
        vectorized=False,
        n_resamples=resamples,
        batch=max(1, 10**6 // len(members)),  # else the jackknife makes a table of N x N
        confidence_level=level,
        method="BCa",
        rng=random_generator(seed, "bootstrap"),
    )
    return Interval(value, *map(float, found.confidence_interval))


def wilson_interval(right: Any, *, level: float = 0.95) -> Interval:
    """Of a share of independent items, by Wilson (1927); none wrong of N: from about 1 - 4 / N.

    Args:
        right: (N,) bool, or 0 and 1.
    """
    x = as_samples("right", right, minimum=1)
    if x.shape[1] != 1 or not np.isin(x, (0, 1)).all():
        raise ValueError("right: expected a column of 0 and 1, got other numbers")
    level = check_number("level", level, minimum=1e-6, maximum=1 - 1e-6)
    found = stats.binomtest(int(x.sum()), len(x)).proportion_ci(level, method="wilson")
    return Interval(float(x.mean()), float(found.low), float(found.high))


def seed_interval(values: Any, *, level: float = 0.95) -> Interval:
    """Of the mean over seeds, by Student's t: what more runs of the same kind would settle at.

    Two runs give very wide intervals, 12.7 standard errors to each side, three 4.3, five 2.8.

    Args:
        values: (runs,), two or more.
    """
    x = as_samples("values", values)
    if x.shape[1] != 1:
        raise ValueError(f"values: expected one a run, got shape {x.shape}")
    level = check_number("level", level, minimum=1e-6, maximum=1 - 1e-6)
    return student_interval(float(x.mean()), float(stats.sem(x[:, 0])), len(x) - 1, level)


def student_interval(
    mean: float, standard_error: float, freedom: int, level: float = 0.95
) -> Interval:
    """Mean and ends from a standard error with so many degrees of freedom."""
    width = float(stats.t.ppf((1 + level) / 2, freedom)) * standard_error
    return Interval(mean, mean - width, mean + width)
