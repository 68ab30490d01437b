"""`fit`: one training loop for all systems of the package."""

import math
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
from simmim_lite._torch_state import gradients
from simmim_lite.environment import CoreSharing
from simmim_lite.training._batches import Batches, check_batches
from simmim_lite.training._processes import any_process, process_group
from simmim_lite.training._resume import CheckpointFolder, EpochMeans, History, Logs, Saved
from simmim_lite.training._trainer import Loss, MakeOptimizer, OutOfTimeError, Plan, System, Trainer

Evaluate = Callable[[nn.Module], Mapping[str, float]]


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
    chunk: int | None = None,
    device: torch.device | str | None = None,
    autocast: str | None = "auto",
    seed: int = 0,
    evaluate: Evaluate | None = None,
    checkpoints: str | Path | None = None,
    checkpoint_every: int | None = None,
    resume: bool = False,
    log_dir: str | Path | None = None,
    progress: bool | str | None = None,
) -> History:
    """Train ``model`` in place, and ``loss`` if it has parameters; both end in evaluation mode.

    Args:
        model: ``model(batch) -> outputs``: a tensor, or a tuple or dict of tensors.
        loss: ``loss(outputs, batch)``: a scalar, or a dict of scalars with "loss" among them; the
            other scalars ("nats", "temperature", ...) are recorded. A function or an `nn.Module`.
        batches: `Batches`, or a DataLoader that draws from torch's global random numbers only.
        epochs, steps: length of the run; give one of them. A step is one update of the weights.
        seconds: stop earlier, after this time. A long step is broken off before it changes weights.
        patience, watch: stop earlier, after ``patience`` epochs without a new minimum of the value
            ``watch`` (for an accuracy, return the negative accuracy from ``evaluate``).
        optimizer: "adam", "adamw", "rmsprop", "sgd" (momentum 0.9), "muon" (orthogonalized momentum
            for matrices, which wants a rate near 0.02, and AdamW for the rest), or a function of
            the groups of parameters that returns an optimizer.
        learning_rate: largest learning rate.
        weight_decay: for matrices and kernels; biases and scalars do not decay.
        schedule: "constant" after ``warmup`` steps of linear growth; "cosine", the same warm-up,
            then down to 0 (Loshchilov & Hutter 2017, arXiv 1608.03983, without restarts);
            "one_cycle", up from 1/25 in ``warmup`` steps (0: in 30 % of all), then down to almost 0
            (Smith & Topin 2019, arXiv 1708.07120; momentum stays).
        clip_norm: largest norm of the gradient of a step; None does not clip.
        chunk: rows of a pass through the model, to save memory; the gradient is that of the whole
            batch (not with BatchNorm, which normalizes each chunk).
        device: None takes the GPU if there is one.
        autocast: "bfloat16", "float16" (with scaled gradients) or None; "auto" chooses on a GPU,
            and is None on a CPU.
        seed: of dropout and other draws from torch's global random numbers, which are restored.
        evaluate: ``evaluate(model) -> {name: number}``, after each epoch in every process.
        checkpoints: folder of the last three checkpoints, written every ``checkpoint_every`` steps
            (None: after each epoch) and at the end.
        resume: continue from the newest intact checkpoint. The weights end as in a run without
            interruption, bit by bit, with the same device, threads and processes (on a GPU with
            `torch.use_deterministic_algorithms`).
        log_dir: folder for TensorBoard.
        progress: show a progress bar, which a text names; None shows a bar on a terminal only.

    Raises:
        FloatingPointError: a loss or gradient is not finite; the message names the step, and the
            weights are those before that step.
        ValueError: checkpoints of another run, or none that is intact (`CheckpointError`).
    """
    entered = time.monotonic()
    of_steps = optimizer, learning_rate, weight_decay, schedule, warmup, clip_norm
    plan = Plan(*of_steps, chunk, autocast, seed)  # in the order of its fields
    length = _length(check_batches(batches), epochs, steps)
    for name, value in {"patience": patience, "checkpoint_every": checkpoint_every}.items():
        if value is not None:
            check_integer(name, value, minimum=1)
    seconds = math.inf if seconds is None else check_number("seconds", seconds, minimum=0)
    if resume and checkpoints is None:
        raise ValueError("resume: expected a folder of checkpoints, got checkpoints=None")
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    with ExitStack() as stack:
        stack.enter_context(gradients())
        process, _ = stack.enter_context(process_group())
        stack.enter_context(fork_rng([device] if device.type == "cuda" else []))
        if process > 0:  # the first process writes for all
            checkpoints, log_dir, progress = None, None, False
        folder = None
        if checkpoints is not None:
            folder = stack.enter_context(CheckpointFolder(checkpoints))
            if folder.files() and not resume:
                got = f"{checkpoints} holds those of an earlier run"
                how = "resume=True continues it, another folder starts a new run"
                raise ValueError(f"checkpoints: {got}; {how}")
        trainer = Trainer(System(model, loss), batches, plan, length, device)
        stack.callback(trainer.optimizer.zero_grad)
        stack.callback(trainer.system.eval)
        saved = Saved(trainer, folder)
        history, means = saved.restore()
        logs = Logs(stack, history.steps, length, log_dir, progress)
        deadline, taken, sharing = entered + seconds, 0.0, CoreSharing()
        every = checkpoint_every or len(batches)
        newest, history.stop_reason = history.steps, "finished"
        trainer.system.train()
        while history.steps < length:
            if patience is not None and history.epochs_since_best(watch) >= patience:
                history.stop_reason = "plateau"
                break
            now = time.monotonic()
            late = now >= deadline or now + taken > deadline + trainer.overtime
            if seconds < math.inf and any_process(late):
                history.stop_reason = "seconds"
                break
            start = time.perf_counter()
            try:
                values, samples = trainer.step(history.steps, start + deadline - now)
            except OutOfTimeError:
                history.stop_reason = "seconds"
                break
            taken = time.perf_counter() - start
            sharing.look()
            history.steps += 1
            history.seconds += taken
            means.add(values, samples, taken)
            logs.step(history.steps, values | {"samples_per_second": samples / taken})
            if history.steps % len(batches) == 0:
                record = means.record(len(history.epochs))
                if evaluate is not None:
                    record |= _evaluated(evaluate, trainer, record)
                history.epochs.append(record)
                means = EpochMeans()
                logs.epoch(history.steps, record)
            if history.steps % every == 0:
                saved.save(history, means)
                newest = history.steps
        if newest != history.steps:
            saved.save(history, means)
        if means.steps:  # the last epoch is incomplete
            history.epochs.append(means.record(len(history.epochs)))
    return history


def _length(in_epoch: int, epochs: int | None, steps: int | None) -> int:
    """Length of the run in steps."""
    if epochs is not None and steps is None:
        return check_integer("epochs", epochs, minimum=1) * in_epoch
    if steps is not None and epochs is None:
        return check_integer("steps", steps, minimum=1)
    raise ValueError(f"epochs, steps: expected one of them, got {epochs} and {steps}")


def _evaluated(evaluate: Evaluate, trainer: Trainer, record: Mapping) -> dict[str, float]:
    seed_device(trainer.device, trainer.plan.seed, f"evaluation {record['epoch']}")
    trainer.system.eval()
    with torch.no_grad():
        found = evaluate(trainer.system.model)
    if not isinstance(found, Mapping):
        raise TypeError(f"evaluate: expected a dict of numbers, got {found!r:.200}")
    values = {name: float(value) for name, value in found.items()}
    trainer.system.train()
    if taken := sorted(values.keys() & record.keys()):
        raise ValueError(f"evaluate: expected names that are not taken, got {taken[0]!r}")
    return values
