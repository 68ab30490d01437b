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


def test_the_package_says_how_threads_wait_and_changes_no_setting():
    code = "import sys, simmim_lite.environment as found; print(found.waiting())"
    (ours,) = printed(code)
    assert ours.startswith("actively, but passively during a fit")
    assert printed(code, OMP_WAIT_POLICY="active") == [
        "OMP_WAIT_POLICY=active, set by your environment"
    ]


SHARED = """
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

waited = [0.0]
environment._waited_for_a_core = lambda: waited[0]
sharing = environment.CoreSharing()
print(cost())
waited[0] = 9.0  # as if other programs had all cores
sharing.look()
print(cost())
time.sleep(0.1)
sharing.look()  # and now none
time.sleep(0.1)
print(cost())
waited[0] = 18.0
sharing.look()
print(cost())
del sharing
time.sleep(0.1)
print(cost())
"""


@pytest.mark.skipif(environment.cores() < 2, reason="one thread waits for no other")
@pytest.mark.skipif(not torch.backends.openmp.is_available(), reason="needs OpenMP")
@pytest.mark.skipif(sys.platform != "linux", reason="what GNU OpenMP does")
def test_threads_wait_passively_only_while_others_need_the_cores():
    idle, busy, idle_again, busy_again, after = map(float, printed(SHARED))
    assert max(busy, busy_again) < min(idle, idle_again, after) / 3
