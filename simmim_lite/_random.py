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
    import torch

    value = seed_for(seed, purpose)
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.manual_seed(value)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's CPU generator, for the weights of new layers; restore its state afterwards."""
    import torch

    seed = check_integer("seed", seed, minimum=0)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def uniform_integers(
    low: int, high: int, shape: tuple[int, ...], generator: "torch.Generator"
) -> "Tensor":
    """Draw whole numbers low..high, both included, on the device of the generator."""
    import torch

    return torch.randint(low, high + 1, shape, generator=generator, device=generator.device)
