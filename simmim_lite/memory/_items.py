"""Items on their way into a memory: checked keys, values as bytes, the encoder's fingerprint."""

import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from simmim_lite._arguments import as_array, as_tensor, is_missing
from simmim_lite.storage import description

INSTANCE = "/instance"
_ARRAY, _TEXT, _BYTES = b"a", b"t", b"b"
_NAME = 200  # bytes of the name of a modality: Milvus allows 512 for a name and numbers
_LARGEST = 1e15  # number in a key that is compared by distance: its square must fit into float32


@dataclass(frozen=True)
class Batch:
    """N items that are written together."""

    keys: Mapping[str, Tensor]  # (N, width) float32 or float64 for each key table
    values: Mapping[str, list[bytes]]  # N encoded values for each modality
    groups: Tensor  # (N,) int64

    def __len__(self) -> int:
        return len(self.groups)


def table_name(modality: str, by: str) -> str:
    """Name of a key table: "image" for semantic keys, "image/instance" for instance keys."""
    return modality if by == "semantic" else modality + INSTANCE


def table_metric(table: str, metric: str) -> str:
    """Metric of a key table: "euclidean" for instance keys, the memory's metric for the others."""
    return "euclidean" if table.endswith(INSTANCE) else metric


def make_batch(
    keys: Mapping[str, Any],
    values: Mapping[str, Sequence[Any]],
    instance: Mapping[str, Any],
    groups: Any,
    *,
    metric: str,
    dim: int,
    shapes: Mapping[str, tuple[int, int]],
) -> Batch:
    """Check and encode the arguments of `SimulatedMemory.write`; ``shapes``: of the key tables."""
    if not keys:
        raise ValueError("keys: expected the keys of at least one modality, got none")
    tables = {}
    for name, by, given in (("keys", "semantic", keys), ("instance", "instance", instance)):
        for modality, rows in given.items():
            _check_modality(name, modality)
            table = table_name(modality, by)
            width = dim if by == "semantic" else shapes.get(table, (0, None))[1]
            unit = table_metric(table, metric) == "cosine"
            tables[table] = as_keys(f"{name}[{modality!r}]", rows, width, unit=unit).detach()
    columns: dict[str, Any] = {f"values[{m!r}]": column for m, column in values.items()}
    columns |= {f"keys {table!r}": rows for table, rows in tables.items()}
    N = len(next(iter(tables.values())))
    for name, column in columns.items():
        if isinstance(column, str | bytes):
            raise TypeError(f"{name}: expected a sequence with a value for each item, got one text")
        if not hasattr(column, "__len__") or isinstance(column, Mapping | Set):
            raise TypeError(f"{name}: expected a sequence, got {type(column).__name__}")
        if len(column) != N:
            raise ValueError(f"{name}: expected {N} rows, as the first keys, got {len(column)}")
    encoded = {}
    for modality, column in values.items():
        _check_modality("values", modality)
        # iteration over a table of pandas gives the names of its columns
        rows = as_array(f"values[{modality!r}]", column) if hasattr(column, "columns") else column
        texts = any(isinstance(x, str) for x in rows)  # nan among them is a missing text
        names = (f"values[{modality!r}][{i}]" for i in range(N))
        encoded[modality] = [encode(*pair, texts) for pair in zip(names, rows, strict=True)]
    groups = as_array("groups", np.zeros(N, np.int64) if groups is None else groups)
    with np.errstate(invalid="ignore"):
        whole = groups.astype(np.int64) if groups.dtype.kind in "biuf" else None
    if whole is None or groups.shape != (N,) or (whole != groups).any():
        got = f"{groups.dtype} of shape {groups.shape}"
        raise ValueError(f"groups: expected {N} whole numbers, got {got}")
    return Batch(tables, encoded, torch.from_numpy(whole))


def _check_modality(name: str, modality: Any) -> None:
    """Raise ValueError unless every backend can store the name of a modality."""
    known = modality.encode(errors="ignore") if isinstance(modality, str) else b""
    if 0 < len(known) <= _NAME and known.decode() == modality and not {"/", "\0"} & {*modality}:
        return
    expected = f"names of modalities, texts without / of 1 to {_NAME} bytes"
    raise ValueError(f"{name}: expected {expected}, got {modality!r:.80}")


