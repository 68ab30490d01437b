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
from scipy.io import wavfile

from simmim_lite import datasets
from simmim_lite.datasets import DataError, _download, _files

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


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_wav_of_every_width_is_read_to_its_last_bit(tmp_path, width):
    full = 2 ** (8 * width - 1)
    samples = np.array([0, 1, -1, full // 2, -full // 3, full - 1, -full])
    waveform, rate = datasets.read_wav(write_wav(tmp_path / "a.wav", samples, width, 11025))
    assert (waveform.dtype, rate) == (np.float32, 11025)
    np.testing.assert_allclose(waveform, samples / full, rtol=2**-23, atol=0)  # float32's own


def test_stereo_is_averaged(tmp_path):
    stereo = np.array([[100, 300], [-50, 50]])
    waveform, _ = datasets.read_wav(write_wav(tmp_path / "a.wav", stereo, 2))
    np.testing.assert_array_equal(waveform * 2**15, [200, 0])


def test_images_are_gray_or_color(tmp_path):
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(gray).save(tmp_path / "gray.png")
    np.testing.assert_array_equal(datasets.read_image(tmp_path / "gray.png"), gray)
    color = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    Image.fromarray(color).convert("RGBA").save(tmp_path / "color.png")
    np.testing.assert_array_equal(datasets.read_image(tmp_path / "color.png"), color)


# --- bad input -----------------------------------------------------------------------------


def put(path: Path, content: bytes) -> Path:
    """``path``, with that content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def sound(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "word.wav", np.arange(1000), 2)


def picture(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).integers(256, size=(40, 40), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def halve(path: Path) -> Path:
    return put(path, path.read_bytes()[: path.stat().st_size // 2])


def damage(path: Path) -> Path:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    return put(path, bytes(content))


def float_wav(tmp_path: Path) -> Path:
    wavfile.write(tmp_path / "float.wav", 8000, np.zeros(10, np.float32))
    return tmp_path / "float.wav"


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


def short_zip(tmp_path: Path) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("test/cat/0000.jpg", b"no jpeg")
    put(tmp_path / "cifar10" / "cifar10-images.zip", buffer.getvalue())
    return tmp_path


BAD_INPUT = {
    "WAV cut in its samples": (lambda t: datasets.read_wav(halve(sound(t))), DataError, "word.wav.*1,000 samples.*cut short"),
    "WAV cut in its header": (lambda t: datasets.read_wav(put(t / "a.wav", sound(t).read_bytes()[:20])), DataError, "a.wav.*unreadable"),
    "WAV without samples": (lambda t: datasets.read_wav(write_wav(t / "a.wav", np.zeros(0), 2)), DataError, "a.wav.*got 0 bytes"),
    "WAV of noise": (lambda t: datasets.read_wav(put(t / "a.wav", b"noise" * 99)), DataError, "a.wav.*unreadable"),
    "empty WAV": (lambda t: datasets.read_wav(put(t / "a.wav", b"")), DataError, "a.wav.*unreadable"),
    "WAV of floats": (lambda t: datasets.read_wav(float_wav(t)), DataError, "float.wav.*integer samples.*unknown format"),
    "no WAV": (lambda t: datasets.read_wav(t / "none.wav"), DataError, "none.wav.*no such file"),
    "image cut short": (lambda t: datasets.read_image(halve(picture(t))), DataError, "picture.png.*truncated"),
    "image of noise": (lambda t: datasets.read_image(put(t / "a.png", b"noise" * 99)), DataError, "a.png.*cannot identify"),
    "no image": (lambda t: datasets.read_image(t / "none.png"), DataError, "none.png.*no such file"),
    "embedded file missing": (lambda t: load_embedded_from(t, None), DataError, "digits.npz.xz.*no such file.*Install"),
    "embedded file cut short": (lambda t: load_embedded_from(t, embedded_bytes()[:9999]), DataError, "digits.npz.xz.*damaged"),
    "embedded file damaged": (lambda t: load_embedded_from(t, damage(put(t / "x", embedded_bytes())).read_bytes()), DataError, "digits.npz.xz.*damaged"),
    "embedded file pickled": (lambda t: load_embedded_from(t, pickled_npz()), DataError, "digits.npz.xz.*allow_pickle=False"),
    "SIMMIM_DATA missing": (lambda t: load_from(t / "none", datasets.load_mnist), DataError, "none: expected a folder, from SIMMIM_DATA.*nothing"),
    "SIMMIM_DATA a file": (lambda t: load_from(put(t / "file", b""), datasets.available), DataError, "file: expected a folder.*a file"),
    "MNIST damaged": (lambda t: load_from(short_mnist(t), datasets.load_mnist), DataError, "raw: expected MNIST's idx files.*damaged"),
    "FSDD incomplete": (lambda t: load_from(put(t / "fsdd/recordings/0_a_0.wav", b"").parents[2], datasets.load_fsdd), DataError, "recordings: expected 3,000 recordings, got 1"),
    "CIFAR-10 incomplete": (lambda t: load_from(put(t / "cifar-10-batches-bin/test_batch.bin", b"x").parents[1], datasets.load_cifar10, "test"), DataError, "test_batch.bin: expected 30,730,000 bytes, got 1"),
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
