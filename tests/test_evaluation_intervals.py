"""Intervals: other formulas, and how often they contain the truth; folds with planted speakers."""

from unittest import mock

import numpy as np
import pytest
from scipy import stats

from simmim_lite.evaluation import (
    _intervals,
    bootstrap_interval,
    cross_validate,
    fit_linear_probe,
    fold_interval,
    grouped_folds,
    seed_interval,
    shuffled_folds,
    wilson_interval,
)


def test_bootstrap_is_close_to_the_formula_for_a_mean():
    x = np.random.default_rng(0).standard_normal(400)
    found, error = bootstrap_interval(x), stats.sem(x)
    assert found.value == x.mean()
    # The ends vary by about 0.05 standard errors with 2,000 resamples, and as much with BCa.
    assert found.low == pytest.approx(x.mean() - 1.96 * error, abs=0.25 * error)
    assert found.high == pytest.approx(x.mean() + 1.96 * error, abs=0.25 * error)
    assert bootstrap_interval(x) == found
    assert bootstrap_interval(x, seed=1) != found


def test_bootstrap_is_asymmetric_for_a_skewed_statistic():
    rng = np.random.default_rng(1)
    covered = longer = 0
    with mock.patch.object(_intervals, "_RESAMPLES", 300):
        for seed in range(100):
            x = rng.standard_exponential(40)
            found = bootstrap_interval(x, statistic=np.var, seed=seed)
            longer += found.high - found.value > found.value - found.low
            covered += found.low <= 1 <= found.high
    assert longer > 90
    # Nominally 95; too few for such a small and skewed sample.
    assert 70 <= covered <= 100


def test_bootstrap_of_pairs_and_of_groups():
    rng = np.random.default_rng(2)
    first = rng.random(500) < 0.8
    second = first.copy()
    second[:20] = ~second[:20]
    both = np.c_[first, second]
    gain = bootstrap_interval(both, statistic=lambda x: x[:, 1].mean() - x[:, 0].mean())
    apart = [bootstrap_interval(x) for x in (first, second)]
    assert gain.high - gain.low < 0.7 * max(i.high - i.low for i in apart)  # the pairing is used

    groups = np.repeat(np.arange(20), 25)
    same = rng.standard_normal(20)[groups]  # 20 numbers, each 25 times
    wide = bootstrap_interval(same, groups=groups)
    narrow = bootstrap_interval(same)
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(5, rel=0.2)
    each = bootstrap_interval(same, groups=np.random.default_rng(0).permutation(500))
    assert each.high - each.low == pytest.approx(narrow.high - narrow.low, rel=0.15)


def test_equal_outcomes_have_bootstrap_width_0_and_a_wilson_interval():
    assert bootstrap_interval(np.ones(100, bool)) == (1, 1, 1)
    perfect = wilson_interval(np.ones(1000, bool))
    assert perfect.value == perfect.high == 1
    assert perfect.low == pytest.approx(1 - 3.84 / 1000, abs=1e-4)


def test_an_interval_without_bca_ends_is_that_of_the_quantiles():
    median = bootstrap_interval([0] * 9 + [1], statistic=np.median)
    assert median == (0, 0, 0)
    # Both groups have the mean 0.5, and so has each sample of groups.
    assert bootstrap_interval([0, 1, 0, 1], groups=[0, 0, 1, 1]) == (0.5, 0.5, 0.5)
    many = bootstrap_interval([0] * 7 + [1] * 3, statistic=np.median)
    assert many.low == 0
    assert many.high == 1
    with pytest.raises(ValueError, match="statistic: expected finite numbers"):
        bootstrap_interval([0, 1, 2], statistic=lambda x: np.nan if x.min() == x.max() else 1)


@pytest.mark.parametrize("accuracy", [0.5, 0.98])
def test_wilson_interval_contains_the_truth_as_often_as_its_level(accuracy):
    draws = np.random.default_rng(3).random((1000, 200)) < accuracy
    ends = np.array([wilson_interval(row) for row in draws])
    covered = ((ends[:, 1] <= accuracy) & (accuracy <= ends[:, 2])).mean()
    assert 0.92 < covered < 0.98  # discrete outcomes: not exactly 0.95
    assert (ends[:, 0] == draws.mean(axis=1)).all()


