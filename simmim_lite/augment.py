"""Random augmentation of a batch of images: flip, crop, affine, elastic, brightness and contrast.

Images have the shape (N, channels, height, width), and each image gets its own random change. The
result depends on the images and on ``generator`` alone, and is on the device of both. Where a
change reads from beyond the edge of an image, zeros fill up.

Examples:
    >>> import torch
    >>> from simmim_lite.augment import RandomWarp, random_crop
    >>> images = torch.eye(2).reshape(1, 1, 2, 2)
    >>> random_crop(images, torch.Generator().manual_seed(1), padding=1)[0, 0]
    tensor([[0., 0.],
            [1., 0.]])
    >>> RandomWarp(degrees=30)(images, torch.Generator().manual_seed(0)).shape
    torch.Size([1, 1, 2, 2])
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from simmim_lite._random import uniform_integers

_KNOTS = 5  # side of the coarse grid of random displacements that bend an image


def as_float(images: Tensor) -> Tensor:
    """Return uint8 images 0..255 as float32 0..1, and floating-point images unchanged."""
    return images if images.is_floating_point() else images.float() / 255


def random_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image left to right with probability 1/2."""
    flipped = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device) < 0.5
    return torch.where(flipped, images.flip(-1), images)


def random_crop(images: Tensor, generator: torch.Generator, *, padding: int) -> Tensor:
    """Shift each image by up to ``padding`` pixels in each direction."""
    N, _, height, width = images.shape
    padded = F.pad(images, [padding] * 4)
    top, left = uniform_integers(0, 2 * padding, (2, N, 1), generator)
    rows = top + torch.arange(height, device=images.device)
    columns = left + torch.arange(width, device=images.device)
    each = torch.arange(N, device=images.device)[:, None, None]
    # Indices on both sides of the channels move the channels to the end.
    return padded[each, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def random_affine(
    images: Tensor,
    generator: torch.Generator,
    *,
    degrees: float = 0.0,
    scale: tuple[float, float] = (1.0, 1.0),
    shift: float = 0.0,
) -> Tensor:
    """Rotate, resize and shift each image, with a single bilinear interpolation.

    Args:
        images: floating point, or uint8, which becomes float32 in 0..1.
        degrees: rotation, uniform from -degrees to degrees.
        scale: smallest and largest factor of the size; its logarithm is uniform.
        shift: largest shift in each direction, as a fraction of the width and of the height.
    """
    draws = torch.rand(4, len(images), generator=generator, device=images.device)
    angle = math.radians(degrees) * (2 * draws[0] - 1)
    low, high = map(math.log, scale)
    inverse = torch.exp(-(low + (high - low) * draws[1]))  # the grid holds the places to read from
    return _similarity(as_float(images), angle, inverse, 2 * shift * (2 * draws[2:] - 1))


def random_rotation(images: Tensor, generator: torch.Generator, *, degrees: float) -> Tensor:
    """Rotate each image by up to ``degrees``, and resize it by up to the same angle in radians."""
    draws = 2 * torch.rand(2, len(images), generator=generator, device=images.device) - 1
    angle, size = draws[0] * math.radians(degrees), 1 + draws[1] * math.radians(degrees)
    return _similarity(images, -angle, size, torch.zeros_like(draws))


def random_brightness_contrast(
    images: Tensor, generator: torch.Generator, *, brightness: float = 0.4, contrast: float = 0.4
) -> Tensor:
    """Scale the deviations of each image from its mean by 1 +- contrast, and add +- brightness.

    Both are uniform, up to ``contrast`` and ``brightness``. The result is clamped to 0..1.
    """
    images = as_float(images)
    draws = torch.rand(2, len(images), 1, 1, 1, generator=generator, device=images.device)
    gain, offset = 1 + contrast * (2 * draws[0] - 1), brightness * (2 * draws[1] - 1)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return ((images - mean) * gain + mean + offset).clamp(0, 1)


@dataclass(frozen=True)
class RandomWarp:
    """Random affine and elastic deformation: ``warp(images, generator)``.

    Attributes:
        degrees, shift: as for `random_affine`.
        scale: largest absolute logarithm of the size.
        stretch: largest absolute logarithm of width divided by height.
        shear: largest sideways shift of the top against the middle, as a fraction of the height.
        elastic: standard deviation of the shifts of 5 x 5 knots, as a fraction of half the width.
    """

    degrees: float = 20.0
    scale: float = 0.2
    stretch: float = 0.1
    shear: float = 0.3
    shift: float = 0.08
    elastic: float = 0.06

    def __call__(self, images: Tensor, generator: torch.Generator, strength: float = 1.0) -> Tensor:
        """Deform floating-point images. ``strength`` multiplies all changes."""
        N, _, height, width = images.shape
        uniform = 2 * torch.rand(6, N, generator=generator, device=images.device) - 1
        angle, size, aspect, shear, right, down = strength * uniform
        angle = angle * math.radians(self.degrees)
        size, aspect = (size * self.scale).exp(), (aspect * self.stretch / 2).exp()
        cos, sin = angle.cos(), angle.sin()
        # The places to read from: rotate, then shear, then resize.
        across = torch.stack([cos, sin + cos * shear * self.shear], 1) * (size * aspect)[:, None]
        along = torch.stack([-sin, cos - sin * shear * self.shear], 1) * (size / aspect)[:, None]
        shifts = 2 * self.shift * torch.stack([right, down], 1)  # the grid is 2 wide
        theta = torch.cat([torch.stack([across, along], 1), shifts[:, :, None]], dim=2)
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        if self.elastic:
            shape = (N, 2, _KNOTS, _KNOTS)
            knots = torch.randn(shape, generator=generator, device=images.device)
            knots = strength * self.elastic * knots
            bent = F.interpolate(knots, (height, width), mode="bilinear", align_corners=True)
            grid = grid + bent.permute(0, 2, 3, 1)
        return F.grid_sample(images, grid, align_corners=False)


def _similarity(images: Tensor, angle: Tensor, inverse: Tensor, shifts: Tensor) -> Tensor:
    """Rotate by ``angle`` (N,), divide the size by ``inverse`` (N,) and add ``shifts`` (2, N)."""
    aspect = images.shape[2] / images.shape[3]  # the grid's units are half the width and height
    cos, sin = inverse * angle.cos(), inverse * angle.sin()
    theta = torch.stack([cos, sin * aspect, shifts[0], -sin / aspect, cos, shifts[1]], 1)
    grid = F.affine_grid(theta.view(-1, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)
