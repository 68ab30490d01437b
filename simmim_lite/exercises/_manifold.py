"""Cases of the exercises of notebook 07."""

import numpy as np

from simmim_lite.entropy import entropy
from simmim_lite.exercises._check import Case, Cases, cases


def _bound(q: np.ndarray, moves: np.ndarray) -> float:
    return entropy(q.mean(axis=0)) + np.sum(q.T @ moves / len(q) * np.log(q).T)


@cases("manifold bound")
def _manifold_bound() -> Cases:
    stay = np.eye(6)
    uniform = np.full((6, 3), 1 / 3)
    yield Case("uniform assignments", (uniform, stay), 0.0, "H(Y) = ln 3 and E ln q = -ln 3")
    thirds = np.repeat(0.85 * np.eye(3) + 0.05, 10, axis=0)
    ring = np.roll(np.eye(30), 1, axis=0) / 2 + np.roll(np.eye(30), -1, axis=0) / 2
    yield Case("the ring of section 3", (thirds, ring), _bound(thirds, ring), "see section 3")
    generator = np.random.default_rng(0)
    q, moves = generator.dirichlet(np.ones(4), size=9), generator.dirichlet(np.ones(9), size=9)
    reason = (
        "Y is drawn at x, from row x of q, and ln q is taken at x', with probability moves[x, x']"
    )
    yield Case("random assignments and steps", (q, moves), _bound(q, moves), reason)
