"""May its probabilities be believed? Reliability, calibration error with its floor, Brier score."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import xlogy

from simmim_lite._arguments import as_array, check_integer, check_same_length
from simmim_lite._random import random_generator


def reliability_table(probabilities: Any, labels: Any, *, bins: int = 15) -> pd.DataFrame:
    """How often the answer was right, against how sure it was.

    The confidence is the probability of the most probable class. Bins hold the same number of
    items (Nixon et al. 2019, arXiv 1904.01685): with bins of the same width most are nearly empty.

    Args:
        probabilities: (N, classes), rows of sum 1.
        labels: (N,) whole numbers 0..classes - 1.
        bins: at most N.

    Returns:
        A row a bin, the least sure first: confidence and accuracy (means), low and high (95 % of
        the accuracy, Wilson 1927), items.
    """
    confidence, right = _confidence(*_checked(probabilities, labels))
    order = np.argsort(confidence, kind="stable")
    bins = check_integer("bins", bins, minimum=1, maximum=len(right))
    rows = []
    for part in np.array_split(order, bins):
        hits = int(right[part].sum())
        interval = stats.binomtest(hits, len(part)).proportion_ci(method="wilson")
        rows.append((confidence[part].mean(), hits / len(part), *interval, len(part)))
    return pd.DataFrame(rows, columns=["confidence", "accuracy", "low", "high", "items"])


def calibration_error(probabilities: Any, labels: Any, *, bins: int = 15) -> float:
    """Mean distance between confidence and accuracy in bins of the same number of items, 0..1.

    Guo et al. (2017, arXiv 1706.04599), equation 3. It is above 0 even for perfect probabilities,
    the more so the fewer items: see "floor" in `calibration_table`.

    Args:
        probabilities, labels, bins: as for `reliability_table`.
    """
    confidence, right = _confidence(*_checked(probabilities, labels))
    bins = check_integer("bins", bins, minimum=1, maximum=len(right))
    order = np.argsort(confidence, kind="stable")
    return float(_error(confidence[order], right[order], bins))


def calibration_table(
    probabilities: Mapping[str, Any],
    labels: Any,
    *,
    bins: int = 15,
    resamples: int = 500,
    seed: int = 0,
) -> pd.DataFrame:
    """Several classifiers of the same items, a row each.

    Args:
        probabilities: by name, (N, classes), rows of sum 1.
        labels: (N,) whole numbers 0..classes - 1.
        bins: at most N.
        resamples: of the floor.

    Returns:
        accuracy; confidence, the mean; error, see `calibration_error`; floor, what that error would
        be in the mean if these very confidences were right, and floor_95, what it would exceed
        once in twenty times (outcomes drawn with these probabilities: Vaicenavicius et al. 2019,
        arXiv 1902.06977); brier, the squared distance of the probabilities
        from the truth (Brier 1950), 0..2; nats, the mean of -log p(label).
    """
    resamples = check_integer("resamples", resamples, minimum=20)
    rows = {}
    for name, given in probabilities.items():
        p, y = _checked(given, labels)
        confidence, right = _confidence(p, y)
        order = np.argsort(confidence, kind="stable")
        confidence, right = confidence[order], right[order]
        draws = random_generator(seed, "calibration").random((resamples, len(y))) < confidence
        floors = _error(confidence, draws, check_integer("bins", bins, minimum=1, maximum=len(y)))
        truth = np.arange(p.shape[1]) == y[:, None]
        rows[name] = {
            "accuracy": right.mean(),
            "confidence": confidence.mean(),
            "error": float(_error(confidence, right, bins)),
            "floor": floors.mean(),
            "floor_95": np.quantile(floors, 0.95),
            "brier": brier_score(p, y),
            "nats": -xlogy(truth, p).sum(axis=1).mean(),
        }
    return pd.DataFrame(rows).T.rename_axis("classifier")


def brier_score(probabilities: Any, labels: Any) -> float:
    """Mean squared distance between probabilities and one-hot truth: 0 at best, 2 at worst.

    A proper score: in the mean, nobody does better than by saying the true probabilities.
    """
    p, y = _checked(probabilities, labels)
    return float(((p - (np.arange(p.shape[1]) == y[:, None])) ** 2).sum(axis=1).mean())


def _error(confidence: np.ndarray, right: np.ndarray, bins: int) -> np.ndarray:
    """Of confidences (N,) in rising order and outcomes (..., N): (...)."""
    gaps = np.cumsum(np.asarray(right, float) - confidence, axis=-1)
    ends = np.array([part[-1] for part in np.array_split(np.arange(len(confidence)), bins)])
    sums = np.diff(gaps[..., ends], axis=-1, prepend=0.0)
    return np.abs(sums).sum(axis=-1) / len(confidence)


def _confidence(p: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return p.max(axis=1), p.argmax(axis=1) == y


def _checked(probabilities: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    p, y = as_array("probabilities", probabilities), as_array("labels", labels)
    if p.ndim != 2 or p.shape[1] < 2 or not len(p) or p.dtype.kind not in "fiub":
        raise ValueError(f"probabilities: expected (N, classes), got {p.shape} of {p.dtype}")
    p = p.astype(np.float64)
    bad = ~((p >= 0).all(axis=1) & (np.abs(p.sum(axis=1) - 1) < 1e-3))
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            f"probabilities: expected rows of sum 1, got {p[row].tolist()} in row {row}"
        )
    if y.dtype.kind not in "iu" or y.ndim != 1:
        raise TypeError(f"labels: expected whole numbers (N,), got {y.shape} of {y.dtype}")
    check_same_length(probabilities=p, labels=y)
    if not ((y >= 0) & (y < p.shape[1])).all():
        row = int((~((y >= 0) & (y < p.shape[1]))).argmax())
        raise ValueError(f"labels: expected 0..{p.shape[1] - 1}, got {y[row]} in row {row}")
    return p, y
