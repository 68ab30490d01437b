"""How well estimators find known mutual information: error, coverage and CPU seconds by family.

Tasks at even places within a family are for development: every constant of `auto` was set on
them. Those at odd places are held out, and only reported.

    python benchmarks/bench_mutual_information.py --tasks held-out --processes 2
    python benchmarks/bench_mutual_information.py --quick
    python benchmarks/bench_mutual_information.py --estimators auto sklearn --python sklearn=PATH

A peer (see ``mutual_information_peers.py``) gets the same samples as a file, and may have an
environment of its own, whose Python ``--python`` names. The runs go to a tidy CSV, the summary to
the screen and to Markdown beside it.
"""

import argparse
import json
import math
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from mutual_information_peers import PEERS

from simmim_lite.ground_truth import (
    AdditiveNoise,
    ClassAndFeature,
    ClassAndNormal,
    CorrelatedGaussian,
    DiscreteTable,
    Gaussian,
    GaussianMixture,
    GroundTruth,
    Independent,
    Joined,
    MixingTransform,
    MonotoneTransform,
    NoisyCurve,
    StudentT,
)
from simmim_lite.mutual_information import ESTIMATORS, estimate

OURS = ("auto", *ESTIMATORS)
COPULAS = ("Gaussian", "monotone", "null")  # the families where correlation says it all


def dense(dim_x: int, dim_y: int, correlation: float) -> Gaussian:
    """Every two columns have the same correlation."""
    dim = dim_x + dim_y
    return Gaussian(correlation + (1 - correlation) * np.eye(dim), dim_x)


def sparse(dim: int, nats: float) -> Gaussian:
    """Two columns of each share ``nats``, the others nothing."""
    return paired([nats / 2, nats / 2] + [0] * (dim - 2))


def uneven(dim: int, nats: float) -> Gaussian:
    """Each pair of columns shares half as much as the one before."""
    shares = 0.5 ** np.arange(dim)
    return paired(nats * shares / shares.sum())


def paired(nats: list[float] | np.ndarray) -> Gaussian:
    correlation = np.diag(np.sqrt(-np.expm1(-2 * np.asarray(nats))))
    one = np.eye(len(correlation))
    return Gaussian(np.block([[one, correlation], [correlation, one]]), len(one))


def crossed(dim: int, correlation: float) -> GaussianMixture:
    """Correlated or anticorrelated, as a coin falls: no correlation on the whole."""
    one = np.eye(dim)
    signs = [np.block([[one, s * one], [s * one, one]]) for s in (correlation, -correlation)]
    return GaussianMixture([0.5, 0.5], np.zeros((2, 2 * dim)), signs, dim)


def clusters(K: int, dim: int, spread: float, seed: int) -> GaussianMixture:
    means = spread * np.random.default_rng(seed).standard_normal((K, 2 * dim))
    return GaussianMixture(np.full(K, 1 / K), means, np.tile(np.eye(2 * dim), (K, 1, 1)), dim)


def skewed(K: int, diagonal: float) -> DiscreteTable:
    """Symbols of probability 1/rank, the same symbol twice ``diagonal`` times as likely."""
    table = np.outer(1 / np.arange(1, K + 1), 1 / np.arange(1, K + 1))
    table[np.diag_indices(K)] *= diagonal
    return DiscreteTable(table / table.sum())


def uniform(K_x: int, K_y: int) -> DiscreteTable:
    return DiscreteTable(np.full((K_x, K_y), 1 / (K_x * K_y)))


def blocks(dim: int, correlation: float) -> Gaussian:
    """Columns correlated within X and within Y, X and Y independent."""
    within = correlation + (1 - correlation) * np.eye(dim)
    return Gaussian(np.kron(np.eye(2), within), dim)


