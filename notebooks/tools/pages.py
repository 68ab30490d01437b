"""Executed notebooks as a small web site that is read offline: ``python -m simmim_lite run``.

Each notebook is executed in a fresh kernel and becomes a page; formulas become MathML (`mathml`),
links between notebooks become links between pages, and the other files that they link to become
pages too. Beside them stand a page of all quizzes (`quiz`) and one for search (`search`). No page
loads anything from the network. The notebooks themselves are never written.
"""

import ast
import re
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import nbformat
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

from notebooks.tools import builder, quiz, search, slides
from notebooks.tools.mathml import to_html
from simmim_lite.storage import write_atomically

STYLE = Path(__file__).with_name("pages.css")
REFERENCE = "reference/index.html"
QUIZ = "quiz.html"
COLUMNS = ("notebook", "seconds", "checks passed", "figures")
NO_TEXT = "No description"  # begins nbconvert's text for an image that has none
HEADING = (
    "Checks passed: `assert` statements and `verify` calls in cells that ran without an error."
)


@dataclass(frozen=True)
class Result:
    """One line of the closing table."""

    lesson: builder.Lesson
    seconds: float
    checks: int
    figures: int
    failure: str  # empty: every cell ran

    @property
    def row(self) -> tuple[str, ...]:
        return (self.lesson.name, f"{self.seconds:.1f}", str(self.checks), str(self.figures))


def count_checks(cells: Collection[NotebookNode]) -> int:
    """``assert`` statements and calls of ``verify`` in these code cells (in a loop: once)."""
    trees = [ast.parse(cell.source) for cell in cells]
    return sum(is_check(node) for tree in trees for node in ast.walk(tree))


def anchor(heading: str) -> str:
    """GitHub's anchor of a heading, which the links in our texts use."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def is_check(node: ast.AST) -> bool:
    """Whether a node of a program is an ``assert`` statement or a call of ``verify``."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr == "verify"
    return isinstance(node, ast.Assert)


def count_figures(cells: Collection[NotebookNode]) -> int:
    """Images among the outputs of these code cells."""
    kinds = [kind for cell in cells for out in cell.outputs for kind in out.get("data", ())]
    return sum(kind.startswith("image/") for kind in kinds)


class _Renderer(IPythonRenderer):
    """Markdown whose formulas are MathML."""

    def block_math(self, body: str) -> str:
        return f'<div class="formula">{to_html(body, display=True)}</div>'

    def inline_math(self, body: str) -> str:
        return to_html(body)

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")


def markdown_to_html(source: str) -> str:
    """HTML of a markdown text; formulas are MathML."""
    return MarkdownWithMath(renderer=_Renderer(escape=False, exclude_anchor_links=True)).render(
        source
    )


def notebook_to_html(notebook: NotebookNode) -> str:
    """HTML of the cells and outputs of a notebook, without head and style."""
    notebook = nbformat.from_dict(notebook)
    notebook.metadata["language_info"] = {"name": "python"}  # which colors the code
    exporter = HTMLExporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True
    )
    exporter.register_filter("markdown2html", markdown_to_html)
    exporter.log.setLevel("ERROR")  # it misses texts for figures, which get theirs in `Site`
    return exporter.from_notebook_node(notebook)[0]


