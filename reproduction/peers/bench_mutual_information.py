"""Errors, coverage and CPU seconds of estimators on tasks with known mutual information.

    python -m reproduction.peers.bench_mutual_information --tasks held-out --processes 2
    python -m reproduction.peers.bench_mutual_information --quick
    python -m reproduction.peers.bench_mutual_information --estimators ennemi --python ennemi=PATH
    python -m reproduction.peers.bench_mutual_information --merge a.csv b.csv --figure errors.png

The tasks and their two halves are in ``reproduction/experiments/mi_tasks.py``. A peer gets the same
samples as a file. It runs in an environment of its own, with the Python that ``--python`` names
(``mutual_information_peers.py`` says how to install each). Runs are written to a tidy CSV file, and
a summary to the screen and to a Markdown file. ``--merge`` joins the CSV files of earlier runs
instead of running anything; of equal runs, the last one counts.
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
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from reproduction.experiments.mi_tasks import HALVES
from reproduction.peers.mutual_information_peers import PEERS
from simmim_lite import figures
from simmim_lite.mutual_information import ESTIMATORS, estimate

OURS = ("auto", *ESTIMATORS)
COPULAS = ("Gaussian", "monotone", "null")  # families with Gaussian copulas: correlations suffice
FAMILIES = tuple(dict.fromkeys(family for half in HALVES.values() for family in half))


def run(job: tuple[str, str, str, int, int, str, str]) -> list[dict]:
    """Return a row for each seed, or a single row of nan with the reason."""
    half, family, task, N, seeds, estimator, python = job
    truth = HALVES[half][family][task]
    samples = [truth.sample(N, seed) for seed in range(seeds)]
    if estimator in OURS:
        found = [run_ours(estimator, x, y, seed) for seed, (x, y) in enumerate(samples)]
    elif refusal := PEERS[estimator].refusal(*samples[0]):
        found = [{"note": refusal}]
    else:
        found = run_peer(estimator, python, samples)
    row = {
        "half": half,
        "family": family,
        "task": task,
        "dims": f"{truth.dim_x} x {truth.dim_y}",
        "N": N,
        "estimator": estimator,
        "truth": truth.mutual_information,
        "truth_error": truth.mutual_information_error,
        "nats": math.nan,
        "standard_error": math.nan,
        "cpu_seconds": math.nan,
    }
    return [row | {"seed": seed} | each for seed, each in enumerate(found)]


def run_ours(estimator: str, x: np.ndarray, y: np.ndarray, seed: int) -> dict:
    start = time.process_time()
    try:
        found = estimate(x, y, estimator, seed=seed)
    except (ValueError, TypeError) as error:
        return {"note": f"{type(error).__name__}: {error}"}
    return {
        "nats": found.nats,
        "standard_error": found.standard_error,
        "cpu_seconds": time.process_time() - start,
        "note": f"{found.method}: {found.reason}",
    }


def run_peer(name: str, python: str, samples: list[tuple[np.ndarray, np.ndarray]]) -> list[dict]:
    script = Path(__file__).with_name("mutual_information_peers.py").resolve()
    with tempfile.TemporaryDirectory() as folder:
        for seed, (x, y) in enumerate(samples):
            np.savez(Path(folder) / f"{seed}.npz", x=x, y=y)
        try:
            done = subprocess.run(
                [python, str(script), name, folder],
                cwd=folder,  # some peers write logs to the current folder,
                env={**os.environ, "TMPDIR": folder},  # and checkpoints to the temporary folder
                capture_output=True,
                text=True,
                timeout=1800 * len(samples),
                check=True,
            )
        except subprocess.TimeoutExpired as error:
            return [{"note": f"stopped after {error.timeout} s"}] * len(samples)
        except subprocess.CalledProcessError as error:
            return [{"note": f"failed: {error.stderr.strip().splitlines()[-1:]}"}] * len(samples)
    return [json.loads(line) for line in done.stdout.splitlines()]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Errors in nats and CPU seconds, by estimator and family, and over groups of families."""
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
                    "tasks": f"{done.task.nunique()} of {part.task.nunique()}",
                    "runs": len(done),
                    "mean error": done.error.abs().mean(),
                    "bias": done.error.mean(),
                    "worst": done.error.abs().max(),
                    "coverage": covered,
                    "CPU s": done.cpu_seconds.mean(),
                    "CPU s worst": done.cpu_seconds.max(),
                }
            )
    return pd.DataFrame(rows)


