"""Cases of the exercises of notebook 17."""

import math

from simmim_lite.exercises._check import Case, Cases, cases


@cases("copies of an expert")
def _copies_of_an_expert() -> Cases:
    yield Case("one copy", (math.log(3), 0.7, 1), 0.75, "one expert alone keeps its probability")
    yield Case("two, fair outcome", (math.log(3), 0.0, 2), 0.9, "odds of 3 become odds of 9")
    yield Case("l equals b", (-1.0, -1.0, 5), 1 / (1 + math.e), "such an expert adds no evidence")
    expected = 1 / (1 + 4**-3)
    yield Case("rare", (0.0, -math.log(4), 4), expected, "l = 0 is much if b is below 0")


@cases("net benefit")
def _net_benefit() -> Cases:
    p = [0.9, 0.6, 0.4, 0.1]
    yield Case("useful", ([1, 1, 0, 0], p, 0.5), 0.5, "both found, none needless; rules have 0")
    yield Case("a low threshold", ([1, 1, 0, 0], p, 0.2), 0.0625, "1/2 - 1/16 against 1/2 - 1/8")
    yield Case("harmful", ([0, 0, 1, 1], p, 0.75), -0.75, "one needless one; none at all has 0")
    yield Case("at the threshold", ([1, 0], [0.25, 0.1], 0.25), 1 / 6, "p = t is a biopsy")
