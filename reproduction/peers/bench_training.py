"""The training engine: how fast its parts are, what it costs, and whether it survives.

    python -m reproduction.peers.bench_training            some minutes on one core, or on a GPU
    python -m reproduction.peers.bench_training --quick    smaller everything, 10 kills
    python -m reproduction.peers.bench_training kills damage   these parts only

- speed: samples a second of augmentation, encoder and loss, alone and in `fit`, and what share the
  encoder reaches of the speed of matrix products and convolutions alone, measured in this process.
- memory: what a step needs above the state before it, with the batch whole and in chunks.
- kills: runs that are killed (SIGKILL) at random moments until they end all the same; their
  weights must be those of an undisturbed run, and no checkpoint unreadable.
- damage: flipped bits and truncations of a checkpoint; all must be noticed. Beside it, what the
  plain formats notice.

CPU: one thread, CPU seconds, the least of several repetitions. CUDA: one GPU, float16 or bfloat16,
seconds. Exits with 1 if a kill or a damage was not survived.
"""

import argparse
import io
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from simmim_lite.augment import as_float, random_brightness_contrast, random_crop, random_flip
from simmim_lite.storage import CheckpointError, pack, unpack
from simmim_lite.training import Batches, ContrastiveLoss, fit
from simmim_lite.training._trainer import _precision

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from training_worker import killed_run, run, started

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
PRECISION = _precision("auto", DEVICE)


def seconds(action: Callable[[], object], repetitions: int) -> float:
    """Least time of an action: CPU seconds, or those of the GPU and all that feeds it."""
    action()  # what is set up at the first call is no part of it
    best = float("inf")
    for _ in range(repetitions):
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        clock = time.perf_counter if DEVICE.type == "cuda" else time.process_time
        start = clock()
        action()
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, clock() - start)
    return best


def rates() -> dict[str, float]:
    """Floating point operations a second: of a matrix product, and of a convolution.

    On some CPUs the convolution comes from another library than the product, and is faster.
    """
    size, channels, B = (8192, 256, 256) if DEVICE.type == "cuda" else (1024, 64, 32)
    options = {"device": DEVICE, "dtype": PRECISION or torch.float32}
    a, b = torch.randn(2, size, size, **options)
    kernel = torch.randn(channels, channels, 3, 3, **options)
    images = torch.randn(B, channels, 32, 32, **options).to(memory_format=torch.channels_last)
    found = {}
    for name, action in {
        "matrix product": lambda: a @ b,
        "convolution": lambda: nn.functional.conv2d(images, kernel, padding=1),
    }.items():
        with FlopCounterMode(display=False) as counter:
            action()
        found[name] = counter.get_total_flops() / seconds(action, 10)
    return found


