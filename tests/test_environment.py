"""`environment.py`: the machine, and costs: bytes are exact, seconds are counted right."""

import os
import re
import subprocess
import sys
import time

import pytest
import torch

from simmim_lite import environment
from simmim_lite.environment import measure_bytes, measure_seconds

cpu_only = pytest.mark.skipif(torch.cuda.is_available(), reason="bytes are those of the GPU then")


def test_hardware_names_what_a_time_depends_on():
    pattern = r"\d+ CPU cores?, .+, Python 3\.\d+, torch \d+\.\d+"
    assert re.fullmatch(pattern, environment.hardware())


def test_memory_of_a_machine_and_of_one_that_does_not_report_it(monkeypatch):
    total, free = environment.memory()
    if total is not None and free is not None:
        assert 0 < free < total
    monkeypatch.delattr(os, "sysconf_names", raising=False)
    monkeypatch.setattr(environment.Path, "is_file", lambda path: False)
    assert environment.memory() == (None, None)


@cpu_only
def test_bytes_of_what_is_held_at_the_same_time():
    def action():
        a = torch.empty(1000)
        b = torch.empty(500)
        del a
        c = torch.empty(250)
        return b, c

    assert measure_bytes(action) == 6000
    assert measure_bytes(lambda: None) == 0


@cpu_only
def test_a_profiler_that_lists_nothing_is_an_error(monkeypatch):
    class Profile:
        def __enter__(self):
            self.profiler = object()
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(torch.profiler, "profile", lambda **_: Profile())
    with pytest.raises(RuntimeError, match=r"measure_bytes: expected .* got torch \d"):
        measure_bytes(lambda: None)


def test_the_first_run_is_not_measured_and_the_fastest_counts():
    pauses = iter([0.3, 0.2, 0.01, 0.2])
    assert 0.01 <= measure_seconds(lambda: time.sleep(next(pauses)), repetitions=3) < 0.2
    assert next(pauses, None) is None


def test_bad_repetitions():
    with pytest.raises(ValueError, match=r"repetitions: .* got 0"):
        measure_seconds(lambda: None, repetitions=0)


# --- threads that wait ---------------------------------------------------------------------

SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_NUM_THREADS")
SETTINGS += ("MKL_NUM_THREADS",)  # a benchmark sets it, in the tests of this process too


def printed(code: str, **settings: str) -> list[str]:
    """Lines that a fresh process prints, without the settings of this one."""
    plain = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=plain | settings, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_threads_wait_briefly_unless_the_user_has_said_how():
    code = "import sys, {first}simmim_lite.environment as found\n"
    code += "print(found.waiting(), 'torch' in sys.modules)"
    package = code.format(first="")
    ours = "GOMP_SPINCOUNT=2000, KMP_BLOCKTIME=1, set by simmim-lite False"
    assert printed(package) == [ours]
    theirs = "OMP_WAIT_POLICY=active, set by your environment False"
    assert printed(package, OMP_WAIT_POLICY="active") == [theirs]
    theirs = "GOMP_SPINCOUNT=7, KMP_BLOCKTIME=1, set by your environment False"
    assert printed(package, GOMP_SPINCOUNT="7") == [theirs]
    late = "actively, passively once a fit finds the machine busy True"
    assert printed(code.format(first="torch, ")) == [late]


LATE = """
import time, torch
from simmim_lite import environment

def cost():
    values = torch.ones(2**17)
    values.add_(1)
    used = time.process_time()
    for _ in range(50):
        values.add_(1)
        time.sleep(0.002)
    return time.process_time() - used

before = cost()
time.thread_time = lambda: 0.0  # as if other processes had all cores
environment.share_cores()
print(before, cost(), environment.waiting(), sep=chr(10))
"""


@pytest.mark.skipif(environment.cores() < 2, reason="one thread waits for no other")
@pytest.mark.skipif(not torch.backends.openmp.is_available(), reason="needs OpenMP")
@pytest.mark.skipif(sys.platform != "linux", reason="what GNU OpenMP does")
def test_a_program_that_imports_torch_first_shares_the_cores_as_well():
    before, after, waiting = printed(LATE)
    assert waiting == "passively"
    assert float(after) < float(before) / 3
