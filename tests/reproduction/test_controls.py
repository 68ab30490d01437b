"""The invertible network of the controls: its inverse is exact, and it is not the identity."""

import numpy as np

from reproduction.experiments.controls import mix


def test_mixing_has_an_inverse():
    rng = np.random.default_rng(0)
    rows, weights = rng.random((20, 12)), 3 * rng.standard_normal((4, 6, 6))
    mixed = mix(rows, weights)
    np.testing.assert_allclose(mix(mixed, weights, back=True), rows, atol=1e-9)
    assert np.abs(mixed - rows).min(axis=0).max() > 1  # some columns change in all rows
    one, other = mix(rows[:1], weights), mix(rows[:1] + 1e-3, weights)
    assert np.abs(one - other).max() > 0.1  # neighbors do not stay neighbors
