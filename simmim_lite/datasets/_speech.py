"""Spoken digits (embedded synthetic voices, or the recordings of FSDD) and single WAV files."""

import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

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
# The formats of WAV files, and the bits of a sample in each.
_INTEGER, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_WIDTHS = {_INTEGER: (8, 16, 24, 32), _FLOAT: (32, 64)}
_FORMAT_ID = bytes.fromhex("000000001000800000aa00389b71")  # what follows the format in its GUID
_UNKNOWN = 0xFFFFFFFF  # size of a chunk that is not stated there


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
    waveforms = []
    for path in (folder / match[0] for match in chosen):
        waveform, rate = read_wav(path)
        if rate != RATE:
            raise DataError(path, f"a rate of {RATE} Hz", f"{rate} Hz", "Replace the file.")
        waveforms.append(waveform)
    labels = np.array([int(match[1]) for match in chosen], np.int64)
    return Speech(waveforms, labels, np.array([m[2] for m in chosen]), split, str(folder))


def read_wav(path: str | Path) -> tuple[np.ndarray, int]:
    """Read a WAV file; several channels are averaged.

    Samples are integers of 8, 16, 24 or 32 bits, or floating point numbers in [-1, 1] of 32 or 64
    bits. The header may be plain, extensible, RF64 or that of a stream without a known length.

    Returns:
        The waveform (T,) float32 in [-1, 1], and its rate in Hz.
    """
    path = Path(path)
    with reading(path, "a WAV file of integer samples or of floats"), path.open("rb") as file:
        layout, size = _find_samples(file)
        there = path.stat().st_size - file.tell()
        tag, channels, rate, _, block, bits = struct.unpack("<HHIIHH", layout[:16])
        if tag == _EXTENSIBLE and layout[26:] == _FORMAT_ID:
            tag = int.from_bytes(layout[24:26], "little")
        width = bits // 8
        if bits not in _WIDTHS.get(tag, ()):
            raise ValueError(f"unknown format: {tag:#x} of {bits} bits")
        if block != channels * width or not block or not rate:
            raise ValueError(f"{channels} x {bits} bits in blocks of {block} bytes at {rate} Hz")
        if size == _UNKNOWN:  # a stream ends with the file; a byte that only fills up is no sample
            size = there if block % 2 == 0 else 0
        if size % block:
            raise ValueError(f"{size:,} bytes of samples in blocks of {block}")
        if size > there or not size:
            got = f"{min(size, there):,} bytes"
            promised = f"{max(size // block, 1):,} samples of {channels} x {width} bytes"
            raise DataError(path, promised, got, "It is cut short; replace it.")
        samples = _to_float(file.read(size), width, tag == _FLOAT)
        outside = ~(np.abs(samples) <= 1)
        if outside.any():
            raise ValueError(f"the sample {samples[outside][0]}, not in [-1, 1]")
    return samples.reshape(-1, channels).mean(axis=1), rate


def _find_samples(file: BinaryIO) -> tuple[bytes, int]:
    """Go to the samples of a WAV file; return the beginning of its layout, and their bytes."""
    kind, _, form = struct.unpack("<4sI4s", file.read(12))
    if kind not in (b"RIFF", b"RF64") or form != b"WAVE":
        raise ValueError("no header of a WAV file")
    layout, long_size = b"", _UNKNOWN
    while True:
        name, size = struct.unpack("<4sI", file.read(8))
        if not (name.isascii() and name.decode().isprintable()):
            raise ValueError(f"a chunk of the name {name!r}")
        end = file.tell() + size
        if name == b"data":
            return layout, long_size if size == _UNKNOWN else size
        if name == b"fmt ":
            layout = file.read(min(size, 40))
        elif name == b"ds64" and kind == b"RF64":
            long_size = struct.unpack("<QQ", file.read(16))[1]
        file.seek(end)
        if size % 2 and file.read(1) != b"\0":  # not filled up to an even size
            file.seek(end)


def _to_float(encoded: bytes, width: int, floating: bool) -> np.ndarray:
    """Little-endian samples of ``width`` bytes as float32."""
    if floating:
        return np.frombuffer(encoded, f"<f{width}").astype(np.float32)
    samples = np.zeros((len(encoded) // width, 4), np.uint8)  # as the upper bytes of 32 bits
    samples[:, 4 - width :] = np.frombuffer(encoded, np.uint8).reshape(-1, width)
    if width == 1:
        samples[:, 3] ^= 128  # samples of 8 bits are unsigned
    return samples.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
