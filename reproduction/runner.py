"""Run experiments in separate processes, several at a time; a finished run is never repeated."""

import hashlib
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import torch

from reproduction.claims import (
    Experiment,
    Results,
    Run,
    Setting,
    checked_values,
    run_from_dict,
    run_to_dict,
)
from reproduction.provenance import cpu_seconds, peak_memory, provenance
from simmim_lite import environment
from simmim_lite.__main__ import end_group
from simmim_lite.storage import PARTIAL, write_atomically

REGISTRY = "reproduction.experiments"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_WORKER = "from reproduction.runner import work; work()"
_started: set[subprocess.Popen] = set()  # workers that have not ended yet


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

    Finished runs are kept in ``output``, in a folder named after code, data, versions and machine.
    So the same command continues after an interruption, and any change measures everything anew.

    Args:
        output: folder; ``results.json`` in it is updated after every finished run.
        full: use the full data sets.
        only: names of experiments; all by default.
        seeds: highest number of seeds of each experiment, for a quick look.
        processes: number of processes at a time; one for each core by default.
        registry: name of the module whose ``EXPERIMENTS`` are run.
        say: function that prints a line of progress.

    Raises:
        ValueError: an experiment does not exist, experiments need each other, or ``processes`` is
            below 1.
    """
    processes = environment.cores() if processes is None else processes
    if processes < 1:
        raise ValueError(f"processes: expected at least 1, got {processes}")
    chosen = _chosen(import_module(registry).EXPERIMENTS, full, only)
    measured_with = provenance(full)
    folder = output / "runs" / _folder_name(measured_with, registry)
    (folder / "models").mkdir(parents=True, exist_ok=True)
    waiting = [
        _Job(experiment, seed, folder)
        for experiment in chosen
        for seed in range(min(experiment.seeds, seeds or experiment.seeds))
    ]
    runs: list[Run] = []
    total = len(waiting)

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
    with ThreadPoolExecutor(processes) as pool, _ended_with_us(running, folder):
        while waiting or running:
            for job in _ready(waiting, running.values()):
                if len(running) < processes:
                    waiting.remove(job)
                    running[pool.submit(_run, job, registry, measured_with)] = job
            if not running:
                raise ValueError(f"{waiting[0].name}: needs an experiment that needs this one")
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                finish(running.pop(done), done.result())
    return Results.of(chosen, runs)


@contextmanager
def _ended_with_us(running: Collection[Future[Run]], folder: Path) -> Iterator[None]:
    """If this process is asked to stop, end the workers, and remove what they left unfinished."""
    try:
        yield
    except BaseException:
        while not all(future.cancel() or future.done() for future in running):
            for worker in list(_started):
                end_group(worker)
            time.sleep(0.05)  # a worker may be starting just now
        for partial in folder.rglob(f"*{PARTIAL}"):
            partial.unlink()
        raise


def with_current_claims(path: Path, *, registry: str = REGISTRY) -> Results:
    """Return the runs of an earlier ``results.json`` with today's words and bounds of the claims.

    Raises:
        ValueError: claims were added or removed since, or have another id.
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


def _folder_name(measured_with: dict, registry: str) -> str:
    text = json.dumps([measured_with, registry], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _ready(waiting: list[_Job], running: Collection[_Job]) -> list[_Job]:
    """Jobs whose needs (with the same seed) are finished, successfully or not."""
    pending = {(job.experiment.name, job.seed) for job in [*waiting, *running]}
    return [
        job
        for job in waiting
        if not any((needed, job.seed) in pending for needed in job.experiment.needs)
    ]


def _run(job: _Job, registry: str, measured_with: dict) -> Run:
    """Start `work` in a new process and return its run; a process without a result is an error."""
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
        worker = subprocess.Popen(
            [sys.executable, "-c", _WORKER],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            text=True,
            env=os.environ | dict.fromkeys(_THREADS, "1"),  # read when torch is loaded
            start_new_session=True,  # so that `end_group` ends its children, too
        )
        _started.add(worker)
        worker.communicate(json.dumps(order))
        _started.discard(worker)
    if job.result.is_file():
        return run_from_dict(json.loads(job.result.read_text(encoding="utf-8")))
    error = f"the process ended with exit code {worker.returncode}, without a result"
    return Run(job.experiment.name, job.seed, {}, error, 0.0, 0.0, 0, _now(), measured_with)


def work() -> None:
    """Run one experiment with one seed: read the order (JSON) from stdin, write a `Run`."""
    order = json.load(sys.stdin)
    torch.set_num_threads(1)
    start, used = time.perf_counter(), cpu_seconds()  # loading torch does not count
    values, error = {}, ""
    try:
        experiments = import_module(order["registry"]).EXPERIMENTS
        (experiment,) = _chosen(experiments, order["full"], [order["experiment"]])
        setting = Setting(order["seed"], order["full"], Path(order["folder"]))
        values = checked_values(experiment, experiment.measure(setting))
    except Exception as problem:  # the report shows every error as a failure
        traceback.print_exc()
        error = " ".join(f"{type(problem).__name__}: {problem}".split())
    run = Run(
        experiment=order["experiment"],
        seed=order["seed"],
        values=values,
        error=error,
        cpu_seconds=cpu_seconds() - used,
        wall_seconds=time.perf_counter() - start,
        peak_bytes=peak_memory(),
        date=_now(),
        provenance=order["provenance"],
    )
    write_atomically(Path(order["result"]), json.dumps(run_to_dict(run)).encode())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
