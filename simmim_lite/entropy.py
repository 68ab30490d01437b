"""Entropy and its relatives: exact on probability tables, estimated from samples.

A probability table is an array p(x1, ..., xn) with one axis a variable, summing to one. Results
are Python floats in nats; ``base=2`` gives bits. 0 log 0 is 0. Definitions: Cover & Thomas,
*Elements of Information Theory*, chapter 2. Input that makes no sense raises ValueError or
TypeError, naming the argument and what came; so it is throughout the package.

From samples, the plug-in entropy (that of the frequencies) is too small by about (K - 1) / 2N,
K symbols in N samples, so that plug-in mutual information is too large. The corrections here are
the common ones; none is unbiased, and they disagree when the data are too few to tell.
"""

import math
from collections.abc import Callable
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from scipy.special import entr, rel_entr, xlogy

from simmim_lite._arguments import (
    as_array,
    as_labels,
    as_probabilities,
    check_choice,
    check_integer,
    check_number,
    check_same_length,
)
from simmim_lite._random import random_generator

# --- exact, on probability tables ----------------------------------------------------------


def entropy(p: Any, *, base: float = math.e) -> float:
    """H = -sum p log p of a table of any shape: the joint entropy of all its axes."""
    p = as_probabilities("p", p)
    return float(entr(p).sum()) / _log(base)


def conditional_entropy(
    table: Any, *, given: int | tuple[int, ...] = 1, base: float = math.e
) -> float:
    """H(other axes | ``given`` axes); for p(x, y), ``given=1`` is H(X|Y) and ``given=0`` H(Y|X)."""
    table = as_probabilities("table", table)
    kept = set(_axes("given", given, table.ndim))
    summed = tuple(axis for axis in range(table.ndim) if axis not in kept)
    marginal = table.sum(axis=summed, keepdims=True)
    # Subtracted from 0.0 so that certainty prints as 0.0 and not as -0.0.
    return (0.0 - float(rel_entr(table, marginal).sum())) / _log(base)


def chain_rule_terms(table: Any, *, base: float = math.e) -> list[float]:
    """H(X1), H(X2|X1), H(X3|X1,X2), ...: one term an axis, which sum to the joint entropy."""
    table = as_probabilities("table", table)
    terms = []
    for last in range(table.ndim):
        marginal = table.sum(axis=tuple(range(last + 1, table.ndim)))
        terms.append(conditional_entropy(marginal, given=tuple(range(last)), base=base))
    return terms


def cross_entropy(p: Any, q: Any, *, base: float = math.e) -> float:
    """-sum p log q = H(p) + KL(p || q); infinite where q is 0 and p is not."""
    p, q = _same_shape(p, q)
    with np.errstate(divide="ignore"):  # xlogy(p, 0) is -inf, which is the documented answer
        return (0.0 - float(xlogy(p, q).sum())) / _log(base)


def kl_divergence(p: Any, q: Any, *, base: float = math.e) -> float:
    """KL(p || q) = sum p log(p / q) >= 0; infinite where q is 0 and p is not."""
    return _divergence(*_same_shape(p, q)) / _log(base)


def mutual_information(table: Any, *, base: float = math.e) -> float:
    """I(X;Y) = KL(p(x, y) || p(x) p(y)) of a table with two axes."""
    return total_correlation(_with_axes(table, 2), base=base)


def conditional_mutual_information(table: Any, *, base: float = math.e) -> float:
    """I(X;Y|Z) of a table p(x, y, z): what X and Y share once Z is known."""
    table = _with_axes(table, 3)
    xz, yz = table.sum(axis=1, keepdims=True), table.sum(axis=0, keepdims=True)
    z = table.sum(axis=(0, 1), keepdims=True)
    # p(x|z) p(y|z) p(z); a symbol z that never occurs has p(x, z) = 0 and stays 0.
    independent = xz * yz / np.where(z > 0, z, 1)
    return _divergence(table, independent) / _log(base)


def total_correlation(table: Any, *, base: float = math.e) -> float:
    """KL(p(x1, ..., xn) || p(x1) ... p(xn)) = sum of H(Xi) - H(X1, ..., Xn)."""
    table = as_probabilities("table", table)
    every = range(table.ndim)
    marginals = [table.sum(axis=tuple(other for other in every if other != i)) for i in every]
    return _divergence(table, reduce(np.multiply.outer, marginals)) / _log(base)


# --- from samples --------------------------------------------------------------------------


