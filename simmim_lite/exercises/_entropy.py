"""Cases of the exercises of notebook 01."""

import math

import numpy as np
from scipy.stats import geom

from simmim_lite import entropy as reference
from simmim_lite.exercises._check import Case, Cases, cases


@cases("entropy")
def _entropy() -> Cases:
    yield Case("a fair coin", ([0.5, 0.5],), math.log(2), "H = ln 2 nats, not 1 bit")
    yield Case("a certain outcome", ([1.0, 0.0],), 0.0, "0 log 0 = 0: no uncertainty")
    p = np.random.default_rng(3).dirichlet(np.ones(7))
    yield Case("seven random probabilities", (p,), reference.entropy(p), "H = -sum p log p")


@cases("kl divergence")
def _kl_divergence() -> Cases:
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    yield Case("p with a zero", (p, q), 0.5 * math.log(2), "0 log 0 = 0, and p weights the sum")
    yield Case("q with a zero", (q, p), math.inf, "the second vector is 0 where the first is not")
    p, q = np.random.default_rng(4).dirichlet(np.ones(5), size=2)
    yield Case("p and p", (p, p), 0.0, "the divergence of equal distributions is 0")
    yield Case("two random vectors", (p, q), np.sum(p * np.log(p / q)), "D = sum p log(p / q)")


@cases("waiting for heads")
def _waiting_for_heads() -> Cases:
    reason = "each toss is a fair coin, and there are two tosses on average: H = 2 ln 2"
    yield Case("p = 0.5", (0.5,), 2 * math.log(2), reason)
    for p in (0.1, 0.8):
        reason = "H(T) = H(F) + (1 - p) H(T), so H(T) is H(F) / p"
        yield Case(f"p = {p}", (p,), float(geom(p).entropy()), reason, 1e-6)
