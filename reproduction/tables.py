"""Numbers as they are printed, and the tables of the report, of README and of the notes."""

import math
import re
from collections.abc import Iterable
from pathlib import Path

from reproduction.claims import Claim, Outcome, Results
from simmim_lite.storage import write_atomically

COLUMNS = ("", "truth beside it", "ours: mean [95 %]", "worst", "held to", "")
VERDICTS = {"pass": "holds", "fail": "**FAILS**", "error": "**NOT MEASURED**", "reported": ""}


def number(value: float | None, unit: str) -> str:
    """A value with its unit: shares as percent, times and information with what they are worth."""
    if value is None or not math.isfinite(value):
        return "–"
    if unit in ("%", "points"):
        return f"{100 * value:.2f} {unit}"
    if unit == "nats":
        return f"{value:.3f} nats" if abs(value) >= 5e-4 or value == 0 else f"{value:.0e} nats"
    if unit == "s":
        return f"{value:.1f} s" if abs(value) < 100 else f"{value:.0f} s"
    if value == round(value) and abs(value) < 1e6:
        return f"{value:,.0f}" + f" {unit}" * bool(unit)
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return text + f" {unit}" * bool(unit)


def measured(outcome: Outcome) -> str:
    """Mean and 95 % interval."""
    unit = outcome.claim.unit
    mean = number(outcome.mean, unit)
    if outcome.interval is None:
        return mean
    low, high = (_bare(end, unit) for end in outcome.interval)
    return f"{mean} [{low}, {high}]"


def held_to(claim: Claim) -> str:
    """The bounds of a claim in words; what every seed is held to, the mean is, too."""
    mean = [(claim.at_least, "≥ {}"), (claim.at_most, "≤ {}")]
    each = [(claim.worst_at_least, "each seed ≥ {}"), (claim.worst_at_most, "each seed ≤ {}")]
    stricter = [part for part, (same, _) in zip(mean, each, strict=True) if part[0] != same]
    said = [
        text.format(_bound(bound, claim.unit))
        for bound, text in [*stricter, *each]
        if bound is not None
    ]
    return ", ".join(said)


def markdown_table(outcomes: Iterable[Outcome]) -> str:
    """A line for each claim."""
    rows = [COLUMNS, ("---", "---", "---:", "---:", "---", "---")]
    for outcome in outcomes:
        claim = outcome.claim
        worst = number(outcome.worst, claim.unit) if len(outcome.values) > 1 else ""
        cells = (claim.name, claim.truth, measured(outcome), worst, held_to(claim))
        rows.append((*cells, VERDICTS[outcome.verdict]))
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)


def _bare(value: float, unit: str) -> str:
    return number(value, unit).removesuffix(unit).rstrip()


def _bound(value: float, unit: str) -> str:
    """As short as it was written: 97.5 %, not 97.50 %."""
    if unit in ("%", "points"):
        return f"{100 * value:.4g} {unit}"
    return f"{value:.4g}" + f" {unit}" * bool(unit)


_FILES = {False: "reproduction.json", True: "reproduction-full.json"}
_BLOCK = re.compile(
    r"(?P<head><!-- results(?P<full> full)?\n?(?P<chosen>(?:(?!-->).*\n)*)\s?-->\n)"
    r"(?:.*\n)*?(?P<tail><!-- /results -->)"
)


def kept(clone: Path, *, full: bool) -> Results | None:
    """The results on the embedded or the full data that are kept in a clone, if there are any."""
    path = clone / "reproduction" / "results" / _FILES[full]
    return Results.load(path) if path.is_file() else None


def keep(results: Results, clone: Path) -> None:
    """Put results into a clone and its `pages`, in place of older ones of the same experiments."""
    older = kept(clone, full=results.full)
    merged = older.updated(results) if older else results
    merged.save(clone / "reproduction" / "results" / _FILES[results.full])
    for page in pages(clone):
        write_atomically(page, with_tables(page.read_text(encoding="utf-8"), clone).encode())


def pages(clone: Path) -> list[Path]:
    """What may hold tables of results: README and the notes beside the results."""
    return [clone / "README.md", *sorted((clone / "reproduction" / "results").glob("*.md"))]


def with_tables(text: str, clone: Path) -> str:
    """A markdown text whose tables hold the kept results.

    A table stands between a comment that says what is in it and ``<!-- /results -->``::

        <!-- results
        memory
        manifold: digits sorted without labels, held out
        -->

    which is every claim of the one experiment and a single one of the other; with no line, all
    there are. ``<!-- results full`` takes those on the full data.

    As long as no results are kept at all, tables are empty.

    Raises ValueError where something is asked for that was not measured.
    """

    def filled(block: re.Match) -> str:
        results = kept(clone, full=bool(block["full"]))
        if results is None:
            return block["head"] + block["tail"]
        outcomes = results.outcomes
        if asked := block["chosen"].splitlines():
            outcomes = [each for line in asked for each in _chosen(outcomes, line)]
        return f"{block['head']}\n{markdown_table(outcomes)}\n\n{block['tail']}"

    return _BLOCK.sub(filled, text)


def _chosen(outcomes: list[Outcome], line: str) -> list[Outcome]:
    """Those of ``experiment``, or the one of ``experiment: claim``."""
    experiment, _, claim = line.partition(": ")
    found = [
        outcome
        for outcome in outcomes
        if outcome.experiment == experiment and claim in ("", outcome.claim.name)
    ]
    if not found:
        raise ValueError(f"results: expected an experiment, or one and its claim, got {line!r}")
    return found
