"""Probes, neighbors, clusters and ranks, against answers by hand and by brute force."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from simmim_lite.entropy import sample_entropy, sample_mutual_information
from simmim_lite.evaluation import (
    cluster_accuracy,
    cluster_table,
    fit_linear_probe,
    knn_accuracy,
    linear_probe,
    precision_at_k,
    probe_suite,
    recall_at_k,
    retrieval_table,
)


def blobs(N, classes=3, dim=5, seed=0, spread=0.1):
    """Rows around unit vectors of their class, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(N) % classes
    return np.eye(dim)[labels] + spread * rng.standard_normal((N, dim)), labels


# Probes and neighbors


@pytest.mark.parametrize("score", [linear_probe, knn_accuracy])
def test_what_is_there_is_found_and_what_is_not_is_chance(score):
    x, labels = blobs(300)
    x_test, test_labels = blobs(120, seed=1)
    assert score(x, labels, x_test, test_labels) == 1
    names = np.array(["a", "b", "c"])
    assert score(torch.tensor(x), names[labels], torch.tensor(x_test), names[test_labels]) == 1
    # Labels in another order: the mean of 120 draws of probability 1 / 3, to 4 standard errors.
    shuffled = np.random.default_rng(2).permutation(labels)
    assert abs(score(x, shuffled, x_test, test_labels) - 1 / 3) < 4 * np.sqrt(2 / 9 / 120)


@pytest.mark.parametrize("score", [linear_probe, knn_accuracy])
def test_accuracy_is_of_the_test_rows(score):
    x, labels = blobs(300)
    x_test, test_labels = blobs(90, seed=1)
    assert score(x, labels, x_test, np.r_[test_labels[:60], test_labels[60:] + 1]) == 2 / 3


def test_fitted_probe_gives_the_answers_that_are_counted():
    x, labels = blobs(300, spread=0.6)
    x_test, test_labels = blobs(90, seed=1, spread=0.6)
    probe = fit_linear_probe(torch.tensor(x), labels, C=0.3)
    score = np.mean(probe.predict(x_test) == test_labels)
    assert score == linear_probe(x, labels, x_test, test_labels, C=0.3)
    assert 0.5 < score < 1
    assert probe.predict_proba(x_test).sum(axis=1) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"train_features and train_labels: .*same number"):
        fit_linear_probe(x, labels[:9])


def test_probe_is_linear_and_does_not_mind_units():
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


def test_neighbors_vote_by_their_cosines():
    angles = np.radians([0, 10, 170, 180, 190])
    x = np.c_[np.cos(angles), np.sin(angles)] * np.array([[1], [9], [1], [1], [1]])
    labels = np.array([0, 0, 1, 1, 1])
    query = np.array([[0.1, 0.0], [-5.0, 0.1]])
    # All five are asked; three of the other class stand on the other side.
    assert knn_accuracy(x, labels, query, [0, 1], k=5) == 1
    assert knn_accuracy(x, labels, query, [1, 0], k=1) == 0


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


def test_neighbors_refuse_rows_without_direction_and_too_many():
    x = np.ones((4, 2))
    with pytest.raises(ValueError, match=r"test_features: .*row 1"):
        knn_accuracy(x, np.arange(4), np.array([[1, 2], [0, 0]]), [0, 1], k=1)
    with pytest.raises(ValueError, match=r"k: .* in 1\.\.4, got 5"):
        knn_accuracy(x, np.arange(4), x, np.arange(4), k=5)


# Clusters


def best_assignment(labels, clusters):
    names = np.unique(labels)
    sizes = range(max(len(names), len(np.unique(clusters))))
    codes = np.unique(clusters, return_inverse=True)[1]
    return max(
        np.mean(np.array([*names, *[-1] * len(sizes)])[list(order)][codes] == labels)
        for order in itertools.permutations(sizes)
    )


@pytest.mark.parametrize("groups", [2, 4, 5])
def test_cluster_accuracy_is_the_best_of_all_assignments(groups):
    rng = np.random.default_rng(groups)
    for _ in range(5):
        labels, clusters = rng.integers(0, 4, 40), rng.integers(0, groups, 40)
        assert cluster_accuracy(labels, clusters) == pytest.approx(
            best_assignment(labels, clusters)
        )


