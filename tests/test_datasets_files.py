# ruff: noqa: E501  (the table of bad input holds one case a line)
"""Single files, and bad input: each case is an error that names what is wrong."""

import io
import lzma
import pickle
import struct
import wave
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from simmim_lite import datasets
from simmim_lite.datasets import DataError, _download, _files, _images

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


SOUND = np.sin(np.arange(480) / 7) / 2
EXTENSIBLE = bytes.fromhex("000000001000800000aa00389b71")


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    """A chunk of a RIFF file; ``size`` is what the header states."""
    return name + struct.pack("<I", len(body) if size is None else size) + body


def layout(tag: int, bits: int, channels: int = 1, block: int | None = None) -> bytes:
    block = channels * bits // 8 if block is None else block
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, 8000, 8000 * block, block, bits))


def long_layout(tag: int, bits: int) -> bytes:
    short = layout(0xFFFE, bits)[8:]
    return chunk(b"fmt ", short + struct.pack("<HHIH", 22, bits, 4, tag) + EXTENSIBLE)


def riff(*chunks: bytes, kind: bytes = b"RIFF") -> bytes:
    return kind + struct.pack("<I", 4 + sum(map(len, chunks))) + b"WAVE" + b"".join(chunks)


def encoded(bits: int) -> bytes:
    whole = np.round(SOUND * 2.0 ** (bits - 1)).astype("<i4")
    return whole.view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()


I16, F32 = encoded(16), SOUND.astype("<f4").tobytes()
ODD = chunk(b"LIST", b"INFOabc")
DS64 = chunk(b"ds64", struct.pack("<QQQI", 0, len(I16), 0, 0))
WAVS = {
    "extensible, 16 bits": riff(long_layout(1, 16), chunk(b"data", I16)),
    "extensible, 24 bits": riff(long_layout(1, 24), chunk(b"data", encoded(24))),
    "extensible, 32 bits": riff(long_layout(1, 32), chunk(b"data", encoded(32))),
    "extensible, floats": riff(long_layout(3, 32), chunk(b"data", F32)),
    "floats of 32 bits": riff(layout(3, 32), chunk(b"data", F32)),
    "floats of 64 bits": riff(layout(3, 64), chunk(b"data", SOUND.tobytes())),
    "an odd chunk, filled up": riff(layout(1, 16), ODD + b"\0", chunk(b"data", I16)),
    "an odd chunk, not filled up": riff(layout(1, 16), ODD, chunk(b"data", I16)),
    "two channels": riff(
        layout(1, 16, 2), chunk(b"data", np.frombuffer(I16, "<i2").repeat(2).tobytes())
    ),
    "a chunk behind the samples": riff(layout(1, 16), chunk(b"data", I16), chunk(b"id3 ", b"ab")),
    "a stream": riff(layout(1, 16), chunk(b"data", I16, 0xFFFFFFFF)),
    "RF64": riff(DS64, layout(1, 16), chunk(b"data", I16, 0xFFFFFFFF), ODD, kind=b"RF64"),
}


@pytest.mark.parametrize("content", WAVS.values(), ids=WAVS.keys())
def test_wav_files_of_every_writer(tmp_path, content):
    waveform, rate = datasets.read_wav(put(tmp_path / "a.wav", content))
    assert (waveform.dtype, rate) == (np.float32, 8000)
    np.testing.assert_allclose(waveform, SOUND, atol=2**-15)


BAD_WAVS = {
    "40 bits": (riff(layout(1, 40), chunk(b"data", bytes(400))), "unknown format: 0x1 of 40 bits"),
    "12 bits": (riff(layout(1, 12, block=2), chunk(b"data", I16)), "of 12 bits"),
    "mu-law": (riff(layout(7, 8), chunk(b"data", I16)), "unknown format: 0x7"),
    "another GUID": (riff(long_layout(1, 16), chunk(b"data", I16)).replace(b"\xaa\0", b"\xab\0"), "0xfffe"),
    "block": (riff(layout(1, 16, block=3), chunk(b"data", I16)), "1 x 16 bits in blocks of 3 bytes"),
    "no channels": (riff(layout(1, 16, 0), chunk(b"data", I16)), "0 x 16 bits in blocks of 0"),
    "half a sample": (riff(layout(1, 16), chunk(b"data", I16[:-1])), "959 bytes of samples in blocks of 2"),
    "cut short": (riff(layout(1, 16), chunk(b"data", I16))[:-100], "480 samples.*got 860 bytes.*cut short"),
    "a lie about 4 GB": (riff(layout(1, 16), chunk(b"data", I16, 2**32 - 2)), "got 960 bytes.*cut short"),
    "RF64 of 2**60 bytes": (riff(chunk(b"ds64", struct.pack("<QQ", 0, 2**60)), layout(1, 16), chunk(b"data", I16, 2**32 - 1), kind=b"RF64"), "got 960 bytes.*cut short"),
    "a stream of 8 bits": (riff(layout(1, 8), chunk(b"data", I16, 2**32 - 1)), "cut short"),
    "size 0": (riff(layout(1, 16), chunk(b"data", I16, 0)), "got 0 bytes"),
    "layout behind the samples": (riff(chunk(b"data", I16), layout(1, 16)), "unreadable"),
    "big-endian": (riff(layout(1, 16), chunk(b"data", I16), kind=b"RIFX"), "no header of a WAV file"),
    "zeros": (riff(bytes(999)), "a chunk of the name"),
    "floats above 1": (riff(layout(3, 32), chunk(b"data", np.float32([0, 1.5]).tobytes())), r"the sample 1\.5, not in \[-1, 1\]"),
    "floats with NaN": (riff(layout(3, 32), chunk(b"data", np.float32([0, np.nan]).tobytes())), "the sample nan"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), BAD_WAVS.values(), ids=BAD_WAVS.keys())
