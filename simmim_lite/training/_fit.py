"""`fit`: one loop for all systems of the package."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import nn
from torch.random import fork_rng
from torch.utils.data import DataLoader

from simmim_lite._arguments import check_integer, check_number
from simmim_lite._random import seed_device
from simmim_lite.training._batches import Batches, length_of_epoch
from simmim_lite.training._gradients import Loss
from simmim_lite.training._history import EpochMeans, History
from simmim_lite.training._logs import Logs
from simmim_lite.training._optimizers import MakeOptimizer
from simmim_lite.training._processes import any_process, process_group
from simmim_lite.training._resume import CheckpointFolder, Saved, describe
from simmim_lite.training._trainer import Trainer


def fit(
    model: nn.Module,
    loss: Loss,
    batches: Batches | DataLoader,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    patience: int | None = None,
    watch: str = "loss",
    optimizer: str | MakeOptimizer = "adamw",
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    schedule: str = "cosine",
    warmup: int = 0,
    clip_norm: float | None = None,
    accumulate: int = 1,
    chunk: int | None = None,
    device: torch.device | str | None = None,
    autocast: str | None = "auto",
    seed: int = 0,
    evaluate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    checkpoints: str | Path | None = None,
    checkpoint_every: int | None = None,
    keep: int = 3,
    resume: bool = False,
    log_dir: str | Path | None = None,
    profile: str | Path | None = None,
    progress: bool | None = None,
) -> History:
    """Train ``model`` in place, and ``loss`` if it has parameters; both end in evaluation mode.

    Args:
        model: ``model(batch) -> outputs``: a tensor, or a tuple or dict of tensors.
        loss: ``loss(outputs, batch)``: a scalar, or a dict of scalars with "loss" among them, the
            others ("nats", "temperature", ...) to be recorded. A function or an `nn.Module`.
        batches: `Batches`, or a DataLoader (whose random numbers must be torch's own).
        epochs, steps: the length, one of them.
        seconds: stop sooner after this time, of this call.
        patience: stop sooner after so many epochs without a new minimum of ``watch``, one of the
            values of an epoch.
        optimizer, learning_rate, weight_decay: see `make_optimizer`.
        schedule, warmup: see `make_schedule`; ``warmup`` in steps.
        clip_norm: largest norm of the gradient of a step.
        accumulate: batches of a step; its gradient is the mean of theirs. For more negatives take
            a larger batch and ``chunk``.
        chunk: rows of a pass through the model, to save memory; the gradient remains that of the
            whole batch (not with BatchNorm, which normalizes each chunk).
        device: None takes the GPU if there is one.
        autocast: "bfloat16", "float16" (with scaled gradients), None for none; "auto" chooses one
            on a GPU, and none on a CPU.
        seed: of dropout and whatever else draws from torch's global random numbers, which after
            this call are as they were before.
        evaluate: ``evaluate(model) -> {name: number}``, after each epoch, in evaluation mode and
            without gradients, in every process.
        checkpoints: folder for checkpoints, all ``checkpoint_every`` steps (None: each epoch) and
            at the end, the last ``keep`` of which remain.
        resume: go on from the newest intact checkpoint in the folder, if there is one, to the very
            weights that the run would have reached undisturbed (on the same device, with as many
            threads and processes, and on a GPU with `torch.use_deterministic_algorithms`).
        log_dir: TensorBoard's folder: each step and each epoch.
        profile: file for a Chrome trace of the third to fifth step.
        progress: a bar; None draws it on a terminal only.

    Raises:
        FloatingPointError: a loss or gradient that is not finite, naming step and batch; the
            weights are those before that step.
        ValueError, TypeError: arguments that make no sense; a checkpoint of another run, or none
            intact (`CheckpointError`).
    """
    for name, value in {
        "patience": patience,
        "chunk": chunk,
        "checkpoint_every": checkpoint_every,
        "keep": keep,
    }.items():
        if value is not None:
            check_integer(name, value, minimum=1)
    for name, value in {"seconds": seconds, "clip_norm": clip_norm}.items():
        if value is not None:
            check_number(name, value, minimum=0)
    if resume and checkpoints is None:
        raise ValueError("resume: expected a folder of checkpoints, got checkpoints=None")
    length = _steps(length_of_epoch(batches), epochs, steps, accumulate)
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    options = {
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "schedule": schedule,
        "warmup": warmup,
        "clip_norm": clip_norm,
        "accumulate": accumulate,
        "chunk": chunk,
        "autocast": autocast,
        "seed": check_integer("seed", seed, minimum=0),
    }
    with ExitStack() as stack:
        process, processes = stack.enter_context(process_group())
        stack.enter_context(fork_rng([device] if device.type == "cuda" else []))
        writes = process == 0
        folder = None
        if writes and checkpoints is not None:
            folder = stack.enter_context(CheckpointFolder(checkpoints, keep=keep))
            if folder.files() and not resume:
                raise ValueError(
                    f"checkpoints: {checkpoints} holds those of an earlier run; resume=True goes "
                    "on with it, another folder begins anew"
                )
        trainer = Trainer(
            model,
            loss,
            batches,
            steps=length,
            device=device,
            process=process,
            processes=processes,
            **options,
        )
        stack.callback(trainer.optimizer.zero_grad)
        stack.callback(trainer.system.eval)
        saved = Saved(trainer, folder, describe(trainer.system, batches, options, length))
        history, means = saved.restore(device)
        logs = stack.enter_context(
            Logs(
                start=history.steps,
                steps=length,
                log_dir=log_dir if writes else None,
                profile=profile if writes else None,
                progress=progress if writes else False,
            )
        )
        deadline = None if seconds is None else time.monotonic() + seconds
        every = checkpoint_every or trainer.steps_of_epoch
        newest = history.steps
        trainer.system.train()
        while not (reason := _stop(history, length, patience, watch, deadline)):
            start = time.perf_counter()
            values, samples = trainer.step(history.steps)
            taken = time.perf_counter() - start
            history.steps += 1
            history.seconds += taken
            means.add(values, samples, taken)
            logs.step(history.steps, values | {"samples_per_second": samples / taken})
            if history.steps % trainer.steps_of_epoch == 0:
                record = means.record(len(history.epochs))
                history.epochs.append(record | _evaluated(evaluate, trainer, record))
                means = EpochMeans()
                logs.epoch(history.steps, history.epochs[-1])
            if history.steps % every == 0:
                saved.save(history, means)
                newest = history.steps
        history.stop_reason = reason
        if newest != history.steps:
            saved.save(history, means)
        if means.steps:
            history.epochs.append(means.record(len(history.epochs)))
    return history


def _steps(in_epoch: int, epochs: int | None, steps: int | None, accumulate: int) -> int:
    """Length of the run in steps."""
    check_integer("accumulate", accumulate, minimum=1, maximum=in_epoch)
    if (epochs is None) == (steps is None):
        raise ValueError(f"epochs, steps: expected one of them, got {epochs} and {steps}")
    if steps is not None:
        return check_integer("steps", steps, minimum=1)
    return check_integer("epochs", epochs, minimum=1) * (in_epoch // accumulate)


def _stop(
    history: History, length: int, patience: int | None, watch: str, deadline: float | None
) -> str:
    """Why to stop now, or nothing."""
    if history.steps >= length:
        return "finished"
    if patience is not None and history.epochs_since_best(watch) >= patience:
        return "plateau"
    if deadline is not None and any_process(time.monotonic() >= deadline):
        return "seconds"
    return ""


def _evaluated(
    evaluate: Callable[[nn.Module], Mapping[str, float]] | None,
    trainer: Trainer,
    record: Mapping[str, float],
) -> dict[str, float]:
    if evaluate is None:
        return {}
    seed_device(trainer.device, trainer.seed, f"evaluation {record['epoch']}")
    trainer.system.eval()
    with torch.no_grad():
        values = {name: float(value) for name, value in evaluate(trainer.system.model).items()}
    trainer.system.train()
    for name in values:
        if name in record:
            raise ValueError(f"evaluate: expected names that are not taken, got {name!r}")
    return values
