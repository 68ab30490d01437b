"""The data manifold as a graph: nearest rows, nearest images, affinities, intrinsic dimension."""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from sklearn.decomposition import PCA
from torch import Tensor

from simmim_lite._arguments import (
    as_array,
    as_class_numbers,
    as_finite,
    as_samples,
    as_tensor,
    check_choice,
    check_integer,
)
from simmim_lite._numerics import center_and_scale
from simmim_lite._torch_state import ordinary_torch
from simmim_lite.augment import as_float

_DISTANCES = 1 << 25  # distances in memory at a time, 128 MB
_SPARE = 4  # candidates beyond k, as float32 does not order near ties
_UNSURE = 2.0**-14  # of the squared norm: float32 resolves smaller squared distances poorly
_DIM = 50  # principal components
_PCA_ROWS = 10_000  # rows that the components are computed from
_SCALE = 7  # the neighbor whose distance is the local unit of length (Zelnik-Manor & Perona)

_DIRECTIONS = 8  # of gradients
_CELL, _STEP = 5 / 28, 3 / 28  # side of a cell, and from one cell to the next, parts of the width

_SIDE = 20  # pixels: larger images are reduced to this size, where a displacement is wide enough
_CANDIDATES = 60  # images that an image is compared with, at least as many as neighbors
_PAIRS = 128  # pairs of images at a time, which stay in the cache of a CPU
_BLOCK = 500  # images at a time
_TINY = 1e-30
_MAX_SLANT = 1.0  # 45 degrees: a larger value comes from a horizontal stroke, not from a slant


