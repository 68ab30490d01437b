"""Handwritten digits (embedded, or all of MNIST), CIFAR-10, and single image files."""

import io
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from simmim_lite.datasets import _download
from simmim_lite.datasets._files import (
    DataError,
    data_roots,
    find,
    parts,
    read_embedded,
    split_indices,
    wants_full,
)

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
MNIST_FILES = tuple(
    f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
)
_CIFAR10_FILES = {
    "train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
    "test": ("test_batch.bin",),
}
_CIFAR10_PIXELS = 3 * 32 * 32
_CIFAR10_NAME = re.compile(r"(train|test)/([a-z]+)/(\d+)\.jpg")
_CIFAR10_COUNTS = {"train": 50_000, "test": 10_000}
_AGAIN = "Remove it and run `python -m simmim_lite data {}`."


@dataclass(frozen=True, eq=False)
class Images:
    """LabeledSplit images.

    Attributes:
        images: (N, height, width) gray or (N, height, width, 3) RGB, uint8 in 0..255.
        labels: (N,) int64 class codes.
        split: "train", "test" or "all".
        source: "embedded", or the folder or file they were read from.
    """

    images: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    split: str
    source: str

    def __len__(self) -> int:
        return len(self.labels)


def load_digits(split: str = "train", *, full: bool | None = None) -> Images:
    """Handwritten digits: 5,000 of MNIST that come with the package, or all 70,000.

    Args:
        split: "train" (4,000 images, 400 a class), "test" (1,000, 100 a class) or "all".
        full: True for the whole of MNIST with its official split (see `load_mnist`);
            None asks the environment variable SIMMIM_FULL.

    Returns:
        Images of shape (N, 28, 28), white ink (255) on black (0), sorted by class when embedded.

    Raises:
        ValueError: an unknown split.
        DataError: the data are missing or damaged.
    """
    if wants_full(full):
        return load_mnist(split)
    parts(split)
    arrays = read_embedded("digits.npz.xz")
    chosen = split_indices(arrays["test"], split)
    labels = arrays["labels"][chosen].astype(np.int64)
    return Images(arrays["images"][chosen], labels, split, "embedded")


def load_mnist(split: str = "train") -> Images:
    """All of MNIST (LeCun, Cortes, Burges), read by torchvision: 60,000 train, 10,000 test.

    Looked for under SIMMIM_DATA, then in the cache, else downloaded (12 MB).

    Raises:
        ValueError: an unknown split.
        DataError: damaged files, or no network to download them.
    """
    halves = list(parts(split))
    root = (find_mnist() or _download.mnist()).parent
    from torchvision.datasets import MNIST  # here, as its import takes seconds

    try:
        sets = [MNIST(root, train=part == "train", download=False) for part in halves]
    except (AssertionError, IndexError, KeyError, OSError, RuntimeError, ValueError) as error:
        got = f"a damaged one ({type(error).__name__}: {error})"
        raise DataError(
            root / "MNIST" / "raw", "MNIST's idx files", got, _AGAIN.format("mnist")
        ) from error
    images = np.concatenate([part.data.numpy() for part in sets])
    labels = np.concatenate([part.targets.numpy() for part in sets])
    return Images(images, labels, split, str(root / "MNIST"))


def load_cifar10(split: str = "train") -> Images:
    """CIFAR-10 (Krizhevsky, 2009): 50,000 + 10,000 RGB images of 32 x 32 in 10 classes.

    Two layouts are read: the official binary one (``cifar-10-batches-bin/``; what is downloaded,
    162 MB) and a zip of JPEG files (``cifar10/cifar10-images.zip``, sorted by class). The official
    Python layout is a pickle, which can run any code when it is loaded, so it is never opened.

    Returns:
        Images of shape (N, 32, 32, 3); the classes' names are `CIFAR10_CLASSES`.

    Raises:
        ValueError: an unknown split.
        DataError: damaged files, the Python layout alone, or no network to download.
    """
    halves = list(parts(split))
    path = find_cifar10()
    if path is None:
        pickled = find("cifar-10-batches-py")
        if pickled is not None:
            raise DataError(
                pickled,
                "CIFAR-10's binary version (cifar-10-batches-bin)",
                "its Python version, which is pickled code and is never opened",
                "Run `python -m simmim_lite data cifar10` to download the binary version.",
            )
        path = _download.cifar10()
    read = _read_cifar10_zip if path.suffix == ".zip" else _read_cifar10_binary
    images, labels = zip(*(read(path, part) for part in halves), strict=True)
    return Images(np.concatenate(images), np.concatenate(labels), split, str(path))


def find_mnist() -> Path | None:
    """The folder ``MNIST`` with the four unpacked idx files in it."""
    for root in data_roots():
        raw = root / "MNIST" / "raw"
        if all((raw / name).is_file() for name in MNIST_FILES):
            return raw.parent
    return None


def find_cifar10() -> Path | None:
    """CIFAR-10's folder of binary batches or its zip of images."""
    return find("cifar-10-batches-bin", "cifar10/cifar10-images.zip")


def read_image(path: str | Path) -> np.ndarray:
    """One image file as uint8: (height, width) when it is gray, else (height, width, 3) RGB.

    Raises:
        DataError: no such file, or no image that Pillow can read.
    """
    path = Path(path)
    try:
        return _decode(path.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        got = "no such file" if not path.exists() else f"something unreadable ({error})"
        raise DataError(path, "an image (PNG, JPEG, ...)", got, "Check or replace it.") from error


def _decode(encoded: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(encoded)) as image:
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"more than 8 bits a channel, mode {image.mode}")
        return np.asarray(image if image.mode == "L" else image.convert("RGB"))


def _read_cifar10_binary(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Records of one label byte and the planes of red, green and blue, row by row."""
    batches = []
    for name in _CIFAR10_FILES[part]:
        path = folder / name
        size = path.stat().st_size if path.is_file() else 0
        expected = 10_000 * (1 + _CIFAR10_PIXELS)
        if size != expected:
            raise DataError(path, f"{expected:,} bytes", f"{size:,}", _AGAIN.format("cifar10"))
        batches.append(np.fromfile(path, dtype=np.uint8).reshape(-1, 1 + _CIFAR10_PIXELS))
    records = np.concatenate(batches)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].astype(np.int64)


def _read_cifar10_zip(path: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """``{part}/{class}/{number}.jpg``, decoded straight from the zip, sorted by class, number."""
    try:
        with zipfile.ZipFile(path) as archive:
            matches = (_CIFAR10_NAME.fullmatch(name) for name in sorted(archive.namelist()))
            found = [match for match in matches if match and match[1] == part]
            images = np.stack([_decode(archive.read(match[0])) for match in found])
            labels = np.array([CIFAR10_CLASSES.index(match[2]) for match in found], np.int64)
        if images.shape != (_CIFAR10_COUNTS[part], 32, 32, 3):
            raise ValueError(f"images of shape {images.shape}")
    except (zipfile.BadZipFile, OSError, SyntaxError, ValueError) as error:
        expected = f"a zip of {_CIFAR10_COUNTS[part]:,} CIFAR-10 images ({part})"
        got = f"something else ({error})"
        raise DataError(path, expected, got, "Replace the file.") from error
    return images, labels
