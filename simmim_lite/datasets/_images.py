"""Digits (embedded, all of MNIST, or of scikit-learn), their captions, and CIFAR-10.

Captions have an exact entropy: the strokes of a digit are measured, each measurement is cut into
terciles within the digit, and the sentence names the outer terciles only ("a thick, upright nine").
The sentence and the cell (digit and three terciles) determine each other.
"""

import io
import math
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from simmim_lite._arguments import as_array
from simmim_lite.datasets._download import download, fetch_cifar10, find_cifar10
from simmim_lite.datasets._files import (
    DataError,
    find,
    parts,
    read_embedded,
    reading,
    split_indices,
    wants_full,
)
from simmim_lite.entropy import sample_entropy

DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# Words for the terciles of thickness, slant and width, from the lowest; the middle tercile has no
# word. MNIST leans right: its lowest tercile of slant is upright, not leftward.
TERCILE_WORDS = (("thin", "", "thick"), ("upright", "", "slanted"), ("narrow", "", "wide"))
_SPECK = 0.05  # parts with a smaller share of the ink are dirt


@dataclass(frozen=True, eq=False)
class Captions:
    """One caption for each image, in the order of the images.

    Attributes:
        texts: N sentences.
        cells: (N, 4) int64: digit 0..9, then the terciles 0..2 of thickness, slant and width.
        measurements: (N, 3) float64: thickness, slant, width (see `measure_strokes`).
        split, source: those of the images.
    """

    texts: list[str] = field(repr=False)
    cells: np.ndarray = field(repr=False)
    measurements: np.ndarray = field(repr=False)
    split: str
    source: str

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def entropy(self) -> float:
        """H(caption) in nats of an image drawn uniformly from this split, counted exactly."""
        return sample_entropy(self.cells)


def load_captions(split: str = "train", *, full: bool | None = None) -> Captions:
    """Captions of the images that `load_digits` returns for the same arguments.

    For every split, the cuts between terciles come from the training images of the same digit
    ("wide for a one"). Measuring takes about 0.3 ms for each image.
    """
    chosen = parts(split)
    images = {part: load_digits(part, full=full) for part in {"train", *chosen}}
    measured = {part: measure_strokes(digits.images) for part, digits in images.items()}
    cuts = [
        # "hazen" puts a cut between two samples, never on a sample: no ties, no effect of rounding.
        np.quantile(measured["train"][of_digit], (1 / 3, 2 / 3), axis=0, method="hazen")
        for of_digit in images["train"].labels == np.arange(10)[:, None]
    ]
    measurements = np.concatenate([measured[part] for part in chosen])
    labels = np.concatenate([images[part].labels for part in chosen])
    terciles = (measurements[:, None] > np.stack(cuts)[labels]).sum(axis=1)
    cells = np.column_stack([labels, terciles])
    return Captions(describe(cells), cells, measurements, split, images[chosen[0]].source)


def measure_strokes(images: np.ndarray) -> np.ndarray:
    """Thickness, slant and width of the strokes of each image, as real numbers.

    Specks (connected parts with less than 5% of the ink) are left out. With the central moments
    mu_pq of the ink (p along x, q along y, divided by the ink):

    - thickness: mean of the ridge (local maxima) of the distance to the background, in the image
      at twice its size and cut at half its peak; about the width of the stroke, in original pixels;
    - slant: -mu_11 / mu_02, the shear that would deskew the digit; slant to the right is positive;
    - width: sqrt(12 (mu_20 - mu_11^2 / mu_02)), the width in pixels of a uniform bar with the
      variance of the deskewed digit.

    Images (N, height, width) have ink > 0 on background 0; the result is (N, 3) float64.
    """
    array = as_array("images", images)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"images: expected numbers, got dtype {array.dtype}")
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"images: expected shape (N, height, width), got {array.shape}")
    array = array.astype(np.float64)
    allowed = (np.isfinite(array) & (array >= 0)).all(axis=(1, 2))
    if not allowed.all():
        row = int(np.argmin(allowed))
        raise ValueError(f"images: expected finite ink >= 0, got other values in row {row}")
    inked = array.any(axis=(1, 2))
    if not inked.all():
        raise ValueError(f"images: expected ink, got a blank image in row {int(np.argmin(inked))}")
    return np.array([_measure(image) for image in array])


