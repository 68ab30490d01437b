"""Cases of the exercises of notebook 06."""

import math

import numpy as np
import torch

from simmim_lite.bounds import exact_bound
from simmim_lite.exercises._check import Case, Cases, cases


@cases("exact infonce")
def _exact_infonce() -> Cases:
    generator = np.random.default_rng(0)
    joint = generator.dirichlet(np.ones(12)).reshape(3, 4)
    yield Case("equal scores", (np.zeros((3, 4)), joint), 0.0, "equal scores carry no information")
    scores = 2 * generator.normal(size=(3, 4))
    expected = exact_bound(torch.tensor(scores), joint)
    reason = "the rows have the weights p(x), and the columns in ln E_r the weights p(r)"
    yield Case("a random 3 x 4 table", (scores, joint), expected, reason)
    table = np.array([[0.5, 0.0], [0.0, 0.5]])
    best = np.array([[0.0, -60.0], [-60.0, 0.0]])
    reason = "the ideal critic reaches I, which is ln 2 for this table"
    yield Case("the ideal critic", (best, table), math.log(2), reason)
    reason = "e^1000 overflows, so the largest score must be subtracted first"
    yield Case("scores of about 1000", (best + 1000, table), math.log(2), reason)
