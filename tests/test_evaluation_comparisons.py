"""Tables of estimators and bounds: each row is the estimate that its columns name."""

import math

import numpy as np
import pytest
import torch

from simmim_lite import bounds
from simmim_lite.evaluation import compare_estimators, staircase
from simmim_lite.ground_truth import AdditiveNoise, CorrelatedGaussian
from simmim_lite.mutual_information import estimate


class BilinearCritic(torch.nn.Module):
    """Scores x' W y, W zero at first."""

    def __init__(self, dim_x, dim_y):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(dim_x, dim_y))

    def forward(self, x, y):
        return x @ self.weight @ y.T


SOURCES = {"pair": CorrelatedGaussian(nats=1.0), 7: AdditiveNoise(0.25)}


def test_compare_estimators_has_a_row_per_estimate():
    frame = compare_estimators(SOURCES, ("gaussian", "ksg"), n=200, seeds=3)
    assert len(frame) == 2 * 2 * 3
    assert frame["source"].tolist() == ["pair"] * 6 + [7] * 6
    row = frame[(frame["source"] == 7) & (frame["method"] == "ksg") & (frame["seed"] == 2)].iloc[0]
    found = estimate(*SOURCES[7].sample(200, 2), "ksg", seed=2)
    assert (row["nats"], row["standard_error"]) == (found.nats, found.standard_error)
    assert row["truth"] == SOURCES[7].mutual_information
    assert row["error"] == row["nats"] - row["truth"]


def test_all_methods_get_the_same_samples():
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


def test_staircase_trains_with_the_objective_of_a_named_bound():
    entry = bounds.BOUNDS["smile"]
    frames = [
        staircase(BilinearCritic(20, 20), objective, functions, levels=(2,), steps=3)
        for objective, functions in (
            ("smile", {"smile": entry.function}),
            (entry.objective, {"smile": entry.function}),
        )
    ]
    assert frames[0].equals(frames[1])
    with pytest.raises(ValueError, match=r"objective: expected one of .*'ba'"):
        staircase(BilinearCritic(20, 20), "ba", {}, levels=(2,), steps=1)


def test_staircase_draws_pairs_with_the_stated_information_and_trains():
    seen = []

    class Watching(BilinearCritic):
        def forward(self, x, y):
            seen.append((x, y))
            return super().forward(x, y)

    frame = staircase(
        Watching(20, 20),
        bounds.info_nce,
        {"InfoNCE": bounds.info_nce},
        levels=(1, 6),
        steps=600,
    )
    assert frame["level"].tolist() == [1] * 600 + [6] * 600
    for part, nats in ((seen[:600], 1), (seen[600:], 6)):
        x, y = (torch.cat(values).numpy() for values in zip(*part, strict=True))
        correlation = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(x.T, y.T, strict=True)])
        assert -10 * math.log(1 - correlation**2) == pytest.approx(nats, abs=0.05 * nats)
        assert np.std(y) == pytest.approx(1, abs=0.01)
    assert frame["InfoNCE"][:10].mean() < 0.3
    assert 2.5 < frame["InfoNCE"][-20:].mean() < math.log(64)


def test_staircase_cubes_y():
    seen = []

    class Watching(BilinearCritic):
        def forward(self, x, y):
            seen.append(y)
            return super().forward(x, y)

    for cubed in (False, True):
        staircase(Watching(20, 20), bounds.nwj, {}, levels=(2,), steps=1, cubed=cubed)
    torch.testing.assert_close(seen[0] ** 3, seen[1])
