"""Small moves of an image that leave what it shows: turned, sheared, resized, shifted, bent."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_KNOTS = 5  # of the coarse grid, each way, whose random shifts bend an image


@dataclass(frozen=True)
class Warp:
    """Random affine and elastic moves, ``warp(images, generator)``, each image its own.

    Attributes:
        degrees: angles from -degrees to degrees.
        scale: logarithm of the size, up to so much either way.
        stretch: logarithm of width by height, either way.
        shear: part of the height by which the top moves sideways against the middle, either way.
        shift: part of the width and of the height, either way.
        elastic: deviation of the knots of a 5 x 5 grid, as part of half the width.
    """

    degrees: float = 20.0
    scale: float = 0.2
    stretch: float = 0.1
    shear: float = 0.3
    shift: float = 0.08
    elastic: float = 0.06

    def __call__(self, images: Tensor, generator: torch.Generator, strength: float = 1.0) -> Tensor:
        """Images (N, channels, height, width), floating point, read bilinearly; zeros outside.

        ``strength`` multiplies all moves.
        """
        N, _, height, width = images.shape
        uniform = 2 * torch.rand(6, N, generator=generator, device=images.device) - 1
        angle, size, aspect, shear, right, down = strength * uniform
        angle = angle * math.radians(self.degrees)
        size, aspect = (size * self.scale).exp(), (aspect * self.stretch / 2).exp()
        cos, sin = angle.cos(), angle.sin()
        # Where to read: turn, then shear, then resize.
        across = torch.stack([cos, sin + cos * shear * self.shear], 1) * (size * aspect)[:, None]
        along = torch.stack([-sin, cos - sin * shear * self.shear], 1) * (size / aspect)[:, None]
        moves = 2 * self.shift * torch.stack([right, down], 1)  # a picture is 2 wide
        theta = torch.cat([torch.stack([across, along], 1), moves[:, :, None]], dim=2)
        grid = F.affine_grid(theta, [N, 1, height, width], align_corners=False)
        if self.elastic:
            shape = (N, 2, _KNOTS, _KNOTS)
            knots = torch.randn(shape, generator=generator, device=images.device)
            knots = strength * self.elastic * knots
            bent = F.interpolate(knots, (height, width), mode="bilinear", align_corners=True)
            grid = grid + bent.permute(0, 2, 3, 1)
        return F.grid_sample(images, grid, align_corners=False)
