"""Corrupted queries and transfer: amounts, curves, chance level, and planted cases."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from scipy.signal import convolve2d
from scipy.stats import norm

from simmim_lite.datasets import load_speech
from simmim_lite.evaluation import (
    LabeledSplit,
    blur,
    fit_linear_probe,
    gaussian_noise,
    mistype,
    occlude,
    robustness_area,
    robustness_table,
    salt_and_pepper,
    transfer_table,
    wilson_interval,
)


@given(st.floats(0, 1), st.integers(5, 30), st.integers(5, 30))
def test_occlusion_is_a_square_in_each_image(fraction, height, width):
    images = np.ones((20, height, width), np.float32)
    found = occlude(images, fraction)
    side = round(np.sqrt(fraction * height * width))
    covered = (found == 0).sum(axis=(1, 2))
    assert (covered == min(side, height) * min(side, width)).all()
    assert (found[found != 0] == 1).all()
    assert found.dtype == images.dtype
    assert (images == 1).all()  # the input is not changed
    for image in found:  # a rectangle: its rows times its columns
        rows, columns = (image == 0).any(axis=1).sum(), (image == 0).any(axis=0).sum()
        assert rows * columns == (image == 0).sum()


def test_squares_are_anywhere_and_cover_all_channels():
    images = np.ones((4000, 2, 10, 10))
    found = occlude(images, 0.25)
    assert (found[:, 0] == found[:, 1]).all()
    # 6 x 6 places for a 5 x 5 square: one covers a corner, 25 cover an inner pixel.
    covered = (found[:, 0] == 0).mean(axis=0)
    assert covered[0, 0] == pytest.approx(1 / 36, abs=0.01)
    assert covered[4, 4] == pytest.approx(25 / 36, abs=0.03)
    assert (occlude(images[:9], 0.25) == found[:9]).all()
    assert (occlude(images[:9], 0.25, seed=1) != found[:9]).any()


def test_blur_is_a_convolution_of_each_image():
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


def test_corruptions_are_as_strong_as_stated():
    images = np.full((50, 28, 28), 0.5)
    assert gaussian_noise(images, 0.2).std() == pytest.approx(0.2, rel=0.02)
    spotted = salt_and_pepper(images, 0.1)
    assert (spotted == 0).mean() == pytest.approx(0.05, abs=0.005)
    assert (spotted == 1).mean() == pytest.approx(0.05, abs=0.005)
    texts = ["a thick, upright nine", "an eight"]
    for n in (0, 1, 3):
        mistyped = mistype(texts, n)
        assert [
            sum(a != b for a, b in zip(*pair, strict=True))
            for pair in zip(texts, mistyped, strict=True)
        ] == [n, n]
    assert mistype(["a"], 5)[0] != "a"


def test_robustness_table_starts_with_clean_queries_and_adds_babble_at_its_level():
    speech = load_speech("test").waveforms[:5]
    images = np.random.default_rng(0).random((5, 28, 28))
    queries = {"image": images, "speech": speech, "text": ["a nine"] * 5}

    def metric(corrupted, modality):
        if modality == "text":
            return np.mean([a == b for a, b in zip(corrupted, queries["text"], strict=True)])
        pairs = zip(corrupted, queries[modality], strict=True)
        return np.mean([np.sum((a - b) ** 2) / np.sum(b**2) for a, b in pairs])

    table = robustness_table(metric, queries, voices=load_speech("train").waveforms[:9])
    assert table["babble"].to_numpy() == pytest.approx([0, 0.01, 0.1, 1], rel=1e-4)
    assert table["typing errors"].tolist() == [1, 0, 0, 0]
    assert (np.diff(table["Gaussian noise"]) > 0).all()
    assert (np.diff(table["salt and pepper"]) > 0).all()
    assert list(robustness_table(metric, {"text": ["a nine"] * 5})) == ["typing errors"]


def test_robustness_table_has_all_kinds_of_the_modalities():
    images = np.random.default_rng(0).random((5, 8, 8))
    seen = []

    def metric(items, modality):
        seen.append(items)
        return float(np.mean(items))

    table = robustness_table(metric, {"image": images})
    assert table.columns.tolist() == ["Gaussian noise", "salt and pepper", "occlusion", "blur"]
    assert (table.loc[0] == images.mean()).all()
    assert table["occlusion"].is_monotonic_decreasing
    assert len(seen) == 16


def test_area_is_1_without_loss_and_counts_from_chance():
    table = pd.DataFrame({"none": [0.9] * 4, "line": [0.9, 0.7, 0.5, 0.3], "all": [0.9, 0, 0, 0]})
    areas = robustness_area(table)
    assert areas["clean"].tolist() == [0.9] * 3
    assert areas["worst"].tolist() == [0.9, 0.3, 0]
    # Trapezoids of width 1/3: the area under a straight line is the mean of its ends.
    assert areas["area"].tolist() == pytest.approx([1, 0.6 / 0.9, 1 / 6])
    above = robustness_area(table, chance=0.1)
    assert above.loc["none", "area"] == pytest.approx(1)
    assert above.loc["line", "area"] == pytest.approx(0.5 / 0.8)
    with pytest.raises(ValueError, match="table: expected a DataFrame of two levels"):
        robustness_area(table.iloc[:1])


# Transfer


def test_source_probe_fails_and_target_probe_works_on_permuted_columns():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    x = np.eye(3)[y] + 0.2 * rng.standard_normal((400, 3))
    source = LabeledSplit(x[:200], y[:200], x[200:], y[200:])
    permuted = x[:, [1, 2, 0]]  # the same information in other columns
    target = LabeledSplit(permuted[:200], y[:200], permuted[200:], y[200:])
    other = LabeledSplit(x[:200], y[:200] + 7, x[200:], y[200:] + 7)
    noise = lambda items: np.zeros((len(items), 2)) + rng.random((len(items), 2))  # noqa: E731
    table = transfer_table(
        {"plain": lambda items: items, "noise": noise},
        source,
        {"permuted": target, "classes": other},
    ).set_index(["features", "dataset"])
    assert (
        table.loc[("plain", "source"), "source probe"]
        == table.loc[("plain", "source"), "target probe"]
    )
    assert table.loc[("plain", "source"), "target probe"] > 0.97
    assert table.loc[("plain", "permuted"), "source probe"] < 0.05
    assert table.loc[("plain", "permuted"), "target probe"] > 0.97
    assert np.isnan(table.loc[("plain", "classes"), "source probe"])
    assert table.loc[("plain", "classes"), "target probe"] > 0.97
    assert table.loc["noise", "target probe"].max() < 0.5
    correct = fit_linear_probe(x[:200], y[:200]).predict(x[200:]) == y[200:]
    row = table.loc[("plain", "source")]
    assert (row["target probe"], row["low"], row["high"]) == wilson_interval(correct)
    assert (table["items"] == 200).all()


def test_target_probe_has_balanced_labels():
    def embed(items):
        return items

    y = np.repeat(np.arange(4), 50)
    x = np.eye(4)[y]
    source = LabeledSplit(x, y, x, y)
    # One label per class suffices for four clean columns; three labels leave out a class.
    four = transfer_table({"x": embed}, source, {}, labels=4)
    three = transfer_table({"x": embed}, source, {}, labels=3)
    assert four["target probe"].item() == 1
    assert three["target probe"].item() == 0.75
    with pytest.raises(ValueError, match=r"source.train and source.train_labels: .*same number"):
        transfer_table({"x": embed}, source._replace(train=x[:9]), {})
