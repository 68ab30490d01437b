"""Measures that need a reference: the very item that should have come out.

They say nothing about generation from another modality, which has no one right answer.

| measure | best | range |
|---|---|---|
| SSIM | 1 | -1..1 |
| PSNR | infinity | all real numbers, decibels; below 0 where the error is larger than the range |
| SNR, scale-invariant SNR | infinity | all real numbers, decibels |
| spectral convergence | minus infinity | all real numbers, decibels; 0 for silence |
| log-mel error | 0 | 0..infinity, nats |
| caption match | 1 | 0..1 |
| caption cosine | 1 | 0..1, as counts of words have no negative entries; of any vectors -1..1 |
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simmim_lite._arguments import check_same_length
from simmim_lite.encoders import power_spectrogram

_WORDS = re.compile(r"\w+")
_BORDER = 5  # pixels, half the window of SSIM


def ssim(made: Any, reference: Any) -> Tensor:
    """Structural similarity of images (N, channels, height, width) in 0..1: (N,).

    Wang et al. (2004), doi 10.1109/TIP.2003.819861, Gaussian window of 1.5 pixels, by torchmetrics.
    The mean is over the places where the window of 11 x 11 lies within the image, as scikit-image
    has it. torchmetrics 1.9 counts the borders, too, which 1.4 did not: where these are black in
    both, as of digits, its number is far higher.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    made, reference = _pair(made, reference, 4)
    if min(made.shape[2:]) <= 2 * _BORDER:
        got = tuple(made.shape)
        raise ValueError(f"made: expected a height and width of at least 11, got shape {got}")
    _, places = structural_similarity_index_measure(
        made, reference, data_range=1.0, reduction="none", return_full_image=True
    )
    return places[:, :, _BORDER:-_BORDER, _BORDER:-_BORDER].mean(dim=(1, 2, 3))


def psnr(made: Any, reference: Any) -> Tensor:
    """10 log10(1 / mean squared error) of images (N, channels, height, width) in 0..1: (N,) dB."""
    made, reference = _pair(made, reference, 4)
    return -10 * ((made - reference) ** 2).mean(dim=(1, 2, 3)).log10()


def snr(made: Any, reference: Any) -> Tensor:
    """10 log10(energy of the reference / energy of the error) of waveforms (N, samples): (N,) dB.

    Negative for what sounds the same but has other phases, as all has that Griffin-Lim made.
    """
    from torchmetrics.functional.audio import signal_noise_ratio

    return signal_noise_ratio(*_pair(made, reference, 2))


def scale_invariant_snr(made: Any, reference: Any) -> Tensor:
    """SNR after the best change of loudness (Le Roux et al. 2019, arXiv 1811.02508): (N,) dB."""
    from torchmetrics.functional.audio import scale_invariant_signal_noise_ratio

    return scale_invariant_signal_noise_ratio(*_pair(made, reference, 2))


def spectral_convergence(made: Any, reference: Any, *, window: int = 256, hop: int = 80) -> Tensor:
    """20 log10(|S - S'| / |S|) of magnitude spectrograms of waveforms (N, samples): (N,) dB."""
    a, b = (
        power_spectrogram(x, window=window, hop=hop).sqrt().flatten(1)
        for x in _pair(made, reference, 2)
    )
    return 20 * ((a - b).norm(dim=1) / b.norm(dim=1)).log10()


def log_mel_error(made: Any, reference: Any) -> Tensor:
    """Root of the mean squared difference of log-mel spectrograms (N, mels, frames): (N,) nats."""
    made, reference = _pair(made, reference, 3)
    return ((made - reference) ** 2).mean(dim=(1, 2)).sqrt()


def caption_match(made: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Do the same words come in the same order? (N,) bool; signs and capitals don't count."""
    check_same_length(made=made, references=references)
    return np.array([_words(a) == _words(b) for a, b in zip(made, references, strict=True)])


def caption_cosine(made: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Cosine of counts of words, (N,); of a sentence without words it is 0."""
    check_same_length(made=made, references=references)
    return np.array([_cosine(a, b) for a, b in zip(made, references, strict=True)])


def _cosine(first: str, second: str) -> float:
    a, b = Counter(_words(first)), Counter(_words(second))
    lengths = np.sqrt(sum(n**2 for n in a.values()) * sum(n**2 for n in b.values()))
    return float(sum(n * b[word] for word, n in a.items()) / lengths) if lengths else 0.0


def _words(text: str) -> list[str]:
    return _WORDS.findall(text.lower())


def _pair(made: Any, reference: Any, dimensions: int) -> tuple[Tensor, Tensor]:
    """Both as float tensors of one shape: nothing is ever broadcast."""
    a, b = (torch.as_tensor(x).float() for x in (made, reference))
    if a.shape != b.shape:
        raise ValueError(
            f"made: expected the shape of reference, {tuple(b.shape)}, got {tuple(a.shape)}"
        )
    if a.ndim != dimensions or 0 in a.shape:
        raise ValueError(f"made: expected {dimensions} dimensions, got shape {tuple(a.shape)}")
    return a, b
