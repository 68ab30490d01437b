"""The runner, the verdicts, the report and README's tables, with experiments that take no time."""

import dataclasses
import json
import math
import os
import re
import sys
import types
from html.parser import HTMLParser

import pytest
import scipy.stats

import reproduction
from reproduction import (
    Claim,
    Experiment,
    Interval,
    Results,
    Run,
    __main__ as command_line,
    charts,
    claims,
    reproduce,
    runner,
    tables,
    write_report,
)
from reproduction.claims import checked_values
from reproduction.experiments import EXPERIMENTS

PROVENANCE = {
    "code": "c0de",
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "changed": False,
    "full": False,
    "data": {"digits.npz.xz": "5ba"},
    "versions": {"python": "3.11.0"},
    "machine": {
        "processor": "abacus",
        "cores": 2,
        "memory": 2**33,
        "accelerator": "no GPU",
        "system": "Linux x86_64",
    },
}
ACCURACY = Claim(
    "accuracy",
    "published: 98 %",
    "Doe 2020, arXiv:2001.00001",
    "%",
    at_least=0.97,
    worst_at_least=0.95,
    notebook="07",
)
INFORMATION = Claim(
    "information", "ln 10 = 2.303 nats", "formula", "nats", at_most=2.303, target=math.log(10)
)
ERROR = Claim("largest <error>", "0", "the same run", at_most=1e-12)
SECONDS = Claim("seconds", "none", "none", "s")


def run_of(experiment="sorting", seed=0, *, error="", **values):
    named = {name.replace("_", " "): each for name, each in values.items()}
    named = {name: each if isinstance(each, tuple) else (each,) for name, each in named.items()}
    date = f"2026-01-0{seed + 1}T00:00:00+00:00"
    return Run(experiment, seed, named, error, 1.5, 2.0, 2**28, date, PROVENANCE)


def outcome(claim, *runs):
    (only,) = Results({"sorting": (claim,)}, runs).outcomes
    return only


def accuracies(*values):
    return [run_of(seed=seed, accuracy=value) for seed, value in enumerate(values)]


# --- verdicts ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "values", "verdict"),
    [
        (ACCURACY, [0.98, 0.97], "pass"),
        (ACCURACY, [0.96, 0.97], "fail"),  # the mean is too low
        (ACCURACY, [0.94, 1.0, 1.0], "fail"),  # a seed is
        (ACCURACY, [0.98, math.nan], "fail"),
        (Claim("accuracy", "", "", at_most=1.0), [-math.inf], "fail"),
        (Claim("accuracy", "", "", at_most=1.0, at_least=0.5), [1.0], "pass"),
        (Claim("accuracy", "", "", at_most=1.0, at_least=0.5), [1.1], "fail"),
        (Claim("accuracy", "", "", at_most=1.0, worst_at_most=1.2), [0.5, 1.3], "fail"),
        (Claim("accuracy", "", ""), [0.1], "reported"),
        (Claim("accuracy", "", ""), [math.nan], "fail"),
    ],
)
def test_verdict(claim, values, verdict):
    assert outcome(claim, *accuracies(*values)).verdict == verdict


def test_a_seed_without_result_is_an_error_whatever_the_others_say():
    assert outcome(ACCURACY, *accuracies(0.99), run_of(seed=1, error="no luck")).verdict == "error"
    assert outcome(ACCURACY).verdict == "error"


def test_interval_is_that_of_student_over_seeds():
    values = [0.97, 0.98, 0.985]
    found = outcome(ACCURACY, *accuracies(*values))
    error = scipy.stats.sem(values)
    wanted = scipy.stats.t.interval(0.95, 2, loc=sum(values) / 3, scale=error)
    assert found.interval == pytest.approx(wanted, rel=1e-9)
    assert outcome(ACCURACY, *accuracies(1.0, 0.9, 1.0)).interval[1] == 1
    assert outcome(ACCURACY, *accuracies(0.0, 0.1, 0.0)).interval[0] == 0
    assert outcome(ACCURACY, *accuracies(0.1, -0.1)).interval[0] < -1  # a change, no share
    assert outcome(ACCURACY, *accuracies(0.97)).interval is None
    assert outcome(ACCURACY, *accuracies((0.97, 0.96, 0.98))).interval == (0.96, 0.98)


