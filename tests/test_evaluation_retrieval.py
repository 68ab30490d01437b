"""Retrieval: hand-made cases, brute force over ties, torchmetrics, chance and upper bound."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torchmetrics.functional.retrieval import retrieval_precision, retrieval_recall

from simmim_lite.evaluation import (
    precision_at_k,
    recall_at_k,
    retrieval_table,
)

SCORES = np.array([[4.0, 3, 2, 1], [1, 2, 3, 4], [1, 4, 2, 3]])


CANDIDATES = ["a", "b", "a", "c"]


def test_retrieval_by_hand():
    found = precision_at_k(SCORES, ["a", "a", "c"], CANDIDATES, 1)
    assert found.value == pytest.approx(1 / 3)
    assert found.chance == pytest.approx((2 + 2 + 1) / 12)
    assert found.upper_bound == 1
    found = precision_at_k(SCORES, ["a", "a", "c"], CANDIDATES, 3)
    assert found.value == pytest.approx((2 + 1 + 1) / 9)
    assert found.chance == pytest.approx((2 + 2 + 1) / 12)
    assert found.upper_bound == pytest.approx((2 + 2 + 1) / 9)
    found = recall_at_k(SCORES, ["a", "a", "c"], CANDIDATES, 1)
    assert found == pytest.approx((0.5 / 3, 1 / 4, (0.5 + 0.5 + 1) / 3))
    found = recall_at_k(torch.tensor(SCORES), ["a", "a", "c"], CANDIDATES, 2)
    assert found == pytest.approx(((0.5 + 0.5 + 1) / 3, 1 / 2, 1))


@pytest.mark.parametrize("k", [1, 3, 7])
def test_retrieval_agrees_with_brute_force_over_random_orders_of_ties(k):
    rng = np.random.default_rng(k)
    scores = rng.integers(0, 4, (6, 7)).astype(float)  # many ties
    queries, candidates = rng.integers(0, 3, 6), np.r_[0, 1, 2, rng.integers(0, 3, 4)]
    precisions, recalls = [], []
    for _ in range(3000):
        order = np.argsort(-(scores + 0.5 * rng.random(scores.shape)), axis=1)[:, :k]
        hits = (candidates[order] == queries[:, None]).sum(axis=1)
        precisions.append(hits.mean() / k)
        recalls.append((hits / (queries[:, None] == candidates).sum(axis=1)).mean())
    # A mean of 3,000 x 6 fractions: 4 standard errors, each below 0.5 / sqrt(18000).
    assert precision_at_k(scores, queries, candidates, k).value == pytest.approx(
        np.mean(precisions), abs=0.015
    )
    assert recall_at_k(scores, queries, candidates, k).value == pytest.approx(
        np.mean(recalls), abs=0.015
    )


@pytest.mark.parametrize("score", [precision_at_k, recall_at_k])
def test_constant_scores_give_chance_and_perfect_scores_the_upper_bound(score):
    queries, candidates = np.sort(np.arange(50) % 5), np.sort(np.arange(30) % 5)
    for k in (1, 4, 10):
        constant = score(np.zeros((50, 30)), queries, candidates, k)
        assert constant.value == pytest.approx(constant.chance)
        perfect = score(queries[:, None] == candidates, queries, candidates, k)
        assert perfect.value == pytest.approx(perfect.upper_bound)
        assert perfect.chance < perfect.upper_bound


def test_recall_with_one_positive_per_query_is_the_usual_recall_at_k():
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((40, 40)) + 2 * np.eye(40)
    rank = (scores >= scores.diagonal()[:, None]).sum(axis=1)
    found = recall_at_k(scores, np.arange(40), np.arange(40), 5)
    assert found == pytest.approx((np.mean(rank <= 5), 5 / 40, 1))


@given(st.integers(0, 10**6), st.integers(1, 9))
@settings(max_examples=30)
def test_retrieval_agrees_with_torchmetrics_query_by_query(seed, k):
    rng = np.random.default_rng(seed)
    scores = rng.random((6, 9))  # torchmetrics never counts a score <= 0 as a hit
    candidates = rng.permutation(np.arange(9) % 3)
    queries = rng.integers(0, 3, 6)
    relevant = torch.from_numpy(queries[:, None] == candidates)
    for ours, theirs in ((precision_at_k, retrieval_precision), (recall_at_k, retrieval_recall)):
        rows = zip(torch.from_numpy(scores), relevant, strict=True)
        expected = np.mean([theirs(row, hits, top_k=k).item() for row, hits in rows])
        found = ours(scores, queries, candidates, k)
        assert found.value == pytest.approx(expected, abs=1e-6)
        assert 0 <= found.value <= found.upper_bound + 1e-12
        assert 0 < found.chance <= found.upper_bound <= 1
        # Neither the order of the candidates nor an increasing map of the scores matters.
        order = rng.permutation(9)
        again = ours(np.log(scores[:, order]), queries, candidates[order], k)
        assert again == pytest.approx(found)


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


def test_recall_refuses_queries_without_a_positive():
    with pytest.raises(ValueError, match=r"query_labels: .*1 others, the first in row 2"):
        recall_at_k(SCORES, ["a", "b", "d"], CANDIDATES)
    assert precision_at_k(SCORES, ["a", "b", "d"], CANDIDATES).upper_bound == pytest.approx(2 / 3)


def test_retrieval_table_has_both_directions():
    first, second = ["a", "a", "c"], CANDIDATES
    table = retrieval_table(torch.tensor(SCORES), first, second, names=("x", "y"), ks=(1, 2))
    assert table.index.tolist() == ["x to y, P@1", "x to y, P@2", "y to x, P@1", "y to x, P@2"]
    for k in (1, 2):
        there, back = table.loc[f"x to y, P@{k}"], table.loc[f"y to x, P@{k}"]
        assert tuple(there) == precision_at_k(SCORES, first, second, k)
        assert tuple(back) == precision_at_k(SCORES.T, second, first, k)


def test_retrieval_table_has_recall_below_precision():
    first, second = ["a", "a", "c"], ["a", "b", "a", "c"]
    plain = retrieval_table(SCORES, first, ["a", "c", "a", "c"], ks=(1, 2))
    table = retrieval_table(SCORES, first, ["a", "c", "a", "c"], ks=(1, 2), recall=True)
    assert table.loc[plain.index].equals(plain)
    assert table.index.tolist()[:4] == [
        f"first to second, {metric}" for metric in ("P@1", "R@1", "P@2", "R@2")
    ]
    assert tuple(table.loc["second to first, R@2"]) == recall_at_k(
        SCORES.T, ["a", "c", "a", "c"], first, 2
    )
    with pytest.raises(ValueError, match=r"query_labels: .*row 1"):  # no other item is a "b"
        retrieval_table(SCORES, first, second, ks=(1,), recall=True)
