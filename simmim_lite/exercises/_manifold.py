"""Notebook 07."""

import math
from collections.abc import Iterable

import numpy as np
from scipy.special import xlogy

from simmim_lite.exercises._check import Case, exercise


def _codes(N: int, K: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(K), size=N)


@exercise("manifold bound", "return H(Y) + E log p(y | x') in nats, of p(y|x) and p(y|x'), (N, K)")
def _manifold_bound() -> Iterable[Case]:
    uniform = np.full((6, 3), 1 / 3)
    yield Case("codes that know nothing", (uniform, uniform), 0.0, "ln 3 - ln 3 = 0")
    sure = np.tile(0.98 * np.eye(4) + 0.005, (3, 1))
    sure /= sure.sum(axis=1, keepdims=True)
    expected = math.log(4) + np.mean(np.sum(sure * np.log(sure), axis=1))
    yield Case("even and nearly sure codes", (sure, sure), expected, "near ln 4, the most there is")
    p, moved = _codes(50, 5, 0), _codes(50, 5, 1)
    mean = p.mean(axis=0)
    expected = -np.sum(mean * np.log(mean)) + np.mean(np.sum(p * np.log(moved), axis=1))
    yield Case(
        "random codes",
        (p, moved),
        expected,
        "codes are drawn at x and guessed at x', and H(Y) is that of the mean code at x",
    )


@exercise("two nn", "return the Two-NN dimension, of the distances to first and second neighbors")
def _two_nn() -> Iterable[Case]:
    first = np.array([1.0, 2.0, 0.5, 1.0])
    yield Case(
        "ratios of e",
        (first, math.e * first),
        0.75,
        "(4 - 1) / (1 + 1 + 1 + 1): the logarithms of the ratios are all 1",
    )
    generator = np.random.default_rng(0)
    for dim in (2, 7):
        ratio = generator.random(1000) ** (-1 / dim)  # the density that Two-NN supposes
        first = generator.random(1000) + 0.1
        expected = 999 / np.log(ratio).sum()
        yield Case(
            f"a sample of dimension {dim}", (first, ratio * first), expected, "d = (N-1)/sum"
        )


def _information(joint: np.ndarray) -> float:
    return float(xlogy(joint, joint / np.outer(joint.sum(1), joint.sum(0))).sum())


@exercise("code information", "return I(C; C') in nats, of codes (N,) and symmetric weights (N, N)")
def _code_information() -> Iterable[Case]:
    groups = np.repeat([0, 1], 4)
    apart = (groups[:, None] == groups).astype(float)
    yield Case("two groups without an edge between", (groups, apart), math.log(2), "one bit: ln 2")
    yield Case(
        "all joined alike", (groups, np.ones((8, 8))), 0.0, "the end of an edge tells nothing"
    )
    generator = np.random.default_rng(0)
    codes, weights = generator.integers(3, size=30), generator.random((30, 30))
    weights = weights + weights.T
    joint = np.zeros((3, 3))
    np.add.at(joint, (codes[:, None], codes), weights)
    yield Case(
        "random codes and weights",
        (codes, weights),
        _information(joint / joint.sum()),
        "an edge is drawn in proportion to its weight, not uniformly",
    )


@exercise(
    "cheapest merger", "return the two codes (i, j), i < j, whose merger loses least I(C; C')"
)
def _cheapest_merger() -> Iterable[Case]:
    joint = np.array([[0.3, 0.0, 0.0], [0.0, 0.2, 0.15], [0.0, 0.15, 0.2]])
    yield Case(
        "two codes that share edges", (joint,), (1, 2), "between 1 and 2 edges run, none to 0"
    )
    # Most edges run between 0 and 1, the large codes; yet 2 and 3 tell less apart.
    joint = np.array(
        [[24, 6, 0, 0], [6, 24, 0, 0], [0, 0, 10, 5], [0, 0, 5, 10]], dtype=float
    )  # fmt: skip
    yield Case(
        "large codes and small ones",
        (joint / joint.sum(),),
        (2, 3),
        "what counts is the information that is lost, not the weight of the edges between",
    )
