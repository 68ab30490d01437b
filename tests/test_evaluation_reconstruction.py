"""Metrics of reconstruction: other implementations, true ranges, and what must not change them.

Oracles are scikit-image where it is installed, SciPy, torchmetrics, and formulas in float64.
Tolerances are those of float32, in which images and waveforms are measured.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy import ndimage
from torchmetrics.functional.image import peak_signal_noise_ratio

from simmim_lite.datasets import load_captions, load_digits, load_speech
from simmim_lite.evaluation import (
    caption_match,
    psnr,
    snr,
    ssim,
)

seeds = st.integers(0, 10**6)


def uniform(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def sound(N=3, samples=1000, seed=0):
    return torch.randn(N, samples, generator=torch.Generator().manual_seed(seed))


def digits(N=6):
    """Real digits in 0..1, and the same ones shifted by two pixels."""
    images = torch.from_numpy(load_digits("test").images[::160][:N, None]).float() / 255
    return images, images.roll(2, dims=3)


# Images


def similarity(x, y):
    """Wang et al. (2004) in float64: moments in a Gaussian window of 11 x 11."""
    x, y = x.astype(np.float64), y.astype(np.float64)

    def mean(z):  # radius int(3.5 * 1.5 + 0.5) = 5
        return ndimage.gaussian_filter(z, 1.5, truncate=3.5, mode="mirror")

    a, b = mean(x), mean(y)
    of_x, of_y, of_both = mean(x * x) - a * a, mean(y * y) - b * b, mean(x * y) - a * b
    c1, c2 = 0.01**2, 0.03**2
    found = (2 * a * b + c1) * (2 * of_both + c2) / ((a * a + b * b + c1) * (of_x + of_y + c2))
    return found[5:-5, 5:-5].mean()  # where the window is inside the image


def test_ssim_agrees_with_the_formula_on_real_digits_and_noise():
    made, reference = digits()
    noisy = (reference + 0.2 * uniform(*reference.shape)).clamp(0, 1)
    for x in (made, noisy, 1 - reference):
        expected = [
            similarity(a[0].numpy(), b[0].numpy()) for a, b in zip(x, reference, strict=True)
        ]
        assert ssim(x, reference).tolist() == pytest.approx(expected, abs=1e-4)


def test_ssim_of_many_images_is_that_of_each():
    x, y = torch.rand(2, 300, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    each = torch.cat([ssim(x[i : i + 1], y[i : i + 1]) for i in (0, 127, 128, 299)])
    torch.testing.assert_close(ssim(x, y)[[0, 127, 128, 299]], each)


def test_ssim_and_psnr_agree_with_scikit_image():
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
def test_ssim_is_in_its_range_symmetric_and_1_for_equal_images(seed):
    x, y = uniform(2, 1, 16, 16, seed=seed), uniform(2, 1, 16, 16, seed=seed + 1)
    found = ssim(x, y)
    assert ((found >= -1) & (found < 1)).all()
    torch.testing.assert_close(ssim(y, x), found)
    torch.testing.assert_close(ssim(x, x), torch.ones(2))
    # Other images of the batch have no effect.
    torch.testing.assert_close(ssim(x[:1], y[:1]), found[:1])
    with pytest.raises(ValueError, match="made: expected a height and width of at least 11"):
        ssim(x[..., :10], y[..., :10])


def images(seed=0):
    return torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(seed))


def test_ssim_and_psnr_of_known_errors_and_their_true_ranges():
    x = images()
    assert ssim(x, x).tolist() == pytest.approx([1] * 4)
    assert (ssim(1 - x, x) < -0.5).all()  # the range is -1..1, not 0..1
    assert psnr(x + 0.1, x).tolist() == pytest.approx([20] * 4, abs=1e-4)
    assert (psnr(3 * x + 1, x) < 0).all()
    assert psnr(x, x).tolist() == [math.inf] * 4


@given(seeds)
@settings(max_examples=20)
def test_psnr_agrees_with_torchmetrics_image_by_image(seed):
    x, y = uniform(3, 2, 5, 7, seed=seed), uniform(3, 2, 5, 7, seed=seed + 1)
    expected = [
        peak_signal_noise_ratio(a, b, data_range=1.0).item() for a, b in zip(x, y, strict=True)
    ]
    found = psnr(x, y)
    assert found.tolist() == pytest.approx(expected, abs=1e-4)
    torch.testing.assert_close(psnr(y, x), found)
    assert (found >= 0).all()  # no error in 0..1 exceeds the range
    assert psnr(x, x).tolist() == [math.inf] * 3


# Waveforms


@given(seeds, st.floats(0.01, 100))
@settings(max_examples=20)
def test_snr_is_the_ratio_of_energies_in_decibels(seed, loudness):
    made, reference = sound(seed=seed), sound(seed=seed + 1)
    a, b = made.double().numpy(), reference.double().numpy()
    expected = 10 * np.log10((b**2).sum(axis=1) / ((a - b) ** 2).sum(axis=1))
    assert snr(made, reference).tolist() == pytest.approx(expected.tolist(), abs=1e-3)
    assert snr(loudness * made, loudness * reference).tolist() == pytest.approx(
        expected.tolist(), abs=1e-3
    )
    assert snr(torch.zeros_like(reference), reference).tolist() == pytest.approx([0] * 3, abs=1e-3)
    assert (snr(reference, reference) > 60).all()  # torchmetrics adds an epsilon to the error


def test_snr_of_known_errors_and_its_negative_values():
    time = torch.arange(8000) / 8000
    x = torch.sin(2 * math.pi * 440 * time)[None]
    noise = torch.cos(2 * math.pi * 440 * time)[None]  # orthogonal, of equal energy
    assert snr(x + 0.1 * noise, x).item() == pytest.approx(20, abs=0.01)
    assert snr(x + 3 * noise, x).item() == pytest.approx(-9.54, abs=0.01)
    assert snr(0.5 * x, x).item() == pytest.approx(6.02, abs=0.01)


def test_snr_depends_on_phase():
    x = torch.from_numpy(load_speech("test").waveforms[0])[None, :4000]
    assert snr(-x, x).item() == pytest.approx(-6.02, abs=0.01)


@pytest.mark.parametrize("metric", [ssim, psnr, snr])
def test_shapes_are_not_broadcast(metric):
    x = torch.rand((4, 1000) if metric is snr else (4, 1, 28, 28))
    with pytest.raises(ValueError, match="made: expected the shape of reference"):
        metric(x[:1], x)
    with pytest.raises(ValueError, match=r"made: expected \d dimensions"):
        metric(x[0], x[0])


# Captions


def test_captions_match_word_by_word():
    made = ["a thick upright nine", "A thick, upright nine", "a nine", ""]
    references = ["a thick, upright nine"] * 4
    assert caption_match(made, references).tolist() == [True, True, False, False]


def test_caption_match_on_real_captions():
    texts = load_captions("test").texts[::50]
    others = texts[1:] + texts[:1]
    assert caption_match(texts, texts).all()
    same = [
        a.replace(",", "").split() == b.replace(",", "").split()
        for a, b in zip(texts, others, strict=True)
    ]
    assert caption_match(texts, others).tolist() == same
    # The order of the words matters.
    reverse = [" ".join(reversed(text.replace(",", "").split())) for text in texts]
    assert not caption_match(reverse, texts).any()


def test_captions_are_paired():
    with pytest.raises(ValueError, match="made and references: expected the same number"):
        caption_match(["a nine"], ["a nine", "an eight"])
