"""Random augmentation of a batch of images: crop, rotation, affine and elastic deformation.

Images have the shape (N, channels, height, width), and each image gets its own random change. The
result depends on the images and on ``generator`` alone, and is on the device of both. Zeros fill up
what lies beyond the edge of an image. Wrong shapes and values raise ValueError, types TypeError.

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
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from simmim_lite._arguments import as_array, check_integer, check_number

_KNOTS = 5  # side of the coarse grid of random displacements that bend an image


def as_float(images: Any, name: str = "images") -> Tensor:
    """Return uint8 images 0..255 as float32 0..1, and floating-point images unchanged."""
    images = as_images(name, images)
    if images.is_floating_point():
        return images
    if images.dtype not in (torch.uint8, torch.bool):
        raise TypeError(f"{name}: expected uint8 or floating point, got {images.dtype}")
    return images.to(torch.float32) / (255 if images.dtype == torch.uint8 else 1)


def random_crop(images: Tensor, generator: torch.Generator, *, padding: int) -> Tensor:
    """Shift each image by up to ``padding`` pixels in each direction."""
    images = _checked(images)
    N, _, height, width = images.shape
    padded = F.pad(images, [check_integer("padding", padding, minimum=0)] * 4)
    shape, device = (2, N, 1), generator.device
    top, left = torch.randint(2 * padding + 1, shape, generator=generator, device=device)
    rows = top + torch.arange(height, device=device)
    columns = left + torch.arange(width, device=device)
    each = torch.arange(N, device=device)[:, None, None]
    # Indices on both sides of the channels move the channels to the end.
    return padded[each, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def random_rotation(images: Tensor, generator: torch.Generator, *, degrees: float) -> Tensor:
    """Rotate each image by up to ``degrees`` <= 45; divide its size by 1 +- the same in radians."""
    images = as_float(_checked(images))
    check_number("degrees", degrees, minimum=0, maximum=45)
    draws = 2 * _uniform((2, len(images)), images, generator) - 1
    angle, size = draws[0] * math.radians(degrees), 1 + draws[1] * math.radians(degrees)
    aspect = images.shape[2] / images.shape[3]  # the grid's units are half the width and height
    cos, sin, zero = size * angle.cos(), size * angle.sin(), torch.zeros_like(size)
    theta = torch.stack([cos, -sin * aspect, zero, sin / aspect, cos, zero], 1)
    grid = F.affine_grid(theta.view(-1, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


@dataclass(frozen=True)
class RandomWarp:
    """Random affine and elastic deformation: ``warp(images, generator)``."""

    degrees: float = 20.0  # largest rotation
    scale: float = 0.2  # largest absolute logarithm of the size
    stretch: float = 0.1  # largest absolute logarithm of width divided by height
    shear: float = 0.3  # largest sideways shift of the top against the middle, of the height
    shift: float = 0.08  # largest shift in each direction, of the width and of the height
    elastic: float = 0.06  # standard deviation of the shifts of 5 x 5 knots, of half the width

    def __call__(self, images: Tensor, generator: torch.Generator, strength: float = 1.0) -> Tensor:
        """Deform images, floating point or uint8. ``strength`` multiplies all changes."""
        images = as_float(_checked(images))
        N, _, height, width = images.shape
        uniform = 2 * _uniform((6, N), images, generator) - 1
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
            new: dict[str, Any] = {"device": images.device, "dtype": images.dtype}
            knots = strength * self.elastic * torch.randn(shape, generator=generator, **new)
            bent = F.interpolate(knots, (height, width), mode="bilinear", align_corners=True)
            grid = grid + bent.permute(0, 2, 3, 1)
        return F.grid_sample(images, grid, align_corners=False)


def _checked(images: Any) -> Tensor:
    images = as_images("images", images)
    if images.ndim != 4:
        got = tuple(images.shape)
        raise ValueError(f"images: expected shape (N, channels, height, width), got {got}")
    return images


def as_images(name: str, images: Any) -> Tensor:
    """Return a tensor of the dtype of an array; tensors pass through."""
    if isinstance(images, Tensor):
        return images
    array = as_array(name, images)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name}: expected uint8 or floating point, got {array.dtype}")
    return torch.from_numpy(array)


def _uniform(shape: tuple[int, ...], images: Tensor, generator: torch.Generator) -> Tensor:
    dtype = images.dtype if images.is_floating_point() else torch.float32
    return torch.rand(shape, generator=generator, device=images.device, dtype=dtype)
