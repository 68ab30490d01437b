"""Runs experiments in processes, some at a time; what is finished is never measured twice."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from reproduction.claims import Experiment, Results, Run, run_from_dict
from reproduction.provenance import provenance
from simmim_lite import environment
from simmim_lite._arguments import check_integer

REGISTRY = "reproduction.experiments"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class _Job:
    experiment: Experiment
    seed: int
    folder: Path

    @property
    def name(self) -> str:
        return f"{self.experiment.name}, seed {self.seed}"

    @property
    def result(self) -> Path:
        return self.folder / f"{self.experiment.name}-{self.seed}.json"


def reproduce(
    output: Path,
    *,
    full: bool = False,
    only: Collection[str] = (),
    seeds: int | None = None,
    processes: int | None = None,
    registry: str = REGISTRY,
    say: Callable[[str], None] = print,
) -> Results:
    """Measure the claims, each experiment and seed in a process of its own with one thread.

    A run that ended well is kept in ``output``, in a folder named after code, data, versions and
    machine: the same command goes on where it was killed, and any change measures all anew.

    Args:
        output: folder; ``results.json`` in it is up to date after every finished run.
        full: the full data sets.
        only: names of experiments; all by default.
        seeds: at most so many of each experiment, for a quick look.
        processes: at a time; as many as there are cores by default.
        registry: the module whose ``EXPERIMENTS`` are run.

    Raises:
        ValueError: there is no such experiment.
    """
    processes = environment.cores() if processes is None else processes
    check_integer("processes", processes, minimum=1)
    chosen = _chosen(import_module(registry).EXPERIMENTS, full, only)
    measured_with = provenance(full)
    folder = output / "runs" / _name(measured_with, registry)
    (folder / "models").mkdir(parents=True, exist_ok=True)
    waiting = [
        _Job(experiment, seed, folder)
        for experiment in chosen
        for seed in range(min(experiment.seeds, seeds or experiment.seeds))
    ]
    total, runs = len(waiting), []

    def finish(job: _Job, run: Run, note: str = "") -> None:
        runs.append(run)
        Results.of(chosen, runs).save(output / "results.json")
        cost = f"{run.cpu_seconds:.1f} CPU s, {run.peak_bytes / 2**20:.0f} MB"
        state = f"error: {run.error} ({job.result.with_suffix('.log')})" if run.error else "ok"
        say(f"[{len(runs)}/{total}] {job.name}: {cost}, {state}{note}")

    for job in [job for job in waiting if job.result.is_file()]:
        run = run_from_dict(json.loads(job.result.read_text(encoding="utf-8")))
        if not run.error:
            waiting.remove(job)
            finish(job, run, " (measured before)")
    running: dict[Future[Run], _Job] = {}
    with ThreadPoolExecutor(processes) as pool:
        while waiting or running:
            for job in _ready(waiting, running.values()):
                if len(running) < processes:
                    waiting.remove(job)
                    running[pool.submit(_run, job, registry, measured_with)] = job
            if not running:
                raise ValueError(f"{waiting[0].name}: what it needs would need it, too")
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                finish(running.pop(done), done.result())
    return Results.of(chosen, runs)


def judged_again(path: Path, *, registry: str = REGISTRY) -> Results:
    """Runs of an earlier ``results.json`` beside the truths and bounds of today's claims.

    Raises ValueError if claims were added, removed or renamed since.
    """
    measured = Results.load(path)
    experiments = _chosen(import_module(registry).EXPERIMENTS, measured.full, measured.claims)
    return Results.of(experiments, measured.runs)


def _chosen(
    experiments: Collection[Experiment], full: bool, only: Collection[str]
) -> list[Experiment]:
    possible = [experiment for experiment in experiments if experiment.full in (None, full)]
    names = [experiment.name for experiment in possible]
    if unknown := set(only) - set(names):
        size = "full" if full else "embedded"
        raise ValueError(
            f"no experiment {', '.join(sorted(unknown))} on the {size} data; "
            f"there are {', '.join(names)}"
        )
    return [experiment for experiment in possible if not only or experiment.name in only]


def _name(measured_with: dict, registry: str) -> str:
    text = json.dumps([measured_with, registry], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _ready(waiting: list[_Job], running: Collection[_Job]) -> list[_Job]:
    """Those whose needs, with the same seed, are finished; well or not, the run itself will see."""
    pending = {(job.experiment.name, job.seed) for job in [*waiting, *running]}
    return [
        job
        for job in waiting
        if not any((needed, job.seed) in pending for needed in job.experiment.needs)
    ]


def _run(job: _Job, registry: str, measured_with: dict) -> Run:
    """The run that a process left; a process that left none is an error, too."""
    order = {
        "registry": registry,
        "experiment": job.experiment.name,
        "seed": job.seed,
        "full": measured_with["full"],
        "folder": str(job.folder / "models"),
        "result": str(job.result),
        "provenance": measured_with,
    }
    job.result.unlink(missing_ok=True)  # of an earlier error
    with job.result.with_suffix(".log").open("w", encoding="utf-8") as log:
        done = subprocess.run(
            [sys.executable, "-m", "reproduction.worker"],
            input=json.dumps(order),
            stdout=log,
            stderr=log,
            text=True,
            env=os.environ | dict.fromkeys(_THREADS, "1"),
        )
    if job.result.is_file():
        return run_from_dict(json.loads(job.result.read_text(encoding="utf-8")))
    error = f"the process ended with exit code {done.returncode}, without a result"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Run(job.experiment.name, job.seed, {}, error, 0.0, 0.0, 0, now, measured_with)
