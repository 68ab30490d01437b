"""Cases of the exercises of notebook 03."""

import math

import numpy as np

from simmim_lite.exercises._check import Case, Cases, cases


@cases("tangent bound")
def _tangent_bound() -> Cases:
    reason = "0 - ln 1 - 1/1 + 1 = 0: equal scores carry no information"
    yield Case("scores of 0 and a = 1", (np.zeros((3, 3)), 1.0), 0.0, reason)
    reason = (
        "with a = e the bound is NWJ, and only cells outside the diagonal enter the second term"
    )
    for K, a in ((2, math.e), (5, math.e), (6, 0.7)):
        scores = np.random.default_rng(K).normal(size=(K, K)) + 2 * np.eye(K)
        Z = np.mean(np.exp(scores[~np.eye(K, dtype=bool)]))
        expected = np.mean(np.diag(scores)) - math.log(a) - Z / a + 1
        yield Case(f"random scores of {K} pairs, a = {a:.3f}", (scores, a), expected, reason)
        reason = "the bound is E f - ln a - Z / a + 1"
