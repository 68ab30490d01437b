"""The default estimator of mutual information on tasks that it was not developed on."""

import math
import time

import numpy as np

from reproduction.claims import Claim, Experiment, Interval, Setting
from reproduction.experiments.mi_tasks import HELD_OUT
from simmim_lite.ground_truth import CorrelatedGaussian, GroundTruth, MonotoneTransform
from simmim_lite.mutual_information import estimate

_PAIRS = 10_000
_TRUTH = "0 nats: every task has an exact mutual information, or one of a million draws"
_FIRST = {family: dict([next(iter(tasks.items()))]) for family, tasks in HELD_OUT.items()}


_LEVELS = (2, 4, 6, 8, 10)  # nats, the stairs of Poole et al. 2019
_STAIRS = Claim(
    "default estimator on the cubed stairs of 2 to 10 nats, largest error",
    "0 nats; InfoNCE with batches of 64 ends at ln 64 = 4.159 nats",
    "Poole et al. 2019, arXiv:1905.06922",
    "nats",
    at_most=0.25,
    worst_at_most=0.25,
    notebook="03",
)


def _claims(tasks: str, mean: float, worst: float, covered: float) -> tuple[Claim, ...]:
    source = "reproduction/experiments/mi_tasks.py"
    return (
        Claim(
            f"default estimator, mean absolute error on {tasks} tasks",
            _TRUTH,
            source,
            "nats",
            at_most=mean,
            notebook="03",
        ),
        Claim(
            f"default estimator, worst of {tasks} tasks",
            _TRUTH,
            source,
            "nats",
            at_most=worst,
            worst_at_most=worst,
            notebook="03",
        ),
        Claim(
            f"truth within two standard errors, {tasks} tasks",
            "95.4 %, if errors were normal and unbiased",
            "normal distribution",
            "%",
            at_least=covered,
            notebook="03",
        ),
        Claim(
            f"default estimator, CPU seconds on average, {tasks} tasks",
            "no bound but the reader's patience",
            "10,000 pairs, one thread",
            "s",
        ),
        _STAIRS,
    )


def _measure(
    setting: Setting, tasks: dict[str, dict[str, GroundTruth]], claims: tuple[Claim, ...]
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
    measured = (mean, errors.max(), np.mean(covered), np.mean(seconds), _error_on_stairs(setting))
    return {claim.name: value for claim, value in zip(claims, measured, strict=True)}


def _error_on_stairs(setting: Setting) -> float:
    """Of 4,000 pairs in 20 and 20 columns a level, y cubed."""
    errors = []
    for nats in _LEVELS:
        truth = MonotoneTransform(CorrelatedGaussian(20, nats=nats), "identity", "cube")
        found = estimate(*truth.sample(4000, seed=100 * setting.seed + nats), seed=setting.seed)
        errors.append(abs(found.nats - nats))
    return max(errors)


_SHORT = _claims("10", mean=0.03, worst=0.15, covered=0.8)
_ALL = _claims("39", mean=0.02, worst=0.15, covered=0.9)

EXPERIMENTS = (
    Experiment("estimators", _SHORT, lambda setting: _measure(setting, _FIRST, _SHORT), full=False),
    Experiment(
        "estimators", _ALL, lambda setting: _measure(setting, HELD_OUT, _ALL), seeds=2, full=True
    ),
)
