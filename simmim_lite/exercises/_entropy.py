"""Notebook 01."""

import math

import numpy as np

from simmim_lite import entropy as reference
from simmim_lite.exercises._check import Case, Cases, exercise


@exercise("entropy", "return H(p) in nats of probabilities p, which may be 0")
def _entropy() -> Cases:
    yield Case("a fair coin", (np.array([0.5, 0.5]),), math.log(2), "H = ln 2 nats, not 1 bit")
    yield Case("a certain outcome", (np.array([1.0, 0.0]),), 0.0, "0 log 0 = 0: no uncertainty")
    p = np.random.default_rng(3).dirichlet(np.ones(7))
    yield Case("seven random probabilities", (p,), reference.entropy(p), "H = -sum p log p")


@exercise("conditional entropy", "return H(X | Y) in nats of a table with rows X, columns Y")
def _conditional_entropy() -> Cases:
    yield Case("a diagonal table", (np.eye(3) / 3,), 0.0, "Y determines X")
    table = np.outer([0.25, 0.75], [0.1, 0.9])
    reason = "Y has no information about X, so H(X | Y) = H(X): check which axis is X"
    yield Case("an independent table", (table,), reference.entropy([0.25, 0.75]), reason)
    table = np.array([[0.5, 0.0, 0.1], [0.25, 0.0, 0.15]])
    yield Case(
        "a table with an empty column",
        (table,),
        reference.conditional_entropy(table, given=1),
        "H(X | Y) = H(X, Y) - H(Y), and an empty column adds nothing",
    )


@exercise("kl divergence", "return KL(p || q) in nats, infinite if q is 0 where p is not")
def _kl_divergence() -> Cases:
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    yield Case("p with a zero", (p, q), 0.5 * math.log(2), "0 log 0 = 0, and p weights the sum")
    yield Case("q with a zero", (q, p), math.inf, "the second vector is 0 where the first is not")
    p, q = np.random.default_rng(4).dirichlet(np.ones(5), size=2)
    yield Case("p and p", (p, p), 0.0, "the divergence of equal distributions is 0")
    yield Case("two random vectors", (p, q), np.sum(p * np.log(p / q)), "KL = sum p log(p / q)")


@exercise("miller-madow", "return the Miller-Madow estimate of the entropy in nats from counts")
def _miller_madow() -> Cases:
    reason = "(K - 1) / 2N = 1/20 is added to ln 2"
    yield Case("counts 5 and 5", (np.array([5, 5]),), math.log(2) + 1 / 20, reason)
    yield Case(
        "a cell of count 0",
        (np.array([6, 0, 2]),),
        reference.entropy([0.75, 0.25]) + 1 / 16,
        "K is the number of cells with a count above 0",
    )
    yield Case("one cell only", (np.array([9]),), 0.0, "K - 1 = 0: the correction is 0")
