"""The training engine: speed of its parts, memory, and recovery from kills and damaged files.

    python -m reproduction.peers.bench_training            some minutes on one core, or on a GPU
    python -m reproduction.peers.bench_training --quick    smaller sizes, 10 kills
    python -m reproduction.peers.bench_training kills damage   these parts only

- speed: samples per second of augmentation, encoder and loss, alone and in `fit`; and the speed of
  the encoder as a fraction of the speed of matrix products and convolutions in the same process.
- memory: memory of a step above the state before the step, for a whole batch and for chunks.
- kills: runs are killed (SIGKILL) at random moments and resumed until they finish. Their weights
  must equal those of an undisturbed run, and every checkpoint must be readable.
- damage: flipped bits and truncations of a checkpoint. All of them must be detected. The plain
  formats of safetensors and torch are tested, too.

CPU: one thread, CPU seconds, the shortest of several repetitions. CUDA: one GPU, float16 or
bfloat16, seconds. The exit code is 1 if a kill or a damage led to a wrong result.
"""

import argparse
import io
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

from reproduction.experiments.training import BEGUN, WEIGHTS, start_training
from reproduction.image_changes import random_brightness_contrast, random_flip
from simmim_lite.augment import as_float, random_crop
from simmim_lite.storage import CheckpointError, pack, unpack
from simmim_lite.training import Batches, ContrastiveLoss, fit

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
PRECISION = None  # float32 on a CPU, as `fit` chooses
if DEVICE.type == "cuda":
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    PRECISION = torch.bfloat16 if native else torch.float16


def seconds(action: Callable[[], object], repetitions: int) -> float:
    """Shortest time of an action: CPU seconds, or wall seconds with a GPU."""
    action()  # the first call sets things up
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
    """Floating point operations per second of a matrix product and of a convolution.

    On some CPUs, convolutions come from another library than products, and are faster.
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
    """ResNet-18 for 32 x 32 pixels (first layer 3 x 3, no pooling) with a projection."""

    def __init__(self, width: int = 128):
        super().__init__()
        import torchvision

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
    limits = rates()
    rate = max(limits.values())
    for name, value in limits.items():
        print(f"  {name} alone: {value / 1e12:.3f} Tflop/s ({DEVICE}, {PRECISION or 'float32'})")
    print(f"  batches of {B}, two views of a sample; fraction of the faster of the two")
    images = pictures(B).to(DEVICE)
    generator = torch.Generator(DEVICE).manual_seed(0)

    def report(name: str, taken: float, flops: float = 0) -> None:
        fraction = f"{flops / taken / rate:8.0%}" if flops else ""
        print(f"  {name:<38} {B / taken:>10,.0f} samples/s {1000 * taken:>9.1f} ms {fraction}")

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
    report("fit, everything", seconds(train, 1) / steps)

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
    print(f"  a step without computation: fit {1e3 * idle:.2f} ms, plain loop {1e3 * plain:.2f} ms")


def peak_megabytes(action: Callable[[], object]) -> float:
    """Peak memory of an action above the state before it."""
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
    """Print memory and time of one step with a batch of B, in a new process."""

    def step(rows: int, chunk: int | None) -> None:
        batches = Batches(pictures(rows), rows, transform=two_views)
        fit(model, loss, batches, steps=1, optimizer="sgd", chunk=chunk)

    model, loss = TwoViews().to(DEVICE), ContrastiveLoss()
    step(2, None)  # the first call sets things up
    clock = time.perf_counter if DEVICE.type == "cuda" else time.process_time
    start = clock()
    peak = peak_megabytes(lambda: step(B, chunk))
    print(f"  batch {B}, chunk {chunk or 'none':>4}: {peak:7.0f} MB, {clock() - start:6.1f} s")


def memory(quick: bool) -> None:
    """Measure each step in a new process, because freed memory stays with a process."""
    B = 4096 if DEVICE.type == "cuda" else (64 if quick else 256)
    for chunk in (None, B // 4, B // 16):
        command = [sys.executable, "-m", "reproduction.peers.bench_training"]
        subprocess.run([*command, "--step", str(B), str(chunk or 0)], check=True)


def kills(number: int) -> int:
    """Runs of 200 steps with a checkpoint after each step, killed by the parent at random."""
    draw = random.Random(0)
    killed = unreadable = half_written = runs = wrong = 0
    options = {"steps": 200, "checkpoint_every": 1, "chunk": None, "width": 2048}
    with tempfile.TemporaryDirectory() as temporary:
        undisturbed = Path(temporary, "undisturbed")
        start_training(undisturbed, **options).join()
        expected = safetensors.torch.load_file(undisturbed / WEIGHTS)
        while killed < number:
            folder = Path(temporary, f"run{runs}")
            runs += 1
            while not (folder / WEIGHTS).exists():
                (folder / BEGUN).unlink(missing_ok=True)
                process = start_training(folder, **options)
                while not (folder / BEGUN).exists() and process.exitcode is None:
                    time.sleep(0.002)
                process.join(0.4 * draw.random() if killed < number else None)
                if process.exitcode is None:
                    process.kill()
                    process.join()
                    killed += 1
                    half_written += len(list(folder.glob("checkpoints/*.partial")))
                elif process.exitcode:
                    raise RuntimeError(f"training ended with exit code {process.exitcode}")
                for path in folder.glob("checkpoints/step-*.safetensors"):
                    try:
                        unpack(path.read_bytes())
                    except CheckpointError:
                        unreadable += 1
            found = safetensors.torch.load_file(folder / WEIGHTS)
            wrong += any(not torch.equal(found[name], value) for name, value in expected.items())
    print(
        f"  {killed} kills in {runs} runs, {half_written} in the middle of a write: {unreadable} "
        f"unreadable checkpoints, {wrong} runs that ended with other weights"
    )
    return unreadable + wrong


def damage(number: int) -> int:
    """Damage the state of a network and its optimizer, as a checkpoint and in plain formats."""
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
            except Exception:  # any error counts: the damage was detected
                continue
            missed[name] += 1
        print(f"  {name:<12} {number} damages, {missed[name]} not detected")
    return missed["ours"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help="speed, memory, kills, damage")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, 10 kills")
    parser.add_argument("--step", nargs=2, type=int, metavar=("B", "N"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.step:
        one_step(options.step[0], options.step[1] or None)
        return 0
    quick, failures = options.quick, 0
    actions = {
        "speed": lambda: speed(quick),
        "memory": lambda: memory(quick),
        "kills": lambda: kills(10 if quick else 100),
        "damage": lambda: damage(100 if quick else 1000),
    }
    if unknown := set(options.parts) - set(actions):
        parser.error(f"unknown part: {', '.join(sorted(unknown))}")
    for part in options.parts or actions:
        print(part, flush=True)
        failures += actions[part]() or 0
    print("Passed." if failures == 0 else f"missed: {failures} kills or damages with wrong results")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
