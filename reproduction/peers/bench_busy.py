"""Wall seconds of short fits beside busy neighbors, as on a shared machine.

    python -m reproduction.peers.bench_busy            about half an hour on two cores
    python -m reproduction.peers.bench_busy --quick    one repetition, without the torch neighbors
    python -m reproduction.peers.bench_busy --settings package passive --fits multimodal

A pool of OpenMP threads waits for its slowest thread. Threads that wait actively hold the cores
that the slowest thread needs, so a fit can take ten times as long beside two busy processes.

- neighbors: busy processes that are planted, pure Python loops ("loops") or programs of torch that
  multiply matrices with as many threads as there are cores ("torch").
- settings: "package", what simmim-lite does; "active", GNU OpenMP's own choice; "passive"; "spin
  N", GOMP_SPINCOUNT=N; "one thread".
- fits: small pieces of what the notebooks run.

Each setting has a fresh process, whose first fit is not measured. Settings and neighbors are
interleaved. The table shows the median of the wall seconds, and the factor over the median of the
same setting without neighbors. The cores that all other processes used meanwhile say whether the
machine was idle.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SETTINGS = {  # the environment
    "package": {},
    "active": {"GOMP_SPINCOUNT": "300000"},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "spin 2000": {"GOMP_SPINCOUNT": "2000"},
    "spin 10000": {"GOMP_SPINCOUNT": "10000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
DEFAULT = ("package", "active", "passive", "one thread")
_CLEARED = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
_LOOP = "while True: pass"
_TORCH = "import torch\na = torch.randn(700, 700)\nwhile True: a @ a"


def estimate() -> Callable[[], object]:
    import numpy as np

    from simmim_lite import mutual_information

    x = np.random.default_rng(0).normal(size=(600, 2))
    y = x + np.random.default_rng(1).normal(size=x.shape)
    return lambda: mutual_information.estimate(x, y)


def multimodal() -> Callable[[], object]:
    from simmim_lite import datasets
    from simmim_lite.encoders import AudioEncoder, ImageEncoder
    from simmim_lite.multimodal import MultimodalInfoMax, Pairing

    digits, speech = datasets.load_digits("train"), datasets.load_speech("train")
    items = {"image": digits.images, "speech": speech.waveforms}
    pairs = Pairing(items, {"image": digits.labels, "speech": speech.labels})
    audio = AudioEncoder(speech.rate, width=48, hidden=32)
    model = MultimodalInfoMax({"image": ImageEncoder(), "speech": audio})
    return lambda: model.fit(pairs, steps=24, batch_size=128, progress=False)


def manifold() -> Callable[[], object]:
    from sklearn.datasets import make_moons

    from simmim_lite.manifold import ManifoldInfoMax

    moons, _ = make_moons(500, noise=0.05, random_state=0)
    return lambda: ManifoldInfoMax(2, max_iter=400, random_state=0).fit(moons)


def manifold_images() -> Callable[[], object]:
    from simmim_lite import datasets
    from simmim_lite.manifold import ManifoldInfoMax

    rows = datasets.load_digits("train").images[:300].reshape(300, -1)
    options = {"augment": "image", "max_iter": 20, "random_state": 0}
    return lambda: ManifoldInfoMax(10, **options).fit(rows)


def vae() -> Callable[[], object]:
    from simmim_lite import datasets, generation
    from simmim_lite.encoders import ImageEncoder
    from simmim_lite.training import Batches

    pictures = ImageEncoder().prepare(datasets.load_digits("train").images)
    model = generation.image_vae(24, width=16)
    return lambda: model.fit(Batches({"x": pictures}, 64), steps=60, beta=0.15, progress=False)


def flow() -> Callable[[], object]:
    import torch

    from simmim_lite import generation
    from simmim_lite.training import Batches

    generator = torch.Generator().manual_seed(0)
    data = {"x": torch.randn(2000, 24, generator=generator)}
    data["condition"] = torch.randn(2000, 64, generator=generator)
    model = generation.RectifiedFlow(24, 64, width=192)
    return lambda: model.fit(Batches(data, 256), steps=150, progress=False)


FITS = {f.__name__: f for f in (estimate, multimodal, manifold, manifold_images, vae, flow)}


def work(name: str) -> None:
    """For each line of stdin, run a fit; print its wall seconds, and CPU seconds of all others."""
    action = FITS[name]()
    action()
    for _ in sys.stdin:
        before, own, start = _busy(), time.process_time(), time.perf_counter()
        action()
        wall, own = time.perf_counter() - start, time.process_time() - own
        print(wall, max(0.0, _busy() - before - own), flush=True)


def _busy() -> float:
    """CPU seconds of all processes since the machine was started; 0 if it does not say."""
    report = Path("/proc/stat")
    if not report.is_file():
        return 0.0
    ticks = list(map(int, report.read_text(encoding="utf-8").splitlines()[0].split()[1:9]))
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def start_worker(name: str, setting: str) -> subprocess.Popen:
    """A fresh process that runs a fit on demand."""
    environment = {k: v for k, v in os.environ.items() if k not in _CLEARED} | SETTINGS[setting]
    code = f"from reproduction.peers.bench_busy import work; work({name!r})"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, **pipes)


def measure(worker: subprocess.Popen) -> tuple[float, float]:
    """Wall seconds of a fit, and the cores that other processes used meanwhile."""
    worker.stdin.write("go\n")
    worker.stdin.flush()
    wall, others = map(float, worker.stdout.readline().split())
    return wall, others / wall


@contextmanager
def neighbors(number: int, kind: str) -> Iterator[None]:
    """Plant busy processes; end them afterwards."""
    environment = {k: v for k, v in os.environ.items() if k not in _CLEARED}
    command = [sys.executable, "-c", _TORCH if kind == "torch" else _LOOP]
    planted = [subprocess.Popen(command, env=environment) for _ in range(number)]
    try:
        if kind == "torch" and number:
            time.sleep(5)  # until torch is loaded
        yield
    finally:
        for process in planted:
            process.kill()
            process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=DEFAULT)
    parser.add_argument("--fits", nargs="+", choices=FITS, default=list(FITS))
    parser.add_argument("--neighbors", nargs="+", type=int, default=[2, 4], metavar="N")
    parser.add_argument(
        "--kinds", nargs="+", choices=("loops", "torch"), default=["loops", "torch"]
    )
    parser.add_argument("--repetitions", type=int, default=3, metavar="N")
    parser.add_argument("--quick", action="store_true", help="one repetition beside 2 loops")
    options = parser.parse_args()
    if options.quick:
        options.neighbors, options.kinds, options.repetitions = [2], ["loops"], 1
    places = [(0, "idle"), *((n, kind) for kind in options.kinds for n in options.neighbors if n)]
    print(f"{'':16}{'':12}" + "".join(f"{f'{n} {kind}' if n else kind:>16}" for n, kind in places))
    for name in options.fits:
        found: dict[tuple[str, int, str], list[float]] = {}
        noise: list[float] = []
        workers = {setting: start_worker(name, setting) for setting in options.settings}
        for _ in range(options.repetitions):
            for number, kind in places:
                with neighbors(number, kind):
                    for setting, worker in workers.items():
                        wall, others = measure(worker)
                        found.setdefault((setting, number, kind), []).append(wall)
                        noise += [] if number else [others]
        for setting, worker in workers.items():
            worker.stdin.close()
            worker.wait()
            walls = [statistics.median(found[setting, *place]) for place in places]
            cells = "".join(f"{wall:8.2f} s {wall / walls[0]:4.1f}x" for wall in walls)
            print(f"{name:16}{setting:12}{cells}", flush=True)
        print(f"{name:16}while idle, other processes used {statistics.median(noise):.2f} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
