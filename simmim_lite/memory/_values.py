"""Values as bytes and back: arrays, sentences, bytes. Nothing in them is ever executed."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from simmim_lite._arguments import as_array

_ARRAY, _TEXT, _BYTES = b"a", b"t", b"b"


def encode(name: str, value: Any) -> bytes:
    """One letter for the kind, then the content; before an array's numbers its dtype and shape."""
    if isinstance(value, str):
        return _TEXT + value.encode()
    if isinstance(value, bytes):
        return _BYTES + value
    array = np.ascontiguousarray(as_array(name, value))
    if array.dtype.kind not in "biufc":
        raise TypeError(f"{name}: expected numbers, text or bytes, got {value!r:.80}")
    header = json.dumps([array.dtype.str, np.shape(value)]).encode()
    return _ARRAY + header + b"\n" + array.tobytes()


def decode(content: bytes) -> np.ndarray | str | bytes:
    """What `encode` was given; a tensor or list comes back as an array."""
    kind = content[:1]
    if kind == _TEXT:
        return content[1:].decode()
    if kind == _BYTES:
        return content[1:]
    end = content.index(b"\n")
    dtype, shape = json.loads(content[1:end])
    return np.frombuffer(content, dtype, offset=end + 1).reshape(shape).copy()


def encode_all(name: str, values: Sequence[Any]) -> list[bytes]:
    """`encode` for each; ``name`` is the argument that an error blames, with the row."""
    return [encode(f"{name}[{row}]", value) for row, value in enumerate(values)]