def errors_by_task(table: pd.DataFrame) -> pd.DataFrame:
    """Mean absolute error over the seeds, (family, task) x estimator; nan without any result."""
    table = table.assign(error=(table.nats - table.truth).abs()).dropna(subset="error")
    errors = table.pivot_table("error", ["family", "task"], "estimator")
    # Both halves can have a task of the same name.
    tasks = dict.fromkeys((f, t) for f in FAMILIES for half in HALVES.values() for t in half[f])
    errors = errors.reindex([task for task in tasks if task in errors.index])
    # Order: our estimators, then by number of missing tasks, then by mean error.
    order = sorted(errors, key=lambda e: (e not in OURS, errors[e].isna().sum(), errors[e].mean()))
    return errors[order]


def overview(table: pd.DataFrame, errors: pd.DataFrame) -> pd.DataFrame:
    """Mean absolute error by estimator (rows) and family; "(2)" means two tasks only."""
    first = errors.columns[0]
    rows = []
    for estimator in errors.columns:
        did = errors[estimator].notna()
        row = {"estimator": estimator}
        for family, part in errors[estimator].groupby("family", sort=False):
            some = "" if part.notna().all() else f" ({part.notna().sum()})"
            row[family] = f"{part.mean():.3f}{some}" if part.notna().any() else ""
        row["all its tasks"] = errors[estimator].mean()
        row[f"{first} on these"] = errors.loc[did, first].mean()
        row["CPU s"] = table[table.estimator == estimator].cpu_seconds.mean()
        rows.append(row)
    return pd.DataFrame(rows)


def verdicts(errors: pd.DataFrame) -> list[str]:
    """Return a line for each family: estimators that are better than ours, or the next best.

    Each estimator is compared with the first one on the tasks that it can do.
    """
    ours = errors.columns[0]
    lines = []
    for family, part in errors.groupby("family", sort=False):
        rivals = sorted(
            (part[peer].mean() - part.loc[part[peer].notna(), ours].mean(), peer)
            for peer in errors.columns[1:]
            if part[peer].notna().any()
        )
        line = f"- **{family}**: {ours} {part[ours].mean():.3f} nats"
        for margin, peer in [r for r in rivals if r[0] < 0] or rivals[:1]:
            count = part[peer].notna().sum()
            where = "" if count == len(part) else f" on {count} of {len(part)} tasks"
            verdict = "behind" if margin >= 0 else "AHEAD"
            line += f"; {peer} {part[peer].mean():.3f}{where}, {abs(margin):.3f} {verdict}"
        lines.append(line + ("." if rivals else "; no peer was run."))
    return lines


def markdown(table: pd.DataFrame) -> str:
    cells = [[f"{v:.3f}" if isinstance(v, float) else str(v) for v in row] for row in table.values]
    rows = [list(table.columns), ["---"] * len(table.columns), *cells]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def report(table: pd.DataFrame, out: Path, figure: Path | None) -> None:
    """Write the table, its summary and, with a path, the heat map; print the summary."""
    out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(out, index=False, float_format="%.5g")
    text = markdown(summary(table))
    errors = errors_by_task(table)
    if len(errors.columns) > 1:
        lines = "\n".join(verdicts(errors))
        text = f"{markdown(overview(table, errors))}\n{lines}\n\n{text}"
    out.with_suffix(".md").write_text(text, encoding="utf-8")
    print("\n" + text)
    if figure is not None:
        draw(table, errors, figure)


def draw(table: pd.DataFrame, errors: pd.DataFrame, path: Path) -> None:
    figures.set_style()
    dims = table.drop_duplicates(["family", "task"]).set_index(["family", "task"]).dims
    errors = errors.set_axis(
        [(family, f"{task} ({dims[family, task]})") for family, task in errors.index]
    )
    _, ax = plt.subplots(figsize=(5 + 0.5 * len(errors.columns), 2 + 0.24 * len(errors)))
    error_table(errors, ax)
    path.parent.mkdir(parents=True, exist_ok=True)
    plt.savefig(path, dpi=110)


