"""``python -m notebooks.tools run | build | kit``, which ``python -m simmim_lite`` calls in a clone."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from notebooks.tools import builder, kit, pages, slides, weights
from notebooks.tools.reference import write_reference
from simmim_lite.__main__ import one_line_errors


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simmim_lite")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="execute the notebooks and write them as offline pages")
    run.add_argument("--output", type=Path, default=Path("build/site"), help="default: build/site")
    text = "show the stored outputs, and execute nothing"
    run.add_argument("--stored", action="store_true", help=text)
    text = "zip the notebooks, the package and the pages, for a room without a network"
    output = commands.add_parser("kit", help=text)
    output.add_argument("--output", type=Path, default=Path("dist/simmim-lite-kit.zip"))
    build = commands.add_parser("build", help="make the notebooks from their scripts")
    build.add_argument("--check", action="store_true", help="only say what is out of date")
    text = "train anew, and store the weights that FAST = True loads"
    build.add_argument("--weights", action="store_true", help=text)
    for command in (run, build):
        command.add_argument("numbers", nargs="*", metavar="NN", help="default: all notebooks")
        command.add_argument(
            "--notebooks", type=Path, default=builder.FOLDER, metavar="DIR", help="default: here"
        )
    return parser


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 if all went well."""
    options = _parser().parse_args(arguments)
    if options.command == "run":
        folders, how = (options.notebooks, options.output), {"stored": options.stored}
        failed = pages.run(*folders, options.numbers, write_reference=write_reference, **how)
        slides.write_pdfs(options.output)
        return failed > 0
    if options.command == "kit":
        kit.make(output=options.output)
        return 0
    if options.weights:
        return weights.store(options.notebooks, options.numbers) > 0
    if not options.check:
        return builder.build(options.notebooks, options.numbers) > 0
    lines = builder.stale(options.notebooks, options.numbers)
    print("\n".join(lines) or "up to date")
    return len(lines) > 0


if __name__ == "__main__":
    sys.exit(main())
