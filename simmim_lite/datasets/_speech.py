"""Spoken digits: embedded synthetic voices, or the recordings of FSDD."""

import re
import wave
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from simmim_lite._arguments import check_number
from simmim_lite.datasets._download import download
from simmim_lite.datasets._files import (
    DataError,
    parts,
    read_embedded,
    reading,
    split_indices,
    wants_full,
)

RATE = 8000  # Hz, of both sets
_FSDD_NAME = re.compile(r"([0-9])_([a-z]+)_([0-9]+)\.wav")
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
    labels, speakers = arrays["labels"][chosen].astype(np.int64), arrays["speakers"][chosen]
    return Speech([clips[i] for i in chosen], labels, speakers, split, "embedded")


def load_fsdd(split: str = "train") -> Speech:
    """The Free Spoken Digit Dataset (Jackson et al.): 3,000 recordings of 6 speakers at 8 kHz.

    The official split: takes 0-4 of each digit and speaker are "test" (300), the others "train"
    (2,700), so both have the same speakers. Levels are unchanged, with peaks from 0.01 to 1.
    """
    parts(split)
    folder = download("fsdd")
    names = sorted(path.name for path in folder.glob("*.wav"))
    matches = [match for match in map(_FSDD_NAME.fullmatch, names) if match]
    if len(matches) != _FSDD_COUNT:
        advice = "Remove the folder and run `python -m simmim_lite data fsdd`."
        raise DataError(folder, f"{_FSDD_COUNT:,} recordings", f"{len(matches):,}", advice)
    test = np.array([int(match[3]) in _FSDD_TEST_TAKES for match in matches])
    chosen = [matches[i] for i in split_indices(test, split)]
    waveforms = [_read_recording(folder / match[0]) for match in chosen]
    labels = np.array([int(match[1]) for match in chosen], np.int64)
    return Speech(waveforms, labels, np.array([m[2] for m in chosen]), split, str(folder))


def _read_recording(path: Path) -> np.ndarray:
    """Read a WAV file of one channel of 16 bits as (T,) float32 in [-1, 1]."""
    with reading(path, "a WAV file of 16 bits"), wave.open(str(path)) as file:
        channels, width, rate, count = file.getparams()[:4]
        if (channels, width, rate) != (1, 2, RATE):
            got = f"{channels} x {8 * width} bits at {rate} Hz"
            raise DataError(path, f"1 x 16 bits at {RATE} Hz", got, "Replace the file.")
        encoded = file.readframes(count)
        if len(encoded) != 2 * count or not count:
            got = f"{len(encoded):,} bytes"
            raise DataError(path, f"{max(count, 1):,} samples of 2 bytes", got, "Replace the file.")
    return np.frombuffer(encoded, "<i2").astype(np.float32) / np.float32(2**15)
