"""Damage: principal components against scikit-learn, the level of noise, seeds."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from simmim_lite.datasets import (
    add_noise,
    babble,
    keep_components,
    load_damaged_digits,
    load_digits,
    load_speech,
    principal_components,
)


@pytest.fixture(scope="module")
def digits():
    return load_digits("test").images


def test_components_are_those_of_scikit_learn(digits):
    mean, components, shares = principal_components(digits)
    theirs = PCA(20, svd_solver="full").fit(digits.reshape(len(digits), -1) / 1.0)
    np.testing.assert_allclose(mean.ravel(), theirs.mean_)
    np.testing.assert_allclose(shares[:20], theirs.explained_variance_ratio_)
    overlap = components[:20].reshape(20, -1) @ theirs.components_.T
    np.testing.assert_allclose(abs(overlap), np.eye(20), atol=1e-6)
    assert shares.sum() == pytest.approx(1)
    kept = keep_components(digits, mean, components[:20])
    wanted = theirs.inverse_transform(theirs.transform(digits.reshape(len(digits), -1) / 1.0))
    # half a gray level from rounding, and what lies outside 0..255 is cut
    np.testing.assert_allclose(kept.reshape(wanted.shape), wanted.clip(0, 255), atol=0.501)


def test_all_components_give_the_image_back(digits):
    mean, components, _ = principal_components(digits[:50])
    np.testing.assert_array_equal(keep_components(digits[:50], mean, components), digits[:50])
    none = keep_components(digits[:3], mean, components[:0])
    np.testing.assert_allclose(none, np.stack([mean] * 3), atol=0.501)


def test_energy_says_how_much_is_left(digits):
    damaged = load_damaged_digits("test", energy=0.25)
    shares = principal_components(load_digits("train").images)[2].cumsum()
    assert damaged.energy == pytest.approx(shares[damaged.components - 1])
    assert damaged.energy <= 0.25 < shares[damaged.components]
    more = load_damaged_digits("test", energy=0.8)
    errors = [np.square(d.images.images - digits.astype(float)).mean() for d in (damaged, more)]
    assert errors[1] < 0.5 * errors[0]
    assert damaged.images.images.dtype == np.uint8
    np.testing.assert_array_equal(damaged.images.labels, load_digits("test").labels)


@pytest.mark.parametrize("snr_db", [-12.0, 0.0, 20.0])
def test_the_level_of_the_noise_is_as_said(snr_db):
    rng = np.random.default_rng(0)
    clean = [rng.standard_normal(n) for n in (50, 400)]
    noises = [rng.standard_normal(n) for n in (50, 400)]
    for signal, noise, noisy in zip(clean, noises, add_noise(clean, noises, snr_db), strict=True):
        added = noisy - signal
        ratio = 10 * np.log10((signal**2).sum() / (added**2).sum())
        assert ratio == pytest.approx(snr_db, abs=1e-3)  # float32
        assert np.corrcoef(added, noise)[0, 1] > 0.9999


def test_damaged_speech_is_speech_plus_babble():
    clean, damaged = load_speech("test"), load_damaged_digits("test", snr_db=-6)
    pool = load_speech("train").waveforms
    lengths = [len(waveform) for waveform in clean.waveforms]
    noises = babble(lengths, pool, voices=3, seed=0)
    for signal, noise, noisy in zip(clean.waveforms, noises, damaged.speech.waveforms, strict=True):
        added = noisy - signal
        assert 10 * np.log10((signal**2).sum() / (added**2).sum()) == pytest.approx(-6, abs=1e-3)
        assert abs(np.corrcoef(added, noise)[0, 1]) > 0.999
    np.testing.assert_array_equal(damaged.speech.labels, clean.labels)


def test_babble_is_made_of_the_pool_with_equal_parts():
    pool = [np.ones(7), -100 * np.ones(5), np.zeros(9)]
    (clip,) = babble([4000], pool, voices=1)
    assert len(clip) == 4000
    assert set(np.unique(clip)) <= {1.0, -1.0}
    # two tones with whole numbers of periods: each voice has the power 1, wherever it begins
    tones = [5 * np.sin(2 * np.pi * f * np.arange(100) / 100) for f in (3, 7)]
    for clip in babble([100] * 20, tones, voices=2, seed=3):
        parts = np.abs(np.fft.rfft(clip))[[3, 7]] / (100 / np.sqrt(2))
        assert parts[0] < 1e-6 or parts[1] < 1e-6 or parts == pytest.approx([1, 1])


def test_seeds():
    pool = load_speech("train").waveforms[:50]
    first, again, other = (babble([300, 500], pool, seed=seed) for seed in (0, 0, 1))
    for a, b, c in zip(first, again, other, strict=True):
        assert np.array_equal(a, b)
        assert not np.array_equal(a, c)
    train, test = (load_damaged_digits(split, full=False) for split in ("train", "test"))
    assert train.components == test.components


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: principal_components(np.zeros((3, 2))), r"images: .*\(3, 2\)"),
        (lambda: principal_components(np.ones((3, 2, 2))), "images: .*equal"),
        (
            lambda: keep_components(np.ones((3, 2, 2)), np.ones((2, 3)), np.ones((1, 2, 3))),
            r"images, mean, components: .*\(2, 2\), \(2, 3\)",
        ),
        (lambda: babble([3], [np.zeros(4)]), "pool: "),
        (lambda: babble([3], [np.ones(4)], voices=0), "voices: "),
        (lambda: add_noise([np.ones(4)], [], 0), "noises: expected 1"),
        (lambda: add_noise([np.ones(4)], [np.ones(3)], 0), r"noises: .*\(3,\) in row 0"),
        (lambda: add_noise([np.ones(4)], [np.zeros(4)], 0), "noises: .*silence in row 0"),
        (lambda: add_noise([np.ones(4)], [np.ones(4)], np.inf), "snr_db: "),
        (lambda: load_damaged_digits("test", energy=0.01), "energy: expected at least 0"),
        (lambda: load_damaged_digits("half"), "split: "),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
