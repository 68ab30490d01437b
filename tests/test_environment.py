"""`environment.py`: the machine, and costs: bytes are exact, seconds are counted right."""

import os
import re
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
