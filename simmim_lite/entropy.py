"""Entropy, divergence, mutual information: exact from probability tables, estimated from samples.

A probability table is an array p(x1, ..., xn) of sum 1 with one axis for each variable. Results are
Python floats in nats; ``base=2`` gives bits. 0 log 0 is 0. Definitions: Cover & Thomas, *Elements
of Information Theory*, chapter 2. Invalid input raises ValueError, a wrong type TypeError.

The plug-in entropy (of the observed frequencies) is too small by about (K - 1) / 2N for K symbols
in N samples, so plug-in mutual information is too large. No bias correction is unbiased; where they
disagree, the samples are too few.

Examples:
    >>> print(f"{entropy([0.5, 0.25, 0.25], base=2):.2f} bits")
    1.50 bits
    >>> print(f"I(X;Y) = {mutual_information([[0.4, 0.1], [0.1, 0.4]]):.3f} nats")
    I(X;Y) = 0.193 nats
    >>> weather, umbrella = ["rain", "sun", "rain", "sun"], [1, 0, 1, 0]
    >>> counts(weather, umbrella)
    array([[0, 2],
           [2, 0]])
    >>> print(f"{sample_mutual_information(weather, umbrella, base=2):.1f} bit")
    1.0 bit
"""

import math
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from scipy import special

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
    """Return H = -sum p log p of a table of any shape: the joint entropy of all its axes."""
    p = as_probabilities("p", p)
    return float(special.entr(p).sum()) / _log(base)


def conditional_entropy(
    table: Any, *, given: int | tuple[int, ...] = 1, base: float = math.e
) -> float:
    """Return H(other axes | ``given`` axes): for p(x, y), H(X|Y) with ``given=1``."""
    table = as_probabilities("table", table)
    n = table.ndim
    axes = given if isinstance(given, tuple) else (given,)
    kept = {check_integer("given", axis, minimum=-n, maximum=n - 1) % n for axis in axes}
    marginal = table.sum(axis=tuple(set(range(n)) - kept), keepdims=True)
    # Subtraction from 0.0 makes certainty print as 0.0, not as -0.0.
    return (0.0 - float(special.rel_entr(table, marginal).sum())) / _log(base)


def chain_rule_terms(table: Any, *, base: float = math.e) -> list[float]:
    """Return [H(X1), H(X2|X1), H(X3|X1,X2), ...], one term for each axis: the sum is H(X1..Xn)."""
    table = as_probabilities("table", table)
    n = table.ndim
    marginals = [table.sum(axis=tuple(range(last + 1, n))) for last in range(n)]
    return [conditional_entropy(p, given=tuple(range(p.ndim - 1)), base=base) for p in marginals]


def cross_entropy(p: Any, q: Any, *, base: float = math.e) -> float:
    """Return -sum p log q = H(p) + KL(p || q), for tables of one shape (inf if q = 0 < p)."""
    p, q = _same_shape(p, q)
    with np.errstate(divide="ignore"):  # xlogy(p, 0) is -inf, as documented
        return (0.0 - float(special.xlogy(p, q).sum())) / _log(base)


def kl_divergence(p: Any, q: Any, *, base: float = math.e) -> float:
    """Return KL(p || q) = sum p log(p / q) >= 0, for tables of one shape (inf if q = 0 < p)."""
    return _divergence(*_same_shape(p, q)) / _log(base)


def mutual_information(table: Any, *, base: float = math.e) -> float:
    """Return I(X;Y) = KL(p(x, y) || p(x) p(y)) of a table with two axes."""
    return total_correlation(_with_axes(table, 2), base=base)


def conditional_mutual_information(table: Any, *, base: float = math.e) -> float:
    """Return I(X;Y|Z) of a table p(x, y, z): the information that X and Y share given Z."""
    table = _with_axes(table, 3)
    xz, yz = table.sum(axis=1, keepdims=True), table.sum(axis=0, keepdims=True)
    z = table.sum(axis=(0, 1), keepdims=True)
    # p(x|z) p(y|z) p(z); a symbol z of probability 0 has p(x, z) = 0 and contributes 0.
    independent = xz * yz / np.where(z > 0, z, 1)
    return _divergence(table, independent) / _log(base)