class Site:
    """Pages in one flat folder: notebooks by name, other files by their path in the clone."""

    def __init__(self, output: Path, folder: Path, lessons: Collection[builder.Lesson]):
        self.output, self.folder, self.lessons = output, folder.resolve(), list(lessons)
        self.names = {self.folder / f"{lesson.name}.ipynb": lesson.name for lesson in self.lessons}
        self.sections: dict[str, list[str]] = {}  # headings of each notebook that was written
        self.linked: list[Path] = []  # other files to be shown, in the order in which they were met

    def write_style(self) -> None:
        """The style sheet, and the font for formulas (many Linux machines have none)."""
        light, dark = (
            HtmlFormatter(style=style).get_style_defs(".highlight")
            for style in ("xcode", "monokai")  # of enough contrast
        )
        style = STYLE.read_text(encoding="utf-8")
        own = ".highlight { background: var(--code); }"
        text = f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n{own}\n{style}"
        write_atomically(self.output / "style.css", text)
        if package := find_spec("ziamath"):  # which is only asked for its font, not imported
            font = Path(package.origin).parent / "fonts" / "STIXTwoMath-Regular.ttf"
            shutil.copyfile(font, self.output / font.name)

    def write_notebook(self, lesson: builder.Lesson, run: builder.Run) -> None:
        """The page of an executed notebook; one that failed says so on top."""
        body = notebook_to_html(run.notebook)
        cells = [cell.source for cell in run.notebook.cells if cell.cell_type == "markdown"]
        self.sections[lesson.name] = re.findall(r"^## (.+)$", "\n".join(cells), re.MULTILINE)
        if run.failed_cell is not None:
            note = f"This notebook stopped in cell {run.failed_cell}: {run.failure}"
            body = f'<p class="failure">{escape(note)}</p>{body}'
        place = self.lessons.index(lesson)
        before = self.lessons[place - 1] if place else None
        after = self.lessons[place + 1] if place + 1 < len(self.lessons) else None
        card = self._card(lesson, after)
        summary = re.compile(rf"<p><em>{re.escape(escape(lesson.summary, quote=False))}</em></p>")
        body, found = summary.subn(lambda _: card, body, count=1)
        body = body if found else card + body
        self._write(f"{lesson.name}.html", lesson.title, body, self.folder, before, after)

    def _card(self, lesson: builder.Lesson, after: builder.Lesson | None) -> str:
        """What a notebook teaches, how long it takes, what it needs, and what comes next."""
        needed = [found for found in self.lessons if found.number in lesson.prerequisites]
        links = [f'<a href="{found.name}.ipynb">{found.number}</a>' for found in needed]
        rows = {
            "You will know": escape(lesson.summary),
            "Time": f"{lesson.minutes} minutes, of which the computer needs {lesson.seconds or '?'} s",
            "Needs": ", ".join(links) or "no other notebook",
            "Next": f'<a href="{after.name}.ipynb">{escape(after.title)}</a>' if after else "",
            "For a lecture": self._slides(lesson),
        }
        lines = [f"<dt>{key}</dt><dd>{value}</dd>" for key, value in rows.items() if value]
        return f'<aside class="card" aria-label="This notebook"><dl>{"".join(lines)}</dl></aside>'

    def write_slides(self, lesson: builder.Lesson, notebook: NotebookNode) -> None:
        """The slides of an executed notebook, if there are any."""
        source = self.folder / "slides" / f"{lesson.name}.md"
        if source.is_file():
            body = slides.body(source.read_text(encoding="utf-8"), notebook, markdown_to_html)
            self._relink(body, source.parent)
            style = (self.output / "style.css").read_text(encoding="utf-8")
            page = slides.page(body, lesson, style)
            write_atomically(self.output / f"slides_{lesson.name}.html", page)

    def _slides(self, lesson: builder.Lesson) -> str:
        """A link to the slides of a notebook, or nothing."""
        name = f"slides_{lesson.name}.html"
        return f'<a href="{name}">slides</a>' if (self.output / name).is_file() else ""

    def write_quiz(self) -> None:
        """One page with the questions of all notebooks, which counts the correct answers."""
        found = [(lesson, quiz.read(self.folder, lesson.name)) for lesson in self.lessons]
        quizzes = [(f"{a.number} · {a.title}", f"{a.name}.html", b) for a, b in found if b]
        if quizzes:
            self._write(QUIZ, "Quiz", quiz.form(quizzes), self.folder)

    def write_search(self) -> None:
        """A page that finds notebooks, their sections, terms of the glossary, and functions."""
        entries = []
        for lesson in self.lessons:
            page = f"{lesson.name}.html"
            entries.append(search.Entry(lesson.title, "notebook", page, lesson.summary))
            for heading in self.sections[lesson.name]:
                shown = BeautifulSoup(markdown_to_html(f"## {heading}"), "html.parser").get_text()
                place = f"{page}#{anchor(shown.strip())}"
                entries.append(search.Entry(heading, "section", place, lesson.title))
        entries += search.terms(self.folder.parent / "docs" / "GLOSSARY.md")
        if (self.output / REFERENCE).is_file():
            entries += search.functions(REFERENCE)
        self._write(search.PAGE, "Search", search.body(entries, markdown_to_html), self.folder)

    def write_index(self, results: Collection[Result]) -> None:
        """The map of the pages with the figures of this run."""
        rows = ["| | notebook | what you learn | seconds | checks passed | figures |"]
        rows += ["|---|---|---|---:|---:|---:|"]
        for result in results:
            lesson = result.lesson
            failure = escape(result.failure.replace("|", "/"))
            note = f' <span class="failure">{failure}</span>' if failure else ""
            summary = f"{lesson.summary} {self._slides(lesson)}"
            cells = [lesson.number, f"[{lesson.title}]({lesson.name}.ipynb){note}", summary]
            rows.append(f"| {' | '.join([*cells, *result.row[1:]])} |")
        links = {"Quiz of all notebooks": QUIZ, "Search": search.PAGE, "API reference": REFERENCE}
        there = {text: page for text, page in links.items() if (self.output / page).is_file()}
        for text, name in (("Glossary", "GLOSSARY.md"), ("For lecturers", "TEACHING.md")):
            if (self.folder.parent / "docs" / name).is_file():
                there[text] = f"../docs/{name}"
        beside = " · ".join(f"[{text}]({target})" for text, target in there.items())
        lines = ["# simmim-lite", "", beside, "", *rows, "", HEADING]
        text = "\n".join(lines)
        self._write("index.html", "Notebooks", markdown_to_html(text), self.folder)

    def write_linked(self) -> None:
        """Pages of the other files that pages link to; markdown among them can link on."""
        for path in self.linked:  # grows while markdown files are read
            name = self._name(path)
            if not name.endswith(".html"):
                shutil.copyfile(path, self.output / name)
                continue
            text = path.read_text(encoding="utf-8")
            if path.suffix == ".ipynb":
                body = notebook_to_html(nbformat.reads(text, as_version=4))
            elif path.suffix == ".md":
                body = markdown_to_html(text)
            else:
                body = highlight(text, _lexer(path), HtmlFormatter())
            self._write(name, path.name, body, path.parent)

    def _write(
        self,
        name: str,
        title: str,
        body: str,
        base: Path,
        before: builder.Lesson | None = None,
        after: builder.Lesson | None = None,
    ) -> None:
        soup = BeautifulSoup(body, "html.parser")
        self._relink(soup, base)
        for heading in soup.select("h1, h2, h3"):
            heading["id"] = anchor(heading.get_text())
        for number, image in enumerate(soup.select(".output_area img"), start=1):
            if image.get("alt", NO_TEXT).startswith(NO_TEXT):
                image["alt"] = f"Figure {number} of {title}"
        previous = f'<a href="{before.name}.html">← {escape(before.title)}</a>' if before else ""
        following = f'<a href="{after.name}.html">{escape(after.title)} →</a>' if after else ""
        home = '<a href="index.html">All notebooks</a> · ' if name != "index.html" else ""
        home += f'<a href="{search.PAGE}">Search</a>'
        bar = f"<nav><span>{previous}</span><span>{home}</span><span>{following}</span></nav>"
        page = (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(title)} · simmim-lite</title>"
            '<link rel="stylesheet" href="style.css"></head>\n'
            f"<body>{bar}\n<main>{soup}</main>\n{bar}</body></html>\n"
        )
        write_atomically(self.output / name, page)

    def _relink(self, soup: BeautifulSoup, base: Path) -> None:
        """Point links at pages of this site, and show no image that would need the network."""
        for image in soup.select("img[src]"):
            if urlsplit(image["src"]).scheme in ("http", "https"):  # the badge of Colab, say
                image.replace_with(image.get("alt", "image"))
            elif not image["src"].startswith("data:"):
                image["src"] = self._target(image["src"], base) or ""
        for link in soup.select("a[href]"):
            within = (self.output / urldefrag(link["href"])[0]).is_file()  # the API reference, say
            if urlsplit(link["href"]).scheme or link["href"].startswith("#") or within:
                continue
            target = self._target(link["href"], base)
            if target is None:
                link.unwrap()
            else:
                link["href"] = target

    def _target(self, reference: str, base: Path) -> str | None:
        """Where the page of a relative reference stands; None outside the clone or if missing."""
        location, fragment = urldefrag(reference)
        path = (base / unquote(location)).resolve()
        if path in self.names:
            return f"{self.names[path]}.html" + (f"#{fragment}" if fragment else "")
        if not path.is_file() or not path.is_relative_to(self.folder.parent):
            return None
        if path not in self.linked:
            self.linked.append(path)
        return self._name(path)

    def _name(self, path: Path) -> str:
        """``solutions/01.py`` becomes ``notebooks-solutions-01.py.html``; images keep theirs."""
        flat = "-".join(path.relative_to(self.folder.parent).parts)
        image = path.suffix.lower() in (".png", ".jpg", ".jpeg", ".svg", ".gif")
        return flat if image else f"{flat}.html"


