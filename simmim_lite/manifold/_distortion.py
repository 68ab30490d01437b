"""How unlike two images are once every pixel may look about: the image distortion model.

Keysers, Deselaers, Gollan & Ney 2007 (IEEE TPAMI 29(8), 1422-1435): each pixel of one image is
compared, by the edges around it, with the pixels of the other image near the same place, and the
best of these counts. Nothing is learned, no label is needed; it says that what an image shows
survives small displacements of its parts.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from simmim_lite._arguments import check_integer
from simmim_lite.manifold._gradients import oriented_gradients
from simmim_lite.manifold._neighbors import nearest_neighbors, principal_components

_SIDE = 20  # pixels: larger images are reduced to that many, where a step is wide enough
_REACH = 1  # pixels that a place may be displaced by, each way
_PAIRS = 128  # pairs at a time, which stay in the cache of a CPU
_BLOCK = 500  # images at a time
_CANDIDATES = 60
_MAX_SLANT = 1.0  # 45 degrees: beyond it is no slant, but a lying stroke


def deskew(images: Tensor) -> Tensor:
    """Images (N, 1, height, width) sheared along their rows until upright; zeros outside.

    The slant of an image is the slope of the line that predicts the column of its ink from the row.
    """
    height, width = images.shape[2:]
    ink = images[:, 0].clamp(min=0)
    total = ink.sum(dim=(1, 2)).clamp(min=1e-6)
    down, right = torch.arange(height).float(), torch.arange(width).float()
    rows, columns = ink.sum(dim=2), ink.sum(dim=1)
    down = down - ((rows @ down) / total)[:, None]  # (N, height), from the center of the ink
    right = right - ((columns @ right) / total)[:, None]
    covariance = torch.einsum("nyx,ny,nx->n", ink, down, right)
    variance = (rows * down.square()).sum(dim=1)
    slant = (covariance / variance.clamp(min=1e-6)).clamp(-_MAX_SLANT, _MAX_SLANT)
    x = torch.arange(width) + slant[:, None, None] * down[:, :, None]
    y = torch.arange(height).float()[:, None].expand_as(x)
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    return F.grid_sample(images, grid, align_corners=False)


def image_distortion(first: Tensor, second: Tensor, reach: int = _REACH) -> Tensor:
    """Squared distances (pairs,) of images (pairs, 1, height, width), each from its own partner.

    The sum over the pixels of ``first``: the least squared difference between the 3 x 3 pixels
    around and those around a pixel of ``second`` at most ``reach`` away in each direction, of
    Sobel's gradients. It is not symmetric.
    """
    return _cost(_edges(first, 1), _edges(second, 1 + reach), reach)


def _edges(images: Tensor, margin: int) -> Tensor:
    """Sobel's gradients (N, 2, height, width), zeros around."""
    across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 4
    edges = F.conv2d(images, torch.stack([across, across.T])[:, None], padding=1)
    return F.pad(edges, (margin,) * 4)


def _cost(first: Tensor, second: Tensor, reach: int) -> Tensor:
    # Pairs last: so what is read with a displacement is still in one piece.
    first, second = (edges.permute(1, 2, 3, 0).contiguous() for edges in (first, second))
    _, height, width, pairs = first.shape
    least = torch.full((height - 2, width - 2, pairs), torch.inf)
    for down in range(2 * reach + 1):
        for right in range(2 * reach + 1):
            other = second[:, down : down + height, right : right + width]
            x, y = first[0] - other[0], first[1] - other[1]
            error = x.square_().addcmul_(y, y)
            error = (error[:-2] + error[1:-1]).add_(error[2:])
            error = (error[:, :-2] + error[:, 1:-1]).add_(error[:, 2:])
            torch.minimum(least, error, out=least)
    return least.sum(dim=(0, 1))


def image_neighbors(
    images: Tensor, n_neighbors: int = 5, *, candidates: int = _CANDIDATES, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Neighbors of images (N, 1, height, width) by `image_distortion`, deskewed and made small.

    Args:
        images: gray, floating point, zero the background.
        n_neighbors: k, from 1 to N - 1.
        candidates: how many, the nearest by `oriented_gradients`, are compared.

    Returns:
        Distances (N, k), rising, and indices (N, k).
    """
    check_integer("n_neighbors", n_neighbors, minimum=1, maximum=len(images) - 1)
    candidates = min(max(candidates, n_neighbors), len(images) - 1)
    upright = torch.cat([deskew(block) for block in images.split(_BLOCK)])
    gradients = [oriented_gradients(block) for block in upright.split(_BLOCK)]
    rows = principal_components(torch.cat(gradients).numpy(), seed=seed)
    index = torch.from_numpy(nearest_neighbors(rows, candidates)[1])
    size = [min(_SIDE, side) for side in images.shape[2:]]
    upright = F.interpolate(upright, size, mode="bilinear", antialias=True)
    first, second = _edges(upright, 1), _edges(upright, 1 + _REACH)
    queries = torch.arange(len(images)).repeat_interleave(index.shape[1])
    pairs = zip(queries.split(_PAIRS), index.flatten().split(_PAIRS), strict=True)
    costs = [_cost(first[i], second[j], _REACH) for i, j in pairs]
    distance = torch.cat(costs).reshape(index.shape).sqrt()
    distance, order = distance.topk(n_neighbors, largest=False, sorted=True)
    return distance.numpy(), index.gather(1, order).numpy()
