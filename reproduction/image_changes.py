"""Random changes of photographs that keep what they show.

Batches are (N, channels, height, width), uint8 or floating point in 0..1. Each image gets its own
change, which depends on the generator alone.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

from simmim_lite.augment import as_float


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
