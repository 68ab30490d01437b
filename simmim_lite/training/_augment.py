"""Augmentation of a whole batch of images at once, on the device where it is.

Images (N, channels, height, width), uint8 or floating point; every image draws its own change from
``generator``, whose device is that of the images.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def as_float(images: Tensor) -> Tensor:
    """uint8 0..255 as float32 0..1; floating point as it is."""
    return images if images.is_floating_point() else images.float() / 255


def random_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Every second image, left to right."""
    flipped = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device) < 0.5
    return torch.where(flipped, images.flip(-1), images)


def random_crop(images: Tensor, generator: torch.Generator, *, padding: int) -> Tensor:
    """Moved by up to ``padding`` pixels each way, zeros where nothing was; the size stays."""
    N, _, height, width = images.shape
    padded = F.pad(images, (padding,) * 4)
    top, left = torch.randint(2 * padding + 1, (2, N, 1), generator=generator, device=images.device)
    rows = top + torch.arange(height, device=images.device)
    columns = left + torch.arange(width, device=images.device)
    each = torch.arange(N, device=images.device)[:, None, None]
    # Indexing on both sides of the channels puts them last.
    return padded[each, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def random_affine(
    images: Tensor,
    generator: torch.Generator,
    *,
    degrees: float = 0.0,
    scale: tuple[float, float] = (1.0, 1.0),
    shift: float = 0.0,
) -> Tensor:
    """Turned, resized and moved in one bilinear reading; float32, zeros where nothing was.

    Args:
        degrees: angles from -degrees to degrees.
        scale: least and largest factor of the size; its logarithm is uniform.
        shift: by up to this part of the width and of the height, each way.
    """
    N, _, height, width = images.shape
    draws = torch.rand(4, N, generator=generator, device=images.device)
    angle = math.radians(degrees) * (2 * draws[0] - 1)
    low, high = map(math.log, scale)
    inverse = torch.exp(-(low + (high - low) * draws[1]))  # the grid says where to read
    cos, sin = inverse * angle.cos(), inverse * angle.sin()
    dx, dy = 2 * shift * (2 * draws[2:] - 1)  # the picture is 2 wide
    aspect = height / width
    theta = torch.stack(
        [torch.stack([cos, sin * aspect, dx], 1), torch.stack([-sin / aspect, cos, dy], 1)], 1
    )
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(as_float(images), grid, align_corners=False)


def random_brightness_contrast(
    images: Tensor, generator: torch.Generator, *, brightness: float = 0.4, contrast: float = 0.4
) -> Tensor:
    """Float32 of 0..1: the distance to the mean times 1 +- ``contrast``, plus +- ``brightness``."""
    images = as_float(images)
    draws = torch.rand(2, len(images), 1, 1, 1, generator=generator, device=images.device)
    gain, offset = 1 + contrast * (2 * draws[0] - 1), brightness * (2 * draws[1] - 1)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return ((images - mean) * gain + mean + offset).clamp(0, 1)