@pytest.mark.parametrize(
    ("bounds", "worst"),
    [({"at_least": 2}, 1), ({"at_most": 2}, 9), ({"worst_at_least": 0, "at_most": 20}, 1)],
)
def test_worst_is_the_nearest_to_its_bound_or_beyond(bounds, worst):
    assert outcome(Claim("accuracy", "", "", **bounds), *accuracies(9, 1, 5)).worst == worst


def test_worst_needs_a_bound():
    assert math.isnan(outcome(Claim("accuracy", "", ""), *accuracies(9, 1)).worst)


# --- results -------------------------------------------------------------------------------


def some_results():
    runs = [
        *(run_of(seed=i, accuracy=0.97 + i / 100, seconds=math.inf) for i in range(2)),
        run_of("telling", information=Interval(2.2, 2.1, 2.3), **{"largest_<error>": 3e-16}),
        run_of("hanging", error="RuntimeError: <b> & no luck"),
    ]
    claims = {
        "sorting": (ACCURACY, SECONDS),
        "telling": (INFORMATION, ERROR),
        "hanging": (Claim("hope", "1", "none", at_least=1),),
    }
    return Results(claims, runs)


def test_results_survive_their_file(tmp_path):
    results = some_results()
    results.save(tmp_path / "new" / "results.json")
    text = (tmp_path / "new" / "results.json").read_text(encoding="utf-8")
    json.loads(text, parse_constant=pytest.fail)  # neither NaN nor Infinity: other readers refuse
    loaded = Results.load(tmp_path / "new" / "results.json")
    assert loaded.claims == results.claims
    verdicts = ["pass", "fail", "pass", "pass", "error"]
    assert [each.verdict for each in results.outcomes] == verdicts
    assert [each.verdict for each in loaded.outcomes] == verdicts
    assert [each.interval for each in loaded.outcomes][2] == (2.1, 2.3)
    assert loaded.runs[0].provenance == PROVENANCE
    assert len(json.loads(text)["provenances"]) == 1


def test_newer_results_take_the_place_of_the_same_experiments():
    newer = Results({"sorting": (ACCURACY,)}, accuracies(0.5))
    merged = some_results().updated(newer)
    assert list(merged.claims) == ["sorting", "telling", "hanging"]
    assert merged.outcomes[0].values == [0.5]
    assert merged.outcomes[1].values == [2.2]


def test_results_of_another_format_are_refused(tmp_path):
    (tmp_path / "x.json").write_text('{"format": 0}', encoding="utf-8")
    with pytest.raises(ValueError, match="expected results of format 1"):
        Results.load(tmp_path / "x.json")


def test_what_is_measured_is_what_is_claimed():
    experiment = Experiment("sorting", (ACCURACY,), dict)
    assert checked_values(experiment, {"accuracy": 1}) == {"accuracy": (1.0,)}
    with pytest.raises(ValueError, match="sorting: measured and claimed differ: accuracy, speed"):
        checked_values(experiment, {"speed": 1})
    with pytest.raises(ValueError, match="measured other claims: accuracy, speed"):
        Results({"sorting": (ACCURACY,)}, [run_of(speed=1.0)])


# --- the runner ----------------------------------------------------------------------------


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
    with pytest.raises(ValueError, match="a, seed 0: what it needs would need it, too"):
        go(registry, tmp_path)


FAKES = """
import os, torch
from reproduction import Claim, Experiment, Interval

def measure(setting):
    assert not setting.full and setting.folder.is_dir()
    threads = torch.get_num_threads() * int(os.environ["OMP_NUM_THREADS"])
    return {"threads": Interval(threads, 0.5, 1.5)}

CLAIMS = (Claim("threads", "1", "the setting", at_least=1, at_most=1),)
EXPERIMENTS = (
    Experiment("good", CLAIMS, measure, full=False),
    Experiment("good", CLAIMS, dict, full=True),
    Experiment("dies", CLAIMS, lambda setting: os._exit(3)),
)
"""


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


