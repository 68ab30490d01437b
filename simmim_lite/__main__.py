"""The command line: ``python -m simmim_lite COMMAND``.

The Makefile calls these commands and adds only the virtual environment, so that a machine without
make can do the same.
"""

import argparse
import functools
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]
CLONE_TOOLS = {  # command: the module of the clone that parses the rest of the line, and its help
    "run": ("notebooks.tools", "execute the notebooks and write them as pages that read offline"),
    "build": ("notebooks.tools", "make the notebooks from their scripts, executed and measured"),
    "reproduce": ("reproduction", "measure every claim again, and write a report"),
}
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

    for name, (_, help_text) in CLONE_TOOLS.items():
        add(name, help_text)  # listed in the help only: `main` hands these on

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


def _clone_tool(command: str, arguments: Sequence[str]) -> int:
    """Run a tool of the clone in the current folder; its exit code."""
    _clone_only()
    module, _ = CLONE_TOOLS[command]
    path = os.pathsep.join(filter(None, [str(CLONE), os.environ.get("PYTHONPATH")]))
    words = [] if command == "reproduce" else [command]
    return subprocess.run(
        [sys.executable, "-m", module, *words, *arguments], env=os.environ | {"PYTHONPATH": path}
    ).returncode


def _clone_only() -> None:
    if not (CLONE / "pyproject.toml").is_file():
        raise ValueError(
            "this command needs a clone of the repository, not the installed package alone: "
            "git clone https://github.com/simmim-lite/simmim-lite"
        )


def _in_clone(*module: str | Path) -> int:
    """Run ``python -m module ...`` in the clone; its exit code."""
    _clone_only()
    return subprocess.run([sys.executable, "-m", *map(str, module)], cwd=CLONE).returncode


def _test(*, fast: bool) -> int:
    """The one definition of the tests; stops at the first of the steps that fails."""
    _clone_only()
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


def one_line_errors(main: Callable[..., int]) -> Callable[..., int]:
    """Decorate ``main``: an expected error becomes one line on stderr and exit code 1."""

    @functools.wraps(main)
    def guarded(arguments: Sequence[str] | None = None) -> int:
        sys.stdout.reconfigure(line_buffering=True)  # progress shows at once in a log, too
        try:
            return main(arguments)
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
            return 130
        except ModuleNotFoundError as error:
            if error.name and error.name.startswith("simmim_lite"):
                raise
            print(f"error: {error}; {INSTALL} installs what is needed", file=sys.stderr)
            return 1
        except (ValueError, OSError, FloatingPointError) as error:  # they say all there is to say
            lines = [f"error: {error}", *getattr(error, "__notes__", [])]
            print("\n".join(lines), file=sys.stderr)
            return 1

    return guarded


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 if all went well."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments and arguments[0] in CLONE_TOOLS:
        return _clone_tool(arguments[0], arguments[1:])
    options = _parser().parse_args(arguments)
    match options.command:
        case "doctor":
            return _doctor()
        case "data":
            return _data(options.names)
        case "train":
            return _train(options)
        case "test":
            return _test(fast=options.fast)
        case _:
            return _in_clone("jupyterlab", Path("notebooks", "00_start_here.ipynb"))


if __name__ == "__main__":
    sys.exit(main())
