"""Links of the pages in `docs/`: each has a file and a heading, and a label that says the same."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
LABEL = re.compile(r"(\d\d), (?:section (\d+)|appendix on .+|the article|references)")


def markdown(path: Path) -> str:
    """The text of a Markdown file or of a notebook's Markdown cells, without blocks of code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


@cache
def headings(path: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", markdown(path), re.MULTILINE)


def anchor(heading: str) -> str:
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def links_hold(page: Path, text: str) -> Iterator[str]:
    """Each relative link of the text of a page has a target, and a label that names it."""
    for label, link in LINK.findall(text):
        if link.startswith("https://"):
            continue
        location, _, fragment = link.partition("#")
        target = page.parent / location if location else page
        if not target.is_file():
            yield f"{link}: there is no such file"
        elif not fragment or fragment not in map(anchor, headings(target)):
            yield f"{link}: there is no such heading"
        if target.suffix == ".ipynb":
            said = LABEL.fullmatch(label)
            number = re.match(r"\d+", fragment)
            if not said or said[1] != target.name[:2] or said[2] != (number and number[0]):
                yield f"{link}: the label is {label!r}"
