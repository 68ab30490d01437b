"""Evaluation of odd input: other types of labels, offsets and units of features, other ranges.

The right value is that of the same numbers in their ordinary form.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import cdist

from simmim_lite import evaluation

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(4), 25)[RNG.permutation(100)]
FEATURES = np.eye(4)[LABELS] + 0.5 * RNG.standard_normal((100, 4))
OTHERS = np.eye(4)[LABELS] + 0.5 * RNG.standard_normal((100, 4))
PROBABILITIES = np.exp(3 * OTHERS) / np.exp(3 * OTHERS).sum(axis=1, keepdims=True)
TYPES = {
    "float": lambda y: y.astype(float),
    "float16": lambda y: y.astype(np.float16),
    "object": lambda y: y.astype(object),
    "reversed": lambda y: np.ascontiguousarray(y[::-1])[::-1],
    "category": lambda y: pd.Series(y, index=np.arange(len(y))[::-1], dtype="category"),
    "nullable": lambda y: pd.Series(y, index=np.arange(len(y))[::-1], dtype="Int64"),
    "tensor": lambda y: torch.tensor(y).bfloat16(),
    "words": lambda y: y.astype(str),
}
OF_LABELS = {
    "linear probe": lambda y: evaluation.linear_probe(FEATURES, y(LABELS), OTHERS, y(LABELS)),
    "neighbors": lambda y: evaluation.knn_accuracy(FEATURES, y(LABELS), OTHERS, y(LABELS)),
    "calibration": lambda y: evaluation.calibration_error(PROBABILITIES, y(LABELS)),
    "brier": lambda y: evaluation.brier_score(PROBABILITIES, y(LABELS)),
    "spread": lambda y: evaluation.spread_within_classes(FEATURES, y(LABELS)),
    "agreement": lambda y: evaluation.agreement_table(
        {0: y(LABELS), 1: y(np.roll(LABELS, 1))}
    ).to_numpy(),
    "transfer": lambda y: evaluation.transfer_table(
        {"raw": lambda x: x},
        evaluation.LabeledSplit(FEATURES, y(LABELS), OTHERS, y(LABELS)),
        {},
    )["target probe"],
}


@pytest.mark.parametrize("score", OF_LABELS)
def test_labels_of_every_type_give_the_same_result(score):
    expected = np.array(OF_LABELS[score](lambda y: y), float)
    for kind, convert in TYPES.items():
        if kind == "words" and score in ("calibration", "brier"):
            with pytest.raises(TypeError, match="labels: expected whole numbers"):
                OF_LABELS[score](convert)
        else:
            found = np.array(OF_LABELS[score](convert), float)
            assert found == pytest.approx(expected), kind


def test_words_are_not_compared_with_numbers():
    words = LABELS.astype(str)
    for score in (evaluation.linear_probe, evaluation.knn_accuracy):
        with pytest.raises(TypeError, match=r"train_labels and test_labels: .* one kind"):
            score(FEATURES, LABELS, OTHERS, words)
    with pytest.raises(TypeError, match=r"query_labels and candidate_labels: .* one kind"):
        evaluation.precision_at_k(OTHERS @ FEATURES.T, words, LABELS)
    with pytest.raises(ValueError, match="train_labels: expected two classes or more, got only 1"):
        evaluation.linear_probe(FEATURES, np.ones(100, int), OTHERS, LABELS)


# Distances


def coverage(a, b):
    radius = np.sort(cdist(a, a), axis=1)[:, 5, None]
    inside = cdist(a, b) < radius
    return inside.sum() / (5 * len(b)), inside.any(axis=1).mean()


DISTANCES = {  # function, the expected value of FEATURES and OTHERS, and its power of the unit
    "coverage": (evaluation.density_and_coverage, coverage(FEATURES, OTHERS), 0),
    "nearest": (
        lambda a, b: evaluation.distance_to_nearest(b, a),
        cdist(OTHERS, FEATURES).min(axis=1).mean(),
        1,
    ),
}


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_distances_are_right_far_from_the_origin_in_any_unit(name, unit):
    distance, expected, power = DISTANCES[name]
    found = distance(unit * (FEATURES + 1e9), torch.tensor(unit * (OTHERS + 1e9)))
    assert np.divide(found, unit**power) == pytest.approx(expected, rel=1e-5)


def test_distances_of_copies_are_0_and_never_negative():
    for a in (FEATURES, FEATURES[:3], FEATURES + 1e9):  # also with fewer samples than columns
        assert 0 <= evaluation.frechet_distance(a, a) < 1e-25
        assert evaluation.distance_to_nearest(a, a) == 0


def test_neighbors_are_right_where_all_cosines_are_close_to_1():
    # 1e-9 radians apart, the cosines differ from 1 by 1e-18: below the rounding error of 1.
    angle, labels = 1e-9 * np.arange(100), np.arange(100)
    x, x_test = (np.c_[np.ones(100), a] for a in (angle, angle + 3e-10))
    assert evaluation.knn_accuracy(x, labels, x_test, labels, k=1) == 1


# Ranges


def test_images_in_0_to_255_are_measured_in_their_range_or_refused():
    a, b = RNG.random((2, 3, 1, 16, 16))
    for measure in (evaluation.psnr, evaluation.ssim):
        bytes_ = [np.round(255 * x).astype(np.uint8) for x in (a, b)]
        expected = measure(bytes_[0] / 255, bytes_[1] / 255)
        assert torch.equal(measure(*bytes_), expected)
        assert torch.equal(measure(bytes_[0] / 255, bytes_[1]), expected)
        with pytest.raises(ValueError, match=r"made: expected images in 0\.\.1, .* of float64"):
            measure(255 * a, 255 * b)
        with pytest.raises(ValueError, match=r"reference: expected images in 0\.\.1"):
            measure(2 * a - 1, 2 * b - 1)
        with pytest.raises(ValueError, match=r"made: .* got 0\.\.1 of uint8"):
            measure(*((x > 0.5).astype(np.uint8) for x in (a, b)))


@pytest.mark.parametrize("corrupt", ["gaussian_noise", "salt_and_pepper", "occlude", "blur"])
def test_corruptions_take_images_in_0_to_1(corrupt):
    images = RNG.random((3, 8, 8)).astype(np.float16)
    changed = getattr(evaluation, corrupt)(images[..., ::-1], 0.5)
    assert changed.dtype == np.float16
    assert np.abs(changed - images[..., ::-1]).max() > 0.1
    with pytest.raises(TypeError, match=r"images: .* 0\.\.1, got dtype uint8"):
        getattr(evaluation, corrupt)((255 * images).astype(np.uint8), 0.5)
    with pytest.raises(ValueError, match=r"images: .* 0\.\.1, got \d\.\d+\.\.2"):
        getattr(evaluation, corrupt)(255 * images.astype(float), 0.5)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_signal_to_noise_has_no_unit(unit):
    wave, noise = RNG.standard_normal((2, 3, 1000))
    expected = 10 * np.log10((wave**2).sum(axis=1) / (noise**2).sum(axis=1))
    found = evaluation.snr(unit * (wave + noise), unit * wave)
    assert found.tolist() == pytest.approx(expected.tolist(), abs=1e-4)
    assert evaluation.snr(wave, wave).tolist() == [np.inf] * 3
    with pytest.raises(TypeError, match=r"made, reference: .* one range, got float64 and int"):
        evaluation.snr(wave, (1000 * wave).astype(np.int16))


def test_probabilities_of_half_precision_are_calibrated_as_others():
    expected = evaluation.brier_score(PROBABILITIES, LABELS)
    for dtype in (torch.float16, torch.bfloat16):
        half = torch.tensor(PROBABILITIES).to(dtype)
        assert evaluation.brier_score(half, LABELS) == pytest.approx(expected, abs=5e-3)


def test_copies_and_originals_are_in_one_range():
    images = RNG.random((3, 1, 8, 8))
    with pytest.raises(TypeError, match="items, memory: expected numbers in one range, got float"):
        evaluation.distance_to_nearest(images, (255 * images).astype(np.uint8))
    with pytest.raises(TypeError, match="items, memory: expected numbers in one range, got int64"):
        evaluation.distance_to_nearest((255 * images).astype(np.int64), images)
