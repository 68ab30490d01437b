"""The command line: ``python -m simmim_lite COMMAND``, which the Makefile calls, too."""

import argparse
import functools
import io
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

CLONE = Path(__file__).resolve().parents[1]
CLONE_TOOLS = {  # command: its help; a module of the clone parses the rest of the line
    "run": "execute the notebooks and write them as pages that read offline",
    "kit": "zip notebooks, package and pages for a room without a network",
    "build": "make the notebooks from their scripts, executed and measured",
    "reproduce": "measure every claim again, and write a report",
}
INSTALL = 'python -m pip install -e ".[notebooks,test]"'
_GRACE = 10  # seconds in which a child may clean up after a signal


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simmim_lite")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, text: str, run: Any = None) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    add("doctor", "say what this machine has and what is broken", _doctor)
    text = "download full data sets (mnist, fsdd, cifar10; default: all) into the cache"
    add("data", text, _data).add_argument("names", nargs="*", metavar="NAME")
    text = "train a system: multimodal (on digits and speech) or masked; also under torchrun"
    train = add("train", text, _train)
    train.add_argument("system", choices=("multimodal", "masked"))
    text = "images of masked: digits (default), or cifar10 with a transformer of 5 million weights"
    train.add_argument("--data", choices=("digits", "cifar10"), default="digits", help=text)
    train.add_argument("--steps", type=int, default=500)
    train.add_argument("--batch-size", type=int, default=256, help="pairs of all processes")
    train.add_argument("--chunk", type=int, metavar="ROWS", help="rows at a time, to save memory")
    train.add_argument("--output", type=Path, default=Path("build/train"), metavar="DIR")
    for name, text in CLONE_TOOLS.items():
        add(name, text)  # listed in the help only: `main` hands these on
    test = add("test", "lint, types, unit tests, and nbval on every notebook", _test)
    test.add_argument("--fast", action="store_true", help="leave out slow tests and notebooks")
    lab = "jupyterlab", "notebooks/00_start_here.ipynb"
    add("lab", "open JupyterLab on the map of notebooks", lambda _: _in_clone(lab))
    return parser


def _doctor(options: argparse.Namespace) -> int:
    from simmim_lite import doctor

    lines = doctor.report()
    print("\n".join(lines))
    return any(line.startswith(doctor.BROKEN) for line in lines)


def _data(options: argparse.Namespace) -> int:
    from simmim_lite import datasets

    try:
        full = [name for name in datasets.available() if name not in ("digits", "speech")]
        for name in options.names or full:
            print(f"{name}: {datasets.download(name)}")
    except datasets.DataError as error:
        raise OSError(str(error)) from error
    return 0


def _train(options: argparse.Namespace) -> int:
    """Train, and continue where an earlier run with the same options stopped."""
    return (_train_masked if options.system == "masked" else _train_multimodal)(options)


def _fit_options(options: argparse.Namespace) -> dict[str, Any]:
    sizes = {name: getattr(options, name) for name in ("steps", "batch_size", "chunk")}
    folders = {"checkpoints": options.output / "checkpoints", "log_dir": options.output / "curves"}
    return sizes | folders | {"resume": True}


def _train_multimodal(options: argparse.Namespace) -> int:
    from simmim_lite import datasets, encoders, multimodal, training

    digits, speech = datasets.load_digits("train"), datasets.load_speech("train")
    pairs = multimodal.Pairing(
        {"image": digits.images, "speech": speech.waveforms},
        {"image": digits.labels, "speech": speech.labels},
    )
    both = {"image": encoders.ImageEncoder(), "speech": encoders.AudioEncoder(speech.rate)}
    model, output = multimodal.MultimodalInfoMax(both), options.output
    with training.process_group() as (process, _):
        history = model.fit(pairs, **_fit_options(options))
        if process == 0:
            model.save(output / "multimodal.safetensors")
            truth = pairs.mutual_information["image", "speech"]
            line = f"{history.steps} steps, {history.seconds:.0f} s: I(image; speech) >= "
            line += f"{history['image-speech'][-1]:.3f} nats in training, truth {truth:.3f}"
            print(f"{line}; weights and curves in {output}")
    return 0


