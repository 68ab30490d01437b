"""Notebook 08."""

import math

import numpy as np

from simmim_lite.exercises._check import Case, Cases, exercise


@exercise("nearest slot", "return the row number of the key with the highest cosine to the query")
def _nearest_slot() -> Cases:
    keys = np.array([[10.0, 10.0], [1.0, 0.0], [-3.0, 0.1]])
    yield Case(
        "a long key at 45 degrees and a short one at 0",
        (keys, np.array([2.0, 0.2])),
        1,
        "the cosine does not depend on the length of a key",
    )
    reason = "the best cosine is the highest, not the highest absolute value"
    yield Case("a query on the other side", (keys, np.array([-0.1, 0.0])), 2, reason)
    reason = "the cosines are -0.95 and -0.45, and -0.45 is the highest"
    yield Case("all cosines negative", (keys[:2], np.array([-1.0, -2.0])), 1, reason)


@exercise(
    "soft read", "return the values (N, m), averaged with weights softmax(beta * keys @ query)"
)
def _soft_read() -> Cases:
    keys, values = np.eye(3), np.array([[1.0, 0.0], [0.0, 1.0], [4.0, 4.0]])
    query = np.array([1.0, 0.0, 0.0])
    yield Case(
        "beta 0", (keys, values, query, 0.0), values.mean(axis=0), "all weights are equal then"
    )
    reason = "the weights are 2/4, 1/4 and 1/4"
    yield Case("beta ln 2", (keys, values, query, math.log(2)), [1.5, 1.25], reason)
    reason = "the best key has all the weight, and e^2000 overflows"
    yield Case("beta 2000", (keys, values, query, 2000.0), [1.0, 0.0], reason)


@exercise("buckets", "return the probability of a shared bucket of b planes in one of L tables")
def _buckets() -> Cases:
    yield Case("the same direction", (0.0, 8, 1), 1.0, "no plane separates them")
    reason = "half of all planes separate them"
    yield Case("a right angle, one plane, one table", (math.pi / 2, 1, 1), 0.5, reason)
    reason = "neither plane may separate them: (3/4)^2"
    yield Case("45 degrees, two planes, one table", (math.pi / 4, 2, 1), 0.5625, reason)
    reason = "the probability of no shared bucket in three tables is (7/16)^3"
    yield Case("45 degrees, two planes, three tables", (math.pi / 4, 2, 3), 0.916259765625, reason)
