"""Symbols x symbols, from the counts of a contingency table."""

import math
from typing import Any

import numpy as np

from simmim_lite._arguments import check_choice
from simmim_lite.entropy import PairCounts
from simmim_lite.mutual_information._estimate import Estimate


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
