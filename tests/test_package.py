"""The wheel, installed alone: it leaves torch and numpy as they are and runs a notebook anywhere.

The scratch environment sees the packages of the current one, without simmim-lite, and no package
index. This is how Colab looks: torch and numpy are there, the repository is not.
"""

import os
import subprocess
import sys
import sysconfig
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parents[1]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="links to installed packages need a POSIX system"),
]


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command that must succeed; it sees nothing of this clone."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "SIMMIM_FULL")}
    environment["JUPYTER_PATH"] = str(Path(sys.prefix, "share", "jupyter"))  # nbconvert's templates
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip_wheel(source: Path, folder: Path) -> Path:
    """The wheel of simmim-lite built from a source tree or an sdist."""
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder]
    run(sys.executable, "-m", "pip", "wheel", *options, source, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pip_wheel(CLONE, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def scratch(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment where the wheel was installed with all its dependencies."""
    root = tmp_path_factory.mktemp("scratch")
    visible = root / "visible"
    visible.mkdir()
    for installed in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(installed).iterdir():
            if "simmim" not in entry.name and entry.suffix != ".pth":
                (visible / entry.name).symlink_to(entry)
    run(sys.executable, "-m", "venv", "--without-pip", root / "venv", cwd=root)
    python = root / "venv" / "bin" / "python"
    site = Path(
        run(
            python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=root
        ).strip()
    )
    (site / "visible.pth").write_text(f"{visible}\n")
    before = set(site.iterdir())
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-index"]
    run(*pip, wheel, cwd=root)
    added = {path.name.split("-")[0] for path in set(site.iterdir()) - before}
    assert added == {"simmim_lite"}, "the wheel changed what else is installed"
    return python


def test_wheel_carries_the_data_and_not_the_repository(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("digits", "speech"):
        packed = zipfile.ZipFile(wheel).read(f"simmim_lite/data/{name}.npz.xz")
        assert packed == (CLONE / "data" / f"{name}.npz.xz").read_bytes()
    for room in ("reproduction", "notebooks", "pages", "bench", "claims", "peers"):
        assert not any(room in Path(name).parts for name in names), f"{room} is in the wheel"
    assert {name.split("/")[0].split("-")[0] for name in names} == {"simmim_lite"}


def test_installing_leaves_torch_and_numpy_as_they_are(scratch: Path, wheel: Path, tmp_path: Path):
    code = "import numpy, torch, simmim_lite\nfor m in (numpy, torch, simmim_lite): print("
    printed = run(scratch, "-c", code + "m.__version__, m.__file__)", cwd=tmp_path).splitlines()
    numpy, torch, own = (line.split() for line in printed)
    assert numpy[0] == metadata.version("numpy")
    assert torch[0].split("+")[0] == metadata.version("torch").split("+")[0]
    assert Path(own[1]).is_relative_to(scratch.parents[1])
    assert own[0] in wheel.name


def test_notebook_runs_away_from_the_repository(scratch: Path, tmp_path: Path):
    notebook = "00_start_here.ipynb"
    (tmp_path / notebook).write_bytes((CLONE / "notebooks" / notebook).read_bytes())
    command = [scratch, "-m", "nbconvert", "--to", "notebook", "--execute", "--output", "done"]
    run(*command, notebook, cwd=tmp_path)
    assert '"image/png"' in (tmp_path / "done.ipynb").read_text(encoding="utf-8")


def test_commands_of_the_clone_say_so_away_from_the_repository(scratch: Path, tmp_path: Path):
    for command in ("run", "build", "test", "lab", "reproduce"):
        done = subprocess.run(
            [scratch, "-m", "simmim_lite", command], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert "needs a clone of the repository" in done.stderr


def test_doctor_finds_nothing_broken_away_from_the_repository(scratch: Path, tmp_path: Path):
    printed = run(scratch, "-m", "simmim_lite", "doctor", cwd=tmp_path)
    assert "data digits: embedded" in printed


def test_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path):
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=CLONE)
    (sdist,) = tmp_path.glob("*.tar.gz")
    again = pip_wheel(sdist, tmp_path)
    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())
