"""Numbers in README, RESULTS.md and notebooks: each is measured, cited, or found in the code.

A stated number is a number with %, nats or seconds behind it, alone or in a list (5, 10 and 20 %).
It is allowed if one of these holds:

- It is one of the stored results (`reproduction/results/reproduction*.json`), rounded as printed: a
  value, an end of its interval, the worst seed, a bound, or a number of the reference.
- Its paragraph, or its row of a table, names a source: a link out of the repository, or a paper by
  author and year; or it links to a file of `reproduction/results/` or to the datasheet, and the
  file has the number. (For a table, the paragraph before the table may have the link.)
- In a notebook, it is a setting of the code cells, or stands in their output; or in an exercise.
- It is ln of a whole number, which is exact.
"""

import ast
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from reproduction import Results

_NUMBER = r"\d[\d,]*(?:\.\d+)?|\.\d+"
_UNITS = {
    "%": r"%|percent\b|per cent\b",
    "nats": r"nats?\b",
    "s": r"(?:CPU[ -])?seconds?\b|s\b|ms\b|milliseconds?\b|minutes?\b|hours?\b",
}
_BETWEEN = r"\s*(?:,|and|to|or|–|-)\s*(?:and |or )?"
_QUANTITY = re.compile(
    rf"(?<![\w.^{{,])(?P<numbers>(?:{_NUMBER})(?:\s*%?{_BETWEEN}(?:{_NUMBER}))*)"
    rf"(?:\s|\\,|\\)*(?P<unit>{'|'.join(_UNITS.values())})"
)
_EXACT = re.compile(r"(?:\bln|\\ln|\\log)\s*$")
_SECONDS = {"ms": 1e-3, "millisecond": 1e-3, "minute": 60.0, "hour": 3600.0}
_SOURCE = re.compile(
    r"https?://|"
    r"\b(?!In|Since|By|From|Until|After|Before)[A-Z][\w-]+(?: et al\.| (?:and|&) [A-Z][\w-]+)?"
    r",? \(?(?:19|20)\d\d\b"
)
_FILE = re.compile(r"\]\((?:\.\./)*((?:reproduction/results|data)/[\w.-]+)[)#]")
_GENERATED = re.compile(r"<!-- (?!/)(\w+).*?-->.*?<!-- /\1 -->", re.DOTALL)
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


class Stated(NamedTuple):
    """A number in a text, as it is printed, its unit, and the paragraph around it.

    ``scale`` converts minutes and milliseconds to seconds; ``before`` is the paragraph before a
    table.
    """

    line: int
    number: str
    unit: str
    scale: float
    paragraph: str
    before: str = ""

    @property
    def value(self) -> float:
        return float(self.number.replace(",", "")) * self.scale

    @property
    def rounding(self) -> float:
        """Half a unit of the last printed digit."""
        return 0.5000001 * 10 ** -len(self.number.partition(".")[2]) * self.scale


def stated(markdown: str) -> Iterator[Stated]:
    """Yield numbers with a unit, outside of code and of generated blocks."""
    blank = re.compile(r"[^\n]")
    for pattern in (_GENERATED, _FENCE):
        markdown = pattern.sub(lambda found: blank.sub(" ", found[0]), markdown)
    before = ""
    for start, paragraph in _paragraphs(markdown):
        is_row = paragraph.lstrip().startswith("|")
        before = before if is_row else paragraph
        for found in _QUANTITY.finditer(paragraph):
            if _EXACT.search(paragraph[: found.start()]):
                continue
            unit = next(u for u, pattern in _UNITS.items() if re.fullmatch(pattern, found["unit"]))
            line = start + paragraph.count("\n", 0, found.start())
            scale = _SECONDS.get(found["unit"], _SECONDS.get(found["unit"].rstrip("s"), 1.0))
            for number in re.findall(_NUMBER, found["numbers"]):
                yield Stated(line, number.rstrip(","), unit, scale, paragraph, before * is_row)


def _paragraphs(markdown: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of each paragraph; each row of a table is a paragraph."""
    lines, start = markdown.splitlines(), 0
    for place, line in enumerate([*lines, ""]):
        if not line.strip() or line.lstrip().startswith("|"):
            if start < place:
                yield start + 1, "\n".join(lines[start:place])
            if line.strip():
                yield place + 1, line
            start = place + 1


def from_results(number: Stated, results: Iterable[Results], notebook: str = "") -> bool:
    """Whether the number is a stored result of a claim of this notebook (or of any claim)."""
    return any(
        abs(value - number.value) <= number.rounding
        for each in results
        for value in _values(each, number.unit, notebook)
    )


def _values(results: Results, unit: str, notebook: str) -> Iterator[float]:
    for outcome in results.outcomes:
        claim = outcome.claim
        if notebook and claim.notebook != notebook:
            continue
        for truth in stated(claim.truth):
            if truth.unit == unit:
                yield truth.value
        if claim.unit == unit:
            bounds = (claim.at_least, claim.at_most, claim.worst_at_least, claim.worst_at_most)
            interval = outcome.interval or ()
            own = (*outcome.values, outcome.mean, outcome.worst, *interval)
            numbers = (*own, *bounds, claim.target)
            yield from ((100 if unit == "%" else 1) * n for n in numbers if n is not None)


def is_cited(number: Stated, clone: Path) -> bool:
    """Whether the paragraph names a source; a source in this clone must have the number."""
    if _SOURCE.search(number.paragraph):
        return True
    files = _FILE.findall(f"{number.paragraph}\n{number.before}")
    return any(_is_among(number, (clone / file).read_text(encoding="utf-8")) for file in files)


def is_in_code(number: Stated, cells: Iterable[NotebookNode]) -> bool:
    """Whether code cells have or print the number; a percentage may be there as a fraction."""
    for cell in cells:
        literals = (node.value for node in ast.walk(ast.parse(cell.source)) if _is_number(node))
        scaled = (scale * each for each in literals for scale in _scales(number))
        if any(math.isclose(each, number.value) for each in scaled):
            return True
        if _is_among(number, _output(cell)):
            return True
    return False


def _scales(number: Stated) -> tuple[int, ...]:
    return (1, 100) if number.unit == "%" else (1,)


def _is_among(number: Stated, text: str) -> bool:
    """Whether a number of the text rounds to the stated number."""
    found = (float(each.replace(",", "")) for each in re.findall(_NUMBER, text))
    scaled = (scale * each for each in found for scale in _scales(number))
    return any(abs(each - number.value) <= number.rounding for each in scaled)


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def _output(cell: NotebookNode) -> str:
    texts = [output.get("text", "") for output in cell.get("outputs", ())]
    texts += [output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", ())]
    return "\n".join(texts)


def script_markdown(script: str) -> str:
    """Return the markdown cells of a percent script on their lines; code becomes blank lines.

    So do exercises, whose numbers are made up and checked by the tests of the exercises.
    """
    lines, in_markdown = [], False
    for line in script.splitlines():
        if line.startswith("# %%"):
            in_markdown = "[markdown]" in line
            lines.append("")
        else:
            in_markdown = in_markdown and not line.startswith("# ### Exercise ")
            lines.append(re.sub(r"^# ?", "", line) if in_markdown else "")
    return "\n".join(lines)


def complaint(path: Path, number: Stated) -> str:
    words = " ".join(number.paragraph.split())
    return (
        f"{path}:{number.line}: {number.number} ({number.unit}) is no stored result, its paragraph "
        f"names no source, and no code shows it: {words[:90]}..."
    )
