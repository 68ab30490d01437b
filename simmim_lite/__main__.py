"""The command line: ``python -m simmim_lite COMMAND``.

The Makefile calls these commands and adds only the virtual environment, so that a machine without
make can do the same.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]
INSTALL = 'python -m pip install -e ".[notebooks,test]"'
EMBEDDED = ("digits", "speech")  # come with the package, so there is nothing to download


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simmim_lite")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, help_text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=help_text, description=help_text)

    add("doctor", "say what this machine has and what is broken")
    data = add(
        "data", "download full data sets (mnist, fsdd, cifar10; default: all) into the cache"
    )
    data.add_argument("names", nargs="*", metavar="NAME")

    train = add("train", "train a system on digits and speech; under torchrun in several processes")
    train.add_argument("system", choices=("multimodal",))
    train.add_argument("--steps", type=int, default=500)
    train.add_argument("--batch-size", type=int, default=256, help="pairs of all processes")
    train.add_argument("--chunk", type=int, metavar="ROWS", help="rows at a time, to save memory")
    train.add_argument("--output", type=Path, default=Path("build/train"), metavar="DIR")

    run = add("run", "execute the notebooks and write them as pages that read offline")
    run.add_argument("--output", type=Path, default=Path("build/site"), help="default: build/site")
    build = add("build", "make the notebooks from their scripts, executed and measured")
    build.add_argument("--check", action="store_true", help="only say what is out of date")
    for command in (run, build):
        command.add_argument("numbers", nargs="*", metavar="NN", help="default: all notebooks")
        command.add_argument("--notebooks", type=Path, metavar="DIR", help="default: this clone's")

    reproduce = add("reproduce", "measure every claim again, and write a report that reads offline")
    reproduce.add_argument("--full", action="store_true", help="on the full data sets")
    reproduce.add_argument("--only", nargs="+", default=(), metavar="NAME", help="experiments")
    reproduce.add_argument("--seeds", type=int, metavar="N", help="at most so many of each")
    reproduce.add_argument("--processes", type=int, metavar="N", help="default: one a CPU core")
    reproduce.add_argument("--output", type=Path, default=Path("build/report"), metavar="DIR")
    reproduce.add_argument(
        "--measured", type=Path, metavar="FILE", help="results.json of a run, instead of a new one"
    )
    reproduce.add_argument(
        "--keep", action="store_true", help="put the results into this clone and its README"
    )

    test = add("test", "lint, unit tests, and nbval on every notebook")
    test.add_argument("--fast", action="store_true", help="lint and the fast unit tests alone")
    add("lab", "open JupyterLab on the map of notebooks")
    return parser


def _doctor() -> int:
    from simmim_lite import environment

    lines = environment.report()
    print("\n".join(lines))
    return any(line.startswith(environment.BROKEN) for line in lines)


def _data(names: Sequence[str]) -> int:
    from simmim_lite import datasets

    try:
        for name in names or [name for name in datasets.available() if name not in EMBEDDED]:
            print(f"{name}: {datasets.download(name)}")
    except datasets.DataError as error:
        raise OSError(str(error)) from error
    return 0


def _train(options: argparse.Namespace) -> int:
    """Goes on where an earlier run with the same options stopped."""
    from simmim_lite import datasets, encoders, multimodal, training

    items = {"image": datasets.load_digits("train"), "speech": datasets.load_speech("train")}
    pairs = multimodal.Pairing(
        {"image": items["image"].images, "speech": items["speech"].waveforms},
        {name: part.labels for name, part in items.items()},
    )
    rate = items["speech"].rate
    both = {"image": encoders.ImageEncoder(), "speech": encoders.AudioEncoder(rate)}
    model = multimodal.MultimodalInfoMax(both)
    with training.process_group() as (process, _):
        history = model.fit(
            pairs,
            steps=options.steps,
            batch_size=options.batch_size,
            chunk=options.chunk,
            checkpoints=options.output / "checkpoints",
            resume=True,
            log_dir=options.output / "curves",
        )
        if process == 0:
            model.save(options.output / "multimodal.safetensors")
            truth = pairs.mutual_information["image", "speech"]
            print(
                f"{history.steps} steps, {history.seconds:.0f} s: I(image; speech) >= "
                f"{history['image-speech'][-1]:.3f} nats in training, truth {truth:.3f}; "
                f"weights and curves in {options.output}"
            )
    return 0


def _run(options: argparse.Namespace) -> int:
    from simmim_lite import notebooks, pages

    folder = options.notebooks or notebooks.FOLDER
    return pages.run(folder, options.output, options.numbers) > 0


def _build(options: argparse.Namespace) -> int:
    from simmim_lite import notebooks

    folder = options.notebooks or notebooks.FOLDER
    if not options.check:
        return notebooks.build(folder, options.numbers) > 0
    lines = notebooks.stale(folder, options.numbers)
    print("\n".join(lines) or "up to date")
    return len(lines) > 0


def _reproduce(options: argparse.Namespace) -> int:
    from simmim_lite import reproduction

    if options.keep:
        _clone_only()
    if options.measured:
        results = reproduction.judged_again(options.measured)
    else:
        results = reproduction.reproduce(
            options.output,
            full=options.full,
            only=options.only,
            seeds=options.seeds,
            processes=options.processes,
        )
    report = options.output / "index.html"
    reproduction.write_report(results, report)
    if options.keep:
        reproduction.keep(results, CLONE)
    for outcome in results.failed:
        print(f"{outcome.verdict}: {outcome.experiment}, {outcome.claim.name}")
    print(f"{len(results.outcomes)} claims, {len(results.failed)} of them do not hold")
    print(f"report: {report}")
    return len(results.failed) > 0


def _clone_only() -> None:
    if not (CLONE / "pyproject.toml").is_file():
        raise ValueError("this command needs a clone of the repository, not the package alone")


def _in_clone(*module: str | Path) -> int:
    """Run ``python -m module ...`` in the clone; its exit code."""
    _clone_only()
    return subprocess.run([sys.executable, "-m", *map(str, module)], cwd=CLONE).returncode


def _test(*, fast: bool) -> int:
    """The one definition of the tests; stops at the first of the steps that fails."""
    notebooks = sorted((CLONE / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    if not notebooks:  # pytest without arguments would run something else, and pass
        raise ValueError("no notebooks to test: python -m simmim_lite build makes them")
    nbval = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=180"]
    steps = [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["pytest", "tests", *(["-m", "not slow"] if fast else [])],
    ]
    if not fast:
        steps.append(["pytest", *nbval, *notebooks])
    return next((code for step in steps if (code := _in_clone(*step))), 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 if all went well. What went wrong is one line on stderr."""
    sys.stdout.reconfigure(line_buffering=True)  # progress shows at once in a log, too
    options = _parser().parse_args(arguments)
    try:
        match options.command:
            case "doctor":
                return _doctor()
            case "data":
                return _data(options.names)
            case "train":
                return _train(options)
            case "run":
                return _run(options)
            case "build":
                return _build(options)
            case "reproduce":
                return _reproduce(options)
            case "test":
                return _test(fast=options.fast)
            case _:
                return _in_clone("jupyterlab", Path("notebooks", "00_start_here.ipynb"))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("simmim_lite"):
            raise
        print(f"error: {error}; {INSTALL} installs what is needed", file=sys.stderr)
        return 1
    except (ValueError, OSError, FloatingPointError) as error:  # they say all there is to say
        print("\n".join([f"error: {error}", *getattr(error, "__notes__", [])]), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
