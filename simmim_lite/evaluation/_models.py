"""Trust in any model: calibration, attribution of predictions, and membership inference.

A plausible map of attributions is no evidence: edges look plausible for any model. Two tests can
fail: `integrated_gradients` (is the sum right?), `randomization_table` (do the weights matter?).
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.special import xlogy
from scipy.stats import spearmanr
from sklearn.metrics import auc, roc_curve
from torch import Tensor, nn

from simmim_lite._arguments import (
    as_class_numbers,
    as_finite,
    as_probabilities,
    as_tensor,
    check_integer,
    check_same_length,
)
from simmim_lite._random import random_generator, seeded
from simmim_lite._torch_state import gradients
from simmim_lite.evaluation._intervals import as_column, wilson_interval

_DRAWS = 500  # of correct predictions, for the baseline of the calibration error
_FPR = 0.01  # the false positive rate at which the true positive rate is reported
_RESAMPLES = 1000  # of both groups, for the intervals (bootstrap, percentiles)

Score = Callable[[Tensor], Tensor]  # items (N, ...) -> one number per item, (N,)
Method = Callable[[nn.Module, Tensor], Tensor]  # model, items (N, ...) -> maps (N, ...)

# --- calibration: are predictions of confidence 90 % correct in 90 % of cases?


def reliability_table(probabilities: Any, labels: Any, *, bins: int = 15) -> pd.DataFrame:
    """Accuracy against confidence, in bins of equally many items.

    The confidence of a prediction is the probability of the most probable class. Most bins of equal
    width would be nearly empty (Nixon et al. 2019, arXiv 1904.01685).

    Args:
        probabilities: (N, classes), rows with sum 1.
        labels: (N,) whole numbers 0..classes - 1.
        bins: at most N; rows of the table, lowest confidence first: confidence and accuracy
            (means), low and high (95 % Wilson interval of the accuracy), items.
    """
    confidence, correct = _by_confidence(*_check_predictions(probabilities, labels), bins)
    parts = zip(np.array_split(confidence, bins), np.array_split(correct, bins), strict=True)
    rows = [(p.mean(), *wilson_interval(hits), len(p)) for p, hits in parts]
    return pd.DataFrame(rows, columns=["confidence", "accuracy", "low", "high", "items"])


def calibration_error(probabilities: Any, labels: Any, *, bins: int = 15) -> float:
    """Expected calibration error: mean |confidence - accuracy| over bins of equally many items.

    Guo et al. (2017, arXiv 1706.04599), equation 3. Even perfect calibration gives an error above
    0, the larger the fewer the items: compare with the baseline in `calibration_table`.
    """
    confidence, correct = _by_confidence(*_check_predictions(probabilities, labels), bins)
    return float(_error(confidence, correct, bins))


def calibration_table(
    probabilities: Mapping[str, Any], labels: Any, *, bins: int = 15, seed: int = 0
) -> pd.DataFrame:
    """Calibration of several classifiers, by name; arguments as for `reliability_table`.

    Baseline and baseline_95 are mean and 95 % quantile of the `calibration_error` under perfect
    calibration, with correct predictions drawn 500 times from these confidences (Vaicenavicius et
    al. 2019, arXiv 1902.06977); nats is the mean of -log p(label).
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
    p = as_probabilities("probabilities", probabilities, tolerance=1e-3, axis=-1)
    if p.ndim != 2 or p.shape[1] < 2:
        raise ValueError(f"probabilities: expected (N, classes), got {p.shape}")
    y = as_class_numbers("labels", labels, p.shape[1])
    check_same_length(probabilities=p, labels=y)
    return p, y


# --- attribution


class Attribution(NamedTuple):
    """Attributions of a score to the parts of N items, of their shape, and gaps (N,) of the sums.

    The gap is the error of completeness: |sum of the values - change of the score|.
    """

    values: Tensor
    gap: Tensor


@gradients()
def integrated_gradients(
    score: Score, items: Tensor, baseline: Tensor | float = 0.0, *, steps: int = 64
) -> Attribution:
    """Integrated gradients: mean gradient on the line from a baseline to the item, times the way.

    Sundararajan et al. (2017, arXiv 1703.01365), section 3. Completeness (their proposition 1): the
    values of an item sum to score(item) - score(baseline). The integral is a Gauss-Legendre sum,
    exact for polynomial scores of degree up to 2 ``steps``; ``gap`` measures the error for others.

    Args:
        score: differentiable, (N, ...) -> (N,), where each number depends on its own item only
            (a model with batch normalization must be in evaluation mode).
        items: (N, ...), floating point.
        baseline: the absence of a signal, broadcast to the items: 0 is black, or silence.
    """
    steps = check_integer("steps", steps, minimum=1)
    items = as_tensor("items", items)
    start = torch.as_tensor(baseline, dtype=items.dtype, device=items.device).expand_as(items)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    mean = torch.zeros_like(items)
    for place, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        point = (start + place * (items - start)).detach().requires_grad_()
        mean += weight * torch.autograd.grad(_scores(score, point).sum(), point)[0]
    values = (items - start) * mean
    with torch.no_grad():
        change = _scores(score, items) - _scores(score, start)
    return Attribution(values, (values.flatten(1).sum(dim=1) - change).abs())