def describe(cells: Any) -> list[str]:
    """Sentence of each cell; different cells have different sentences.

    Args:
        cells: (N, 4) whole numbers: digit 0..9, then the terciles 0..2 of thickness, slant, width.
    """
    array = as_array("cells", cells)
    if array.dtype.kind not in "iu":
        raise TypeError(f"cells: expected whole numbers, got dtype {array.dtype}")
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"cells: expected shape (N, 4), got {array.shape}")
    bad = (array < 0).any(axis=1) | (array > (9, 2, 2, 2)).any(axis=1)
    if bad.any():
        got = f"{array[bad][0].tolist()} in row {int(np.argmax(bad))}"
        raise ValueError(f"cells: expected a digit 0..9 and three terciles 0..2, got {got}")
    return [_sentence(*cell) for cell in array.tolist()]


def _sentence(digit: int, *terciles: int) -> str:
    adjectives = [words[t] for words, t in zip(TERCILE_WORDS, terciles, strict=True)]
    phrase = f"{', '.join(filter(None, adjectives))} {DIGIT_WORDS[digit]}".strip()
    article = "an" if phrase.startswith(("upright", "eight")) else "a"  # but "a one"
    return f"{article} {phrase}"


def _measure(image: np.ndarray) -> tuple[float, float, float]:
    """Thickness, slant and width of one image (height, width) that is not blank."""
    regions, count = ndimage.label(image > 0, np.ones((3, 3)))  # also diagonally connected
    ink = np.bincount(regions.ravel(), image.ravel(), count + 1)
    image = np.where(ink[regions] >= _SPECK * image.sum(), image, 0)

    # In grid mode every pixel becomes 2 x 2, at any place: moving the digit changes nothing.
    large = ndimage.zoom(image, 2, order=1, grid_mode=True, mode="grid-constant")
    depth = ndimage.distance_transform_edt(np.pad(large > large.max() / 2, 1))
    ridge = (depth > 0) & (depth == ndimage.maximum_filter(depth, 3))
    # Half a stroke in pixels of the doubled image is a stroke in pixels of the original.
    thickness = depth[ridge].mean()

    weights = image / image.sum()
    y, x = np.arange(image.shape[0]), np.arange(image.shape[1])
    y, x = y - weights.sum(axis=1) @ y, x - weights.sum(axis=0) @ x
    mu_20, mu_02, mu_11 = weights.sum(axis=0) @ x**2, weights.sum(axis=1) @ y**2, y @ weights @ x
    shear = mu_11 / mu_02 if mu_02 > 0 else 0.0  # a single row of ink has no slant
    return thickness, -shear, np.sqrt(12 * max(mu_20 - shear * mu_11, 0.0))


_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"
CIFAR10_CLASSES = tuple(_CLASSES.split())
_CIFAR10_NAME = re.compile(r"(train|test)/([a-z]+)/([0-9]+)\.jpg")
_CIFAR10_COUNTS = {"train": 50_000, "test": 10_000}
_LARGEST_JPEG = 1 << 16  # bytes of one image of CIFAR-10
_MOST_PIXELS = 1 << 22  # of one image: more is taken for a decompression bomb
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
    """All of MNIST (LeCun, Cortes, Burges): 60,000 images of "train", 10,000 of "test".

    The images (N, 28, 28) have white ink (255) on black (0). The download has 12 MB.
    """
    chosen = parts(split)
    raw = download("mnist") / "raw"
    images, labels = [], []
    with reading(raw, "MNIST's idx files", _AGAIN.format("mnist")):
        for prefix in ("train" if part == "train" else "t10k" for part in chosen):
            images.append(_read_idx(raw / f"{prefix}-images-idx3-ubyte", 3))
            labels.append(_read_idx(raw / f"{prefix}-labels-idx1-ubyte", 1).astype(np.int64))
            if images[-1].shape != (len(labels[-1]), 28, 28) or labels[-1].max() > 9:
                got = f"images {images[-1].shape}, labels {labels[-1].shape} to {labels[-1].max()}"
                raise ValueError(f"{prefix}: {got}")
    return Images(np.concatenate(images), np.concatenate(labels), split, str(raw.parent))


