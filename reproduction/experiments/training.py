"""Exact training: losses in tiles, killed and resumed runs, gradients of several processes."""

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from reproduction.claims import Claim, Experiment, Setting
from simmim_lite.contrastive import info_nce_loss
from simmim_lite.environment import measure_bytes
from simmim_lite.training import Batches, ContrastiveLoss, compare_gathers, fit

_STEPS, _KILLS = 60, 10
_PROCESSES = (2, 4)
WEIGHTS, BEGUN = "weights.safetensors", "begun"  # files that `train` leaves in its folder

_CLAIMS = (
    Claim(
        id="tiled-loss-error",
        name="contrastive loss in tiles against the full matrix, value and gradients, "
        "largest difference",
        truth="0: the same loss in plain torch, float64",
        source="the same run",
        at_most=1e-12,
        notebook="12",
    ),
    Claim(
        id="tiled-loss-memory",
        name="memory of the contrastive loss in tiles, exponent of the batch size",
        truth="1: linear in the batch size; full matrix: 2",
        source="the same run, batches of 512 to 4,096",
        at_most=1.2,
        notebook="12",
    ),
    Claim(
        id="full-matrix-memory",
        name="memory of the contrastive loss with the full matrix, exponent of the batch size",
        truth="2: one score for every two items",
        source="formula",
        at_least=1.9,
        at_most=2.1,
        notebook="12",
        target=2.0,
    ),
    Claim(
        id="bfloat16-error-ratio",
        name="error of the gradient in bfloat16, full matrix divided by tiles",
        truth="1: equal errors",
        source="the same run, temperature 0.1, compared with float64",
        at_least=100,
        notebook="12",
    ),
    Claim(
        id="different-weights",
        name=f"weights that differ after {_KILLS} kills and resumes",
        truth="0 of all weights, compared bit by bit with a run without kills",
        source="the same run",
        at_most=0,
        notebook="12",
    ),
    Claim(
        id="process-gradient-error",
        name="gradient of 2 and of 4 processes against 1 process, largest relative difference",
        truth="0: one process with all rows, float64",
        source="the same run",
        at_most=1e-12,
        notebook="12",
    ),
)


def _measure(setting: Setting) -> dict[str, float]:
    return {
        "tiled-loss-error": _tiled_loss_error(setting.seed),
        "tiled-loss-memory": _memory_exponent(partial(info_nce_loss, tile=128)),
        "full-matrix-memory": _memory_exponent(_full_matrix_loss),
        "bfloat16-error-ratio": _rounding_ratio(setting.seed),
        "different-weights": _different_after_kills(setting.seed),
        "process-gradient-error": max(_gradient_error(processes) for processes in _PROCESSES),
    }


def _tiled_loss_error(seed: int) -> float:
    """Difference of value and gradients, each relative to its largest number (at least 1)."""
    generator = torch.Generator().manual_seed(seed)
    inputs = F.normalize(torch.randn(2, 700, 32, generator=generator, dtype=torch.float64), dim=-1)
    inputs.requires_grad_()
    temperature = torch.tensor(0.07, dtype=torch.float64, requires_grad=True)
    full = _full_matrix_loss(*inputs, temperature)
    tiled = info_nce_loss(*inputs, temperature, tile=96)
    pairs = [(tiled, full)]
    leaves = [inputs, temperature]
    pairs += zip(*(torch.autograd.grad(loss, leaves) for loss in (tiled, full)), strict=True)
    return max(((a - b).abs().max() / b.abs().max().clamp(min=1)).item() for a, b in pairs)


def _full_matrix_loss(queries: Tensor, keys: Tensor, temperature: Tensor | float) -> Tensor:
    """The loss with all scores in memory at once."""
    scores = queries @ keys.T / temperature
    positives = torch.arange(len(scores))
    return (F.cross_entropy(scores, positives) + F.cross_entropy(scores.T, positives)) / 2


def _memory_exponent(loss: Callable[[Tensor, Tensor, float], Tensor]) -> float:
    """Slope of the logarithm of the bytes of a step over the logarithm of the batch size."""
    batches, used = (512, 1024, 2048, 4096), []
    for batch in batches:
        pair = F.normalize(torch.randn(2, batch, 128), dim=-1).requires_grad_()
        used.append(measure_bytes(lambda pair=pair: loss(*pair, 0.1).backward()))
    return np.polyfit(np.log(batches), np.log(used), 1)[0]


