"""Files that survive: written whole or not at all, damage detected, nothing ever executed.

`pack` makes one safetensors file of nested dicts and lists. Tensors are its tensors; everything
else is JSON among its metadata, beside the SHA-256 of the whole file (taken with 64 zeros in its
own place). Nothing in it is parsed before the sum is right, and neither format can hold code.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

PARTIAL = ".partial"  # suffix of a file that is being written
_FIELD = b'"sha256":"'  # unescaped, so it can't be part of a string in the JSON of the header
_BLANK = b"0" * 64


class CheckpointError(ValueError):
    """A file is damaged or is not of the expected kind, or no usable checkpoint exists."""


def pack(state: Any) -> bytes:
    """Bytes of a file with dicts, lists and tuples of tensors and of what JSON knows.

    Tuples come back as lists.
    """
    tensors: dict[str, Tensor] = {}
    text = json.dumps(_without_tensors(state, "", tensors))
    metadata = {"state": text, "sha256": _BLANK.decode()}
    content = bytearray(safetensors.torch.save(tensors, metadata))
    at = content.index(_FIELD) + len(_FIELD)
    content[at : at + 64] = hashlib.sha256(content).hexdigest().encode()
    return bytes(content)


def verify(content: bytes, name: str = "checkpoint") -> None:
    """Raise CheckpointError if ``content`` differs in a single bit from what `pack` returned."""
    at = content.find(_FIELD) + len(_FIELD)
    blank = content[:at] + _BLANK + content[at + 64 :]
    if content[at : at + 64] != hashlib.sha256(blank).hexdigest().encode():
        raise CheckpointError(f"{name}: damaged, its SHA-256 is not the one it was written with")


def unpack(content: bytes, name: str = "checkpoint") -> Any:
    """State that `pack` was given, with tensors on the CPU; raises as `verify` does."""
    verify(content, name)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    state = json.loads(header["__metadata__"]["state"])
    return _with_tensors(state, safetensors.torch.load(content))


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace a file as a whole; text is written as UTF-8, missing folders are made.

    After a crash at any moment, ``path`` holds all of the old content or all of the new. After an
    error it holds the old content, and the temporary file is removed.
    """
    content = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL)
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)  # noqa: PTH105  (the name says what matters: an atomic replace)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the rename itself is safe once the folder is on the disk
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _without_tensors(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """``value`` for JSON: a tensor becomes ["tensor", name], a dict ["dict", keys and values]."""
    if isinstance(value, Tensor):
        if name in tensors:  # the keys "a/b" and "a", "b" within it
            name = f"{name}/{len(tensors)}"
        # A copy, so that tied weights are two tensors: the format knows no shared memory.
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return ["tensor", name]
    if isinstance(value, dict):
        items = [
            [key, _without_tensors(item, f"{name}/{key}".lstrip("/"), tensors)]
            for key, item in value.items()
        ]
        return ["dict", items]
    if isinstance(value, list | tuple):
        items = [_without_tensors(item, f"{name}/{i}", tensors) for i, item in enumerate(value)]
        return ["list", items]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{name}: a checkpoint holds tensors, numbers and text, got {value!r}")


def _with_tensors(value: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(value, list):
        return value
    kind, content = value
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _with_tensors(item, tensors) for key, item in content}
    return [_with_tensors(item, tensors) for item in content]
