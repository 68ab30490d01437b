"""Provenance of a result: code, data, versions and machine; and the cost of a process."""

import hashlib
import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

from simmim_lite import datasets, environment

_CLONE = Path(__file__).resolve().parents[1]
_CODE = ("simmim_lite", "reproduction")
_PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "torchmetrics", "faiss-cpu")


@cache
def provenance(full: bool) -> dict:
    """Return the provenance that is stored with every run.

    Two runs have the same provenance if nothing has changed that could change a result.

    Returns:
        A dict: "code", SHA-256 of all modules of the package and of this folder; "commit" and
        "changed" (uncommitted changes) of the clone; "full", whether the full data sets are read;
        "data", SHA-256 of the embedded files, and of the full data sets that are present;
        "versions" of Python and packages; "machine".
    """
    return {
        "code": _digest([p for room in _CODE for p in sorted(Path(_CLONE, room).rglob("*.py"))]),
        **_commit(),
        "full": full,
        "data": {name: _digest(files) for name, files in _data(full).items() if files},
        "versions": _versions(),
        "machine": {
            "processor": _processor(),
            "cores": environment.cores(),
            "memory": environment.memory()[0],
            "accelerator": environment.accelerator(),
            "system": f"{platform.system()} {platform.machine()}",
        },
    }


def peak_memory() -> int:
    """Return the highest RAM of this process so far, in bytes; 0 if the system does not report it.

    Linux: read from /proc, because `resource` would count the memory of the parent at the fork.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        lines = status.read_text(encoding="utf-8").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    if os.name == "nt":
        return 0
    import resource  # does not exist on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def cpu_seconds() -> float:
    """Return the CPU time of this process and its finished children (on Windows, without them)."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _data(full: bool) -> dict[str, list[Path]]:
    """The files of each data set; an absent data set has none."""
    names = ("digits", "speech", *(("mnist", "fsdd", "cifar10") if full else ()))
    return {name: datasets.files(name) for name in names}


def _digest(paths: list[Path]) -> str:
    """SHA-256 of names and contents; for the recordings, the checksum in `data/README.md`."""
    total = hashlib.sha256()
    for path in paths:
        total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()


def _commit() -> dict[str, str | bool]:
    """Commit of the clone; "" and False without git."""
    git = ["git", "-C", str(_CLONE)]
    try:
        commit, changes = (
            subprocess.run([*git, *command], capture_output=True, text=True, check=True).stdout
            for command in (("rev-parse", "HEAD"), ("status", "--porcelain"))
        )
    except (OSError, subprocess.CalledProcessError):  # no git, or an archive of the repository
        return {"commit": "", "changed": False}
    return {"commit": commit.strip(), "changed": bool(changes.strip())}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
