"""Probes of features: hand-made cases, scikit-learn, and a vote counted by hand."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from simmim_lite.evaluation import (
    draw_evenly,
    fit_linear_probe,
    knn_accuracy,
    label_efficiency_curve,
    linear_probe,
    probe_learner,
    probe_suite,
)


def blobs(N, classes=3, dim=5, seed=0, spread=0.1):
    """Features around the unit vector of each class, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(N) % classes
    return np.eye(dim)[labels] + spread * rng.standard_normal((N, dim)), labels


@pytest.mark.parametrize("score", [linear_probe, knn_accuracy])
def test_accuracy_is_1_for_separate_classes_and_chance_for_shuffled_labels(score):
    x, labels = blobs(300)
    x_test, test_labels = blobs(120, seed=1)
    assert score(x, labels, x_test, test_labels) == 1
    names = np.array(["a", "b", "c"])
    assert score(torch.tensor(x), names[labels], torch.tensor(x_test), names[test_labels]) == 1
    # Shuffled labels: the mean of 120 draws of probability 1 / 3, to 4 standard errors.
    shuffled = np.random.default_rng(2).permutation(labels)
    assert abs(score(x, shuffled, x_test, test_labels) - 1 / 3) < 4 * np.sqrt(2 / 9 / 120)


@pytest.mark.parametrize("score", [linear_probe, knn_accuracy])
def test_accuracy_is_that_of_the_test_rows(score):
    x, labels = blobs(300)
    x_test, test_labels = blobs(90, seed=1)
    assert score(x, labels, x_test, np.r_[test_labels[:60], test_labels[60:] + 1]) == 2 / 3


def test_fitted_probe_gives_the_predictions_behind_the_accuracy():
    x, labels = blobs(300, spread=0.6)
    x_test, test_labels = blobs(90, seed=1, spread=0.6)
    probe = fit_linear_probe(torch.tensor(x), labels)
    score = np.mean(probe.predict(x_test) == test_labels)
    assert score == linear_probe(x, labels, x_test, test_labels)
    assert 0.5 < score < 1
    sharp = fit_linear_probe(x, labels, C=100).predict_proba(x_test)
    assert sharp.max(axis=1).mean() > probe.predict_proba(x_test).max(axis=1).mean()
    assert probe.predict_proba(x_test).sum(axis=1) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"train_features and train_labels: .*same number"):
        fit_linear_probe(x, labels[:9])


def test_probe_is_linear_and_independent_of_units():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((600, 2))
    crossed = (x[:, 0] > 0) != (x[:, 1] > 0)
    assert linear_probe(x[:400], crossed[:400], x[400:], crossed[400:]) < 0.65
    assert knn_accuracy(x[:400], crossed[:400], x[400:], crossed[400:]) > 0.9
    straight = x[:, 0] + x[:, 1] > 0
    units = np.array([1e-6, 1e6])
    plain, odd = (
        linear_probe(rows[:400], straight[:400], rows[400:], straight[400:])
        for rows in (x, x * units)
    )
    assert odd == plain > 0.95


def test_votes_are_weighted_by_cosines():
    angles = np.radians([0, 10, 170, 180, 190])
    x = np.c_[np.cos(angles), np.sin(angles)] * np.array([[1], [9], [1], [1], [1]])
    labels = np.array([0, 0, 1, 1, 1])
    query = np.array([[0.1, 0.0], [-5.0, 0.1]])
    # All five vote; the three of the other class have negative cosines.
    assert knn_accuracy(x, labels, query, [0, 1], k=5) == 1
    assert knn_accuracy(x, labels, query, [1, 0], k=1) == 0
    # Where all cosines are negative, the majority decides.
    assert knn_accuracy(x[2:], [0, 1, 1], query[:1], [1], k=3) == 1


@given(st.integers(0, 10**6), st.integers(1, 12))
@settings(max_examples=20)
def test_knn_accuracy_is_that_of_votes_counted_by_hand(seed, k):
    rng = np.random.default_rng(seed)
    x, z = rng.standard_normal((12, 4)), rng.standard_normal((20, 4))
    labels, truth = rng.permutation(np.arange(12) % 3), rng.integers(0, 3, 20)
    cosines = cosine_similarity(z, x)
    votes = np.zeros((20, 3))
    for row, nearest in enumerate(np.argsort(-cosines, axis=1)[:, :k]):
        for i in nearest:  # a negative cosine counts almost nothing
            votes[row, labels[i]] += max(cosines[row, i], 1e-9)
    found = knn_accuracy(x, labels, z, truth, k=k)
    assert found == pytest.approx((votes.argmax(axis=1) == truth).mean())
    lengths = rng.uniform(0.1, 10, (12, 1))
    assert knn_accuracy(lengths * x, labels, 5 * z, truth, k=k) == found


@pytest.mark.parametrize("score", [linear_probe, knn_accuracy])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_labels": np.zeros(9)}, "train_features and train_labels: .*same number"),
        ({"test_labels": np.zeros(3)}, "test_features and test_labels: .*same number"),
        ({"test_features": np.ones((4, 2))}, "test_features: expected 3 columns"),
        ({"train_features": np.full((10, 3), np.nan)}, "train_features: .*finite"),
    ],
)
def test_classification_refuses(score, change, message):
    arguments = {
        "train_features": np.eye(10, 3) + 1,
        "train_labels": np.arange(10) % 2,
        "test_features": np.ones((4, 3)),
        "test_labels": np.zeros(4),
    }
    with pytest.raises(ValueError, match=message):
        score(**arguments | change)


