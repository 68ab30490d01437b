"""Items on their way into a memory: checked keys, values as bytes, the encoder's fingerprint."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from simmim_lite._arguments import as_array

_INSTANCE = "/instance"
_ARRAY, _TEXT, _BYTES = b"a", b"t", b"b"


@dataclass(frozen=True)
class Batch:
    """N items that are written together."""

    keys: Mapping[str, Tensor]  # (N, width) float32 for each key table
    values: Mapping[str, list[bytes]]  # N encoded values for each modality
    groups: Tensor  # (N,) int64

    def __len__(self) -> int:
        return len(self.groups)


def table_name(modality: str, by: str) -> str:
    """Name of a key table: "image" for semantic keys, "image/instance" for instance keys."""
    return modality if by == "semantic" else modality + _INSTANCE


def table_metric(table: str, metric: str) -> str:
    """Metric of a key table: "euclidean" for instance keys, the memory's metric for the others."""
    return "euclidean" if table.endswith(_INSTANCE) else metric


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
            if not isinstance(modality, str) or "/" in modality or not modality:
                raise ValueError(f"{name}: expected names of modalities, got {modality!r}")
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
        if len(column) != N:
            raise ValueError(f"{name}: expected {N} rows, as the first keys, got {len(column)}")
    encoded = {
        m: [encode(f"values[{m!r}][{row}]", value) for row, value in enumerate(column)]
        for m, column in values.items()
    }
    groups = as_array("groups", np.zeros(N, np.int64) if groups is None else groups)
    if groups.dtype.kind not in "iu" or groups.shape != (N,):
        got = f"{groups.dtype} of shape {groups.shape}"
        raise ValueError(f"groups: expected {N} whole numbers, got {got}")
    return Batch(tables, encoded, torch.from_numpy(groups.astype(np.int64)))


def as_keys(name: str, value: Any, dim: int | None, *, unit: bool = False) -> Tensor:
    """Finite float32 rows (N, dim or any width) on the device of ``value``, differentiable."""
    if not isinstance(value, Tensor):
        value = torch.from_numpy(np.ascontiguousarray(as_array(name, value)))
    if value.dtype.is_complex or value.dtype == torch.bool:
        raise TypeError(f"{name}: expected real numbers, got {value.dtype}")
    if value.ndim != 2 or value.shape[1] != (dim or value.shape[1]) or not value.shape[1]:
        expected = f"(N, {dim})" if dim else "(N, width) with width >= 1"
        raise ValueError(f"{name}: expected shape {expected}, got {tuple(value.shape)}")
    value = value.float()
    bad = ~value.detach().isfinite().all(dim=1)
    if bad.any():
        row, rows = int(bad.nonzero()[0]), int(bad.sum())
        raise ValueError(f"{name}: expected finite numbers, got {rows} bad rows, first row {row}")
    return normalize(value, dim=1) if unit else value


def as_ids(ids: Any) -> Tensor:
    """Ids of any shape as int64 on the CPU."""
    ids = ids if isinstance(ids, Tensor) else torch.from_numpy(np.asarray(ids))
    if ids.numel() and (ids.dtype.is_floating_point or ids.dtype == torch.bool):
        raise TypeError(f"ids: expected whole numbers, got {ids.dtype}")
    return ids.detach().cpu().long()


def encode(name: str, value: Any) -> bytes:
    """Encode an array, a text or bytes: one letter for the type, then the content.

    The numbers of an array follow its dtype and shape. Nothing in a value is ever executed.
    """
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
    """The value that `encode` encoded; a tensor or list comes back as an array."""
    letter = content[:1]
    if letter != _ARRAY:
        return content[1:].decode() if letter == _TEXT else content[1:]
    end = content.index(b"\n")
    dtype, shape = json.loads(content[1:end])
    return np.frombuffer(content, dtype, offset=end + 1).reshape(shape).copy()


def fingerprint(encoder: nn.Module) -> str:
    """SHA-256 of the architecture and of every weight of an encoder, as 64 hexadecimal digits.

    Embeddings of two encoders cannot be compared, not even those of one encoder before and after a
    training step. The function reads all weights: call it once and keep the result.
    """
    digest = hashlib.sha256(str(encoder).encode())
    for name, tensor in encoder.state_dict().items():
        content = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {content.dtype} {tuple(content.shape)}\n".encode())
        digest.update(content.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


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
        raise ValueError(
            f"encoder: expected {wanted}, the encoder of this memory, got {got}; "
            "embeddings of different encoders cannot be compared"
        )