class TwoViews(nn.Module):
    """A ResNet-18 for 32 x 32 pixels (first layer 3 x 3, no pooling) and a projection."""

    def __init__(self, width: int = 128):
        super().__init__()
        import torchvision  # here, for every process of `kills` imports this file

        self.encoder = torchvision.models.resnet18(
            num_classes=width, norm_layer=lambda channels: nn.GroupNorm(8, channels)
        )
        self.encoder.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.encoder.maxpool = nn.Identity()

    def forward(self, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        return self.encoder(batch["first"]), self.encoder(batch["second"])


def two_views(images: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
    views = (
        random_brightness_contrast(
            random_flip(random_crop(images, generator, padding=4), generator), generator
        )
        for _ in range(2)
    )
    return dict(zip(("first", "second"), views, strict=True))


def pictures(N: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (N, 3, 32, 32), generator=generator, dtype=torch.uint8)


def speed(quick: bool) -> None:
    B = 1024 if DEVICE.type == "cuda" else (16 if quick else 64)
    repetitions = 3 if quick else 5
    ceilings = rates()
    rate = max(ceilings.values())
    for name, value in ceilings.items():
        print(f"  {name} alone: {value / 1e12:.3f} Tflop/s ({DEVICE}, {PRECISION or 'float32'})")
    print(f"  batches of {B}, two views of a sample; share of the faster of the two")
    images = pictures(B).to(DEVICE)
    generator = torch.Generator(DEVICE).manual_seed(0)

    def report(name: str, taken: float, flops: float = 0) -> None:
        share = f"{flops / taken / rate:8.0%}" if flops else ""
        print(f"  {name:<38} {B / taken:>10,.0f} samples/s {1000 * taken:>9.1f} ms {share}")

    taken = seconds(lambda: two_views(images, generator), repetitions)
    report("augmentation", taken)
    batch = {name: as_float(view) for name, view in two_views(images, generator).items()}
    for channels_last in (False, True):
        model = TwoViews().to(DEVICE)
        if channels_last:
            model.to(memory_format=torch.channels_last)

        def encode(model=model):
            with torch.autocast(DEVICE.type, PRECISION, enabled=PRECISION is not None):
                first, second = model(batch)
            (first.float().sum() + second.float().sum()).backward()

        with FlopCounterMode(display=False) as counter:
            encode()
        name = f"encoder{', channels last' if channels_last else ''}"
        report(name, seconds(encode, repetitions), counter.get_total_flops())
    loss = ContrastiveLoss().to(DEVICE)
    embeddings = torch.randn(2, B, 128, device=DEVICE, requires_grad=True)
    report("loss", seconds(lambda: loss(tuple(embeddings))["loss"].backward(), repetitions))

    model = TwoViews().to(DEVICE, memory_format=torch.channels_last)
    batches = Batches(images, B, transform=two_views)
    steps = 3 if quick else 10
    train = lambda: fit(model, loss, batches, steps=steps)  # noqa: E731
    report("fit, all of it", seconds(train, 1) / steps)

    small = nn.Linear(8, 8).to(DEVICE)
    rows = Batches(torch.randn(64, 8), 64)
    idle = seconds(lambda: fit(small, lambda z, _: z.square().mean(), rows, steps=200), 3) / 200
    optimizer = torch.optim.AdamW(small.parameters())

    def plain_loop() -> None:
        for i in range(200):
            optimizer.zero_grad()
            loss = small(rows[i]).square().mean()
            loss.backward()
            optimizer.step()
            loss.item()

    plain = seconds(plain_loop, 3) / 200
    print(
        f"  a step that computes nothing: fit {1e3 * idle:.2f} ms, plain loop {1e3 * plain:.2f} ms"
    )


def peak_megabytes(action: Callable[[], object]) -> float:
    """What an action needs above the state before it."""
    if DEVICE.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        action()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    status = Path("/proc/self/status")
    read = lambda: int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024  # noqa: E731
    Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the peak so far
    before = read()
    action()
    return read() - before


def one_step(B: int, chunk: int | None) -> None:
    """Print what one step of a batch of B needs, in this process that has done little else."""

    def step(rows: int, chunk: int | None) -> None:
        batches = Batches(pictures(rows), rows, transform=two_views)
        fit(model, loss, batches, steps=1, optimizer="sgd", chunk=chunk)

    model, loss = TwoViews().to(DEVICE), ContrastiveLoss()
    step(2, None)  # what is set up at the first call is no part of it
    clock = time.perf_counter if DEVICE.type == "cuda" else time.process_time
    start = clock()
    peak = peak_megabytes(lambda: step(B, chunk))
    print(f"  batch {B}, chunk {chunk or 'none':>4}: {peak:7.0f} MB, {clock() - start:6.1f} s")


def memory(quick: bool) -> None:
    """Each in a process of its own: what one has freed stays with the process."""
    B = 4096 if DEVICE.type == "cuda" else (64 if quick else 256)
    for chunk in (None, B // 4, B // 16):
        command = [sys.executable, __file__, "--step", str(B), str(chunk or 0)]
        subprocess.run(command, check=True)


def kills(number: int) -> int:
    """Runs of 200 steps with a checkpoint after each, killed by the parent at random moments."""
    draw = random.Random(0)
    killed = unreadable = half_written = runs = wrong = 0
    options = {"steps": 200, "checkpoint_every": 1, "chunk": None, "width": 2048}
    undisturbed = run(None, **options)
    with tempfile.TemporaryDirectory() as temporary:
        result, begun = Path(temporary, "run.json"), Path(temporary, "run.begun")
        while killed < number:
            folder = Path(temporary, f"run{runs}")
            runs += 1
            result.unlink(missing_ok=True)
            while not result.exists():
                begun.unlink(missing_ok=True)
                process = started(killed_run, folder, result, None, options)
                while not begun.exists() and process.exitcode is None:
                    time.sleep(0.002)
                process.join(0.4 * draw.random() if killed < number else None)
                if process.exitcode is None:
                    process.kill()
                    process.join()
                    killed += 1
                    half_written += len(list(folder.glob("*.partial")))
                for path in folder.glob("step-*.safetensors"):
                    try:
                        unpack(path.read_bytes())
                    except CheckpointError:
                        unreadable += 1
            wrong += json.loads(result.read_text(encoding="utf-8")) != undisturbed
    print(
        f"  {killed} kills in {runs} runs, {half_written} in the middle of a write: {unreadable} "
        f"unreadable checkpoints, {wrong} runs that ended with other weights"
    )
    return unreadable + wrong


def damage(number: int) -> int:
    """A state of a small network and its optimizer, as a checkpoint and in the plain formats."""
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(2, 64)).sum().backward()
    optimizer.step()
    state = {"model": dict(model.state_dict()), "optimizer": optimizer.state_dict()}
    saved = io.BytesIO()
    torch.save(state, saved)
    formats: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
        "ours": (pack(state), unpack),
        "safetensors": (safetensors.torch.save(state["model"]), safetensors.torch.load),
        "torch.save": (saved.getvalue(), lambda b: torch.load(io.BytesIO(b), weights_only=True)),
    }
    missed = {}
    for name, (content, read) in formats.items():
        draw = random.Random(1)
        missed[name] = 0
        for i in range(number):
            changed = bytearray(content)
            position = draw.randrange(len(content))
            if i % 2:
                del changed[position:]
            else:
                changed[position] ^= 1 << draw.randrange(8)
            try:
                read(bytes(changed))
            except Exception:  # any error will do: it was noticed
                continue
            missed[name] += 1
        print(f"  {name:<12} {number} damages, {missed[name]} not noticed")
    return missed["ours"]


def main(parts: list[str], quick: bool) -> int:
    torch.set_num_threads(1)
    failures = 0
    actions = {
        "speed": lambda: speed(quick),
        "memory": lambda: memory(quick),
        "kills": lambda: kills(10 if quick else 100),
        "damage": lambda: damage(100 if quick else 1000),
    }
    for part in parts or actions:
        print(part, flush=True)
        failures += actions[part]() or 0
    print("Passed." if failures == 0 else f"missed: {failures} kills or damages not survived")
    return failures > 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help="speed, memory, kills, damage")
    parser.add_argument("--quick", action="store_true", help="smaller everything, 10 kills")
    parser.add_argument("--step", nargs=2, type=int, metavar=("B", "N"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        torch.set_num_threads(1)
        one_step(options.step[0], options.step[1] or None)
        sys.exit(0)
    unknown = set(options.parts) - {"speed", "memory", "kills", "damage"}
    if unknown:
        parser.error(f"unknown part: {', '.join(sorted(unknown))}")
    sys.exit(main(options.parts, options.quick))
