"""Weights that the package carries, so that a notebook can skip its long trainings."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from simmim_lite.datasets._files import embedded
from simmim_lite.storage import expecting, pack, unpack, write_atomically
from simmim_lite.training._resume import History


def load_trained(name: str, *parts: Any) -> History | None:
    """Fill modules and arrays with what a full training left in them; return its `History`.

    ``parts`` are modules, arrays, and lists and dicts of these, as the training made them: one step
    is enough to make them. Numbers were stored in half precision, so results differ in the third
    or fourth digit. The command ``python -m simmim_lite build --weights`` makes the files. A
    damaged file, or one of other parts, raises CheckpointError.
    """
    path = embedded(f"weights/{name}.safetensors")
    if path is None:
        raise ValueError(f"name: expected the name of stored weights, got {name!r}")
    state = unpack(path.read_bytes(), path.name)
    with expecting(path.name, f"weights of these {len(parts)} parts"):
        stored = state["parts"]
        for part, content in zip(_leaves(parts), stored, strict=True):
            if isinstance(part, nn.Module):
                part.load_state_dict(content)
                part.eval()
            else:
                if content.shape != part.shape:
                    got = f"{tuple(content.shape)} in place of {part.shape}"
                    raise ValueError(f"an array of shape {got}")
                np.copyto(part, content.numpy(), casting="no")
    return None if state["history"] is None else History(**state["history"])


def save_trained(folder: Path, name: str, *parts: Any, history: History | None = None) -> None:
    """Write what `load_trained` reads."""
    stored = [
        {key: _half(value) for key, value in part.state_dict().items()}
        if isinstance(part, nn.Module)
        else torch.from_numpy(part)
        for part in _leaves(parts)
    ]
    record = None if history is None else dataclasses.asdict(history)
    content = pack({"parts": stored, "history": record})
    write_atomically(folder / f"{name}.safetensors", content)


def _half(values: Tensor) -> Tensor:
    return values.half() if values.is_floating_point() else values


def _leaves(parts: Any) -> Iterator[nn.Module | np.ndarray]:
    if isinstance(parts, nn.Module | np.ndarray):
        yield parts
    elif isinstance(parts, dict):
        yield from _leaves(list(parts.values()))
    elif isinstance(parts, list | tuple):
        for part in parts:
            yield from _leaves(part)
    else:
        expected = "modules, arrays, and lists and dicts of these"
        raise TypeError(f"parts: expected {expected}, got {type(parts).__name__}")
