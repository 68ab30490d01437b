"""The rules that every notebook keeps, each a function from a `Lesson` to complaints (none: kept).

`test_builder.py` applies each rule to each notebook, and to one planted fault that it must find.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from notebooks.tools import builder, pages

CLONE = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((CLONE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CLOSING = ["What the article gets wrong", "Recap", "Exercises", "What to try next", "References"]
TAGS = {"exercise", "nbval-check-output"}
MACHINE_PATH = re.compile(r"/(?:home|root|work|tmp|Users)/\w|\b[A-Z]:\\+\w")
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:href|src)=\"([^\"]+)\"")
FIGURE = re.compile(r"figures\.show\(\s*\"Figure (\d+)\. \S")
EXERCISE = re.compile(r"^### Exercise (\d+) · (★{1,3}) · (\d+) minutes? · (.+)$", re.MULTILINE)
KINDS = {"predict", "derive", "find the bug", "choose", "function"}  # each notebook has one of each
OTHER_KINDS = {"read the figure", "design a control", "self-test"}
MINUTES = 75
NAVIGATION = re.compile(r"\[[^\]]+\]\(([\w.]+\.ipynb)\)")


@dataclass(frozen=True)
class Lesson:
    """A notebook ``folder/name.ipynb``, with all the names that stand in the folder."""

    folder: Path
    name: str

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.ipynb"

    @property
    def notebook(self) -> NotebookNode:
        return nbformat.read(self.path, as_version=4)

    def cells(self, kind: str) -> list[NotebookNode]:
        return [cell for cell in self.notebook.cells if cell.cell_type == kind]

    @property
    def opening(self) -> str:
        """Markdown before the first code cell."""
        cells = self.notebook.cells
        first = next((i for i, cell in enumerate(cells) if cell.cell_type == "code"), len(cells))
        return "\n\n".join(cell.source for cell in cells[:first])

    @property
    def markdown(self) -> str:
        return "\n\n".join(cell.source for cell in self.cells("markdown"))

    @property
    def outputs(self) -> list[tuple[int, NotebookNode]]:
        """Outputs with the index of their cell."""
        cells = enumerate(self.notebook.cells)
        return [(index, out) for index, cell in cells for out in cell.get("outputs", ())]


def twin_is_equal(lesson: Lesson) -> Iterator[str]:
    script = builder.read_script(lesson.folder / "scripts" / f"{lesson.name}.py")
    if builder.cells(script) != builder.cells(lesson.notebook):
        yield "the script holds other cells: run `python -m simmim_lite build`"


def metadata_is_plain(lesson: Lesson) -> Iterator[str]:
    """Nothing in the file that changes from one build to the next."""
    notebook = lesson.notebook
    if notebook.metadata != {"kernelspec": builder.KERNEL}:
        yield f"metadata {notebook.metadata}"
    for index, cell in enumerate(notebook.cells):
        if cell.id != f"{lesson.name[:2]}-{index:02d}":
            yield f"cell {index} has id {cell.id}"
        if set(cell.metadata) - {"tags"}:
            yield f"cell {index} has metadata {set(cell.metadata)}"


def ran_in_one_go(lesson: Lesson) -> Iterator[str]:
    counts = [cell.execution_count for cell in lesson.cells("code")]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts {counts}"


def no_errors(lesson: Lesson) -> Iterator[str]:
    for index, output in lesson.outputs:
        if output.output_type == "error" or output.get("name") == "stderr":
            yield f"cell {index} holds an error or text on stderr"


def no_machine_paths(lesson: Lesson) -> Iterator[str]:
    for index, output in lesson.outputs:
        texts = [output.get("text", "")]
        texts += [t for kind, t in output.get("data", {}).items() if not kind.startswith("image/")]
        for text in texts:
            if found := MACHINE_PATH.search(str(text)):
                yield f"cell {index} prints a path of a machine: {found[0]}"


def is_small(lesson: Lesson) -> Iterator[str]:
    size = lesson.path.stat().st_size
    if size >= 2**20:
        yield f"{size} bytes, 1 MB at most"


def opening_is_complete(lesson: Lesson) -> Iterator[str]:
    """Title, badge of its own, one line of summary, aims and so on, in this order."""
    repository = PROJECT["urls"]["Repository"].removeprefix("https://github.com/")
    own = f"https://colab.research.google.com/github/{repository}/blob/main/notebooks/"
    wanted = {
        "title": rf"^# {lesson.name[:2]} · \S",
        "badge": rf"^\[!\[[^\]]+\]\([^)]+\)\]\({re.escape(own + lesson.path.name)}\)$",
        "one line in italics": r"^\*[^*\n]+\*$",
        "aims": r"^\*\*What you will learn\*\*\n\n- ",
        "prerequisites": r"^\*\*Prerequisites\*\*: .+\.$",
        "modules": r"^\*\*In the package\*\*: (`\w+`(, )?)+\.$",
        "measured line": r"^<!-- measured -->\nAbout .+\nMeasured: \d+ s on .+ \(generated\)$",
    }
    start = 0
    for part, pattern in wanted.items():
        found = re.compile(pattern, re.MULTILINE).search(lesson.opening, start)
        if not found:
            yield f"no {part} in its place"
        else:
            start = found.end()
    badges = re.findall(r"\[!\[[^\]]+\]\([^)]+\)\]\([^)]+\.ipynb\)", lesson.markdown)
    if len(badges) != 1:
        yield f"{len(badges)} badges"


def setup_comes_first(lesson: Lesson) -> Iterator[str]:
    if lesson.cells("code")[0].source != builder.SETUP:
        yield "the first code cell is not SETUP of the builder"


def sections_are_in_order(lesson: Lesson) -> Iterator[str]:
    headings = re.findall(r"^## (.+)$", lesson.markdown, re.MULTILINE)
    numbered = [heading for heading in headings if heading[0].isdigit()]
    expected = [rf"{number}. " for number in range(1, len(numbered) + 1)]
    if not numbered or any(not h.startswith(e) for h, e in zip(numbered, expected, strict=True)):
        yield f"numbered sections {numbered}"
    rest = [heading for heading in headings if heading not in numbered]
    closing = [heading for heading in rest if "Appendix: " not in heading and heading != "Quiz"]
    if headings != numbered + rest or closing != CLOSING:
        yield f"after the numbered sections came {rest}"


def prose_comes_before_code(lesson: Lesson) -> Iterator[str]:
    """Each section says what it is about before its first code cell."""
    for section in _sections(lesson):
        prose = []
        for cell in section:
            if cell.cell_type == "code":
                break
            prose += [line for line in cell.source.splitlines() if line and line[0] != "#"]
        if not prose:
            yield f"no prose at the start of {section[0].source.splitlines()[0]!r}"


def _sections(lesson: Lesson) -> list[list[NotebookNode]]:
    sections: list[list[NotebookNode]] = []
    for cell in lesson.notebook.cells:
        if cell.cell_type == "markdown" and re.search(r"^## ", cell.source, re.MULTILINE):
            sections.append([])
        if sections:
            sections[-1].append(cell)
    return sections


def cells_are_short(lesson: Lesson) -> Iterator[str]:
    lengths = [sum(map(bool, cell.source.splitlines())) for cell in lesson.cells("code")]
    if len(lengths) < 12:
        yield f"{len(lengths)} code cells, at least 12 wanted"
    if max(lengths) > 20:
        yield f"a code cell of {max(lengths)} lines, 20 at most"


def fits_a_session(lesson: Lesson) -> Iterator[str]:
    minutes = builder.working_minutes(lesson.notebook)
    if minutes > MINUTES:
        yield f"{minutes} minutes to work through, {MINUTES} at most"


def figures_have_numbers_and_texts(lesson: Lesson) -> Iterator[str]:
    """Every figure has a number, a caption, and a text for those who cannot see it."""
    shown = [int(number) for cell in lesson.cells("code") for number in FIGURE.findall(cell.source)]
    if shown != list(range(1, len(shown) + 1)):
        yield f"figures {shown}"
    for index, output in lesson.outputs:
        text = output.get("metadata", {}).get("image/png", {}).get("alt", "")
        if "image/png" in output.get("data", ()) and len(text) < 30:
            yield f"cell {index} shows a picture without a text: use figures.show"


def comparisons_are_asserted(lesson: Lesson) -> Iterator[str]:
    """``a == b`` alone checks nothing."""
    for cell in lesson.cells("code"):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Expr) and _is_comparison(node.value):
                yield f"a comparison without assert: {ast.unparse(node)}"


def _is_comparison(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return any(map(_is_comparison, node.values))
    if isinstance(node, ast.UnaryOp):
        return _is_comparison(node.operand)
    return isinstance(node, ast.Compare)


def no_walrus(lesson: Lesson) -> Iterator[str]:
    """An assignment within an expression is hard to find for a beginner."""
    for cell in lesson.cells("code"):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.NamedExpr):
                yield f"an assignment within an expression: {ast.unparse(node)}"


def something_is_asserted(lesson: Lesson) -> Iterator[str]:
    """nbval sees exceptions only, so a notebook without assertions is not tested at all."""
    if pages.count_checks(lesson.cells("code")) == 0:
        yield "no assert in any cell"


def exercises_are_checked(lesson: Lesson) -> Iterator[str]:
    tagged = [c for c in lesson.cells("code") if "exercise" in c.metadata.get("tags", ())]
    if not 3 <= len(tagged) <= 8:
        yield f"{len(tagged)} exercises, 3 to 8 wanted"
    if any("exercises.check(" not in cell.source for cell in tagged):
        yield "an exercise without exercises.check"


def exercises_have_levels_and_minutes(lesson: Lesson) -> Iterator[str]:
    found = EXERCISE.findall(lesson.markdown)
    tagged = [c for c in lesson.cells("code") if "exercise" in c.metadata.get("tags", ())]
    if [int(number) for number, *_ in found] != list(range(1, len(tagged) + 1)):
        yield f"headers of exercises {[number for number, *_ in found]}, cells {len(tagged)}"
    kinds = {kind for *_, kind in found}
    if missing := KINDS - kinds:
        yield f"no exercise of the kinds {sorted(missing)}"
    if unknown := kinds - KINDS - OTHER_KINDS:
        yield f"unknown kinds of exercises {sorted(unknown)}"
    place = lesson.markdown.find("## Exercises")
    if not 2 <= len(EXERCISE.findall(lesson.markdown[:place])) < len(found):
        yield "at least two exercises belong into the lesson, and some after it"


def tags_are_known(lesson: Lesson) -> Iterator[str]:
    """A tag such as nbval-skip would take a cell out of the tests."""
    for index, cell in enumerate(lesson.notebook.cells):
        if unknown := set(cell.metadata.get("tags", ())) - TAGS:
            yield f"cell {index} has tags {unknown}"


def imports_are_declared(lesson: Lesson) -> Iterator[str]:
    """The standard library, this package, and what a plain installation of it brings."""
    for cell in lesson.cells("code"):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            for name in names:
                top = name.partition(".")[0]
                if top not in {*sys.stdlib_module_names, "simmim_lite", *_declared()}:
                    yield f"imports {name}, which is no declared dependency"


@cache
def _declared() -> frozenset[str]:
    """Import names of the dependencies (``sklearn`` of scikit-learn)."""
    wanted = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    owners = metadata.packages_distributions()
    return frozenset(
        module for module, found in owners.items() if wanted & {*map(canonicalize_name, found)}
    )


def links_hold(lesson: Lesson) -> Iterator[str]:
    yield from broken_links(lesson.markdown, lesson.folder)


def broken_links(markdown: str, folder: Path) -> Iterator[str]:
    """Relative links without a file, and fragments without a heading, in a markdown text."""
    text = re.sub(r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*\$", "", markdown, flags=re.DOTALL)
    for link in (a or b for a, b in LINK.findall(text)):
        if re.match(r"https?://|mailto:", link):
            continue
        location, _, fragment = link.partition("#")
        target = folder / location
        if location and not target.is_file():
            yield f"{link}: there is no such file"
        elif fragment and fragment not in (
            anchors(target.read_text(encoding="utf-8") if location else markdown)
        ):
            yield f"{link}: there is no such heading"


def anchors(markdown: str) -> set[str]:
    """GitHub's anchors of the headings of a markdown text."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def references_are_linked(lesson: Lesson) -> Iterator[str]:
    _, _, references = lesson.markdown.partition("## References")
    if not re.search(r"https://(doi\.org|arxiv\.org/abs)/\S+", references):
        yield "no DOI and no arXiv link among the references"


def neighbors_are_linked(lesson: Lesson) -> Iterator[str]:
    """The last line leads to the notebook before and the one after."""
    names = sorted(p.stem for p in lesson.folder.glob("[0-9][0-9]_*.ipynb"))
    place = names.index(lesson.name)
    wanted = names[max(place - 1, 0) : place] + names[place + 1 : place + 2]
    last = lesson.markdown.rstrip().splitlines()[-1]
    if NAVIGATION.findall(last) != [f"{name}.ipynb" for name in wanted]:
        yield f"the last line should link to {wanted}, it is {last!r}"


RULES = [
    twin_is_equal,
    metadata_is_plain,
    ran_in_one_go,
    no_errors,
    no_machine_paths,
    is_small,
    opening_is_complete,
    setup_comes_first,
    sections_are_in_order,
    prose_comes_before_code,
    cells_are_short,
    fits_a_session,
    figures_have_numbers_and_texts,
    comparisons_are_asserted,
    no_walrus,
    something_is_asserted,
    exercises_are_checked,
    exercises_have_levels_and_minutes,
    tags_are_known,
    imports_are_declared,
    links_hold,
    references_are_linked,
    neighbors_are_linked,
]