# --- tables and report ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.97498, "%", "97.50 %"),
        (-0.0155, "points", "-1.55 points"),
        (2.3025, "nats", "2.303 nats"),
        (1e-12, "nats", "1e-12 nats"),
        (0.0, "nats", "0.000 nats"),
        (46.04, "s", "46.0 s"),
        (512.3, "s", "512 s"),
        (3e-16, "", "3e-16"),
        (1234567.0, "", "1,234,567"),
        (0.9975, "", "0.998"),
        (17.0, "rows", "17 rows"),
        (math.nan, "%", "–"),
    ],
)
def test_number(value, unit, text):
    assert tables.number(value, unit) == text


def test_markdown_table():
    table = tables.markdown_table(some_results().outcomes).splitlines()
    assert table[2] == (
        "| accuracy | published: 98 % | 97.50 % [91.15, 100.00] | 97.00 % "
        "| ≥ 97 %, each seed ≥ 95 % | holds |"
    )
    assert table[3].endswith("| **FAILS** |")
    assert table[6].endswith("| **NOT MEASURED** |")
    assert len(table) == 7


README = """a
<!-- results
sorting
telling: information
-->
former
<!-- /results -->
b
<!-- results -->
<!-- /results -->
"""


def test_results_are_kept_in_a_clone(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(README, encoding="utf-8")
    note = tmp_path / "reproduction" / "results" / "note.md"
    note.parent.mkdir(parents=True)
    note.write_text(README, encoding="utf-8")
    reproduction.keep(some_results(), tmp_path)
    first, second = readme.read_text(encoding="utf-8").split("\nb\n")
    assert first.startswith("a\n<!-- results\nsorting\ntelling: information\n-->\n\n|  | truth")
    assert first.endswith(" |\n\n<!-- /results -->")
    claims = [line.split(" | ")[0] for line in first.splitlines() if line.startswith("| ")]
    assert claims[2:] == ["| accuracy", "| seconds", "| information"]
    assert "former" not in first
    assert "| hope |" in second
    assert note.read_text(encoding="utf-8") == readme.read_text(encoding="utf-8")
    newer = Results({"sorting": (ACCURACY,)}, accuracies(0.5))
    reproduction.keep(newer, tmp_path)
    assert "| 50.00 % |" in readme.read_text(encoding="utf-8")
    assert list(reproduction.kept(tmp_path, full=False).claims) == ["sorting", "telling", "hanging"]
    again = readme.read_text(encoding="utf-8")
    assert reproduction.with_tables(again, tmp_path) == again
    assert reproduction.kept(tmp_path, full=True) is None


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("<!-- results\nsorted\n-->\n<!-- /results -->", "got 'sorted'"),
        ("<!-- results\nsorting: hope\n-->\n<!-- /results -->", "got 'sorting: hope'"),
    ],
)
def test_a_table_of_what_was_not_measured_is_refused(tmp_path, block, message):
    some_results().save(tmp_path / "reproduction" / "results" / "reproduction.json")
    with pytest.raises(ValueError, match=message):
        reproduction.with_tables(block, tmp_path)


def test_a_table_of_no_results_is_empty(tmp_path):
    made_up = "<!-- results full -->\n| 99 % |\n<!-- /results -->"
    empty = "<!-- results full -->\n<!-- /results -->"
    assert reproduction.with_tables(made_up, tmp_path) == empty


class Page(HTMLParser):
    """Text of a page, and all that it would load or link to."""

    def __init__(self, text):
        super().__init__()
        self.text, self.loaded, self.links, self.open = "", [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.loaded += [attrs[name] for name in ("src", "data") if name in attrs]
        self.loaded += [attrs["href"]] if tag == "link" else []
        self.links += [attrs["href"]] if tag == "a" else []
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_report_stands_alone_and_hides_nothing(tmp_path):
    path = tmp_path / "report" / "index.html"
    write_report(some_results(), path)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert all(each.startswith("data:") for each in page.loaded)
    assert sum(each.startswith("data:image/svg+xml;base64,") for each in page.loaded) == 2
    assert text.count('<svg class="picture pass"') == 3
    assert not re.search(r"url\((?!data:)", text)
    assert page.links == ["https://arxiv.org/abs/2001.00001"]
    said = " ".join(page.text.split())
    assert "5 claims on the embedded data: 3 hold, 1 fails, 1 not measured" in said
    assert "hope: seed 0: RuntimeError: <b> & no luck" in said
    for part in ("largest <error>", "97.50 % [91.15, 100.00]", "abacus", "0123456789ab", "c0de"):
        assert part in said
    first = path.read_bytes()
    write_report(some_results(), path)
    assert path.read_bytes() == first


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
        "fail: sorting, seconds\nerror: hanging, hope\n5 claims, 2 of them do not hold\n" in printed
    )
    assert options == {"full": False, "only": ["sorting"], "seeds": 1, "processes": None}
    assert command_line.main(["--output", str(tmp_path)]) == 0
    assert (tmp_path / "index.html").is_file()


