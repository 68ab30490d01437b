"""``python -m simmim_lite``: exit codes, one-line errors, and what the tests are made of."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simmim_lite import __main__ as command_line, datasets, doctor, storage


@pytest.mark.parametrize(("lines", "code"), [(["python: 3"], 0), (["broken: it"], 1)])
def test_doctor_exits_by_what_it_found(monkeypatch, capsys, lines, code):
    monkeypatch.setattr(doctor, "report", lambda: lines)
    assert command_line.main(["doctor"]) == code
    assert capsys.readouterr().out == f"{lines[0]}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data", "imagenet"], "expected one of 'mnist', 'fsdd', 'cifar10', got 'imagenet'"),
        (["run", "--notebooks", "nowhere"], "no notebooks NN_name.ipynb in nowhere"),
        (["build", "98"], "no notebook '98'"),
        (["reproduce", "--only", "alchemy"], "no experiment alchemy"),
    ],
)
def test_error_is_one_line(capfd, arguments, message):
    assert command_line.main(arguments) == 1
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_data_error_is_one_line(monkeypatch, capsys):
    def fail(name):
        raise datasets.DataError(name, "a download", "nothing", "Try again.")

    monkeypatch.setattr(datasets, "download", fail)
    assert command_line.main(["data", "mnist"]) == 1
    assert capsys.readouterr().err == "error: mnist: expected a download, got nothing. Try again.\n"


def test_data_downloads_all_full_sets_by_default(monkeypatch, capsys):
    monkeypatch.delenv("SIMMIM_DATA", raising=False)
    monkeypatch.setattr(datasets, "download", lambda name: f"cache of {name}")
    assert command_line.main(["data"]) == 0
    found = [line.split(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert found == ["mnist", "fsdd", "cifar10"]


def test_missing_extra_says_how_to_install_it(capsys):
    @command_line.one_line_errors
    def main(arguments):
        raise ModuleNotFoundError("No module named 'jupytext'", name="jupytext")

    assert main([]) == 1
    assert "pip install" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "build", "reproduce", "test", "lab"])
def test_commands_of_the_clone_say_that_they_need_one(monkeypatch, tmp_path, capsys, command):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "00_a.ipynb").touch()
    monkeypatch.setattr(command_line, "CLONE", tmp_path)  # as beside an installed wheel
    assert command_line.main([command]) == 1
    assert "needs a clone of the repository" in capsys.readouterr().err


def test_tests_stop_at_the_first_failing_step(monkeypatch):
    ran = []

    def step(*modules):
        ran.extend(module[0] for module in modules)
        return 3 if len(ran) == 2 else 0

    monkeypatch.setattr(command_line, "_in_clone", step)
    assert command_line.main(["test"]) == 3
    assert ran == ["ruff", "ruff"]


def test_tests_are_lint_unit_tests_and_every_notebook(monkeypatch):
    ran = []

    def step(*modules):
        ran.extend(modules)
        return 0

    monkeypatch.setattr(command_line, "_in_clone", step)
    assert command_line.main(["test"]) == 0
    assert [step[0] for step in ran] == ["ruff", "ruff", "mypy", "pytest", "pytest"]
    notebooks = [path.name for path in ran[4] if not isinstance(path, str)]
    committed = (command_line.CLONE / "notebooks").glob("[0-9][0-9]_*.ipynb")
    assert notebooks == sorted(path.name for path in committed)
    assert notebooks
    ran.clear()
    assert command_line.main(["test", "--fast"]) == 0
    assert [step[0] for step in ran] == ["ruff", "ruff", "mypy", "pytest"]
    assert ran[3][-1] == "not slow"


def test_two_programs_run_at_the_same_time_and_each_exit_code_counts(tmp_path, capfd):
    """Each waits for the other; the output of the second follows."""
    paths = tmp_path / "a", tmp_path / "b"
    programs = []
    for name, (own, other) in {"first": paths, "second": paths[::-1]}.items():
        meet = f"while not pathlib.Path({str(other)!r}).exists(): time.sleep(0.01)"
        code = f"pathlib.Path({str(own)!r}).touch()\n{meet}\nprint({name!r})"
        programs.append(["timeit", "-n1", "-r1", "-s", "import pathlib, time", code])
    assert command_line._in_clone(*programs) == 0
    output = capfd.readouterr().out
    assert output.index("first") < output.index("second")
    assert command_line._in_clone(programs[0], ["timeit", "1 +"]) == 1
    assert command_line._in_clone(["timeit", "1 +"], programs[0]) == 1


def test_without_notebooks_nothing_passes(monkeypatch, tmp_path, capsys):
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(command_line, "CLONE", tmp_path)
    assert command_line.main(["test"]) == 1
    assert "no notebooks" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("system", ["multimodal", "masked"])
def test_train_in_one_process_or_two_and_go_on(system, tmp_path, capsys):
    options = ["--batch-size", "64", "--output", str(tmp_path)]
    two = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*two, "-m", "simmim_lite", "train", system, "--steps", "3", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.count("3 steps") == 1  # said by one of them
    assert (tmp_path / f"{system}.safetensors").is_file()
    assert list((tmp_path / "curves").glob("events.*"))
    assert command_line.main(["train", system, "--steps", "3", *options]) == 0
    assert "3 steps, " in capsys.readouterr().out  # the checkpoint was taken up
    assert command_line.main(["train", system, "--steps", "4", *options]) == 1
    assert "steps" in capsys.readouterr().err  # another run: refused, not mixed


@pytest.mark.slow
def test_train_a_large_masked_model_on_photographs(real_data, tmp_path, capsys, monkeypatch):
    load = datasets.load_cifar10

    def few(split):
        found = load(split)
        return datasets.Images(found.images[:64], found.labels[:64], split, found.source)

    monkeypatch.setattr(datasets, "load_cifar10", few)
    options = ["--steps", "2", "--batch-size", "16", "--output", str(tmp_path)]
    assert command_line.main(["train", "masked", "--data", "cifar10", *options]) == 0
    assert "2 steps, " in capsys.readouterr().out
    weights = storage.unpack((tmp_path / "masked.safetensors").read_bytes())
    learned = sum(value.numel() for value in weights.values())
    assert 3e6 < learned < 6e6


# --- signals -------------------------------------------------------------------------------

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")

WAITING = """
import sys, time
from simmim_lite import __main__ as command_line