def test_bad_wav_files_are_named(tmp_path, content, message):
    with pytest.raises(DataError, match=f"a.wav: expected .*{message}"):
        datasets.read_wav(put(tmp_path / "a.wav", content))


GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOR = np.arange(36, dtype=np.uint8).reshape(3, 4, 3) * 7


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_images_of_every_mode(tmp_path, mode):
    gray = mode in ("1", "L", "LA")
    image = Image.fromarray(GRAY if gray else COLOR).convert(mode)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    image.save(tmp_path / "a", kind, **({"transparency": 0} if mode == "P" else {}))
    read = datasets.read_image(tmp_path / "a")
    expected = np.asarray(image.convert("L" if gray else "RGB"))
    np.testing.assert_array_equal(read, expected)
    assert (read.dtype, read.ndim) == (np.uint8, 2 if gray else 3)
    assert read.flags.writeable


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_images_are_turned_upright(tmp_path, orientation, kind):
    exif = Image.Exif()
    exif[274] = orientation
    image = Image.fromarray(np.arange(6, dtype=np.uint8).repeat(64).reshape(2, 3, 8, 8)
                            .transpose(0, 2, 1, 3).reshape(16, 24) * 40)  # fmt: skip
    image.save(tmp_path / "a", kind, exif=exif)
    a = np.asarray(image)
    upright = [
        a,
        a[:, ::-1],
        a[::-1, ::-1],
        a[::-1],
        a.T,
        np.rot90(a, -1),
        a[::-1, ::-1].T,
        np.rot90(a),
    ]
    read = datasets.read_image(tmp_path / "a").astype(int)
    np.testing.assert_allclose(read, upright[orientation - 1], atol=3)  # of JPEG


def test_the_first_image_of_an_animation(tmp_path):
    first, second = Image.fromarray(COLOR), Image.fromarray(255 - COLOR)
    first.save(tmp_path / "a.png", save_all=True, append_images=[second])
    np.testing.assert_array_equal(datasets.read_image(tmp_path / "a.png"), COLOR)


def huge_png(side: int) -> bytes:
    """The beginning of an image of side x side pixels."""
    header = struct.pack(">4sIIBBBBB", b"IHDR", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n\0\0\0\r"
        + header
        + struct.pack(">I", zlib.crc32(header))
        + picture_data()
    )


def picture_data() -> bytes:
    body = b"IDAT" + zlib.compress(bytes(999))
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize("side", [5_000, 11_000, 60_000, 2**31 - 1])
@pytest.mark.filterwarnings("ignore:Image size")  # Pillow's own, of 9,460 pixels a side and more
def test_decompression_bombs_are_refused_before_they_are_unpacked(tmp_path, side):
    with pytest.raises(DataError, match=r"a\.png: expected an image.*(too large|exceeds limit)"):
        datasets.read_image(put(tmp_path / "a.png", huge_png(side)))


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


def loud_wav(tmp_path: Path) -> Path:
    wavfile.write(tmp_path / "loud.wav", 8000, np.full(10, 1.5, np.float32))
    return tmp_path / "loud.wav"


def deep_image(tmp_path: Path) -> Path:
    Image.fromarray(np.arange(12, dtype=np.uint16).reshape(3, 4)).save(tmp_path / "deep.png")
    return tmp_path / "deep.png"


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
    "WAV cut in its samples": (lambda t: datasets.read_wav(halve(sound(t))), DataError, "word.wav.*1,000 samples.*cut short"),
    "WAV cut in its header": (lambda t: datasets.read_wav(put(t / "a.wav", sound(t).read_bytes()[:20])), DataError, "a.wav.*unreadable"),
    "WAV without samples": (lambda t: datasets.read_wav(write_wav(t / "a.wav", np.zeros(0), 2)), DataError, "a.wav.*got 0 bytes"),
    "WAV of noise": (lambda t: datasets.read_wav(put(t / "a.wav", b"noise" * 99)), DataError, "a.wav.*unreadable"),
    "empty WAV": (lambda t: datasets.read_wav(put(t / "a.wav", b"")), DataError, "a.wav.*unreadable"),
    "WAV of loud floats": (lambda t: datasets.read_wav(loud_wav(t)), DataError, r"loud.wav: .*1\.5, not in \[-1, 1\]"),
    "image of 16 bits": (lambda t: datasets.read_image(deep_image(t)), DataError, r"deep.png.*more than 8 bits a channel, mode I"),
    "image of a program": (lambda t: datasets.read_image(put(t / "a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")), DataError, "a.eps.*a drawing, format EPS"),
    "no WAV": (lambda t: datasets.read_wav(t / "none.wav"), DataError, "none.wav.*no such file"),
    "image cut short": (lambda t: datasets.read_image(halve(picture(t))), DataError, "picture.png.*truncated"),
    "image of noise": (lambda t: datasets.read_image(put(t / "a.png", b"noise" * 99)), DataError, "a.png.*cannot identify"),
    "no image": (lambda t: datasets.read_image(t / "none.png"), DataError, "none.png.*no such file"),
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
