"""The default: which estimator suits the data, and the preparation of what is learned."""

import math
import time
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
    random_generator,
)
from simmim_lite.mutual_information._discrete import chao_shen, jackknife, shuffle_corrected
from simmim_lite.mutual_information._estimate import Estimate, normal_scores
from simmim_lite.mutual_information._gaussian import gaussian_estimate
from simmim_lite.mutual_information._neighbours import ross

_MOST_SAMPLES = 100_000  # that networks are trained on; the Gaussian part takes all
_MOST_TARGETS = 10
_MOST_COLUMNS = 256
_MOST_CLASSES = 50


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
    if len(sizes) > _MOST_CLASSES or (numbers.shape[1] <= 2 and sizes.min() > 3):
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
    """`rank_gaussian` plus what cross-fitted conditional densities find beyond it.

    x (N, dim_x), y (N, dim_y), at least 50 samples; ``discrete="x"`` or ``"y"`` for one variable
    that is symbols. No bound: it differs from the truth in either direction. Its standard error
    joins the sampling error with half the distance between the scores of samples held out and of
    samples seen, within which the truth is expected.

    On 35 truths that were held out while it was developed (N = 10,000, five seeds;
    ``benchmarks/bench_mutual_information.py --tasks held-out``) its mean absolute error was 0.039
    nats, and the interval of two standard errors held the truth in 91 % of runs. The worst was
    -0.71 of 3 nats, where both sides have six columns that are strongly warped; without that task
    the mean was 0.021. Sharp edges cost 0.02 to 0.06. Where one variable is a function of the other
    I is infinite, and the estimate only large.

    More than 256 columns, or N / 20, are reduced to as many principal components, and the estimate
    is then said to be a lower bound. Networks are trained on at most 100,000 samples, and for at
    most the 10 columns that correlation explains worst.

    Args:
        seconds: stop to learn after so long; the estimate is then too close to `rank_gaussian`.
        progress: show a bar.
        device: of PyTorch, for the networks; the processor if None.
        seed: for ties, folds, shuffling and initial weights.
    """
    check_choice("discrete", discrete, ("x", "y", "neither"))
    if seconds is not None:
        seconds = check_number("seconds", seconds, minimum=0)
    x, y = (
        _one_hot(as_labels(name, value, minimum=50))
        if discrete == name
        else as_samples(name, value, minimum=50)
        for name, value in (("x", x), ("y", y))
    )
    check_same_length(x=x, y=y)
    N = len(x)
    generator = random_generator(seed, "learned")
    folds = _folds(np.hstack([x, y]), generator)
    notes = []
    x, y = (
        values if discrete == name else _scores(name, values, generator, notes)
        for name, values in (("x", x), ("y", y))
    )
    if min(x.shape[1], y.shape[1]) == 0:
        return Estimate(0.0, 0.0, "learned", "; ".join(notes))
    gaussian = gaussian_estimate(x, y, "learned")

    # The conditional densities are those of the variable of numbers with fewer columns.
    if discrete == "y" or (discrete == "neither" and x.shape[1] < y.shape[1]):
        x, y = y, x
    order = generator.permutation(N)[:_MOST_SAMPLES]
    x, y, folds = x[order], y[order], folds[order]
    if discrete == "neither" and x.shape[1] > 1:
        x = np.hstack([x, _canonical(x, y)])
    if discrete != "neither" and y.shape[1] > 1:
        y = _canonical(y, x)  # the columns whose mean depends on the symbol come first
    held_out, seen, samples, history = _gain(
        x,
        y,
        folds,
        generator,
        ordered=discrete != "neither",
        seed=seed,
        seconds=seconds,
        progress=progress,
        device=device,
    )
    error = math.hypot(
        gaussian.standard_error, samples.std() / math.sqrt(len(order)), (seen - held_out) / 2
    )
    notes.insert(0, "numbers x numbers" if discrete == "neither" else "symbols x numbers")
    notes.append(f"{gaussian.nats:.3f} by correlation, {(held_out + seen) / 2:+.3f} learned")
    return Estimate(
        gaussian.nats + (held_out + seen) / 2,
        error,
        "learned",
        "; ".join(notes),
        is_lower_bound=any("principal" in note for note in notes),
        history=tuple(gaussian.nats + value for value in history),
    )


