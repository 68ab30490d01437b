"""Resuming a run: its folder of checkpoints, and whether they are of this run at all."""

import re
import warnings
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from filelock import FileLock, Timeout
from torch import nn
from torch.utils.data import DataLoader

from simmim_lite.storage import PARTIAL, CheckpointError, pack, unpack, verify, write_atomically
from simmim_lite.training._batches import Batches, leaves
from simmim_lite.training._history import EpochMeans, History
from simmim_lite.training._trainer import Trainer

_SUFFIX, _DAMAGED = ".safetensors", ".damaged"


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
        for partial in self.path.glob(f"step-*{_SUFFIX}{PARTIAL}"):
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


class Saved:
    """Writes the state of a run to a folder, and restores it from there, in all processes.

    Args:
        folder: None in all processes but the first, and where nothing is to be saved.
        description: what has to be the same for a run to go on; see `describe`.
    """

    def __init__(self, trainer: Trainer, folder: CheckpointFolder | None, description: dict):
        self.trainer, self.folder, self.description = trainer, folder, description

    def save(self, history: History, means: EpochMeans) -> None:
        if self.folder is None:
            return
        state = {
            "description": self.description,
            "history": {
                "epochs": history.epochs,
                "steps": history.steps,
                "seconds": history.seconds,
            },
            "means": means.state(),
            "trainer": self.trainer.state(),
        }
        self.folder.save(history.steps, state)

    def restore(self, device: torch.device) -> tuple[History, EpochMeans]:
        """The state of the newest intact checkpoint, or that of a run that begins."""
        found = self.folder.newest() if self.folder else None
        name, content = found or ("the checkpoint of the first process", b"")
        content = _broadcast(content, device)
        if not content:
            return History(), EpochMeans()
        state = unpack(content, name)
        difference = _difference(state["description"], self.description)
        if difference:
            raise ValueError(f"resume: {name} is of another run: {difference}")
        self.trainer.restore(state["trainer"])
        return History(**state["history"]), EpochMeans(state["means"])


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Give ``model`` the weights in a checkpoint file of `fit`; CheckpointError if damaged."""
    path = Path(path)
    weights = unpack(path.read_bytes(), path.name)["trainer"]["system"]
    names = [name for name in weights if name.startswith("model.")]
    model.load_state_dict({name.removeprefix("model."): weights[name] for name in names})


def describe(
    system: nn.Module, batches: Batches | DataLoader, options: dict[str, Any], steps: int
) -> dict[str, Any]:
    """What makes a run what it is, in numbers and text: one that goes on must have the same.

    Not in it: the contents of the data, device and number of processes (a run may move to another
    machine, if not to the last bit), and the length of a run at a constant learning rate.
    """
    parts = {
        "loss": system.loss,
        "optimizer": options["optimizer"],
        "transform": getattr(batches, "transform", None),
    }
    description = options | {name: _name(part) for name, part in parts.items()}
    description["model"] = _name(system.model)
    description["steps"] = None if options["schedule"] == "constant" else steps
    description["batches"] = len(batches)
    for name in ("batch_size", "rows"):
        description[name] = getattr(batches, name, None)
    description["seed of the batches"] = getattr(batches, "seed", None)
    for i, leaf in enumerate(leaves(batches.data) if isinstance(batches, Batches) else []):
        description[f"data[{i}]"] = f"{leaf.dtype} {tuple(leaf.shape)}"
    for name, value in system.state_dict().items():
        description[name] = f"{value.dtype} {tuple(value.shape)}"
    return description


def _name(part: Any) -> str | None:
    if part is None or isinstance(part, str):
        return part
    if isinstance(part, nn.Module):
        return re.sub(r" at 0x[0-9a-f]+", "", str(part))
    return getattr(part, "__qualname__", type(part).__qualname__)


def _difference(there: dict[str, Any], here: dict[str, Any]) -> str | None:
    for key in [*there, *(key for key in here if key not in there)]:
        old, new = there.get(key), here.get(key)
        if old != new:
            lines = zip_longest(str(old).splitlines(), str(new).splitlines())
            old, new = next((a, b) for a, b in lines if a != b)
            return f"{key} was {str(old).strip()}, and is {str(new).strip()} now"
    return None


def _broadcast(content: bytes, device: torch.device) -> bytes:
    """What the first process has; the others need not see its disk."""
    if not dist.is_initialized():
        return content
    length = torch.tensor(len(content), device=device)
    dist.broadcast(length, src=0)
    if length == 0:
        return b""
    values = torch.empty(int(length), dtype=torch.uint8, device=device)
    if content:
        values.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
    dist.broadcast(values, src=0)
    return values.cpu().numpy().tobytes()
