"""Notebook 11."""

import numpy as np

from simmim_lite.exercises._check import Case, Cases, exercise


@exercise(
    "calibration error",
    "return the mean gap between confidence and accuracy in bins of equal numbers of predictions, "
    "sorted by confidence",
)
def _calibration_error() -> Cases:
    half = np.array([0.5, 0.5, 0.5, 0.5])
    yield Case(
        "confidence 1/2, half correct", (half, np.array([1, 0, 0, 1]), 1), 0.0, "there is no gap"
    )
    yield Case("confidence 1/2, all wrong", (half, np.zeros(4, int), 2), 0.5, "the gap is 1/2")
    confidence, correct = np.array([0.9, 0.6, 0.8, 0.7]), np.array([0, 1, 1, 0])
    yield Case(
        "one overconfident bin and one underconfident bin",
        (np.array([0.9, 0.6, 0.9, 0.6]), np.array([0, 1, 0, 1]), 2),
        (0.9 + 0.4) / 2,
        "the gaps of the bins are added without their signs",
    )
    yield Case(
        "predictions that are not sorted",
        (confidence, correct, 2),
        (abs(0.5 - 0.65) + abs(0.5 - 0.85)) / 2,
        "the bin of low confidence holds 0.6 and 0.7",
    )
    yield Case(
        "confidences close to 1",
        (np.array([0.2, 0.97, 0.98, 0.99]), np.array([0, 1, 1, 0]), 2),
        (abs(0.5 - 0.585) + abs(0.5 - 0.985)) / 2,
        "each bin holds two predictions; the bins do not have equal widths",
    )


@exercise(
    "fold error",
    "return the standard error of the mean over k folds: the sample's standard deviation times "
    "sqrt(1/k + 1/(k - 1))",
)
def _fold_error() -> Cases:
    yield Case("equal folds", (np.full(5, 0.9),), 0.0, "the values do not vary")
    reason = "the variance is 0.005, and validation and training sets are equally large"
    yield Case("two folds", (np.array([0.8, 0.9]),), np.sqrt(0.005 * 1.5), reason)
    values = np.array([0.9, 0.92, 0.94, 0.9, 0.89])
    reason = "a validation set has a quarter of the size of its training set"
    yield Case("five folds", (values,), values.std(ddof=1) * np.sqrt(1 / 5 + 1 / 4), reason)


@exercise(
    "permutation test",
    "return the share of scores at least as good as the given one, which itself counts as one",
)
def _permutation_test() -> Cases:
    nine = np.linspace(0.1, 0.3, 9)
    yield Case("better than nine shuffles", (0.9, nine), 0.1, "1 of 10, the score itself")
    yield Case("worse than nine shuffles", (0.05, nine), 1.0, "all scores are at least as good")
    reason = "an equal score counts"
    yield Case("a score that some shuffles reach", (0.5, np.array([0.4, 0.5, 0.6])), 0.75, reason)