def as_keys(name: str, value: Any, dim: int | None, *, unit: bool = False) -> Tensor:
    """Finite rows (N, dim or any width) on the device of ``value``, differentiable.

    They are float32, or float64 if ``value`` has numbers that float32 would round.
    """
    floating = isinstance(value, Tensor) and value.is_floating_point()
    value = as_tensor(name, value, dtype=None if floating else torch.float64)
    if value.ndim != 2 or value.shape[1] != (dim or value.shape[1]) or not value.shape[1]:
        expected = f"(N, {dim})" if dim else "(N, width) with width >= 1"
        raise ValueError(f"{name}: expected shape {expected}, got {tuple(value.shape)}")
    value = value.float() if value.dtype.itemsize < 4 else value
    largest = value.detach().abs().amax(dim=1, keepdim=True)
    if unit:
        usual = (largest > 1e-9) & (largest < 1e9)  # else squares would be 0 or infinite
        tiny = torch.finfo(value.dtype).tiny
        value = normalize(value / torch.where(usual, 1.0, largest.clamp(min=tiny)), dim=1)
    elif (large := largest[:, 0] > _LARGEST).any():
        row = int(large.nonzero()[0])
        expected = f"numbers of at most {_LARGEST:g}"
        raise ValueError(f"{name}: expected {expected}, got {float(largest[row]):g} in row {row}")
    rounded = value.float()
    return value if (rounded != value).any() else rounded


def as_ids(ids: Any) -> Tensor:
    """Ids of any shape as int64 on the CPU."""
    array = as_array("ids", ids)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"ids: expected whole numbers, got {array.dtype}")
    return torch.from_numpy(array.astype(np.int64))


def encode(name: str, value: Any, among_texts: bool = False) -> bytes:
    """Encode an array, a text or bytes: one letter for the type, then the content.

    The numbers of an array follow its dtype and shape. Nothing in a value is ever executed.
    """
    if isinstance(value, str):
        try:
            return _TEXT + value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{name}: expected text, got {value!r:.80}: {error}") from error
    if isinstance(value, bytes):
        return _BYTES + value
    number = hasattr(value, "dtype") or isinstance(value, float)
    if (among_texts or not number) and is_missing(value):
        raise ValueError(f"{name}: expected numbers, text or bytes, got {value}: it is missing")
    if isinstance(value, Tensor) and value.is_complex():
        value = value.detach().cpu().resolve_conj().resolve_neg().numpy()
    array = value if type(value) is np.ndarray else as_array(name, value)
    array = np.ascontiguousarray(array)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"{name}: expected numbers, text or bytes, got {value!r:.80}")
    header = json.dumps([array.dtype.str, np.shape(value)]).encode()
    return _ARRAY + header + b"\n" + array.tobytes()


def decode(content: bytes) -> np.ndarray | str | bytes:
    """The value that `encode` encoded; a tensor or list comes back as an array.

    Raises:
        ValueError: other bytes.
    """
    try:
        if (letter := content[:1]) == _TEXT:
            return content[1:].decode()
        if letter == _BYTES:
            return content[1:]
        end = content.index(b"\n") if letter == _ARRAY else -1
        dtype, shape = json.loads(content[1:end])
        return np.frombuffer(content, np.dtype(str(dtype)), offset=end + 1).reshape(shape).copy()
    except (ValueError, TypeError, SyntaxError, RecursionError) as error:
        raise ValueError(f"values: a stored value is damaged: {content!r:.60}") from error


def fingerprint(encoder: nn.Module) -> str:
    """SHA-256 of the architecture and of every weight of an encoder, as 64 hexadecimal digits.

    Embeddings of two encoders cannot be compared, not even those of one encoder before and after a
    training step. The function reads all weights: call it once and keep the result. The
    architecture is what ``print(encoder)`` shows, without addresses in memory.
    """
    digest = hashlib.sha256(description(encoder).encode())
    for name, value in encoder.state_dict().items():
        if not isinstance(value, Tensor):
            digest.update(f"{name} {description(_exact(value))}\n".encode())
            continue
        content = value.detach().cpu().contiguous()
        digest.update(f"{name} {content.dtype} {tuple(content.shape)}\n".encode())
        digest.update(content.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _exact(state: Any) -> Any:
    """A state whose text has every digit of every number, and the entries of a set in order."""
    if isinstance(state, Mapping):
        return {key: _exact(value) for key, value in state.items()}
    if isinstance(state, Tensor | np.ndarray):
        return f"{state.dtype} {tuple(state.shape)} {state.tolist()}"
    if isinstance(state, Set):
        return sorted(map(description, state))
    return type(state)(map(_exact, state)) if type(state) in (list, tuple) else state


def as_fingerprint(encoder: nn.Module | str | None) -> str | None:
    """Fingerprint of a module; a fingerprint and None are returned unchanged."""
    if encoder is None or isinstance(encoder, str):
        return encoder
    if isinstance(encoder, nn.Module):
        return fingerprint(encoder)
    raise TypeError(f"encoder: expected a module or its fingerprint, got {encoder!r:.80}")


def check_encoder(expected: str | None, encoder: nn.Module | str | None) -> None:
    """Raise ValueError unless ``encoder`` has the fingerprint ``expected``."""
    given = as_fingerprint(encoder)
    if given != expected:
        wanted, got = ("none" if name is None else name[:12] for name in (expected, given))
        reason = "embeddings of different encoders cannot be compared"
        raise ValueError(f"encoder: expected {wanted}, as in this memory, got {got}; {reason}")
