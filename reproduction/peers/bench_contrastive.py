"""Contrastive losses: time and memory of our tiled losses beside losses of other packages.

    python -m reproduction.peers.bench_contrastive           about six minutes on one core
    python -m reproduction.peers.bench_contrastive --quick   batches of at most 2,048, one minute

One thread, d = 128, temperature 0.1, forward and backward, float32. Time: CPU seconds, the shortest
of interleaved repetitions in one process. Memory: peak of a new process above its state before the
loss. The last two columns compare the time with the matrix products of the loss alone: by torch.mm,
which all peers use, and by oneDNN, which our losses use and which is faster on AMD processors.

Peers that are not installed are left out (``pip install -e ".[bench]"`` installs them). Each row is
printed as soon as it is measured. The exit code is 1 if a bound is missed.
"""

import argparse
import importlib.util
import math
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from simmim_lite.contrastive import info_nce_loss, nt_xent_loss

DIM, TEMPERATURE = 128, 0.1
KEPT = 1 << 24  # below this number of scores, our losses keep the scores for the gradient


def ours_both_ways() -> Callable:
    return lambda q, k: info_nce_loss(q, k, TEMPERATURE)


def ours_one_way() -> Callable:
    return lambda q, k: info_nce_loss(q, k, TEMPERATURE, symmetric=False)


def ours_nt_xent() -> Callable:
    return lambda q, k: nt_xent_loss(q, k, TEMPERATURE)


def dense_both_ways() -> Callable:
    def loss(q, k):
        scores, positives = q @ k.T / TEMPERATURE, torch.arange(len(q))
        return (F.cross_entropy(scores, positives) + F.cross_entropy(scores.T, positives)) / 2

    return loss


def dense_one_way() -> Callable:
    return lambda q, k: F.cross_entropy(q @ k.T / TEMPERATURE, torch.arange(len(q)))


def open_clip_both_ways() -> Callable:
    from open_clip.loss import ClipLoss

    loss = ClipLoss()
    return lambda q, k: loss(q, k, 1 / TEMPERATURE)


def info_nce_pytorch_one_way() -> Callable:
    from info_nce import InfoNCE

    return InfoNCE(temperature=TEMPERATURE)


def lightly_nt_xent() -> Callable:
    from lightly.loss import NTXentLoss

    return NTXentLoss(temperature=TEMPERATURE)


def metric_learning_nt_xent() -> Callable:
    from pytorch_metric_learning.losses import NTXentLoss, SelfSupervisedLoss

    return SelfSupervisedLoss(NTXentLoss(temperature=TEMPERATURE))


# name: (maker, package, ours of the same kind, largest batch that is practical)
LOSSES = {
    "ours, both ways": (ours_both_ways, "simmim_lite", None, 1 << 20),
    "dense, both ways": (dense_both_ways, "torch", "ours, both ways", 16_384),
    "open_clip": (open_clip_both_ways, "open_clip", "ours, both ways", 16_384),
    "ours, one way": (ours_one_way, "simmim_lite", None, 1 << 20),
    "dense, one way": (dense_one_way, "torch", "ours, one way", 16_384),
    "info-nce-pytorch": (info_nce_pytorch_one_way, "info_nce", "ours, one way", 16_384),
    "ours, NT-Xent": (ours_nt_xent, "simmim_lite", None, 1 << 20),
    "lightly NT-Xent": (lightly_nt_xent, "lightly", "ours, NT-Xent", 2_048),
    "pytorch-metric-learning": (
        metric_learning_nt_xent,
        "pytorch_metric_learning",
        "ours, NT-Xent",
        256,
    ),
}
# Floating point operations for B pairs, divided by B^2 dim: scores kept, scores computed twice.
WORK = {"ours, both ways": (6, 8), "ours, one way": (6, 6), "ours, NT-Xent": (12, 16)}
# Lower bounds of the speed, as a fraction of that of torch.mm, for batches of 2,048 and more.
SPEEDS = {"ours, both ways": 0.75, "ours, one way": 0.80}
# (peer, batch): lower bounds of our speed and memory, in multiples of the peer's.
BOUNDS = {
    ("dense, both ways", 16_384): (5, 50),
    ("open_clip", 16_384): (5, 50),
    ("lightly NT-Xent", 2_048): (8, 1),
}
LARGEST, LARGEST_MEGABYTES = 131_072, 500


