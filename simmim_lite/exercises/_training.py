"""Notebook 10."""

import math

import numpy as np

from simmim_lite.exercises._check import Case, Cases, exercise


@exercise("merge sums", "return (top, sum of e^(s - top)) of two parts, each given in this form")
def _merge_sums() -> Cases:
    yield Case("two equal parts", (1.0, 3.0, 1.0, 2.0), (1.0, 5.0), "no rescaling is needed")
    yield Case(
        "a second part that is higher",
        (0.0, 2.0, math.log(4), 1.0),
        (math.log(4), 1.5),
        "the first sum has the unit e^0 and must be divided by 4, the new unit",
    )
    yield Case(
        "a first part that is higher",
        (2.0, 1.5, 1.0, 4.0),
        (2.0, 1.5 + 4 * math.exp(-1)),
        "the top is the larger of the two, whichever part it comes from",
    )
    yield Case("scores of 1000", (1000.0, 1.0, 0.0, 5.0), (1000.0, 1.0), "e^1000 overflows")


@exercise("largest batch", "return the largest whole B for which matrices of B x B numbers fit")
def _largest_batch() -> Cases:
    yield Case("400 bytes, one matrix", (400, 1), 10, "10 x 10 numbers of 4 bytes are 400")
    yield Case("399 bytes, one matrix", (399, 1), 9, "a tenth row would not fit")
    yield Case("16 GB, four matrices", (16e9, 4), 31622, "4 matrices of 4 B^2 bytes")


@exercise("attainable", "return the smaller of the compute limit and the bandwidth limit")
def _attainable() -> Cases:
    yield Case("adding vectors", (1 / 12, 1e12, 1e11), 1e11 / 12, "bandwidth limits the rate")
    yield Case("large matrices", (200.0, 1e12, 1e11), 1e12, "compute limits the rate")
    yield Case("at the balance", (10.0, 1e12, 1e11), 1e12, "both limits are equal there")


@exercise("epoch mean", "return the mean loss over samples, not over batches")
def _epoch_mean() -> Cases:
    yield Case("equal batches", (np.array([1.0, 3.0]), np.array([8, 8])), 2.0, "the plain mean")
    yield Case(
        "a last batch of 2 after one of 8",
        (np.array([1.0, 6.0]), np.array([8, 2])),
        2.0,
        "eight samples count 1 and two count 6",
    )