def total_correlation(table: Any, *, base: float = math.e) -> float:
    """Return KL(p(x1, ..., xn) || p(x1) ... p(xn)) = sum of H(Xi) - H(X1, ..., Xn)."""
    table = as_probabilities("table", table)
    axes = range(table.ndim)
    marginals = [table.sum(axis=tuple(other for other in axes if other != i)) for i in axes]
    return _divergence(table, reduce(np.multiply.outer, marginals)) / _log(base)


# --- from samples --------------------------------------------------------------------------


def counts(*variables: Any) -> np.ndarray:
    """Return the contingency table: how often each combination of symbols occurs.

    Each variable is N symbols of any sortable type, or (N, d) with one symbol in each row. The
    integer table has one axis for each variable, with the symbols that occur in sorted order. The
    table is dense: at most 10**8 cells.
    """
    labels = [as_labels(f"variables[{i}]", variable) for i, variable in enumerate(variables)]
    if not labels:
        raise ValueError("variables: expected at least one variable, got none")
    check_same_length(**{f"variables[{i}]": column for i, column in enumerate(labels)})
    shape = tuple(int(column.max()) + 1 for column in labels)
    if math.prod(shape) > 10**8:
        raise ValueError(f"variables: expected a table of at most 10**8 cells, got shape {shape}")
    cells = np.ravel_multi_index(labels, shape)
    return np.bincount(cells, minlength=math.prod(shape)).reshape(shape)


def entropy_from_counts(counts: Any, method: str = "plug_in", *, base: float = math.e) -> float:
    """Estimate the entropy of a source from the ``counts`` of its symbols.

    ``counts`` are whole numbers of any shape; zeros are ignored. ``method``, for N samples with K
    observed symbols:

    - ``"plug_in"``: entropy of the frequencies.
    - ``"miller_madow"``: plug-in + (K - 1) / 2N, the first-order bias (Miller 1955).
    - ``"chao_shen"``: estimates the probability of unseen symbols by the share of symbols seen
      once, and divides each term by the probability of observing its symbol (Chao & Shen 2003).
    - ``"jackknife"``: N H - (N - 1) x the mean of H with one sample left out (Zahl 1977).
    """
    check_choice("method", method, _ENTROPIES)
    return float(_ENTROPIES[method](*_histogram(counts))) / _log(base)


def leave_one_out(counts: Any, method: str = "plug_in") -> np.ndarray:
    """Return `entropy_from_counts` in nats without one sample of a cell, for each cell.

    The result has the shape of ``counts``, with nan in empty cells.
    """
    check_choice("method", method, _ENTROPIES)
    n, cells = _histogram(counts)
    less = np.empty(len(n))  # cells of equal counts have equal values
    for i, one in enumerate(np.eye(len(n))):
        less[i] = _ENTROPIES[method](np.append(n, n[i] - 1), np.append(cells - one, 1.0))
    counts = as_array("counts", counts)
    return np.where(counts > 0, less[np.searchsorted(n, counts)], np.nan)


def sample_entropy(x: Any, method: str = "plug_in", *, base: float = math.e) -> float:
    """Apply `entropy_from_counts` to N symbols of any sortable type, or to the rows of (N, d)."""
    return entropy_from_counts(np.bincount(as_labels("x", x)), method, base=base)


def sample_mutual_information(
    x: Any, y: Any, method: str = "plug_in", *, base: float = math.e
) -> float:
    """Estimate I(X;Y) = H(X) + H(Y) - H(X, Y) from N pairs of symbols (see `sample_entropy`).

    ``method`` is one of `entropy_from_counts`, used for all three entropies. Corrected estimates
    can be negative.
    """
    check_choice("method", method, _ENTROPIES)
    return PairCounts.of(x, y).mutual_information(method) / _log(base)