def _train_masked(options: argparse.Namespace) -> int:
    """Masked image modeling; on a GPU in half precision."""
    import torch

    from simmim_lite import datasets, masked, storage, training

    load = datasets.load_cifar10 if options.data == "cifar10" else datasets.load_digits
    pixels = [torch.from_numpy(load(split).images).float() / 255 for split in ("train", "test")]
    train, test = (p[:, None] if p.ndim == 3 else p.permute(0, 3, 1, 2) for p in pixels)
    dim, depth, heads = (192, 12, 3) if options.data == "cifar10" else (64, 3, 4)
    _, channels, height, width = train.shape
    model = masked.MaskedModel((channels, height, width), 4, dim=dim, depth=depth, heads=heads)
    output = options.output
    with training.process_group() as (process, _):
        history = model.fit(train, loss="l2", warmup=options.steps // 20, **_fit_options(options))
        if process == 0:
            weights = storage.pack(dict(model.state_dict()))
            storage.write_atomically(output / "masked.safetensors", weights)
            draws = torch.Generator().manual_seed(0)
            masks = masked.random_masks(len(test), model.grid, 0.6, generator=draws)
            error = masked.patchify(model.predict(test, masks) - test, 4)[masks].square().mean()
            mean = masked.patchify(train.mean(dim=0) - test, 4)[masks].square().mean()
            line = f"{history.steps} steps, {history.seconds:.0f} s: squared error of hidden "
            line += f"pixels {error:.4f} on test images, mean image {mean:.4f}"
            print(f"{line}; weights and curves in {output}")
    return 0


def _test(options: argparse.Namespace) -> int:
    """The one definition of the tests; stops at the first of the steps that fails."""
    _clone_only()
    notebooks = sorted((CLONE / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    if not notebooks:  # pytest without arguments would run something else, and pass
        raise ValueError("no notebooks to test: python -m simmim_lite build makes them")
    lint: list[list[Any]] = [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]]
    if options.fast:
        tests: list[list[Any]] = [["pytest", "tests", "-m", "not slow"]]
    else:
        nbval = "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600"
        tests = [["pytest", "tests"], ["pytest", *nbval, *notebooks]]
    steps = [[step] for step in lint] + [tests]
    return next((code for step in steps if (code := _in_clone(*step))), 0)


def _in_clone(*modules: Sequence[str | Path]) -> int:
    """Run ``python -m module ...`` for each module at the same time; the first exit code not 0.

    Several share the cores. The output of the second and later ones follows that of the first.
    """
    _clone_only()
    cores = max(1, (os.cpu_count() or 1) // len(modules))
    threads = {"OMP_NUM_THREADS": str(cores)} if len(modules) > 1 else {}
    with ExitStack() as stack:
        children, outputs = [], []
        for number, module in enumerate(modules):
            line, own = [sys.executable, "-m", *map(str, module)], module[0] != "jupyterlab"
            outputs.append(stack.enter_context(tempfile.TemporaryFile()) if number else None)
            how: Any = {"cwd": CLONE, "start_new_session": own, "stdout": outputs[-1]}
            children.append(subprocess.Popen(line, env=threads | os.environ, **how))
        try:
            for child, output in zip(children, outputs, strict=True):
                child.wait()
                if output:
                    output.seek(0)
                    print(output.read().decode(errors="replace"), end="")
        except KeyboardInterrupt:
            for child in children:
                with suppress(subprocess.TimeoutExpired, ValueError):  # Windows cannot send it
                    child.send_signal(signal.SIGINT)  # pytest then ends its kernels
                    child.wait(_GRACE)
                end_group(child)
            raise
    return next((child.returncode for child in children if child.returncode), 0)


def end_group(child: subprocess.Popen) -> None:
    """End a child that was started with ``start_new_session=True``, and all that it started."""
    if os.name == "posix":
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    child.wait()


def _clone_tool(command: str, *arguments: str) -> int:
    """Run a tool of the clone in this process and folder; its exit code."""
    from unittest.mock import patch

    _clone_only()
    sys.path.insert(0, str(CLONE))
    path = os.pathsep.join(filter(None, [str(CLONE), os.environ.get("PYTHONPATH")]))
    with patch.dict(os.environ, PYTHONPATH=path):  # for kernels and workers
        if command == "reproduce":
            return import_module("reproduction.__main__").main(arguments)
        return import_module("notebooks.tools.__main__").main([command, *arguments])


def _clone_only() -> None:
    if not (CLONE / "pyproject.toml").is_file():
        url = "https://github.com/simmim-lite/simmim-lite"
        raise ValueError(f"this command needs a clone of the repository: git clone {url}")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt with the number of the signal that asks this process to stop.

    A second signal within a second belongs to the same request (`timeout` sends two).
    """
    last = -math.inf

    def stop(number: int, frame: object) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before > 1:
            raise KeyboardInterrupt(number)

    old = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number and signal.getsignal(number) not in (signal.SIG_IGN, None):  # nohup ignores it
            old[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in old.items():  # after a signal this process ends, in its own way
            signal.signal(number, handler if last == -math.inf else signal.SIG_IGN)


def one_line_errors(main: Callable[..., int]) -> Callable[..., int]:
    """Decorate ``main``: an expected error becomes one line on stderr and exit code 1.

    Ctrl-C and SIGTERM become one line and exit code 130 and 143.
    """

    @functools.wraps(main)
    def guarded(arguments: Sequence[str] | None = None) -> int:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)  # progress shows at once in a log, too
        try:
            with _interruptible():
                return main(arguments)
        except KeyboardInterrupt as stop:
            number = stop.args[0] if stop.args else signal.SIGINT
            print(f"stopped by {signal.Signals(number).name}", file=sys.stderr)
            return 128 + number
        except ModuleNotFoundError as error:
            if error.name and error.name.startswith("simmim_lite"):
                raise
            message = f"error: {error}; {INSTALL} installs what is needed"
        except (ValueError, OSError, FloatingPointError) as error:  # with a complete message
            message = "\n".join([f"error: {error}", *getattr(error, "__notes__", [])])
        print(message, file=sys.stderr)
        return 1

    return guarded


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 if all went well."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments and arguments[0] in CLONE_TOOLS:
        return _clone_tool(*arguments)
    options = _parser().parse_args(arguments)
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
