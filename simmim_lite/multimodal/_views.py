"""Two modalities out of one color image."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

# IEC 61966-2-1 (sRGB): linear red, green, blue -> CIE XYZ, over the XYZ of its white, D65.
_TO_XYZ = torch.tensor(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_ROWS = 4096  # images at a time, for the memory of float32


def lightness_and_color(images: Any) -> dict[str, Tensor]:
    """L and ab of the CIE 1976 L*a*b* space: what a gray picture shows, and what it does not.

    Two views of one scene that share what is in it, as in contrastive multiview coding (Tian et al.
    2020, arXiv 1906.05849). Neither can be computed from the other.

    Args:
        images: (N, height, width, 3) uint8 RGB, as `load_cifar10` gives them.

    Returns:
        "lightness" (N, 1, height, width) = L / 100 in 0..1, "color" (N, 2, height, width) =
        a / 100 and b / 100, about -1.1..1; float32.

    Raises:
        ValueError: another shape or type.
    """
    pixels = (
        torch.from_numpy(np.ascontiguousarray(images)) if isinstance(images, np.ndarray) else images
    )
    if not isinstance(pixels, Tensor) or pixels.dtype != torch.uint8 or pixels.shape[3:] != (3,):
        got = f"{pixels.dtype} {tuple(pixels.shape)}" if hasattr(pixels, "shape") else repr(pixels)
        raise ValueError(f"images: expected uint8 (N, height, width, 3), got {got:.200}")
    parts = torch.cat([_lab(part) for part in pixels.split(_ROWS)])
    return {"lightness": parts[:, :1], "color": parts[:, 1:]}


def _lab(pixels: Tensor) -> Tensor:
    """(N, height, width, 3) uint8 -> (N, 3, height, width), L, a and b over 100."""
    encoded = pixels.float() / 255
    linear = torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    xyz = linear @ (_TO_XYZ / _TO_XYZ.sum(dim=1, keepdim=True)).T
    edge = 6 / 29
    root = torch.where(xyz > edge**3, xyz.clamp(min=1e-9) ** (1 / 3), xyz / (3 * edge**2) + 4 / 29)
    x, y, z = root.unbind(dim=3)
    return torch.stack([1.16 * y - 0.16, 5 * (x - y), 2 * (y - z)], dim=1)
