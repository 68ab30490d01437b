"""The doctor: what it reports, and that each thing that can break is one clear line."""

import re
import shutil
from importlib import metadata
from pathlib import Path

import pytest

from simmim_lite import doctor


def broken() -> list[str]:
    return [line for line in doctor.report() if line.startswith(doctor.BROKEN)]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """No settings of the machine that the tests run on."""
    for name in ("SIMMIM_DATA", "SIMMIM_FULL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SIMMIM_CACHE", str(tmp_path / "cache"))


def test_healthy_machine():
    lines = doctor.report()
    assert broken() == []
    labels = [line.split(":")[0] for line in lines]
    assert {
        "python",
        "torch",
        "numpy",
        "device",
        "threads",
        "waiting of threads",
        "memory",
        "cache",
    } <= set(labels)
    assert "data digits: embedded" in lines
    assert "data mnist: not here (python -m simmim_lite data mnist)" in lines
    assert all("\n" not in line for line in lines)


def test_versions_are_those_installed():
    lines = doctor.report()
    for name in ("torch", "torchvision", "numpy"):
        assert f"{name}: {metadata.version(name)}" in lines


def test_missing_and_old_packages(monkeypatch: pytest.MonkeyPatch):
    needed = {"Python": "3.99", "numpy": "99", "unheard-of-package": "1", "torch": "0"}
    monkeypatch.setattr(doctor, "_requirements", lambda: needed)
    python, old, missing = broken()
    assert "Python 3" in python
    assert "simmim-lite needs Python 3.99" in python
    assert f"numpy {metadata.version('numpy')} is too old, simmim-lite needs numpy 99" in old
    assert "unheard-of-package is not installed" in missing


@pytest.mark.parametrize(
    ("version", "least", "enough"),
    [
        ("2.6", "2.6.0", True),
        ("2.6.0+cu124", "2.6", True),
        ("2.10.1", "2.9", True),
        ("3.11.4rc1", "3.11.3", True),
        ("2.5.9", "2.6", False),
        ("1.26", "2", False),
    ],
)
def test_versions_are_compared_as_numbers(version, least, enough):
    assert (doctor._numbers(version) >= doctor._numbers(least)) is enough


def test_requirements_are_the_declared_ones_without_extras():
    needed = doctor._requirements()
    assert re.fullmatch(r"3\.\d+(\.\d+)?", needed["Python"])
    assert {"torch", "numpy", "pooch"} <= set(needed)
    assert all(re.fullmatch(r"\d+(\.\d+)*", least) for least in needed.values())
    assert not set(needed) & {"pytest", "jupyterlab"}


def test_requirements_of_a_clone_that_is_not_installed(monkeypatch: pytest.MonkeyPatch):
    installed = doctor._requirements()

    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "metadata", absent)
    assert set(doctor._requirements()) == set(installed)


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

    shutil.copytree(doctor._CLONE / "data", tmp_path / "data")
    file = tmp_path / "data" / "digits.npz.xz"
    file.unlink() if fault == "missing" else file.write_bytes(file.read_bytes()[:1000])
    monkeypatch.setattr(_files, "_PACKAGE", tmp_path / "package")
    assert len(broken()) == 1
    assert "digits.npz.xz" in broken()[0]


def test_wrong_size_setting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SIMMIM_FULL", "yes")
    assert any("SIMMIM_FULL" in line for line in broken())


@pytest.mark.parametrize(("setting", "size"), [("0", "default"), ("1", "full")])
def test_which_size_is_asked_for(monkeypatch: pytest.MonkeyPatch, setting: str, size: str):
    monkeypatch.setenv("SIMMIM_FULL", setting)
    assert any(line.startswith(f"size: {size} ") for line in doctor.report())