@dataclass(frozen=True, eq=False)
class PairCounts:
    """Sparse contingency table of N pairs: only the K <= N cells that occur.

    All are (K,): the symbols x and y of each cell, as labels 0, 1, ..., and its number of samples.
    """

    x: np.ndarray
    y: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, x: Any, y: Any) -> "PairCounts":
        """Count N pairs of symbols of any sortable type."""
        x, y = as_labels("x", x), as_labels("y", y)
        check_same_length(x=x, y=y)
        return cls._of_labels(x, y)

    @classmethod
    def _of_labels(cls, x: np.ndarray, y: np.ndarray) -> "PairCounts":
        width = int(y.max()) + 1
        cells = x * width + y
        if (int(x.max()) + 1) * width <= 4 * len(x):  # dense counting needs no sort
            count = np.bincount(cells)
            cells = np.flatnonzero(count)
            count = count[cells]
        else:
            cells, count = np.unique(cells, return_counts=True)
        x, y = np.divmod(cells, width)
        return cls(x, y, count)

    def mutual_information(self, method: str = "plug_in") -> float:
        """Return H(X) + H(Y) - H(X, Y) in nats, each entropy by ``method``."""
        H_x, H_y, H_xy = (entropy_from_counts(n, method) for n in (*self.totals(), self.count))
        return H_x + H_y - H_xy

    def leave_one_out(self, method: str = "plug_in") -> np.ndarray:
        """Return (K,) `mutual_information` with one sample of a cell left out, for each cell."""
        H_x, H_y, H_xy = (leave_one_out(n, method) for n in (*self.totals(), self.count))
        return H_x[self.x] + H_y[self.y] - H_xy

    def totals(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the counts of each symbol of x (Kx,) and of y (Ky,)."""
        n_x, n_y = (np.bincount(labels, weights=self.count) for labels in (self.x, self.y))
        return n_x.astype(np.int64), n_y.astype(np.int64)

    def chance_information(self, method: str, *, seed: int) -> float:
        """Return the mean of `mutual_information` in nats over 20 random permutations of y."""
        generator = random_generator(seed, "shuffles")
        x, y = np.repeat(self.x, self.count), np.repeat(self.y, self.count)
        shuffled = (self._of_labels(x, generator.permutation(y)) for _ in range(20))
        return float(np.mean([pairs.mutual_information(method) for pairs in shuffled]))


def _histogram(counts: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct counts > 0, and the number of cells with each: sufficient for entropy."""
    counts = as_array("counts", counts)
    if counts.dtype.kind not in "biuf":
        raise TypeError(f"counts: expected whole numbers, got dtype {counts.dtype}")
    broken = ~(np.isfinite(counts) & (counts == np.floor(counts)) & (counts >= 0))
    if broken.any():
        raise ValueError(f"counts: expected whole numbers >= 0, got {counts[broken][0]}")
    if counts.sum() < 2:
        raise ValueError(f"counts: expected at least 2 samples, got {counts.sum()}")
    n, cells = np.unique(counts[counts > 0], return_counts=True)
    return n.astype(np.float64), cells.astype(np.float64)


def _plug_in(n: np.ndarray, cells: np.ndarray) -> float:
    return cells @ special.entr(n / (n @ cells))


def _miller_madow(n: np.ndarray, cells: np.ndarray) -> float:
    return _plug_in(n, cells) + (cells[n > 0].sum() - 1) / (2 * (n @ cells))


def _chao_shen(n: np.ndarray, cells: np.ndarray) -> float:
    N = n @ cells
    # If all symbols were seen once, the coverage would be 0, and so would every term.
    singletons = min(cells[n == 1].sum(), N - 1)
    p = (1 - singletons / N) * n / N
    seen = -np.expm1(N * np.log1p(-np.minimum(p, 1 - 1e-16)))  # 1 - (1 - p)^N
    return cells @ np.divide(special.entr(p), seen, out=np.zeros_like(p), where=p > 0)


def _jackknife(n: np.ndarray, cells: np.ndarray) -> float:
    # With l(n) = n log n - (n - 1) log(n - 1), the mean of l(N) - l(n) over the samples.
    N, rest = n @ cells, lambda n: special.xlog1py(np.maximum(n - 1, 0), -1 / np.maximum(n, 1))
    return _plug_in(n, cells) - rest(N) + cells @ (n * rest(n)) / N


_ENTROPIES = {
    found.__name__.strip("_"): found for found in (_plug_in, _miller_madow, _chao_shen, _jackknife)
}


def _divergence(p: np.ndarray, q: np.ndarray) -> float:
    # Non-negative in exact arithmetic; rounding can give -1e-17.
    return max(0.0, float(special.rel_entr(p, q).sum()))


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