@ordinary_torch()
def nearest_neighbors(x: Any, n_neighbors: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Return distances (N, k), ascending, and indices (N, k) of the k rows nearest to each row.

    The Euclidean neighbors of each row of ``x`` (N, d) among all other rows are exact, and copies
    of a row are its neighbors at distance 0; k = ``n_neighbors`` is at most N - 1.
    """
    samples = as_samples("x", x)
    k = check_integer("n_neighbors", n_neighbors, minimum=1, maximum=len(samples) - 1)
    center, scale = center_and_scale(samples)
    varies = np.isfinite(scale)
    # A power of two rounds nothing, and keeps squares within the range of float32.
    unit = float(np.exp2(np.floor(np.log2(scale[varies].max(initial=0) or 1.0))))
    precise = torch.from_numpy((samples - center) / np.where(varies, unit, np.inf))
    # Centered, because the short formula below loses digits where norms exceed distances.
    rows = precise.float()
    height = max(1, _DISTANCES // len(rows))
    half = rows.square().sum(dim=1) / 2
    found = []
    for start, block in zip(range(0, len(rows), height), rows.split(height), strict=True):
        closeness = torch.addmm(half, block, rows.T, beta=-1)  # (|p|^2 - distance^2) / 2
        closeness[:, start:].fill_diagonal_(-torch.inf)
        found.append(closeness.topk(min(k + _SPARE, len(rows) - 1)).indices)
    index = torch.cat(found)
    # Again without cancellation, and in double precision, which orders near ties.
    chunks = zip(precise.split(4096), index.split(4096), strict=True)
    exact = [(part[:, None] - precise[near]).norm(dim=2) for part, near in chunks]
    distance, order = torch.cat(exact).sort(dim=1)
    distance, index = distance[:, :k].contiguous(), index.gather(1, order[:, :k])
    # Centering helps no group of rows far from the others: those rows in double precision.
    unsure = (distance[:, -1].square() <= _UNSURE * 2 * half).nonzero()[:, 0]
    for part in unsure.split(max(1, height // 2)):
        direct = torch.cdist(precise[part], precise, compute_mode="donot_use_mm_for_euclid_dist")
        direct[np.arange(len(part)), part] = torch.inf
        distance[part], index[part] = direct.topk(k, largest=False)
    return unit * distance.numpy(), index.numpy()


def principal_components(rows: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Return the first 50 components (N, 50) of rows (N, columns), or narrower rows unchanged."""
    if min(rows.shape) <= _DIM:
        return rows
    pca = PCA(_DIM, svd_solver="randomized", random_state=seed)
    return pca.fit(rows[:_PCA_ROWS]).transform(rows)


def affinity_graph(distance: np.ndarray, index: np.ndarray) -> sparse.csr_array:
    """Return the symmetric weights (N, N) in [0, 1] of edges to nearest neighbors.

    ``distance`` and ``index`` (N, k) come from `nearest_neighbors` or `image_neighbors`.
    w_ij = exp(-d_ij^2 / (s_i s_j)), where s_i is the distance from i to its seventh neighbor (or to
    the last of fewer neighbors), so that the local density sets the scale (Zelnik-Manor & Perona
    2004). No point is its own neighbor. If w_ij and w_ji differ, both become the larger.
    """
    distance, index = as_finite("distance", distance), as_array("index", index)
    if distance.ndim != 2 or 0 in distance.shape or index.shape != distance.shape:
        got = f"{distance.shape} and {index.shape}"
        raise ValueError(f"distance, index: expected one shape (N, k), got {got}")
    N, k = distance.shape
    index = as_class_numbers("index", index.ravel(), N).reshape(N, k)
    unit = distance[:, min(_SCALE, k) - 1]
    smallest = unit[unit > 0].min(initial=np.inf)
    unit = np.where(unit > 0, unit, smallest if np.isfinite(smallest) else 1.0)  # duplicates
    weights = np.exp(-(distance**2) / (unit[:, None] * unit[index]))
    starts = np.arange(0, N * k + 1, k)
    graph = sparse.csr_array((weights.ravel(), index.ravel(), starts), shape=(N, N))
    return graph.maximum(graph.T).tocsr()


def intrinsic_dimension(x: Any, method: str = "two_nn", *, n_neighbors: int = 10) -> float:
    """Estimate the dimension of the manifold on which the rows of ``x`` lie, from distances alone.

    Args:
        x: (N, d) real numbers. Repeated rows count once, because a distance of 0 is no evidence.
        method: "two_nn" (Facco et al. 2017, doi:10.1038/s41598-017-11873-y): maximum likelihood,
            where the ratio of the distances to the second and to the first neighbor has density
            dim / ratio^(dim + 1). "levina_bickel" (Levina & Bickel 2004): maximum likelihood from
            ``n_neighbors`` distances at each point; the inverses are averaged (MacKay & Ghahramani
            2005), because the mean of the dimensions is too large.
        n_neighbors: k of "levina_bickel", from 3; more than k rows must be distinct. The manifold
            should be flat within k points.
    """
    check_choice("method", method, ("two_nn", "levina_bickel"))
    samples = np.unique(as_samples("x", x), axis=0)
    k = 2 if method == "two_nn" else check_integer("n_neighbors", n_neighbors, minimum=3)
    if len(samples) <= k:
        raise ValueError(f"x: expected more than {k} distinct rows, got {len(samples)}")
    distance = nearest_neighbors(samples, k)[0].astype(np.float64)
    if (distance[:, 1] <= (1 + 1e-9) * distance[:, 0]).mean() > 0.1 or not distance.all():
        got = "equal ones to two neighbors in 10 % of the rows, as on a grid, or 0 after rounding"
        raise ValueError(f"x: expected distances that differ, got {got}")
    distance = np.log(distance)
    if method == "two_nn":  # N - 1 instead of N makes the estimate unbiased
        return float((len(samples) - 1) / (distance[:, 1] - distance[:, 0]).sum())
    return float(1 / (distance[:, -1:] - distance[:, :-1]).mean(axis=1).mean())


def oriented_gradients(images: Tensor) -> Tensor:
    """Return gradient features (N, features) of unit length, of gray images (N, 1, height, width).

    The strength of edges in eight directions, averaged over overlapping cells, as in histograms of
    oriented gradients (Dalal & Triggs 2005, doi:10.1109/CVPR.2005.177).
    """
    images = _gray("images", images)
    faint = images.abs().amax(dim=(1, 2, 3)).mul(1e-3).clamp(min=_TINY)[:, None, None, None]
    images = F.avg_pool2d(images, 3, 1, 1)
    dx = F.pad(images[..., 2:] - images[..., :-2], (1, 1))
    dy = F.pad(images[..., 2:, :] - images[..., :-2, :], (0, 0, 1, 1))
    angle = _arange(_DIRECTIONS, images) * (2 * math.pi / _DIRECTIONS)
    along = dx * angle.cos()[:, None, None] + dy * angle.sin()[:, None, None]
    # The strength times the squared cosine, so that each edge counts in two or three directions.
    strength = torch.maximum((dx.square() + dy.square()).sqrt(), faint)
    edges = along.clamp(min=0).square() / strength
    cell = max(2, round(_CELL * images.shape[-1]))
    step = max(1, round(_STEP * images.shape[-1]))
    return F.normalize(F.avg_pool2d(edges, cell, step, (cell - 1) // 4).flatten(1))


def deskew(images: Tensor) -> Tensor:
    """Shear images (N, 1, height, width) along their rows until they are upright; zeros fill up.

    The slant of an image is the slope of the regression line from the row of the ink to its column.
    """
    images = _gray("images", images)
    height, width = images.shape[2:]
    ink = images[:, 0].clamp(min=0)
    total = ink.sum(dim=(1, 2)).clamp(min=_TINY)
    down, right = _arange(height, images), _arange(width, images)
    rows, columns = ink.sum(dim=2), ink.sum(dim=1)
    down = down - ((rows @ down) / total)[:, None]  # (N, height), from the center of the ink
    right = right - ((columns @ right) / total)[:, None]
    covariance = torch.einsum("nyx,ny,nx->n", ink, down, right)
    variance = (rows * down.square()).sum(dim=1)
    slant = (covariance / torch.maximum(variance, 1e-6 * total)).clamp(-_MAX_SLANT, _MAX_SLANT)
    x = _arange(width, images) + slant[:, None, None] * down[:, :, None]
    y = _arange(height, images)[:, None].expand_as(x)
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    return F.grid_sample(images, grid, align_corners=False)


def image_distortion(first: Tensor, second: Tensor) -> Tensor:
    """Squared image distortion (pairs,) between images (pairs, 1, height, width).

    Image distortion model (Keysers, Deselaers, Gollan & Ney 2007, IEEE TPAMI 29(8), 1422-1435):
    small displacements of parts of an image cost nothing. Each pixel of ``first`` is compared with
    nine pixels of ``second`` at the same place and around, by the squared difference between the
    Sobel gradients of the 3 x 3 pixels around both. The result is the sum over the pixels of
    ``first`` of the smallest difference; it is not symmetric.
    """
    first, second = _gray("first", first).detach(), _gray("second", second).detach()
    if first.shape != second.shape:
        got = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise ValueError(f"first, second: expected equal shapes, got {got}")
    return _cost(_sobel(first, 1), _sobel(second, 2))


def _gray(name: str, images: Any) -> Tensor:
    """Gray images (N, 1, height, width), at least float32; uint8 becomes 0..1."""
    images = as_float(images, name)
    if images.ndim != 4 or images.shape[1] != 1 or 0 in images.shape:
        raise ValueError(f"{name}: expected gray (N, 1, height, width), got {tuple(images.shape)}")
    return images.float() if images.dtype.itemsize < 4 else images


def _arange(n: int, like: Tensor) -> Tensor:
    return torch.arange(n, device=like.device, dtype=like.dtype)


def _sobel(images: Tensor, margin: int) -> Tensor:
    """Sobel gradients (N, 2, height, width), with a border of zeros."""
    across = images.new_tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 4
    gradients = F.conv2d(images, torch.stack([across, across.T])[:, None], padding=1)
    return F.pad(gradients, (margin,) * 4)


def _cost(first: Tensor, second: Tensor) -> Tensor:
    """Squared image distortion (pairs,) from Sobel gradients with borders of 1 and 2."""
    # Pairs come last, so that each displaced slice is contiguous.
    first, second = (g.permute(1, 2, 3, 0).contiguous() for g in (first, second))
    _, height, width, pairs = first.shape
    least = first.new_full((height - 2, width - 2, pairs), torch.inf)
    for down in range(3):
        for right in range(3):
            other = second[:, down : down + height, right : right + width]
            x, y = first[0] - other[0], first[1] - other[1]
            error = x.square_().addcmul_(y, y)
            error = (error[:-2] + error[1:-1]).add_(error[2:])
            error = (error[:, :-2] + error[:, 1:-1]).add_(error[:, 2:])
            torch.minimum(least, error, out=least)
    return least.sum(dim=(0, 1))


@ordinary_torch()
def image_neighbors(
    images: Tensor, n_neighbors: int = 5, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return distances and indices as `nearest_neighbors`, of images by `image_distortion`.

    The images (N, 1, height, width) are gray, with a background of zero. Each image is deskewed,
    reduced to 20 x 20 pixels if larger, and compared with the 60 images nearest by
    `oriented_gradients`, whose principal components need the ``seed``.
    """
    images = as_tensor("images", _gray("images", images)).detach()
    unit = float(images.abs().max()) or 1.0
    images = images / unit  # so that no square leaves the range of float32
    check_integer("n_neighbors", n_neighbors, minimum=1, maximum=len(images) - 1)
    candidates = min(max(_CANDIDATES, n_neighbors), len(images) - 1)
    upright = torch.cat([deskew(block) for block in images.split(_BLOCK)])
    gradients = torch.cat([oriented_gradients(block) for block in upright.split(_BLOCK)])
    rows = principal_components(gradients.cpu().numpy(), seed=seed)
    index = torch.from_numpy(nearest_neighbors(rows, candidates)[1]).to(images.device)
    size = [min(_SIDE, side) for side in images.shape[2:]]
    upright = F.interpolate(upright, size, mode="bilinear", antialias=True)
    first, second = _sobel(upright, 1), _sobel(upright, 2)
    queries = torch.arange(len(images), device=images.device).repeat_interleave(index.shape[1])
    pairs = zip(queries.split(_PAIRS), index.flatten().split(_PAIRS), strict=True)
    costs = [_cost(first[i], second[j]) for i, j in pairs]
    distance = torch.cat(costs).reshape(index.shape).sqrt()
    distance, order = distance.topk(n_neighbors, largest=False, sorted=True)
    return unit * distance.cpu().double().numpy(), index.gather(1, order).cpu().numpy()
