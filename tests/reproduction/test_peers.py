"""Each benchmark starts as its docstring says, without the packages of its peers."""

import runpy
import sys
from pathlib import Path

import pytest

PEERS = Path(__file__).resolve().parents[2] / "reproduction" / "peers"
OPTIONAL = (
    "chromadb",
    "hnswlib",
    "info_nce",
    "lancedb",
    "lightly",
    "multivae",
    "open_clip",
    "umap",
)


@pytest.mark.parametrize("path", sorted(PEERS.glob("[!_]*.py")), ids=lambda path: path.stem)
def test_help(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The same as ``python -m reproduction.peers.NAME --help``, in this process."""
    for package in OPTIONAL:
        monkeypatch.setitem(sys.modules, package, None)  # an import would fail
    monkeypatch.setattr(sys, "argv", [path.name, "--help"])
    module = f"reproduction.peers.{path.stem}"
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(SystemExit) as exit_code:
        runpy.run_module(module, run_name="__main__")
    assert exit_code.value.code == 0
    assert "--help" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(PEERS.glob("bench_*.py")), ids=lambda path: path.stem)
def test_docstring_states_the_command(path: Path):
    text = path.read_text(encoding="utf-8")
    assert f"    python -m reproduction.peers.{path.stem}" in text.split('"""')[1]
    assert f"- {path.stem}: " in (PEERS / "__init__.py").read_text(encoding="utf-8")