def counts(*variables: Any) -> np.ndarray:
    """Contingency table, integer, one axis a variable: how often each combination occurs.

    Each variable is N symbols of any sortable type, or (N, d) with a symbol a row; along its axis
    stand the symbols that occur, sorted. Dense: made for tables that one wants to look at.
    """
    codes = [as_labels(f"variables[{i}]", variable) for i, variable in enumerate(variables)]
    if not codes:
        raise ValueError("variables: expected at least one variable, got none")
    check_same_length(**{f"variables[{i}]": code for i, code in enumerate(codes)})
    shape = tuple(int(code.max()) + 1 for code in codes)
    if math.prod(shape) > 10**8:
        raise ValueError(f"variables: expected a table of at most 10**8 cells, got shape {shape}")
    cells = np.ravel_multi_index(codes, shape)
    return np.bincount(cells, minlength=math.prod(shape)).reshape(shape)


def entropy_from_counts(counts: Any, method: str = "plug_in", *, base: float = math.e) -> float:
    """Entropy of the source of ``counts`` (whole numbers, any shape; zeros are left out).

    ``method``, for N samples with K symbols seen:

    - ``"plug_in"``: entropy of the frequencies.
    - ``"miller_madow"``: plug-in + (K - 1) / 2N, the first-order bias (Miller 1955).
    - ``"chao_shen"``: the unseen symbols' share is estimated by the share of symbols seen once,
      and every term is weighted by its chance of being seen (Chao & Shen 2003).
    - ``"jackknife"``: N H - (N - 1) x the mean of H with one sample left out (Zahl 1977).
    """
    check_choice("method", method, _ENTROPIES)
    return float(_ENTROPIES[method](*_histogram(counts))) / _log(base)


def leave_one_out(counts: Any, method: str = "plug_in") -> np.ndarray:
    """`entropy_from_counts` in nats with one sample less in each cell, of the shape of ``counts``.

    What the estimate hangs on, sample by sample. An empty cell has nothing to lose: nan.
    """
    check_choice("method", method, _ENTROPIES)
    n, cells = _histogram(counts)
    less = np.empty(len(n))  # equal counts, equal effect
    for i in range(len(n)):
        others = cells.copy()
        others[i] -= 1
        less[i] = _ENTROPIES[method](np.append(n, n[i] - 1), np.append(others, 1.0))
    counts = as_array("counts", counts)
    return np.where(counts > 0, less[np.searchsorted(n, counts)], np.nan)


def sample_entropy(x: Any, method: str = "plug_in", *, base: float = math.e) -> float:
    """Entropy from N symbols of any sortable type, or (N, d) with a symbol a row.

    ``method`` is one of those of `entropy_from_counts`.
    """
    return entropy_from_counts(np.bincount(as_labels("x", x)), method, base=base)


def sample_mutual_information(
    x: Any,
    y: Any,
    method: str = "plug_in",
    *,
    shuffles: int = 20,
    seed: int = 0,
    base: float = math.e,
) -> float:
    """I(X;Y) from N pairs of symbols (see `sample_entropy`), as H(X) + H(Y) - H(X, Y).

    ``method`` is one of those of `entropy_from_counts`, used for all three entropies, or
    ``"shuffle_corrected"``: plug-in minus its mean over ``shuffles`` random re-pairings of the
    samples, which share nothing. That removes the bias of independent pairs, and too much where
    the true dependence leaves fewer cells to fill. Corrected estimates can be below zero.
    """
    check_choice("method", method, (*_ENTROPIES, "shuffle_corrected"))
    pairs = PairCounts.of(x, y)
    if method != "shuffle_corrected":
        return pairs.mutual_information(method) / _log(base)
    chance = pairs.chance_information(shuffles=shuffles, seed=seed)
    return (pairs.mutual_information("plug_in") - chance) / _log(base)


class PairCounts(NamedTuple):
    """Sparse contingency table of pairs: only the cells that occur, K of at most N.

    ``x`` and ``y`` (K,) are the cells' symbols, as codes 0, 1, ...; ``count`` (K,) how often.
    """

    x: np.ndarray
    y: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, x: Any, y: Any) -> "PairCounts":
        """Count N pairs of symbols of any sortable type."""
        x, y = as_labels("x", x), as_labels("y", y)
        check_same_length(x=x, y=y)
        return cls._of_codes(x, y)

    @classmethod
    def _of_codes(cls, x: np.ndarray, y: np.ndarray) -> "PairCounts":
        width = int(y.max()) + 1
        cells = x * width + y
        if (int(x.max()) + 1) * width <= 4 * len(x):  # dense counting needs no sort
            count = np.bincount(cells)
            cells = np.flatnonzero(count)
            count = count[cells]
        else:
            cells, count = np.unique(cells, return_counts=True)
        return cls(*np.divmod(cells, width), count)

    def mutual_information(self, method: str = "plug_in") -> float:
        """H(X) + H(Y) - H(X, Y) in nats, each entropy by ``method``."""
        H_x, H_y, H_xy = (entropy_from_counts(n, method) for n in (*self.totals(), self.count))
        return H_x + H_y - H_xy

    def leave_one_out(self, method: str = "plug_in") -> np.ndarray:
        """`mutual_information` with one sample less in each cell (K,)."""
        H_x, H_y, H_xy = (leave_one_out(n, method) for n in (*self.totals(), self.count))
        return H_x[self.x] + H_y[self.y] - H_xy

    def totals(self) -> tuple[np.ndarray, np.ndarray]:
        """How often each symbol of x, and of y, occurs: (Kx,) and (Ky,)."""
        return tuple(
            np.bincount(symbols, weights=self.count).astype(np.int64)
            for symbols in (self.x, self.y)
        )

    def chance_information(self, *, shuffles: int, seed: int) -> float:
        """Mean plug-in mutual information over random re-pairings of the same symbols."""
        check_integer("shuffles", shuffles, minimum=1)
        generator = random_generator(seed, "shuffles")
        x, y = np.repeat(self.x, self.count), np.repeat(self.y, self.count)
        values = [
            self._of_codes(x, generator.permutation(y)).mutual_information()
            for _ in range(shuffles)
        ]
        return float(np.mean(values))


