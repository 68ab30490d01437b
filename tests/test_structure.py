"""The shape of the repository: a small package, imports one way, short files, nothing unused."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parents[1]
PACKAGE = CLONE / "simmim_lite"
TOOLS = (CLONE / "reproduction", CLONE / "notebooks" / "tools")
MOST_LINES, MOST_FILES, LONGEST = 16_750, 115, 400  # of the package, all later rooms included

# A module imports only from rows above its own (and from its own folder).
ORDER = [
    ["_arguments", "_numerics", "_torch_state"],
    ["_random", "storage"],
    ["environment"],
    ["entropy"],
    ["ground_truth"],
    ["mutual_information", "bounds", "critics", "contrastive"],
    ["datasets"],
    ["augment"],
    ["encoders"],
    ["fusion"],
    ["training"],
    ["multimodal", "manifold", "masked", "memory"],
    ["generation"],
    ["evaluation"],
    ["figures", "exercises", "doctor"],
    ["__main__"],
]
RANK = {module: rank for rank, row in enumerate(ORDER) for module in row}

# Public names that no notebook, command or experiment reaches, and why they stay.
KEPT = {
    "load_weights": "a reader's own checkpoints",
}


def python_files(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def modules() -> list[Path]:
    return [path for path in python_files(PACKAGE) if path != PACKAGE / "__init__.py"]


def name_of(path: Path) -> str:
    return str(path.relative_to(CLONE))


def owner(path: Path) -> str:
    """Name of the module, or of the folder, that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(module: ast.Module) -> Iterator[str]:
    """Dotted names that a source imports, at the top or inside a function or condition."""
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def wrong_imports(module: str, source: ast.Module) -> list[str]:
    """Imports from the package, or from rooms beside it, that don't run one way."""
    wrong = []
    for name in imports(source):
        room, _, rest = name.partition(".")
        if name.startswith(".") or room in ("reproduction", "notebooks", "tests"):
            wrong.append(name)
        elif room == "simmim_lite":
            other = rest.partition(".")[0]
            if other not in (module, "__version__") and RANK.get(other, 99) >= RANK[module]:
                wrong.append(name)
    return wrong


def test_the_package_is_small():
    lines = sum(
        len(path.read_text(encoding="utf-8").splitlines()) for path in python_files(PACKAGE)
    )
    assert lines <= MOST_LINES
    assert len(python_files(PACKAGE)) <= MOST_FILES


@pytest.mark.parametrize("path", python_files(PACKAGE, *TOOLS), ids=name_of)
def test_files_are_short(path: Path):
    """A module that outgrows the limit becomes a folder of the same name."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_run_one_way(path: Path):
    assert owner(path) in RANK, "name the module in ORDER"
    assert wrong_imports(owner(path), tree(path)) == []


@pytest.mark.parametrize(
    "source",
    [
        "from simmim_lite import datasets",
        "import simmim_lite.datasets",
        "from simmim_lite.datasets import load_digits",
        "def f():\n    from simmim_lite.datasets._files import find",
        "if TYPE_CHECKING:\n    from simmim_lite.datasets import Pairing",
        "from . import _arguments",
        "from simmim_lite import unheard_of",
        "from simmim_lite.ground_truth import x",
        "import reproduction.claims",
        "from notebooks.tools import builder",
    ],
)
def test_wrong_import_is_found(source: str):
    assert wrong_imports("entropy", ast.parse(source))


def test_right_imports_pass():
    source = "import numpy\nfrom simmim_lite import entropy\nfrom simmim_lite._arguments import x"
    assert wrong_imports("ground_truth", ast.parse(source)) == []


def cycles(graph: dict[str, set[str]]) -> list[str]:
    """Nodes of a directed graph that can be reached from themselves."""
    found = []
    for start in graph:
        reached, waiting = set(), list(graph[start])
        while waiting:
            node = waiting.pop()
            if node not in reached:
                reached.add(node)
                waiting += graph.get(node, ())
        if start in reached:
            found.append(start)
    return found


def test_no_file_imports_itself_through_others():
    paths = {".".join(path.relative_to(CLONE).with_suffix("").parts): path for path in modules()}
    graph = {
        name: {
            target
            for imported in imports(tree(path))
            for target in (imported, imported.rpartition(".")[0])
            if target in paths and target != name
        }
        for name, path in paths.items()
    }
    assert cycles(graph) == []
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c"]


def private(name: str) -> bool:
    return any(part.startswith("_") and not part.endswith("__") for part in name.split("."))


@pytest.mark.parametrize("path", python_files(*TOOLS), ids=name_of)
def test_rooms_beside_the_package_use_its_public_names(path: Path):
    names = [name for name in imports(tree(path)) if name.startswith("simmim_lite")]
    assert [name for name in names if private(name)] == []


def identifiers(node: ast.AST) -> set[str]:
    """Names and attributes that a piece of code mentions, and strings that may select one."""
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            found.add(part.id)
        elif isinstance(part, ast.Attribute):
            found.add(part.attr)
        elif isinstance(part, ast.ImportFrom):
            found |= {alias.name for alias in part.names}
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            found.add(part.value)
    return found


def definitions(paths: list[Path]) -> dict[str, set[str]]:
    """Each name that is defined at the top of a file, with the names that its definition uses."""
    found: dict[str, set[str]] = {}
    for node in (node for path in paths for node in tree(path).body):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [part.id for t in targets for part in ast.walk(t) if isinstance(part, ast.Name)]
        else:
            continue
        for name in names:
            found.setdefault(name, set()).update(identifiers(node))
    return found


def public_names() -> set[str]:
    """Names that a folder re-exports, or that a single public module defines."""
    found = set()
    for path in modules():
        if path.name == "__init__.py":
            nodes = [node for node in tree(path).body if isinstance(node, ast.ImportFrom)]
            found |= {alias.asname for node in nodes for alias in node.names if alias.asname}
        elif path.parent == PACKAGE and not path.name.startswith("_"):
            nodes = tree(path).body
            found |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return {name for name in found if not name.startswith("_")}


def test_every_public_name_is_used_by_a_notebook_the_command_line_or_an_experiment():
    notebooks = CLONE / "notebooks"
    scripts = [*notebooks.glob("scripts/*.py"), *notebooks.glob("solutions/*.py")]
    roots = [*scripts, *python_files(*TOOLS), PACKAGE / "__main__.py", PACKAGE / "doctor.py"]
    graph = definitions(modules())
    reached: set[str] = set()
    waiting = set().union(*(identifiers(tree(path)) for path in roots))
    while waiting:
        reached |= waiting
        waiting = set().union(*(graph[name] for name in waiting if name in graph)) - reached
    assert sorted(public_names() - reached - set(KEPT)) == []
    assert sorted(set(KEPT) & reached) == [], "used by now: take it out of KEPT"
