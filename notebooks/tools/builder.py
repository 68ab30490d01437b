"""Notebooks from their scripts: read, execute, measure, write.

``notebooks/scripts/NN_name.py`` (jupytext percent, no header) is what is edited and reviewed;
``notebooks/NN_name.ipynb`` is made from it by ``python -m simmim_lite build``, always in that
direction, because tools that pair the two by file time can put old text back. So are the solutions,
``notebooks/solutions/NN_name.ipynb``, from ``notebooks/scripts/solutions/NN_name.py``.

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

import base64
import re
import tomllib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from notebooks.tools import quiz
from notebooks.tools.execution import CELL_TIMEOUT, KERNEL, Run, execute
from simmim_lite import environment
from simmim_lite.storage import write_atomically

FOLDER = Path(__file__).resolve().parents[1]
NAME = re.compile(r"(?P<number>\d\d)_[a-z0-9_]+")

KEEP_WITHIN = 0.25  # of the old time (or 3 s): less is noise of the machine, not worth a commit
EXERCISE = re.compile(r"^### Exercise \d+ · ★{1,3} · (\d+) minutes? · .+$", re.MULTILINE)


PROJECT = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = PROJECT["urls"][
    "Repository"
]  # the one place of the address; notebooks get it from here
WRITTEN = "https://github.com/simmim-lite/simmim-lite"  # the address as scripts write it

SETUP = f"""\
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("simmim_lite") is None:  # install it: a clone, a wheel here, or GitHub
    clone = Path("..") if Path("../pyproject.toml").is_file() else None
    wheels = sorted([*Path().glob("simmim_lite-*.whl"), *Path("..").glob("simmim_lite-*.whl")])
    github = "{REPOSITORY}/archive/refs/heads/main.zip"
    source = clone or (wheels or [github])[-1]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--timeout=20", "--retries=1"]
    if subprocess.run([*pip, str(source)]).returncode:
        raise RuntimeError(
            f"{{source}} cannot be installed. Put the file simmim_lite-*.whl beside this notebook "
            "(in Colab: folder icon on the left, then upload), and run this cell again."
        )
    importlib.invalidate_caches()"""
SETUP_OF_SOLUTIONS = SETUP.replace('Path("..") if Path("../py', 'Path("../..") if Path("../../py')


class BuildError(ValueError):
    """A notebook that cannot be built; the message names the notebook and the cell."""


@dataclass(frozen=True)
class Lesson:
    """A notebook's line in the map."""

    name: str
    title: str
    modules: str  # of the package, as "`bounds`, `critics`"
    summary: str
    prerequisites: tuple[str, ...]  # numbers of notebooks
    minutes: int  # to work through it
    seconds: int | None  # to run it; None: never measured

    @property
    def number(self) -> str:
        return self.name[:2]


def names(folder: Path) -> list[str]:
    """Names ``NN_name`` of the scripts under ``folder/scripts``, in number order."""
    return sorted(path.stem for path in folder.glob("scripts/*.py") if NAME.fullmatch(path.stem))


def read_script(path: Path) -> NotebookNode:
    """Notebook of a percent script: ids by position, tags the only metadata, no outputs.

    Its quiz, if there is one, stands before the exercises.
    """
    source = path.read_text(encoding="utf-8").replace(_owner(WRITTEN), _owner(REPOSITORY))
    notebook = jupytext.reads(source, fmt="py:percent")
    number = path.stem[:2]
    if questions := quiz.read(path.parents[1], path.stem):
        _insert_before(notebook, "## Exercises", quiz.markdown(questions))
    for index, cell in enumerate(notebook.cells):
        cell.id = f"{number}-{index:02d}"
        cell.metadata = NotebookNode({k: v for k, v in cell.metadata.items() if k == "tags"})
    notebook.metadata = NotebookNode({"kernelspec": KERNEL})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def _insert_before(notebook: NotebookNode, heading: str, text: str) -> None:
    """A new markdown cell before the one heading, whose cell is split if other text comes first."""
    for place, cell in enumerate(notebook.cells):
        before, found, after = f"\n{cell.source}".partition(f"\n{heading}")
        if cell.cell_type == "markdown" and found:
            parts = [before.strip(), text, heading + after]
            new = [nbformat.v4.new_markdown_cell(part) for part in parts if part]
            notebook.cells[place : place + 1] = new
            return
    raise BuildError(f"no heading {heading!r}, before which the quiz stands")


