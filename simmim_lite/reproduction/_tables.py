"""Numbers as they are printed, and the tables of README and of the report."""

import math
from collections.abc import Iterable

from simmim_lite.reproduction._claims import Claim
from simmim_lite.reproduction._results import Outcome

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