Normal, Monotone, Mixing = CorrelatedGaussian, MonotoneTransform, MixingTransform
FAMILIES: dict[str, list[GroundTruth]] = {
    "Gaussian": [
        Normal(5, nats=1),
        Normal(3, nats=2),
        Normal(20, nats=10),
        Normal(20, nats=6),
        sparse(25, 1),
        sparse(5, 1.5),
        uneven(10, 3),
        uneven(6, 5),
        dense(50, 50, 0.3),
        dense(10, 25, 0.5),
        Normal(1, nats=3),
        Normal(1, nats=0.2),
    ],
    "monotone": [
        Monotone(Normal(20, nats=4), "cube", "cube"),
        Monotone(Normal(10, nats=2), "exp", "asinh"),
        Monotone(sparse(5, 1), "asinh", "normal_cdf"),
        Monotone(uneven(3, 2), "normal_cdf", "cube"),
    ],
    "warp": [
        Mixing(sparse(3, 1), "swirl", "identity"),
        Mixing(sparse(5, 1), "swirl", "swirl"),
        Mixing(sparse(25, 1), "swirl", "identity"),
        Mixing(sparse(10, 1), "rotate_shear", "identity"),
        Mixing(Normal(4, nats=2), "shear", "bend"),
        Mixing(Normal(6, nats=3), "bend", "shear_rotate"),
        Mixing(Normal(2, nats=1), "swirl", "shear"),
        Mixing(Normal(2, nats=2), "bend", "swirl"),
        Mixing(Normal(10, nats=4), "rotate_cube", "identity"),
        Mixing(Normal(5, nats=2), "rotate_cube", "rotate_cube"),
    ],
    "heavy tails": [
        StudentT(Normal(1, nats=0.3), 1),
        StudentT(Normal(2, nats=0.5), 2),
        StudentT(dense(5, 5, 0.4), 3),
        StudentT(dense(3, 3, 0.5), 2),
        StudentT(Independent(3, 3), 2),
        StudentT(Independent(5, 5), 3),
    ],
    "mixture": [
        crossed(1, 0.9),
        crossed(2, 0.8),
        clusters(4, 2, 2, 0),
        clusters(6, 3, 1.5, 1),
        clusters(5, 10, 0.8, 2),
        clusters(3, 5, 1, 3),
    ],
    "manifold": [
        NoisyCurve("sine", 0.2),
        NoisyCurve("fast_sine", 0.3),
        NoisyCurve("circle", 0.15),
        NoisyCurve("spiral", 0.1),
        NoisyCurve("helix", 0.3),
        NoisyCurve("parabola", 0.1),
        Mixing(Normal(1, nats=1), "swiss_roll", "identity"),
        Mixing(Normal(3, nats=1.5), "swiss_roll", "identity"),
        Joined(NoisyCurve("sine", 0.3), Independent(3, 3)),
        Joined(NoisyCurve("parabola", 0.2), Independent(4, 4)),
    ],
    "additive": [
        AdditiveNoise(0.1),
        AdditiveNoise(0.75),
        Joined(*[AdditiveNoise(0.5)] * 3),
        Joined(*[AdditiveNoise(0.25)] * 2),
    ],
    "discrete": [
        skewed(100, 10),
        skewed(60, 30),
        uniform(30, 30),
        uniform(50, 20),
        skewed(10, 5),
        DiscreteTable(np.random.default_rng(5).dirichlet(np.ones(24)).reshape(4, 6)),
    ],
    "mixed": [
        ClassAndFeature(5),
        ClassAndFeature(3),
        ClassAndNormal(3 * np.eye(3, 10)),
        ClassAndNormal(3 * np.eye(10, 20)),
        Monotone(ClassAndNormal([[0], [1], [2], [3]]), "identity", "exp"),
        ClassAndNormal(1.5 * np.eye(4)),
    ],
    "null": [
        Independent(1, 1),
        Independent(5, 5),
        Independent(25, 25),
        Independent(2, 20),
        Mixing(blocks(4, 0.6), "bend", "swirl"),
        Mixing(Independent(3, 3), "swirl", "bend"),
    ],
}


def names(which: str) -> list[tuple[str, int]]:
    """Family and place of the tasks of a half, "development" or "held-out", or of "all"."""
    rest = {"development": (0,), "held-out": (1,), "all": (0, 1)}[which]
    return [(f, i) for f, tasks in FAMILIES.items() for i in range(len(tasks)) if i % 2 in rest]


