"""Intervals: against other formulas, and by how often they hold what they should."""

import numpy as np
import pytest
from scipy import stats

from simmim_lite.evaluation import bootstrap_interval, seed_interval, wilson_interval


def test_bootstrap_is_near_the_formula_for_a_mean():
    x = np.random.default_rng(0).standard_normal(400)
    found, error = bootstrap_interval(x), stats.sem(x)
    assert found.value == x.mean()
    # Ends from 2,000 resamples wander by about 0.05 standard errors; BCa adds as much.
    assert found.low == pytest.approx(x.mean() - 1.96 * error, abs=0.25 * error)
    assert found.high == pytest.approx(x.mean() + 1.96 * error, abs=0.25 * error)
    assert bootstrap_interval(x) == found
    assert bootstrap_interval(x, seed=1) != found


def test_bootstrap_follows_a_skewed_statistic_where_a_symmetric_interval_fails():
    rng = np.random.default_rng(1)
    held = longer = 0
    for seed in range(100):
        x = rng.standard_exponential(40)
        found = bootstrap_interval(x, statistic=np.var, resamples=300, seed=seed)
        longer += found.high - found.value > found.value - found.low
        held += found.low <= 1 <= found.high
    assert longer > 90
    # A nominal 95, that falls short for so few of so skewed ones.
    assert 70 <= held <= 100


def test_bootstrap_of_pairs_and_of_groups():
    rng = np.random.default_rng(2)
    first = rng.random(500) < 0.8
    second = first.copy()
    second[:20] = ~second[:20]
    both = np.c_[first, second]
    gain = bootstrap_interval(both, statistic=lambda x: x[:, 1].mean() - x[:, 0].mean())
    apart = [bootstrap_interval(x) for x in (first, second)]
    assert gain.high - gain.low < 0.7 * max(i.high - i.low for i in apart)  # pairs are paired

    groups = np.repeat(np.arange(20), 25)
    same = rng.standard_normal(20)[groups]  # 20 numbers, 25 times each
    wide = bootstrap_interval(same, groups=groups)
    narrow = bootstrap_interval(same)
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(5, rel=0.2)
    each = bootstrap_interval(same, groups=np.random.default_rng(0).permutation(500))
    assert each.high - each.low == pytest.approx(narrow.high - narrow.low, rel=0.15)


def test_bootstrap_of_equal_outcomes_has_no_width_and_a_share_has():
    assert bootstrap_interval(np.ones(100, bool)) == (1, 1, 1)
    none_wrong = wilson_interval(np.ones(1000, bool))
    assert none_wrong.value == none_wrong.high == 1
    assert none_wrong.low == pytest.approx(1 - 3.84 / 1000, abs=1e-4)


@pytest.mark.parametrize("share", [0.5, 0.98])
def test_share_interval_holds_the_truth_as_often_as_it_says(share):
    draws = np.random.default_rng(3).random((1000, 200)) < share
    ends = np.array([wilson_interval(row) for row in draws])
    held = ((ends[:, 1] <= share) & (share <= ends[:, 2])).mean()
    assert 0.92 < held < 0.98  # discrete outcomes: not exactly 0.95
    assert (ends[:, 0] == draws.mean(axis=1)).all()
    assert wilson_interval(draws[0], level=0.5).low > wilson_interval(draws[0]).low


def test_seed_interval_is_that_of_scipy_and_wide_for_few():
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
        (seed_interval, ([[1, 2], [3, 4]],), "values: .*one a run"),
        (wilson_interval, ([0.5, 1],), "right: .*0 and 1"),
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
    with pytest.raises(ValueError, match="level: "):
        bootstrap_interval([1, 2, 3], level=95)
