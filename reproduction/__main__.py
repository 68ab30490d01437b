"""Command line: ``python -m reproduction``, called by ``python -m simmim_lite reproduce``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from reproduction.report import write_report
from reproduction.runner import reproduce, with_current_claims
from reproduction.tables import keep
from simmim_lite.__main__ import one_line_errors

CLONE = Path(__file__).resolve().parents[1]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simmim_lite reproduce",
        description="Measure every claim again, and write a report that reads offline.",
    )
    parser.add_argument("--full", action="store_true", help="use the full data sets")
    parser.add_argument(
        "--only", nargs="+", default=(), metavar="NAME", help="names of experiments; default: all"
    )
    parser.add_argument(
        "--seeds", type=int, metavar="N", help="highest number of seeds of each experiment"
    )
    parser.add_argument(
        "--processes", type=int, metavar="N", help="processes at a time; default: one for each core"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("build/report"), metavar="DIR", help="folder to write"
    )
    parser.add_argument(
        "--measured", type=Path, metavar="FILE", help="report this results.json; measure nothing"
    )
    parser.add_argument(
        "--keep", action="store_true", help="store the results in this clone, update its tables"
    )
    return parser


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the report, and return 1 if any claim failed, else 0."""
    options = _parser().parse_args(arguments)
    if options.measured:
        results = with_current_claims(options.measured)
    else:
        results = reproduce(
            options.output,
            full=options.full,
            only=options.only,
            seeds=options.seeds,
            processes=options.processes,
        )
    report = options.output / "index.html"
    write_report(results, report)
    if options.keep:
        keep(results, CLONE)
    for outcome in results.failed:
        print(f"{outcome.verdict}: {outcome.experiment}: {outcome.claim.id}")
    print(f"{len(results.outcomes)} claims, {len(results.failed)} of them do not hold")
    print(f"report: {report}")
    return len(results.failed) > 0


if __name__ == "__main__":
    sys.exit(main())