def test_report_of_results_measured_before(registry, tmp_path, monkeypatch, capsys):
    registry.EXPERIMENTS = (experiment("sorting"), experiment("more"))
    monkeypatch.setattr(runner.judged_again, "__kwdefaults__", {"registry": "fake_registry"})
    path = tmp_path / "results.json"
    stricter = dataclasses.replace(ACCURACY, at_least=0.99)
    Results({"sorting": (stricter,)}, accuracies(0.98)).save(path)
    arguments = ["--measured", str(path), "--output", str(tmp_path / "again")]
    assert command_line.main(arguments) == 0  # held to the bound of today
    assert (tmp_path / "again" / "index.html").is_file()
    assert registry.ran == []
    Results({"sorting": (SECONDS,)}, [run_of(seconds=1.0)]).save(path)
    assert command_line.main(arguments) == 1
    assert "measured other claims: accuracy, seconds" in capsys.readouterr().err


def positions(svg, kind):
    """Where the parts of a row's picture stand, from left to right."""
    return sorted(map(float, re.findall(rf'class="{kind}" (?:cx|x1?|d)="M?([\d.-]+)', svg)))


def test_picture_of_a_row_is_to_scale():
    claim = Claim("accuracy", "", "", at_least=0.9, target=1.0)
    svg = charts.row_picture(outcome(claim, *accuracies(0.95, 0.975)))
    (bound,), (truth,), seeds = (positions(svg, kind) for kind in ("bound", "truth", "seed"))
    (shaded,) = positions(svg, "allowed")
    low, high = outcome(claim, *accuracies(0.95, 0.975)).interval
    assert shaded == bound
    assert len(seeds) == 2
    scale = (seeds[1] - seeds[0]) / 0.025
    assert seeds[0] - bound == pytest.approx(0.05 * scale, abs=0.3)
    assert truth + 5 - seeds[1] == pytest.approx(0.025 * scale, abs=0.3)
    assert positions(svg, "interval")[0] == pytest.approx(bound + (low - 0.9) * scale, abs=0.3)
    assert high > 1


def test_picture_of_a_row_is_logarithmic_over_decades():
    claim = Claim("accuracy", "", "", at_most=1e-12)
    svg = charts.row_picture(outcome(claim, *accuracies(1e-16, 1e-14)))
    first, second = positions(svg, "seed")
    assert second - first == pytest.approx(positions(svg, "bound")[0] - second, abs=0.3)


def test_no_picture_of_one_number_or_of_none():
    assert charts.row_picture(outcome(Claim("accuracy", "", ""), *accuracies(1))) == ""
    assert charts.row_picture(outcome(ACCURACY, run_of(error="no luck"))) == ""
    assert charts.row_picture(outcome(ACCURACY, *accuracies(math.nan))) == ""


# --- the claims ----------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True], ids=["embedded", "full"])
def test_names_are_unique_and_needs_are_there(full):
    chosen = [experiment for experiment in EXPERIMENTS if experiment.full in (None, full)]
    names = [experiment.name for experiment in chosen]
    assert len(set(names)) == len(names)
    for experiment in chosen:
        claims = [claim.name for claim in experiment.claims]
        assert len(set(claims)) == len(claims) > 0
        assert set(experiment.needs) <= set(names)
        assert experiment.seeds >= 1


def test_every_claim_has_a_truth_and_a_source_beside_it():
    for experiment in EXPERIMENTS:
        for claim in experiment.claims:
            assert claim.truth, claim.name
            assert claim.source, claim.name
            assert claim.unit in ("%", "points", "nats", "s", "") or len(claim.unit) < 12, (
                claim.name
            )
