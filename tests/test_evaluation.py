"""Tables of results: every row is the estimate that it says it is."""

import pytest

from simmim_lite.evaluation import compare_estimators
from simmim_lite.ground_truth import AdditiveNoise, CorrelatedGaussian
from simmim_lite.mutual_information import estimate

SOURCES = {"pair": CorrelatedGaussian(nats=1.0), 7: AdditiveNoise(0.25)}


def test_compare_estimators_gives_a_row_for_each_estimate():
    frame = compare_estimators(SOURCES, ("gaussian", "ksg"), n=200, seeds=3)
    assert len(frame) == 2 * 2 * 3
    assert frame["source"].tolist() == ["pair"] * 6 + [7] * 6
    row = frame[(frame["source"] == 7) & (frame["method"] == "ksg") & (frame["seed"] == 2)].iloc[0]
    found = estimate(*SOURCES[7].sample(200, 2), "ksg", seed=2)
    assert (row["nats"], row["standard_error"]) == (found.nats, found.standard_error)
    assert row["truth"] == SOURCES[7].mutual_information
    assert row["error"] == row["nats"] - row["truth"]


def test_methods_see_the_same_samples():
    frame = compare_estimators(SOURCES, ("gaussian", "gaussian"), n=100, seeds=2)
    first, second = frame.iloc[::2], frame.iloc[1::2]
    assert first["nats"].tolist() == second["nats"].tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ("kgs",), "n": 100, "seeds": 1}, "method: .*'kgs'"),
        ({"methods": ("ksg",), "n": 0, "seeds": 1}, "n: .*got 0"),
        ({"methods": ("ksg",), "n": 100, "seeds": 0}, "seeds: .*got 0"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        compare_estimators(SOURCES, **options)
