"""What a piece of code costs: time that includes the GPU's, memory that is exact."""

import os
import time
from collections.abc import Callable
from itertools import accumulate

import torch
from torch.profiler import ProfilerActivity, profile

from simmim_lite._arguments import check_integer


def measure_seconds(action: Callable[[], object], *, repetitions: int = 5) -> float:
    """Least time of an action, after one run that sets things up; a GPU is waited for."""
    check_integer("repetitions", repetitions, minimum=1)
    times = []
    for _ in range(1 + repetitions):
        start = time.perf_counter()
        action()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def measure_bytes(action: Callable[[], object]) -> int:
    """Most that torch holds at a time of what an action allocates: of the GPU, if there is one.

    On a CPU it is counted allocation by allocation, not read off the process, and so is the same in
    every run. The action should free nothing that was there before it.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        action()
        return torch.cuda.max_memory_allocated() - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else it writes to the terminal
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        action()
    events = trace.profiler.kineto_results.events()
    return max(accumulate((e.nbytes() for e in events if e.name() == "[memory]"), initial=0))
