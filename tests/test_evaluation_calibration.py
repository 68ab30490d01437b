"""Calibration: scikit-learn, torchmetrics, and probabilities that the labels are drawn from."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from simmim_lite.evaluation import (
    brier_score,
    calibration_error,
    calibration_table,
    reliability_table,
)


def draw(N=3000, classes=4, seed=0, sharpness=1.0):
    """Labels drawn from probabilities, and these probabilities sharpened: calibrated if 1."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((N, classes))
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    labels = (p.cumsum(axis=1) < rng.random((N, 1))).sum(axis=1).clip(max=classes - 1)
    sharpened = p**sharpness
    return sharpened / sharpened.sum(axis=1, keepdims=True), labels


def test_reliability_agrees_with_scikit_learn():
    p, labels = draw()
    table = reliability_table(p, labels, bins=10)
    correct = p.argmax(axis=1) == labels
    accuracy, confidence = calibration_curve(correct, p.max(axis=1), n_bins=10, strategy="quantile")
    # scikit-learn puts an item on the edge of two bins into the other bin.
    assert table["confidence"].to_numpy() == pytest.approx(confidence, abs=1e-3)
    assert table["accuracy"].to_numpy() == pytest.approx(accuracy, abs=0.01)
    assert table["items"].tolist() == [300] * 10
    assert (table["low"] < table["accuracy"]).all()
    assert (table["accuracy"] < table["high"]).all()


def test_error_is_the_weighted_gap_and_agrees_with_torchmetrics_for_equal_bins():
    p, labels = draw(N=1003, sharpness=2.0)
    table = reliability_table(p, labels, bins=7)
    gaps = (table["confidence"] - table["accuracy"]).abs()
    expected = np.average(gaps, weights=table["items"])
    assert calibration_error(p, labels, bins=7) == pytest.approx(expected)
    # Two clusters of confidences of equal size, on both sides of the middle of 1/2 and 1.
    top = np.r_[np.full(50, 0.6), np.full(50, 0.9)]
    p = np.c_[top, 1 - top]
    labels = (np.random.default_rng(0).random(100) > 0.7).astype(int)
    theirs = multiclass_calibration_error(
        torch.tensor(p), torch.tensor(labels), num_classes=2, n_bins=4, norm="l1"
    )
    assert calibration_error(p, labels, bins=2) == pytest.approx(theirs.item(), abs=1e-6)


def test_calibrated_probabilities_are_at_the_baseline_and_others_above():
    calibrated, labels = draw()
    over, _ = draw(sharpness=3.0)
    under, _ = draw(sharpness=0.3)
    table = calibration_table({"calibrated": calibrated, "over": over, "under": under}, labels)
    assert table["accuracy"].nunique() == 1
    assert table.loc["calibrated", "error"] < table.loc["calibrated", "baseline_95"]
    wrong = table.loc[["over", "under"]]
    assert (wrong["error"] > 3 * wrong["baseline"]).all()
    assert table["confidence"].sort_values().index.tolist() == ["under", "calibrated", "over"]
    assert table["brier"].idxmin() == table["nats"].idxmin() == "calibrated"


def test_baseline_is_the_mean_error_under_calibration_and_falls_with_items():
    baselines = {}
    for N in (200, 3200):
        errors = [calibration_error(*draw(N=N, seed=seed)) for seed in range(60)]
        baselines[N] = calibration_table({"p": draw(N=N)[0]}, draw(N=N)[1]).loc["p", "baseline"]
        # 60 errors with a relative deviation of about a third: 4 standard errors of the mean.
        assert np.mean(errors) == pytest.approx(baselines[N], rel=0.15)
    assert baselines[200] / baselines[3200] == pytest.approx(4, rel=0.15)  # as 1 / sqrt(N)


def test_brier_and_nats_agree_with_scikit_learn():
    p, labels = draw(N=200, classes=2, sharpness=2.0)
    assert brier_score(p, labels) == pytest.approx(2 * brier_score_loss(labels, p[:, 1]))
    p, labels = draw(N=200, sharpness=2.0)
    table = calibration_table({"p": p}, labels)
    assert table.loc["p", "brier"] == pytest.approx(brier_score(p, labels))
    assert table.loc["p", "nats"] == pytest.approx(log_loss(labels, p))
    assert brier_score(np.eye(4)[labels], labels) == 0
    assert brier_score(np.eye(4)[(labels + 1) % 4], labels) == 2
    assert calibration_table({"p": np.eye(4)[labels]}, labels).loc["p", "nats"] == 0


@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(5, 40))
def test_ranges_and_invariances(seed, classes, N):
    p, labels = draw(N=N, classes=classes, seed=seed, sharpness=2.0)
    error = calibration_error(p, labels, bins=5)
    assert 0 <= error <= 1
    assert 0 <= brier_score(p, labels) <= 2
    order = np.random.default_rng(seed).permutation(classes)
    renamed = np.argsort(order)[labels]
    assert calibration_error(p[:, order], renamed, bins=5) == pytest.approx(error)
    assert brier_score(p[:, order], renamed) == pytest.approx(brier_score(p, labels))
    # One bin: the gap of the means, which no number of bins can go below.
    gap = abs((p.max(axis=1) - (p.argmax(axis=1) == labels)).mean())
    assert calibration_error(p, labels, bins=1) == pytest.approx(gap)
    assert error >= gap - 1e-12


@pytest.mark.parametrize("score", [calibration_error, reliability_table, brier_score])
@pytest.mark.parametrize(
    ("p", "labels", "message"),
    [
        ([[0.5, 0.6]], [0], r"probabilities: .*sum 1.*row 0"),
        ([[2.0, -1.0]], [0], r"probabilities: .*got -1 at \(0, 1\)"),
        ([0.5, 0.5], [0, 1], r"probabilities: expected \(N, classes\)"),
        ([[0.5, 0.5]] * 2, [[0], [1]], r"labels: .*\(N,\)"),
        ([[0.5, 0.5]] * 2, [0.5, 1.0], "labels: expected whole numbers"),
        ([[0.5, 0.5]] * 2, [0, 2], r"labels: expected whole numbers 0\.\.1, got 2 in row 1"),
        ([[0.5, 0.5]] * 2, [0], "same number"),
    ],
)
def test_calibration_refuses(score, p, labels, message):
    with pytest.raises((ValueError, TypeError), match=message):
        score(np.array(p), np.array(labels))
