"""Files that survive crashes: atomic writes, checksums, and no executable content.

`pack` turns nested dicts and lists into one safetensors file: tensors, and JSON in the metadata,
with the SHA-256 of the file (computed with 64 zeros in its place). `unpack` parses nothing before
the checksum is verified, and neither format can hold code.

Examples:
    >>> import torch
    >>> from simmim_lite.storage import pack, unpack
    >>> content = pack({"weights": torch.ones(2), "step": 3})
    >>> unpack(content)
    {'weights': tensor([1., 1.]), 'step': 3}
    >>> unpack(content[:-1])
    Traceback (most recent call last):
    simmim_lite.storage.CheckpointError: checkpoint: damaged, ...
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

PARTIAL = ".partial"  # suffix of an unfinished file
_FIELD = b'"sha256":"'  # unescaped, so no string in the JSON of the header contains it
_BLANK = b"0" * 64


class CheckpointError(ValueError):
    """A damaged file, a file of another kind, or a folder without an intact checkpoint."""


def pack(state: Any) -> bytes:
    """Return the bytes of a file with nested dicts, lists and tuples of tensors and JSON values.

    `unpack` returns tuples as lists.
    """
    tensors: dict[str, Tensor] = {}
    text = json.dumps(_without_tensors(state, "", tensors))
    metadata = {"state": text, "sha256": _BLANK.decode()}
    content = bytearray(safetensors.torch.save(tensors, metadata))
    at = content.index(_FIELD) + len(_FIELD)
    content[at : at + 64] = hashlib.sha256(content).hexdigest().encode()
    return bytes(content)


def verify(content: bytes, name: str = "checkpoint") -> None:
    """Raise CheckpointError if any bit of ``content`` differs from the result of `pack`."""
    at = content.find(_FIELD) + len(_FIELD)
    blank = content[:at] + _BLANK + content[at + 64 :]
    if content[at : at + 64] != hashlib.sha256(blank).hexdigest().encode():
        raise CheckpointError(f"{name}: damaged, expected the SHA-256 of its content, got another")


def unpack(content: bytes, name: str = "checkpoint") -> Any:
    """Return the state that `pack` stored, with tensors on the CPU; raises as `verify` does."""
    verify(content, name)
    with expecting(name, "a file of storage.pack"):
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        state = json.loads(header["__metadata__"]["state"])
        return _with_tensors(state, safetensors.torch.load(content))


@contextmanager
def expecting(name: str, expected: str) -> Iterator[None]:
    """Turn any error into a CheckpointError: content of another kind may have its checksum."""
    try:
        yield
    except (CheckpointError, ImportError, OSError):
        raise
    except Exception as error:
        got = f"other content ({type(error).__name__}: {error})"
        raise CheckpointError(f"{name}: expected {expected}, got {got}") from error


def description(value: object) -> str:
    """Return ``str(value)`` without addresses, which another process would not have."""
    return re.sub(r" at 0x[0-9A-Fa-f]+", "", str(value))


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace a file as a whole. Text is written as UTF-8; missing folders are created.

    After a crash at any moment, ``path`` holds the complete old content or the complete new
    content; after an error, the old content, and the temporary file is removed.
    """
    content = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)  # noqa: PTH105  (os.replace is atomic on every system)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the rename is safe only when the folder is on the disk
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _without_tensors(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """JSON value: a tensor becomes ["tensor", name], a dict ["dict", keys and values]."""
    if isinstance(value, Tensor):
        if name in tensors:  # the key "a/b" beside the keys "a" and "b" within it
            name = f"{name}/{len(tensors)}"
        # A copy makes two tensors of tied weights: safetensors refuses shared memory.
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
    raise TypeError(f"{name}: expected a tensor, number or text, got {value!r}")


def _with_tensors(value: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(value, list):
        return value
    kind, content = value
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _with_tensors(item, tensors) for key, item in content}
    return [_with_tensors(item, tensors) for item in content]
