"""`docs/ARTICLES.md`: each item of the articles once, each link and module there, counts right."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import document_links
import pytest
from document_links import LINK

CLONE = Path(__file__).resolve().parents[1]
PAGE = CLONE / "docs" / "ARTICLES.md"
ITEMS = {"A": 60, "B": 68, "C": 22}
STATUSES = ("works", "partly", "not here")
ROW = re.compile(r"^\| ([A-Z]\d+) \| (.+?) \| (.+?) \| (.+) \|$", re.MULTILINE)
COUNTS = re.compile(r"^\| (article \d|all three) \|((?: \d+ \|){4})$", re.MULTILINE)
MODULE = re.compile(r"`([\w./-]*/[\w./-]*)`")


class Row(NamedTuple):
    """A row of a table: "A1", what is promised, the status, and where or why not."""

    item: str
    promise: str
    status: str
    where: str


def rows(text: str) -> list[Row]:
    return [Row(*found) for found in ROW.findall(text)]


def items_are_complete(text: str) -> Iterator[str]:
    found = [row.item for row in rows(text)]
    wanted = [f"{article}{n}" for article, last in ITEMS.items() for n in range(1, last + 1)]
    for item in sorted({*wanted, *found}):
        if found.count(item) != wanted.count(item):
            yield f"{item} stands in {found.count(item)} rows"
    if set(found) == set(wanted) and found != wanted:
        yield "the items are not in their order"


def statuses_are_known(text: str) -> Iterator[str]:
    for row in rows(text):
        if row.status not in STATUSES:
            yield f"{row.item} has the status {row.status!r}"


def links_hold(text: str) -> Iterator[str]:
    return document_links.links_hold(PAGE, text)


def answers_have_evidence(text: str) -> Iterator[str]:
    """What works has a link or a module; what is missing or absent is said in words."""
    for row in rows(text):
        modules = MODULE.findall(row.where)
        for module in modules:
            if not (CLONE / module).exists():
                yield f"{row.item}: there is no {module}"
        if row.status == "not here":
            if not re.match(r"Not here\b.{10,}", row.where):
                yield f"{row.item} does not say why it is not here"
        elif not LINK.search(row.where) and not modules:
            yield f"{row.item} has neither a link nor a module"
        if (row.status == "partly") != bool(re.search(r"\bmissing: \w", row.where)):
            yield f"{row.item} is {row.status}, and says otherwise"


def counts_are_right(text: str) -> Iterator[str]:
    stated = {
        name: [*map(int, re.findall(r"\d+", numbers))] for name, numbers in COUNTS.findall(text)
    }
    of_article = {letter: Counter[str]() for letter in ITEMS}
    for row in rows(text):
        of_article[row.item[0]][row.status] += 1
    named = {f"article {n}": counter for n, counter in enumerate(of_article.values(), start=1)}
    named["all three"] = sum(of_article.values(), Counter[str]())
    for name, counter in named.items():
        true = [counter.total(), *(counter[status] for status in STATUSES)]
        if stated.get(name) != true:
            yield f"{name}: {true} in the tables, {stated.get(name)} in the counts"


CHECKS = [
    items_are_complete,
    statuses_are_known,
    links_hold,
    answers_have_evidence,
    counts_are_right,
]


@pytest.mark.parametrize("check", CHECKS)
def test_the_page_is_right(check):
    assert list(check(PAGE.read_text(encoding="utf-8"))) == []


FAULTS = {
    "a row is gone": (items_are_complete, r"^\| B7 \|.*\n", ""),
    "a row stands twice": (items_are_complete, r"^(\| C22 \|.*\n)", r"\1\1"),
    "an item that does not exist": (items_are_complete, r"^\| A60 \|", "| A61 |"),
    "rows changed places": (items_are_complete, r"^(\| C1 \|.*\n)(\| C2 \|.*\n)", r"\2\1"),
    "an unknown status": (statuses_are_known, r"\| works \|", "| works well |"),
    "a notebook that is gone": (links_hold, r"06_multimodal_infomax\.ipynb", "06_old.ipynb"),
    "a heading that is gone": (links_hold, r"#2-what-do-we-maximize\)", "#2-what-is-maximized)"),
    "a link without a heading": (links_hold, r"#2-what-do-we-maximize\)", ")"),
    "a label with another section": (links_hold, r"\[06, section 2\]", "[06, section 3]"),
    "a label with another notebook": (links_hold, r"\[06, section 2\]", "[05, section 2]"),
    "a heading of a page": (links_hold, r"README\.md#two-commands", "README.md#three-commands"),
    "a module that is gone": (
        answers_have_evidence,
        r"`simmim_lite/datasets/_images\.py`",
        "`x/y.py`",
    ),
    "no evidence": (answers_have_evidence, r"^(\| A1 \|.*works \| ).*\|$", r"\1it does |"),
    "not said what is missing": (answers_have_evidence, r"; missing: .*\|$", " |"),
    "missing, and works": (answers_have_evidence, r"^(\| B\d+ \|.*\| )partly \|", r"\1works |"),
    "not said why": (answers_have_evidence, r"Not here\b.*\|$", "Not here |"),
    "a wrong count": (counts_are_right, r"^\| article 2 \| 68 ", "| article 2 | 67 "),
    "a wrong sum": (counts_are_right, r"^\| all three \| 150 ", "| all three | 149 "),
    "a changed status": (counts_are_right, r"\| works \|", "| partly |"),
    "no counts": (counts_are_right, r"^\| article 3 \|.*\n", ""),
}


@pytest.mark.parametrize(("check", "pattern", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_found(check, pattern: str, fault: str):
    page = PAGE.read_text(encoding="utf-8")
    broken, places = re.subn(pattern, fault, page, count=1, flags=re.MULTILINE)
    assert places == 1
    assert len(list(check(broken))) >= 1
