"""Notebook 09."""

import math
from collections.abc import Iterable

import numpy as np

from simmim_lite.exercises._check import Case, exercise


@exercise("divergence", "return KL(N(mean, variance) || N(0, I)) in nats of each row")
def _divergence() -> Iterable[Case]:
    yield Case(
        "a standard normal", (np.zeros((2, 3)), np.zeros((2, 3))), [0.0, 0.0], "nothing differs"
    )
    yield Case(
        "means (1, 2)",
        (np.array([[1.0, 2.0]]), np.zeros((1, 2))),
        [2.5],
        "with variance 1 it is half the squared length of the mean",
    )
    yield Case(
        "a variance of 1/4",
        (np.zeros((1, 1)), np.full((1, 1), math.log(0.25))),
        [0.5 * (0.25 - 1 - math.log(0.25))],
        "it is half of variance - 1 - ln variance",
    )


@exercise("best discriminator", "return p / (p + q), from ln p and ln q")
def _best_discriminator() -> Iterable[Case]:
    yield Case("equal densities", (np.array([-3.0]), np.array([-3.0])), [0.5], "nobody can tell")
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


@exercise("coverage", "return the share of real samples with a generated one in their ball")
def _coverage() -> Iterable[Case]:
    real = np.array([0.0, 1.0, 10.0, 11.0])
    yield Case(
        "generated ones near two of four",
        (real, np.array([0.5, 0.6, 50.0]), 1),
        0.5,
        "the balls around 0 and 1 are reached, those around 10 and 11 are not",
    )
    yield Case(
        "a larger k",
        (real, np.array([-5.0]), 2),
        0.5,
        "the second neighbors of 0 and 1 are 10 and 9 away",
    )
    yield Case(
        "one copy of a lonely sample",
        (np.array([0.0, 1.0, 5.0]), np.array([5.0, 5.0, 5.0]), 1),
        1 / 3,
        "many samples in one ball count once, and a sample is not its own neighbor",
    )