@command_line.one_line_errors
def main(arguments):
    print("ready", flush=True)
    {action}

sys.exit(main([]))
"""


def started(*command: str | Path) -> subprocess.Popen:
    pipe = subprocess.PIPE
    # A shell in the background makes the tests, and their children, ignore Ctrl-C; nohup, SIGHUP.
    handlers = {"SIGINT": signal.default_int_handler, "SIGHUP": signal.SIG_DFL}
    numbers = [getattr(signal, name) for name in handlers if hasattr(signal, name)]
    before = list(map(signal.signal, numbers, handlers.values()))
    try:
        line = [sys.executable, *map(str, command)]
        return subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def wait_for(condition) -> None:
    limit = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("times", [1, 2])
def test_signals_end_a_command_in_one_line(name, times):
    number = getattr(signal, name)
    process = started("-c", WAITING.format(action="time.sleep(60)"))
    assert process.stdout.readline() == "ready\n"
    for _ in range(times):  # `timeout` sends two
        process.send_signal(number)
    assert process.communicate()[1] == f"stopped by {name}\n"
    assert process.returncode == 128 + number


@posix
def test_children_end_with_the_command():
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    action = f"return command_line._in_clone(['timeit', '-n1', '-r1', {code!r}])"
    process = started("-c", WAITING.format(action=action))
    assert process.stdout.readline() == "ready\n"
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 143
    assert not alive(child)


SLOW_CELL = """\
# %% [markdown]
# # 00 · Start
#
# *What one learns.*
#
# <!-- measured -->
# <!-- /measured -->

# %%
import os, pathlib, time

pathlib.Path("process").write_text(str(os.getpid()) + " ")
time.sleep(60)
"""


@pytest.mark.slow
@posix
@pytest.mark.parametrize("command", ["run", "build"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_notebooks_and_their_kernel(command, name, tmp_path):
    jupytext = pytest.importorskip("jupytext")
    folder, number = tmp_path / "notebooks", getattr(signal, name)
    (folder / "scripts").mkdir(parents=True)
    for start in ("00", "01"):
        script = folder / "scripts" / f"{start}_a.py"
        script.write_text(SLOW_CELL.replace("00", start), encoding="utf-8")
        if command == "run":
            jupytext.write(jupytext.read(script), folder / f"{start}_a.ipynb")
    before = sorted(folder.rglob("*"))
    options = ["--output", tmp_path / "site"] if command == "run" else []
    process = started("-m", "simmim_lite", command, "--notebooks", folder, *options)
    kernel = folder / "process"
    wait_for(lambda: kernel.is_file() and kernel.read_text().endswith(" "))
    process.send_signal(number)
    assert process.communicate() == ("", f"stopped by {name}\n")
    assert process.returncode == 128 + number
    assert not alive(int(kernel.read_text()))
    assert sorted(folder.rglob("*")) == sorted([*before, kernel])
    assert not list(tmp_path.rglob("*.partial"))
