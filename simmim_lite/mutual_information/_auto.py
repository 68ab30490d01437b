"""The default: which estimator suits the data, and the preparation of what is learned."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from simmim_lite._arguments import (
    as_array,
    as_labels,
    as_samples,
    check_choice,
    check_number,
    check_same_length,
)
from simmim_lite._random import random_generator
from simmim_lite.mutual_information._discrete import chao_shen, jackknife, shuffle_corrected
from simmim_lite.mutual_information._estimate import Estimate, normal_scores
from simmim_lite.mutual_information._neighbors import looks_like_function, ross

_MOST_SAMPLES = 100_000  # that networks are trained on; the Gaussian part takes all
_MOST_COLUMNS = 256


def auto(
    x: Any,
    y: Any,
    *,
    discrete: str | None = None,
    seconds: float | None = None,
    progress: bool = False,
    device: Any = None,
    seed: int = 0,
) -> Estimate:
    """`shuffle_corrected` for symbols, `ross` for symbols and one or two columns, else `learned`.

    ``discrete`` says which variables are symbols: "x", "y", "both" or "neither". Without it they
    are those of strings or booleans, whole numbers (by dtype) with at most N / 10 distinct rows,
    and single columns of floating point numbers with at most N / 50 distinct values. The
    ``reason`` of the estimate says what was found. A variable of one value gives 0.

    The other options are those of `learned`.
    """
    check_choice("discrete", discrete, (None, "x", "y", "both", "neither"))
    symbols = {}
    for name, value in (("x", x), ("y", y)):
        if discrete is None:
            symbols[name] = _looks_discrete(name, value)
        else:
            symbols[name] = discrete in (name, "both")
    prepare = {
        name: (as_labels if symbols[name] else as_samples)(name, value)
        for name, value in (("x", x), ("y", y))
    }
    check_same_length(**prepare)
    for name, values in prepare.items():
        if (values == values[0]).all():
            return Estimate(0.0, 0.0, "constant", f"{name} has one value only")
    if all(symbols.values()):
        return _symbols(prepare["x"], prepare["y"], seed)
    options = {"seconds": seconds, "progress": progress, "device": device, "seed": seed}
    if not any(symbols.values()):
        return learned(x, y, discrete="neither", **options)
    labels, numbers = prepare.values() if symbols["x"] else reversed(prepare.values())
    sizes = np.bincount(labels)
    if numbers.shape[1] <= 2 and sizes.min() > 3:
        found = ross(labels, numbers, discrete="x", seed=seed)
        return replace(
            found, reason=f"{len(sizes)} symbols x {numbers.shape[1]} columns of numbers"
        )
    return learned(x, y, discrete="x" if symbols["x"] else "y", **options)


def learned(
    x: Any,
    y: Any,
    *,
    discrete: str = "neither",
    seconds: float | None = None,
    progress: bool = False,
    device: Any = None,
    seed: int = 0,
) -> Estimate:
    """What networks find: conditional densities beyond `rank_gaussian`, or a classifier.

    x (N, dim_x), y (N, dim_y), at least 50 samples; ``discrete="x"`` or ``"y"`` for one variable
    that is symbols, which are then predicted from the numbers. Else the columns of one variable are
    predicted from the other and from each other; which one, a trial on a fifth of the samples says.
    No bound: it differs from the truth in either direction. Its standard error joins the sampling
    error with half the distance between the scores of samples held out and of samples seen, within
    which the truth is expected. It is infinite, and the estimate a lower bound, where a column
    seems to be a function of one or two columns of the other variable (told from 500 samples
    on): I is infinite then.

    On 39 truths written for the purpose (N = 10,000, five seeds; bench_mutual_information.py under
    ``reproduction/peers``, ``--tasks held-out``) `auto` had a mean absolute error of 0.015
    nats, at worst 0.116, and two standard errors held the truth in 96 % of runs. Sharp edges in
    several columns cost most, 0.04 to 0.09.

    Between numbers, more than 256 columns, or N / 20, are reduced to as many principal components;
    the estimate is then said to be a lower bound, and it may be a very low one. Networks are
    trained on at most 100,000 samples, and for at most the 10 columns that correlation explains
    worst.

    Args:
        seconds: stop to learn after so long; the estimate is then too close to `rank_gaussian`,
            or to 0.
        progress: show a bar.
        device: of PyTorch, for the networks; the processor if None.
        seed: for ties, folds, shuffling and initial weights.
    """
    from simmim_lite.mutual_information import _classifier, _densities  # torch takes seconds

    check_choice("discrete", discrete, ("x", "y", "neither"))
    if seconds is not None:
        seconds = check_number("seconds", seconds, minimum=0)
    x, y = (
        as_labels(name, value, minimum=50)[:, None]
        if discrete == name
        else as_samples(name, value, minimum=50)
        for name, value in (("x", x), ("y", y))
    )
    check_same_length(x=x, y=y)
    generator = random_generator(seed, "learned")
    folds, distinct = _folds(np.hstack([x, y]), generator)
    order = generator.permutation(len(x))[:_MOST_SAMPLES]
    notes = []
    x, y = (
        values if discrete == name else _distinct(name, values, notes)
        for name, values in (("x", x), ("y", y))
    )
    if min(x.shape[1], y.shape[1]) == 0:
        return Estimate(0.0, 0.0, "learned", "; ".join(notes))
    limit = math.inf if seconds is None else seconds
    with _bar(progress) as tick:
        options = {"limit": limit, "seed": seed, "device": device or "cpu", "tick": tick}
        if discrete != "neither":
            numbers, labels = (y, x) if discrete == "x" else (x, y)
            if labels.max() >= len(labels) / 2:
                raise ValueError(
                    f"{discrete}: expected symbols that are seen several times, got "
                    f"{int(labels.max()) + 1} symbols in {len(labels)} samples; if they are "
                    'numbers, say so by discrete="neither"'
                )
            found = _classifier.by_classifier(
                numbers[order], labels[order, 0], folds[order], **options
            )
            kind = f"{int(labels.max()) + 1} symbols x {numbers.shape[1]} columns of numbers"
        else:
            x, y = (
                normal_scores(_reduced(name, values, notes), generator)
                for name, values in (("x", x), ("y", y))
            )
            found = _densities.by_densities(x, y, order, folds, **options)
            kind = "numbers x numbers"
            for name, given, value in (("y", x, y), ("x", y, x)):
                if looks_like_function(given[distinct], value[distinct]):
                    notes.append(f"{name} seems a function of the other: I would be infinite")
                    found = replace(found, standard_error=math.inf)
    copies = len(x) / len(distinct)  # that tell nothing new
    return replace(
        found,
        standard_error=found.standard_error * math.sqrt(copies),
        reason="; ".join([kind, *notes, found.reason]).strip("; "),
        is_lower_bound=any("principal" in note or "infinite" in note for note in notes),
    )


@contextmanager
def _bar(progress: bool) -> Iterator[Callable[[], object]]:
    """A function to call after each epoch."""
    from tqdm.auto import tqdm

    with tqdm(disable=not progress, desc="learning", unit=" epochs") as bar:
        yield bar.update


def _symbols(x: np.ndarray, y: np.ndarray, seed: int) -> Estimate:
    """Jackknife minus chance, which did best on the development tasks, beside Chao & Shen."""
    found = shuffle_corrected(x, y, entropy="jackknife", seed=seed)
    chance = jackknife(x, y).nats - found.nats
    other = chao_shen(x, y)
    error = math.hypot(found.standard_error, chance / 4)  # the correction is not exact either
    cells, N = (int(x.max()) + 1) * (int(y.max()) + 1), len(x)
    reason = f"symbols x symbols, {cells} cells"
    if cells > N / 5 and abs(found.nats - other.nats) > found.standard_error:
        reason += f"; too few samples to tell: chao_shen gives {other.nats:.3f}"
    return replace(found, standard_error=error, reason=reason)


def _looks_discrete(name: str, value: Any) -> bool:
    array = as_array(name, value)
    if array.dtype.kind == "c":
        raise TypeError(f"{name}: expected real numbers or symbols, got dtype {array.dtype}")
    if array.dtype.kind not in "iuf" or array.ndim not in (1, 2) or len(array) == 0:
        return True
    if array.dtype.kind == "f" and array.size != len(array):
        return False
    distinct = len(np.unique(array.reshape(len(array), -1), axis=0))
    return distinct <= len(array) / (50 if array.dtype.kind == "f" else 10)


def _folds(rows: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """0..4 for each row, and one row of each distinct kind.

    Copies are in the same fold: else networks would be tested on what they saw.
    """
    if any(len(np.unique(column)) == len(rows) for column in rows.T):
        distinct = group = np.arange(len(rows))  # no copies, which is quickly seen
    else:
        distinct, group = np.unique(rows, axis=0, return_index=True, return_inverse=True)[1:]
        group = group.reshape(-1)
    if len(distinct) < 50:
        raise ValueError(
            f"x and y: expected at least 50 distinct pairs, got {len(distinct)}; if the values "
            'are symbols, say so by discrete="both"'
        )
    return (generator.permutation(len(distinct)) % 5)[group], distinct


def _distinct(name: str, values: np.ndarray, notes: list[str]) -> np.ndarray:
    """The columns that vary and are no copies of others."""
    varies = (values != values[0]).any(axis=0)
    if not varies.all():
        notes.append(f"{int((~varies).sum())} constant columns of {name} left out")
    values = values[:, varies]
    first = np.sort(np.unique(values, axis=1, return_index=True)[1])
    if len(first) < values.shape[1]:
        notes.append(f"{values.shape[1] - len(first)} copies of columns of {name} left out")
        values = values[:, first]
    return values


def _reduced(name: str, values: np.ndarray, notes: list[str]) -> np.ndarray:
    """Principal components, if the columns are too many."""
    most = max(1, min(_MOST_COLUMNS, len(values) // 20))
    if values.shape[1] <= most:
        return values
    notes.append(f"{name} reduced from {values.shape[1]} to {most} principal components")
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    return values @ np.linalg.eigh(values.T @ values)[1][:, -most:]
