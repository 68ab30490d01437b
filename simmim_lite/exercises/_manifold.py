"""Notebook 07."""

import math

import numpy as np
from scipy.special import xlogy

from simmim_lite.exercises._check import Case, Cases, exercise


def _probabilities(N: int, K: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(K), size=N)


@exercise("manifold bound", "return H(Y) + E log p(y|x') in nats from p(y|x) and p(y|x'), (N, K)")
def _manifold_bound() -> Cases:
    uniform = np.full((6, 3), 1 / 3)
    yield Case("uniform probabilities", (uniform, uniform), 0.0, "ln 3 - ln 3 = 0")
    sure = np.tile(0.98 * np.eye(4) + 0.005, (3, 1))
    sure /= sure.sum(axis=1, keepdims=True)
    expected = math.log(4) + np.mean(np.sum(sure * np.log(sure), axis=1))
    yield Case(
        "balanced and nearly certain clusters", (sure, sure), expected, "near ln 4, the maximum"
    )
    p, moved = _probabilities(50, 5, 0), _probabilities(50, 5, 1)
    mean = p.mean(axis=0)
    expected = -np.sum(mean * np.log(mean)) + np.mean(np.sum(p * np.log(moved), axis=1))
    yield Case(
        "random probabilities",
        (p, moved),
        expected,
        "clusters are drawn at x and predicted at x', and H(Y) is the entropy of the mean p(y|x)",
    )


@exercise("two nn", "return the Two-NN dimension from the distances to first and second neighbors")
def _two_nn() -> Cases:
    first = np.array([1.0, 2.0, 0.5, 1.0])
    reason = "(4 - 1) / (1 + 1 + 1 + 1): the logarithms of the ratios are all 1"
    yield Case("ratios of e", (first, math.e * first), 0.75, reason)
    generator = np.random.default_rng(0)
    for dim in (2, 7):
        ratio = generator.random(1000) ** (-1 / dim)  # the density that Two-NN assumes
        first = generator.random(1000) + 0.1
        expected = 999 / np.log(ratio).sum()
        yield Case(
            f"a sample of dimension {dim}", (first, ratio * first), expected, "d = (N-1)/sum"
        )


def _information(joint: np.ndarray) -> float:
    return float(xlogy(joint, joint / np.outer(joint.sum(1), joint.sum(0))).sum())


@exercise("cluster information", "return I(C; C') in nats of labels (N,) and edge weights (N, N)")
def _cluster_information() -> Cases:
    groups = np.repeat([0, 1], 4)
    apart = (groups[:, None] == groups).astype(float)
    yield Case(
        "two groups without edges between", (groups, apart), math.log(2), "I is one bit, ln 2"
    )
    yield Case(
        "all edges of equal weight", (groups, np.ones((8, 8))), 0.0, "the ends are independent"
    )
    generator = np.random.default_rng(0)
    labels, weights = generator.integers(3, size=30), generator.random((30, 30))
    weights = weights + weights.T
    joint = np.zeros((3, 3))
    np.add.at(joint, (labels[:, None], labels), weights)
    yield Case(
        "random labels and weights",
        (labels, weights),
        _information(joint / joint.sum()),
        "an edge is drawn in proportion to its weight, not uniformly",
    )


@exercise(
    "cheapest merge", "return the two clusters (i, j), i < j, whose merge loses least I(C; C')"
)
def _cheapest_merge() -> Cases:
    joint = np.array([[0.3, 0.0, 0.0], [0.0, 0.2, 0.15], [0.0, 0.15, 0.2]])
    reason = "edges connect 1 and 2, but none leads to 0"
    yield Case("two clusters with edges between them", (joint,), (1, 2), reason)
    # The heaviest edges connect the large clusters 0 and 1, but merging 2 and 3 loses less.
    joint = np.array(
        [[24, 6, 0, 0], [6, 24, 0, 0], [0, 0, 10, 5], [0, 0, 5, 10]], dtype=float
    )  # fmt: skip
    reason = "the lost information counts, not the weight of the edges between the clusters"
    yield Case("large clusters and small ones", (joint / joint.sum(),), (2, 3), reason)
