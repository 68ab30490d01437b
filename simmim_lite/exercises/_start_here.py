"""Cases of the exercises of notebook 00."""

import math

import numpy as np

from simmim_lite import entropy as reference
from simmim_lite.exercises._check import Case, Cases, cases


@cases("digit given level")
def _digit_given_level() -> Cases:
    reason = "row 0 is certain; in row 1 both columns have probability 1/2"
    table = [[0.5, 0.0], [0.25, 0.25]]
    yield Case("a certain and a fair row", (table,), [0.0, math.log(2)], reason)
    random = np.random.default_rng(1).dirichlet(np.ones(12)).reshape(3, 4)
    expected = [reference.entropy(row / row.sum()) for row in random]
    yield Case("a random 3 x 4 table", (random,), expected, "each row is divided by its own sum")
