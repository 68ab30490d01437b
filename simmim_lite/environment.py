"""The machine that the notebooks run on: what it has, and what is broken, in a line each.

``python -m simmim_lite doctor`` prints `report`; `hardware` is what stands beside a measured time.
Heavy packages are imported inside the functions, so that the doctor can also say that one of them
is missing.
"""

import os
import platform
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

BROKEN = "broken:"
_CLONE = Path(__file__).resolve().parents[1]

# What each loader reads: by default, and with SIMMIM_FULL=1.
_READS = {
    "load_digits": (("digits",), ("mnist",)),
    "load_captions": (("digits",), ("mnist",)),
    "load_speech": (("speech",), ("fsdd",)),
    "paired_digits": (("digits", "speech"), ("mnist", "fsdd")),
    "load_mnist": (("mnist",), ("mnist",)),
    "load_fsdd": (("fsdd",), ("fsdd",)),
    "load_cifar10": (("cifar10",), ("cifar10",)),
}


def cores() -> int:
    """CPU cores that this process may use; a container can allow fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def accelerator() -> str:
    """Name of the GPU that torch can use, or ``"no GPU"``."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "Apple GPU (MPS)" if torch.backends.mps.is_available() else "no GPU"


def hardware() -> str:
    """For example ``2 CPU cores, no GPU, Python 3.11, torch 2.14``: what a measured time needs."""
    python = ".".join(platform.python_version_tuple()[:2])
    torch = ".".join(metadata.version("torch").split(".")[:2])
    plural = "" if cores() == 1 else "s"
    return f"{cores()} CPU core{plural}, {accelerator()}, Python {python}, torch {torch}"


def report() -> list[str]:
    """One line for each thing found; what doesn't work starts with ``broken:``."""
    lines = []
    for part in (_python, _packages, _machine, _cache, _data, _notebooks):
        try:
            lines += part()
        except Exception as error:  # the doctor names what fails, whatever that is
            cause = " ".join(str(error).split()) or type(error).__name__
            lines.append(f"{BROKEN} {cause}")
    return list(dict.fromkeys(lines))  # one cause can break two parts


def _python() -> list[str]:
    version = platform.python_version()
    wanted = _requirements()[0]
    lines = [f"python: {version} on {platform.system()} {platform.machine()}"]
    if version not in SpecifierSet(wanted):
        lines.append(f"{BROKEN} Python {version} is installed, simmim-lite needs {wanted}")
    return lines


def _requirements() -> tuple[str, list[Requirement]]:
    """Python and packages that simmim-lite declares: as installed, or else in this clone."""
    try:
        declared = metadata.metadata("simmim-lite")
        python, packages = declared["Requires-Python"], metadata.requires("simmim-lite") or []
    except metadata.PackageNotFoundError:
        project = tomllib.loads((_CLONE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        python, packages = project["requires-python"], project["dependencies"]
    needed = map(Requirement, packages)
    return python, [r for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})]


def _packages() -> list[str]:
    """Versions of the packages that matter most; whatever is missing or too old."""
    lines, broken = [], []
    for requirement in _requirements()[1]:
        name = requirement.name
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            broken.append(f"{BROKEN} {name} is not installed, simmim-lite needs {requirement}")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wanted = f"simmim-lite needs {requirement}"
            broken.append(f"{BROKEN} {name} {version} is too old, {wanted}")
        if name in ("torch", "torchvision", "numpy"):
            lines.append(f"{name}: {version}")
    return lines + broken


def _machine() -> list[str]:
    import psutil
    import torch

    memory = psutil.virtual_memory()
    total, free = (f"{size / 2**30:.1f} GB" for size in (memory.total, memory.available))
    return [
        f"device: {accelerator()}",
        f"threads: torch uses {torch.get_num_threads()} on {cores()} CPU cores",
        f"memory: {total}, {free} of it free",
    ]


def _cache() -> list[str]:
    from simmim_lite.datasets._files import cache_root

    folder = cache_root()
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        return [f"{BROKEN} cannot write to the cache {folder}: set SIMMIM_CACHE to another folder"]
    return [f"cache: {folder} ({shutil.disk_usage(existing).free / 2**30:.0f} GB free)"]


def _data() -> Iterator[str]:
    from simmim_lite import datasets

    for name, place in datasets.available().items():
        if place or name not in ("digits", "speech"):  # these two come with the package: see below
            yield f"data {name}: {place or _advice(name)}"
    for load in (datasets.load_digits, datasets.load_speech):
        yield from _failure(lambda load=load: load(full=False))


def _advice(name: str) -> str:
    return f"not here (python -m simmim_lite data {name})"


def _failure(action: Callable[[], object]) -> Iterator[str]:
    try:
        action()
    except Exception as error:  # DataError, and whatever a damaged file makes of its reader
        yield f"{BROKEN} {error}"


def _notebooks() -> Iterator[str]:
    """Which sets each notebook of this clone would read; nothing beside an installed package."""
    from simmim_lite import datasets
    from simmim_lite.datasets._files import wants_full

    full = wants_full(None)
    size = "full (SIMMIM_FULL=1)" if full else "default (SIMMIM_FULL=1 asks for the full sets)"
    yield f"size: {size}"
    places = datasets.available()
    for script in sorted(_CLONE.glob("notebooks/scripts/[0-9][0-9]_*.py")):
        text = script.read_text(encoding="utf-8")
        called = [name for name in _READS if re.search(rf"\b{name}\b", text)]
        sets = sorted({name for loader in called for name in _READS[loader][full]})
        used = ", ".join(f"{name} ({places[name] or _advice(name)})" for name in sets)
        yield f"notebook {script.stem}: {used or 'no data'}"
