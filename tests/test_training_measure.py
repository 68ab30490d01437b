"""What a piece of code costs: bytes are exact, seconds are counted right."""

import time

import pytest
import torch

from simmim_lite.training import measure_bytes, measure_seconds

cpu_only = pytest.mark.skipif(torch.cuda.is_available(), reason="bytes are those of the GPU then")


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


def test_the_first_run_is_not_measured_and_the_fastest_counts():
    pauses = iter([0.3, 0.2, 0.01, 0.2])
    assert 0.01 <= measure_seconds(lambda: time.sleep(next(pauses)), repetitions=3) < 0.2
    assert next(pauses, None) is None


def test_bad_repetitions():
    with pytest.raises(ValueError, match=r"repetitions: .* got 0"):
        measure_seconds(lambda: None, repetitions=0)
