"""The shape of the package: imports run one way, modules stay short, and none of them is heavy."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "simmim_lite"

# A module imports only from rows above its own (and from its own folder).
ORDER = [
    ["_arguments"],
    ["_random", "storage"],
    ["entropy"],
    ["ground_truth"],
    ["mutual_information", "bounds", "critics", "contrastive"],
    ["datasets"],
    ["augment"],
    ["encoders"],
    ["fusion"],
    ["training"],
    ["multimodal", "manifold", "memory"],
    ["generation"],
    ["evaluation"],
    ["figures", "exercises", "environment"],
    ["__main__"],
]
RANK = {module: rank for rank, row in enumerate(ORDER) for module in row}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def owner(path: Path) -> str:
    """Name of the module, or of the folder, that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(source: str) -> Iterator[str]:
    """Modules of this package that a source imports, at the top or inside a function."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield "a relative import"
        elif isinstance(node, ast.ImportFrom) and node.module == "simmim_lite":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = (
                [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            )
            for name in names:
                if name.startswith("simmim_lite."):
                    yield name.split(".")[1]


def wrong_imports(module: str, source: str) -> list[str]:
    """Imports that don't run from right to left."""
    return [
        other
        for other in imported(source)
        if other not in (module, "__version__") and RANK.get(other, 99) >= RANK[module]
    ]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path):
    assert owner(path) in RANK, "name the module in ORDER"
    assert wrong_imports(owner(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "from simmim_lite import datasets",
        "import simmim_lite.datasets",
        "from simmim_lite.datasets import load_digits",
        "def f():\n    from simmim_lite.datasets._files import find",
        "from . import _arguments",
        "from simmim_lite import unheard_of",
        "from simmim_lite.ground_truth import x",
    ],
)
def test_wrong_import_is_found(source: str):
    assert wrong_imports("ground_truth" if "ground" not in source else "entropy", source)


def test_right_imports_pass():
    source = "import numpy\nfrom simmim_lite import entropy\nfrom simmim_lite._arguments import x"
    assert wrong_imports("ground_truth", source) == []


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_is_short(path: Path):
    """One that outgrows 400 lines becomes a folder of the same name."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
