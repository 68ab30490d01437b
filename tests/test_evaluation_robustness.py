"""Damage to queries, and curves under it: amounts, chance and where nothing must change."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from scipy.signal import convolve2d
from scipy.stats import norm

from simmim_lite.evaluation import blur, occlude, robustness_area, robustness_table


@given(st.floats(0, 1), st.integers(5, 30), st.integers(5, 30))
def test_a_square_is_hidden_somewhere_in_each_image(share, height, width):
    images = np.ones((20, height, width), np.float32)
    found = occlude(images, share)
    side = round(np.sqrt(share * height * width))
    hidden = (found == 0).sum(axis=(1, 2))
    assert (hidden == min(side, height) * min(side, width)).all()
    assert (found[found != 0] == 1).all()
    assert found.dtype == images.dtype
    assert (images == 1).all()  # what was given is left as it is
    for image in found:  # a rectangle: the rows and columns that it takes
        rows, columns = (image == 0).any(axis=1).sum(), (image == 0).any(axis=0).sum()
        assert rows * columns == (image == 0).sum()


def test_squares_lie_anywhere_and_channels_are_hidden_together():
    images = np.ones((4000, 2, 10, 10))
    found = occlude(images, 0.25)
    assert (found[:, 0] == found[:, 1]).all()
    # 6 x 6 places for a 5 x 5 square: one of them hides a corner, 25 an inner pixel.
    share = (found[:, 0] == 0).mean(axis=0)
    assert share[0, 0] == pytest.approx(1 / 36, abs=0.01)
    assert share[4, 4] == pytest.approx(25 / 36, abs=0.03)
    assert (occlude(images[:9], 0.25) == found[:9]).all()
    assert (occlude(images[:9], 0.25, seed=1) != found[:9]).any()


def test_blur_is_a_convolution_of_each_image_alone():
    image = np.random.default_rng(0).random((2, 21, 17))
    bell = norm.pdf(np.arange(-8, 9), scale=1.5)
    bell /= bell.sum()
    expected = [convolve2d(x, np.outer(bell, bell), mode="same") for x in image]
    assert blur(image, 1.5) == pytest.approx(np.array(expected), abs=1e-3)  # tails cut at 4 SD
    assert (blur(image, 0.0) == image).all()
    dots = np.zeros((2, 1, 15, 15), np.float32)
    dots[0, 0, 7, 7] = 1
    assert blur(dots, 1.0)[0].sum() == pytest.approx(1, abs=1e-5)
    assert not blur(dots, 1.0)[1].any()
    assert blur(dots, 1.0).dtype == np.float32


def test_table_has_the_kinds_that_are_asked_for():
    images = np.random.default_rng(0).random((5, 8, 8))
    seen = []

    def measure(items, modality):
        seen.append(items)
        return float(np.mean(items))

    table = robustness_table(measure, {"image": images}, kinds=["blur", "occlusion"])
    assert table.columns.tolist() == ["occlusion", "blur"]
    assert (table.loc[0] == images.mean()).all()
    assert table["occlusion"].is_monotonic_decreasing
    assert len(seen) == 8
    everything = robustness_table(measure, {"image": images})
    assert everything.columns.tolist() == ["Gaussian noise", "salt and pepper", "occlusion", "blur"]
    with pytest.raises(ValueError, match="kinds: expected one of 'Gaussian noise'"):
        robustness_table(measure, {"image": images}, kinds=["fog"])


def test_area_is_one_where_nothing_is_lost_and_counts_from_chance():
    table = pd.DataFrame({"none": [0.9] * 4, "line": [0.9, 0.7, 0.5, 0.3], "all": [0.9, 0, 0, 0]})
    areas = robustness_area(table)
    assert areas["clean"].tolist() == [0.9] * 3
    assert areas["worst"].tolist() == [0.9, 0.3, 0]
    # Trapezia of width 1/3: the straight line has the mean of its ends.
    assert areas["area"].tolist() == pytest.approx([1, 0.6 / 0.9, 1 / 6])
    above = robustness_area(table, chance=0.1)
    assert above.loc["none", "area"] == pytest.approx(1)
    assert above.loc["line", "area"] == pytest.approx(0.5 / 0.8)
    with pytest.raises(ValueError, match="table: expected two levels"):
        robustness_area(table.iloc[:1])