def load_cifar10(split: str = "train") -> Images:
    """CIFAR-10 (Krizhevsky, 2009): 50,000 + 10,000 RGB images of 32 x 32 in 10 classes.

    Two layouts are read: the official binary layout (``cifar-10-batches-bin/``, which is
    downloaded, 162 MB) and a zip of JPEG files (``cifar10/cifar10-images.zip``, sorted by class).
    The official Python layout is a pickle, which can run any code: a DataError, never opened.

    Returns:
        Images of shape (N, 32, 32, 3); `CIFAR10_CLASSES` names the classes.
    """
    chosen = parts(split)
    path, pickled = find_cifar10(), find("cifar-10-batches-py")
    if path is None and pickled is not None:
        got = "its Python version, which is pickled code and is never opened"
        advice = "Run `python -m simmim_lite data cifar10` to download the binary version."
        raise DataError(pickled, "CIFAR-10's binary version (cifar-10-batches-bin)", got, advice)
    path = path or fetch_cifar10()
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


def _decode(encoded: bytes) -> np.ndarray:
    """Pixels of a JPEG file, which is refused before it is unpacked if it is far too large."""
    with Image.open(io.BytesIO(encoded), formats=["JPEG"]) as image:
        if image.width * image.height > _MOST_PIXELS:
            raise ValueError(f"too large, {image.width} x {image.height} pixels")
        return np.array(image)


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The bytes in an idx file, with the sizes that its header states."""
    header = np.fromfile(path, ">u4", 1 + dimensions).tolist()
    if len(header) != 1 + dimensions or header[0] != 0x800 + dimensions:
        raise ValueError(f"{path.name}: a header of {header}")
    size, there = math.prod(header[1:]), path.stat().st_size - 4 * len(header)
    if size != there or size == 0:
        raise ValueError(f"{path.name}: {header[1:]} in the header, {there:,} bytes there")
    return np.fromfile(path, np.uint8, offset=4 * len(header)).reshape(header[1:])


def _read_cifar10_binary(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Records of one label byte and the planes of red, green and blue, row by row."""
    names = ["test_batch"] if part == "test" else [f"data_batch_{i}" for i in range(1, 6)]
    batches = []
    for path in (folder / f"{name}.bin" for name in names):
        with reading(path, "30,730,000 bytes, with labels 0..9", _AGAIN.format("cifar10")):
            if path.stat().st_size != 10_000 * (1 + 3 * 32 * 32):
                raise ValueError(f"{path.stat().st_size:,} bytes")
            batches.append(np.fromfile(path, dtype=np.uint8).reshape(10_000, -1))
            if batches[-1][:, 0].max() > 9:
                raise ValueError(f"the label {batches[-1][:, 0].max()}")
    records = np.concatenate(batches)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].astype(np.int64)


def _read_cifar10_zip(path: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """``{part}/{class}/{number}.jpg``, decoded from the zip, sorted by class and number."""
    count = _CIFAR10_COUNTS[part]
    expected = f"a zip of {count:,} CIFAR-10 images ({part})"
    with reading(path, expected, "Replace it."), zipfile.ZipFile(path) as archive:
        matches = (_CIFAR10_NAME.fullmatch(name) for name in sorted(set(archive.namelist())))
        found = [match for match in matches if match and match[1] == part]
        if len(found) != count:
            raise ValueError(f"{len(found):,} images")
        images = np.empty((count, 32, 32, 3), np.uint8)
        for row, name in enumerate(match[0] for match in found):
            if archive.getinfo(name).file_size > _LARGEST_JPEG:
                raise ValueError(f"{name}: {archive.getinfo(name).file_size:,} bytes")
            image = _decode(archive.read(name))
            if image.shape != images.shape[1:]:
                raise ValueError(f"{name}: an image of shape {image.shape}")
            images[row] = image
        labels = np.array([CIFAR10_CLASSES.index(match[2]) for match in found], np.int64)
    return images, labels
