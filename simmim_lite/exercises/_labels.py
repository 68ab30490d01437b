"""Cases of the exercises of notebook 15."""

import math

from simmim_lite.exercises._check import Case, Cases, cases


@cases("scores without an image")
def _scores_without_an_image() -> Cases:
    yield Case("equal scores", ([2.0, 2.0], [0.3, 0.7]), 0.0, "equal scores contain no information")
    expected = 0.25 - math.log(0.75 + 0.25 * math.e)
    yield Case("two labels", ([0.0, 1.0], [0.75, 0.25]), expected, "0.25 - ln(0.75 + 0.25 e)")
    expected = 1.5 - math.log(0.5 + 0.5 * math.exp(3))
    yield Case("equally frequent", ([0.0, 3.0], [0.5, 0.5]), expected, "the value is below 0")


@cases("box overlap")
def _box_overlap() -> Cases:
    yield Case("equal boxes", ([2, 5, 1, 4], [2, 5, 1, 4]), 1.0, "all pixels are in both")
    yield Case("a shifted box", ([0, 2, 0, 2], [0, 2, 1, 3]), 1 / 3, "2 pixels of 6")
    yield Case("one inside the other", ([0, 4, 0, 4], [1, 3, 1, 2]), 1 / 8, "2 pixels of 16")
    yield Case("apart in both directions", ([0, 2, 0, 2], [3, 5, 4, 6]), 0.0, "nothing in common")
