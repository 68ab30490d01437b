"""The record of a run, its logs, and the checkpoints from which a run goes on."""

import dataclasses
import sys
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch.distributed as dist
from filelock import FileLock, Timeout
from torch import Tensor, nn
from tqdm.auto import tqdm

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
from simmim_lite.training._trainer import Trainer


@dataclasses.dataclass
class History:
    """Means over the steps of each epoch (not the values of its last batch).

    Attributes:
        epochs: a dict for each epoch: its number "epoch", its "steps", the means of "loss", of
            the other terms of the loss, of "gradient_norm" and "learning_rate"; its
            "samples_per_second"; the result of ``evaluate``. The last epoch can be incomplete.
        steps: number of updates of the weights.
        seconds: time of training, in all parts of a resumed run.
        stop_reason: "finished", "seconds" or "plateau".

    ``history[name]`` is the list of one value over all epochs.
    """

    epochs: list[dict[str, float]] = dataclasses.field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    stop_reason: str = ""

    def __getitem__(self, name: str) -> list[float]:
        return [epoch[name] for epoch in self.epochs]

    def epochs_since_best(self, name: str) -> int:
        """Return the number of epochs after the one with the smallest value; 0 without epochs."""
        if self.epochs and name not in self.epochs[0]:
            raise ValueError(f"watch: expected one of {sorted(self.epochs[0])}, got {name!r}")
        values = [np.inf if np.isnan(value) else value for value in self[name]]
        return len(values) - 1 - values.index(min(values)) if values else 0


@dataclasses.dataclass
class EpochMeans:
    """Sums over the steps of the current epoch; ``sums`` holds sum and count of each value."""

    sums: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    steps: int = 0
    samples: int = 0
    seconds: float = 0.0

    def add(self, values: Mapping[str, float], samples: int, seconds: float) -> None:
        """Add the values of one step, its number of samples and its duration."""
        for name, value in values.items():
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = [total + value, count + 1]
        self.steps += 1
        self.samples += samples
        self.seconds += seconds

    def record(self, epoch: int) -> dict[str, float]:
        """Return the means, as an entry of `History.epochs`."""
        means = {name: total / count for name, (total, count) in self.sums.items()}
        rate = self.samples / self.seconds
        return {"epoch": epoch, "steps": self.steps} | means | {"samples_per_second": rate}


class Logs:
    """The logs of steps ``start`` to ``steps`` that `fit` is asked for; ``stack`` closes them."""

    def __init__(
        self,
        stack: ExitStack,
        start: int,
        steps: int,
        log_dir: str | Path | None,
        progress: bool | str | None,
    ):
        self._bar = self._writer = None
        if sys.stderr.isatty() if progress is None else progress:
            stage = progress if isinstance(progress, str) else "training"
            bar = tqdm(desc=stage, total=steps, initial=start, unit="step")
            self._bar = stack.enter_context(bar)
        if log_dir is not None:
            from torch.utils.tensorboard import SummaryWriter  # an extra, and slow to import

            # A resumed run deletes the logs of the killed run after its last checkpoint.
            writer = SummaryWriter(str(log_dir), purge_step=start + 1 if start else None)
            self._writer = stack.enter_context(writer)

    def step(self, steps: int, values: Mapping[str, float]) -> None:
        """Log the values of the step after which ``steps`` are done."""
        if self._bar is not None:  # the truth value of a bar says whether steps are left
            self._bar.set_postfix(loss=f"{values['loss']:.4f}", refresh=False)
            self._bar.update()
        self._write("step", steps, values)

    def epoch(self, steps: int, means: Mapping[str, float]) -> None:
        """Log the means of the epoch that ended after ``steps`` steps."""
        skipped = ("epoch", "steps")
        self._write("epoch", steps, {n: value for n, value in means.items() if n not in skipped})

    def _write(self, kind: str, steps: int, values: Mapping[str, float]) -> None:
        if self._writer:
            for name, value in values.items():
                self._writer.add_scalar(f"{kind}/{name}", value, steps)


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
        for unfinished in self.path.glob(f"step-*{_SUFFIX}*{PARTIAL}"):
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
