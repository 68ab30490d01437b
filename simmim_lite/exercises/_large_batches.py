"""Cases of the exercises of notebook 12."""

import math

from simmim_lite.exercises._check import Case, Cases, cases


@cases("merge sums")
def _merge_sums() -> Cases:
    yield Case("two equal parts", (1.0, 3.0, 1.0, 2.0), (1.0, 5.0), "no rescaling is needed")
    parts, expected = (0.0, 2.0, math.log(4), 1.0), (math.log(4), 1.5)
    reason = "the first sum counts in units of e^0; in units of e^(ln 4) = 4 it is 2 / 4"
    yield Case("a second part that is higher", parts, expected, reason)
    parts, expected = (2.0, 1.5, 1.0, 4.0), (2.0, 1.5 + 4 * math.exp(-1))
    reason = "the top is the larger of the two, whichever part it comes from"
    yield Case("a first part that is higher", parts, expected, reason)
    yield Case("scores of 1000", (1000.0, 1.0, 0.0, 5.0), (1000.0, 1.0), "e^1000 overflows")


@cases("largest batch")
def _largest_batch() -> Cases:
    yield Case("400 bytes, one matrix", (400, 1), 10, "10 x 10 numbers of 4 bytes are 400")
    yield Case("399 bytes, one matrix", (399, 1), 9, "a tenth row would not fit")
    yield Case("16 GB, four matrices", (16e9, 4), 31622, "4 matrices of 4 B^2 bytes")
