"""Numbers as they are printed, and the generated tables of the report and of markdown pages."""

import math
import re
from collections.abc import Iterable
from pathlib import Path

from reproduction.claims import Claim, Outcome, Results
from simmim_lite.storage import write_atomically

COLUMNS = ("", "reference", "measured: mean [95 %]", "worst seed", "bound", "")
VERDICTS = {"pass": "holds", "fail": "**FAILS**", "error": "**NOT MEASURED**", "reported": ""}


def number(value: float | None, unit: str) -> str:
    """Return a value with its unit, fractions as percent, with a sensible number of digits."""
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
    """Return mean and 95 % interval as text."""
    unit = outcome.claim.unit
    mean = number(outcome.mean, unit)
    if outcome.interval is None:
        return mean
    low, high = (_bare(end, unit) for end in outcome.interval)
    return f"{mean} [{low}, {high}]"


def bounds_text(claim: Claim) -> str:
    """Return the bounds of a claim as text; a bound of every seed also bounds the mean."""
    mean = [(claim.at_least, "≥ {}"), (claim.at_most, "≤ {}")]
    each = [(claim.worst_at_least, "each seed ≥ {}"), (claim.worst_at_most, "each seed ≤ {}")]
    stricter = [part for part, (same, _) in zip(mean, each, strict=True) if part[0] != same]
    texts = [
        text.format(_bound(bound, claim.unit))
        for bound, text in [*stricter, *each]
        if bound is not None
    ]
    return ", ".join(texts)


def markdown_table(outcomes: Iterable[Outcome]) -> str:
    """Return a table with a line for each claim."""
    rows = [COLUMNS, ("---", "---", "---:", "---:", "---", "---")]
    for outcome in outcomes:
        claim = outcome.claim
        worst = number(outcome.worst, claim.unit) if len(outcome.values) > 1 else ""
        cells = (claim.name, claim.truth, measured(outcome), worst, bounds_text(claim))
        rows.append((*cells, VERDICTS[outcome.verdict]))
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)


def _bare(value: float, unit: str) -> str:
    return number(value, unit).removesuffix(unit).rstrip()


def _bound(value: float, unit: str) -> str:
    """A bound as short as it is written in the code: 97.5 %, not 97.50 %."""
    if unit in ("%", "points"):
        return f"{100 * value:.4g} {unit}"
    return f"{value:.4g}" + f" {unit}" * bool(unit)


_FILES = {False: "reproduction.json", True: "reproduction-full.json"}
_BLOCK = re.compile(
    r"(?P<head><!-- results(?P<full> full)?\n?(?P<chosen>(?:(?!-->).*\n)*)\s?-->\n)"
    r"(?:.*\n)*?(?P<tail><!-- /results -->)"
)


def kept(clone: Path, *, full: bool) -> Results | None:
    """Return the results on the embedded or the full data that a clone stores, if there are any."""
    path = clone / "reproduction" / "results" / _FILES[full]
    return Results.load(path) if path.is_file() else None


def keep(results: Results, clone: Path) -> None:
    """Store results in a clone, in place of older ones of the same experiments; update `pages`."""
    older = kept(clone, full=results.full)
    merged = older.updated(results) if older else results
    merged.save(clone / "reproduction" / "results" / _FILES[results.full])
    for page in pages(clone):
        write_atomically(page, with_tables(page.read_text(encoding="utf-8"), clone).encode())


def pages(clone: Path) -> list[Path]:
    """Return the markdown pages of a clone that can have tables of results."""
    first = (clone / "README.md", clone / "docs" / "RESULTS.md")
    notes = sorted((clone / "reproduction" / "results").glob("*.md"))
    return [page for page in (*first, *notes) if page.is_file()]


def with_tables(text: str, clone: Path) -> str:
    """Return a markdown text with its tables filled from the stored results.

    A table stands between a comment that selects claims and ``<!-- /results -->``::

        <!-- results
        memory
        manifold: held-out-accuracy
        -->

    The first line selects all claims of an experiment, the second one claim by its id. Without any
    line the table has all claims. ``<!-- results full`` selects results on the full data. Without
    stored results, tables are empty.

    Raises:
        ValueError: a selected experiment or claim has no stored result.
    """

    def filled(block: re.Match) -> str:
        results = kept(clone, full=bool(block["full"]))
        if results is None:
            return block["head"] + block["tail"]
        outcomes = results.outcomes
        if selectors := block["chosen"].splitlines():
            outcomes = [each for selector in selectors for each in _selected(outcomes, selector)]
        return f"{block['head']}\n{markdown_table(outcomes)}\n\n{block['tail']}"

    return _BLOCK.sub(filled, text)


def _selected(outcomes: list[Outcome], selector: str) -> list[Outcome]:
    """Outcomes of ``experiment``, or the one of ``experiment: id``."""
    experiment, _, claim = selector.partition(": ")
    found = [
        outcome
        for outcome in outcomes
        if outcome.experiment == experiment and claim in ("", outcome.claim.id)
    ]
    if not found:
        raise ValueError(
            f"results: expected an experiment, or an experiment and a claim, got {selector!r}"
        )
    return found
