"""A whole memory in one file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simmim_lite.memory._backend import Backend, Contents
from simmim_lite.memory._ledger import Ledger
from simmim_lite.storage import CheckpointError, pack, unpack, write_atomically


@dataclass(frozen=True)
class Snapshot:
    """What the file holds: the header and options of a memory, its items, the next id."""

    header: dict[str, Any]
    options: dict[str, Any]
    contents: Contents
    keys: dict[str, tuple[Tensor, Tensor]]  # by kind, ids and rows
    values: dict[str, dict[int, bytes]]  # by modality
    following: int


def write_snapshot(
    path: Path, header: dict[str, Any], options: dict[str, Any], backend: Backend, ledger: Ledger
) -> None:
    ids = torch.from_numpy(ledger.ids)
    state = {
        "memory": header,
        "options": options,
        "following": backend.following(),
        "items": {
            "ids": ids,
            "groups": torch.from_numpy(ledger.groups),
            "sizes": torch.from_numpy(ledger.sizes),
        },
        "keys": {
            kind: [backend.owners(kind), backend.keys(kind, None)] for kind in backend.kinds()
        },
        "values": {
            modality: _join(ids, backend.values(modality, ids))
            for modality in sorted(backend.modalities())
        },
    }
    write_atomically(path, pack(state))


def read_snapshot(path: Path) -> Snapshot:
    state = unpack(path.read_bytes(), path.name)
    if not isinstance(state, dict) or "memory" not in state or state["memory"]["format"] != 1:
        raise CheckpointError(f"{path.name}: expected what SimulatedMemory.save wrote")
    return Snapshot(
        state["memory"],
        state["options"],
        Contents(**state["items"]),
        {kind: tuple(pair) for kind, pair in state["keys"].items()},
        {modality: _split(*column) for modality, column in state["values"].items()},
        state["following"],
    )


def _join(ids: Tensor, values: list[bytes | None]) -> list[Tensor]:
    """Values end to end: ids, lengths, and bytes as one tensor."""
    there = torch.tensor([value is not None for value in values], dtype=torch.bool)
    present = [value for value in values if value is not None]
    lengths = torch.tensor(list(map(len, present)), dtype=torch.int64)
    joined = torch.from_numpy(np.frombuffer(bytearray(b"".join(present)), np.uint8))
    return [ids[there], lengths, joined]


def _split(ids: Tensor, lengths: Tensor, joined: Tensor) -> dict[int, bytes]:
    content, ends = joined.numpy().tobytes(), lengths.cumsum(0).tolist()
    starts = [0, *ends][:-1]
    return {i: content[a:b] for i, a, b in zip(ids.tolist(), starts, ends, strict=True)}
