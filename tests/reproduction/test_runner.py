"""The runner, with experiments that take no time."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
from example_results import (
    ACCURACY,
    PROVENANCE,
    SECONDS,
    accuracies,
    run_of,
    some_results,
)

import reproduction
from reproduction import Experiment, Results, __main__ as command_line, claims, reproduce, runner
from reproduction.claims import checked_values


@pytest.fixture
def registry(monkeypatch):
    """A module of experiments, whose runs happen in this process and are listed in ``ran``."""
    module = types.ModuleType("fake_registry")
    module.ran = []

    def run(job, registry, measured_with):
        module.ran.append((job.experiment.name, job.seed))
        setting = reproduction.Setting(job.seed, measured_with["full"], job.folder / "models")
        try:
            values = checked_values(job.experiment, job.experiment.measure(setting))
            run = run_of(job.experiment.name, job.seed, **values)
        except ValueError as error:
            run = run_of(job.experiment.name, job.seed, error=str(error))
        job.result.write_text(json.dumps(claims.run_to_dict(run)))
        return run

    monkeypatch.setitem(sys.modules, "fake_registry", module)
    monkeypatch.setattr(runner, "_run", run)
    return module


def experiment(name, measure=lambda setting: {"accuracy": 0.98}, **options):
    return Experiment(name, (ACCURACY,), measure, **options)


def go(registry, output, **options):
    said = []
    options = {"processes": 2, "registry": "fake_registry", "say": said.append} | options
    return reproduce(output, **options), said


def test_needs_come_first_and_errors_are_not_lost(registry, tmp_path):
    def leave(setting):
        (setting.folder / f"model-{setting.seed}").touch()
        return {"accuracy": 0.99}

    def take(setting):
        assert (setting.folder / f"model-{setting.seed}").exists()
        return {"accuracy": 0.99}

    def fail(setting):
        raise ValueError("no luck")

    registry.EXPERIMENTS = (
        experiment("last", take, seeds=2, needs=("first",)),
        experiment("broken", fail),
        experiment("first", leave, seeds=2),
        experiment("after broken", needs=("broken",)),
        experiment("only full", fail, full=True),
    )
    results, said = go(registry, tmp_path)
    assert sorted(registry.ran) == [
        *(("after broken", 0), ("broken", 0), ("first", 0), ("first", 1)),
        *(("last", 0), ("last", 1)),
    ]
    verdicts = {each.experiment: each.verdict for each in results.outcomes}
    assert verdicts == {
        "last": "pass",
        "broken": "error",
        "first": "pass",
        "after broken": "pass",
    }
    assert [each.experiment for each in results.failed] == ["broken"]
    assert len(said) == 6
    assert "error: no luck" in next(line for line in said if "broken, seed" in line)
    assert Results.load(tmp_path / "results.json").claims == results.claims


def test_a_killed_run_goes_on_and_errors_are_tried_again(registry, tmp_path):
    moods = iter([{"accuracy": 0.98}, KeyboardInterrupt(), None, {"accuracy": 0.99}])

    def moody(setting):
        if isinstance(mood := next(moods), BaseException):
            raise mood
        return mood if mood else {"speed": 0.0}

    registry.EXPERIMENTS = (experiment("moody", moody, seeds=2),)
    with pytest.raises(KeyboardInterrupt):
        go(registry, tmp_path, processes=1)
    partial = Results.load(tmp_path / "results.json")
    assert [run.seed for run in partial.runs] == [0]
    assert go(registry, tmp_path, processes=1)[0].failed
    results, said = go(registry, tmp_path, processes=1)
    assert not results.failed
    assert registry.ran == [("moody", 0), ("moody", 1), ("moody", 1), ("moody", 1)]
    assert "measured before" in said[0]


def test_another_state_of_the_code_measures_anew(registry, tmp_path, monkeypatch):
    registry.EXPERIMENTS = (experiment("one"),)
    for code in "aab":
        changed = PROVENANCE | {"code": code}
        monkeypatch.setattr(runner, "provenance", lambda full, changed=changed: changed)
        go(registry, tmp_path)
    assert registry.ran == [("one", 0)] * 2


def test_choice_of_experiments_and_seeds(registry, tmp_path):
    registry.EXPERIMENTS = (
        experiment("one", seeds=3),
        experiment("two"),
        experiment("big", full=True),
    )
    go(registry, tmp_path, only=["one"], seeds=2)
    assert sorted(registry.ran) == [("one", 0), ("one", 1)]
    registry.ran.clear()
    go(registry, tmp_path / "full", only=["big"], full=True)
    assert registry.ran == [("big", 0)]
    with pytest.raises(ValueError, match="no experiment big on the embedded data; there are one,"):
        go(registry, tmp_path, only=["big"])
    with pytest.raises(ValueError, match="processes"):
        go(registry, tmp_path, processes=0)


def test_needs_in_a_circle_are_refused(registry, tmp_path):
    registry.EXPERIMENTS = (experiment("a", needs=("b",)), experiment("b", needs=("a",)))
    with pytest.raises(ValueError, match="a, seed 0: needs an experiment that needs this one"):
        go(registry, tmp_path)


FAKES = """
import os, torch
from reproduction import Claim, Experiment, Interval

