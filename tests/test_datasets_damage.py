"""Degraded digits: principal components of images, the level of noise in recordings, seeds."""

import numpy as np
import pytest

from simmim_lite.datasets import (
    add_noise,
    babble,
    load_damaged_digits,
    load_digits,
    load_speech,
)


@pytest.fixture(scope="module")
def digits():
    return load_digits("test").images


@pytest.fixture(scope="module")
def axes():
    """Mean, principal axes (rows) and shares of the variance of the training images, by SVD."""
    rows = load_digits("train").images.reshape(4000, -1).astype(float)
    mean = rows.mean(axis=0)
    _, lengths, axes = np.linalg.svd(rows - mean, full_matrices=False)
    return mean, axes, lengths**2 / (lengths**2).sum()


@pytest.mark.parametrize("energy", [0.25, 0.8])
def test_an_image_keeps_its_leading_principal_components(digits, axes, energy):
    mean, directions, shares = axes
    damaged = load_damaged_digits("test", energy=energy)
    leading = directions[: damaged.components]
    wanted = (digits.reshape(len(digits), -1) - mean) @ leading.T @ leading + mean
    # half a gray level from rounding, and values outside 0..255 are cut
    kept = damaged.images.images.reshape(wanted.shape)
    np.testing.assert_allclose(kept, wanted.clip(0, 255), atol=0.501)
    assert damaged.energy == pytest.approx(shares[: damaged.components].sum())


def test_all_components_give_the_image_back(digits):
    np.testing.assert_array_equal(load_damaged_digits("test", energy=1.0).images.images, digits)


def test_energy_is_the_share_of_variance_that_is_kept(digits, axes):
    damaged = load_damaged_digits("test", energy=0.25)
    shares = axes[2].cumsum()
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
        (lambda: babble([3], [np.zeros(4)]), "pool: "),
        (lambda: babble([3], [np.ones(4)], voices=0), "voices: "),
        (lambda: babble([3], [np.ones(4), [0, np.nan]]), r"pool\[1\]: expected finite"),
        (lambda: babble([3], [np.ones((4, 2))]), r"pool\[0\]: expected samples \(T,\)"),
        (lambda: babble([3, -1], [np.ones(4)]), "lengths: .*got -1"),
        (lambda: add_noise([[0.1, np.nan]], [np.ones(2)], 0), r"waveforms\[0\]: expected finite"),
        (
            lambda: add_noise([[0.1, 0]], [np.ma.masked_less([1, 0], 1)], 0),
            r"noises\[0\]: .*masked",
        ),
        (lambda: add_noise([np.ones(4)], [], 0), "waveforms and noises: .*noises has 0"),
        (lambda: add_noise([np.ones(4)], [np.ones(3)], 0), r"noises\[0\]: .*noises\[0\] has 3"),
        (lambda: add_noise([np.ones(4)], [np.zeros(4)], 0), r"noises\[0\]: .*silence"),
        (lambda: add_noise([np.ones(4)], [np.ones(4)], np.inf), "snr_db: "),
        (lambda: load_damaged_digits("test", energy=0.01), "energy: expected at least 0"),
        (lambda: load_damaged_digits("half"), "split: "),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
