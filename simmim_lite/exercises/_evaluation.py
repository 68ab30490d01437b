"""Notebook 11."""

from collections.abc import Iterable

import numpy as np

from simmim_lite.exercises._check import Case, exercise


@exercise(
    "calibration error",
    "return the mean distance of confidence and accuracy in bins of the same number of answers, "
    "sorted by confidence",
)
def _calibration_error() -> Iterable[Case]:
    half = np.array([0.5, 0.5, 0.5, 0.5])
    yield Case("half sure, half right", (half, np.array([1, 0, 0, 1]), 1), 0.0, "it is calibrated")
    yield Case("half sure, all wrong", (half, np.zeros(4, int), 2), 0.5, "it is off by 1/2")
    confidence, right = np.array([0.9, 0.6, 0.8, 0.7]), np.array([0, 1, 1, 0])
    yield Case(
        "one bin too sure and one not sure enough",
        (np.array([0.9, 0.6, 0.9, 0.6]), np.array([0, 1, 0, 1]), 2),
        (0.9 + 0.4) / 2,
        "distances of bins are added up without their signs",
    )
    yield Case(
        "answers that are not sorted",
        (confidence, right, 2),
        (abs(0.5 - 0.65) + abs(0.5 - 0.85)) / 2,
        "the least sure half are those of 0.6 and 0.7",
    )
    yield Case(
        "confidences that crowd near 1",
        (np.array([0.2, 0.97, 0.98, 0.99]), np.array([0, 1, 1, 0]), 2),
        (abs(0.5 - 0.585) + abs(0.5 - 0.985)) / 2,
        "each bin holds two answers, wherever the middle between 0 and 1 may be",
    )


@exercise(
    "fold error",
    "return the standard error of the mean over k folds: the sample's standard deviation times "
    "sqrt(1/k + 1/(k - 1))",
)
def _fold_error() -> Iterable[Case]:
    yield Case("equal folds", (np.full(5, 0.9),), 0.0, "nothing varies")
    yield Case(
        "two folds",
        (np.array([0.8, 0.9]),),
        np.sqrt(0.005 * 1.5),
        "the variance is 0.005, and each fold was validated on as many items as it was trained on",
    )
    values = np.array([0.9, 0.92, 0.94, 0.9, 0.89])
    yield Case(
        "five folds",
        (values,),
        values.std(ddof=1) * np.sqrt(1 / 5 + 1 / 4),
        "a validation part is a quarter of its training part",
    )


@exercise(
    "permutation test",
    "return the share of shuffled scores that are as good or better, the score itself among them",
)
def _permutation_test() -> Iterable[Case]:
    nine = np.linspace(0.1, 0.3, 9)
    yield Case("better than nine shuffles", (0.9, nine), 0.1, "1 of 10 is as good: itself")
    yield Case("worse than nine shuffles", (0.05, nine), 1.0, "all are as good or better")
    yield Case(
        "a score that some shuffles reach",
        (0.5, np.array([0.4, 0.5, 0.6])),
        0.75,
        "an equal score counts, too",
    )
