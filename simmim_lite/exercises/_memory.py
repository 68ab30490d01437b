"""Cases of the exercises of notebook 08."""

import math

import numpy as np

from simmim_lite.exercises._check import Case, Cases, cases


@cases("soft read")
def _soft_read() -> Cases:
    keys, values = np.eye(3), np.array([[1.0, 0.0], [0.0, 1.0], [4.0, 4.0]])
    given, reason = (keys, values, [1.0, 0.0, 0.0]), "all weights are equal then"
    yield Case("beta 0", (*given, 0.0), values.mean(axis=0), reason)
    reason = "the weights are 2/4, 1/4 and 1/4"
    yield Case("beta ln 2", (*given, math.log(2)), [1.5, 1.25], reason)
    reason = "the best key has all the weight, and e^2000 overflows"
    yield Case("beta 2000", (*given, 2000.0), [1.0, 0.0], reason)


@cases("largest memory")
def _largest_memory() -> Cases:
    reason = "all slots have the same weight 1 / N"
    yield Case("beta 0 and weight 1/4", (0.25, 64, 0.0), 4.0, reason)
    reason = "N - 1 = exp(beta - beta^2 / (2 d)) slots together weigh as much as the own slot"
    yield Case("weight 1/2", (0.5, 64, 8.0), 1 + math.exp(7.5), reason)
    reason = "N - 1 = (1/w - 1) exp(beta - beta^2 / (2 d))"
    yield Case("weight 0.9 and beta = d/2", (0.9, 32, 16.0), 1 + math.exp(12) / 9, reason)
