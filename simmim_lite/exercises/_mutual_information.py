"""Cases of the exercises of notebook 02."""

import math

import numpy as np

from simmim_lite import entropy as reference
from simmim_lite.exercises._check import Case, Cases, cases


@cases("conditional information")
def _conditional_information() -> Cases:
    reason = "X and Y are independent, but given Z each determines the other"
    xor = [[[0.25, 0.0], [0.0, 0.25]], [[0.0, 0.25], [0.25, 0.0]]]
    yield Case("exclusive or", (xor,), math.log(2), reason)
    copies = [[[0.5, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.5]]]
    yield Case("three copies of a coin", (copies,), 0.0, "given Z, X and Y are certain")
    table = np.random.default_rng(6).dirichlet(np.ones(24)).reshape(2, 3, 4)
    expected = reference.conditional_mutual_information(table)
    reason = "I(X; Y | Z) = H(X, Z) + H(Y, Z) - H(X, Y, Z) - H(Z)"
    yield Case("a random 2 x 3 x 4 table", (table,), expected, reason)
