"""A zip for a memory stick: notebooks, the package as a wheel, and the offline pages."""

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from notebooks.tools import builder, pages
from notebooks.tools.reference import write_reference
from simmim_lite.storage import write_atomically

TOP = "simmim-lite"  # folder inside the zip
README = """\
simmim-lite: notebooks on learning by information maximization

pages/index.html    all notebooks with their results, to read in a browser. No network is needed.
notebooks/          the same notebooks, to run.

To run them you need Python 3.11 or later with PyTorch and JupyterLab. In this folder:

    python -m pip install torch torchvision jupyterlab
    python -m pip install notebooks/{wheel}
    python -m jupyterlab notebooks/00_start_here.ipynb

For a room without a network, run the first two lines before the day. Or fill a folder on a machine
of the same kind with a network, and install from it:

    python -m pip download --dest wheels notebooks/{wheel} torch torchvision jupyterlab
    python -m pip install --no-index --find-links wheels simmim-lite torch torchvision jupyterlab

The first cell of each notebook installs the wheel if the package is missing. In Colab, upload a
notebook and the wheel.
"""


def make(
    folder: Path = builder.FOLDER,
    output: Path = Path("dist/simmim-lite-kit.zip"),
    *,
    say: Callable[[str], None] = print,
) -> Path:
    """Write the zip with stored outputs: nothing is executed. Return its path."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        top = Path(temporary) / TOP
        pages.run(folder, top / "pages", stored=True, write_reference=write_reference, say=_quiet)
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d"]
        target = top / "notebooks"
        built = subprocess.run([*build, target], cwd=folder.parent, capture_output=True, text=True)
        if built.returncode:
            raise OSError(f"the wheel cannot be built: {built.stderr.strip()}")
        (wheel,) = target.glob("*.whl")
        (top / "README.txt").write_text(README.format(wheel=wheel.name), encoding="utf-8")
        packed = Path(temporary) / "kit.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(path for path in top.rglob("*") if path.is_file()):
                archive.write(path, path.relative_to(temporary))
            kept = "*.ipynb", "solutions/*.ipynb", "images/*"
            for path in sorted(path for pattern in kept for path in folder.glob(pattern)):
                archive.write(path, Path(TOP, "notebooks", path.relative_to(folder)))
        write_atomically(output, packed.read_bytes())
    say(f"{output}: {output.stat().st_size / 2**20:.1f} MB")
    return output


def _quiet(line: str) -> None:
    """Say nothing."""
