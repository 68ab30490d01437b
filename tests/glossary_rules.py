"""The rules of `docs/GLOSSARY.md`, each a function to complaints (none: the rule is kept).

`test_glossary.py` applies each rule to the page and the notebooks, and to planted faults.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from document_links import LINK, anchor, markdown

CLONE = Path(__file__).resolve().parents[1]
PAGE = CLONE / "docs" / "GLOSSARY.md"
NOTEBOOKS = {path.name: path for path in sorted((CLONE / "notebooks").glob("*.ipynb"))}
LESSON = re.compile(r"\d+\. |Appendix: |What the article gets wrong$")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
LATIN = "†"  # marks a term that Chinese texts keep in Latin letters
ITALIC = re.compile(r"(?<![*\w])\*(?![*\s])([^*]+?)(?<![\s*])\*(?![*\w])")

Lessons = dict[str, dict[str, str]]  # name of a notebook: {anchor of a section: its text}


class Entry(NamedTuple):
    """A row of the glossary, and the letter under which it stands."""

    letter: str
    term: str
    chinese: str
    symbol: str
    meaning: str
    links: str

    @property
    def places(self) -> list[tuple[str, str]]:
        """Notebooks and anchors of the sections that introduce the term, the first one first."""
        targets = [link.rpartition("/")[2].partition("#") for _, link in LINK.findall(self.links)]
        return [(name, fragment) for name, _, fragment in targets]

    @property
    def plain(self) -> str:
        """The term as it stands in a text: without "(of an interval)", "(bound)"."""
        return singular(re.sub(r" \(.*\)", "", self.term))

    @property
    def other(self) -> str | None:
        """The entry to which this one refers."""
        found = re.fullmatch(r"see \[(.+)\]\(#\w\)", self.meaning)
        return found and found[1]


def singular(text: str) -> str:
    words = " ".join(text.split()).casefold()
    if words.endswith("ies"):
        return words.removesuffix("ies") + "y"
    return words[:-1] if re.search(r"[^s']s$", words) and " of " not in words else words


def order(term: str) -> list[str]:
    """Key of the alphabetical order: no accents, hyphens are spaces."""
    letters = unicodedata.normalize("NFD", term.casefold())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"[^a-z0-9 ]", " ", plain).split()


def entries(page: str) -> list[Entry]:
    found = []
    for letter, body in re.findall(r"^### ([A-Z])$(.*?)(?=^##|\Z)", page, re.S | re.M):
        for line in re.findall(r"^\|(?! term |---)(.+)\|$", body, re.M):
            found.append(Entry(letter, *(cell.strip() for cell in line.split("|"))))
    return found


def sections(text: str) -> dict[str, str]:
    """Anchors and texts of the parts of a notebook that teach: no aims, recap, references."""
    parts = re.split(r"^## (.+)$", text, flags=re.M)
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return {anchor(heading): body for heading, body in pairs if LESSON.match(heading)}


@cache
def lessons() -> Lessons:
    return {name: sections(markdown(path)) for name, path in NOTEBOOKS.items()}


def italics(text: str) -> list[str]:
    """What stands in italics; asterisks in formulas and in code are none."""
    hidden = re.sub(r"\$\$.*?\$\$|\$[^$]*\$|`[^`\n]*`", lambda m: "·" * len(m[0]), text, flags=re.S)
    found = [text[match.start(1) : match.end(1)] for match in ITALIC.finditer(hidden)]
    return [" ".join(italic.split()) for italic in found]


def terms_are_sorted(page: str, notebooks: Lessons) -> Iterator[str]:
    rows = entries(page)
    keys = [order(row.term) for row in rows]
    for row, key, before in zip(rows, keys, [[""], *keys], strict=False):
        if key < before:
            yield f"{row.term} stands after {' '.join(before)}"
        if key == before:
            yield f"{row.term} stands twice"
        if key[0][0].upper() != row.letter:
            yield f"{row.term} stands under {row.letter}"
    letters = re.findall(r"^### ([A-Z])$", page, re.M)
    if letters != re.findall(r"\[([A-Z])\]\(#[a-z]\)", page):
        yield "the list of letters is not that of the tables"


def terms_are_complete(page: str, notebooks: Lessons) -> Iterator[str]:
    """A meaning, a Chinese term and a link, or the entry where they are."""
    rows = {row.term: row for row in entries(page)}
    for row in rows.values():
        if row.chinese and not CHINESE.search(row.chinese) and LATIN not in row.chinese:
            yield f"{row.term}: {row.chinese!r} is not Chinese, and has no {LATIN}"
        if row.other is None:
            if not row.chinese:
                yield f"{row.term} has no Chinese term"
            if not row.places:
                yield f"{row.term} has no link"
            if not 12 <= len(row.meaning) <= 260:
                yield f"the meaning of {row.term} has {len(row.meaning)} characters"
        elif row.other not in rows or rows[row.other].other is not None:
            yield f"{row.term} refers to {row.other}, which is no entry"
        elif f"(#{order(row.other)[0][0]})" not in row.meaning:
            yield f"{row.term} has a link to another letter than that of {row.other}"


def terms_occur(page: str, notebooks: Lessons) -> Iterator[str]:
    """Each term stands in each section that is said to introduce it."""
    for row in entries(page):
        for name, section in row.places:
            if not stands(row.plain, notebooks.get(name, {}).get(section, "").replace("*", "")):
                yield f"{row.term} does not stand in {name}, {section}"


def introductions(notebooks: Lessons) -> list[tuple[str, str, str]]:
    """Notebook, section and text of everything in italics, in the order of the course."""
    return [
        (name, section, italic)
        for name, parts in notebooks.items()
        for section, text in parts.items()
        for italic in italics(text)
    ]


def matches(italic: str, term: str) -> bool:
    """Whether an italic is a term, or its first word: "*positive* pairs" for "positive pair"."""
    return term == singular(italic) or term.startswith(singular(italic) + " ")


def first_links_are_first(page: str, notebooks: Lessons) -> Iterator[str]:
    """No italics introduce a term before the first section that the glossary names."""
    position = {
        (name, section): (i, j)
        for i, (name, parts) in enumerate(notebooks.items())
        for j, section in enumerate(parts)
    }
    first: dict[str, tuple[int, int]] = {}
    for row in entries(page):
        places = [position[place] for place in row.places if place in position]
        if places != sorted(places):
            yield f"the links of {row.term} are not in the order of the course"
        if places:
            first[row.plain] = min([places[0], *([first[row.plain]] if row.plain in first else [])])
    for name, section, italic in introductions(notebooks):
        term = singular(italic)
        if term in first and position[name, section] < first[term]:
            yield f"{name}, {section} introduces {italic!r} before the section of the glossary"


def early_uses(page: str, notebooks: Lessons) -> Iterator[tuple[str, str, str]]:
    """Terms that a notebook uses before the one that introduces them: notebook, term, sentence.

    A sentence that names a notebook points ahead, and does not count.
    """
    order_of = {name: number for number, name in enumerate(notebooks)}
    first: dict[str, int] = {}
    for row in entries(page):
        if row.places and row.places[0][0] in order_of:
            number = order_of[row.places[0][0]]
            first[row.plain] = min(first.get(row.plain, number), number)
    for name, parts in notebooks.items():
        for text in parts.values():
            folded = " ".join(text.replace("*", "").casefold().split())
            later = [t for t, number in first.items() if number > order_of[name] and t in folded]
            for sentence in sentences(text) if later else []:
                if not re.search(r"notebook|\b\d\d\b", sentence, re.IGNORECASE):
                    yield from ((name, term, sentence) for term in later if stands(term, sentence))


def terms_wait(page: str, notebooks: Lessons, earlier: dict[str, set[str]]) -> Iterator[str]:
    """No early use, except that of a term in the notebooks (or "all") that ``earlier`` names."""
    for name, term, sentence in early_uses(page, notebooks):
        if not {name[:2], "all"} & earlier.get(term, set()):
            yield f"{name} uses {term!r} too early: {sentence[:80]}"


def sentences(text: str) -> list[str]:
    """Sentences without formulas, code, tables' rules and the map of the notebooks."""
    plain = re.sub(r"<!-- map -->.*?<!-- /map -->", "", text, flags=re.S)
    plain = re.sub(r"\$\$.*?\$\$|`[^`]*`", " ", plain.replace("*", ""), flags=re.S)
    return [" ".join(part.split()) for part in re.split(r"(?<=[.?!:;|])\s+|\n\n", plain)]


