"""Clusterings: brute force over assignments, hand-made cases, scikit-learn, invariances."""

import itertools

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from simmim_lite.entropy import sample_entropy, sample_mutual_information
from simmim_lite.evaluation import (
    cluster_accuracy,
    cluster_table,
)


def best_assignment(labels, clusters):
    names = np.unique(labels)
    sizes = range(max(len(names), len(np.unique(clusters))))
    assignments = np.unique(clusters, return_inverse=True)[1]
    return max(
        np.mean(np.array([*names, *[-1] * len(sizes)])[list(order)][assignments] == labels)
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


def test_cluster_table_agrees_with_definitions_and_scikit_learn():
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
    # A cluster per row has no information, and only ARI shows that.
    assert table.loc["each", "NMI"] > 0.3
    assert table.loc[["one", "each"], "ARI"].tolist() == pytest.approx([0, 0], abs=1e-12)


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 5), st.integers(2, 40))
def test_cluster_scores_are_symmetric_and_independent_of_names(seed, classes, groups, N):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, classes, N), rng.integers(0, groups, N)
    scores = ["accuracy", "NMI", "ARI"]
    row = cluster_table(a, {"b": b}).loc["b", scores]
    reverse = cluster_table(b, {"a": a}).loc["a", scores]
    renamed = cluster_table(a, {"b": rng.permutation(groups)[b]}).loc["b", scores]
    assert row.tolist() == pytest.approx(reverse.tolist())
    assert row.tolist() == pytest.approx(renamed.tolist())
    assert row["NMI"] == pytest.approx(normalized_mutual_info_score(a, b))
    assert 0 <= row["accuracy"] <= 1
    assert -1 <= row["ARI"] <= 1
    assert cluster_table(a, {"a": a}).loc["a", scores].tolist() == pytest.approx([1, 1, 1])
