"""Random numbers from a seed; the global random state is neither read nor changed.

Torch is imported inside the functions, so that the modules of pure NumPy do not load it. No
function calls `torch.manual_seed`, which seeds all devices.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from simmim_lite._arguments import check_integer

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def random_generator(seed: int, purpose: str) -> np.random.Generator:
    """Return a generator for one ``purpose``; other purposes draw independent numbers.

    With plain ``default_rng(seed)`` everywhere, the draws that shuffle data or break ties would
    equal the draws that made the data, and an estimator would count this dependence as information.
    """
    return np.random.default_rng([check_integer("seed", seed, minimum=0), *purpose.encode()])


def seed_for(seed: int, purpose: str) -> int:
    """Return a seed for one purpose; see `random_generator`."""
    return int(random_generator(seed, purpose).integers(2**63))


def seed_device(device: "torch.device", seed: int, purpose: str) -> None:
    """Seed torch's generators of the CPU and of this device, which dropout draws from."""
    _seed(device, seed_for(seed, purpose))


def _seed(device: "torch.device", value: int) -> None:
    import torch

    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(value)


@contextmanager
def seeded(seed: int, device: "torch.device | None" = None) -> Iterator[None]:
    """Seed torch's generators of the CPU and of a device; restore their states afterwards.

    The device is by default the one on which torch makes new layers.
    """
    import torch

    seed = check_integer("seed", seed, minimum=0)
    device = torch.empty(0).device if device is None else device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        _seed(device, seed)
        yield


def normal_numbers(seed: int, *shape: int) -> "Tensor":
    """Draw standard normal numbers, float32 on the CPU: a seed gives the same on all devices."""
    import torch

    generator = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
    return torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu")
