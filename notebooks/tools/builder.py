"""Notebooks from their scripts: read, execute, measure, write.

``notebooks/scripts/NN_name.py`` (jupytext percent, no header) is what is edited and reviewed;
``notebooks/NN_name.ipynb`` is made from it by ``python -m simmim_lite build``, always in that
direction, because tools that pair the two by file time can put old text back.

What a script must have for the builder (`tests/notebooks/test_builder.py` checks the rest of the skeleton):

- a first cell with ``# NN · Title`` and, before the list of aims, one paragraph that is a single
  line in ``*italics*``: what one learns here, as the map of notebooks shows it;
- `SETUP` as its first code cell;
- the markers ``<!-- measured -->`` and ``<!-- /measured -->``, each on a line of its own; the
  builder writes the time and the machine between them. ``<!-- map -->`` and ``<!-- /map -->``, in
  README.md and notebook 00, receive the table of notebooks.

A rebuild whose outputs are equal gives the same bytes: cell ids come from the position, times of
execution are not stored, and the measured line stays while the new time is within `KEEP_WITHIN`.
"""

import asyncio
import base64
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from traitlets import default

from simmim_lite import environment
from simmim_lite.storage import write_atomically

FOLDER = Path(__file__).resolve().parents[1]
NAME = re.compile(r"(?P<number>\d\d)_[a-z0-9_]+")
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
KEEP_WITHIN = 0.25  # of the old time (or 3 s): less is noise of the machine, not worth a commit
CELL_TIMEOUT = 600  # seconds; a hung cell fails instead of blocking the whole run

SETUP = """\
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("simmim_lite") is None:  # install it from this clone, or from GitHub
    clone = Path("../pyproject.toml").is_file()
    source = ".." if clone else "git+https://github.com/simmim-lite/simmim-lite"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)
    importlib.invalidate_caches()"""


class BuildError(ValueError):
    """A notebook that cannot be built; the message names the notebook and the cell."""


@dataclass(frozen=True)
class Run:
    """A notebook after execution, as far as it came."""

    notebook: NotebookNode
    seconds: float
    failed_cell: int | None = None  # index among all cells
    failure: str = ""  # last line of the error

    @property
    def executed(self) -> list[NotebookNode]:
        """Code cells that ran through."""
        cells = self.notebook.cells[: self.failed_cell]
        return [cell for cell in cells if cell.cell_type == "code" and cell.execution_count]


@dataclass(frozen=True)
class Lesson:
    """A notebook's line in the map."""

    name: str
    title: str
    modules: str  # of the package, as "`bounds`, `critics`"
    summary: str
    minutes: int  # to work through it
    seconds: int | None  # to run it; None: never measured

    @property
    def number(self) -> str:
        return self.name[:2]


def names(folder: Path) -> list[str]:
    """Names ``NN_name`` of the scripts under ``folder/scripts``, in number order."""
    return sorted(path.stem for path in folder.glob("scripts/*.py") if NAME.fullmatch(path.stem))


def read_script(path: Path) -> NotebookNode:
    """Notebook of a percent script: ids by position, tags the only metadata, no outputs."""
    notebook = jupytext.read(path, fmt="py:percent")
    number = path.stem[:2]
    for index, cell in enumerate(notebook.cells):
        cell.id = f"{number}-{index:02d}"
        cell.metadata = NotebookNode({k: v for k, v in cell.metadata.items() if k == "tags"})
    notebook.metadata = NotebookNode({"kernelspec": KERNEL})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def lesson(name: str, notebook: NotebookNode) -> Lesson:
    """Title, summary and measured seconds, read from the cells before the first code cell."""
    opening = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            break
        opening.append(cell.source)
    text = "\n\n".join(opening)
    title = re.search(rf"^# {name[:2]} · (.+)$", text, re.MULTILINE)
    summary = re.search(r"(?:^|\n\n)\*(?!\*)([^*\n]+)\*(?:\n\n|$)", text)
    if not title or not summary:
        missing = f"'# {name[:2]} · Title'" if not title else "a paragraph in *italics*"
        raise BuildError(f"{name}: expected {missing} before the first code cell")
    modules = re.search(r"^\*\*In the package\*\*: (.+)\.$", text, re.MULTILINE)
    seconds = re.search(r"^Measured: (\d+) s on ", text, re.MULTILINE)
    return Lesson(
        name,
        title[1],
        modules[1] if modules else "",
        summary[1],
        working_minutes(notebook),
        int(seconds[1]) if seconds else None,
    )


def working_minutes(notebook: NotebookNode) -> int:
    """Minutes to read a notebook, run it and do its exercises: an estimate from its length.

    120 words or 12 lines of code a minute, 5 minutes an exercise; rounded to 5 minutes.
    """
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    words = sum(len(re.findall(r"\w{2,}", text.partition("## References")[0])) for text in prose)
    lines = sum(len(list(filter(str.strip, cell.source.splitlines()))) for cell in code)
    exercises = sum("exercise" in cell.metadata.get("tags", ()) for cell in code)
    return 5 * round((words / 120 + lines / 12 + 5 * exercises) / 5)