def test_seed_interval_agrees_with_scipy_and_covers_with_three_runs():
    values = [0.91, 0.94, 0.93, 0.95]
    found = seed_interval(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found == pytest.approx((np.mean(values), *expected))
    draws = np.random.default_rng(4).standard_normal((2000, 3))
    ends = np.array([seed_interval(row) for row in draws])
    assert 0.935 < ((ends[:, 1] < 0) & (ends[:, 2] > 0)).mean() < 0.965


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (seed_interval, ([0.9],), "values: .*at least 2"),
        (seed_interval, ([[1, 2], [3, 4]],), "values: .*one number per run"),
        (wilson_interval, ([0.5, 1],), "correct: .*0 and 1"),
        (bootstrap_interval, ([np.nan, 1],), "outcomes: .*row 0"),
    ],
)
def test_intervals_refuse(function, arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        function(*arguments)


def test_bootstrap_refuses_groups_that_do_not_fit():
    with pytest.raises(ValueError, match=r"outcomes and groups: .*same number"):
        bootstrap_interval([1, 2, 3], groups=[0, 1])
    with pytest.raises(ValueError, match="groups: expected at least two, got one"):
        bootstrap_interval([1, 2, 3], groups=["a"] * 3)


# Folds


LABELS = np.tile(np.arange(5), 60)


SPEAKERS = np.repeat([f"voice {i}" for i in range(12)], 25)


@pytest.mark.parametrize("folds", [2, 5, 12])
def test_grouped_folds_keep_groups_apart_and_validate_each_row_once(folds):
    plan = grouped_folds(LABELS, SPEAKERS, folds=folds)
    assert len(plan) == folds
    for train, validation in plan:
        assert not set(SPEAKERS[train]) & set(SPEAKERS[validation])
        assert sorted([*train, *validation]) == list(range(300))
        assert np.bincount(LABELS[validation]).min() > 0
    assert sorted(np.concatenate([validation for _, validation in plan])) == list(range(300))
    again = grouped_folds(LABELS, SPEAKERS, folds=folds)
    assert all((a[1] == b[1]).all() for a, b in zip(plan, again, strict=True))


def test_shuffled_folds_mix_groups_and_are_stratified():
    for train, validation in shuffled_folds(LABELS, folds=5):
        assert len(set(SPEAKERS[train]) & set(SPEAKERS[validation])) > 6
        assert np.bincount(LABELS[validation]).tolist() == [12] * 5
        assert not set(train) & set(validation)


def test_knowledge_of_speakers_helps_in_shuffled_folds_only():
    """Labels that depend on the speaker, and features that identify the speaker."""
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(20), 15)
    labels = (rng.permutation(20) % 2)[speakers]
    x = rng.standard_normal((20, 30))[speakers] + 0.1 * rng.standard_normal((300, 30))

    def metric(train, validation):
        probe = fit_linear_probe(x[train], labels[train], C=100)
        return probe.score(x[validation], labels[validation])

    table = cross_validate(metric, labels, speakers, folds=5)
    means = table.groupby("kind")["value"].mean()
    assert means["shuffled"] > 0.95
    assert means["grouped"] < 0.8  # 20 coin tosses, unknown from 16 others: 2 SD above 1/2
    assert table.groupby("kind")["items"].sum().tolist() == [300, 300]


def test_fold_interval_is_wider_because_training_sets_overlap():
    values = np.array([0.9, 0.92, 0.94, 0.9, 0.89])
    found = fold_interval(values)
    naive = values.std(ddof=1) / np.sqrt(5)
    assert found.value == pytest.approx(values.mean())
    # 2.7764 is Student's t with 4 degrees of freedom, sqrt(1 + 5 / 4) the correction.
    assert found.high - found.value == pytest.approx(2.7764 * naive * 1.5, rel=1e-4)
    assert found.value - found.low == pytest.approx(found.high - found.value)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (grouped_folds, ([0, 1, 0, 1], ["a", "a", "b", "b"]), "groups: expected 5 or more"),
        (grouped_folds, ([0, 1, 0], ["a", "b"]), "labels and groups: .*same number"),
        (shuffled_folds, ([0] * 9 + [1],), "labels: expected 5 or more items of each class, got 1"),
        (fold_interval, ([0.9],), "values: "),
    ],
)
def test_folds_refuse(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)
