"""``python -m simmim_lite``: exit codes, one-line errors, and what the tests are made of."""

import subprocess
import sys

import pytest

from simmim_lite import __main__ as command_line, datasets, doctor


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

    def step(*module):
        ran.append(module[0])
        return 3 if len(ran) == 2 else 0

    monkeypatch.setattr(command_line, "_in_clone", step)
    assert command_line.main(["test"]) == 3
    assert ran == ["ruff", "ruff"]


def test_tests_are_lint_unit_tests_and_every_notebook(monkeypatch):
    ran = []

    def step(*module):
        ran.append(module)
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


def test_without_notebooks_nothing_passes(monkeypatch, tmp_path, capsys):
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(command_line, "CLONE", tmp_path)
    assert command_line.main(["test"]) == 1
    assert "no notebooks" in capsys.readouterr().err


@pytest.mark.slow
def test_train_in_one_process_or_two_and_go_on(tmp_path, capsys):
    options = ["--batch-size", "64", "--output", str(tmp_path)]
    two = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*two, "-m", "simmim_lite", "train", "multimodal", "--steps", "3", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.count("3 steps") == 1  # said by one of them
    assert (tmp_path / "multimodal.safetensors").is_file()
    assert list((tmp_path / "curves").glob("events.*"))
    assert command_line.main(["train", "multimodal", "--steps", "3", *options]) == 0
    assert "3 steps, " in capsys.readouterr().out  # the checkpoint was taken up
    assert command_line.main(["train", "multimodal", "--steps", "4", *options]) == 1
    assert "steps" in capsys.readouterr().err  # another run: refused, not mixed
