"""Notebook 09."""

import math

import numpy as np

from simmim_lite.exercises._check import Case, Cases, exercise


@exercise("divergence", "return KL(N(mean, variance) || N(0, I)) in nats of each row")
def _divergence() -> Cases:
    yield Case(
        "a standard normal", (np.zeros((2, 3)), np.zeros((2, 3))), [0.0, 0.0], "both are equal"
    )
    reason = "with variance 1 the divergence is half the squared length of the mean"
    yield Case("means (1, 2)", (np.array([[1.0, 2.0]]), np.zeros((1, 2))), [2.5], reason)
    yield Case(
        "a variance of 1/4",
        (np.zeros((1, 1)), np.full((1, 1), math.log(0.25))),
        [0.5 * (0.25 - 1 - math.log(0.25))],
        "the divergence is half of variance - 1 - ln variance",
    )


@exercise("best discriminator", "return p / (p + q), from ln p and ln q")
def _best_discriminator() -> Cases:
    yield Case("equal densities", (np.array([-3.0]), np.array([-3.0])), [0.5], "p and q are equal")
    yield Case(
        "three times as dense",
        (np.array([math.log(0.3)]), np.array([math.log(0.1)])),
        [0.75],
        "0.3 of 0.4 is 0.75",
    )
    yield Case(
        "densities below the smallest number",
        (np.array([-2000.0, -2000.0]), np.array([-2001.0, -1000.0])),
        [1 / (1 + math.exp(-1)), 0.0],
        "only the difference of the logarithms counts",
    )


@exercise("coverage", "return the share of real samples with a generated one in their k-NN ball")
def _coverage() -> Cases:
    real = np.array([0.0, 1.0, 10.0, 11.0])
    yield Case(
        "generated samples near two of four real ones",
        (real, np.array([0.5, 0.6, 50.0]), 1),
        0.5,
        "the balls around 0 and 1 are reached, those around 10 and 11 are not",
    )
    reason = "the second neighbors of 0 and 1 are at distances 10 and 9"
    yield Case("a larger k", (real, np.array([-5.0]), 2), 0.5, reason)
    yield Case(
        "copies of one isolated sample",
        (np.array([0.0, 1.0, 5.0]), np.array([5.0, 5.0, 5.0]), 1),
        1 / 3,
        "many samples in one ball count once, and a sample is not its own neighbor",
    )
