"""The default estimator of mutual information on tasks that were not used to develop it."""

import math
import time

import numpy as np

from reproduction.claims import Claim, Experiment, Interval, Setting
from reproduction.experiments.mi_tasks import HELD_OUT
from simmim_lite.ground_truth import CorrelatedGaussian, GroundTruth, MonotoneTransform
from simmim_lite.mutual_information import estimate

_PAIRS = 10_000
_FIRST = {family: dict([next(iter(tasks.items()))]) for family, tasks in HELD_OUT.items()}
_ALL = sum(map(len, HELD_OUT.values()))
_LEVELS = (2, 4, 6, 8, 10)  # nats, the staircase of Poole et al. 2019


def _claims(tasks: int, mean: float, worst: float, covered: float) -> tuple[Claim, ...]:
    exact = {
        "truth": "0 nats; true values are exact or from a million samples",
        "source": "reproduction/experiments/mi_tasks.py",
        "unit": "nats",
        "notebook": "03",
    }
    return (
        Claim(
            id="mean-error",
            name=f"mean absolute error of the default estimator, {tasks} tasks",
            at_most=mean,
            **exact,
        ),
        Claim(
            id="largest-error",
            name=f"largest absolute error of the default estimator, {tasks} tasks",
            at_most=worst,
            worst_at_most=worst,
            **exact,
        ),
        Claim(
            id="coverage",
            name=f"coverage of intervals of two standard errors, {tasks} tasks",
            truth="normal and unbiased errors: 95.4 %",
            source="normal distribution",
            unit="%",
            at_least=covered,
            notebook="03",
        ),
        Claim(
            id="seconds",
            name=f"mean CPU seconds of the default estimator, {tasks} tasks",
            truth="no limit",
            source="10,000 pairs, one thread",
            unit="s",
        ),
        Claim(
            id="staircase-error",
            name="largest error of the default estimator, 2 to 10 nats, cubed Gaussian pairs",
            truth="0 nats; InfoNCE with batches of 64 stops at ln 64 = 4.159 nats",
            source="Poole et al. 2019, arXiv:1905.06922",
            unit="nats",
            at_most=0.25,
            worst_at_most=0.25,
            notebook="03",
        ),
    )


def _measure(
    setting: Setting, tasks: dict[str, dict[str, GroundTruth]]
) -> dict[str, float | Interval]:
    errors, covered, seconds = [], [], []
    for truth in [truth for family in tasks.values() for truth in family.values()]:
        x, y = truth.sample(_PAIRS, setting.seed)
        start = time.process_time()
        found = estimate(x, y, seed=setting.seed)
        seconds.append(time.process_time() - start)
        errors.append(found.nats - truth.mutual_information)
        allowed = 2 * math.hypot(found.standard_error, truth.mutual_information_error)
        covered.append(abs(errors[-1]) <= allowed)
    errors = np.abs(errors)
    half = 1.96 * errors.std(ddof=1) / math.sqrt(len(errors))
    mean = Interval(errors.mean(), errors.mean() - half, errors.mean() + half)
    return {
        "mean-error": mean,
        "largest-error": errors.max(),
        "coverage": np.mean(covered),
        "seconds": np.mean(seconds),
        "staircase-error": _staircase_error(setting),
    }


def _staircase_error(setting: Setting) -> float:
    """Largest error over the levels: 4,000 pairs each, 20 and 20 columns, y cubed."""
    errors = []
    for nats in _LEVELS:
        truth = MonotoneTransform(CorrelatedGaussian(20, nats=nats), "identity", "cube")
        found = estimate(*truth.sample(4000, seed=100 * setting.seed + nats), seed=setting.seed)
        errors.append(abs(found.nats - nats))
    return max(errors)


EXPERIMENTS = (
    Experiment(
        "estimators",
        _claims(len(_FIRST), mean=0.03, worst=0.15, covered=0.8),
        lambda setting: _measure(setting, _FIRST),
        full=False,
    ),
    Experiment(
        "estimators",
        _claims(_ALL, mean=0.02, worst=0.15, covered=0.9),
        lambda setting: _measure(setting, HELD_OUT),
        seeds=2,
        full=True,
    ),
)
