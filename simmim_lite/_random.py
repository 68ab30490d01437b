"""Random numbers that follow from a seed; the global state is neither read nor changed.

Torch is imported inside the functions, so that the modules of pure NumPy do not load it.
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
    """Random numbers for one ``purpose``: with the same ``seed``, another purpose gets others.

    With plain ``default_rng(seed)`` everywhere, the draws that shuffle or break ties in data would
    be the very draws that made the data, and their dependence would pass for information.
    """
    return np.random.default_rng([check_integer("seed", seed, minimum=0), *purpose.encode()])


def seed_for(seed: int, purpose: str) -> int:
    """A seed of its own for each purpose."""
    return int(random_generator(seed, purpose).integers(2**63))


def seed_device(device: "torch.device", seed: int, purpose: str) -> None:
    """Seed what dropout on this device draws from; `torch.manual_seed` would reach others, too."""
    import torch

    value = seed_for(seed, purpose)
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.manual_seed(value)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, the weights of new layers follow from ``seed``; outside, random numbers go on."""
    import torch

    seed = check_integer("seed", seed, minimum=0)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reach every GPU too
        yield


def uniform_integers(
    low: int, high: int, shape: tuple[int, ...], generator: "torch.Generator"
) -> "Tensor":
    """Whole numbers low..high, both included, on the device of the generator."""
    import torch

    return torch.randint(low, high + 1, shape, generator=generator, device=generator.device)
