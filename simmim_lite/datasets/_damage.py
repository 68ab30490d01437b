"""Degraded digits: images with little of their variance, speech in babble at a given level.

As in AV-MNIST (Vielzeuf et al. 2018, arXiv 1808.07275), neither modality suffices alone: an image
keeps its leading principal components, a recording gets noise. Their generator was not published;
this one is seeded, and its noise consists of other recordings of the set.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from simmim_lite._arguments import (
    as_samples,
    check_integer,
    check_number,
    check_same_length,
    count_rows,
)
from simmim_lite._random import random_generator
from simmim_lite.datasets._images import Images, load_digits
from simmim_lite.datasets._speech import Speech, load_speech

_CHUNK = 4096  # images at a time, for the memory of float64


@dataclass(frozen=True, eq=False)
class DamagedDigits:
    """Degraded images and recordings, in the order of `load_digits` and `load_speech`.

    Attributes:
        components: number of principal components that an image keeps.
        energy: their share of the variance of the training images.
        snr_db: signal-to-noise ratio of speech and babble in each recording, in dB.
    """

    images: Images = field(repr=False)
    speech: Speech = field(repr=False)
    components: int
    energy: float
    snr_db: float


def load_damaged_digits(
    split: str = "train",
    *,
    energy: float = 0.25,
    snr_db: float = -6.0,
    seed: int = 0,
    full: bool | None = None,
) -> DamagedDigits:
    """Digits with degraded images and degraded recordings.

    For every split, the principal components and the babble come from the training split.

    Args:
        energy: largest share of the variance of the training images that is kept, in [0, 1], and
            at least the share of the first component.
        snr_db: energy of a recording over that of its babble (of three recordings), in dB.
        full: as for `load_digits`.
    """
    from sklearn.decomposition import PCA  # here, as its import takes a second

    images, speech = load_digits(split, full=full), load_speech(split, full=full)
    train_images = images if split == "train" else load_digits("train", full=full)
    train_speech = speech if split == "train" else load_speech("train", full=full)
    pca = PCA(svd_solver="covariance_eigh").fit(train_images.images.reshape(len(train_images), -1))
    shares = pca.explained_variance_ratio_
    count = int((np.cumsum(shares) <= check_number("energy", energy, minimum=0, maximum=1)).sum())
    if count == 0:
        raise ValueError(f"energy: expected at least {shares[0]:.3f}, one component, got {energy}")
    kept = []
    for part in np.array_split(images.images, 1 + len(images) // _CHUNK):
        coordinates = pca.transform(part.reshape(len(part), -1))
        coordinates[:, count:] = 0
        gray = pca.inverse_transform(coordinates).round().clip(0, 255)
        kept.append(gray.reshape(part.shape).astype(np.uint8))
    lengths = [len(waveform) for waveform in speech.waveforms]
    noise = babble(lengths, train_speech.waveforms, seed=seed)
    images = replace(images, images=np.concatenate(kept))
    speech = replace(speech, waveforms=add_noise(speech.waveforms, noise, snr_db))
    return DamagedDigits(images, speech, count, float(shares[:count].sum()), float(snr_db))


def babble(
    lengths: Sequence[int], pool: Sequence[np.ndarray], *, voices: int = 3, seed: int = 0
) -> list[np.ndarray]:
    """Babble of other speakers: for each length a sum of ``voices`` recordings of equal energy.

    The recordings (T,) are drawn uniformly from those of the pool that are not silent. They begin
    at a random sample and are repeated from their start. The clips are float32.
    """
    voices = check_integer("voices", voices, minimum=1)
    count_rows("pool", pool)
    count_rows("lengths", lengths)
    recordings = [_waveform(f"pool[{row}]", voice) for row, voice in enumerate(pool)]
    spoken = [voice for voice in recordings if voice.any()]
    if not spoken:
        raise ValueError("pool: expected a recording that is not silent, got none")
    generator = random_generator(seed, "babble")
    clips = []
    for length in lengths:
        clip = np.zeros(check_integer("lengths", length, minimum=0))
        for chosen in generator.integers(len(spoken), size=voices):
            voice = spoken[chosen]
            places = generator.integers(len(voice)) + np.arange(len(clip))
            clip += voice[places % len(voice)] / np.sqrt(np.mean(voice**2))
        clips.append(clip.astype(np.float32))
    return clips


def add_noise(
    waveforms: Sequence[np.ndarray], noises: Sequence[np.ndarray], snr_db: float
) -> list[np.ndarray]:
    """Add its noise to each waveform, at a signal-to-noise ratio of exactly ``snr_db``; float32.

    The ratio is 10 log10(sum of signal^2 / sum of noise^2) over the whole clip. A silent waveform
    has no such ratio and stays silent. Sums can exceed 1. Each noise has the length (T,) of its
    waveform and is not silent; ``snr_db`` is in [-200, 200] dB.
    """
    snr_db = check_number("snr_db", snr_db, minimum=-200, maximum=200)
    check_same_length(waveforms=waveforms, noises=noises)
    noisy = []
    for row, (waveform, noise) in enumerate(zip(waveforms, noises, strict=True)):
        signal = _waveform(f"waveforms[{row}]", waveform)
        noise = _waveform(f"noises[{row}]", noise)
        check_same_length(**{f"waveforms[{row}]": signal, f"noises[{row}]": noise})
        power = (noise**2).sum()
        if power == 0:
            raise ValueError(f"noises[{row}]: expected sound, got silence")
        gain = np.sqrt((signal**2).sum() / power) * 10 ** (-snr_db / 20)
        noisy.append((signal + gain * noise).astype(np.float32))
    return noisy


def _waveform(name: str, value: Any) -> np.ndarray:
    """Finite samples (T,) as float64."""
    array = as_samples(name, value, minimum=1)
    if array.shape[1] > 1:
        raise ValueError(f"{name}: expected samples (T,), got shape {array.shape}")
    return array[:, 0]
