"""Files of `reproduction` are short and use public names only, as a reader of the package does."""

import ast
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parents[2]
FILES = sorted((CLONE / "reproduction").rglob("*.py"))


def private_names(source: str) -> list[str]:
    """Imported names of the package or of `reproduction` with a leading underscore."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return [
        name
        for name in names
        if name.startswith(("simmim_lite", "reproduction"))
        and any(part.startswith("_") and part != "__main__" for part in name.split("."))
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CLONE)))
def test_only_public_names_are_imported(path: Path):
    assert private_names(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CLONE)))
def test_file_is_short(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize(
    "source",
    [
        "from simmim_lite._arguments import check_integer",
        "import simmim_lite.training._fit",
        "from simmim_lite.training import _fit",
        "def f():\n    from reproduction.experiments.multimodal import _clusters",
    ],
)
def test_private_import_is_found(source: str):
    assert len(private_names(source)) == 1


def test_public_imports_pass():
    source = (
        "import numpy._core\nfrom simmim_lite import training\n"
        "from simmim_lite.__main__ import one_line_errors\n"
    )
    assert private_names(source) == []
