"""The machine: its cores and accelerator, and the time and memory that a piece of code costs.

Torch is imported inside the functions, so that this module loads fast.

Examples:
    >>> from simmim_lite import environment
    >>> environment.cores() >= 1
    True
    >>> environment.measure_seconds(lambda: sum(range(1000)), repetitions=2) < 1
    True
"""

import os
import platform
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from itertools import accumulate
from pathlib import Path

from simmim_lite._arguments import check_integer


def cores() -> int:
    """Return the number of CPU cores that this process may use, without quotas of a container."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def waiting() -> str:
    """Return how the threads of torch wait for each other."""
    if settings := _settings():
        return f"{', '.join(map('='.join, settings.items()))}, set by your environment"
    return "actively, but passively during a fit beside other programs that need the cores"


def _settings() -> dict[str, str]:
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    return {name: os.environ[name] for name in names if name in os.environ}


class CoreSharing:
    """Makes the threads of torch wait passively while other programs need the cores.

    A thread of OpenMP waits actively for the others of its pool, for milliseconds, and so holds a
    core that they may need: beside two busy programs, a fit can take eight times as long. But on an
    idle machine, active waiting is faster. `look` is called after each step, and its effect ends
    with this object. It does nothing if the environment says how threads wait, or if the system
    does not tell how long a thread has waited for a core (Linux does). Results do not change.
    """

    def __init__(self) -> None:
        self._start, self._waited = time.monotonic(), _waited_for_a_core()
        self._end: threading.Event | None = None  # of the second pool

    def look(self) -> None:
        """Choose every 0.1 seconds how threads wait from now on."""
        seconds = time.monotonic() - self._start
        if seconds < 0.1 or _settings():
            return
        import torch

        waited = _waited_for_a_core() - self._waited
        self._start, self._waited = self._start + seconds, self._waited + waited
        share = waited / seconds / torch.get_num_threads()
        if share > 0.1 and self._end is None:
            self._end = _second_pool()
        elif share < 0.02:
            self._stop()

    def _stop(self) -> None:
        if self._end is not None:
            self._end.set()
        self._end = None

    __del__ = _stop


def _waited_for_a_core() -> float:
    """Seconds that the threads of this process could have run, but had no core; summed."""
    total = 0
    for report in Path("/proc/self/task").glob("*/schedstat"):
        with suppress(OSError, IndexError):  # the thread has ended; the system counts nothing
            total += int(report.read_text(encoding="ascii").split()[1])
    return total / 1e9


def _second_pool() -> threading.Event:
    """Start a second pool of threads, which the event ends.

    GNU OpenMP waits passively as long as a process has more of its threads than there are cores:
    those of the current pool, and those of a second pool, which another thread starts and keeps.
    """
    import torch

    ready, end = threading.Event(), threading.Event()

    def keep() -> None:
        torch.ones(2**17, device="cpu").add_(1)  # large enough for a pool
        ready.set()
        end.wait()

    threading.Thread(target=keep, daemon=True, name="simmim_lite.CoreSharing").start()
    ready.wait()
    return end


def memory() -> tuple[int | None, int | None]:
    """Return total and available memory in bytes; None where the system does not report it."""
    known = getattr(os, "sysconf_names", {})  # Windows has none
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if known else None
    report = Path("/proc/meminfo")  # Linux: counts the file cache as available, as it is
    lines = report.read_text(encoding="utf-8").splitlines() if report.is_file() else []
    sizes = [1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return total, sizes[0] if sizes else None


def accelerator() -> str:
    """Return the name of the GPU that torch can use, or ``"no GPU"``."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "Apple GPU (MPS)" if torch.backends.mps.is_available() else "no GPU"


def hardware() -> str:
    """Describe the machine, such as ``2 CPU cores, no GPU, Python 3.11, torch 2.14``."""
    python = ".".join(platform.python_version_tuple()[:2])
    torch = ".".join(metadata.version("torch").split(".")[:2])
    plural = "" if cores() == 1 else "s"
    return f"{cores()} CPU core{plural}, {accelerator()}, Python {python}, torch {torch}"


def measure_seconds(action: Callable[[], object], *, repetitions: int = 5) -> float:
    """Return the shortest time of ``action()`` in seconds.

    One more run comes first and is not measured, because the first run sets things up. The time
    includes the work that the action started on a GPU.
    """
    import torch

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
    """Return the peak number of bytes that torch allocates in ``action()``.

    With a GPU these are its bytes. On a CPU the allocations are counted one by one, so that every
    run gives the same number; RuntimeError if the profiler of this version of torch does not list
    them. The action should not free memory that was allocated before.
    """
    import torch
    from torch.profiler import ProfilerActivity, profile

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        action()
        return torch.cuda.max_memory_allocated() - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else the profiler writes to the terminal
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        action()
    # Not public: the public events have no order of allocations within an operation.
    results = getattr(trace.profiler, "kineto_results", None)
    if results is None:
        got = f"torch {torch.__version__}"
        raise RuntimeError(f"measure_bytes: expected a profiler with kineto_results, got {got}")
    changes = [event.nbytes() for event in results.events() if event.name() == "[memory]"]
    return max(accumulate(changes, initial=0))
