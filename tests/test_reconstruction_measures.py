"""Measures against a reference: other implementations, true ranges, and what must not change them.

Oracles are scikit-image where it is installed, SciPy, scikit-learn, torchmetrics, and formulas in
float64. Tolerances are those of float32, in which images and waveforms are measured.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy import ndimage
from scipy.signal import spectrogram
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import root_mean_squared_error
from sklearn.metrics.pairwise import cosine_similarity
from torchmetrics.functional.image import peak_signal_noise_ratio

from simmim_lite.datasets import load_captions, load_digits, load_speech
from simmim_lite.evaluation import (
    caption_cosine,
    caption_match,
    log_mel_error,
    psnr,
    scale_invariant_snr,
    snr,
    spectral_convergence,
    ssim,
)

seeds = st.integers(0, 10**6)


def uniform(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def sound(N=3, samples=1000, seed=0):
    return torch.randn(N, samples, generator=torch.Generator().manual_seed(seed))


def digits(N=6):
    """Real ones in 0..1, and the same ones moved by two pixels."""
    images = torch.from_numpy(load_digits("test").images[::160][:N, None]).float() / 255
    return images, images.roll(2, dims=3)


# Structural similarity


def similarity(x, y):
    """Wang et al. (2004) in float64: moments in a Gaussian window of 11 x 11."""
    x, y = x.astype(np.float64), y.astype(np.float64)

    def mean(z):  # radius int(3.5 * 1.5 + 0.5) = 5
        return ndimage.gaussian_filter(z, 1.5, truncate=3.5, mode="mirror")

    a, b = mean(x), mean(y)
    of_x, of_y, of_both = mean(x * x) - a * a, mean(y * y) - b * b, mean(x * y) - a * b
    c1, c2 = 0.01**2, 0.03**2
    found = (2 * a * b + c1) * (2 * of_both + c2) / ((a * a + b * b + c1) * (of_x + of_y + c2))
    return found[5:-5, 5:-5].mean()  # where the window lies within the image


def test_ssim_is_the_formula_on_real_digits_and_noise():
    made, reference = digits()
    noisy = (reference + 0.2 * uniform(*reference.shape)).clamp(0, 1)
    for x in (made, noisy, 1 - reference):
        expected = [
            similarity(a[0].numpy(), b[0].numpy()) for a, b in zip(x, reference, strict=True)
        ]
        assert ssim(x, reference).tolist() == pytest.approx(expected, abs=1e-4)


def test_ssim_is_that_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics", reason="needs scikit-image")
    made, reference = digits()
    for x in (made, (reference + 0.2 * uniform(*reference.shape)).clamp(0, 1)):
        options = {"data_range": 1.0, "gaussian_weights": True, "use_sample_covariance": False}
        expected = [
            metrics.structural_similarity(a[0].numpy(), b[0].numpy(), **options)
            for a, b in zip(x, reference, strict=True)
        ]
        assert ssim(x, reference).tolist() == pytest.approx(expected, abs=1e-4)
        expected = [
            metrics.peak_signal_noise_ratio(b.numpy(), a.numpy(), data_range=1.0)
            for a, b in zip(x, reference, strict=True)
        ]
        assert psnr(x, reference).tolist() == pytest.approx(expected, abs=1e-4)


@given(seeds)
@settings(max_examples=20)
def test_ssim_lies_in_its_range_is_symmetric_and_one_for_equals(seed):
    x, y = uniform(2, 1, 16, 16, seed=seed), uniform(2, 1, 16, 16, seed=seed + 1)
    found = ssim(x, y)
    assert ((found >= -1) & (found < 1)).all()
    torch.testing.assert_close(ssim(y, x), found)
    torch.testing.assert_close(ssim(x, x), torch.ones(2))
    # Each image for itself: neighbors in the batch play no part.
    torch.testing.assert_close(ssim(x[:1], y[:1]), found[:1])
    with pytest.raises(ValueError, match="made: expected a height and width of at least 11"):
        ssim(x[..., :10], y[..., :10])


# Decibels


@given(seeds)
@settings(max_examples=20)
def test_psnr_is_that_of_torchmetrics_image_by_image(seed):
    x, y = uniform(3, 2, 5, 7, seed=seed), uniform(3, 2, 5, 7, seed=seed + 1)
    expected = [
        peak_signal_noise_ratio(a, b, data_range=1.0).item() for a, b in zip(x, y, strict=True)
    ]
    found = psnr(x, y)
    assert found.tolist() == pytest.approx(expected, abs=1e-4)
    torch.testing.assert_close(psnr(y, x), found)
    assert (found >= 0).all()  # no error in 0..1 is larger than the range
    assert psnr(x, x).tolist() == [math.inf] * 3


@given(seeds, st.floats(0.01, 100))
@settings(max_examples=20)
def test_snr_is_the_ratio_of_energies(seed, loudness):
    made, reference = sound(seed=seed), sound(seed=seed + 1)
    a, b = made.double().numpy(), reference.double().numpy()
    expected = 10 * np.log10((b**2).sum(axis=1) / ((a - b) ** 2).sum(axis=1))
    assert snr(made, reference).tolist() == pytest.approx(expected.tolist(), abs=1e-3)
    assert snr(loudness * made, loudness * reference).tolist() == pytest.approx(
        expected.tolist(), abs=1e-3
    )
    assert snr(torch.zeros_like(reference), reference).tolist() == pytest.approx([0] * 3, abs=1e-3)
    assert (snr(reference, reference) > 60).all()  # torchmetrics adds an epsilon to the error


@given(seeds, st.floats(0.01, 100))
@settings(max_examples=20)
def test_scale_invariant_snr_is_that_of_the_projection(seed, loudness):
    """Le Roux et al. (2019), after both means are taken off."""
    reference = sound(seed=seed + 1)
    made = reference + 0.5 * sound(seed=seed)
    a, b = (
        x.double().numpy() - x.double().numpy().mean(axis=1)[:, None] for x in (made, reference)
    )
    target = (a * b).sum(axis=1, keepdims=True) / (b**2).sum(axis=1, keepdims=True) * b
    expected = 10 * np.log10((target**2).sum(axis=1) / ((a - target) ** 2).sum(axis=1))
    for x in (made, loudness * made, made + 3):
        assert scale_invariant_snr(x, reference).tolist() == pytest.approx(
            expected.tolist(), abs=1e-2
        )


# Spectra


@pytest.mark.parametrize(("window", "hop"), [(256, 80), (64, 16)])
def test_spectral_convergence_is_that_of_scipys_spectrograms(window, hop):
    waves = load_speech("test").waveforms[:40:10]
    for made, reference in zip(waves, waves[1:] + waves[:1], strict=True):
        T = min(len(made), len(reference))
        a, b = (
            spectrogram(
                x[:T].astype(np.float64),
                window="hann",
                nperseg=window,
                noverlap=window - hop,
                detrend=False,
                mode="magnitude",
            )[2]
            for x in (made, reference)
        )
        pair = (torch.from_numpy(x[None, :T]) for x in (made, reference))
        expected = 20 * np.log10(np.linalg.norm(a - b) / np.linalg.norm(b))
        found = spectral_convergence(*pair, window=window, hop=hop)
        assert found.item() == pytest.approx(expected, abs=1e-4)


@given(seeds)
@settings(max_examples=20)
def test_log_mel_error_is_that_of_scikit_learn_and_a_distance(seed):
    x, y, z = (uniform(3, 8, 5, seed=seed + i) for i in range(3))
    found = log_mel_error(x, y)
    expected = [
        root_mean_squared_error(a.ravel().numpy(), b.ravel().numpy())
        for a, b in zip(x, y, strict=True)
    ]
    assert found.tolist() == pytest.approx(expected, rel=1e-5)
    assert (found > 0).all()
    torch.testing.assert_close(log_mel_error(y, x), found)
    assert (log_mel_error(x, x) == 0).all()
    assert (found <= log_mel_error(x, z) + log_mel_error(z, y) + 1e-6).all()


# Captions


def test_caption_cosine_is_that_of_scikit_learn_on_real_captions():
    texts = load_captions("test").texts[::50]
    others = texts[1:] + texts[:1]
    counts = CountVectorizer(token_pattern=r"\w+").fit(texts)
    expected = np.diag(cosine_similarity(counts.transform(texts), counts.transform(others)))
    found = caption_cosine(texts, others)
    assert found == pytest.approx(expected)
    assert ((found >= 0) & (found <= 1 + 1e-12)).all()
    assert caption_cosine(others, texts) == pytest.approx(found)
    assert caption_cosine(texts, texts) == pytest.approx(1)
    assert caption_match(texts, texts).all()
    same = [
        a.replace(",", "").split() == b.replace(",", "").split()
        for a, b in zip(texts, others, strict=True)
    ]
    assert caption_match(texts, others).tolist() == same
    # Order matters to the match alone.
    turned = [" ".join(reversed(text.replace(",", "").split())) for text in texts]
    assert caption_cosine(turned, texts) == pytest.approx(1)
    assert not caption_match(turned, texts).any()


@pytest.mark.parametrize("measure", [caption_match, caption_cosine])
def test_captions_are_paired(measure):
    with pytest.raises(ValueError, match="made and references: expected the same number"):
        measure(["a nine"], ["a nine", "an eight"])


def test_scale_invariant_snr_is_not_broadcast():
    with pytest.raises(ValueError, match="made: expected the shape of reference"):
        scale_invariant_snr(sound()[:1], sound())