def test_knn_refuses_zero_rows_and_too_many_neighbors():
    x = np.ones((4, 2))
    with pytest.raises(ValueError, match=r"test_features: .*row 1"):
        knn_accuracy(x, np.arange(4), np.array([[1, 2], [0, 0]]), [0, 1], k=1)
    with pytest.raises(ValueError, match=r"k: .* in 1\.\.4, got 5"):
        knn_accuracy(x, np.arange(4), x, np.arange(4), k=5)


def test_probe_suite_is_its_three_probes():
    x, labels = blobs(90, spread=0.6)
    x_test, test_labels = blobs(60, seed=1, spread=0.6)
    found = probe_suite(x, labels, x_test, test_labels)
    assert found["linear probe"] == linear_probe(x, labels, x_test, test_labels)
    assert found["20 neighbors"] == knn_accuracy(x, labels, x_test, test_labels)
    assert 0.5 < found["k-means"] < 1
    # k-means uses neither the training rows nor any label.
    others = probe_suite(x[::-1], labels, x_test, test_labels)
    assert others["k-means"] == found["k-means"]
    x_test, test_labels = blobs(60, seed=1)
    assert probe_suite(x, labels, x_test, test_labels)["k-means"] == 1


# Few labels


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(2, 60))
def test_rows_are_drawn_evenly_from_all_classes(seed, classes, N):
    labels = np.random.default_rng(seed).integers(0, classes, N)
    order = draw_evenly(labels, seed=seed)
    assert sorted(order) == list(range(N))
    sizes = pd.Series(labels).value_counts()
    for count in range(1, N + 1):
        drawn = pd.Series(labels[order[:count]]).value_counts().reindex(sizes.index, fill_value=0)
        unfinished = drawn[drawn < sizes]
        if len(unfinished):  # a class with rows left is at most one row behind
            assert drawn.max() - unfinished.min() <= 1


def test_draws_differ_and_no_class_profits_from_a_remainder():
    labels = np.repeat(np.arange(10), 30)
    orders = [draw_evenly(labels, seed=seed) for seed in range(200)]
    assert len({tuple(order) for order in orders}) == 200
    first = np.bincount([labels[order[0]] for order in orders], minlength=10)
    assert first.min() > 3  # mean 20, standard deviation 4.2
    assert first.max() < 37
    chosen = np.bincount(np.concatenate([order[:10] for order in orders]), minlength=300)
    assert chosen.max() < 25  # mean 6.7


def test_learners_get_the_same_nested_balanced_rows():
    labels = np.repeat(["a", "b"], 40)
    seen = {"one": [], "two": []}

    def learner(name):
        return lambda rows: seen[name].append(rows) or len(rows) / 80

    table = label_efficiency_curve(
        {name: learner(name) for name in seen}, labels, counts=(2, 10, 80, 500), draws=3
    )
    assert table.columns.tolist() == ["labels", "draw", "learner", "accuracy"]
    counts = table.groupby(["labels", "learner"])["draw"].count().unstack()
    assert counts.loc[2].tolist() == counts.loc[10].tolist() == [3, 3]
    assert counts.loc[80].tolist() == [1, 1]  # all rows allow one draw
    assert 500 not in counts.index
    assert (table["accuracy"] == table["labels"] / 80).all()
    for rows, others in zip(seen["one"], seen["two"], strict=True):
        assert (rows == others).all()
        assert abs((labels[rows] == "a").sum() - (labels[rows] == "b").sum()) == 0
    small, large = seen["one"][0], seen["one"][1]
    assert set(small) < set(large)
    assert set(seen["one"][0]) != set(seen["one"][3])


def test_probe_learner_is_a_linear_probe_of_the_given_rows():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    x = np.eye(3)[y] + 0.5 * rng.standard_normal((200, 3))
    rows = np.arange(40, 70)
    found = probe_learner(x[:100], y[:100], x[100:], y[100:])(rows)
    assert found == linear_probe(x[rows], y[rows], x[100:], y[100:])


def test_curve_refuses_counts_below_the_number_of_classes():
    with pytest.raises(ValueError, match="counts: expected at least 3, one per class, got 2"):
        label_efficiency_curve({"one": len}, [0, 1, 2, 0], counts=(2,))
    with pytest.raises(ValueError, match="learners: "):
        label_efficiency_curve({}, [0, 1])


def test_a_column_of_small_unit_and_large_offset_is_not_lost():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 10_000)
    features = rng.normal(size=(10_000, 1)) + 2 * labels[:, None]
    far = features * 1e-3 + 1e9
    accuracy = linear_probe(features, labels, features, labels)
    assert linear_probe(far, labels, far, labels) == pytest.approx(accuracy, abs=0.002)


def test_labels_as_bytes_are_words():
    words = np.array(["Katze", "Löwe"])[np.arange(40) % 2]
    features, as_bytes = (np.arange(40) % 2)[:, None], np.char.encode(words, "utf-8")
    assert linear_probe(features, as_bytes, features, words) == 1
    with pytest.raises(ValueError, match="train_labels and test_labels: expected words or UTF-8"):
        linear_probe(features, np.char.encode(words, "latin-1"), features, words)