def embeddings(B: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    values = (torch.randn(B, DIM, generator=generator) for _ in range(2))
    return tuple(F.normalize(v, dim=1).requires_grad_() for v in values)


def cpu_seconds(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def step(loss: Callable, pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    loss(*pair).backward()


def product_rates() -> tuple[float, float]:
    """Floating point operations per second of torch.mm and of oneDNN."""
    a, b = torch.randn(1024, DIM), torch.randn(1024, DIM)
    times = 60  # about as long as a loss takes, so that interruptions are equally likely

    def rate(multiply: Callable) -> float:
        taken = cpu_seconds(lambda: deque((multiply(a, b) for _ in range(times)), maxlen=0))
        return times * 2 * 1024 * 1024 * DIM / taken

    torch_mm = rate(lambda a, b: torch.mm(a, b.T))
    onednn = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    if onednn is None:
        return torch_mm, torch_mm
    return torch_mm, rate(lambda a, b: onednn(a, b, None, "none", [], ""))


def in_a_fresh_process(name: str, B: int) -> tuple[float, float]:
    """Peak MB of one forward and backward pass above the state before, and its CPU seconds."""
    command = [sys.executable, "-m", "reproduction.peers.bench_contrastive"]
    command += ["--memory", name, str(B)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    megabytes, seconds = done.stdout.split()[-2:]
    return float(megabytes), float(seconds)


def in_this_process(name: str, B: int) -> tuple[float, float]:
    torch.set_num_threads(1)
    loss = LOSSES[name][0]()
    step(loss, embeddings(64))  # the first call sets things up
    pair = embeddings(B)
    Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the peak so far
    before = peak_megabytes()
    seconds = cpu_seconds(partial(step, loss, pair))
    return peak_megabytes() - before, seconds


def peak_megabytes() -> float:
    """Peak resident memory; `resource` would count what the parent held when it forked."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def compare(B: int, repetitions: int, missed: list[str]) -> None:
    """Print a row for each loss that is practical for B pairs."""
    losses = {
        name: maker()
        for name, (maker, package, _, largest) in LOSSES.items()
        if largest >= B and importlib.util.find_spec(package)
    }
    pair, best, rates = embeddings(B), dict.fromkeys(losses, math.inf), (0.0, 0.0)
    for _ in range(repetitions):
        rates = tuple(map(max, rates, product_rates()))
        for name, loss in losses.items():
            for _ in range(3 if B < 2_048 else 1):  # the first short step has a cold cache
                best[name] = min(best[name], cpu_seconds(partial(step, loss, pair)))
    print(
        "\nproducts of matrices: torch.mm {:.0f}, oneDNN {:.0f} Gflop/s".format(
            *(r / 1e9 for r in rates)
        )
    )
    print(
        f"{'loss':<24} {'batch':>7} {'CPU s':>9} {'MB':>8} {'time x':>7} {'MB x':>6} "
        f"{'of mm':>6} {'of oneDNN':>9}"
    )
    memory = {}
    for name in losses:
        memory[name], _ = in_a_fresh_process(name, B)
        row = f"{name:<24} {B:>7,} {best[name]:>9.4f} {memory[name]:>8.0f}"
        if own := LOSSES[name][2]:
            times = best[name] / best[own], memory[name] / max(memory[own], 1)
            row += f" {times[0]:>7.1f} {times[1]:>6.0f}"
            bounds = zip(times, BOUNDS.get((name, B), (0, 0)), ("time", "memory"), strict=True)
            missed += [
                f"{name} at {B:,}: {got:.1f} times our {what}, expected {wanted}"
                for got, wanted, what in bounds
                if got < wanted
            ]
        elif name in WORK:
            scores = B * B * (4 if name == "ours, NT-Xent" else 1)
            work = WORK[name][scores > KEPT] * B**2 * DIM
            speeds = [work / best[name] / rate for rate in rates]
            row += f" {'':>14} {speeds[0]:>6.0%} {speeds[1]:>9.0%}"
            if B >= 2_048 and speeds[0] < SPEEDS.get(name, 0):
                missed.append(f"{name} at {B:,}: {speeds[0]:.0%} of the speed of torch.mm")
        print(row, flush=True)


def grow(name: str, missed: list[str]) -> None:
    """Memory and time up to the largest batch, and their slopes on logarithmic axes."""
    print(f"\n{name:<24} {'batch':>7} {'CPU s':>9} {'MB':>8}")
    sizes, measured = [LARGEST >> i for i in range(4, -1, -1)], []
    for B in sizes:
        repeated = (in_a_fresh_process(name, B) for _ in range(3 if B < 50_000 else 1))
        measured.append([min(values) for values in zip(*repeated, strict=True)])
        megabytes, seconds = measured[-1]
        print(f"{'':<24} {B:>7,} {seconds:>9.2f} {megabytes:>8.0f}", flush=True)
    slopes = np.polyfit(np.log(sizes), np.log(measured), 1)[0]
    print(f"slopes: memory {slopes[0]:.2f}, time {slopes[1]:.2f}")
    if abs(slopes[0] - 1) > 0.1:
        missed.append(f"{name}: memory grows with a slope of {slopes[0]:.2f}, expected 1")
    if measured[-1][0] > LARGEST_MEGABYTES:
        missed.append(
            f"{name} at {LARGEST:,}: {measured[-1][0]:.0f} MB, expected {LARGEST_MEGABYTES}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="batches of at most 2,048")
    parser.add_argument("--memory", nargs=2, metavar=("LOSS", "B"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        print(*in_this_process(options.memory[0], int(options.memory[1])))
        return 0
    torch.set_num_threads(1)
    absent = [name for name, (_, p, *_) in LOSSES.items() if not importlib.util.find_spec(p)]
    print("left out, not installed:", ", ".join(absent) or "none")
    missed: list[str] = []
    compare(256, 4, missed)
    compare(2_048, 8, missed)
    if not options.quick:
        compare(16_384, 3, missed)
        grow("ours, both ways", missed)
    print("\n" + ("\n".join(f"missed: {line}" for line in missed) or "Passed."))
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
