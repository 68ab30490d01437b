"""Search on the offline pages: titles and sections of notebooks, terms, functions of the package."""

import re
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

from notebooks.tools.reference import public_modules, public_names

PAGE = "search.html"
TERM = re.compile(r"^\| \*{0,2}(?P<term>[^|*]+?)\*{0,2} \|(?P<rest>.+)\|$", re.MULTILINE)
LINK = re.compile(r"\]\((?:\.\./notebooks/)(?P<name>\d\d_\w+)\.ipynb(?P<fragment>#[^)\s]+)?\)")


class Entry(NamedTuple):
    """What is found: its name, its kind ("section"), the page, and a few words beside it."""

    name: str
    kind: str
    page: str
    note: str


def terms(glossary: Path) -> Iterator[Entry]:
    """Rows of docs/GLOSSARY.md that link to a notebook."""
    text = glossary.read_text(encoding="utf-8") if glossary.is_file() else ""
    for row in TERM.finditer(text):
        if link := LINK.search(row["rest"]):
            page = f"{link['name']}.html{link['fragment'] or ''}"
            cells = [cell.strip() for cell in row["rest"].split("|")]
            note = " · ".join(cell for cell in cells if cell and "](" not in cell)
            yield Entry(row["term"].strip(), "term", page, note)


def functions(reference: str) -> Iterator[Entry]:
    """Public names of the package, with the first line of their docstring."""
    for module in public_modules():
        place = f"{reference.removesuffix('index.html')}{module.__name__.replace('.', '/')}.html"
        for name in public_names(module):
            lines = (getattr(module, name).__doc__ or "").strip().splitlines()
            short = module.__name__.removeprefix("simmim_lite.")
            yield Entry(f"{short}.{name}", "function", f"{place}#{name}", lines[0] if lines else "")


def body(entries: list[Entry], markdown_to_html: Callable[[str], str]) -> str:
    """HTML of the search page; without JavaScript it lists everything.

    Names and notes are Markdown with formulas, except those of functions, which are plain.
    """

    def html(text: str, kind: str) -> str:
        if kind == "function":
            return escape(text)
        paragraph = markdown_to_html(re.sub(r"^(\d+)\.", r"\1\\.", text))  # "1." is no list here
        return paragraph.strip().removeprefix("<p>").removesuffix("</p>")

    rows = "\n".join(
        f'<li><a href="{escape(entry.page)}">{html(entry.name, entry.kind)}</a> '
        f"<small>{entry.kind}</small><br>{html(entry.note, entry.kind)}</li>"
        for entry in entries
    )
    return (
        '<h1>Search</h1>\n<p><label for="words">Titles, terms and functions</label><br>'
        '<input type="search" id="words" autocomplete="off"> <span role="status"></span></p>\n'
        f'<ul class="found">\n{rows}\n</ul>\n<script>{_SCRIPT}</script>'
    )


_SCRIPT = """
const words = document.getElementById("words");
const rows = [...document.querySelectorAll(".found li")];
const texts = rows.map(row => row.textContent.toLowerCase());
function search() {
  const wanted = words.value.toLowerCase().split(/\\s+/).filter(Boolean);
  const hits = texts.map(text => wanted.every(word => text.includes(word)));
  rows.forEach((row, place) => { row.hidden = !hits[place]; });
  const status = document.querySelector("[role=status]");
  status.textContent = `${hits.filter(Boolean).length} found`;
}
words.addEventListener("input", search);
words.value = new URLSearchParams(location.search).get("words") ?? "";
search();
"""
