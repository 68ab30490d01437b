"""95 % confidence intervals over items, groups, seeds and folds, and cross-validation by groups."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from simmim_lite._arguments import as_labels, as_samples, check_integer, check_same_length
from simmim_lite._random import random_generator

LEVEL = 0.95  # confidence level of all intervals
_RESAMPLES = 2000  # of a bootstrap

Folds = list[tuple[np.ndarray, np.ndarray]]
Metric = Callable[[np.ndarray, np.ndarray], float]


class Interval(NamedTuple):
    """A measured value and the ends of its 95 % confidence interval."""

    value: float
    low: float
    high: float


def bootstrap_interval(
    outcomes: Any, *, statistic: Callable[..., Any] = np.mean, groups: Any = None, seed: int = 0
) -> Interval:
    """Bootstrap interval of a statistic of test items: how much other items would change it.

    The items are resampled with replacement (Efron 1979). The ends are scipy's BCa ends, corrected
    for bias and skewness (Efron 1987), or the 2.5 % and 97.5 % quantiles of the resampled values
    where BCa ends do not exist, as for many medians. The interval does not cover other seeds of a
    training: use `seed_interval` for these. Equal outcomes give an interval of width 0; use
    `wilson_interval` for an accuracy of 0 or 1.

    Args:
        outcomes: (N,) or (N, columns), such as scores, or whether each prediction is correct.
        statistic: maps outcomes (M,) or (M, columns) to a number.
        groups: (N,), the group of each item, such as its speaker. Whole groups are resampled: items
            of one speaker are not independent, and would give too short an interval.
    """
    x = as_samples("outcomes", outcomes)
    x = x[:, 0] if np.ndim(outcomes) == 1 else x
    ids = np.arange(len(x)) if groups is None else as_labels("groups", groups)
    check_same_length(outcomes=x, groups=ids)
    members = np.split(np.argsort(ids, kind="stable"), np.cumsum(np.bincount(ids))[:-1])
    if len(members) < 2:
        raise ValueError("groups: expected at least two, got one")
    value = float(statistic(x))
    if (x == x[0]).all():
        return Interval(value, value, value)

    def of_groups(drawn: np.ndarray) -> float:
        return float(statistic(x[np.concatenate([members[i] for i in drawn])]))

    quiet = warnings.catch_warnings(action="ignore", category=stats.DegenerateDataWarning)
    with quiet, np.errstate(invalid="ignore"):
        result = stats.bootstrap(
            (np.arange(len(members)),),
            of_groups if groups is not None else lambda drawn: float(statistic(x[drawn])),
            vectorized=False,
            n_resamples=_RESAMPLES,
            batch=max(1, 10**6 // len(members)),  # otherwise the jackknife makes an N x N table
            confidence_level=LEVEL,
            method="BCa",
            rng=random_generator(seed, "bootstrap"),
        )
    ends = result.confidence_interval
    if not np.isfinite(ends).all():
        values = as_samples("statistic", result.bootstrap_distribution)
        ends = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, *map(float, ends))


def wilson_interval(correct: Any) -> Interval:
    """Wilson interval (1927) of the proportion of N independent items that are correct (N,).

    The items are bool, or 0 and 1. With N correct of N, the lower end is about 1 - 4 / N.
    """
    x = as_column("correct", correct, "item", minimum=1)
    if not np.isin(x, (0, 1)).all():
        raise ValueError("correct: expected 0 and 1, got other numbers")
    ends = stats.binomtest(int(x.sum()), len(x)).proportion_ci(LEVEL, method="wilson")
    return Interval(float(x.mean()), float(ends.low), float(ends.high))


def seed_interval(values: Any) -> Interval:
    """Interval of the mean over seeds by Student's t: where the mean of many more runs would be.

    Few runs, two or more, give wide intervals: 12.7 standard errors to each side with two runs, 4.3
    with three, 2.8 with five.
    """
    return _student_interval("run", values, stats.sem)


def fold_interval(values: Any) -> Interval:
    """Interval of the mean over the k >= 2 folds of one cross-validation.

    The training sets overlap, so the mean over folds varies more than that of k independent runs:
    its variance is that of a fold times 1/k + 1/(k - 1) instead of 1/k, as a fold has 1/(k - 1)
    validation items per training item (Nadeau & Bengio 2003, doi 10.1023/A:1024068626366).
    Student's t with k - 1 degrees of freedom.
    """
    return _student_interval(
        "fold", values, lambda x: np.sqrt((1 / len(x) + 1 / (len(x) - 1)) * x.var(ddof=1))
    )


def grouped_folds(labels: Any, groups: Any, *, folds: int = 5, seed: int = 0) -> Folds:
    """Cross-validation folds with no group on both sides; classes are as balanced as groups allow.

    The groups (N,), such as speakers or writers of the items, are ``folds`` or more. The result has
    for each fold the sorted training rows and validation rows; each row is a validation row once.
    """
    y, g = as_labels("labels", labels), as_labels("groups", groups)
    check_same_length(labels=y, groups=g)
    folds = check_integer("folds", folds, minimum=2)
    if g.max() + 1 < folds:
        raise ValueError(f"groups: expected {folds} or more, one per fold, got {g.max() + 1}")
    return list(StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(y, y, g))


def shuffled_folds(labels: Any, *, folds: int = 5, seed: int = 0) -> Folds:
    """Stratified cross-validation folds that ignore groups: each speaker is on both sides.

    As `grouped_folds`, for classes of at least ``folds`` items each.
    """
    y = as_labels("labels", labels)
    folds = check_integer("folds", folds, minimum=2)
    if (least := np.bincount(y).min()) < folds:
        raise ValueError(f"labels: expected {folds} or more items of each class, got {least}")
    return list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y))


def cross_validate(
    metric: Metric, labels: Any, groups: Any, *, folds: int = 5, seed: int = 0
) -> pd.DataFrame:
    """Metric in shuffled folds beside the metric in folds that keep groups apart.

    What shuffled folds gain over grouped folds was learned about the groups, and is lost for a new
    speaker. Use the training set only: hyperparameters may be chosen by this table. Evaluate the
    test set once, at the end.

    ``metric(train_rows, validation_rows)`` fits a new model, preprocessing included. Labels, groups
    and folds are those of `grouped_folds`. The table has one row per fold of each kind, "shuffled"
    and "grouped", with its value and number of validation items.
    """
    rows = []
    for kind, plan in (
        ("shuffled", shuffled_folds(labels, folds=folds, seed=seed)),
        ("grouped", grouped_folds(labels, groups, folds=folds, seed=seed)),
    ):
        for fold, (train, validation) in enumerate(plan):
            rows.append((kind, fold, float(metric(train, validation)), len(validation)))
    return pd.DataFrame(rows, columns=["kind", "fold", "value", "items"])


def _student_interval(per: str, values: Any, error: Callable[..., float]) -> Interval:
    """Interval of a mean, by its standard error and Student's t."""
    x = as_column("values", values, per)
    mean = float(x.mean())
    width = float(stats.t.ppf((1 + LEVEL) / 2, len(x) - 1)) * float(error(x))
    return Interval(mean, mean - width, mean + width)


def as_column(name: str, value: Any, per: str, *, minimum: int = 2) -> np.ndarray:
    """Return finite numbers (N,), such as one per item."""
    x = as_samples(name, value, minimum=minimum)
    if x.shape[1] != 1:
        raise ValueError(f"{name}: expected one number per {per}, got shape {x.shape}")
    return x[:, 0]
