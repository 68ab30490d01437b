"""Verdicts, intervals, stored results, and the form of every claim."""

import json
import math
import re

import pytest
import scipy.stats
from example_results import (
    ACCURACY,
    PROVENANCE,
    accuracies,
    accuracy,
    outcome,
    run_of,
    some_results,
)

from reproduction import Experiment, Results
from reproduction.claims import checked_values
from reproduction.experiments import EXPERIMENTS


@pytest.mark.parametrize(
    ("claim", "values", "verdict"),
    [
        (ACCURACY, [0.98, 0.97], "pass"),
        (ACCURACY, [0.96, 0.97], "fail"),  # the mean is too low
        (ACCURACY, [0.94, 1.0, 1.0], "fail"),  # a seed is
        (ACCURACY, [0.98, math.nan], "fail"),
        (accuracy(at_most=1.0), [-math.inf], "fail"),
        (accuracy(at_most=1.0, at_least=0.5), [1.0], "pass"),
        (accuracy(at_most=1.0, at_least=0.5), [1.1], "fail"),
        (accuracy(at_most=1.0, worst_at_most=1.2), [0.5, 1.3], "fail"),
        (accuracy(), [0.1], "reported"),
        (accuracy(), [math.nan], "fail"),
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
    assert outcome(ACCURACY, *accuracies(0.1, -0.1)).interval[0] < -1  # a change, no fraction
    assert outcome(ACCURACY, *accuracies(0.97)).interval is None
    assert outcome(ACCURACY, *accuracies((0.97, 0.96, 0.98))).interval == (0.96, 0.98)


@pytest.mark.parametrize(
    ("bounds", "worst"),
    [({"at_least": 2}, 1), ({"at_most": 2}, 9), ({"worst_at_least": 0, "at_most": 20}, 1)],
)
def test_worst_is_the_nearest_to_its_bound_or_beyond(bounds, worst):
    assert outcome(accuracy(**bounds), *accuracies(9, 1, 5)).worst == worst


def test_worst_needs_a_bound():
    assert math.isnan(outcome(accuracy(), *accuracies(9, 1)).worst)


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
    (tmp_path / "x.json").write_text('{"format": 1, "claims": []}', encoding="utf-8")
    with pytest.raises(ValueError, match="expected results of format 2, got 1"):
        Results.load(tmp_path / "x.json")


def test_measured_ids_are_those_of_the_claims():
    experiment = Experiment("sorting", (ACCURACY,), dict)
    assert checked_values(experiment, {"accuracy": 1}) == {"accuracy": (1.0,)}
    with pytest.raises(
        ValueError, match="sorting: measured and claimed ids differ: accuracy, speed"
    ):
        checked_values(experiment, {"speed": 1})
    with pytest.raises(ValueError, match="measured other claims: accuracy, speed"):
        Results({"sorting": (ACCURACY,)}, [run_of(speed=1.0)])


@pytest.mark.parametrize("full", [False, True], ids=["embedded", "full"])
def test_ids_are_unique_and_needs_are_there(full):
    chosen = [experiment for experiment in EXPERIMENTS if experiment.full in (None, full)]
    names = [experiment.name for experiment in chosen]
    assert len(set(names)) == len(names)
    for experiment in chosen:
        ids = [claim.id for claim in experiment.claims]
        assert len(set(ids)) == len(ids) > 0
        assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", claim) for claim in ids), ids
        assert len({claim.name for claim in experiment.claims}) == len(ids)
        assert set(experiment.needs) <= set(names)
        assert experiment.seeds >= 1


def test_every_claim_has_a_reference_value_and_a_source():
    for experiment in EXPERIMENTS:
        for claim in experiment.claims:
            assert claim.truth, claim.id
            assert claim.source, claim.id
            assert claim.unit in ("%", "points", "nats", "s", "") or len(claim.unit) < 12, claim.id
