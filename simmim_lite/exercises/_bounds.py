"""Notebook 03."""

import math

import numpy as np
from scipy.special import logsumexp
from scipy.stats import binom

from simmim_lite.exercises._check import Case, Cases, exercise


def _scores(K: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(K, K)) + 2 * np.eye(K)


@exercise("info nce", "return the InfoNCE bound in nats of a (K, K) matrix of scores")
def _info_nce() -> Cases:
    yield Case("equal scores", (np.zeros((4, 4)),), 0.0, "no positive has a higher score")
    reason = "a perfect critic reaches ln K, and e^1000 must not overflow: use logsumexp"
    yield Case("a diagonal far above the rest", (1000 * np.eye(8),), math.log(8), reason)
    scores = _scores(5, 7)
    expected = math.log(5) + np.mean(np.diag(scores) - logsumexp(scores, axis=1))
    yield Case("random scores", (scores,), expected, "row i holds the candidates of x_i")


@exercise("nwj", "return the NWJ bound in nats of a (K, K) matrix of scores")
def _nwj() -> Cases:
    ones = np.ones((3, 3))
    yield Case("scores of one", (ones,), 0.0, "1 - e^(1 - 1) = 0, as for independent variables")
    for K in (2, 6):
        scores = _scores(K, K)
        negatives = scores[~np.eye(K, dtype=bool)]
        yield Case(
            f"random scores of {K} pairs",
            (scores,),
            np.mean(np.diag(scores)) - np.mean(np.exp(negatives - 1)),
            "the first term uses the diagonal, the second term only the other entries",
        )


@exercise("candidates", "return the smallest whole number K with ln K >= nats")
def _candidates() -> Cases:
    for nats, K in ((0.0, 1), (2.0, 8), (4.1, 61), (10.0, 22027)):
        yield Case(f"{nats} nats", (nats,), K, f"ln {K} = {math.log(K):.4f} is enough, not K - 1")


@exercise("ceiling", "return E ln(K / (1 + n)): n of the K - 1 negatives have the same class")
def _ceiling() -> Cases:
    yield Case("one candidate", (1, 10), 0.0, "a choice of one candidate carries no information")
    reason = "half of the time the negative has the same class, and the choice has no information"
    yield Case("two candidates, two classes", (2, 2), math.log(2) / 2, reason)
    counts = np.arange(64)
    expected = binom.pmf(counts, 63, 0.1) @ (math.log(64) - np.log1p(counts))
    yield Case("64 candidates, ten classes", (64, 10), expected, "n is binomial (K - 1, 1/classes)")
