"""Cases of the exercises of notebook 14."""

import math

from simmim_lite.exercises._check import Case, Cases, cases


@cases("fixed scale")
def _fixed_scale() -> Cases:
    yield Case("the correct scale", (0.7, 0.7), 0.0, "p and q are the same density")
    expected = math.log(2) + 1 / 8 - 1 / 2
    yield Case("a scale of twice sigma", (1.0, 2.0), expected, "ln 2 + 1/8 - 1/2")
    yield Case("a scale of half of sigma", (1.0, 0.5), 1.5 - math.log(2), "ln(1/2) + 4/2 - 1/2")
    yield Case("another unit", (3.0, 6.0), expected, "only the ratio of the scales matters")


@cases("average distance")
def _average_distance() -> Cases:
    row = [[True, True, True, False]]
    yield Case("three hidden pixels in a row", (row,), 2.0, "the distances are 3, 2 and 1")
    corner = [[False, True], [True, True]]
    expected = (2 + math.sqrt(2)) / 3
    yield Case("one visible corner", (corner,), expected, "the diagonal has the distance sqrt(2)")
    one = [[False, False, False], [False, True, False], [False, False, False]]
    yield Case("one hidden pixel", (one,), 1.0, "the mean is over hidden pixels only")
