"""Slides from markdown: ``notebooks/slides/NN_name.md`` becomes ``slides_NN_name.html`` and ``.pdf``.

A line ``---`` separates slides, and what follows a line ``Notes:`` is for the lecturer. An image
``![Figure 2](../NN_name.ipynb)`` is the second figure of the executed notebook, with its description
and caption. A deck is one file that needs no network: style, font and figures are inside.
"""

import base64
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from html import escape
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from bs4 import BeautifulSoup
from fontTools import subset
from fontTools.ttLib import TTFont
from nbformat import NotebookNode

from notebooks.tools.builder import Lesson

STYLE, SCRIPT = (Path(__file__).with_name(f"slides.{kind}") for kind in ("css", "js"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PDF_TIMEOUT = 120  # seconds
NO_PDF = "slides: PDFs need Chromium or Chrome, which is not here; print the pages in a browser"
DRAWN = [0x221A, 0x210E, *range(0x1D434, 0x1D468), *range(0x1D6FC, 0x1D71C)]  # roots and italics


class Slide(NamedTuple):
    """Markdown of a slide and of its notes."""

    body: str
    notes: str


class Figure(NamedTuple):
    """A figure of a notebook: its PNG file in base64, its description, and its caption."""

    png: str
    alt: str
    caption: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, which stand in bytes 16 to 23 of the file."""
        head = base64.b64decode(self.png[:32])
        return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])


def read(text: str) -> list[Slide]:
    """The slides of a deck."""
    parts = re.split(r"^---$", text, flags=re.MULTILINE)
    divided = (re.split(r"^Notes:$", part, maxsplit=1, flags=re.MULTILINE) for part in parts)
    return [Slide(*(half.strip() for half in (*halves, "")[:2])) for halves in divided]


def figures(notebook: NotebookNode) -> dict[str, Figure]:
    """The figures of an executed notebook by their name in the caption: "Figure 2"."""
    found, last = {}, None
    for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
        data = output.get("data", {})
        if "image/png" in data:
            alt = output.metadata.get("image/png", {}).get("alt", "")
            last = "".join(data["image/png"]), alt
        caption = "".join(data.get("text/markdown", ""))
        if last and (name := re.match(r"\*\*(Figure \d+)\.\*\*", caption)):
            found[name[1]], last = Figure(*last, caption), None
    return found


def body(text: str, notebook: NotebookNode, to_html: Callable[[str], str]) -> BeautifulSoup:
    """The slides of a deck, markdown converted by ``to_html``.

    ValueError if the executed notebook lacks one of its figures.
    """
    slides, drawn = read(text), figures(notebook)
    sections = "\n".join(
        f'<section class="slide" id="{number}" tabindex="-1" aria-label="Slide {number}">'
        f'<div class="body">{to_html(slide.body)}'
        f'<p class="number">{number} / {len(slides)}</p></div>'
        f'<div class="notes" role="note" aria-label="Notes of slide {number}">'
        f"{to_html(slide.notes)}</div></section>"
        for number, slide in enumerate(slides, start=1)
    )
    soup = BeautifulSoup(sections, "html.parser")
    for image in soup.select('img[src$=".ipynb"]'):
        name = image["alt"]
        if name not in drawn:
            raise ValueError(f"slides: {image['src']} has no {name}")
        place = image.parent if image.parent.name == "p" else image
        place.replace_with(BeautifulSoup(_figure(drawn[name], to_html), "html.parser"))
    return soup


def _figure(figure: Figure, to_html: Callable[[str], str]) -> str:
    width, height = figure.size
    kind = "tall" if width < 1.4 * height else "wide"
    return (
        f'<figure class="{kind}"><div class="scroll"><img alt="{escape(figure.alt)}" '
        f'width="{width}" height="{height}" style="--ratio: {width / height:.3f}" '
        f'src="data:image/png;base64,{"".join(figure.png.split())}"></div>'
        f"<figcaption>{to_html(figure.caption)}</figcaption></figure>"
    )


def page(slides: BeautifulSoup, lesson: Lesson, style: str) -> str:
    """A deck as one file: ``style`` is that of the other pages, whose font is put inside."""
    style = re.sub(r'url\("STIX[^"]*"\)', lambda _: f"url({_font(slides)})", style)
    style, script = style + STYLE.read_text(encoding="utf-8"), SCRIPT.read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{lesson.number} · {escape(lesson.title)} · Slides</title>"
        f'<style>{style}</style></head>\n<body class="deck"><main>{slides}</main>\n'
        '<nav class="controls" aria-label="Slides">'
        f'<a href="{lesson.name}.html">Notebook</a><a href="index.html">All notebooks</a>'
        '<button type="button" id="previous" aria-label="Previous slide">←</button>'
        f"<output>1 / {len(slides.select('.slide'))}</output>"
        '<button type="button" id="next" aria-label="Next slide">→</button>'
        '<button type="button" id="notes" aria-pressed="false" aria-keyshortcuts="n">Notes</button>'
        f"</nav>\n<script>{script}</script></body></html>\n"
    )


def _font(soup: BeautifulSoup) -> str:
    """The font of formulas, with the characters of this page only, as a data URL."""
    package = find_spec("ziamath")
    if not package or not package.origin:
        return "data:,"
    font = TTFont(Path(package.origin).parent / "fonts" / "STIXTwoMath-Regular.ttf")
    options = subset.Options(flavor="woff", layout_features=["*"], notdef_outline=True)
    smaller = subset.Subsetter(options)
    text = "".join(formula.get_text() for formula in soup.select("math"))
    smaller.populate(text=text, unicodes=DRAWN)
    smaller.subset(font)
    font.flavor, file = "woff", BytesIO()
    font.save(file)
    return f"data:font/woff;base64,{base64.b64encode(file.getvalue()).decode()}"


def chromium() -> str | None:
    """Where Chromium or Chrome is on this machine."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def write_pdfs(folder: Path, say: Callable[[str], None] = print) -> list[Path]:
    """Print the decks in a folder, one slide a page, without notes; return the files."""
    decks, browser = sorted(folder.glob("slides_*.html")), chromium()
    if decks and not browser:
        say(NO_PDF)
    written = [_print(deck, browser) for deck in decks if browser]
    for deck, target in zip(decks, written, strict=False):
        say(f"slides: {target}" if target.is_file() else f"slides: no PDF of {deck}")
    return [target for target in written if target.is_file()]


def _print(deck: Path, browser: str) -> Path:
    target = deck.with_suffix(".pdf")
    target.unlink(missing_ok=True)
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [browser, "--headless", "--disable-gpu", f"--user-data-dir={profile}", *sandbox]
        command += ["--no-pdf-header-footer", f"--print-to-pdf={target.resolve()}"]
        copy = (
            Path(profile) / deck.name
        )  # without the links, which would show folders of this machine
        copy.write_text(re.sub(r'<a href="[^":]*"', "<a", deck.read_text("utf-8")), "utf-8")
        with suppress(subprocess.TimeoutExpired, OSError):
            subprocess.run([*command, copy.as_uri()], capture_output=True, timeout=PDF_TIMEOUT)
    return target