class _ThisPython(KernelSpecManager):
    """Every kernel is the running interpreter, whatever kernels the user has installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(**get_kernel_dict())


class _KernelManager(AsyncKernelManager):
    @default("kernel_spec_manager")
    def _this_python(self) -> KernelSpecManager:
        return _ThisPython()


class _Loop(asyncio.SelectorEventLoop):
    def add_signal_handler(self, *_: object) -> None:
        raise RuntimeError  # else nbclient would end one kernel, and the run would go on


def execute(notebook: NotebookNode, folder: Path, *, timeout: int = CELL_TIMEOUT) -> Run:
    """Execute a copy of ``notebook`` top to bottom, in a fresh kernel that stands in ``folder``.

    Nothing is raised for a failing cell: the `Run` says which one and why.
    """
    notebook = nbformat.from_dict(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        cell.outputs, cell.execution_count = [], None
    last = 0

    def remember(cell: NotebookNode, cell_index: int) -> None:
        nonlocal last
        last = cell_index

    client = NotebookClient(
        notebook,
        timeout=timeout,
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],  # the kernel's own warnings, not the notebook's
        kernel_manager_class=_KernelManager,
        resources={"metadata": {"path": str(folder)}},
        on_cell_execute=remember,
    )
    start = time.perf_counter()
    failed_cell, failure, loop = None, "", _Loop()
    try:
        loop.run_until_complete(client.async_execute())
    except CellExecutionError as error:
        failed_cell, failure = last, f"{error.ename}: {error.evalue}".strip().splitlines()[-1]
    except CellTimeoutError:
        failed_cell, failure = last, f"no answer after {timeout} s"
    except DeadKernelError:
        failed_cell, failure = last, "the kernel died"
    except KeyboardInterrupt:
        client.shutdown_kernel = "immediate"
        tasks = [task for task in asyncio.all_tasks(loop) if task.cancel()]
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        raise
    finally:
        loop.close()
    seconds = time.perf_counter() - start
    notebook.metadata = NotebookNode({"kernelspec": KERNEL})
    for cell in code:
        cell.outputs = _merge_streams(cell.outputs)
    return Run(notebook, seconds, failed_cell, failure)


def _merge_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighboring pieces of one stream: where the kernel cut it depends on the moment."""
    merged: list[NotebookNode] = []
    for output in outputs:
        if merged and output.output_type == "stream" and merged[-1].get("name") == output.name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged


def refuse_stderr(name: str, notebook: NotebookNode) -> None:
    """A reader would see it: a warning, or the debris of a progress bar."""
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", ()):
            if output.get("name") == "stderr":
                last = (output.text.strip() or "(blank)").splitlines()[-1]
                raise BuildError(f"{name}: cell {index} writes to stderr: {last}")


def replace_block(text: str, block: str, body: str, *, prefix: str = "") -> str:
    """Put ``body`` between ``<!-- block -->`` and ``<!-- /block -->``; all else stays as it is.

    ``prefix`` starts each line (``"# "`` in a script). ValueError unless there is one such block.
    """
    begin, end = (rf"{prefix}<!-- {mark}{block} -->" for mark in ("", "/"))
    pattern = re.compile(rf"^{begin}\n(?:.*\n)*?{end}$", re.MULTILINE)
    found = len(pattern.findall(text))
    if found != 1:
        raise ValueError(f"expected one block {begin} ... {end}, found {found}")
    lines = [(prefix + line).rstrip() for line in body.splitlines()]
    return pattern.sub(lambda _: "\n".join([begin, *lines, end]), text)


def _replace_in_notebook(notebook: NotebookNode, block: str, body: str) -> None:
    """The same in the one cell that has the block."""
    found = [cell for cell in notebook.cells if f"<!-- {block} -->" in cell.source]
    if len(found) != 1:
        raise ValueError(f"expected one cell with the block <!-- {block} -->, found {len(found)}")
    found[0].source = replace_block(found[0].source, block, body)


def measured_line(seconds: float, old: str = "") -> str:
    """``Measured: 14 s on 2 CPU cores, ... (generated)``, or ``old`` where it still holds."""
    new = f"Measured: {max(1, round(seconds))} s on {environment.hardware()} (generated)"
    before = re.fullmatch(r"Measured: (\d+) s( on .*)", old)
    if before and new.endswith(f" s{before[2]}"):
        noise = max(3.0, KEEP_WITHIN * int(before[1]))
        return old if abs(seconds - int(before[1])) <= noise else new
    return new


def _write_notebook(path: Path, notebook: NotebookNode) -> None:
    nbformat.validate(notebook)
    write_atomically(path, nbformat.writes(notebook) + "\n")


