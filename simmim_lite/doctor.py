"""The doctor: what this machine has and what is broken, one line for each finding.

Heavy packages are imported inside the functions, so that a missing package can be reported, too.

Examples:
    >>> from simmim_lite import doctor
    >>> doctor.report()[0]
    'python: 3...'
"""

import os
import platform
import re
import shutil
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from simmim_lite.environment import accelerator, cores, memory, waiting

BROKEN = "broken:"
_CLONE = Path(__file__).resolve().parents[1]


def report() -> list[str]:
    """Return one line for each finding; the line of a fault starts with ``broken:``."""
    lines: list[str] = []
    for part in (_versions, _machine, _cache, _data):
        try:
            lines += part()
        except Exception as error:  # the doctor names every failure, of whatever kind
            cause = " ".join(str(error).split()) or type(error).__name__
            lines.append(f"{BROKEN} {cause}")
    return list(dict.fromkeys(lines))  # one cause can break two parts


def _versions() -> Iterator[str]:
    """Versions of Python and of the most important packages; missing and old ones."""
    python = platform.python_version()
    yield f"python: {python} on {platform.system()} {platform.machine()}"
    for name, least in _requirements().items():
        try:
            version = python if name == "Python" else metadata.version(name)
        except metadata.PackageNotFoundError:
            yield f"{BROKEN} {name} is not installed, simmim-lite needs {name} {least}"
            continue
        if name in ("torch", "torchvision", "numpy"):
            yield f"{name}: {version}"
        if _numbers(version) < _numbers(least):
            yield f"{BROKEN} {name} {version} is too old, simmim-lite needs {name} {least}"


def _requirements() -> dict[str, str]:
    """Least versions of Python and of packages, as installed or else as in this clone."""
    try:
        python = metadata.metadata("simmim-lite")["Requires-Python"]
        packages = metadata.requires("simmim-lite") or []
    except metadata.PackageNotFoundError:
        project = tomllib.loads((_CLONE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        python, packages = project["requires-python"], project["dependencies"]
    needed = [line for line in (f"Python{python}", *packages) if ";" not in line]  # others: extras
    return {name.strip(): least for name, _, least in (line.partition(">=") for line in needed)}


def _numbers(version: str) -> list[int]:
    """Numbers of a version to compare: "2.6.0+cu124" gives [2, 6]."""
    release = re.sub(r"(\.0)+$", "", version.partition("+")[0])
    return [int(number) for number in re.findall(r"\d+", release)]


def _machine() -> Iterator[str]:
    import torch

    yield f"device: {accelerator()}"
    yield f"threads: torch uses {torch.get_num_threads()} on {cores()} CPU cores"
    yield f"waiting of threads: {waiting()}"
    total, free = (f"{size / 2**30:.1f} GB" if size else "unknown" for size in memory())
    yield f"memory: {total} in total, {free} free"


def _cache() -> list[str]:
    from simmim_lite.datasets._files import cache_root

    folder = cache_root()
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        return [f"{BROKEN} cannot write to the cache {folder}: set SIMMIM_CACHE to another folder"]
    return [f"cache: {folder} ({shutil.disk_usage(existing).free / 2**30:.0f} GB free)"]


def _data() -> Iterator[str]:
    from simmim_lite import datasets
    from simmim_lite.datasets._files import wants_full

    full = wants_full(None)
    yield f"size: {'full' if full else 'default'} (SIMMIM_FULL=1 asks for the full data sets)"
    for name, place in datasets.available().items():
        if place or name not in ("digits", "speech"):  # these two are read below
            yield f"data {name}: {place or f'not here (python -m simmim_lite data {name})'}"
    for load in (datasets.load_digits, datasets.load_speech):
        try:
            load(full=False)
        except Exception as error:  # DataError, or the error of a reader of a damaged file
            yield f"{BROKEN} {error}"
