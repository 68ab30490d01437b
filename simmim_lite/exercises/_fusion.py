"""Notebook 05."""

import math

import numpy as np

from simmim_lite.entropy import mutual_information
from simmim_lite.exercises._check import Case, Cases, exercise


@exercise("mean of present", "return (N, dim): in each row the mean of the vectors present in it")
def _mean_of_present() -> Cases:
    vectors = np.arange(12.0).reshape(2, 3, 2)
    reason = "the mean goes over the axis of modalities"
    yield Case("all present", (vectors, np.ones((2, 3))), vectors.mean(axis=1), reason)
    yield Case(
        "one modality, and two of three",
        (vectors, np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])),
        np.array([vectors[0, 1], (vectors[1, 0] + vectors[1, 2]) / 2]),
        "a sum of k vectors is divided by k, not by M",
    )
    missing = vectors.copy()
    missing[0, 1] = math.nan
    yield Case(
        "a missing vector of nan",
        (missing, np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])),
        np.array([(vectors[0, 0] + vectors[0, 2]) / 2, (vectors[1, 0] + vectors[1, 1]) / 2]),
        "missing vectors must not count, and nan times 0 is nan: use np.where",
    )


@exercise("product of experts", "return p(y | x, a) from p(y | x), p(y | a) and p(y)")
def _product_of_experts() -> Cases:
    prior = np.array([0.7, 0.2, 0.1])
    p = np.array([0.5, 0.3, 0.2])
    yield Case("an expert without information", (p, prior, prior), p, "the other expert decides")
    yield Case(
        "two experts that agree",
        (np.array([0.8, 0.2]), np.array([0.8, 0.2]), np.array([0.5, 0.5])),
        np.array([16, 1]) / 17,
        "odds of 4 and 4 make odds of 16",
    )
    q = np.array([0.4, 0.4, 0.2])
    expected = p * q / prior
    reason = "both experts contain the prior, which should count once"
    yield Case("a prior that is not uniform", (p, q, prior), expected / expected.sum(), reason)


@exercise("precision weights", "return the weights of sum 1 that minimize the variance")
def _precision_weights() -> Cases:
    yield Case("equal noise", (np.array([2.0, 2.0]),), [0.5, 0.5], "neither is more precise")
    reason = "w^2 + 9 (1 - w)^2 is smallest at w = 9/10: weights are proportional to 1 / variance"
    yield Case("a sensor three times as noisy", (np.array([1.0, 3.0]),), [0.9, 0.1], reason)
    reason = "precisions 1, 1/4 and 1/4 are divided by their sum"
    yield Case("three sensors", (np.array([1.0, 2.0, 2.0]),), [2 / 3, 1 / 6, 1 / 6], reason)


@exercise("synergy", "return I(y; x, a) - I(y; x) - I(y; a) in nats of a table p(x, a, y)")
def _synergy() -> Cases:
    copy = np.zeros((2, 2, 2))
    copy[0, 0, 0] = copy[1, 1, 1] = 0.5
    yield Case("copies of one bit", (copy,), -math.log(2), "ln 2 - ln 2 - ln 2: redundancy")
    xor = np.zeros((2, 2, 2))
    for x in range(2):
        for a in range(2):
            xor[x, a, (x + a) % 2] = 0.25
    yield Case("y = x XOR a", (xor,), math.log(2), "only x and a together determine y")
    table = np.random.default_rng(5).dirichlet(np.ones(24)).reshape(2, 3, 4)
    both = mutual_information(table.reshape(6, 4))
    alone = mutual_information(table.sum(axis=1)) + mutual_information(table.sum(axis=0))
    yield Case("a random table", (table,), both - alone, "the axes are x, a and y")
