"""Spoken digits (embedded synthetic voices, or the recordings of FSDD) and single WAV files."""

import re
import wave
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from simmim_lite._arguments import check_number
from simmim_lite.datasets._download import download
from simmim_lite.datasets._files import DataError, parts, read_embedded, split_indices, wants_full

RATE = 8000  # Hz, of both sets
_FSDD_NAME = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")
_FSDD_TEST_TAKES = range(5)  # the dataset's own rule: takes 0-4 of each digit and speaker
_FSDD_COUNT = 3000


@dataclass(frozen=True, eq=False)
class Speech:
    """Labeled recordings of different lengths.

    Attributes:
        waveforms: N arrays (T,) float32 in [-1, 1].
        labels: (N,) int64, the digit.
        speakers: (N,) str, the voice.
        source: "embedded", or the folder of the recordings.
        rate: samples a second.
    """

    waveforms: list[np.ndarray] = field(repr=False)
    labels: np.ndarray = field(repr=False)
    speakers: np.ndarray = field(repr=False)
    split: str
    source: str
    rate: int = RATE

    def __len__(self) -> int:
        return len(self.labels)

    def padded(self, seconds: float) -> np.ndarray:
        """All waveforms as (N, seconds * rate) float32, cut or padded with zeros at the end."""
        samples = round(check_number("seconds", seconds, minimum=1 / self.rate) * self.rate)
        array = np.zeros((len(self), samples), dtype=np.float32)
        for row, waveform in zip(array, self.waveforms, strict=True):
            row[: len(waveform)] = waveform[:samples]
        return array


def load_speech(split: str = "train", *, full: bool | None = None) -> Speech:
    """Spoken digits "zero" to "nine": synthetic recordings of the package, or FSDD.

    eSpeak NG synthesized the embedded clips. The voices of "test" are not in "train", but all
    belong to one synthesizer: good for learning and for checks, not a benchmark of human speech.

    Args:
        split: "train" (1,600 clips, 52 voices), "test" (480 clips of 12 other voices) or "all".
        full: True for human recordings (see `load_fsdd`); None reads SIMMIM_FULL.
    """
    if wants_full(full):
        return load_fsdd(split)
    arrays = read_embedded("speech.npz.xz")
    audio = arrays["audio"].astype(np.float32) / 128
    clips = np.split(audio, np.cumsum(arrays["lengths"], dtype=np.int64)[:-1])
    chosen = split_indices(arrays["test"], split)
    return Speech(
        [clips[i] for i in chosen],
        arrays["labels"][chosen].astype(np.int64),
        arrays["speakers"][chosen],
        split,
        "embedded",
    )


def load_fsdd(split: str = "train") -> Speech:
    """The Free Spoken Digit Dataset (Jackson et al.): 3,000 recordings of 6 speakers at 8 kHz.

    The official split: takes 0-4 of each digit and speaker are "test" (300), the others "train"
    (2,700), so both have the same speakers. Levels are unchanged, with peaks from 0.01 to 1.
    """
    parts(split)
    folder = download("fsdd")
    names = [path.name for path in sorted(folder.glob("*.wav"))]
    matches = [match for match in map(_FSDD_NAME.fullmatch, names) if match]
    if len(matches) != _FSDD_COUNT:
        advice = "Remove the folder and run `python -m simmim_lite data fsdd`."
        raise DataError(folder, f"{_FSDD_COUNT:,} recordings", f"{len(matches):,}", advice)
    test = np.array([int(match[3]) in _FSDD_TEST_TAKES for match in matches])
    chosen = [matches[i] for i in split_indices(test, split)]
    return Speech(
        [_read_at_rate(folder / match[0]) for match in chosen],
        np.array([int(match[1]) for match in chosen], np.int64),
        np.array([match[2] for match in chosen]),
        split,
        str(folder),
    )


def read_wav(path: str | Path) -> tuple[np.ndarray, int]:
    """Read a WAV file of 8, 16, 24 or 32-bit integers; several channels are averaged.

    Returns:
        The waveform (T,) float32 in [-1, 1], and its rate in Hz.
    """
    path, expected = Path(path), "a WAV file of integer samples"
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate, frames = file.getparams()[:4]
            encoded = file.readframes(frames)
    except (wave.Error, EOFError, OSError) as error:
        got = "no such file" if not path.exists() else f"something unreadable ({error!r})"
        raise DataError(path, expected, got, "Check or replace it.") from error
    if frames == 0 or len(encoded) != frames * channels * width:
        promised = f"{max(frames, 1):,} samples of {channels} x {width} bytes"
        raise DataError(path, promised, f"{len(encoded):,} bytes", "It is cut short; replace it.")
    return _to_float(encoded, width).reshape(-1, channels).mean(axis=1), rate


def _to_float(encoded: bytes, width: int) -> np.ndarray:
    """Little-endian samples of ``width`` bytes as float32; samples of 8 bits are unsigned."""
    if width == 1:
        return (np.frombuffer(encoded, np.uint8).astype(np.float32) - 128) / 128
    if width == 3:  # the upper three bytes of a 32-bit sample
        samples = np.zeros((len(encoded) // 3, 4), np.uint8)
        samples[:, 1:] = np.frombuffer(encoded, np.uint8).reshape(-1, 3)
        encoded, width = samples.tobytes(), 4
    samples = np.frombuffer(encoded, f"<i{width}")
    return samples.astype(np.float32) / np.float32(2 ** (8 * width - 1))


def _read_at_rate(path: Path) -> np.ndarray:
    waveform, rate = read_wav(path)
    if rate != RATE:
        raise DataError(path, f"a rate of {RATE} Hz", f"{rate} Hz", "Replace the file.")
    return waveform
