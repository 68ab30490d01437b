"""Torch's ambient state: set aside where the package trains networks of its own.

Everything here belongs to the thread. The default dtype belongs to the whole process and is not
changed: new tensors name theirs. Layers that a caller builds have the caller's dtype and device.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def gradients() -> Iterator[None]:
    """Record gradients, also for a caller in `torch.no_grad` or `torch.inference_mode`."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


@contextmanager
def cpu_by_default() -> Iterator[None]:
    """Make new tensors on the CPU where no device is named."""
    with ExitStack() as stack:
        if torch.empty(0).device.type != "cpu":  # the context slows down each call of torch
            stack.enter_context(torch.device("cpu"))
        yield


@contextmanager
def ordinary_torch() -> Iterator[None]:
    """Record gradients, make new tensors on the CPU, and switch autocast off.

    A context manager, or a decorator of functions: ``@ordinary_torch()``. The caller's state comes
    back afterwards. Deterministic algorithms remain as the caller set them.
    """
    with ExitStack() as stack:
        stack.enter_context(gradients())
        stack.enter_context(cpu_by_default())
        for kind in ("cpu", "cuda", "mps"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


def like_parameters(module: nn.Module, values: Tensor) -> Tensor:
    """Return values on the device of the parameters, and floating point values in their dtype.

    Half precision stays within autocast; nothing changes without parameters."""
    # A loop, not next(), which torch.export of torch 2.6 does not know; weights can be int8.
    for like in [p for p in module.parameters() if p.is_floating_point()]:
        half = values.dtype.itemsize < 4 and torch.is_autocast_enabled(like.device.type)
        dtype = like.dtype if values.is_floating_point() and not half else values.dtype
        return values.to(like.device, dtype)
    return values