def test_cluster_accuracy_by_hand():
    labels = ["one", "one", "two", "two", "two", "three"]
    assert cluster_accuracy(labels, [7, 7, 3, 3, 3, 5]) == 1
    # The greedy choice of "two" for cluster 0 would give 3 / 6.
    assert cluster_accuracy([1] * 2 + [2] * 5, [0, 0, 0, 0, 0, 1, 1]) == 4 / 7
    assert cluster_accuracy(labels, [0] * 6) == 1 / 2
    assert cluster_accuracy(labels, np.arange(6)) == 1 / 2
    with pytest.raises(ValueError, match=r"labels and clusters: .*same number"):
        cluster_accuracy([1, 2], [1, 2, 3])


def test_cluster_table_is_by_definition_and_by_scikit_learn():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 500)
    near = np.where(rng.random(500) < 0.2, rng.integers(0, 4, 500), labels)
    names = np.array(["a", "b", "c", "d"])[near]
    table = cluster_table(labels, {"near": names, "one": np.zeros(500), "each": np.arange(500)})
    row = table.loc["near"]
    shared, own = sample_mutual_information(labels, near), [*map(sample_entropy, (labels, near))]
    assert row["NMI"] == pytest.approx(shared / np.mean(own))
    assert row["ARI"] == pytest.approx(adjusted_rand_score(labels, near))
    assert row["accuracy"] == cluster_accuracy(labels, near)
    assert table["clusters"].tolist() == [4, 1, 500]
    # What a cluster for each row gets without meaning anything: only ARI is not taken in.
    assert table.loc["each", "NMI"] > 0.3
    assert table.loc[["one", "each"], "ARI"].tolist() == pytest.approx([0, 0], abs=1e-12)


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 5), st.integers(2, 40))
def test_cluster_scores_are_symmetric_and_do_not_mind_names(seed, classes, groups, N):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, classes, N), rng.integers(0, groups, N)
    scores = ["accuracy", "NMI", "ARI"]
    row = cluster_table(a, {"b": b}).loc["b", scores]
    other_way = cluster_table(b, {"a": a}).loc["a", scores]
    renamed = cluster_table(a, {"b": rng.permutation(groups)[b]}).loc["b", scores]
    assert row.tolist() == pytest.approx(other_way.tolist())
    assert row.tolist() == pytest.approx(renamed.tolist())
    assert row["NMI"] == pytest.approx(normalized_mutual_info_score(a, b))
    assert 0 <= row["accuracy"] <= 1
    assert -1 <= row["ARI"] <= 1
    assert cluster_table(a, {"a": a}).loc["a", scores].tolist() == pytest.approx([1, 1, 1])


def test_read_out_is_its_three_readers():
    x, labels = blobs(90, spread=0.6)
    x_test, test_labels = blobs(60, seed=1, spread=0.6)
    found = probe_suite(x, labels, x_test, test_labels)
    assert found["linear probe"] == linear_probe(x, labels, x_test, test_labels)
    assert found["20 neighbors"] == knn_accuracy(x, labels, x_test, test_labels)
    assert 0.5 < found["k-means"] < 1
    # k-means sees neither the training rows nor any label
    others = probe_suite(x[::-1], labels, x_test, test_labels)
    assert others["k-means"] == found["k-means"]
    x_test, test_labels = blobs(60, seed=1)
    assert probe_suite(x, labels, x_test, test_labels)["k-means"] == 1


# Retrieval

SCORES = np.array([[4.0, 3, 2, 1], [1, 2, 3, 4], [1, 4, 2, 3]])
CANDIDATES = ["a", "b", "a", "c"]


def test_retrieval_by_hand():
    found = precision_at_k(SCORES, ["a", "a", "c"], CANDIDATES, 1)
    assert found.value == pytest.approx(1 / 3)
    assert found.chance == pytest.approx((2 + 2 + 1) / 12)
    assert found.ceiling == 1
    found = precision_at_k(SCORES, ["a", "a", "c"], CANDIDATES, 3)
    assert found.value == pytest.approx((2 + 1 + 1) / 9)
    assert found.chance == pytest.approx((2 + 2 + 1) / 12)
    assert found.ceiling == pytest.approx((2 + 2 + 1) / 9)
    found = recall_at_k(SCORES, ["a", "a", "c"], CANDIDATES, 1)
    assert found == pytest.approx((0.5 / 3, 1 / 4, (0.5 + 0.5 + 1) / 3))
    found = recall_at_k(torch.tensor(SCORES), ["a", "a", "c"], CANDIDATES, 2)
    assert found == pytest.approx(((0.5 + 0.5 + 1) / 3, 1 / 2, 1))


