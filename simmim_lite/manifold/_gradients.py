"""What to compare images by: in which directions brightness changes, and about where."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_DIRECTIONS = 8
_CELL, _STEP = 5 / 28, 3 / 28  # of the width: a cell, and from one to the next


def oriented_gradients(images: Tensor) -> Tensor:
    """Gray images (N, 1, height, width) -> (N, features) of unit length.

    The strength of the edges in eight directions, averaged over cells that overlap, as in the
    histograms of oriented gradients (Dalal & Triggs 2005, doi:10.1109/CVPR.2005.177): strokes that
    lie a pixel apart are near each other here, and far in pixels.
    """
    images = F.avg_pool2d(images, 3, 1, 1)
    dx = F.pad(images[..., 2:] - images[..., :-2], (1, 1))
    dy = F.pad(images[..., 2:, :] - images[..., :-2, :], (0, 0, 1, 1))
    angle = torch.arange(_DIRECTIONS, device=images.device) * (2 * math.pi / _DIRECTIONS)
    along = dx * angle.cos()[:, None, None] + dy * angle.sin()[:, None, None]
    # The strength times the square of the cosine, so that each edge counts in two or three.
    strength = (dx.square() + dy.square()).sqrt().clamp(min=1e-3)
    edges = along.clamp(min=0).square() / strength
    cell = max(2, round(_CELL * images.shape[-1]))
    step = max(1, round(_STEP * images.shape[-1]))
    return F.normalize(F.avg_pool2d(edges, cell, step, (cell - 1) // 4).flatten(1))
