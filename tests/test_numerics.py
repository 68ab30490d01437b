"""Offsets and units of columns cost no digits, nor do distances between rows far away."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from simmim_lite._numerics import center_and_scale, squared_distances

X = np.random.default_rng(0).normal(size=(300, 3)) * [1, 5, 0.1]


@pytest.mark.parametrize("unit", [1e-300, 1e-12, 1.0, 1e12, 1e300])
def test_units_scale_center_and_scale(unit):
    center, scale = center_and_scale(unit * X)
    np.testing.assert_allclose(center / unit, X.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scale / unit, X.std(axis=0), rtol=1e-12)


@pytest.mark.parametrize(("offset", "digits"), [(1e3, 1e-12), (1e6, 1e-9), (-1e12, 1e-3)])
def test_offsets_move_the_center_alone(offset, digits):
    center, scale = center_and_scale(X + offset)
    np.testing.assert_allclose(center - offset, X.mean(axis=0), atol=digits)
    np.testing.assert_allclose(scale, X.std(axis=0), atol=digits)


@pytest.mark.parametrize("constant", [0.0, 94110.0, 0.1, -1e300, 1e-300])
def test_constant_columns_are_zero(constant):
    center, scale = center_and_scale(np.full((7, 2), constant))
    assert np.isinf(scale).all()
    assert (center == constant).all()
    rounded = np.array([0.1 + 0.2, 0.3, 0.3])[:, None]  # differ in the last digit
    center, scale = center_and_scale(rounded)
    assert ((rounded - center) / scale == 0).all()


def test_columns_of_two_neighboring_large_numbers_vary():
    assert center_and_scale(np.array([1e9, 1e9 + 1]))[1] == 0.5


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e8])
def test_distances_are_those_of_differences(offset):
    rows = torch.from_numpy(np.concatenate([X, X + 1e7]) + offset)
    distances = squared_distances(rows, rows[:200])
    direct = (rows[:, None] - rows[:200]).square().sum(dim=2)
    torch.testing.assert_close(distances, direct, rtol=1e-6, atol=0)
    assert distances.diagonal().eq(0).all()
    assert squared_distances(rows.float(), rows[:2].float()).dtype == torch.float64


def test_import_without_torch():
    program = "import sys, simmim_lite._numerics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
