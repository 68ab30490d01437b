"""Damage with a dial: images of little energy, speech in babble at a given level.

What AV-MNIST (Vielzeuf et al. 2018, arXiv 1808.07275) did to its two modalities, so that neither
suffices alone: an image keeps its leading principal components, a recording gets noise. There the
generator was not published; this one is seeded, and its noise is other recordings of the set.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from simmim_lite._arguments import as_array, check_integer, check_number
from simmim_lite._random import random_generator
from simmim_lite.datasets._images import Images, load_digits
from simmim_lite.datasets._speech import Speech, load_speech

_CHUNK = 4096  # images at a time, for the memory that float64 takes


@dataclass(frozen=True, eq=False)
class DamagedDigits:
    """Images and recordings after damage, each with their labels as the loaders give them.

    Attributes:
        images, speech: in the order of `load_digits` and `load_speech`.
        components: principal components that are left in an image.
        energy: their share of the variance of the training images.
        snr_db: level of speech over babble in each recording, in dB.
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
    voices: int = 3,
    seed: int = 0,
    full: bool | None = None,
) -> DamagedDigits:
    """Digits of which neither the image nor the recording says much.

    Principal components and babble both come from the training split, whichever split is damaged.

    Args:
        split: "train", "test" or "all".
        energy: of the training images' variance, at most this share is kept.
        snr_db: energy of a recording over that of its babble, in dB.
        voices: recordings in the babble.
        seed: of the babble.
        full: as for `load_digits`.

    Raises:
        ValueError: values out of range; ``energy`` less than the first component's.
        DataError: the data are missing or damaged.
    """
    images, speech = load_digits(split, full=full), load_speech(split, full=full)
    train_images = images if split == "train" else load_digits("train", full=full)
    train_speech = speech if split == "train" else load_speech("train", full=full)
    mean, components, shares = principal_components(train_images.images)
    count = int((np.cumsum(shares) <= check_number("energy", energy, minimum=0, maximum=1)).sum())
    if count == 0:
        raise ValueError(f"energy: expected at least {shares[0]:.3f}, one component, got {energy}")
    kept = keep_components(images.images, mean, components[:count])
    noise = babble(
        [len(waveform) for waveform in speech.waveforms],
        train_speech.waveforms,
        voices=voices,
        seed=seed,
    )
    return DamagedDigits(
        replace(images, images=kept),
        replace(speech, waveforms=add_noise(speech.waveforms, noise, snr_db)),
        count,
        float(shares[:count].sum()),
        float(snr_db),
    )


def principal_components(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, components and their shares of the variance, the largest first.

    Args:
        images: (N, height, width), N >= 2, not all equal.

    Returns:
        (height, width), (pixels, height, width) orthonormal, (pixels,) of sum 1; float64.
    """
    images = _images(images)
    N, shape = len(images), images.shape[1:]
    mean = images.mean(axis=0, dtype=np.float64).ravel()
    covariance = np.zeros((mean.size, mean.size))
    for start in range(0, N, _CHUNK):
        part = images[start : start + _CHUNK].reshape(-1, mean.size) - mean
        covariance += part.T @ part / N
    variances, vectors = np.linalg.eigh(covariance)
    variances, vectors = variances[::-1].clip(min=0), vectors.T[::-1]
    if not variances[0] > 0:
        raise ValueError("images: expected some that differ, got equal ones only")
    return mean.reshape(shape), vectors.reshape(-1, *shape), variances / variances.sum()


def keep_components(images: np.ndarray, mean: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Each image as the mean and its part along the components, in whole numbers 0..255.

    Args:
        images: (N, height, width) in 0..255.
        mean, components: (height, width) and (k, height, width), orthonormal.

    Returns:
        (N, height, width) uint8.
    """
    images = _images(images)
    if images.shape[1:] != mean.shape or components.shape[1:] != mean.shape:
        got = f"{images.shape[1:]}, {mean.shape} and {components.shape[1:]}"
        raise ValueError(f"images, mean, components: expected one height and width, got {got}")
    basis = components.reshape(len(components), mean.size)
    kept = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), _CHUNK):
        part = images[start : start + _CHUNK].reshape(-1, mean.size) - mean.ravel()
        part = (part @ basis.T) @ basis + mean.ravel()
        kept[start : start + _CHUNK] = part.round().clip(0, 255).reshape(-1, *mean.shape)
    return kept


def babble(
    lengths: Sequence[int], pool: Sequence[np.ndarray], *, voices: int = 3, seed: int = 0
) -> list[np.ndarray]:
    """Other people talking: for each length a sum of recordings of equal energy, float32.

    The recordings are drawn uniformly, begin anywhere, and go round to their start.

    Args:
        lengths: samples of each clip.
        pool: recordings (T,) to draw from.
        voices: recordings in each.
    """
    voices = check_integer("voices", voices, minimum=1)
    spoken = [waveform for waveform in pool if np.any(waveform)]
    if not spoken:
        raise ValueError("pool: expected a recording that is not silent, got none")
    generator = random_generator(seed, "babble")
    clips = []
    for length in lengths:
        clip = np.zeros(length)
        for chosen in generator.integers(len(spoken), size=voices):
            voice = spoken[chosen].astype(np.float64)
            places = generator.integers(len(voice)) + np.arange(length)
            clip += voice[places % len(voice)] / np.sqrt(np.mean(voice**2))
        clips.append(clip.astype(np.float32))
    return clips


def add_noise(
    waveforms: Sequence[np.ndarray], noises: Sequence[np.ndarray], snr_db: float
) -> list[np.ndarray]:
    """Each waveform with its noise, at a signal-to-noise ratio of exactly ``snr_db``.

    10 log10(sum of signal^2 / sum of noise^2), over the whole clip. A silent waveform has no such
    ratio and stays silent. Sums can exceed 1.

    Args:
        waveforms, noises: of the same lengths (T,).
        snr_db: in dB.

    Returns:
        float32.
    """
    snr_db = check_number("snr_db", snr_db, minimum=-200, maximum=200)
    if len(waveforms) != len(noises):
        raise ValueError(f"noises: expected {len(waveforms)}, one a waveform, got {len(noises)}")
    noisy = []
    for row, (waveform, noise) in enumerate(zip(waveforms, noises, strict=True)):
        signal, noise = np.asarray(waveform, np.float64), np.asarray(noise, np.float64)
        if signal.ndim != 1 or signal.shape != noise.shape:
            got = f"{signal.shape} and {noise.shape}"
            raise ValueError(
                f"noises: expected as many samples as the waveform, got {got} in row {row}"
            )
        power = (noise**2).sum()
        if power == 0:
            raise ValueError(f"noises: expected some that is not silent, got silence in row {row}")
        gain = np.sqrt((signal**2).sum() / power) * 10 ** (-snr_db / 20)
        noisy.append((signal + gain * noise).astype(np.float32))
    return noisy


def _images(images: np.ndarray) -> np.ndarray:
    array = as_array("images", images)
    if array.ndim != 3 or array.dtype.kind not in "uif" or 0 in array.shape:
        got = f"{array.dtype} of shape {array.shape}"
        raise ValueError(f"images: expected numbers of shape (N, height, width), got {got}")
    return array
