"""Nearest-neighbor mutual information (KSG): our estimator and scikit-learn's, in one process.

    python -m reproduction.peers.bench_neighbors

Both use 3 neighbors on the same samples and take turns at running first. The exit code is 0 if, for
N = 10,000 with one column each, the mean of our estimates is within 0.02 nats of every true value
and our median time is not longer than that of scikit-learn.
"""

import argparse
import sys
import time
from collections.abc import Callable
from statistics import mean, median, stdev

import numpy as np
from sklearn.feature_selection import mutual_info_regression

from simmim_lite.ground_truth import CorrelatedGaussian, GroundTruth, MonotoneTransform
from simmim_lite.mutual_information import estimate

TOLERANCE = 0.02  # nats, of the mean over seeds; a single estimate has a deviation of about 0.013
SEEDS = 40  # so that the mean has a standard error of 0.002
ONE_COLUMN: dict[str, GroundTruth] = {
    **{f"Gaussian {nats:g}": CorrelatedGaussian(nats=nats) for nats in (0.1, 0.5, 1, 2, 3)},
    "cube, exp of 1": MonotoneTransform(CorrelatedGaussian(nats=1), "cube", "exp"),
}


def ours(x: np.ndarray, y: np.ndarray) -> float:
    return estimate(x, y, "ksg").nats


def sklearn(x: np.ndarray, y: np.ndarray) -> float:
    return float(mutual_info_regression(x, y[:, 0], n_neighbors=3)[0])


class Runs:
    """Errors in nats and wall seconds of one function on several samples of one ground truth."""

    def __init__(self, function: Callable[[np.ndarray, np.ndarray], float], truth: GroundTruth):
        self.function, self.truth = function, truth
        self.errors, self.seconds = [], []

    def add(self, x: np.ndarray, y: np.ndarray) -> None:
        start = time.perf_counter()
        nats = self.function(x, y)
        self.seconds.append(time.perf_counter() - start)
        self.errors.append(nats - self.truth.mutual_information)

    def __str__(self) -> str:
        return f"{mean(self.errors):+8.4f} ±{stdev(self.errors):7.4f} {median(self.seconds):9.4f}"


def compare(name: str, truth: GroundTruth, N: int, seeds: int) -> tuple[Runs, Runs]:
    """Run both estimators on the same samples; print a row and return the runs."""
    a, b = Runs(ours, truth), Runs(sklearn, truth)
    for seed in range(seeds):
        x, y = truth.sample(N, seed)
        for runs in (a, b) if seed % 2 else (b, a):
            runs.add(x, y)
    ratio = median(a.seconds) / median(b.seconds)
    print(f"{name:15s} {N:7,d} {truth.mutual_information:5.2f} {a} {b} {ratio:6.2f}", flush=True)
    return a, b


def main() -> int:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    print(f"{'':29s} {'ours':>27s} {'scikit-learn':>27s}  ratio of")
    print(
        f"{'truth':15s} {'N':>7s} {'nats':>5s}", *[f"{'mean error':>17s}   seconds"] * 2, " seconds"
    )
    warm = CorrelatedGaussian(nats=1).sample(1000)
    ours(*warm), sklearn(*warm)  # the first call imports modules and fills caches

    failures, seconds = [], ([], [])
    for name, truth in ONE_COLUMN.items():
        runs = compare(name, truth, 10_000, SEEDS)
        for total, part in zip(seconds, runs, strict=True):
            total += part.seconds
        if abs(mean(runs[0].errors)) > TOLERANCE:
            failures.append(f"{name}: mean error above {TOLERANCE} nats")
    ratio = median(seconds[0]) / median(seconds[1])
    print(f"{'Ratio of median seconds over these rows':88s} {ratio:6.2f}")
    if ratio > 1:
        failures.append(f"slower than scikit-learn: {ratio:.2f}")

    print("Without bounds: other sizes, and 3 + 3 columns, which scikit-learn does not support")
    compare("Gaussian 1", CorrelatedGaussian(nats=1), 1000, seeds=SEEDS)
    compare("Gaussian 1", CorrelatedGaussian(nats=1), 100_000, seeds=6)
    for N, seeds in ((1000, 10), (10_000, 6), (100_000, 2)):
        runs = Runs(ours, CorrelatedGaussian(3, nats=1.5))
        for seed in range(seeds):
            runs.add(*runs.truth.sample(N, seed))
        print(f"{'Gaussian, 3 + 3':15s} {N:7,d} {runs.truth.mutual_information:5.2f} {runs}")

    print("\n".join(failures) or "Passed.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
