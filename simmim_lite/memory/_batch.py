"""Items on their way into a memory, checked and encoded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from simmim_lite._arguments import as_array
from simmim_lite.memory._values import encode_all

_INSTANCE = "/instance"


@dataclass(frozen=True)
class Batch:
    """Items to be written together.

    Attributes:
        keys: by the name of the kind of key, (N, its dim) float32.
        values: by modality, N encoded values.
        groups: (N,) int64.
    """

    keys: Mapping[str, Tensor]
    values: Mapping[str, list[bytes]]
    groups: Tensor

    def __len__(self) -> int:
        return len(self.groups)

    def sizes(self) -> Tensor:
        """Bytes of keys and values of each item, (N,) int64."""
        keys = sum(4 * keys.shape[1] for keys in self.keys.values())
        lengths = [list(map(len, column)) for column in self.values.values()]
        values = torch.tensor(lengths, dtype=torch.int64).reshape(-1, len(self)).sum(dim=0)
        return values + keys


def kind_of(modality: str, by: str) -> str:
    """Name of a kind of keys: "image", or "image/instance"."""
    return modality if by == "semantic" else modality + _INSTANCE


def metric_of(kind: str, metric: str) -> str:
    """Instance keys are compared by distance, whatever the memory's own metric."""
    return "euclidean" if kind.endswith(_INSTANCE) else metric


def make_batch(
    keys: Mapping[str, Any],
    values: Mapping[str, Sequence[Any]],
    instance: Mapping[str, Any],
    groups: Any,
    *,
    metric: str,
    dim: int,
    dims: Mapping[str, int],
) -> Batch:
    """Check what `SimulatedMemory.write` was given; ``dims`` are those of the kinds there are."""
    if not keys:
        raise ValueError("keys: expected those of one modality at least, got none")
    ready = {}
    for name, by, given in (("keys", "semantic", keys), ("instance", "instance", instance)):
        for modality, rows in given.items():
            if not isinstance(modality, str) or "/" in modality or not modality:
                raise ValueError(f"{name}: expected names of modalities, got {modality!r}")
            kind = kind_of(modality, by)
            wanted = dim if by == "semantic" else dims.get(kind)
            ready[kind] = as_keys(f"{name}[{modality!r}]", rows, wanted, metric_of(kind, metric))
    columns = {f"values[{m!r}]": column for m, column in values.items()}
    columns |= {f"keys {kind!r}": rows for kind, rows in ready.items()}
    N = len(next(iter(ready.values())))
    for name, column in columns.items():
        if isinstance(column, str | bytes):
            raise TypeError(f"{name}: expected a sequence with a value for each item, got one text")
        if len(column) != N:
            raise ValueError(
                f"{name}: expected {N} rows, as many as the first keys, got {len(column)}"
            )
    encoded = {m: encode_all(f"values[{m!r}]", column) for m, column in values.items()}
    return Batch(ready, encoded, _as_groups(groups, N))


def as_keys(name: str, value: Any, dim: int | None, metric: str) -> Tensor:
    """(N, dim) finite float32, of length one if cosines are to be compared; a gradient stays."""
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
        row = int(bad.nonzero()[0])
        raise ValueError(
            f"{name}: expected finite numbers, got others in row {row} ({int(bad.sum())} bad rows)"
        )
    return normalize(value, dim=1) if metric == "cosine" else value


def as_ids(ids: Any) -> Tensor:
    """Ids of any shape, int64."""
    ids = torch.as_tensor(ids) if isinstance(ids, Tensor) else torch.from_numpy(np.asarray(ids))
    if ids.numel() and (ids.dtype.is_floating_point or ids.dtype == torch.bool):
        raise TypeError(f"ids: expected whole numbers, got {ids.dtype}")
    return ids.detach().cpu().long()


def _as_groups(groups: Any, N: int) -> Tensor:
    if groups is None:
        return torch.zeros(N, dtype=torch.int64)
    groups = as_array("groups", groups)
    if groups.dtype.kind not in "iu" or groups.shape != (N,):
        raise ValueError(
            f"groups: expected {N} whole numbers, got {groups.dtype} of shape {groups.shape}"
        )
    return torch.from_numpy(groups.astype(np.int64))
