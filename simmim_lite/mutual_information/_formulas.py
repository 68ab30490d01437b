"""Symbols from the counts of a contingency table; numbers by correlation, exact if normal."""

import math
from typing import Any

import numpy as np
from scipy.special import digamma, polygamma

from simmim_lite._arguments import check_choice
from simmim_lite._numerics import center_and_scale
from simmim_lite._random import random_generator
from simmim_lite.entropy import PairCounts
from simmim_lite.mutual_information._estimate import (
    Estimate,
    distinct_columns,
    normal_scores,
    paired_samples,
)


def plug_in(x: Any, y: Any) -> Estimate:
    """Return I of the observed frequencies: too large by about (Kx - 1) (Ky - 1) / 2N.

    x, y: N symbols of any sortable type, or (N, d) with one symbol in each row.
    """
    return _from_counts(PairCounts.of(x, y), "plug_in")


def miller_madow(x: Any, y: Any) -> Estimate:
    """Return `plug_in` corrected for the first-order bias of each entropy (Miller 1955)."""
    return _from_counts(PairCounts.of(x, y), "miller_madow")


def chao_shen(x: Any, y: Any) -> Estimate:
    """Use entropies corrected for unseen symbols (Chao & Shen 2003), for large alphabets."""
    return _from_counts(PairCounts.of(x, y), "chao_shen")


def jackknife(x: Any, y: Any) -> Estimate:
    """Use entropies extrapolated by leaving out one sample (Zahl 1977)."""
    return _from_counts(PairCounts.of(x, y), "jackknife")


def shuffle_corrected(x: Any, y: Any, *, entropy: str = "plug_in", seed: int = 0) -> Estimate:
    """Return an estimate minus its mean over 20 random permutations of y.

    The result is near 0 for independent variables. ``entropy`` is the method for the entropies:
    "plug_in", "miller_madow", "chao_shen" or "jackknife".
    """
    check_choice("entropy", entropy, ("plug_in", "miller_madow", "chao_shen", "jackknife"))
    pairs = PairCounts.of(x, y)
    nats = pairs.mutual_information(entropy) - pairs.chance_information(entropy, seed=seed)
    # The error of plug-in is too large for this difference if N << Kx + Ky, because plug-in and
    # chance are correlated.
    return Estimate(nats, _from_counts(pairs, "plug_in").standard_error, "shuffle_corrected")


def _from_counts(pairs: PairCounts, method: str) -> Estimate:
    """Estimate with its standard error by the jackknife: the spread over leaving out one sample.

    Measured on tables of 2 x 2 to 200 x 200 cells with N = 100 to 10,000: 0.97 to 1.8 times the
    true deviation, largest where X and Y are independent.
    """
    N = pairs.count.sum()
    values = pairs.leave_one_out(method)
    squares = (values - np.average(values, weights=pairs.count)) ** 2 @ pairs.count
    return Estimate(pairs.mutual_information(method), math.sqrt((N - 1) / N * squares), method)


def gaussian(x: Any, y: Any) -> Estimate:
    """Estimate I as -1/2 sum log(1 - rho^2) over the canonical correlations rho, exact if normal.

    x (N, dim_x), y (N, dim_y), N > dim_x + dim_y. The estimate depends on correlation only; for
    other kinds of dependence it can be below or above the truth.

    Unbiased for normal samples: for the scatter matrix W of d columns with covariance S,
    E log det W = log det S + d log 2 + sum_{i=1}^{d} psi((N - i) / 2), and the remainder of these
    sums in H(X) + H(Y) - H(X, Y) is subtracted (Ince et al. 2017, doi:10.1002/hbm.23471).
    The standard error holds for any distribution. Its first-order term is the spread of the log
    density ratio; its second-order term is the exact variance at independence, with psi' for psi.
    """
    x, y = paired_samples(x, y)
    return gaussian_estimate(x, y, "gaussian")


def rank_gaussian(x: Any, y: Any, *, seed: int = 0) -> Estimate:
    """Apply `gaussian` to the normal scores of every column; marginals have no influence.

    For (X, Y) with a Gaussian copula: monotone maps of the columns make them normal. Ranks blur the
    finest structure: at 3 nats in one column the estimate is 0.06 too small for 1,000 samples, 0.01
    for 10,000. ``seed`` determines how ties are broken.
    """
    generator = random_generator(seed, "ties")
    x, y = (values[:, distinct_columns(values)] for values in paired_samples(x, y))
    return gaussian_estimate(
        normal_scores(x, generator), normal_scores(y, generator), "rank_gaussian"
    )


def gaussian_estimate(x: np.ndarray, y: np.ndarray, method: str) -> Estimate:
    """Apply `gaussian` to float arrays; ``method`` is the name in the result."""
    N, dim_x, dim_y = len(x), x.shape[1], y.shape[1]
    if dim_x + dim_y >= N:
        raise ValueError(
            f"x, y: expected more samples than columns ({dim_x} + {dim_y}), got {N} samples"
        )
    q_x, q_y = _orthonormal("x", x), _orthonormal("y", y)
    u, rho, vt = np.linalg.svd(q_x.T @ q_y, full_matrices=False)
    if rho.max() >= 1 - 1e-14:
        kind = "linear" if method == "gaussian" else "monotone"
        expected = f"no column to be a {kind} function of the other variable (I would be infinite)"
        raise ValueError(f"x, y: expected {expected}, got a canonical correlation of {rho.max()}")
    i = np.arange(1, dim_x + dim_y + 1)
    bias = _beyond_separate(digamma((N - i) / 2), dim_x, dim_y) / -2
    variance = _beyond_separate(polygamma(1, (N - i) / 2), dim_x, dim_y) / 4
    # Canonical variates, and the log density ratio of each sample without a constant.
    u, v = math.sqrt(N) * (q_x @ u), math.sqrt(N) * (q_y @ vt.T)
    terms = ((2 * u * v - rho * (u**2 + v**2)) * rho / (2 * (1 - rho**2))).sum(axis=1)
    # `variance` already contains the variance of the terms by chance, dim_x dim_y / N.
    variance += max(terms.var() - dim_x * dim_y / N, 0) / N
    nats = -np.log1p(-(rho**2)).sum() / 2 - bias
    return Estimate(float(nats), math.sqrt(variance), method)


def _beyond_separate(values: np.ndarray, dim_x: int, dim_y: int) -> float:
    """Return the sum over all columns minus the sums for x alone and for y alone."""
    return float(values.sum() - values[:dim_x].sum() - values[:dim_y].sum())


def _orthonormal(name: str, values: np.ndarray) -> np.ndarray:
    """Return orthonormal columns (N, dim) with the span of the centered columns."""
    center, scale = center_and_scale(values)
    q, r = np.linalg.qr((values - center) / scale)
    diagonal = np.abs(np.diag(r))
    if diagonal.min() < 1e-10 * math.sqrt(len(values)):
        raise ValueError(
            f"{name}: expected linearly independent columns that vary, "
            f"got column {int(diagonal.argmin())} a combination of those before it"
        )
    return q