def measure(setting):
    assert not setting.full and setting.folder.is_dir()
    threads = torch.get_num_threads() * int(os.environ["OMP_NUM_THREADS"])
    return {"threads": Interval(threads, 0.5, 1.5)}

CLAIMS = (Claim("threads", "threads", "1", "the setting", at_least=1, at_most=1),)
EXPERIMENTS = (
    Experiment("good", CLAIMS, measure, full=False),
    Experiment("good", CLAIMS, dict, full=True),
    Experiment("dies", CLAIMS, lambda setting: os._exit(3)),
)
"""


@pytest.mark.slow
def test_each_run_is_a_process_with_one_thread(tmp_path, monkeypatch):
    (tmp_path / "fakes_of_a_process.py").write_text(FAKES, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    said = []
    output = tmp_path / "report"
    results = reproduce(output, registry="fakes_of_a_process", processes=2, say=said.append)
    assert [each.verdict for each in results.outcomes] == ["pass", "error"]
    good, dead = results.runs
    assert good.values == {"threads": (1.0, 0.5, 1.5)}
    assert good.peak_bytes > 2**25
    assert good.provenance["versions"]["python"]
    assert dead.error == "the process ended with exit code 3, without a result"
    assert not list(output.rglob("*.partial"))


def test_command_says_what_fails_and_exits_by_it(tmp_path, monkeypatch, capsys):
    results = [some_results(), Results({"sorting": (ACCURACY,)}, accuracies(0.98))]
    options = {}

    def measured(output, **given):
        options.update(given)
        return results.pop(0)

    monkeypatch.setattr(command_line, "reproduce", measured)
    arguments = ["--output", str(tmp_path), "--only", "sorting", "--seeds", "1"]
    assert command_line.main(arguments) == 1
    printed = capsys.readouterr().out
    assert (
        "fail: sorting: seconds\nerror: hanging: hope\n5 claims, 2 of them do not hold\n" in printed
    )
    assert options == {"full": False, "only": ["sorting"], "seeds": 1, "processes": None}
    assert command_line.main(["--output", str(tmp_path)]) == 0
    assert (tmp_path / "index.html").is_file()


def test_report_of_results_measured_before(registry, tmp_path, monkeypatch, capsys):
    registry.EXPERIMENTS = (experiment("sorting"), experiment("more"))
    monkeypatch.setattr(runner.with_current_claims, "__kwdefaults__", {"registry": "fake_registry"})
    path = tmp_path / "results.json"
    stricter = dataclasses.replace(ACCURACY, name="in other words", at_least=0.99)
    Results({"sorting": (stricter,)}, accuracies(0.98)).save(path)
    arguments = ["--measured", str(path), "--output", str(tmp_path / "again")]
    assert command_line.main(arguments) == 0  # by today's bound
    report = (tmp_path / "again" / "index.html").read_text(encoding="utf-8")
    assert "<td>clustering accuracy<br>" in report
    assert registry.ran == []
    Results({"sorting": (SECONDS,)}, [run_of(seconds=1.0)]).save(path)
    assert command_line.main(arguments) == 1
    assert "measured other claims: accuracy, seconds" in capsys.readouterr().err


STOPPED = """
import os, subprocess, sys, time
from reproduction import Claim, Experiment, Interval
from pathlib import Path

def hang(setting):
    (setting.folder / "model.partial").touch()
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started = setting.folder / "started"
    started.with_suffix(".new").write_text(f"{os.getpid()} {child.pid}")
    started.with_suffix(".new").replace(started)
    time.sleep(60)

CLAIMS = (Claim("a", "a", "1", "the setting", at_least=1, at_most=1),)
EXPERIMENTS = (
    Experiment("quick", CLAIMS, lambda setting: {"a": Interval(1, 0.5, 1.5)}),
    Experiment("hangs", CLAIMS, hang, needs=("quick",)),
)

if __name__ == "__main__":
    from reproduction import reproduce
    from simmim_lite.__main__ import one_line_errors

    go = one_line_errors(lambda output: reproduce(Path(output), registry="stopped_experiments"))
    sys.exit(go(sys.argv[1]))
"""


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_workers_and_keeps_what_is_finished(tmp_path, name):
    script, output = tmp_path / "stopped_experiments.py", tmp_path / "report"
    script.write_text(STOPPED, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).resolve().parents[2])])
    process = subprocess.Popen(
        [sys.executable, script, output],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    limit = time.monotonic() + 120
    while not (started := list(output.rglob("started"))):
        assert time.monotonic() < limit
        time.sleep(0.05)
    process.send_signal(getattr(signal, name))
    said, error = process.communicate()
    assert (process.returncode, error) == (128 + getattr(signal, name), f"stopped by {name}\n")
    assert said.startswith("[1/2] quick, seed 0: ")
    assert [run.experiment for run in Results.load(output / "results.json").runs] == ["quick"]
    for worker in map(int, started[0].read_text().split()):
        while is_running(worker):  # the system takes a killed orphan away a little later
            assert time.monotonic() < limit
            time.sleep(0.05)
    assert not list(output.rglob("*.partial"))
