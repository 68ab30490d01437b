"""Cross-validation: folds that keep groups apart, beside folds that do not, with an interval."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from simmim_lite._arguments import as_labels, as_samples, check_integer, check_same_length
from simmim_lite.evaluation._intervals import Interval, student_interval

Folds = list[tuple[np.ndarray, np.ndarray]]


def grouped_folds(labels: Any, groups: Any, *, folds: int = 5, seed: int = 0) -> Folds:
    """Folds in which no group is on both sides, classes as evenly spread as groups allow.

    Args:
        labels: (N,), classes.
        groups: (N,), the speaker, voice or writer of each item; ``folds`` of them or more.

    Returns:
        For each fold the rows to train on and those to validate on, sorted; each row is validated
        on once.
    """
    y, g = as_labels("labels", labels), as_labels("groups", groups)
    check_same_length(labels=y, groups=g)
    folds = check_integer("folds", folds, minimum=2)
    if g.max() + 1 < folds:
        raise ValueError(f"groups: expected {folds} or more, one a fold, got {g.max() + 1}")
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(y, y, g)
    return [(np.sort(train), np.sort(rest)) for train, rest in split]


def shuffled_folds(labels: Any, *, folds: int = 5, seed: int = 0) -> Folds:
    """Folds that know of classes only: items of one speaker are on both sides.

    Args, returns: as for `grouped_folds`.
    """
    y = as_labels("labels", labels)
    folds = check_integer("folds", folds, minimum=2, maximum=len(y))
    least = np.bincount(y).min()
    if least < folds:
        raise ValueError(f"labels: expected {folds} or more of each class, got {least} of one")
    split = StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y)
    return [(np.sort(train), np.sort(rest)) for train, rest in split]


def cross_validate(
    measure: Callable[[np.ndarray, np.ndarray], float],
    labels: Any,
    groups: Any,
    *,
    folds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """A measure in shuffled folds beside folds that keep groups apart.

    What is better in shuffled folds was learned about the groups, and will not be there for a new
    speaker. All this happens in the training set: settings may be chosen by it. The test set has
    no part in it, and is asked once, at the end.

    Args:
        measure: ``measure(train_rows, validation_rows)``; trains anew, preprocessing included.
        labels, groups: (N,), of the training set.

    Returns:
        One row a fold: kind ("shuffled" or "grouped"), fold, value, items validated on.
    """
    plans = {
        "shuffled": shuffled_folds(labels, folds=folds, seed=seed),
        "grouped": grouped_folds(labels, groups, folds=folds, seed=seed),
    }
    return pd.DataFrame(
        [
            (kind, fold, float(measure(train, rest)), len(rest))
            for kind, plan in plans.items()
            for fold, (train, rest) in enumerate(plan)
        ],
        columns=["kind", "fold", "value", "items"],
    )


def fold_interval(values: Any, *, level: float = 0.95) -> Interval:
    """Of the mean over the k folds of one cross-validation, for training sets that overlap.

    Folds share most of their training data, so that their mean varies more than that of k
    independent runs: the variance is multiplied by 1/k + 1/(k - 1) instead of 1/k, since a fold is
    validated on 1/(k - 1) as many items as it was trained on (Nadeau & Bengio 2003,
    doi 10.1023/A:1024068626366). Student's t with k - 1 degrees of freedom.

    Args:
        values: (k,), one a fold.
    """
    x = as_samples("values", values)
    if x.shape[1] != 1:
        raise ValueError(f"values: expected one a fold, got shape {x.shape}")
    k = len(x)
    error = np.sqrt((1 / k + 1 / (k - 1)) * x.var(ddof=1))
    return student_interval(float(x.mean()), float(error), k - 1, level)