@cache
def _pattern(term: str) -> re.Pattern[str]:
    words = re.escape(term).replace(r"\ ", r"\s+")
    return re.compile(rf"(?<![\w-]){words}(?:s|es)?(?![\w-])", re.IGNORECASE)


def stands(term: str, text: str) -> bool:
    """Whether a text uses a term, also in the plural."""
    return _pattern(term).search(text) is not None


def italics_are_terms(
    page: str, notebooks: Lessons, forms: dict[str, str], no_terms: dict[str, set[str]]
) -> Iterator[str]:
    """Each italic is a term, a sentence, or listed as no term (for "all" or for "01")."""
    terms = {row.plain for row in entries(page)}
    for name, section, italic in introductions(notebooks):
        listed = no_terms.get("all", set()) | no_terms.get(name[:2], set())
        term = forms.get(italic.casefold(), italic)
        if italic.endswith((".", "?")) or len(italic.split()) >= 6:
            continue
        if italic not in listed and not any(matches(term, other) for other in terms):
            yield f"{name}, {section}: {italic!r} is no term of the glossary"


def not_said(notebooks: Lessons, no_terms: dict[str, set[str]]) -> Iterator[str]:
    """What is listed as no term, and does not occur."""
    found = defaultdict(set)
    for name, _, italic in introductions(notebooks):
        found[name[:2]].add(italic)
        found["all"].add(italic)
    for name, listed in no_terms.items():
        for italic in sorted(listed - found[name]) if name in found else []:
            yield f"{name}: nothing says *{italic}*"
