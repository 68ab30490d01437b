"""The measurements of finance: nothing looks ahead, a plant is found, notebook 18 shows them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import reproduction
from reproduction.experiments import finance
from simmim_lite import datasets

CLONE = Path(__file__).resolve().parents[2]


def test_no_feature_and_no_value_at_risk_depends_on_later_returns():
    returns, _ = finance.simulate(1500, seed=0)
    changed = np.where(np.arange(1500) > 1000, 0.05, returns)
    assert np.array_equal(
        finance.features(returns)[:1001], finance.features(changed)[:1001], equal_nan=True
    )
    for filtered in (False, True):
        before, after = (finance.exceedances(r, filtered=filtered) for r in (returns, changed))
        assert np.array_equal(before[:501], after[:501])  # the first 500 days have none


def test_outcomes_of_training_are_known_before_the_first_test_day():
    train, test = finance.days_of(np.zeros(2000))
    found = datasets.find_leaks({"day": train + 1}, {"day": test}, times=["day"])
    assert len(found["day"]) == 0
    late = np.append(train, test[0] - 1)
    assert len(datasets.find_leaks({"day": late + 1}, {"day": test}, times=["day"])["day"]) == 1


def test_speeches_are_purged():
    days = pd.bdate_range("2020-01-01", periods=600)
    prices = pd.Series(np.exp(np.random.default_rng(0).standard_normal(600)), days)
    train = pd.DataFrame({"text": ["growth gains", "losses decline"] * 150}, index=days[:300])
    speeches = {"train": train, "test": train.iloc[:250].set_axis(days[300:550])}
    for horizon, last in ((1, 299), (5, 295)):
        _, kept = finance.speech_study(prices, speeches, "text", "logistic", horizon)
        assert kept.max() == last


def test_a_speech_on_a_sunday_starts_from_the_close_of_friday():
    prices = pd.DataFrame(index=pd.bdate_range("2020-01-01", periods=10))
    (day,) = finance.speech_days(prices, pd.DatetimeIndex(["2020-01-05"]))
    assert prices.index[day] == pd.Timestamp("2020-01-03")


def test_intervals_agree_with_the_bootstrap_and_a_plant_is_found():
    generator = np.random.default_rng(0)
    labels = np.arange(400) % 2
    scores = labels + generator.standard_normal(400)
    ours, other = finance.delong(scores, labels), finance.block_interval(scores, labels)
    assert ours.value == pytest.approx(other.value)
    assert ours.low == pytest.approx(other.low, abs=0.02)
    returns, _ = finance.simulate(seed=5)
    assert finance.planted_study(0.5, returns, seed=0).low > 0.5


def test_notebook_18_shows_the_stored_tries():
    results = reproduction.kept(CLONE, full=True)
    values = {o.claim.id: o for o in results.outcomes if o.experiment == "finance-real"}
    script = (CLONE / "notebooks" / "scripts" / "18_finance.py").read_text(encoding="utf-8")
    shown = re.findall(
        r"(title|text) (logistic|bayes) (\d) (\w+) ([\d.]+) ([\d.]+) ([\d.]+)", script
    )
    assert [(t, m, int(d), s) for t, m, d, s, *_ in shown] == finance.TRIES
    for number, row in enumerate(shown, start=1):
        outcome = values[f"try-{number:02}"]
        found = (outcome.mean, *outcome.interval)
        assert [float(x) for x in row[4:]] == pytest.approx(found, abs=5.1e-4)
