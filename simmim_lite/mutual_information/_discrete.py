"""Symbols x symbols: from the counts of a contingency table."""

import math
from typing import Any

import numpy as np

from simmim_lite._arguments import check_choice, check_integer
from simmim_lite._random import random_generator
from simmim_lite.entropy import PairCounts
from simmim_lite.mutual_information._estimate import Estimate


def plug_in(x: Any, y: Any) -> Estimate:
    """I of the observed frequencies: too large by about (Kx - 1) (Ky - 1) / 2N.

    x, y: N symbols of any sortable type, or (N, d) with a symbol a row.
    """
    return _from_counts(PairCounts.of(x, y), "plug_in")


def miller_madow(x: Any, y: Any) -> Estimate:
    """`plug_in` with the first-order bias of each entropy taken off (Miller 1955)."""
    return _from_counts(PairCounts.of(x, y), "miller_madow")


def chao_shen(x: Any, y: Any) -> Estimate:
    """From entropies that allow for symbols not seen yet (Chao & Shen 2003): large alphabets."""
    return _from_counts(PairCounts.of(x, y), "chao_shen")


def jackknife(x: Any, y: Any) -> Estimate:
    """From entropies extrapolated from leaving out one sample (Zahl 1977)."""
    return _from_counts(PairCounts.of(x, y), "jackknife")


def shuffle_corrected(
    x: Any, y: Any, *, entropy: str = "plug_in", shuffles: int = 20, seed: int = 0
) -> Estimate:
    """An estimate minus its mean over ``shuffles`` random re-pairings: near 0 if independent.

    ``entropy`` is the estimate's: "plug_in", "miller_madow", "chao_shen" or "jackknife".
    """
    check_choice("entropy", entropy, ("plug_in", "miller_madow", "chao_shen", "jackknife"))
    pairs = PairCounts.of(x, y)
    if entropy == "plug_in":
        chance = pairs.chance_information(shuffles=shuffles, seed=seed)
        return _from_counts(pairs, "shuffle_corrected", chance)
    check_integer("shuffles", shuffles, minimum=1)
    generator = random_generator(seed, "shuffles")
    x, y = np.repeat(pairs.x, pairs.count), np.repeat(pairs.y, pairs.count)
    by_chance = [
        PairCounts.of(x, generator.permutation(y)).mutual_information(entropy)
        for _ in range(shuffles)
    ]
    nats = pairs.mutual_information(entropy) - float(np.mean(by_chance))
    return Estimate(nats, _from_counts(pairs, "plug_in").standard_error, "shuffle_corrected")


def _from_counts(pairs: PairCounts, method: str, chance: float = 0.0) -> Estimate:
    """The estimate, and its error by the jackknife: the spread over leaving out one sample.

    Measured on tables of 2 x 2 to 200 x 200 cells with N = 100 to 10,000: 0.97 to 1.8 times the
    true deviation, largest where X and Y are independent.
    """
    # Plug-in's error serves both. It is too large for the difference when N << Kx + Ky, where
    # plug-in and chance move together.
    estimator = "plug_in" if method == "shuffle_corrected" else method
    N = pairs.count.sum()
    less = pairs.leave_one_out(estimator)
    squares = (less - np.average(less, weights=pairs.count)) ** 2 @ pairs.count
    error = math.sqrt((N - 1) / N * squares)
    return Estimate(pairs.mutual_information(estimator) - chance, error, method)
