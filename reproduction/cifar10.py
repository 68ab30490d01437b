"""CIFAR-10 (Krizhevsky, 2009), and random changes of photographs that keep what they show."""

import io
import math
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

from simmim_lite.augment import as_float
from simmim_lite.datasets import DataError, Images, available, download

CLASSES = (
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
COUNTS = {"train": 50_000, "test": 10_000}
_NAME = re.compile(r"(train|test)/([a-z]+)/([0-9]+)\.jpg")
_SIZE = (32, 32)
_LARGEST_JPEG = 1 << 16  # bytes


def load_cifar10(split: str = "train") -> Images:
    """Return the 50,000 images of "train", or the 10,000 of "test", in 10 classes.

    Two layouts are read: the official binary layout (``cifar-10-batches-bin/``, which is
    downloaded, 162 MB) and a zip of JPEG files (``cifar10/cifar10-images.zip``, sorted by class).
    The official Python layout is a pickle, which can run any code: a DataError, never opened.

    Returns:
        RGB images of shape (N, 32, 32, 3); `CLASSES` names the classes.
    """
    if split not in COUNTS:
        raise ValueError(f"split: expected one of {', '.join(COUNTS)}, got {split!r}")
    pickled = Path(os.environ.get("SIMMIM_DATA", "")) / "cifar-10-batches-py"
    if available()["cifar10"] is None and pickled.exists():
        got = "its Python version, which is pickled code and is never opened"
        advice = "Run `python -m simmim_lite data cifar10` to download the binary version."
        raise DataError(pickled, "CIFAR-10's binary version (cifar-10-batches-bin)", got, advice)
    path = download("cifar10")
    read = read_zip if path.suffix == ".zip" else _read_binary
    return Images(*read(path, split), split, str(path))


@contextmanager
def _reading(path: Path, expected: str) -> Iterator[None]:
    """Turn any error of a parser into a DataError about the file."""
    try:
        yield
    except Exception as error:  # each parser has errors of its own, and lets others out
        got = f"something damaged or unreadable ({type(error).__name__}: {error})"
        raise DataError(path, expected, got, "Replace it.") from error


def _read_binary(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Records of one label byte and the planes of red, green and blue, row by row."""
    names = ["test_batch"] if split == "test" else [f"data_batch_{i}" for i in range(1, 6)]
    batches = []
    for path in (folder / f"{name}.bin" for name in names):
        with _reading(path, "30,730,000 bytes, with labels 0..9"):
            if path.stat().st_size != 10_000 * (1 + 3 * 32 * 32):
                raise ValueError(f"{path.stat().st_size:,} bytes")
            batches.append(np.fromfile(path, dtype=np.uint8).reshape(10_000, -1))
            if batches[-1][:, 0].max() > 9:
                raise ValueError(f"the label {batches[-1][:, 0].max()}")
    records = np.concatenate(batches)
    images = records[:, 1:].reshape(-1, 3, *_SIZE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].astype(np.int64)


def read_zip(path: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of ``{split}/{class}/{number}.jpg``, sorted by class and number."""
    count = COUNTS[split]
    with _reading(path, f"a zip of {count:,} CIFAR-10 images ({split})"):
        with zipfile.ZipFile(path) as archive:
            matches = (_NAME.fullmatch(name) for name in sorted(set(archive.namelist())))
            found = [match for match in matches if match and match[1] == split]
            if len(found) != count:
                raise ValueError(f"{len(found):,} images")
            images = np.stack([_decoded(archive, match[0]) for match in found])
        labels = np.array([CLASSES.index(match[2]) for match in found], np.int64)
    return images, labels


def _decoded(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    size = archive.getinfo(name).file_size
    if size > _LARGEST_JPEG:
        raise ValueError(f"{name}: {size:,} bytes")
    with Image.open(io.BytesIO(archive.read(name)), formats=["JPEG"]) as image:
        if image.size != _SIZE or image.mode != "RGB":  # known before the pixels are decoded
            raise ValueError(f"{name}: an image of {image.width} x {image.height}, {image.mode}")
        return np.array(image)


# Changes of a batch of images (N, channels, height, width), uint8 or floating point in 0..1. Each
# image gets its own change, which depends on the generator alone.


def random_flip(images: Tensor, generator: Generator) -> Tensor:
    """Mirror each image left to right with probability 1/2."""
    draws = _uniform((len(images), 1, 1, 1), images, generator)
    return torch.where(draws < 0.5, images.flip(-1), images)


def random_part(
    images: Tensor, generator: Generator, *, scale: tuple[float, float], shift: float
) -> Tensor:
    """Resize and shift each image, with a single bilinear interpolation; zeros fill up.

    Args:
        scale: smallest and largest factor of the size; its logarithm is uniform.
        shift: largest shift in each direction, as a fraction of the width and of the height.
    """
    images = as_float(images)
    draws = _uniform((4, len(images)), images, generator)[1:]
    low, high = map(math.log, scale)
    inverse = torch.exp(-(low + (high - low) * draws[0]))  # the grid holds the places to read from
    right, down = 2 * shift * (2 * draws[1:] - 1)
    zero = torch.zeros_like(inverse)
    theta = torch.stack([inverse, zero, right, zero, inverse, down], dim=1).view(-1, 2, 3)
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    return grid_sample(images, grid, align_corners=False)


def random_brightness_contrast(
    images: Tensor, generator: Generator, *, brightness: float = 0.4, contrast: float = 0.4
) -> Tensor:
    """Scale the deviations of each image from its mean by 1 +- contrast, and add +- brightness.

    Both are uniform; the result is clamped to 0..1.
    """
    images = as_float(images)
    draws = _uniform((2, len(images), 1, 1, 1), images, generator)
    gain, offset = 1 + contrast * (2 * draws[0] - 1), brightness * (2 * draws[1] - 1)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return ((images - mean) * gain + mean + offset).clamp(0, 1)


def _uniform(shape: tuple[int, ...], images: Tensor, generator: Generator) -> Tensor:
    dtype = images.dtype if images.is_floating_point() else torch.float32
    return torch.rand(shape, generator=generator, device=images.device, dtype=dtype)
