"""Cases of the exercises of notebook 16."""

import math

from simmim_lite.exercises._check import Case, Cases, cases


@cases("two groups of people")
def _two_groups_of_people() -> Cases:
    yield Case("without noise", (2.0, 0.0, 1, 1), 1.0, "both means are equal to S")
    yield Case("two persons", (1.0, 1.0, 1, 1), 0.5, "half of the variance of each is signal")
    expected = 3 / math.sqrt((3 + 2) * (3 + 2 / 4))
    yield Case("one and four", (3.0, 2.0, 1, 4), expected, "3 / root of (3 + 2)(3 + 2/4)")


@cases("positive pmi")
def _positive_pmi() -> Cases:
    yield Case("independent", ([[1, 2], [2, 4]],), [[0, 0], [0, 0]], "p(a, b) = p(a) p(b)")
    expected = [[math.log(2), 0], [0, math.log(2)]]
    yield Case("always together", ([[5, 0], [0, 5]],), expected, "0.5 / (0.5 x 0.5) = 2")
    expected = [[0, math.log(4 / 3)], [math.log(2), 0]]
    yield Case(
        "unequal sums", ([[2, 4], [2, 0]],), expected, "p(2, 1) = 1/4, marginals 1/4 and 1/2"
    )
