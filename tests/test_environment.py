"""The doctor: what it reports, and that each thing that can break is one clear line."""

import re
import shutil
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from simmim_lite import environment


def broken() -> list[str]:
    return [line for line in environment.report() if line.startswith(environment.BROKEN)]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """No settings of the machine that the tests run on."""
    for name in ("SIMMIM_DATA", "SIMMIM_FULL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SIMMIM_CACHE", str(tmp_path / "cache"))


def test_healthy_machine():
    lines = environment.report()
    assert broken() == []
    labels = [line.split(":")[0] for line in lines]
    assert {"python", "torch", "numpy", "device", "threads", "memory", "cache"} <= set(labels)
    assert "data digits: embedded" in lines
    assert "data mnist: not here (python -m simmim_lite data mnist)" in lines
    assert all("\n" not in line for line in lines)


def test_versions_are_those_installed():
    lines = environment.report()
    for name in ("torch", "torchvision", "numpy"):
        assert f"{name}: {metadata.version(name)}" in lines


def test_hardware_names_what_a_time_depends_on():
    pattern = r"\d+ CPU cores?, .+, Python 3\.\d+, torch \d+\.\d+"
    assert re.fullmatch(pattern, environment.hardware())


def test_missing_and_old_packages(monkeypatch: pytest.MonkeyPatch):
    needed = [Requirement("numpy>=99"), Requirement("unheard-of-package>=1"), Requirement("torch")]
    monkeypatch.setattr(environment, "_requirements", lambda: (">=3.99", needed))
    old, missing = f"numpy {metadata.version('numpy')} is too old", "unheard-of-package is not"
    text = "\n".join(broken())
    assert len(broken()) == 3
    assert all(part in text for part in (old, missing, "simmim-lite needs >=3.99"))


def test_requirements_are_the_declared_ones_without_extras():
    python, needed = environment._requirements()
    names = {requirement.name for requirement in needed}
    assert python == ">=3.11"
    assert {"torch", "numpy", "pooch"} <= names
    assert not names & {"pytest", "jupyterlab"}


def test_data_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("SIMMIM_DATA", str(tmp_path / "gone"))
    assert len(broken()) == 1
    assert "SIMMIM_DATA" in broken()[0]


def test_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SIMMIM_CACHE", str(tmp_path / "file" / "cache"))
    assert len(broken()) == 1
    assert "cannot write to the cache" in broken()[0]


@pytest.mark.parametrize("fault", ["missing", "damaged"])
def test_embedded_data_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str
):
    from simmim_lite.datasets import _files

    shutil.copytree(environment._CLONE / "data", tmp_path / "data")
    file = tmp_path / "data" / "digits.npz.xz"
    file.unlink() if fault == "missing" else file.write_bytes(file.read_bytes()[:1000])
    monkeypatch.setattr(_files, "_PACKAGE", tmp_path / "package")
    assert len(broken()) == 1
    assert "digits.npz.xz" in broken()[0]


def test_wrong_size_setting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SIMMIM_FULL", "yes")
    assert any("SIMMIM_FULL" in line for line in broken())


def test_what_notebooks_would_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    scripts = tmp_path / "notebooks" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "04_encoders.py").write_text("datasets.paired_digits(); load_cifar10()")
    (scripts / "05_none.py").write_text("1")
    monkeypatch.setattr(environment, "_CLONE", tmp_path)
    lines = list(environment._notebooks())
    absent = "cifar10 (not here (python -m simmim_lite data cifar10))"
    expected = f"notebook 04_encoders: {absent}, digits (embedded), speech (embedded)"
    assert lines[1:] == [expected, "notebook 05_none: no data"]
    monkeypatch.setenv("SIMMIM_FULL", "1")
    full = list(environment._notebooks())
    assert full[0] == "size: full (SIMMIM_FULL=1)"
    assert "mnist (not here" in full[1]
    assert "fsdd (not here" in full[1]
