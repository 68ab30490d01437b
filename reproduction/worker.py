"""One experiment with one seed, in a process of its own: a job as JSON on stdin, a file as result.

``python -m reproduction.worker``, called by `_runner`, which sets the number of
threads before torch is loaded.
"""

import json
import sys
import time
import traceback
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import torch

from reproduction.claims import Run, Setting, checked_values, run_to_dict
from reproduction.provenance import cpu_seconds, peak_memory
from simmim_lite.storage import write_atomically


def main() -> None:
    """Measure, and write a `Run`, whether it ended well or in an error."""
    job = json.load(sys.stdin)
    torch.set_num_threads(1)
    start, used = time.perf_counter(), cpu_seconds()  # so that loading torch does not count
    values, error = {}, ""
    try:
        experiments = import_module(job["registry"]).EXPERIMENTS
        experiment = next(
            e for e in experiments if e.name == job["experiment"] and e.full in (None, job["full"])
        )
        setting = Setting(job["seed"], job["full"], Path(job["folder"]))
        values = checked_values(experiment, experiment.measure(setting))
    except Exception as problem:  # whatever it is, the report shows it as a failure
        traceback.print_exc()
        error = " ".join(f"{type(problem).__name__}: {problem}".split())
    run = Run(
        experiment=job["experiment"],
        seed=job["seed"],
        values=values,
        error=error,
        cpu_seconds=cpu_seconds() - used,
        wall_seconds=time.perf_counter() - start,
        peak_bytes=peak_memory(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        provenance=job["provenance"],
    )
    write_atomically(Path(job["result"]), json.dumps(run_to_dict(run)).encode())


if __name__ == "__main__":
    main()