def _lexer(path: Path):
    try:
        return get_lexer_for_filename(path.name)
    except ClassNotFound:
        return TextLexer()


def aligned(rows: Collection[Collection[str]]) -> str:
    """Columns under each other: the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def run(
    folder: Path = builder.FOLDER,
    output: Path = Path("build/site"),
    numbers: Collection[str] = (),
    *,
    stored: bool = False,
    timeout: int = builder.CELL_TIMEOUT,
    write_reference: Callable[[Path], None] | None = None,
    say: Callable[[str], None] = print,
) -> int:
    """Execute the notebooks of ``folder``, write their pages to ``output``; return the failures.

    With ``stored``, the pages show the stored outputs, and nothing is executed. A notebook that
    fails is written as far as it came, and the others still run. With ``write_reference``, the index
    links to the reference that it writes. ValueError if there is no notebook.
    """
    available = sorted(p.stem for p in folder.glob("*.ipynb") if builder.NAME.fullmatch(p.stem))
    if not available:
        raise ValueError(f"no notebooks NN_name.ipynb in {folder}")
    chosen = {
        name: nbformat.read(folder / f"{name}.ipynb", as_version=4)
        for name in builder.select(available, numbers)
    }
    lessons = [builder.lesson(name, notebook) for name, notebook in chosen.items()]
    output.mkdir(parents=True, exist_ok=True)
    site = Site(output, folder, lessons)
    site.write_style()
    results = []
    for place, lesson in enumerate(lessons, start=1):
        notebook = chosen[lesson.name]
        if stored:
            done = builder.Run(notebook, lesson.seconds or 0)
        else:
            done = builder.execute(notebook, folder, timeout=timeout)
        if done.failed_cell is None:
            site.write_slides(lesson, done.notebook)
        site.write_notebook(lesson, done)
        failure = "" if done.failed_cell is None else f"cell {done.failed_cell}: {done.failure}"
        cells = done.executed
        results.append(
            Result(lesson, done.seconds, count_checks(cells), count_figures(cells), failure)
        )
        state = failure or "ok"
        say(f"[{place}/{len(lessons)}] {lesson.name}: {done.seconds:.1f} s, {state}")
    if write_reference:
        write_reference((output / REFERENCE).parent)
    site.write_quiz()
    site.write_search()
    site.write_index(results)
    site.write_linked()
    say("\n" + aligned([COLUMNS, *(result.row for result in results)]))
    say(HEADING)
    failed = [result for result in results if result.failure]
    for result in failed:
        say(f"failed: {result.lesson.name}, {result.failure}")
    say(f"pages: {output / 'index.html'}")
    return len(failed)
