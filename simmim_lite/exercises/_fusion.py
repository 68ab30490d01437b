"""Cases of the exercises of notebook 05."""

import math

import numpy as np

from simmim_lite.entropy import mutual_information
from simmim_lite.exercises._check import Case, Cases, cases


@cases("product of experts")
def _product_of_experts() -> Cases:
    prior, p, q = np.array([0.7, 0.2, 0.1]), np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.4, 0.2])
    yield Case("an expert without information", (p, prior, prior), p, "the other expert decides")
    experts, expected = ([0.8, 0.2], [0.8, 0.2], [0.5, 0.5]), [16 / 17, 1 / 17]
    yield Case("two experts that agree", experts, expected, "odds of 4 and 4 make odds of 16")
    product = p * q / prior
    reason = "both experts contain the prior, which should count once"
    yield Case("a prior that is not uniform", (p, q, prior), product / product.sum(), reason)


@cases("precision weights")
def _precision_weights() -> Cases:
    yield Case("equal noise", ([2.0, 2.0],), [0.5, 0.5], "neither is more precise")
    reason = "w^2 + 9 (1 - w)^2 is smallest at w = 9/10: weights are proportional to 1 / variance"
    yield Case("a sensor three times as noisy", ([1.0, 3.0],), [0.9, 0.1], reason)
    reason = "precisions 1, 1/4 and 1/4 are divided by their sum"
    yield Case("three sensors", ([1.0, 2.0, 2.0],), [2 / 3, 1 / 6, 1 / 6], reason)


@cases("synergy")
def _synergy() -> Cases:
    copy = [[[0.5, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.5]]]
    yield Case("copies of one bit", (copy,), -math.log(2), "ln 2 - ln 2 - ln 2: redundancy")
    xor = [[[0.25, 0.0], [0.0, 0.25]], [[0.0, 0.25], [0.25, 0.0]]]
    yield Case("y = x_1 XOR x_2", (xor,), math.log(2), "only x_1 and x_2 together determine y")
    table = np.random.default_rng(5).dirichlet(np.ones(24)).reshape(2, 3, 4)
    both = mutual_information(table.reshape(6, 4))
    alone = mutual_information(table.sum(axis=1)) + mutual_information(table.sum(axis=0))
    yield Case("a random table", (table,), both - alone, "the axes are x_1, x_2 and y")