def run(job: tuple[str, int, int, int, str, str]) -> dict:
    """One estimate as a row of the table; what an estimator cannot do is nan, with the error."""
    family, place, N, seed, estimator, python = job
    truth = FAMILIES[family][place]
    x, y = truth.sample(N, seed)
    row = {
        "family": family,
        "task": f"{family} {place}",
        "dims": f"{truth.dim_x} x {truth.dim_y}",
        "N": N,
        "seed": seed,
        "estimator": estimator,
        "truth": truth.mutual_information,
        "truth_error": truth.mutual_information_error,
        "nats": math.nan,
        "standard_error": math.nan,
        "cpu_seconds": math.nan,
        "note": "",
    }
    start = time.process_time()
    try:
        if estimator in OURS:
            found = estimate(x, y, estimator, seed=seed)
            row |= {
                "nats": found.nats,
                "standard_error": found.standard_error,
                "cpu_seconds": time.process_time() - start,
                "note": f"{found.method}: {found.reason}",
            }
        else:
            row |= run_peer(estimator, python, x, y)
    except (ValueError, TypeError, subprocess.SubprocessError) as error:
        row["note"] = f"{type(error).__name__}: {error}"
    return row


def run_peer(name: str, python: str, x: np.ndarray, y: np.ndarray) -> dict:
    script = Path(__file__).with_name("mutual_information_peers.py")
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "samples.npz", x=x, y=y)
        done = subprocess.run(
            [python, str(script), name, str(Path(folder) / "samples.npz")],
            env={**os.environ, "TMPDIR": folder},  # some keep checkpoints of one name there
            capture_output=True,
            text=True,
            timeout=600,
            check=True,
        )
    return json.loads(done.stdout.splitlines()[-1])


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """By estimator and family, and over groups of families: errors in nats, seconds of CPU."""
    table = table.assign(error=table.nats - table.truth)
    copula = table.family.isin(COPULAS)
    groups = [(family, table.family == family) for family in table.family.unique()]
    groups += [("not copulas", ~copula), ("all", copula | ~copula)]
    rows = []
    for estimator in table.estimator.unique():
        for name, chosen in groups:
            part = table[chosen & (table.estimator == estimator)]
            done = part.dropna(subset="nats")
            if done.empty:
                continue
            allowed = 2 * np.hypot(done.standard_error, done.truth_error)
            stated = done.standard_error.notna()
            covered = (done.error.abs() <= allowed)[stated].mean() if stated.any() else math.nan
            rows.append(
                {
                    "estimator": estimator,
                    "family": name,
                    "runs": f"{len(done)} of {len(part)}",
                    "mean error": done.error.abs().mean(),
                    "bias": done.error.mean(),
                    "worst": done.error.abs().max(),
                    "coverage": covered,
                    "CPU s": done.cpu_seconds.mean(),
                    "CPU s worst": done.cpu_seconds.max(),
                }
            )
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame) -> str:
    cells = [[f"{v:.3f}" if isinstance(v, float) else str(v) for v in row] for row in table.values]
    rows = [list(table.columns), ["---"] * len(table.columns), *cells]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def main() -> int:
    # CPU seconds are those of one thread, also in the processes started from here.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = "1"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", choices=("development", "held-out", "all"), default="all")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--estimators", nargs="+", choices=(*OURS, *PEERS), default=["auto"])
    parser.add_argument("--python", nargs="*", default=[], metavar="PEER=PATH")
    parser.add_argument("--N", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="N = 2,000 and one seed")
    parser.add_argument("--out", type=Path, default=Path("mutual_information.csv"))
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.N, arguments.seeds = 2000, 1
    pythons = dict(each.split("=", 1) for each in arguments.python)
    jobs = [
        (family, place, arguments.N, seed, estimator, pythons.get(estimator, sys.executable))
        for seed in range(arguments.seeds)
        for family, place in names(arguments.tasks)
        if family in arguments.families
        for estimator in arguments.estimators
    ]
    rows = []
    context = multiprocessing.get_context("spawn")
    with context.Pool(arguments.processes, initializer=one_thread) as pool:
        for row in pool.imap(run, jobs):
            rows.append(row)
            print(
                f"{row['estimator']:14s} {row['task']:14s} {row['dims']:8s} seed {row['seed']} "
                f"truth {row['truth']:6.3f} error {row['nats'] - row['truth']:+7.3f} "
                f"± {row['standard_error']:.3f} {row['cpu_seconds']:6.1f} s  {row['note']}",
                flush=True,
            )
            pd.DataFrame(rows).to_csv(arguments.out, index=False)
    result = markdown(summary(pd.DataFrame(rows)))
    arguments.out.with_suffix(".md").write_text(result, encoding="utf-8")
    print("\n" + result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
