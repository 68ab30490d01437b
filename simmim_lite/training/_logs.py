"""What a run shows while it lasts: a progress bar, TensorBoard's curves, a profile."""

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity
from tqdm.auto import tqdm

# Steps of this run, after one that sets things up and one for the profiler's own sake.
_PROFILED = torch.profiler.schedule(wait=1, warmup=1, active=3, repeat=1)


class Logs:
    """All of them, or those that were asked for; a context that closes them.

    Args:
        start, steps: first step of this run, and step at which it ends.
        log_dir: folder of TensorBoard's event files.
        profile: file for a trace of the third to fifth step of this run.
        progress: a bar; None draws it on a terminal only.
    """

    def __init__(
        self,
        *,
        start: int,
        steps: int,
        log_dir: str | Path | None,
        profile: str | Path | None,
        progress: bool | None,
    ):
        self._stack = ExitStack()
        self._bar = self._writer = self._profiler = None
        if sys.stderr.isatty() if progress is None else progress:
            bar = tqdm(total=steps, initial=start, unit="step")
            self._bar = self._stack.enter_context(bar)
        if log_dir is not None:
            from torch.utils.tensorboard import SummaryWriter  # an extra, and slow to import

            # A resumed run takes back what the killed one logged after its last checkpoint.
            writer = SummaryWriter(str(log_dir), purge_step=start + 1 if start else None)
            self._writer = self._stack.enter_context(writer)
        if profile is not None:
            activities = [ProfilerActivity.CPU]
            if torch.cuda.is_available():
                activities.append(ProfilerActivity.CUDA)
            Path(profile).parent.mkdir(parents=True, exist_ok=True)
            self._profiler = self._stack.enter_context(
                torch.profiler.profile(
                    activities=activities,
                    schedule=_PROFILED,
                    on_trace_ready=lambda trace: trace.export_chrome_trace(str(profile)),
                    record_shapes=True,
                )
            )

    def __enter__(self) -> "Logs":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)

    def step(self, steps: int, values: Mapping[str, float]) -> None:
        """Values of a step, after which ``steps`` are done."""
        if self._bar is not None:  # a bar is true only when it has steps to go
            self._bar.set_postfix(loss=f"{values['loss']:.4f}", refresh=False)
            self._bar.update()
        if self._profiler:
            self._profiler.step()
        if self._writer:
            for name, value in values.items():
                self._writer.add_scalar(f"step/{name}", value, steps)

    def epoch(self, steps: int, means: Mapping[str, float]) -> None:
        """Means of an epoch that ended after ``steps`` steps."""
        if self._writer:
            for name, value in means.items():
                if name not in ("epoch", "steps"):
                    self._writer.add_scalar(f"epoch/{name}", value, steps)
