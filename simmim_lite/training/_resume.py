"""Resuming a run: the folder of its checkpoints, and the check that they belong to this run."""

import warnings
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch.distributed as dist
from filelock import FileLock, Timeout
from torch import Tensor, nn

from simmim_lite.storage import (
    PARTIAL,
    CheckpointError,
    description,
    expecting,
    pack,
    unpack,
    verify,
    write_atomically,
)
from simmim_lite.training._batches import Batches, leaves
from simmim_lite.training._history import EpochMeans, History
from simmim_lite.training._trainer import Trainer

_SUFFIX, _DAMAGED = ".safetensors", ".damaged"
_KEPT = 3  # newest checkpoints that remain


class CheckpointFolder:
    """The checkpoints of one run, as a context of one process; no other run can open the folder.

    Half-written files of a killed run are removed.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def __enter__(self) -> "CheckpointFolder":
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.path / ".lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ValueError(f"checkpoints: another run is writing to {self.path}") from None
        for unfinished in self.path.glob(f"step-*{_SUFFIX}{PARTIAL}"):
            unfinished.unlink()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def files(self) -> list[Path]:
        """Return the checkpoints, the oldest first."""
        return sorted(self.path.glob(f"step-*{_SUFFIX}"))

    def save(self, step: int, state: Any) -> None:
        """Write a checkpoint, and remove the oldest of more than three."""
        write_atomically(self.path / f"step-{step:010d}{_SUFFIX}", pack(state))
        for old in self.files()[:-_KEPT]:
            old.unlink()

    def newest(self) -> tuple[str, bytes] | None:
        """Return name and content of the newest intact checkpoint; None in an empty folder.

        Damaged checkpoints are renamed to ``*.damaged``, with a warning.
        """
        damaged: list[str] = []
        for path in reversed(self.files()):
            content = path.read_bytes()
            try:
                verify(content, path.name)
            except CheckpointError:
                path.replace(path.with_name(path.name + _DAMAGED))
                damaged.append(path.name)
                continue
            if damaged:
                message = f"damaged and renamed: {', '.join(damaged)}; resuming from {path.name}"
                warnings.warn(message, stacklevel=2)
            return path.name, content
        if damaged:
            renamed = f"{', '.join(damaged)} renamed to *{_DAMAGED}; resume=False starts a new run"
            raise CheckpointError(f"{self.path}: no checkpoint is intact, {renamed}")
        return None


class Saved:
    """Writes the state of a run to a folder, and restores it in all processes.

    ``folder`` is None in all processes but the first, and if nothing is saved.
    """

    def __init__(self, trainer: Trainer, folder: CheckpointFolder | None):
        self.trainer, self.folder, self.description = trainer, folder, _describe(trainer)

    def save(self, history: History, means: EpochMeans) -> None:
        """Write a checkpoint after the last step of ``history``."""
        if self.folder is None:
            return
        state = {
            "description": self.description,
            "history": {name: getattr(history, name) for name in ("epochs", "steps", "seconds")},
            "means": vars(means),
            "trainer": self.trainer.state(),
        }
        self.folder.save(history.steps, state)

    def restore(self) -> tuple[History, EpochMeans]:
        """Return the state of the newest intact checkpoint, or the state of a new run."""
        found = [self.folder.newest() if self.folder else None]
        if dist.is_initialized():  # the other processes need no access to the disk of the first
            dist.broadcast_object_list(found, src=0, device=self.trainer.device)
        if found[0] is None:
            return History(), EpochMeans()
        name, content = found[0]
        state = unpack(content, name)
        there, here = state["description"], self.description
        for setting in there | here:
            old, new = there.get(setting), here.get(setting)
            if old != new:  # show the first lines that differ
                lines = zip_longest(str(old).splitlines(), str(new).splitlines())
                old, new = next(((a, b) for a, b in lines if a != b), (old, new))
                change = f"{setting} was {str(old).strip()}, and is {str(new).strip()} now"
                raise ValueError(f"resume: {name} is of another run: {change}")
        self.trainer.restore(state["trainer"])
        return History(**state["history"]), EpochMeans(**state["means"])


def _describe(trainer: Trainer) -> dict[str, Any]:
    """All settings that a resumed run must share, as numbers and text.

    Not among them: the contents of the data; device and number of processes (a run may move to
    another machine, and is then not the same to the last bit); the length of a run at a constant
    learning rate.
    """
    plan, system, batches = trainer.plan, trainer.system, trainer.batches
    data = leaves(batches.data) if isinstance(batches, Batches) else []
    settings = vars(plan) | {
        "steps": None if plan.schedule == "constant" else trainer.steps,
        "model": system.model,
        "loss": system.loss,
        "transform": getattr(batches, "transform", None),
        "batches": len(batches),
        "batch_size": batches.batch_size,
        "seed of the batches": getattr(batches, "seed", None),
    }
    settings |= {f"data[{i}]": leaf for i, leaf in enumerate(data)} | system.state_dict()
    return {name: _as_json(value) for name, value in settings.items()}


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Load the weights of ``model`` from a checkpoint of `fit`; CheckpointError if damaged."""
    path = Path(path)
    with expecting(path.name, "a checkpoint of fit"):
        weights = unpack(path.read_bytes(), path.name)["trainer"]["system"]
        names = [name for name in weights if name.startswith("model.")]
    model.load_state_dict({name.removeprefix("model."): weights[name] for name in names})


def _as_json(value: Any) -> str | int | float | None:
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Tensor):
        return f"{value.dtype} {tuple(value.shape)}"
    if isinstance(value, nn.Module):
        return description(value)
    if isinstance(value, partial):
        given = [*value.args, *value.keywords.values()]
        names = [*([""] * len(value.args)), *(f"{name}=" for name in value.keywords)]
        texts = [f"{name}{_as_json(each)}" for name, each in zip(names, given, strict=True)]
        return f"{_as_json(value.func)}({', '.join(texts)})"
    return getattr(value, "__qualname__", type(value).__qualname__)
