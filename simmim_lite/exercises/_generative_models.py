"""Cases of the exercises of notebook 09."""

import math

import numpy as np

from simmim_lite.exercises._check import Case, Cases, cases


@cases("divergence")
def _divergence() -> Cases:
    zeros = np.zeros((2, 3))
    yield Case("a standard normal", (zeros, zeros), [0.0, 0.0], "both are equal")
    reason = "with variance 1 the divergence is half the squared length of the mean"
    yield Case("means (1, 2)", ([[1.0, 2.0]], [[0.0, 0.0]]), [2.5], reason)
    expected = [0.5 * (0.25 - 1 - math.log(0.25))]
    reason = "the divergence is half of variance - 1 - ln variance"
    yield Case("a variance of 1/4", ([[0.0]], [[math.log(0.25)]]), expected, reason)


@cases("best discriminator")
def _best_discriminator() -> Cases:
    yield Case("equal densities", ([-3.0], [-3.0]), [0.5], "both densities are equal")
    logarithms, reason = ([math.log(0.3)], [math.log(0.1)]), "0.3 of 0.4 is 0.75"
    yield Case("three times as dense", logarithms, [0.75], reason)
    logarithms = [-2000.0, -2000.0], [-2001.0, -1000.0]
    expected, reason = [1 / (1 + math.exp(-1)), 0.0], "only the difference of the logarithms counts"
    yield Case("densities below the smallest number", logarithms, expected, reason)


@cases("path of a Gaussian")
def _path_of_a_gaussian() -> Cases:
    reason = "at t = 0 the path is at its start"
    yield Case("the start", (1.5, 0.0, 3.0, 0.5), 1.5, reason)
    reason = "at t = 1 a standard Gaussian number becomes mean + s x0"
    yield Case("the end", (1.5, 1.0, 3.0, 0.5), 3.75, reason)
    reason = "s_t = sqrt(0.25 + 0.25 * 4) at t = 0.5 and s = 2"
    yield Case("the middle", (-1.0, 0.5, 3.0, 2.0), 1.5 - math.sqrt(1.25), reason)
