"""An accelerator that is not there: tensors without numbers, on a device "acc".

Each operation checks shapes, dtypes and devices, as on a GPU: a tensor left on the CPU is an error.
No operation computes anything. So this proves devices, and no number. Code that asks for a number
gets a stand-in, see `_StandIns`.

The names of torch that this needs are private, and all of them are here. The accelerator is there
until the process ends, so `tests/test_devices.py` takes a process of its own.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration

NAME = "acc"
CHECKS = {"all", "isfinite"}
TRUE = CHECKS | {"ge", "le", "__ge__", "__le__"}  # functions whose results are true


def missing() -> str | None:
    """Say why this version of torch has no fake accelerator, or None if it has."""
    try:
        from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: F401
    except ImportError as error:
        return str(error)
    if not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"):
        return f"torch {torch.__version__} cannot register a device from Python"
    return None


@contextmanager
def fake_accelerator() -> Iterator[torch.device]:
    """Give the device; all tensors made inside are fake, also those on the CPU."""
    device, mode = _register()
    with (
        patch.object(nn.Module, "_apply", _apply),
        patch.object(torch, "Generator", _Generator),
        mode,
        _StandIns(),
    ):
        yield device


@functools.cache
def _register() -> tuple[torch.device, Any]:
    from torch._subclasses.fake_tensor import FakeTensorMode

    backend_registration._setup_privateuseone_for_python_backend(NAME)
    module = getattr(torch, NAME)
    module.get_amp_supported_dtype = lambda: [torch.bfloat16, torch.float16]
    return torch.device(NAME, 0), FakeTensorMode()


class _Generator(torch.Generator):
    """A generator that says which device it is on."""

    def __new__(cls, device: Any = "cpu") -> "_Generator":
        return super().__new__(cls)

    def __init__(self, device: Any = "cpu"):
        self._device = torch.device(device)

    @property
    def device(self) -> torch.device:
        return self._device


class _StandIns(TorchFunctionMode):
    """Answers where code asks a tensor for numbers, and two checks that fake tensors lack.

    A number is 1. Valid data is assumed: the functions of `TRUE` are true, `any` and all else is
    false. `nonzero` finds nothing, and a mask takes everything. Random numbers must have the device
    of their generator.
    """

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs, name = kwargs or {}, func.__name__
        if name == "__bool__":
            return getattr(args[0], "stands_for", False)
        if name in ("item", "__float__", "__int__", "__index__"):
            return 1.0 if args[0].is_floating_point() else 1
        if name == "tolist":
            return _ones(args[0].shape, 1.0 if args[0].is_floating_point() else 1)
        if name in ("numpy", "__array__"):
            if args[0].device.type != "cpu":
                raise TypeError(f"numpy: expected a tensor on the CPU, got {args[0].device}")
            return np.ones(args[0].shape, str(args[0].dtype).removeprefix("torch."))
        if name == "nonzero":
            empty = torch.empty(0, dtype=torch.int64, device=args[0].device)
            columns = (empty,) * args[0].ndim
            return columns if kwargs.get("as_tuple") else torch.stack(columns, dim=1)
        if name in ("tensor", "as_tensor", "new_tensor") and not isinstance(args[-1], Tensor):
            device = kwargs.pop("device", args[0].device if name == "new_tensor" else None)
            result = torch.tensor(args[-1], dtype=kwargs.get("dtype"), device="cpu")
            result.constant = None  # the numbers
            return result.to(torch.empty(0).device if device is None else device)
        if name == "__getitem__" and isinstance(args[1], Tensor) and args[1].dtype == torch.bool:
            mask = args[1].to(args[0].device) if args[1].device.type == "cpu" else args[1]
            lead, rest = args[0].shape[: mask.ndim], args[0].shape[mask.ndim :]
            whole = mask.view(*lead, *[1] * len(rest))  # an error on another device
            return torch.where(whole, args[0], 0).reshape(-1, *rest)
        if name == "__deepcopy__":  # else of the mode, too
            copy = args[0].detach().clone()
            return nn.Parameter(copy) if isinstance(args[0], nn.Parameter) else copy
        if name == "zeros":  # a size in a tensor
            args = tuple(1 if isinstance(part, Tensor) else part for part in args)
        if name in _RECURRENT:
            return _RECURRENT[name](*args, **kwargs)
        if name == "to":
            args[0].constant = None  # the numbers, of `from_numpy`
        result = func(*args, **kwargs)
        generator = kwargs.get("generator")
        if generator is not None and result.device.type != generator.device.type:
            raise RuntimeError(f"{name}: {result.device} from a generator on {generator.device}")
        if name in TRUE:
            result.stands_for = True
        return result


def _gru(x: Tensor, *args: Any) -> tuple[Tensor, Tensor]:
    """All operands of a GRU, whose kernels fake tensors lack: (..., columns) -> (..., hidden)."""
    state, weights, *_ = args if x.ndim == 3 else args[1:]  # without the sizes of packed batches
    parts = []
    for i in range(len(state)):
        of_x, of_state, bias_x, bias_state = weights[4 * i : 4 * i + 4]
        hidden = of_state.shape[1]
        gates = x @ of_x.T + bias_x + (state[i, 0] @ of_state.T + bias_state)
        parts.append(gates[..., :hidden].tanh())
    return torch.cat(parts, dim=-1), state


def _pack(x: Tensor, lengths: Tensor, batch_first: bool) -> tuple[Tensor, Tensor]:
    if lengths.device.type != "cpu":
        raise RuntimeError(f"lengths: expected the CPU, got {lengths.device}")
    N, length = x.shape[:2]
    return x.reshape(N * length, -1), torch.full((length,), N, device="cpu")


def _pad(x: Tensor, sizes: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    length = len(sizes)
    padded = x.reshape(-1, length, x.shape[-1])
    return padded, torch.full((len(padded),), length, device="cpu")


_RECURRENT = {"gru": _gru, "_pack_padded_sequence": _pack, "_pad_packed_sequence": _pad}


def _ones(shape: tuple[int, ...], one: float) -> Any:
    return [_ones(shape[1:], one) for _ in range(shape[0])] if shape else one


def _apply(module: nn.Module, function: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
    """`nn.Module._apply`, which cannot move fake parameters in place: with new parameters."""
    for child in module.children() if recurse else ():
        child._apply(function)
    with torch.no_grad():
        for name, old in module._parameters.items():
            if old is not None:
                module._parameters[name] = nn.Parameter(function(old), old.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = function(buffer)
    return module
