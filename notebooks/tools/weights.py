"""Weights for readers who do not want to wait: ``python -m simmim_lite build --weights``.

A notebook that can skip its long trainings has the line ``FAST = False``. A statement
``if FAST: load_trained("NAME", part, ...)`` follows each of them. Here the notebook runs as it is,
so everything is trained; then the parts that such a statement names are stored in ``data/weights``.
Finally the notebook runs with ``FAST = True``, and must come to its end.
"""

import ast
import copy
from collections.abc import Callable, Collection
from pathlib import Path

from nbformat import NotebookNode

from notebooks.tools.builder import FOLDER, BuildError, executed, names, read_script, select
from simmim_lite.training import save_trained

WEIGHTS = FOLDER.parent / "data" / "weights"
SLOW, FAST = "FAST = False", "FAST = True"


def store(folder: Path = FOLDER, numbers: Collection[str] = (), *, say: Callable = print) -> int:
    """Store the weights of the notebooks with these numbers (default: all); return the failures."""
    failures = 0
    for name in select(names(folder), numbers):
        notebook = read_script(folder / "scripts" / f"{name}.py")
        if not trained_parts(notebook):
            continue
        try:
            slow = executed(name, with_saving(notebook, WEIGHTS), folder).seconds
            fast = executed(name, with_weights(notebook), folder).seconds
        except BuildError as error:
            failures += 1
            say(f"failed: {error}")
        else:
            say(f"stored: {name} ({slow:.0f} s; {fast:.0f} s with {FAST})")
    return failures


def trained_parts(notebook: NotebookNode) -> dict[str, str]:
    """The arguments of `save_trained` for each name that the notebook can load if FAST."""
    found = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and "load_trained(" in cell.source:
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.If) and ast.unparse(node.test) == "FAST":
                    found |= dict(filter(None, map(_saving, node.body)))
    return found


def with_saving(notebook: NotebookNode, weights: Path) -> NotebookNode:
    """The notebook, whose cells also store what they have trained."""
    changed = copy.deepcopy(notebook)
    for cell in changed.cells:
        if cell.cell_type == "code" and "load_trained(" in cell.source:
            lines = [cell.source, f"from simmim_lite.training import {save_trained.__name__}"]
            for arguments in trained_parts(NotebookNode(cells=[cell])).values():
                lines.append(f"save_trained(Path({str(weights)!r}), {arguments})")
            cell.source = "\n".join(lines)
    return changed


def with_weights(notebook: NotebookNode) -> NotebookNode:
    """The notebook with ``FAST = True``."""
    changed = copy.deepcopy(notebook)
    for cell in changed.cells:
        if cell.cell_type == "code":
            cell.source = cell.source.replace(SLOW, FAST, 1)
    return changed


def _saving(node: ast.AST) -> tuple[str, str] | None:
    """Name and arguments of a statement ``[history =] load_trained(name, ...)``."""
    if not isinstance(node, ast.Assign | ast.Expr) or not isinstance(node.value, ast.Call):
        return None
    call = node.value
    if not ast.unparse(call.func).endswith("load_trained"):
        return None
    arguments = [ast.unparse(argument) for argument in call.args]
    if isinstance(node, ast.Assign):
        arguments.append(f"history={ast.unparse(node.targets[0])}")
    return ast.literal_eval(call.args[0]), ", ".join(arguments)