def error_table(errors: pd.DataFrame, ax: Axes) -> None:
    """Draw a heat map of absolute errors in nats, on a logarithmic scale from 0.003 to 1.

    Args:
        errors: one row per (family, task), the index, sorted by family; one column per estimator;
            nan, drawn hatched, for tasks that an estimator cannot do.
        ax: to draw into.
    """
    families, tasks = zip(*errors.index, strict=True)
    ticks = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0]
    sns.heatmap(
        errors.clip(ticks[0], ticks[-1]),
        mask=errors.isna(),
        annot=errors.map(lambda error: f"{error:.2f}" if error < 9.995 else "10+"),
        fmt="",
        annot_kws={"fontsize": 8},
        norm=LogNorm(ticks[0], ticks[-1]),
        cmap="mako_r",
        cbar_kws={"label": "absolute error in nats", "fraction": 0.025, "pad": 0.12},
        linewidths=0.5,
        yticklabels=tasks,
        ax=ax,
    )
    bar = ax.collections[0].colorbar
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks], minor=False)
    bar.minorticks_off()
    ax.grid(visible=False)
    ax.set_facecolor("0.93")
    ax.patch.set(hatch="///", edgecolor="0.8")
    starts = [row for row, family in enumerate(families) if family not in families[:row]]
    for start, end in zip(starts, [*starts[1:], len(families)], strict=True):
        ax.axhline(start, color="black", linewidth=1.5)
        place = (len(errors.columns) + 0.2, (start + end) / 2)
        ax.text(*place, families[start], va="center", fontweight="bold")
    ax.xaxis.tick_top()
    ax.set_xticks(ax.get_xticks(), list(errors.columns), rotation=45, ha="left")
    ax.set(xlabel="", ylabel="")


def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def run_all(arguments: argparse.Namespace) -> pd.DataFrame:
    pythons = dict(each.split("=", 1) for each in arguments.python)
    halves = HALVES if arguments.tasks == "all" else [arguments.tasks]
    jobs = [
        (half, family, task, arguments.N, arguments.seeds, name, python)
        for half in halves
        for family in arguments.families
        for task in HALVES[half].get(family, [])
        for name in arguments.estimators
        for python in [pythons.get(name.split(":")[0], sys.executable)]
    ]
    rows = []
    context = multiprocessing.get_context("spawn")
    with context.Pool(arguments.processes, initializer=one_thread) as pool:
        for more in pool.imap(run, jobs):
            rows += more
            for row in more:
                print(
                    f"{row['estimator']:14s} {row['family']}, {row['task']} ({row['dims']}), seed "
                    f"{row['seed']}: {row['truth']:.3f} {row['nats'] - row['truth']:+.3f} "
                    f"± {row['standard_error']:.3f}, {row['cpu_seconds']:.1f} s. {row['note']}",
                    flush=True,
                )
            pd.DataFrame(rows).to_csv(arguments.out, index=False)
    return pd.DataFrame(rows)


def main() -> int:
    # CPU seconds are those of one thread, also in the processes started from here.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = "1"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", choices=(*HALVES, "all"), default="all")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=FAMILIES)
    parser.add_argument("--estimators", nargs="+", choices=(*OURS, *PEERS), default=["auto"])
    parser.add_argument("--python", nargs="*", default=[], metavar="PACKAGE=PATH")
    parser.add_argument("--N", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="N = 2,000 and one seed")
    parser.add_argument("--merge", nargs="+", type=Path, metavar="CSV", help="instead of running")
    parser.add_argument("--out", type=Path, default=Path("mutual_information.csv"))
    parser.add_argument("--figure", type=Path, help="heat map, .png or .svg")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.N, arguments.seeds = 2000, 1
    if arguments.merge:
        # "null" is a family, not a missing one.
        read = partial(pd.read_csv, keep_default_na=False, na_values=[""])
        table = pd.concat(map(read, arguments.merge))
        run_of = ["half", "family", "task", "N", "seed", "estimator"]
        table = table.drop_duplicates(run_of, keep="last")
    else:
        table = run_all(arguments)
    report(table, arguments.out, arguments.figure)
    return 0


if __name__ == "__main__":
    sys.exit(main())