def _owner(address: str) -> str:
    """``owner/name`` of a repository on GitHub."""
    return "/".join(address.split("/")[3:5])


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
    before = re.search(r"^\*\*Prerequisites\*\*: (.+)$", text, re.MULTILINE)
    modules = re.search(r"^\*\*In the package\*\*: (.+)\.$", text, re.MULTILINE)
    seconds = re.search(r"^Measured: (\d+) s on ", text, re.MULTILINE)
    return Lesson(
        name,
        title[1],
        modules[1] if modules else "",
        summary[1],
        tuple(re.findall(r"\]\((\d\d)_\w+\.ipynb\)", before[1])) if before else (),
        working_minutes(notebook),
        int(seconds[1]) if seconds else None,
    )


def working_minutes(notebook: NotebookNode) -> int:
    """Minutes to read a notebook, run its cells and do its exercises: an estimate.

    150 words a minute, 2 minutes a code cell, and the minutes that stand beside each exercise.
    The setup, the map of notebooks, appendices, the quiz and references do not count.
    """
    words, minutes, counts = 0, 0, True
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"<!-- map -->.*<!-- /map -->", "", cell.source, flags=re.DOTALL)
            for part in re.split(r"^(?=## )", text, flags=re.MULTILINE):
                if part.startswith("## "):
                    counts = not part.startswith(("## Appendix", quiz.TITLE, "## References"))
                words += counts * len(re.findall(r"\w{2,}", part))
                minutes += counts * sum(map(int, EXERCISE.findall(part)))
        elif counts and cell.source != SETUP and "exercise" not in cell.metadata.get("tags", ()):
            minutes += 2
    return round(words / 150 + minutes)


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
    run = executed(name, notebook, folder, timeout)
    line = measured_line(run.seconds, old[1] if old else "")
    line = f"About {working_minutes(notebook)} minutes to work through.\n{line}"
    _replace_in_notebook(run.notebook, "measured", line)
    _write_notebook(folder / f"{name}.ipynb", run.notebook)
    write_atomically(script, replace_block(source, "measured", line, prefix="# "))
    solutions = folder / "scripts" / "solutions" / f"{name}.py"
    if solutions.is_file():
        target = folder / "solutions" / f"{name}.ipynb"
        target.parent.mkdir(exist_ok=True)
        run = executed(f"solutions/{name}", read_script(solutions), target.parent, timeout)
        _write_notebook(target, run.notebook)
    return lesson(name, read_script(script))


def executed(name: str, notebook: NotebookNode, folder: Path, timeout: int = CELL_TIMEOUT) -> Run:
    """Execute ``notebook``; BuildError if a cell fails or writes to stderr."""
    run = execute(notebook, folder, timeout=timeout)
    refuse_stderr(name, run.notebook)
    if run.failed_cell is not None:
        code = run.notebook.cells[run.failed_cell].source.splitlines()[0]
        raise BuildError(f"{name}: cell {run.failed_cell} ({code!r}): {run.failure}")
    return run


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
        for part in (name, f"solutions/{name}"):
            script, path = folder / "scripts" / f"{part}.py", folder / f"{part}.ipynb"
            if not script.is_file():
                continue
            if not path.is_file():
                lines.append(f"{part}: not built")
            elif cells(nbformat.read(path, as_version=4)) != cells(read_script(script)):
                lines.append(f"{part}: the notebook does not hold the cells of its script")
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
