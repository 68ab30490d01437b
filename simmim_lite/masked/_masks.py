"""Patches of images, and masks that hide some of them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from simmim_lite._arguments import as_array, check_choice, check_integer, check_number

KINDS = ("random", "square", "block")


def patchify(images: Tensor, patch: int) -> Tensor:
    """Return the patches (N, T, C patch^2) of images (N, C, height, width), row by row."""
    if images.ndim != 4 or images.shape[2] % patch or images.shape[3] % patch:
        expected = f"shape (N, C, height, width), sides divisible by patch = {patch}"
        raise ValueError(f"images: expected {expected}, got {tuple(images.shape)}")
    height, width = images.shape[2:]
    cut = images.unflatten(2, (height // patch, patch)).unflatten(4, (width // patch, patch))
    return cut.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def as_masks(masks: Any, shape: tuple[int, ...]) -> Tensor:
    """Return masks of bool of this shape as a tensor; -1 stands for any number."""
    found: Any = masks if isinstance(masks, Tensor) else as_array("masks", masks)
    if isinstance(found, np.ndarray) and found.dtype == bool:
        found = torch.from_numpy(found)
    sizes = zip(found.shape, shape, strict=False)
    fits = found.ndim == len(shape) and all(wanted in (size, -1) for size, wanted in sizes)
    if found.dtype != torch.bool or not fits:
        got = f"{found.dtype} of shape {tuple(found.shape)}"
        raise ValueError(f"masks: expected torch.bool of shape {shape}, got {got}")
    return found


def unpatchify(patches: Tensor, shape: tuple[int, int, int], patch: int) -> Tensor:
    """Return the images (N, C, height, width) of patches; the inverse of `patchify`."""
    channels, height, width = shape
    rows, columns = height // patch, width // patch
    expected = rows * columns, channels * patch**2
    if patches.shape[1:] != expected:
        got = tuple(patches.shape)
        raise ValueError(f"patches: expected shape (N, {expected[0]}, {expected[1]}), got {got}")
    cut = patches.unflatten(2, (channels, patch, patch)).unflatten(1, (rows, columns))
    return cut.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)


def random_masks(
    n: int,
    grid: tuple[int, int],
    ratio: float,
    *,
    kind: str = "random",
    unit: int = 1,
    generator: torch.Generator,
) -> Tensor:
    """Return masks (n, rows columns) of a grid of patches, true where a patch is hidden.

    Every mask hides exactly ``ratio`` of the patches, rounded; at least one is hidden and one
    visible. The masks are on the device of the generator.

    Args:
        grid: rows and columns of patches.
        kind: "random", units at random places (Xie et al. 2022, arXiv 2111.09886, section 3.2);
            "square", one square at a random place; "block", random rectangles (Bao et al. 2022,
            arXiv 2106.08254, algorithm 1). What is too much of the last of them stays visible.
        unit: side of a unit, in patches.
    """
    check_integer("n", n, minimum=0)
    check_number("ratio", ratio, minimum=0.0, maximum=1.0)
    check_choice("kind", kind, KINDS)
    rows, columns = (check_integer("grid", side, minimum=1) for side in grid)
    check_integer("unit", unit, minimum=1, maximum=max(rows, columns))
    if rows * columns < 2:
        raise ValueError(f"grid: expected at least two patches, got {rows} x {columns}")
    hidden = min(max(round(ratio * rows * columns), 1), rows * columns - 1)
    if kind == "random":
        return _units(n, rows, columns, hidden, unit, generator)
    make = _square if kind == "square" else _blocks
    seed = int(torch.randint(2**63 - 1, (), generator=generator, device=generator.device))
    on_cpu = torch.Generator().manual_seed(seed)
    masks = [make(rows, columns, hidden, on_cpu).flatten() for _ in range(n)]
    empty = torch.zeros(0, rows * columns, dtype=torch.bool)
    return torch.stack([*masks]).to(generator.device) if n else empty.to(generator.device)


def _units(
    n: int, rows: int, columns: int, hidden: int, unit: int, generator: torch.Generator
) -> Tensor:
    """Masks that hide one unit after another, and of the last one as many patches as are left."""
    shape = n, -(-rows // unit), -(-columns // unit)
    how: Any = {"generator": generator, "device": generator.device, "dtype": torch.float32}
    order = torch.rand(shape, **how).flatten(1).argsort(dim=1)
    turn = order.argsort(dim=1).view(shape)  # of each unit
    turns = turn.repeat_interleave(unit, dim=1).repeat_interleave(unit, dim=2)
    turns = turns[:, :rows, :columns].flatten(1)
    within = torch.rand(turns.shape, **how)
    first = (turns + within).argsort(dim=1)[:, :hidden]
    return torch.zeros_like(turns, dtype=torch.bool).scatter(1, first, True)


def _square(rows: int, columns: int, hidden: int, generator: torch.Generator) -> Tensor:
    """A square at a random place, whose last row is cut to the exact number."""
    side = min(int(np.ceil(np.sqrt(hidden))), rows, columns)
    side = columns if -(-hidden // side) > rows else side
    deep = -(-hidden // side)
    top = int(torch.randint(rows - deep + 1, (), generator=generator))
    left = int(torch.randint(columns - side + 1, (), generator=generator))
    mask = torch.zeros(rows, columns, dtype=torch.bool)
    mask[top : top + deep, left : left + side] = True
    mask[top + deep - 1, left : left + deep * side - hidden] = False
    return mask


def _blocks(rows: int, columns: int, hidden: int, generator: torch.Generator) -> Tensor:
    """Rectangles of aspect 0.3 to 3.3, until exactly ``hidden`` patches are covered."""
    mask = torch.zeros(rows, columns, dtype=torch.bool)
    while (missing := hidden - int(mask.sum())) > 0:
        area, aspect = torch.rand(2, generator=generator, device="cpu").tolist()
        area = max(1.0, area * missing)
        aspect = float(np.exp((2 * aspect - 1) * np.log(10 / 3)))
        deep = min(max(round((area * aspect) ** 0.5), 1), rows)
        wide = min(max(round((area / aspect) ** 0.5), 1), columns)
        top = int(torch.randint(rows - deep + 1, (), generator=generator))
        left = int(torch.randint(columns - wide + 1, (), generator=generator))
        block = torch.zeros_like(mask)
        block[top : top + deep, left : left + wide] = True
        new = (block & ~mask).flatten().nonzero()[:missing]
        mask.view(-1)[new] = True
    return mask
