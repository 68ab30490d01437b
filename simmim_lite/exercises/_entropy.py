"""Notebook 01."""

import math
from collections.abc import Iterable

import numpy as np

from simmim_lite import entropy as reference
from simmim_lite.exercises._check import Case, exercise


@exercise("entropy", "return H(p) in nats of a probability vector that may hold zeros")
def _entropy() -> Iterable[Case]:
    yield Case("a fair coin", (np.array([0.5, 0.5]),), math.log(2), "H = ln 2 nats, not 1 bit")
    yield Case("a sure thing", (np.array([1.0, 0.0]),), 0.0, "0 log 0 = 0: no surprise")
    p = np.random.default_rng(3).dirichlet(np.ones(7))
    yield Case("seven random probabilities", (p,), reference.entropy(p), "H = -sum p log p")


@exercise("conditional entropy", "return H(X | Y) in nats of a table with rows X, columns Y")
def _conditional_entropy() -> Iterable[Case]:
    yield Case("a diagonal table", (np.eye(3) / 3,), 0.0, "Y tells X")
    table = np.outer([0.25, 0.75], [0.1, 0.9])
    yield Case(
        "an independent table",
        (table,),
        reference.entropy([0.25, 0.75]),
        "Y tells nothing, so H(X | Y) = H(X): mind which axis is X",
    )
    table = np.array([[0.5, 0.0, 0.1], [0.25, 0.0, 0.15]])
    yield Case(
        "a table with an empty column",
        (table,),
        reference.conditional_entropy(table, given=1),
        "H(X | Y) = H(X, Y) - H(Y), and an empty column adds nothing",
    )


@exercise("kl divergence", "return KL(p || q) in nats, infinite where q rules out what p allows")
def _kl_divergence() -> Iterable[Case]:
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    yield Case("p with a zero", (p, q), 0.5 * math.log(2), "0 log 0 = 0, and p weighs the sum")
    yield Case("q with a zero", (q, p), math.inf, "p allows what q rules out")
    p, q = np.random.default_rng(4).dirichlet(np.ones(5), size=2)
    yield Case("p and p", (p, p), 0.0, "nothing is lost with the right model")
    yield Case("two random vectors", (p, q), np.sum(p * np.log(p / q)), "KL = sum p log(p / q)")


@exercise("miller-madow", "return the plug-in entropy of the counts plus Miller and Madow's term")
def _miller_madow() -> Iterable[Case]:
    yield Case(
        "counts 5 and 5",
        (np.array([5, 5]),),
        math.log(2) + 1 / 20,
        "(K - 1) / 2N = 1/20 is added to ln 2",
    )
    yield Case(
        "a cell that was never seen",
        (np.array([6, 0, 2]),),
        reference.entropy([0.75, 0.25]) + 1 / 16,
        "K counts the two cells that were seen",
    )
    yield Case("one cell only", (np.array([9]),), 0.0, "K - 1 = 0: nothing to correct")
