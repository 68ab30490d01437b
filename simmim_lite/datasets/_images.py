"""Handwritten digits (embedded, all of MNIST, or of scikit-learn), CIFAR-10, and image files."""

import io
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from simmim_lite.datasets._download import download, fetch_cifar10, find_cifar10
from simmim_lite.datasets._files import (
    DataError,
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
_CIFAR10_NAME = re.compile(r"(train|test)/([a-z]+)/(\d+)\.jpg")
_CIFAR10_COUNTS = {"train": 50_000, "test": 10_000}
_AGAIN = "Remove it and run `python -m simmim_lite data {}`."


@dataclass(frozen=True, eq=False)
class Images:
    """Labeled images.

    Attributes:
        images: (N, height, width) gray or (N, height, width, 3) RGB, uint8 in 0..255.
        labels: (N,) int64, the classes.
        source: "embedded", or the folder or file of the images.
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
            None reads the environment variable SIMMIM_FULL.

    Returns:
        Images of shape (N, 28, 28), white ink (255) on black (0), sorted by class when embedded.
    """
    if wants_full(full):
        return load_mnist(split)
    arrays = read_embedded("digits.npz.xz")
    chosen = split_indices(arrays["test"], split)
    labels = arrays["labels"][chosen].astype(np.int64)
    return Images(arrays["images"][chosen], labels, split, "embedded")


def load_mnist(split: str = "train") -> Images:
    """All of MNIST (LeCun, Cortes, Burges), read by torchvision: 60,000 train, 10,000 test.

    The images (N, 28, 28) have white ink (255) on black (0). The download has 12 MB.
    """
    chosen = parts(split)
    root = download("mnist").parent
    from torchvision.datasets import MNIST  # here, as its import takes seconds

    try:
        sets = [MNIST(root, train=part == "train", download=False) for part in chosen]
    except (AssertionError, IndexError, KeyError, OSError, RuntimeError, ValueError) as error:
        raw, got = root / "MNIST" / "raw", f"a damaged one ({type(error).__name__}: {error})"
        raise DataError(raw, "MNIST's idx files", got, _AGAIN.format("mnist")) from error
    images = np.concatenate([half.data.numpy() for half in sets])
    labels = np.concatenate([half.targets.numpy() for half in sets])
    return Images(images, labels, split, str(root / "MNIST"))


def load_cifar10(split: str = "train") -> Images:
    """CIFAR-10 (Krizhevsky, 2009): 50,000 + 10,000 RGB images of 32 x 32 in 10 classes.

    Two layouts are read: the official binary layout (``cifar-10-batches-bin/``, which is
    downloaded, 162 MB) and a zip of JPEG files (``cifar10/cifar10-images.zip``, sorted by class).
    The official Python layout is a pickle, which can run any code: a DataError, never opened.

    Returns:
        Images of shape (N, 32, 32, 3); `CIFAR10_CLASSES` names the classes.
    """
    chosen = parts(split)
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
        path = fetch_cifar10()
    read = _read_cifar10_zip if path.suffix == ".zip" else _read_cifar10_binary
    images, labels = zip(*(read(path, part) for part in chosen), strict=True)
    return Images(np.concatenate(images), np.concatenate(labels), split, str(path))


def load_other_digits() -> Images:
    """1,797 handwritten digits of other writers, other paper and another scanner than MNIST's.

    The set of scikit-learn (Alpaydin & Kaynak 1998, the part by 13 writers), 8 x 8 pixels of 17
    gray levels: enlarged to 20 x 20 by bilinear interpolation, with a border of 4, as MNIST's
    digits have. The images (1797, 28, 28) have white ink (255) on black (0), and the split "all".
    """
    import torch  # here, so that this module is light to import
    from sklearn.datasets import load_digits as load_small_digits
    from torch.nn.functional import interpolate, pad

    found = load_small_digits()
    small = torch.from_numpy(found.images / 16)[:, None]
    large = pad(interpolate(small, size=(20, 20), mode="bilinear", align_corners=False), (4,) * 4)
    images = (255 * large[:, 0]).round().to(torch.uint8).numpy()
    return Images(images, found.target.astype(np.int64), "all", "scikit-learn")


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file as uint8: (height, width) if it is gray, else (height, width, 3) RGB."""
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
    names = ["test_batch"] if part == "test" else [f"data_batch_{i}" for i in range(1, 6)]
    batches = []
    for path in (folder / f"{name}.bin" for name in names):
        size, expected = path.stat().st_size if path.is_file() else 0, 10_000 * (1 + 3 * 32 * 32)
        if size != expected:
            raise DataError(path, f"{expected:,} bytes", f"{size:,}", _AGAIN.format("cifar10"))
        batches.append(np.fromfile(path, dtype=np.uint8).reshape(10_000, -1))
    records = np.concatenate(batches)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].astype(np.int64)


def _read_cifar10_zip(path: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """``{part}/{class}/{number}.jpg``, decoded from the zip, sorted by class and number."""
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
        raise DataError(path, expected, f"something else ({error})", "Replace it.") from error
    return images, labels