def _gain(
    x: np.ndarray,
    y: np.ndarray,
    folds: np.ndarray,
    generator: np.random.Generator,
    *,
    ordered: bool,
    seed: int,
    seconds: float | None,
    progress: bool,
    device: Any,
) -> tuple[float, float, np.ndarray, list[float]]:
    """Gain by conditioning on x: held out, seen, of each sample, and held out after each epoch."""
    from tqdm.auto import tqdm

    from simmim_lite.mutual_information import _learned  # imports torch, which takes seconds

    targets = np.arange(y.shape[1])
    if ordered:
        targets = targets[:_MOST_TARGETS]
    if len(targets) > _MOST_TARGETS:
        residuals = _learned._residuals(x, y, np.ones(len(x), dtype=bool))
        need = _learned.association(x, residuals).max(axis=0)
        targets = np.sort(np.argsort(-need)[:_MOST_TARGETS])
    start, limit = time.monotonic(), math.inf if seconds is None else seconds
    gains = []
    with tqdm(total=2 * _learned._EPOCHS, disable=not progress, desc="learning") as bar:
        for given, share in ((x, 0.5), (x[generator.permutation(len(x))], 1)):
            gains.append(
                _learned.learn(
                    given,
                    y,
                    targets,
                    folds,
                    seed=seed,
                    deadline=start + share * limit,
                    device=device or "cpu",
                    tick=bar.update,
                )
            )
    with_x, without = gains
    return (
        with_x.held_out - without.held_out,
        with_x.seen - without.seen,
        with_x.samples - without.samples,
        [value - without.held_out for value in with_x.history],
    )


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
    if array.dtype.kind not in "iuf" or array.ndim not in (1, 2) or len(array) == 0:
        return True
    if array.dtype.kind == "f" and array.size != len(array):
        return False
    distinct = len(np.unique(array.reshape(len(array), -1), axis=0))
    return distinct <= len(array) / (50 if array.dtype.kind == "f" else 10)


def _one_hot(labels: np.ndarray) -> np.ndarray:
    """(N, K - 1): the last symbol is where all are 0."""
    return (labels[:, None] == np.arange(labels.max())).astype(np.float64)


def _folds(rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """0..4 for each row, the same for copies: else networks would be tested on what they saw."""
    if any(len(np.unique(column)) == len(rows) for column in rows.T):
        group = np.arange(len(rows))  # no copies, which is quickly seen
    else:
        group = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
    if group.max() + 1 < 50:
        raise ValueError(
            f"x and y: expected at least 50 distinct pairs, got {group.max() + 1}; if the values "
            'are symbols, say so by discrete="both"'
        )
    return (generator.permutation(group.max() + 1) % 5)[group]


def _scores(
    name: str, values: np.ndarray, generator: np.random.Generator, notes: list[str]
) -> np.ndarray:
    """Normal scores of the columns that vary, of not too many."""
    varies = (values != values[0]).any(axis=0)
    if not varies.all():
        notes.append(f"{int((~varies).sum())} constant columns of {name} left out")
    values = values[:, varies]
    first = np.sort(np.unique(values, axis=1, return_index=True)[1])
    if len(first) < values.shape[1]:
        notes.append(f"{values.shape[1] - len(first)} copies of columns of {name} left out")
        values = values[:, first]
    most = max(1, min(_MOST_COLUMNS, len(values) // 20))
    if values.shape[1] > most:
        notes.append(f"{name} reduced from {values.shape[1]} to {most} principal components")
        values = (values - values.mean(axis=0)) / values.std(axis=0)
        values = values @ np.linalg.eigh(values.T @ values)[1][:, -most:]
    return normal_scores(values, generator)


def _canonical(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x rotated to canonical variates, of deviation 1: what x shares with y comes first."""
    q_x, q_y = (np.linalg.qr(values - values.mean(axis=0))[0] for values in (x, y))
    return math.sqrt(len(x)) * (q_x @ np.linalg.svd(q_x.T @ q_y)[0])
