# ruff: noqa: E501  (the table of bad input holds one case a line)
"""Single files, and bad input: each case is an error that names what is wrong."""

import io
import lzma
import pickle
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simmim_lite import datasets
from simmim_lite.datasets import DataError, _download, _files, _images, _speech

pytestmark = pytest.mark.usefixtures("empty_cache")


def write_wav(path: Path, samples: np.ndarray, width: int, rate: int = 8000) -> Path:
    """Integer samples (T,) or (T, channels) as a WAV file of ``width`` bytes a sample."""
    samples = samples[:, None] if samples.ndim == 1 else samples
    encoded = (samples + 128 if width == 1 else samples).astype("<i4").reshape(-1, 1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(encoded.view(np.uint8)[:, :width].tobytes())
    return path


SAMPLES = np.array([0, 1, -1, 2**14, -(2**13), 2**15 - 1, -(2**15)])


def test_recordings_are_read_to_their_last_bit(tmp_path):
    waveform = _speech._read_recording(write_wav(tmp_path / "a.wav", SAMPLES, 2))
    assert waveform.dtype == np.float32
    np.testing.assert_array_equal(waveform, SAMPLES / 2**15)


@pytest.mark.parametrize(("width", "channels", "rate"), [(1, 1, 8000), (2, 2, 8000), (2, 1, 16000)])
def test_recordings_of_another_layout_are_refused(tmp_path, width, channels, rate):
    path = write_wav(tmp_path / "a.wav", np.zeros((9, channels), int), width, rate)
    got = f"{channels} x {8 * width} bits at {rate} Hz"
    with pytest.raises(DataError, match=f"a.wav: expected 1 x 16 bits at 8000 Hz, got {got}"):
        _speech._read_recording(path)


# --- bad input -----------------------------------------------------------------------------


def put(path: Path, content: bytes) -> Path:
    """``path``, with that content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def sound(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "word.wav", np.arange(1000), 2)


def halve(path: Path) -> Path:
    return put(path, path.read_bytes()[: path.stat().st_size // 2])


def damage(path: Path) -> Path:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    return put(path, bytes(content))


def load_embedded_from(tmp_path: Path, content: bytes | None):
    if content is not None:
        put(tmp_path / "data" / "digits.npz.xz", content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_files, "_PACKAGE", tmp_path)
        return datasets.load_digits()


def load_from(root: Path, load, *args):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMMIM_DATA", str(root))
        return load(*args)


def embedded_bytes() -> bytes:
    return _files.embedded("digits.npz.xz").read_bytes()


def pickled_npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, images=np.array([{}], dtype=object))
    return lzma.compress(buffer.getvalue())


def short_mnist(tmp_path: Path) -> Path:
    for name in _download.MNIST_FILES:
        put(tmp_path / "MNIST" / "raw" / name, b"\x00\x00\x08\x01\x00\x00\x00\x09short")
    return tmp_path


def mnist(tmp_path: Path, **files: bytes) -> Path:
    """The four files of a tiny MNIST, with some replaced: the name without "-ubyte"."""
    images = np.array([0x803, 2, 28, 28], ">i4").tobytes() + bytes(2 * 784)
    labels = np.array([0x801, 2], ">i4").tobytes() + bytes([3, 9])
    for name in _download.MNIST_FILES:
        content = images if "images" in name else labels
        put(tmp_path / "MNIST" / "raw" / name, files.get(name.partition("-")[2][:6], content))
    return tmp_path


def idx(*header: int, content: bytes = bytes(1568)) -> bytes:
    return np.array(header, ">u4").tobytes() + content


def short_zip(tmp_path: Path) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("test/cat/0000.jpg", b"no jpeg")
    put(tmp_path / "cifar10" / "cifar10-images.zip", buffer.getvalue())
    return tmp_path


BAD_INPUT = {
    "WAV cut in its samples": (lambda t: _speech._read_recording(halve(sound(t))), DataError, "word.wav.*1,000 samples.*got 978 bytes"),
    "WAV cut in its header": (lambda t: _speech._read_recording(put(t / "a.wav", sound(t).read_bytes()[:20])), DataError, "a.wav.*unreadable"),
    "WAV without samples": (lambda t: _speech._read_recording(write_wav(t / "a.wav", np.zeros(0), 2)), DataError, "a.wav.*got 0 bytes"),
    "WAV of noise": (lambda t: _speech._read_recording(put(t / "a.wav", b"noise" * 99)), DataError, "a.wav.*unreadable"),
    "empty WAV": (lambda t: _speech._read_recording(put(t / "a.wav", b"")), DataError, "a.wav.*unreadable"),
    "no WAV": (lambda t: _speech._read_recording(t / "none.wav"), DataError, "none.wav.*no such file"),
    "embedded file missing": (lambda t: load_embedded_from(t, None), DataError, "digits.npz.xz.*no such file.*Install"),
    "embedded file cut short": (lambda t: load_embedded_from(t, embedded_bytes()[:9999]), DataError, "digits.npz.xz: expected a file of SHA-256 b266.*, got [0-9a-f]{64}. Install"),
    "embedded file damaged": (lambda t: load_embedded_from(t, damage(put(t / "x", embedded_bytes())).read_bytes()), DataError, "digits.npz.xz: expected a file of SHA-256 b266.*, got [0-9a-f]{64}. Install"),
    "embedded file pickled": (lambda t: load_embedded_from(t, pickled_npz()), DataError, "digits.npz.xz: expected a file of SHA-256 b266.*, got [0-9a-f]{64}. Install"),
    "embedded bomb": (lambda t: load_embedded_from(t, lzma.compress(bytes(1 << 17))), DataError, "digits.npz.xz: expected a file of SHA-256 b266.*, got [0-9a-f]{64}. Install"),
    "embedded file with an appendix": (lambda t: load_embedded_from(t, embedded_bytes() + b"more"), DataError, "digits.npz.xz: expected a file of SHA-256 b266.*, got [0-9a-f]{64}. Install"),
    "SIMMIM_DATA missing": (lambda t: load_from(t / "none", datasets.load_mnist), DataError, "none: expected a folder, from SIMMIM_DATA.*nothing"),
    "SIMMIM_DATA a file": (lambda t: load_from(put(t / "file", b""), datasets.available), DataError, "file: expected a folder.*a file"),
    "MNIST damaged": (lambda t: load_from(short_mnist(t), datasets.load_mnist), DataError, "raw: expected MNIST's idx files.*damaged"),
    "MNIST with few labels": (lambda t: load_from(mnist(t, labels=idx(0x801, 1, content=b"1")), datasets.load_mnist, "test"), DataError, r"raw: .*t10k: images \(2, 28, 28\), labels \(1,\)"),
    "MNIST of a label 10": (lambda t: load_from(mnist(t, labels=idx(0x801, 2, content=b"\x01\x0a")), datasets.load_mnist), DataError, "raw: .*labels .* to 10"),
    "MNIST of other images": (lambda t: load_from(mnist(t, images=idx(0x803, 2, 14, 56)), datasets.load_mnist), DataError, r"raw: .*images \(2, 14, 56\)"),
    "MNIST that lies": (lambda t: load_from(mnist(t, images=idx(0x803, 2**32 - 1, 28, 28)), datasets.load_mnist), DataError, "raw: .*4294967295.* 1,568 bytes there"),
    "MNIST of another type": (lambda t: load_from(mnist(t, images=idx(0xD03, 2, 28, 7)), datasets.load_mnist), DataError, "raw: .*a header of"),
    "FSDD incomplete": (lambda t: load_from(put(t / "fsdd/recordings/0_a_0.wav", b"").parents[2], datasets.load_fsdd), DataError, "recordings: expected 3,000 recordings, got 1"),
    "CIFAR-10 incomplete": (lambda t: load_from(put(t / "cifar-10-batches-bin/test_batch.bin", b"x").parents[1], datasets.load_cifar10, "test"), DataError, "test_batch.bin: expected 30,730,000 bytes, .*: 1 bytes"),
    "CIFAR-10 zip of no images": (lambda t: load_from(short_zip(t), datasets.load_cifar10, "test"), DataError, "cifar10-images.zip: expected a zip of 10,000"),
    "CIFAR-10 zip of noise": (lambda t: load_from(put(t / "cifar10/cifar10-images.zip", b"x").parents[1], datasets.load_cifar10), DataError, "not a zip file"),
    "digits' split": (lambda t: datasets.load_digits("validation"), ValueError, "split: expected one of 'train', 'test', 'all', got 'validation'"),
    "speech's split": (lambda t: datasets.load_speech("dev"), ValueError, "split.*got 'dev'"),
    "captions' split": (lambda t: datasets.load_captions(None), ValueError, "split.*got None"),
    "MNIST's split": (lambda t: datasets.load_mnist("t10k"), ValueError, "split.*got 't10k'"),
    "CIFAR-10's split": (lambda t: datasets.load_cifar10(""), ValueError, "split.*got ''"),
    "full": (lambda t: datasets.load_digits(full="yes"), TypeError, "full: expected True, False or None, got 'yes'"),
    "seconds zero": (lambda t: datasets.load_speech("test").padded(0), ValueError, "seconds: .*got 0"),
    "seconds NaN": (lambda t: datasets.load_speech("test").padded(np.nan), ValueError, "seconds: .*got nan"),
    "modality unknown": (lambda t: datasets.paired_digits(("image", "video")), ValueError, "modalities: expected one of 'image', 'speech', 'text', got 'video'"),
    "modality alone": (lambda t: datasets.paired_digits(("image",)), ValueError, "modalities: expected two or three different names"),
    "modality twice": (lambda t: datasets.paired_digits(("text", "text")), ValueError, "modalities: expected two or three different names"),
    "modality a string": (lambda t: datasets.paired_digits("image"), TypeError, "modalities: expected names.*got 'image'"),
    "n zero": (lambda t: datasets.paired_digits(n=0), ValueError, "n: expected a whole number >= 1, got 0"),
    "n a fraction": (lambda t: datasets.paired_digits(n=2.5), TypeError, "n: expected a whole number, got 2.5"),
    "seed negative": (lambda t: datasets.paired_digits(seed=-1), ValueError, "seed: expected a whole number >= 0, got -1"),
    "cells of another shape": (lambda t: datasets.describe([[1, 2, 3]]), ValueError, r"cells: expected shape \(N, 4\), got \(1, 3\)"),
    "cells out of range": (lambda t: datasets.describe([[1, 1, 1, 1], [1, 3, 0, 0]]), ValueError, r"cells: .*got \[1, 3, 0, 0\] in row 1"),
    "cells of floats": (lambda t: datasets.describe([[1.0, 1, 1, 1]]), TypeError, "cells: expected whole numbers"),
    "one image": (lambda t: datasets.measure_strokes(np.ones((28, 28))), ValueError, r"images: expected shape \(N, height, width\), got \(28, 28\)"),
    "blank image": (lambda t: datasets.measure_strokes(np.stack([np.eye(9), 0 * np.eye(9)])), ValueError, "images: expected ink, got a blank image in row 1"),
    "image with NaN": (lambda t: datasets.measure_strokes(np.full((1, 9, 9), np.nan)), ValueError, "images: expected finite ink >= 0.* row 0"),
    "images of text": (lambda t: datasets.measure_strokes([[["a"]]]), TypeError, "images: expected numbers"),
    "unknown download": (lambda t: datasets.download("imagenet"), ValueError, "name: expected one of 'mnist', 'fsdd', 'cifar10', got 'imagenet'"),
}  # fmt: skip


def test_a_tiny_mnist_is_read(tmp_path):
    loaded = load_from(mnist(tmp_path), datasets.load_mnist, "all")
    assert loaded.images.shape == (4, 28, 28)
    assert loaded.labels.tolist() == [3, 9, 3, 9]


def zip_of(content: bytes, *names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return buffer.getvalue()


def jpeg(side: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (9, 99, 200)).save(buffer, "JPEG")
    return buffer.getvalue()


NAMES = ("test/dog/2.jpg", "test/cat/1.jpg", "../test/cat/3.jpg", "train/cat/1.jpg")
ZIPS = {
    "too few": (zip_of(jpeg(32), *NAMES[1:]), "1 images"),
    "a bomb": (zip_of(bytes(1 << 20), *NAMES), "test/cat/1.jpg: 1,048,576 bytes"),
    "large images": (zip_of(jpeg(64), *NAMES), r"an image of shape \(64, 64, 3\)"),
    "an unknown class": (zip_of(jpeg(32), "test/gnu/1.jpg", "test/cat/1.jpg"), "ValueError"),
    "an encrypted file": (zip_of(jpeg(32), *NAMES).replace(b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1"), "encrypted"),
}  # fmt: skip


def test_a_zip_of_cifar10(tmp_path, monkeypatch):
    monkeypatch.setattr(_images, "_CIFAR10_COUNTS", {"train": 1, "test": 2})
    put(tmp_path / "cifar10/cifar10-images.zip", zip_of(jpeg(32), *NAMES))
    loaded = load_from(tmp_path, datasets.load_cifar10, "all")
    assert loaded.images.shape == (3, 32, 32, 3)
    assert [datasets.CIFAR10_CLASSES[i] for i in loaded.labels] == ["cat", "cat", "dog"]


@pytest.mark.parametrize(("content", "message"), ZIPS.values(), ids=ZIPS.keys())
def test_bad_zips_are_named(tmp_path, monkeypatch, content, message):
    monkeypatch.setattr(_images, "_CIFAR10_COUNTS", {"train": 1, "test": 2})
    put(tmp_path / "cifar10/cifar10-images.zip", content)
    with pytest.raises(DataError, match=f"images.zip: expected a zip of 2 .*{message}"):
        load_from(tmp_path, datasets.load_cifar10, "test")


@pytest.mark.parametrize(("call", "error", "message"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input_is_named(tmp_path, call, error, message):
    with pytest.raises(error, match=message):
        call(tmp_path)


def test_a_bad_variable_is_named(monkeypatch):
    monkeypatch.setenv("SIMMIM_FULL", "yes")
    with pytest.raises(ValueError, match="SIMMIM_FULL: expected one of '1', '0', '', got 'yes'"):
        datasets.load_digits()


def test_data_errors_travel_between_processes():
    error = DataError(Path("a.wav"), "sound", "silence", "Speak up.")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) == "a.wav: expected sound, got silence. Speak up."
    assert (copy.where, copy.expected, copy.got, copy.advice) == (
        "a.wav", "sound", "silence", "Speak up.",
    )  # fmt: skip
