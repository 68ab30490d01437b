"""Offsets and units of columns, and squared distances, without the digits that both can cost.

Torch is imported inside the function that needs it, so that the modules of pure NumPy do not load
it.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

_CONSTANT = 4.0  # units in the last place: a column that varies by less is constant
_SURE = 1e-8  # of the squared norms: smaller squared distances are computed from differences
_NUMBERS = 1 << 22  # differences in memory at a time, 32 MB


def center_and_scale(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation of each column of (N, ...), in float64.

    The scale of a constant column is infinite, so that ``(values - center) / scale`` is 0 there,
    also for other values. A column is constant if rounding its largest number explains how much it
    varies. An offset costs no digits, and no square or sum leaves the range of float64.
    """
    values = np.asarray(values, np.float64)
    first, low, high = values[0], values.min(axis=0), values.max(axis=0)
    half, largest = high / 2 - low / 2, np.maximum(np.abs(low), np.abs(high))
    constant = half <= _CONSTANT * np.finfo(np.float64).eps / 2 * largest
    unit = np.ldexp(1.0, np.frexp(np.where(constant, 1.0, half))[1] - 1)
    near = values / unit - first / unit  # a power of two rounds nothing
    mean = near.mean(axis=0)
    center = np.where(constant, first, (first / unit + mean) * unit)
    return center, np.where(constant, np.inf, np.sqrt(np.square(near - mean).mean(axis=0)) * unit)


def squared_distances(a: "Tensor", b: "Tensor") -> "Tensor":
    """Return squared Euclidean distances (N, M) of rows (N, d) and (M, d), on their device.

    The result is float64 (float32 where the device has no float64) and never below 0. Both sets are
    centered, which leaves distances as they are, before |a|^2 + |b|^2 - 2ab is computed. Where this
    sum loses too many digits, as between close rows of distant groups, the differences are squared
    instead: the distance of equal rows is exactly 0.
    """
    import torch

    wide = torch.float32 if a.device.type == "mps" else torch.float64
    a, b = a.to(wide), b.to(wide)
    center = b.mean(dim=0) if len(b) else 0
    a, b = a - center, b - center
    norms = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1)
    squares = torch.addmm(norms, a, b.T, alpha=-2).clamp_(min=0)
    sure = _SURE if wide == torch.float64 else 1e-3
    rows, columns = torch.nonzero(squares <= sure * norms, as_tuple=True)
    step = max(1, _NUMBERS // max(1, a.shape[1]))
    for i, j in zip(rows.split(step), columns.split(step), strict=True):
        squares[i, j] = (a[i] - b[j]).square().sum(dim=1)
    return squares
