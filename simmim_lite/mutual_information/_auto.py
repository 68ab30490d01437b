"""The default estimator: choice of a method, and preparation of samples for `learned`."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from simmim_lite._arguments import (
    as_array,
    as_labels,
    as_samples,
    check_choice,
    check_number,
    is_symbolic,
)
from simmim_lite._numerics import center_and_scale
from simmim_lite._random import random_generator
from simmim_lite.mutual_information._estimate import (
    Estimate,
    distinct_columns,
    distinct_pairs,
    groups_of_rows,
    normal_scores,
    paired_samples,
)
from simmim_lite.mutual_information._formulas import chao_shen, jackknife, shuffle_corrected
from simmim_lite.mutual_information._neighbors import ksg, looks_like_function, ross

_MOST_SAMPLES = 100_000  # for the networks; the Gaussian part uses all
_MOST_COLUMNS = 256
_MOST_PARTS = 36  # columns, or pairs of columns, that are compared with all of them
_FEW_SAMPLES = 4000  # for this comparison


def auto(
    x: Any,
    y: Any,
    *,
    discrete: str | None = None,
    seconds: float | None = None,
    device: Any = None,
    seed: int = 0,
) -> Estimate:
    """Choose an estimator that suits the data, and apply it.

    `shuffle_corrected` for two variables with symbols, `ross` for symbols and one or two columns of
    numbers, `learned` otherwise. A constant variable gives 0. The ``reason`` of the estimate
    explains the choice. The error of `ross` includes the difference to 10 neighbors.

    Args:
        discrete: the variables with symbols: "x", "y", "both" or "neither". None: words, and
            numbers of any dtype with at most N / 50 distinct rows (or 2); or at most N / 10, if
            each column has 20 or fewer that are whole or evenly spaced, or all of 0..K-1 or 1..K.
        seconds, device, seed: see `learned`.
    """
    check_choice("discrete", discrete, (None, "x", "y", "both", "neither"))
    x, y, seconds, note = _in_time(x, y, seconds)
    if discrete is None:
        symbols = [name for name, value in (("x", x), ("y", y)) if is_symbolic(name, value)]
    else:
        symbols = {"both": ["x", "y"], "neither": []}.get(discrete, [discrete])
    of_x, of_y = paired_samples(x, y, symbols)
    for name, values in (("x", of_x), ("y", of_y)):
        if np.isinf(center_and_scale(values)[1]).all():
            return Estimate(0.0, 0.0, "constant", f"{name} is constant")
    options = {"seconds": seconds, "device": device, "seed": seed}
    if len(symbols) == 2:
        found = _symbols(of_x, of_y, seed)
    elif not symbols:
        found = learned(x, y, **options)
    else:
        labels, numbers = (of_x, of_y) if symbols == ["x"] else (of_y, of_x)
        sizes = np.bincount(labels)
        rare = (sizes <= 3)[labels]  # too few for `ross`
        if numbers.shape[1] <= 2 and 0 < rare.mean() < 0.02:
            labels, numbers = as_labels("labels", labels[~rare]), numbers[~rare]
            sizes = np.bincount(labels)
            note = "; ".join(filter(None, [note, f"{rare.sum()} samples of rare symbols left out"]))
        kept, _ = distinct_pairs(labels[:, None], numbers)
        shares = np.bincount(labels[kept], minlength=len(sizes)) / sizes
        # Copies of a rare symbol: `ross` would leave out most samples of the others.
        uneven = len(kept) >= 500 and shares.max() > 1.2 * shares.min()
        if numbers.shape[1] <= 2 and sizes.min() > 3 and not uneven:
            found = _neighbors(labels, numbers, kept, seed)
        else:
            found = learned(x, y, discrete=symbols[0], **options)
    return replace(found, reason="; ".join(filter(None, [found.reason, note])))


def _neighbors(
    labels: np.ndarray, numbers: np.ndarray, distinct: np.ndarray, seed: int
) -> Estimate:
    """Apply `ross`, with the difference to more neighbors as a part of the error."""
    found = ross(labels, numbers, discrete="x", seed=seed)
    reason = f"{int(labels.max()) + 1} symbols x {numbers.shape[1]} columns of numbers"
    # The bias grows with the number of neighbors; of few samples, it is seen with fewer neighbors.
    other, weight = (10, 1.0) if np.bincount(labels[distinct]).min() > 10 else (1, 1.5)
    bias = found.nats - ross(labels, numbers, n_neighbors=other, discrete="x", seed=seed).nats
    error = math.hypot(found.standard_error, weight * bias)
    reason = "; ".join([reason, *filter(None, [found.reason])])
    return replace(found, standard_error=error, reason=reason)


def _in_time(x: Any, y: Any, seconds: float | None) -> tuple[Any, Any, float | None, str]:
    """Return the rows that can be sorted and correlated in time, the time left, and a note."""
    if seconds is None:
        return x, y, None, ""
    start, seconds = time.monotonic(), check_number("seconds", seconds, minimum=0)
    x, y = as_array("x", x), as_array("y", y)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        return x, y, seconds, ""  # `paired_samples` raises the error
    columns, N = (x.size + y.size) / max(1, len(x)), len(x)
    most = max(1000, int(seconds / (4e-6 * columns + 4e-9 * columns**2)))
    if 1.1 * most >= N:
        return x, y, seconds, ""
    for name, value in (("x", x), ("y", y)):
        if value.dtype.kind == "f" and not np.isfinite(value.sum()):
            as_samples(name, value)  # raises the error of a row that may be left out
    kept = np.sort(random_generator(0, "samples in time").choice(N, most, replace=False))
    left = max(0.0, seconds - (time.monotonic() - start))
    return x[kept], y[kept], left, f"{most} of {N} samples used, as time is short"


def learned(
    x: Any,
    y: Any,
    *,
    discrete: str = "neither",
    seconds: float | None = None,
    device: Any = None,
    seed: int = 0,
) -> Estimate:
    """Estimate I with networks: conditional densities beyond `rank_gaussian`, or a classifier.

    With symbols in one variable, a classifier predicts them from the numbers. Otherwise densities
    of one variable's columns are learned with and without the other variable, and compared with
    critics and nearest neighbors, also of a part of the columns (``reason`` says which are taken).
    The estimate is no bound: its error has either sign. The standard error includes half the
    difference between held-out and training scores, and the difference between methods where they
    disagree.

    I is infinite if a column is a function of one or two columns of the other variable (tested with
    500 samples or more): the standard error is infinite then; an increasing or decreasing function
    raises ValueError. More than 256 columns, or N / 20, are
    reduced to as many principal components. In both cases the estimate is a lower bound. Networks
    learn from at most 100,000 samples, for the 10 columns that correlation explains worst.

    On 57 held-out distributions (N = 10,000; `reproduction.peers.bench_mutual_information`), `auto`
    has a mean absolute error of 0.017 nats, at most 0.114; two standard errors hold the truth in
    95 % of runs.

    Args:
        x, y: (N, dim_x) and (N, dim_y), N >= 50.
        discrete: "x" or "y", the variable with symbols, or "neither".
        seconds: time limit. A short one leaves the estimate too close to `rank_gaussian`, or to 0;
            of large data only a part is used then, as ``reason`` says.
        device: of the networks, as in PyTorch; None: the CPU.
        seed: for ties, folds, shuffling and initial weights.
    """
    from simmim_lite.mutual_information import _learned, _numbers  # imports torch

    check_choice("discrete", discrete, ("x", "y", "neither"))
    start = time.monotonic()
    x, y, seconds, note = _in_time(x, y, seconds)
    x, y = paired_samples(x, y, [discrete], minimum=50)
    x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
    generator = random_generator(seed, "learned")
    group, number, atoms = groups_of_rows(np.hstack([x, y]))
    if number < 50:
        expected = f'at least 50 distinct pairs, got {number}; for symbols, pass discrete="both"'
        raise ValueError(f"x and y: expected {expected}")
    distinct, counts = np.unique(group, return_index=True, return_counts=True)[1:]
    # Copies of a row share a fold; otherwise networks would be tested on training samples.
    folds = (generator.permutation(len(distinct)) % 5)[group]
    most = _MOST_SAMPLES if seconds is None else min(_MOST_SAMPLES, 1000 + int(5000 * seconds))
    order = generator.permutation(len(x))[:most]
    notes = [text for text in (note, atoms) if text]
    if len(distinct) < len(x):
        notes.append(f"{len(x) - len(distinct)} copies of rows, which add no information")
    x = x if discrete == "x" else _distinct("x", x, notes)
    y = y if discrete == "y" else _distinct("y", y, notes)
    if min(x.shape[1], y.shape[1]) == 0:
        return Estimate(0.0, 0.0, "learned", "; ".join(notes))
    limit = math.inf if seconds is None else max(0.0, seconds - (time.monotonic() - start))
    options: dict[str, Any] = {"limit": limit, "seed": seed}
    options["device"] = "cpu" if device is None else device
    if discrete != "neither":
        numbers, labels = (y, x) if discrete == "x" else (x, y)
        if labels.max() >= len(labels) / 2:
            got = f"{int(labels.max()) + 1} symbols in {len(labels)} samples"
            raise ValueError(
                f"{discrete}: expected symbols that occur several times, got {got}; "
                'for numbers, pass discrete="neither"'
            )
        kind = f"{int(labels.max()) + 1} symbols x {numbers.shape[1]} columns of numbers"
        samples = numbers[order], labels[order, 0], folds[order]
        found = _learned.by_classifier(*samples, **options)
        few, D = order[:_FEW_SAMPLES], numbers.shape[1]
        parts = [[j] for j in range(D)] if 1 < D <= _MOST_PARTS else []
        parts += [list(pair) for pair in combinations(range(D), 2)] if 2 < D <= 6 else []
        if np.bincount(labels[few, 0], minlength=labels.max() + 1).min() <= 10:
            parts = []

        def by_neighbors(part: list[int], k: int = 3) -> Estimate:
            few_labels, few_numbers = labels[few, 0], numbers[few][:, part]
            return ross(few_labels, few_numbers, n_neighbors=k, discrete="x", seed=seed)

    else:
        x = normal_scores(_reduced("x", x, notes), generator)
        y = normal_scores(_reduced("y", y, notes), generator)
        found = _numbers.by_networks(x, y, order, folds, distinct, **options)
        kind, few = "numbers x numbers", order[:_FEW_SAMPLES]
        parts = [[i, j] for i in range(x.shape[1]) for j in range(y.shape[1])]
        parts = parts if 1 < len(parts) <= _MOST_PARTS else []

        def by_neighbors(part: list[int], k: int = 3) -> Estimate:
            return ksg(x[few][:, part[:1]], y[few][:, part[1:]], n_neighbors=k, seed=seed)

        for name, given, value in (("y", x, y), ("x", y, x)):
            if looks_like_function(given[distinct], value[distinct]):
                notes.append(f"{name} seems a function of the other variable: infinite I")
                found = replace(found, standard_error=math.inf)
    if time.monotonic() - start > limit / 2:
        parts = []
        notes.append("training was cut short by the time limit")
    if parts:
        found = _or_a_part(found, parts, by_neighbors)
    copies = (counts**2).sum() / counts.sum()  # samples for each effective one (Kish 1965)
    return replace(
        found,
        standard_error=found.standard_error * math.sqrt(copies),
        reason="; ".join([kind, *notes, found.reason]).strip("; "),
        is_lower_bound=any("principal" in note or "infinite" in note for note in notes),
    )


def _or_a_part(
    found: Estimate, parts: list[list[int]], by_neighbors: Callable[..., Estimate]
) -> Estimate:
    """Return an estimate from one or two columns if it is larger: all columns share at least that.

    Neighbors find a dependence in many thin pieces, but too little: what they find more of with 3
    neighbors than with 10 is added, and is part of the error.
    """
    near = [(part, by_neighbors(part)) for part in parts]
    part, best = max(near, key=lambda pair: pair[1].nats - 3 * pair[1].standard_error)
    if best.nats - found.nats <= 3 * math.hypot(best.standard_error, found.standard_error):
        return found
    gap = max(0.0, best.nats - by_neighbors(part, 10).nats)
    reason = (
        f"{found.reason}; {best.nats:.3f} by neighbors in a part of the columns, which is taken"
    )
    error = math.hypot(best.standard_error, gap)
    return Estimate(best.nats + gap, error, "learned", reason.strip("; "))


def _symbols(x: np.ndarray, y: np.ndarray, seed: int) -> Estimate:
    """Return jackknife minus chance, best on the development tasks, compared with Chao & Shen."""
    found = shuffle_corrected(x, y, entropy="jackknife", seed=seed)
    chance = jackknife(x, y).nats - found.nats
    other = chao_shen(x, y)
    error = math.hypot(found.standard_error, chance / 4)  # error of the correction
    cells, N = (int(x.max()) + 1) * (int(y.max()) + 1), len(x)
    reason = f"symbols x symbols, {cells} cells"
    if cells > N / 5 and abs(found.nats - other.nats) > found.standard_error:
        reason += f"; too few samples: chao_shen gives {other.nats:.3f}"
    return replace(found, standard_error=error, reason=reason)


def _distinct(name: str, values: np.ndarray, notes: list[str]) -> np.ndarray:
    """Drop constant columns, up to rounding, and monotone functions of other columns."""
    varies = np.isfinite(center_and_scale(values)[1])
    if not varies.all():
        notes.append(f"{int((~varies).sum())} constant columns of {name} dropped")
    values = values[:, varies]
    first = distinct_columns(values)
    if len(first) < values.shape[1]:
        dropped = f"{values.shape[1] - len(first)} columns of {name} dropped"
        notes.append(f"{dropped}, increasing or decreasing functions of others")
    return values[:, first]


def _reduced(name: str, values: np.ndarray, notes: list[str]) -> np.ndarray:
    """Reduce too many columns to principal components."""
    most = max(1, min(_MOST_COLUMNS, len(values) // 20))
    if values.shape[1] <= most:
        return values
    notes.append(f"{name} reduced from {values.shape[1]} to {most} principal components")
    center, scale = center_and_scale(values)
    values = (values - center) / scale
    return values @ np.linalg.eigh(values.T @ values)[1][:, -most:]
