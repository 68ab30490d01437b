"""The record of a run, and its logs: progress bar, TensorBoard's curves, profile."""

import dataclasses
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import torch
from tqdm.auto import tqdm

# The first step sets things up, and the profiler needs one to warm up; three are recorded.
_PROFILED = torch.profiler.schedule(wait=1, warmup=1, active=3, repeat=1)


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
        values = self[name]
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
        profile: str | Path | None,
        progress: bool | str | None,
    ):
        self._bar = self._writer = self._profiler = None
        if sys.stderr.isatty() if progress is None else progress:
            stage = progress if isinstance(progress, str) else "training"
            bar = tqdm(desc=stage, total=steps, initial=start, unit="step")
            self._bar = stack.enter_context(bar)
        if log_dir is not None:
            from torch.utils.tensorboard import SummaryWriter  # an extra, and slow to import

            # A resumed run deletes the logs of the killed run after its last checkpoint.
            writer = SummaryWriter(str(log_dir), purge_step=start + 1 if start else None)
            self._writer = stack.enter_context(writer)
        if profile is not None:
            Path(profile).parent.mkdir(parents=True, exist_ok=True)
            profiler = torch.profiler.profile(
                schedule=_PROFILED,
                on_trace_ready=lambda trace: trace.export_chrome_trace(str(profile)),
                record_shapes=True,
            )
            self._profiler = stack.enter_context(profiler)

    def step(self, steps: int, values: Mapping[str, float]) -> None:
        """Log the values of the step after which ``steps`` are done."""
        if self._bar is not None:  # the truth value of a bar says whether steps are left
            self._bar.set_postfix(loss=f"{values['loss']:.4f}", refresh=False)
            self._bar.update()
        if self._profiler:
            self._profiler.step()
        self._write("step", steps, values)

    def epoch(self, steps: int, means: Mapping[str, float]) -> None:
        """Log the means of the epoch that ended after ``steps`` steps."""
        skipped = ("epoch", "steps")
        self._write("epoch", steps, {n: value for n, value in means.items() if n not in skipped})

    def _write(self, kind: str, steps: int, values: Mapping[str, float]) -> None:
        if self._writer:
            for name, value in values.items():
                self._writer.add_scalar(f"{kind}/{name}", value, steps)