def build_one(name: str, folder: Path, *, timeout: int = CELL_TIMEOUT) -> Lesson:
    """Execute a script, write its notebook and measured line; BuildError: nothing was written."""
    script = folder / "scripts" / f"{name}.py"
    source = script.read_text(encoding="utf-8")
    notebook = read_script(script)
    lesson(name, notebook)  # refuse a script without title or summary before it runs for minutes
    old = re.search(r"^# (Measured: .*)$", source, re.MULTILINE)
    try:
        replace_block(source, "measured", "", prefix="# ")
    except ValueError as error:
        raise BuildError(f"{name}: {error}") from error
    run = execute(notebook, folder, timeout=timeout)
    refuse_stderr(name, run.notebook)
    if run.failed_cell is not None:
        code = run.notebook.cells[run.failed_cell].source.splitlines()[0]
        raise BuildError(f"{name}: cell {run.failed_cell} ({code!r}): {run.failure}")
    line = measured_line(run.seconds, old[1] if old else "")
    line = f"About {working_minutes(notebook)} minutes to work through.\n{line}"
    _replace_in_notebook(run.notebook, "measured", line)
    _write_notebook(folder / f"{name}.ipynb", run.notebook)
    write_atomically(script, replace_block(source, "measured", line, prefix="# "))
    return lesson(name, run.notebook)


def map_table(lessons: Collection[Lesson], *, link: str = "") -> str:
    """Markdown table of the notebooks; ``link`` stands before each file name."""
    rows = ["| | notebook | in the package | what you learn | minutes | runs in |"]
    rows += ["|---|---|---|---|---:|---:|"]
    for entry in lessons:
        seconds = "–" if entry.seconds is None else f"{entry.seconds} s"
        target = f"[{entry.title}]({link}{entry.name}.ipynb)"
        cells = (entry.number, target, entry.modules, entry.summary, entry.minutes, seconds)
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n" + "\n".join(rows) + "\n\n"


def cover(notebook: NotebookNode) -> bytes | None:
    """PNG of a notebook's first figure, if there is one."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", ()):
                return base64.b64decode(output.data["image/png"])
    return None


def derived_files(folder: Path) -> dict[Path, str | bytes]:
    """What README.md, notebook 00 and its script should contain, with today's map of notebooks.

    And the picture that README.md shows, which is the first figure of notebook 00.
    """
    found = names(folder)
    lessons = [lesson(name, read_script(folder / "scripts" / f"{name}.py")) for name in found]
    wanted: dict[Path, str | bytes] = {}
    readme = folder.parent / "README.md"
    if readme.is_file():
        text = readme.read_text(encoding="utf-8")
        wanted[readme] = replace_block(text, "map", map_table(lessons, link="notebooks/"))
    if found and found[0].startswith("00"):
        script = folder / "scripts" / f"{found[0]}.py"
        text, table = script.read_text(encoding="utf-8"), map_table(lessons)
        wanted[script] = replace_block(text, "map", table, prefix="# ")
        path = folder / f"{found[0]}.ipynb"
        if path.is_file():
            notebook = nbformat.read(path, as_version=4)
            _replace_in_notebook(notebook, "map", table)
            wanted[path] = nbformat.writes(notebook) + "\n"
            if figure := cover(notebook):
                wanted[folder / "images" / "cover.png"] = figure
    return wanted


def build(
    folder: Path = FOLDER,
    numbers: Collection[str] = (),
    *,
    timeout: int = CELL_TIMEOUT,
    say: Callable[[str], None] = print,
) -> int:
    """Build the notebooks with these numbers (default: all), then the map; return the failures."""
    failures = 0
    for name in select(names(folder), numbers):
        try:
            built = build_one(name, folder, timeout=timeout)
        except BuildError as error:
            failures += 1
            say(f"failed: {error}")
        else:
            say(f"built: {name} ({built.seconds} s)")
    if not failures:  # else the maps would show a notebook that does not exist
        for path, content in derived_files(folder).items():
            write_atomically(path, content)
    return failures


def select(available: list[str], numbers: Collection[str]) -> list[str]:
    """The names whose number was asked for (``1``, ``01`` or ``01_entropy``); all if none was."""
    wanted = {str(number).split("_")[0].zfill(2): number for number in numbers}
    present = {name[:2] for name in available}
    for number, asked in wanted.items():
        if number not in present:
            raise ValueError(f"no notebook {asked!r} among {', '.join(available) or 'none'}")
    return [name for name in available if not wanted or name[:2] in wanted]


def stale(folder: Path = FOLDER, numbers: Collection[str] = ()) -> list[str]:
    """A line for each notebook whose cells differ from its script, and for each outdated map."""
    lines = []
    for name in select(names(folder), numbers):
        path = folder / f"{name}.ipynb"
        script = read_script(folder / "scripts" / f"{name}.py")
        if not path.is_file():
            lines.append(f"{name}: not built")
        elif cells(nbformat.read(path, as_version=4)) != cells(script):
            lines.append(f"{name}: the notebook does not hold the cells of its script")
    for path, content in derived_files(folder).items():
        content = content.encode() if isinstance(content, str) else content
        if not path.is_file() or path.read_bytes() != content:
            lines.append(f"{path.name}: the map or figure in it is out of date")
    return lines


def cells(notebook: NotebookNode) -> list[tuple[str, str, tuple[str, ...]]]:
    """What a script and its notebook share: kind, text and tags of each cell."""
    return [
        (cell.cell_type, cell.source, tuple(cell.metadata.get("tags", ())))
        for cell in notebook.cells
    ]
