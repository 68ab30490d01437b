"""The invertible network of the controls: inverted, and not by doing nothing."""

import numpy as np

from reproduction.experiments.controls import mix


def test_mixing_can_be_undone():
    rng = np.random.default_rng(0)
    rows, weights = rng.random((20, 12)), 3 * rng.standard_normal((4, 6, 6))
    mixed = mix(rows, weights)
    np.testing.assert_allclose(mix(mixed, weights, back=True), rows, atol=1e-9)
    assert np.abs(mixed - rows).min(axis=0).max() > 1  # columns that no row keeps
    one, other = mix(rows[:1], weights), mix(rows[:1] + 1e-3, weights)
    assert np.abs(one - other).max() > 0.1  # and neighbors don't stay neighbors
