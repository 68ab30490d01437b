"""Retrieval and neighbors beside torchmetrics and a vote by hand, with their ranges."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from sklearn.metrics.pairwise import cosine_similarity
from torchmetrics.functional.retrieval import retrieval_precision, retrieval_recall

from simmim_lite.evaluation import knn_accuracy, precision_at_k, recall_at_k

seeds = st.integers(0, 10**6)


@given(seeds, st.integers(1, 9))
@settings(max_examples=30)
def test_retrieval_is_that_of_torchmetrics_query_by_query(seed, k):
    rng = np.random.default_rng(seed)
    scores = rng.random((6, 9))  # for torchmetrics a score of 0 or less is never a hit
    candidates = rng.permutation(np.arange(9) % 3)
    queries = rng.integers(0, 3, 6)
    relevant = torch.from_numpy(queries[:, None] == candidates)
    for ours, theirs in ((precision_at_k, retrieval_precision), (recall_at_k, retrieval_recall)):
        rows = zip(torch.from_numpy(scores), relevant, strict=True)
        expected = np.mean([theirs(row, hits, top_k=k).item() for row, hits in rows])
        found = ours(scores, queries, candidates, k)
        assert found.value == pytest.approx(expected, abs=1e-6)
        assert 0 <= found.value <= found.ceiling + 1e-12
        assert 0 < found.chance <= found.ceiling <= 1
        # The order of the candidates does not matter, nor an increasing scale of the scores.
        order = rng.permutation(9)
        again = ours(np.log(scores[:, order]), queries, candidates[order], k)
        assert again == pytest.approx(found)


@given(seeds, st.integers(1, 12))
@settings(max_examples=20)
def test_neighbor_vote_is_counted_with_cosines(seed, k):
    rng = np.random.default_rng(seed)
    x, z = rng.standard_normal((12, 4)), rng.standard_normal((20, 4))
    labels, asked = rng.permutation(np.arange(12) % 3), rng.integers(0, 3, 20)
    cosines = cosine_similarity(z, x)
    votes = np.zeros((20, 3))
    for row, nearest in enumerate(np.argsort(-cosines, axis=1)[:, :k]):
        for i in nearest:  # one on the other side counts as good as nothing
            votes[row, labels[i]] += max(cosines[row, i], 1e-9)
    found = knn_accuracy(x, labels, z, asked, k=k)
    assert found == pytest.approx((votes.argmax(axis=1) == asked).mean())
    lengths = rng.uniform(0.1, 10, (12, 1))
    assert knn_accuracy(lengths * x, labels, 5 * z, asked, k=k) == found
