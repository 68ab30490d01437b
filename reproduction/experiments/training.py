"""Training that is exact: losses in tiles, runs that are killed, gradients of several processes."""

import multiprocessing
import os
import signal
import tempfile
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from reproduction.claims import Claim, Experiment, Setting
from simmim_lite.contrastive import info_nce_loss
from simmim_lite.training import Batches, ContrastiveLoss, compare_gathers, fit, measure_bytes

_STEPS, _KILLS = 60, 10
_PROCESSES = (2, 4)

_TILES = Claim(
    "contrastive loss in tiles beside the whole matrix, value and gradients, largest difference",
    "0: the same loss by torch, in float64",
    "the same run",
    at_most=1e-12,
    notebook="10",
)
_MEMORY = Claim(
    "contrastive loss in tiles, memory as a power of the batch",
    "1: as much again for each pair; 2 for the whole matrix",
    "the same run, batches of 512 to 4,096",
    at_most=1.2,
    notebook="10",
)
_WHOLE_MEMORY = Claim(
    "contrastive loss of the whole matrix, memory as a power of the batch",
    "2: a score for every two pairs",
    "formula",
    at_least=1.9,
    at_most=2.1,
    notebook="10",
    target=2.0,
)
_HALF = Claim(
    "error of the gradient in bfloat16, whole matrix over ours",
    "1: no better than it",
    "the same run, temperature 0.1, beside float64",
    at_least=100,
    notebook="10",
)
_SAME_BITS = Claim(
    f"weights of a run killed {_KILLS} times that differ from those of one never killed",
    "0 of all weights, bit by bit",
    "the same run",
    at_most=0,
    notebook="10",
)
_GRADIENTS = Claim(
    "gradient of 2 and of 4 processes beside that of one, largest relative difference",
    "0: one process with all rows, in float64",
    "the same run",
    at_most=1e-12,
    notebook="10",
)


def _measure(setting: Setting) -> dict[str, float]:
    return {
        _TILES.name: _tiles_error(setting.seed),
        **_powers_of_memory(),
        _HALF.name: _rounding_ratio(setting.seed),
        _SAME_BITS.name: _different_after_kills(setting.seed),
        _GRADIENTS.name: max(_gradient_error(processes) for processes in _PROCESSES),
    }


def _tiles_error(seed: int) -> float:
    """Of value and gradients, each relative to the largest number in it (at least 1)."""
    generator = torch.Generator().manual_seed(seed)
    inputs = F.normalize(torch.randn(2, 700, 32, generator=generator, dtype=torch.float64), dim=-1)
    inputs.requires_grad_()
    temperature = torch.tensor(0.07, dtype=torch.float64, requires_grad=True)
    whole = _whole(*inputs, temperature)
    tiled = info_nce_loss(*inputs, temperature, tile=96)
    pairs = [(tiled, whole)]
    wanted = [inputs, temperature]
    pairs += zip(*(torch.autograd.grad(loss, wanted) for loss in (tiled, whole)), strict=True)
    return max(((a - b).abs().max() / b.abs().max().clamp(min=1)).item() for a, b in pairs)


def _whole(queries: Tensor, keys: Tensor, temperature: Tensor | float) -> Tensor:
    """The loss with all scores at once."""
    scores = queries @ keys.T / temperature
    own = torch.arange(len(scores))
    return (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2


def _powers_of_memory() -> dict[str, float]:
    """Slopes of the logarithm of the bytes for a step, by that of the batch."""
    batches = (512, 1024, 2048, 4096)
    losses = {_MEMORY.name: partial(info_nce_loss, tile=128), _WHOLE_MEMORY.name: _whole}
    spent = {name: [] for name in losses}
    for (name, loss), batch in product(losses.items(), batches):
        pair = F.normalize(torch.randn(2, batch, 128), dim=-1).requires_grad_()
        spent[name].append(measure_bytes(lambda loss=loss, pair=pair: loss(*pair, 0.1).backward()))
    return {name: np.polyfit(np.log(batches), np.log(each), 1)[0] for name, each in spent.items()}


def _rounding_ratio(seed: int) -> float:
    """How much farther from the exact gradient the plain loss is than ours, under autocast."""
    generator = torch.Generator().manual_seed(seed)
    x, noise = torch.randn(2, 1024, 64, generator=generator, dtype=torch.float64)
    queries, keys = F.normalize(x, dim=1).requires_grad_(), F.normalize(x + noise, dim=1)
    exact = torch.autograd.grad(_whole(queries, keys, 0.1), queries)[0]
    errors = []
    for loss in (_whole, info_nce_loss):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(queries.float(), keys.float(), 0.1)
        errors.append((torch.autograd.grad(value, queries)[0] - exact).norm().item())
    return errors[0] / errors[1]


def _different_after_kills(seed: int) -> float:
    """A run in one go, and one that is killed at random batches and taken up again."""
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    context.set_forkserver_preload(["simmim_lite.training"])

    def attempt(folder: Path, kill_at: int | None) -> bool:
        """Whether it was killed; else its weights are in the folder."""
        process = context.Process(target=_train, args=(folder, kill_at, seed))
        process.start()
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
                raise RuntimeError("the run came to its end before it was killed often enough")
        attempt(killed, None)
        true, found = (load_file(each / "weights.safetensors") for each in (once, killed))
    return sum((found[name] != value).sum().item() for name, value in true.items())


def _train(folder: Path, kill_at: int | None, seed: int) -> None:
    """A run with all that could differ: dropout, random changes of the data, bfloat16, chunks."""
    torch.set_num_threads(1)
    batches = 0

    def changed(batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        nonlocal batches
        batches += 1
        if batches == kill_at:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        return batch | {"x": batch["x"] + 0.1 * torch.randn(batch["x"].shape, generator=generator)}

    generator = torch.Generator().manual_seed(seed)
    x, noise = torch.randn(2, 96, 6, generator=generator)
    model, loss = _Encoders(seed), ContrastiveLoss(0.2)
    folder.mkdir(exist_ok=True)
    fit(
        model,
        loss,
        Batches({"x": x, "y": x + noise / 3}, 24, transform=changed, seed=seed),
        steps=_STEPS,
        weight_decay=0.01,
        warmup=3,
        clip_norm=1.0,
        chunk=10,
        autocast="bfloat16",
        device="cpu",
        checkpoints=folder / "checkpoints",
        checkpoint_every=4,
        resume=True,
        seed=seed,
        progress=False,
    )
    weights = nn.ModuleList([model, loss]).state_dict()
    save_file({name: w.clone() for name, w in weights.items()}, folder / "weights.safetensors")


class _Encoders(nn.Module):
    def __init__(self, seed: int):
        super().__init__()
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            self.first, self.second = (
                nn.Sequential(nn.Linear(6, 24), nn.GELU(), nn.Dropout(0.2), nn.Linear(24, 8))
                for _ in range(2)
            )

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        return self.first(batch["x"]), self.second(batch["y"])


def _gradient_error(processes: int) -> float:
    ours = compare_gathers(processes)[0]
    return max(ours["encoder_error"], abs(ours["temperature_ratio"] - 1))


_CLAIMS = (_TILES, _MEMORY, _WHOLE_MEMORY, _HALF, _SAME_BITS, _GRADIENTS)

EXPERIMENTS = (Experiment("training", _CLAIMS, _measure),)
