"""Calibration: are predictions made with 90 % confidence correct in 90 % of cases?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import xlogy

from simmim_lite._arguments import as_array, check_integer, check_same_length
from simmim_lite._random import random_generator
from simmim_lite.evaluation._intervals import wilson_interval

_DRAWS = 500  # of correct predictions, for the baseline of the calibration error


def reliability_table(probabilities: Any, labels: Any, *, bins: int = 15) -> pd.DataFrame:
    """Accuracy against confidence, in bins of equally many items.

    The confidence of a prediction is the probability of the most probable class. Bins hold equal
    numbers of items (Nixon et al. 2019, arXiv 1904.01685): most bins of equal width would be nearly
    empty.

    Args:
        probabilities: (N, classes), rows with sum 1.
        labels: (N,) whole numbers 0..classes - 1.
        bins: at most N.

    Returns:
        One row per bin, lowest confidence first: confidence and accuracy (means), low and high
        (95 % Wilson interval of the accuracy), items.
    """
    confidence, correct = _by_confidence(*_check_predictions(probabilities, labels), bins)
    parts = zip(np.array_split(confidence, bins), np.array_split(correct, bins), strict=True)
    rows = [(p.mean(), *wilson_interval(hits), len(p)) for p, hits in parts]
    return pd.DataFrame(rows, columns=["confidence", "accuracy", "low", "high", "items"])


def calibration_error(probabilities: Any, labels: Any, *, bins: int = 15) -> float:
    """Expected calibration error: mean |confidence - accuracy| over bins of equally many items.

    Guo et al. (2017, arXiv 1706.04599), equation 3. Even perfect calibration gives an error above
    0, the larger the fewer the items: compare with the baseline in `calibration_table`.

    Args:
        probabilities, labels, bins: as for `reliability_table`.
    """
    confidence, correct = _by_confidence(*_check_predictions(probabilities, labels), bins)
    return float(_error(confidence, correct, bins))


def calibration_table(
    probabilities: Mapping[str, Any], labels: Any, *, bins: int = 15, seed: int = 0
) -> pd.DataFrame:
    """Calibration of several classifiers on the same items.

    Args:
        probabilities: by name, as for `reliability_table`, as are labels and bins.

    Returns:
        One row per classifier: accuracy; confidence (mean); error (`calibration_error`); baseline
        and baseline_95, mean and 95 % quantile of the error under perfect calibration, with correct
        predictions drawn 500 times from these confidences (Vaicenavicius et al. 2019, arXiv
        1902.06977); brier (`brier_score`, 0..2); nats, the mean of -log p(label).
    """
    rows = {}
    for name, values in probabilities.items():
        p, y = _check_predictions(values, labels)
        confidence, correct = _by_confidence(p, y, bins)
        draws = random_generator(seed, "calibration").random((_DRAWS, len(y))) < confidence
        calibrated = _error(confidence, draws, bins)
        rows[name] = {
            "accuracy": correct.mean(),
            "confidence": confidence.mean(),
            "error": float(_error(confidence, correct, bins)),
            "baseline": calibrated.mean(),
            "baseline_95": np.quantile(calibrated, 0.95),
            "brier": brier_score(p, y),
            "nats": -xlogy(_one_hot(p, y), p).sum(axis=1).mean(),
        }
    return pd.DataFrame(rows).T.rename_axis("classifier")


def brier_score(probabilities: Any, labels: Any) -> float:
    """Mean squared distance between probabilities and one-hot labels (Brier 1950), 0..2.

    0 is best. The score is proper: the true probabilities have the best expected score.
    """
    p, y = _check_predictions(probabilities, labels)
    return float(((p - _one_hot(p, y)) ** 2).sum(axis=1).mean())


def _error(confidence: np.ndarray, correct: np.ndarray, bins: int) -> np.ndarray:
    """Calibration error of ascending confidences (N,) and outcomes (..., N): (...)."""
    gaps = np.cumsum(np.asarray(correct, float) - confidence, axis=-1)
    ends = np.array([part[-1] for part in np.array_split(np.arange(len(confidence)), bins)])
    sums = np.diff(gaps[..., ends], axis=-1, prepend=0.0)
    return np.abs(sums).sum(axis=-1) / len(confidence)


def _by_confidence(p: np.ndarray, y: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Confidences in ascending order (N,), and whether each prediction is correct."""
    check_integer("bins", bins, minimum=1, maximum=len(y))
    confidence, correct = p.max(axis=1), p.argmax(axis=1) == y
    order = np.argsort(confidence, kind="stable")
    return confidence[order], correct[order]


def _one_hot(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.arange(p.shape[1]) == y[:, None]


def _check_predictions(probabilities: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    p, y = as_array("probabilities", probabilities), as_array("labels", labels)
    if p.ndim != 2 or p.shape[1] < 2 or not len(p) or p.dtype.kind not in "fiub":
        raise ValueError(f"probabilities: expected (N, classes), got {p.shape} of {p.dtype}")
    p = p.astype(np.float64)
    bad = ~((p >= 0).all(axis=1) & (np.abs(p.sum(axis=1) - 1) < 1e-3))
    if bad.any():
        row = int(bad.argmax())
        got = p[row].tolist()
        raise ValueError(f"probabilities: expected rows with sum 1, got {got} in row {row}")
    if y.dtype.kind not in "iu" or y.ndim != 1:
        raise TypeError(f"labels: expected whole numbers (N,), got {y.shape} of {y.dtype}")
    check_same_length(probabilities=p, labels=y)
    bad = ~((y >= 0) & (y < p.shape[1]))
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(f"labels: expected 0..{p.shape[1] - 1}, got {y[row]} in row {row}")
    return p, y
