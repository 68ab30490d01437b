"""Cases of the exercises of notebook 18."""

import math

from simmim_lite.exercises._check import Case, Cases, cases


@cases("nats from AUROC")
def _nats_from_auroc() -> Cases:
    yield Case("no skill", (0.5,), 0.0, "an AUROC of 1/2 belongs to rho = 0")
    yield Case("a strong score", (5 / 6,), math.log(2) / 2, "rho = 1 / sqrt(2), so 1 - rho^2 = 1/2")
    expected = -math.log(math.cos(math.pi * 0.1)) / 2
    yield Case("AUROC 0.6", (0.6,), expected, "1 - rho^2 = cos(pi (A - 1/2))")


@cases("coverage of value at risk")
def _coverage() -> Cases:
    yield Case("as promised", (5, 100, 0.05), 0.0, "equal frequencies have no divergence")
    expected = 2 * (10 * math.log(2) + 90 * math.log(90 / 95))
    yield Case("too many", (10, 100, 0.05), expected, "10 of 100 instead of 5")
    yield Case("none", (0, 100, 0.05), -200 * math.log(0.95), "0 ln 0 is 0")