def _histogram(counts: Any) -> tuple[np.ndarray, np.ndarray]:
    """The counts > 0 that occur, and in how many cells: all that an entropy depends on."""
    counts = as_array("counts", counts)
    if counts.dtype.kind not in "biu":
        raise TypeError(f"counts: expected whole numbers, got dtype {counts.dtype}")
    if counts.size and counts.min() < 0:
        raise ValueError(f"counts: expected counts >= 0, got {counts.min()}")
    if counts.sum() < 2:
        raise ValueError(f"counts: expected at least 2 samples, got {counts.sum()}")
    n, cells = np.unique(counts[counts > 0], return_counts=True)
    return n.astype(np.float64), cells.astype(np.float64)


def _plug_in(n: np.ndarray, cells: np.ndarray) -> float:
    return cells @ entr(n / (n @ cells))


def _miller_madow(n: np.ndarray, cells: np.ndarray) -> float:
    return _plug_in(n, cells) + (cells[n > 0].sum() - 1) / (2 * (n @ cells))


def _chao_shen(n: np.ndarray, cells: np.ndarray) -> float:
    N = n @ cells
    # If every symbol was seen once the coverage would be 0 and so would every term.
    singletons = min(cells[n == 1].sum(), N - 1)
    p = (1 - singletons / N) * n / N
    seen = -np.expm1(N * np.log1p(-np.minimum(p, 1 - 1e-16)))  # 1 - (1 - p)^N
    return cells @ np.divide(entr(p), seen, out=np.zeros_like(p), where=p > 0)


def _jackknife(n: np.ndarray, cells: np.ndarray) -> float:
    N = n @ cells
    if N == 1:
        return 0.0
    # What sum n log n loses when one sample leaves its cell; a cell holds n of the N samples.
    rest = np.maximum(n - 1, 0)
    loss = xlogy(n, n) - xlogy(rest, rest)
    left_out = np.log(N - 1) - (cells @ xlogy(n, n) - cells @ (n * loss) / N) / (N - 1)
    return N * _plug_in(n, cells) - (N - 1) * left_out


_ENTROPIES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "plug_in": _plug_in,
    "miller_madow": _miller_madow,
    "chao_shen": _chao_shen,
    "jackknife": _jackknife,
}

# --- shared --------------------------------------------------------------------------------


def _divergence(p: np.ndarray, q: np.ndarray) -> float:
    # At least 0 in exact arithmetic; rounding can leave -1e-17.
    return max(0.0, float(rel_entr(p, q).sum()))


def _log(base: float) -> float:
    if check_number("base", base, minimum=1) == 1:
        raise ValueError(f"base: expected a base of logarithms > 1, got {base}")
    return math.log(base)


def _same_shape(p: Any, q: Any) -> tuple[np.ndarray, np.ndarray]:
    p, q = as_probabilities("p", p), as_probabilities("q", q)
    if p.shape != q.shape:
        raise ValueError(f"q: expected the shape of p, {p.shape}, got {q.shape}")
    return p, q


def _with_axes(table: Any, axes: int) -> np.ndarray:
    table = as_probabilities("table", table)
    if table.ndim != axes:
        raise ValueError(f"table: expected {axes} axes, got shape {table.shape}")
    return table


def _axes(name: str, value: int | tuple[int, ...], ndim: int) -> tuple[int, ...]:
    axes = value if isinstance(value, tuple) else (value,)
    axes = tuple(check_integer(name, axis, minimum=-ndim, maximum=ndim - 1) for axis in axes)
    return tuple(axis % ndim for axis in axes)