@gradients()
def randomization_table(
    model: nn.Module, attribute: Method, items: Tensor, *, seed: int = 0
) -> pd.DataFrame:
    """Similarity of attribution maps to themselves while the weights are randomized.

    Cascading randomization (Adebayo et al. 2018, arXiv 1810.03292): from the output to the input,
    one layer after another gets new random weights and keeps them. Maps that stay similar to the
    original ones show the input rather than the model.

    Layers have ``reset_parameters`` and are registered in their order; a copy is randomized. The
    first row is "none", then comes one row per layer, from the output: the `rank_correlation` of
    the maps with those of the model, signed and absolute (of the absolute values).
    """
    model = deepcopy(model).eval()
    original = attribute(model, items)
    rows = [("none", 1.0, 1.0)]
    with seeded(seed, next(model.parameters()).device):
        for name, layer in reversed(list(model.named_modules())):
            if hasattr(layer, "reset_parameters") and next(layer.parameters(), None) is not None:
                layer.reset_parameters()
                maps = attribute(model, items)
                signed = rank_correlation(original, maps)
                rows.append((name, signed, rank_correlation(original.abs(), maps.abs())))
    return pd.DataFrame(rows, columns=["layer", "signed", "absolute"])


def rank_correlation(first: Tensor, second: Tensor) -> float:
    """Spearman's rank correlation of maps (N, ...), mean over items, -1..1.

    Places with 0 in both maps are left out: the gradient is multiplied by the black pixels of a
    digit, which would make any two maps agree. The correlation of constant maps is 0.
    """
    x, y = as_finite("first", first), as_finite("second", second)
    if x.shape != y.shape or x.ndim < 2 or not x.size:
        raise ValueError(f"first, second: expected one shape (N, ...), got {x.shape}, {y.shape}")
    correlations = []
    for a, b in zip(x.reshape(len(x), -1), y.reshape(len(y), -1), strict=True):
        nonzero = (a != 0) | (b != 0)
        a, b = a[nonzero], b[nonzero]
        constant = len(a) < 2 or not np.ptp(a) or not np.ptp(b)
        correlations.append(0.0 if constant else float(spearmanr(a, b).statistic))
    return float(np.mean(correlations))


def _scores(score: Score, items: Tensor) -> Tensor:
    scores, N = score(items), len(items)
    if scores.shape != (N,):
        got = tuple(scores.shape)
        raise ValueError(f"score: expected one number for each of {N} items, got shape {got}")
    return scores


# --- membership inference: does a model reveal what it was trained on?


def membership_score(members: Any, non_members: Any, *, seed: int = 0) -> pd.DataFrame:
    """AUC and TPR at 1 % FPR of an attack that identifies training items by a threshold.

    A mean over all items hides the risk: an attack that is certain of one member in twenty and
    guesses for the rest has an AUC near one half. So the true positive rate at a very low false
    positive rate is reported too (Carlini et al. 2022, arXiv 2112.03570). Members and non-members
    must be a random split of one source: any other difference would pass for a leak of the model.

    Scores, such as the negative loss, are (N,) and (M,), higher for suspected members. M is at
    least 100, as no threshold gives an FPR between 0 and 1 / M. Row "AUC" is the probability that a
    member scores above a non-member (equal scores count half), row "TPR at 1 % FPR" the highest
    true positive rate of a threshold with at most this false positive rate. Intervals are 95 %.
    """
    inside = as_column("members", members, "item")
    outside = as_column("non_members", non_members, "item", minimum=round(1 / _FPR))
    generator = random_generator(seed, "membership")
    drawn = [
        _auc_and_tpr(*(generator.choice(group, len(group)) for group in (inside, outside)))
        for _ in range(_RESAMPLES)
    ]
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    value, chance = _auc_and_tpr(inside, outside), (0.5, _FPR)
    return pd.DataFrame(
        {"value": value, "low": low, "high": high, "chance": chance},
        index=pd.Index(["AUC", "TPR at 1 % FPR"], name="metric"),
    )


def _auc_and_tpr(members: np.ndarray, non_members: np.ndarray) -> tuple[float, float]:
    labels = np.repeat([1, 0], [len(members), len(non_members)])
    scores = np.concatenate([members, non_members])
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    return float(auc(fpr, tpr)), float(tpr[fpr <= _FPR + 1e-9 / len(non_members)].max())
