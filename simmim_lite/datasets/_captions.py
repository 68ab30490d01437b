"""Captions computed from images, with an entropy that is exact.

The strokes of a digit are measured, each measurement is cut into terciles within the digit, and the
sentence names the outer terciles only: "a thick, upright nine". The sentence and the cell (digit
and three terciles) determine each other, so the entropy of the captions is that of the cells.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import ndimage

from simmim_lite._arguments import as_array
from simmim_lite.datasets._files import parts
from simmim_lite.datasets._images import load_digits
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

    Args:
        images: (N, height, width), ink > 0 on background 0.

    Returns:
        (N, 3) float64.
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
