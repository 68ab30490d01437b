"""Results that are kept in the repository, and the tables in its pages that are made of them."""

import re
from pathlib import Path

from simmim_lite.reproduction._results import Outcome, Results
from simmim_lite.reproduction._tables import markdown_table
from simmim_lite.training import write_atomically

_FILES = {False: "reproduction.json", True: "reproduction-full.json"}
_BLOCK = re.compile(
    r"(?P<head><!-- results(?P<full> full)?\n?(?P<chosen>(?:(?!-->).*\n)*)\s?-->\n)"
    r"(?:.*\n)*?(?P<tail><!-- /results -->)"
)


def kept(clone: Path, *, full: bool) -> Results | None:
    """The results on the embedded or the full data that are kept in a clone, if there are any."""
    path = clone / "benchmarks" / "results" / _FILES[full]
    return Results.load(path) if path.is_file() else None


def keep(results: Results, clone: Path) -> None:
    """Put results into a clone and its `pages`, in place of older ones of the same experiments."""
    older = kept(clone, full=results.full)
    merged = older.updated(results) if older else results
    merged.save(clone / "benchmarks" / "results" / _FILES[results.full])
    for page in pages(clone):
        write_atomically(page, with_tables(page.read_text(encoding="utf-8"), clone).encode())


def pages(clone: Path) -> list[Path]:
    """What may hold tables of results: README and the notes beside the results."""
    return [clone / "README.md", *sorted((clone / "benchmarks" / "results").glob("*.md"))]


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
