"""Runs of `fit` in processes of their own, for tests and benchmarks: killed, and several at once.

`started` forks them from a server that has torch loaded, so that a process costs no seconds.
"""

import hashlib
import json
import multiprocessing
import os
import random
import signal
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from simmim_lite.storage import write_atomically
from simmim_lite.training import Batches, ContrastiveLoss, fit

STEPS, ROWS = 60, 96


class Encoders(nn.Module):
    """Two small encoders with all that could go wrong: dropout, batch statistics, a tied weight."""

    def __init__(
        self, *, width: int = 24, dropout: float = 0.2, dtype: torch.dtype = torch.float32
    ):
        super().__init__()
        with torch.random.fork_rng([]):
            torch.manual_seed(5)
            self.first, self.second = (
                nn.Sequential(
                    nn.Linear(6, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, 8)
                )
                for _ in range(2)
            )
        self.second[3].bias = self.first[3].bias
        self.to(dtype)

    def forward(self, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        return self.first(batch["x"]), self.second(batch["y"])


def pairs(N: int = ROWS, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    x, noise = torch.randn(2, N, 6, generator=torch.Generator().manual_seed(1), dtype=dtype)
    return {"x": x, "y": x + noise / 3}


def with_noise(batch: dict, generator: torch.Generator) -> dict:
    noise = torch.randn(batch["x"].shape, generator=generator, dtype=batch["x"].dtype)
    return batch | {"x": batch["x"] + 0.1 * noise}


def fingerprint(*modules: nn.Module) -> str:
    """SHA-256 of all weights and buffers."""
    total = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            total.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def run(folder: Path | None, *, transform=with_noise, width: int = 24, **options) -> dict:
    """The run that is killed: fingerprint of its weights, and its losses."""
    torch.set_num_threads(1)
    model, loss = Encoders(width=width), ContrastiveLoss(0.2)
    defaults = {
        "steps": STEPS,
        "weight_decay": 0.01,
        "warmup": 3,
        "clip_norm": 1.0,
        "chunk": 10,
        "autocast": "bfloat16",
        "checkpoints": folder,
        "checkpoint_every": 4,
        "resume": folder is not None,
    }
    history = fit(model, loss, Batches(pairs(), 24, transform=transform), **defaults | options)
    return {"weights": fingerprint(model, loss), "losses": history["loss"]}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_run(
    folder: Path, result: Path, plan: tuple[str, float] | None, options: dict | None = None
) -> None:
    """`run`, killed as ``plan`` says; else its result as JSON.

    A file beside the result, ``*.begun``, says that the first batch was asked for.

    Plans: ("batch", n), before batch n of this process; ("write", n + f), in the n-th checkpoint
    after the part f of its bytes; ("before rename", n) and ("after rename", n) of the n-th.
    """
    moment, number = plan or ("never", 0)
    count = {"batch": 0, "write": 0, "rename": 0}
    open_file, replace = Path.open, os.replace

    def transform(batch, generator):
        count["batch"] += 1
        result.with_suffix(".begun").touch()
        if moment == "batch" and count["batch"] > number:
            die()
        return with_noise(batch, generator)

    transform.__qualname__ = with_noise.__qualname__

    def open_to_die(path, mode="r", *rest, **options):
        file = open_file(path, mode, *rest, **options)
        if mode == "wb" and moment == "write":
            count["write"] += 1
            if count["write"] > int(number):
                return _Dying(file, number % 1)
        return file

    def replace_and_die(old, new):
        count["rename"] += 1
        last = count["rename"] > number
        if last and moment == "before rename":
            die()
        replace(old, new)
        if last and moment == "after rename":
            die()

    Path.open, os.replace = open_to_die, replace_and_die
    done = run(folder, transform=transform, **options or {})
    Path.open, os.replace = open_file, replace
    write_atomically(result, json.dumps(done).encode())


class _Dying:
    """A file that takes a part of what is written to it, and ends the process."""

    def __init__(self, file, part: float):
        self.file, self.part = file, part

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, content: bytes) -> None:
        self.file.write(content[: int(self.part * len(content))])
        self.file.flush()
        die()


def plans(number: int, seed: int) -> list[tuple[str, float]]:
    """Moments to kill at, of all kinds in turn; early enough that the run goes on for a while."""
    draw = random.Random(seed)
    kinds = ["batch", "write", "before rename", "batch", "write", "after rename"]
    return [
        (kind, draw.randrange(1, 12) if kind == "batch" else draw.randrange(2) + draw.random())
        for kind in (kinds[i % len(kinds)] for i in range(number))
    ]


def exact_run(**options) -> tuple[nn.Module, nn.Module, dict]:
    """A run in float64 without random numbers, the same in one process and in several."""
    torch.set_num_threads(1)
    model, loss = Encoders(dropout=0.0, dtype=torch.float64), ContrastiveLoss(0.2).double()
    batches = Batches(pairs(dtype=torch.float64), 24)
    defaults = {"steps": 6, "optimizer": "sgd", "learning_rate": 0.1, "clip_norm": 1.0}
    history = fit(model, loss, batches, **defaults | options)
    return model, loss, history.epochs[-1]


def one_of_several(process: int, processes: int, port: int, folder: Path, options: dict) -> None:
    """`exact_run` as torchrun starts it; the first process leaves its result in ``folder``."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    place |= {"RANK": process, "LOCAL_RANK": process, "WORLD_SIZE": processes}
    os.environ.update({name: str(value) for name, value in place.items()})
    leave_result(folder, options)


def leave_result(folder: Path, options: dict) -> None:
    model, loss, means = exact_run(**options)
    name = f"process{os.environ['RANK']}"
    weights = {n: v.clone() for n, v in nn.ModuleList([model, loss]).state_dict().items()}
    save_file(weights, folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(means), encoding="utf-8")


def started(target, *arguments) -> multiprocessing.Process:
    """A process that runs ``target``, forked from a server that has imported torch."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["simmim_lite.training"])
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


if __name__ == "__main__":  # python -m torch.distributed.run ... training_worker.py FOLDER OPTIONS
    leave_result(Path(sys.argv[1]), json.loads(sys.argv[2]))
