"""Cases of the exercises of notebook 10."""

import math

from simmim_lite.exercises._check import Case, Cases, cases


@cases("coverage")
def _coverage() -> Cases:
    real, situation = [0.0, 1.0, 10.0, 11.0], "generated samples near two of four real ones"
    reason = "the balls around 0 and 1 are reached, those around 10 and 11 are not"
    yield Case(situation, (real, [0.5, 0.6, 50.0], 1), 0.5, reason)
    reason = "the second neighbors of 0 and 1 are at distances 10 and 9"
    yield Case("a larger k", (real, [-5.0], 2), 0.5, reason)
    samples = [0.0, 1.0, 5.0], [5.0, 5.0, 5.0]
    reason = "many samples in one ball count once, and a sample is not its own neighbor"
    yield Case("copies of one isolated sample", (*samples, 1), 1 / 3, reason)


@cases("psnr")
def _psnr() -> Cases:
    reason = "the mean squared error is 0.01, and 10 log10(100) = 20"
    yield Case("an error of 0.1 everywhere", ([[0.1, 0.9]], [[0.0, 1.0]]), 20.0, reason)
    reason = "the mean squared error is 1/4"
    yield Case(
        "one pixel of four", ([[1.0, 0], [0, 0]], [[0.0, 0], [0, 0]]), 20 * math.log10(2), reason
    )
    reason = "a mean squared error above 1 gives a negative number"
    yield Case("an output beyond the range", ([[11.0]], [[1.0]]), -20.0, reason)


@cases("frechet distance of means")
def _frechet_distance_of_means() -> Cases:
    yield Case("one item", (1.5, 10, 1), 0.0, "the mean of one item is the item")
    reason = "each of two coordinates adds (3 - 3 / 2)^2"
    yield Case("four items", (3.0, 2, 4), 4.5, reason)
    reason = "(2 - 2 / sqrt(2))^2 = 6 - 4 sqrt(2)"
    yield Case("two items", (2.0, 1, 2), 6 - 4 * math.sqrt(2), reason)