@pytest.mark.parametrize("k", [1, 3, 7])
def test_retrieval_by_brute_force_and_equal_scores_at_random(k):
    rng = np.random.default_rng(k)
    scores = rng.integers(0, 4, (6, 7)).astype(float)  # many ties
    queries, candidates = rng.integers(0, 3, 6), np.r_[0, 1, 2, rng.integers(0, 3, 4)]
    precisions, recalls = [], []
    for _ in range(3000):
        order = np.argsort(-(scores + 0.5 * rng.random(scores.shape)), axis=1)[:, :k]
        hits = (candidates[order] == queries[:, None]).sum(axis=1)
        precisions.append(hits.mean() / k)
        recalls.append((hits / (queries[:, None] == candidates).sum(axis=1)).mean())
    # A mean of 3,000 x 6 shares: 4 standard errors, each below 0.5 / sqrt(18000).
    assert precision_at_k(scores, queries, candidates, k).value == pytest.approx(
        np.mean(precisions), abs=0.015
    )
    assert recall_at_k(scores, queries, candidates, k).value == pytest.approx(
        np.mean(recalls), abs=0.015
    )


@pytest.mark.parametrize("score", [precision_at_k, recall_at_k])
def test_no_meaning_is_chance_and_perfection_is_the_ceiling(score):
    queries, candidates = np.sort(np.arange(50) % 5), np.sort(np.arange(30) % 5)
    for k in (1, 4, 10):
        constant = score(np.zeros((50, 30)), queries, candidates, k)
        assert constant.value == pytest.approx(constant.chance)
        perfect = score(queries[:, None] == candidates, queries, candidates, k)
        assert perfect.value == pytest.approx(perfect.ceiling)
        assert perfect.chance < perfect.ceiling


def test_one_partner_each_is_the_usual_recall():
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((40, 40)) + 2 * np.eye(40)
    rank = (scores >= scores.diagonal()[:, None]).sum(axis=1)
    found = recall_at_k(scores, np.arange(40), np.arange(40), 5)
    assert found == pytest.approx((np.mean(rank <= 5), 5 / 40, 1))


@pytest.mark.parametrize("score", [precision_at_k, recall_at_k])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SCORES, ["a"] * 4, CANDIDATES), r"scores: .*\(4,\) and \(4,\), got \(3, 4\)"),
        ((SCORES.T, ["a"] * 3, CANDIDATES), r"scores: .*\(3,\) and \(4,\), got \(4, 3\)"),
        ((SCORES, ["a"] * 3, CANDIDATES, 5), r"k: .* in 1\.\.4, got 5"),
        ((np.where(SCORES == 3, np.nan, SCORES), ["a"] * 3, CANDIDATES), "scores: .*row 0"),
    ],
)
def test_retrieval_refuses(score, arguments, message):
    with pytest.raises(ValueError, match=message):
        score(*arguments)


def test_recall_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"query_labels: .*1 others, the first in row 2"):
        recall_at_k(SCORES, ["a", "b", "d"], CANDIDATES)
    assert precision_at_k(SCORES, ["a", "b", "d"], CANDIDATES).ceiling == pytest.approx(2 / 3)


def test_retrieval_table_holds_both_directions():
    first, second = ["a", "a", "c"], CANDIDATES
    table = retrieval_table(torch.tensor(SCORES), first, second, names=("x", "y"), ks=(1, 2))
    assert table.index.tolist() == ["x to y, P@1", "x to y, P@2", "y to x, P@1", "y to x, P@2"]
    for k in (1, 2):
        there, back = table.loc[f"x to y, P@{k}"], table.loc[f"y to x, P@{k}"]
        assert tuple(there) == precision_at_k(SCORES, first, second, k)
        assert tuple(back) == precision_at_k(SCORES.T, second, first, k)


def test_retrieval_table_shows_recall_beside_precision():
    first, second = ["a", "a", "c"], ["a", "b", "a", "c"]
    plain = retrieval_table(SCORES, first, ["a", "c", "a", "c"], ks=(1, 2))
    table = retrieval_table(SCORES, first, ["a", "c", "a", "c"], ks=(1, 2), recall=True)
    assert table.loc[plain.index].equals(plain)
    assert table.index.tolist()[:4] == [
        f"first to second, {m}" for m in ("P@1", "R@1", "P@2", "R@2")
    ]
    assert tuple(table.loc["second to first, R@2"]) == recall_at_k(
        SCORES.T, ["a", "c", "a", "c"], first, 2
    )
    with pytest.raises(ValueError, match=r"query_labels: .*row 1"):  # nobody is a "b" but it
        retrieval_table(SCORES, first, second, ks=(1,), recall=True)
