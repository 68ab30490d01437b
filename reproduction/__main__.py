"""``python -m reproduction``, which ``python -m simmim_lite reproduce`` calls in a clone."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from reproduction.report import write_report
from reproduction.runner import judged_again, reproduce
from reproduction.tables import keep
from simmim_lite.__main__ import one_line_errors

CLONE = Path(__file__).resolve().parents[1]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simmim_lite reproduce",
        description="Measure every claim again, and write a report that reads offline.",
    )
    parser.add_argument("--full", action="store_true", help="on the full data sets")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="experiments")
    parser.add_argument("--seeds", type=int, metavar="N", help="at most so many of each")
    parser.add_argument("--processes", type=int, metavar="N", help="default: one a CPU core")
    parser.add_argument("--output", type=Path, default=Path("build/report"), metavar="DIR")
    parser.add_argument(
        "--measured", type=Path, metavar="FILE", help="results.json of a run, instead of a new one"
    )
    parser.add_argument(
        "--keep", action="store_true", help="put the results into this clone and its pages"
    )
    return parser


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, report, and return whether any claim failed."""
    options = _parser().parse_args(arguments)
    if options.measured:
        results = judged_again(options.measured)
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
        print(f"{outcome.verdict}: {outcome.experiment}, {outcome.claim.name}")
    print(f"{len(results.outcomes)} claims, {len(results.failed)} of them do not hold")
    print(f"report: {report}")
    return len(results.failed) > 0


if __name__ == "__main__":
    sys.exit(main())
