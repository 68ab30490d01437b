"""Checkpoints that survive: whole or not there, damage detected, nothing ever executed.

A checkpoint is one safetensors file. Tensors are its tensors; everything else is JSON among its
metadata, beside the SHA-256 of the whole file (taken with 64 zeros in its own place). It is
written to a temporary file, forced to the disk, and renamed, so that a reader sees all of it or
nothing. Nothing in it is parsed before the sum is right, and neither format can hold code.
"""

import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from filelock import FileLock, Timeout
from torch import Tensor

_FIELD = b'"sha256":"'  # unescaped, so it can't be part of a string in the JSON of the header
_BLANK = b"0" * 64
_SUFFIX, _PARTIAL, _DAMAGED = ".safetensors", ".partial", ".damaged"


class CheckpointError(ValueError):
    """A checkpoint is damaged, or there is none that could be used."""


def pack(state: Any) -> bytes:
    """The bytes of a checkpoint: dicts, lists and tuples of tensors and of what JSON knows.

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
    """Raise CheckpointError if ``content`` differs in a single bit from what `pack` gave."""
    at = content.find(_FIELD) + len(_FIELD)
    blank = content[:at] + _BLANK + content[at + 64 :]
    if content[at : at + 64] != hashlib.sha256(blank).hexdigest().encode():
        raise CheckpointError(f"{name}: damaged, its SHA-256 is not the one it was written with")


def unpack(content: bytes, name: str = "checkpoint") -> Any:
    """What `pack` was given, tensors on the CPU; raises as `verify` does."""
    verify(content, name)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    state = json.loads(header["__metadata__"]["state"])
    return _with_tensors(state, safetensors.torch.load(content))


def write_atomically(path: Path, content: bytes) -> None:
    """After a crash at any moment, ``path`` holds all of the old content or all of the new."""
    partial = path.with_name(path.name + _PARTIAL)
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)  # noqa: PTH105  (the name says what matters: replaces, atomically)
    if os.name == "posix":  # the rename itself is safe once the folder is on the disk
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class CheckpointFolder:
    """The newest ``keep`` checkpoints of one run; to be used as a context, by one process.

    While it is open no other run can open it. What a killed one left half-written is removed.
    """

    def __init__(self, path: str | Path, *, keep: int):
        self.path, self.keep = Path(path), keep

    def __enter__(self) -> "CheckpointFolder":
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.path / ".lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ValueError(f"checkpoints: another run is writing to {self.path}") from None
        for partial in self.path.glob(f"step-*{_SUFFIX}{_PARTIAL}"):
            partial.unlink()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def files(self) -> list[Path]:
        """Checkpoints, the oldest first."""
        return sorted(self.path.glob(f"step-*{_SUFFIX}"))

    def save(self, step: int, state: Any) -> None:
        """Write a checkpoint, and remove those that are one too many."""
        write_atomically(self.path / f"step-{step:010d}{_SUFFIX}", pack(state))
        for old in self.files()[: -self.keep]:
            old.unlink()

    def newest(self) -> tuple[str, bytes] | None:
        """Name and content of the newest intact checkpoint; None if there never was one.

        A damaged one is put aside, as ``*.damaged``, with a warning.
        """
        damaged = []
        for path in reversed(self.files()):
            content = path.read_bytes()
            try:
                verify(content, path.name)
            except CheckpointError:
                path.replace(path.with_name(path.name + _DAMAGED))
                damaged.append(path.name)
                continue
            if damaged:
                message = f"damaged and put aside: {', '.join(damaged)}; going on from {path.name}"
                warnings.warn(message, stacklevel=2)
            return path.name, content
        if damaged:
            raise CheckpointError(
                f"{self.path}: no checkpoint is intact, {', '.join(damaged)} put aside as "
                f"*{_DAMAGED}; resume=False begins anew"
            )
        return None


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