def _rounding_ratio(seed: int) -> float:
    """Error of the gradient under autocast, full matrix divided by tiles."""
    generator = torch.Generator().manual_seed(seed)
    x, noise = torch.randn(2, 1024, 64, generator=generator, dtype=torch.float64)
    queries, keys = F.normalize(x, dim=1).requires_grad_(), F.normalize(x + noise, dim=1)
    exact = torch.autograd.grad(_full_matrix_loss(queries, keys, 0.1), queries)[0]
    errors = []
    for loss in (_full_matrix_loss, info_nce_loss):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(queries.float(), keys.float(), 0.1)
        errors.append((torch.autograd.grad(value, queries)[0] - exact).norm().item())
    return errors[0] / errors[1]


def _different_after_kills(seed: int) -> float:
    """Weights that differ between an undisturbed run and a run that is killed and resumed."""

    def attempt(folder: Path, kill_at: int | None) -> bool:
        """Train in a new process; return whether the process was killed."""
        process = start_training(folder, kill_at, seed)
        process.join()
        if process.exitcode not in (0, -signal.SIGTERM, -9):
            raise RuntimeError(f"training ended with exit code {process.exitcode}")
        return process.exitcode != 0

    draw = torch.Generator().manual_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        once, killed = Path(folder, "once"), Path(folder, "killed")
        attempt(once, None)
        for _ in range(_KILLS):
            if not attempt(killed, int(torch.randint(2, 7, (), generator=draw))):
                raise RuntimeError("the run finished before the last kill")
        attempt(killed, None)
        expected, found = (load_file(each / WEIGHTS) for each in (once, killed))
    return sum((found[name] != value).sum().item() for name, value in expected.items())


def start_training(
    folder: Path, kill_at: int | None = None, seed: int = 0, **options: Any
) -> BaseProcess:
    """Start `train` in a new process: a fork of a process that has loaded torch, where possible."""
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    context.set_forkserver_preload(["simmim_lite.training"])
    process = context.Process(target=train, args=(folder, kill_at, seed), kwargs=options)
    process.start()
    return process


def train(folder: Path, kill_at: int | None, seed: int, *, width: int = 24, **options: Any) -> None:
    """Train two small encoders with all that a resumed run must restore.

    That is dropout, augmentation, bfloat16 and chunks. The run continues from a checkpoint in the
    folder. A file `BEGUN` appears in the folder with the first batch, and `WEIGHTS` at the end.

    Args:
        folder: for checkpoints and results.
        kill_at: the process kills itself before this batch, counted from its own first batch.
        seed: of data, weights and batches.
        width: of the hidden layer.
        options: of `fit`, in place of the defaults.
    """
    torch.set_num_threads(1)
    batches = 0

    def changed(batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        nonlocal batches
        batches += 1
        (folder / BEGUN).touch()
        if batches == kill_at:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        return batch | {"x": batch["x"] + 0.1 * torch.randn(batch["x"].shape, generator=generator)}

    generator = torch.Generator().manual_seed(seed)
    x, noise = torch.randn(2, 96, 6, generator=generator)
    model, loss = _Encoders(seed, width), ContrastiveLoss(0.2)
    folder.mkdir(exist_ok=True)
    defaults = {
        "steps": _STEPS,
        "weight_decay": 0.01,
        "warmup": 3,
        "clip_norm": 1.0,
        "chunk": 10,
        "autocast": "bfloat16",
        "checkpoint_every": 4,
    }
    fit(
        model,
        loss,
        Batches({"x": x, "y": x + noise / 3}, 24, transform=changed, seed=seed),
        device="cpu",
        checkpoints=folder / "checkpoints",
        resume=True,
        seed=seed,
        progress=False,
        **defaults | options,
    )
    weights = nn.ModuleList([model, loss]).state_dict()
    save_file({name: w.clone() for name, w in weights.items()}, folder / WEIGHTS)


class _Encoders(nn.Module):
    def __init__(self, seed: int, width: int):
        super().__init__()
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            self.first, self.second = (
                nn.Sequential(nn.Linear(6, width), nn.GELU(), nn.Dropout(0.2), nn.Linear(width, 8))
                for _ in range(2)
            )

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        return self.first(batch["x"]), self.second(batch["y"])


def _gradient_error(processes: int) -> float:
    ours = compare_gathers(processes)[0]
    return max(ours["encoder_error"], abs(ours["temperature_ratio"] - 1))


EXPERIMENTS = (Experiment("training", _CLAIMS, _measure),)
