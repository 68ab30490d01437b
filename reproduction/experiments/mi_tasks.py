"""Tasks with known mutual information: twelve families, each in two halves.

Every constant of the estimator was chosen on `DEVELOPMENT`. `HELD_OUT` has the same families. It
was written later, before any estimator of this kit had run on it, and its results are only
reported. No task may move to the other half, and no task may change because of a result. The
families "determined columns" and "thin pieces" came after the first results of the other ten.
"""

import numpy as np

from reproduction.experiments.mi_distributions import (
    ClassAndFeature,
    ClassAndNormal,
    DiscreteTable,
    Gaussian,
    Joined,
    MixingTransform,
    NoisyCurve,
    NoisyDirection,
    OneHotClass,
    StudentT,
    UniformCells,
)
from simmim_lite.ground_truth import (
    AdditiveNoise,
    CorrelatedGaussian,
    GaussianMixture,
    GroundTruth,
    Independent,
    MonotoneTransform,
)

Normal, Monotone, Mixing = CorrelatedGaussian, MonotoneTransform, MixingTransform


def dense(dim_x: int, dim_y: int, correlation: float) -> Gaussian:
    """All pairs of columns have the same correlation."""
    dim = dim_x + dim_y
    return Gaussian(correlation + (1 - correlation) * np.eye(dim), dim_x)


def sparse(dim: int, nats: float) -> Gaussian:
    """Two pairs of columns share ``nats`` together; the other columns are independent."""
    return paired([nats / 2, nats / 2] + [0] * (dim - 2))


def uneven(dim: int, nats: float) -> Gaussian:
    """Each pair of columns shares half as much information as the pair before."""
    shares = 0.5 ** np.arange(dim)
    return paired(nats * shares / shares.sum())


def paired(nats: list[float] | np.ndarray) -> Gaussian:
    """Pairs of columns with the given mutual information each."""
    correlation = np.diag(np.sqrt(-np.expm1(-2 * np.asarray(nats))))
    one = np.eye(len(correlation))
    return Gaussian(np.block([[one, correlation], [correlation, one]]), len(one))


def wishart(dim_x: int, dim_y: int, seed: int) -> Gaussian:
    """Covariance of random columns: all correlations differ."""
    dim = dim_x + dim_y
    columns = np.random.default_rng(seed).standard_normal((dim, 2 * dim))
    return Gaussian(columns @ columns.T / (2 * dim), dim_x)


def crossed(dim: int, correlation: float) -> GaussianMixture:
    """Correlated or anticorrelated, with probability 1/2 each: no correlation in total."""
    one = np.eye(dim)
    signs = [np.block([[one, s * one], [s * one, one]]) for s in (correlation, -correlation)]
    return GaussianMixture([0.5, 0.5], np.zeros((2, 2 * dim)), signs, dim)


def clusters(K: int, dim_x: int, dim_y: int, spread: float, seed: int) -> GaussianMixture:
    """Normal clusters with random centers."""
    dim = dim_x + dim_y
    means = spread * np.random.default_rng(seed).standard_normal((K, dim))
    return GaussianMixture(np.full(K, 1 / K), means, np.tile(np.eye(dim), (K, 1, 1)), dim_x)


def skewed(K: int, diagonal: float) -> DiscreteTable:
    """Probability of a symbol ~ 1/rank; equal symbols are ``diagonal`` times as likely."""
    table = np.outer(1 / np.arange(1, K + 1), 1 / np.arange(1, K + 1))
    table[np.diag_indices(K)] *= diagonal
    return DiscreteTable(table / table.sum())


def uniform(K_x: int, K_y: int) -> DiscreteTable:
    """Independent uniform symbols."""
    return DiscreteTable(np.full((K_x, K_y), 1 / (K_x * K_y)))


def random_table(K_x: int, K_y: int, seed: int) -> DiscreteTable:
    """A random table, uniform over all tables."""
    cells = np.random.default_rng(seed).dirichlet(np.ones(K_x * K_y))
    return DiscreteTable(cells.reshape(K_x, K_y))


def blocks(dim: int, correlation: float) -> Gaussian:
    """Columns are correlated within X and within Y; X and Y are independent."""
    within = correlation + (1 - correlation) * np.eye(dim)
    return Gaussian(np.kron(np.eye(2), within), dim)


def checkerboard(K: int) -> UniformCells:
    """Half of K x K cells, alternating; K is even: log 2."""
    return UniformCells(np.indices((K, K)).sum(axis=0) % 2 * 2 / K**2)


def scattered(K: int, seed: int) -> UniformCells:
    """One cell in each row and each column, in random order: log K."""
    return UniformCells(np.random.default_rng(seed).permutation(np.eye(K)) / K)


def comb(teeth: int, levels: int) -> UniformCells:
    """Y rises from 0 to 1 in ``levels`` steps, ``teeth`` times: log of ``levels``."""
    return UniformCells(np.tile(np.eye(levels), (teeth, 1)) / (teeth * levels))


# Family -> name -> ground truth.
DEVELOPMENT: dict[str, dict[str, GroundTruth]] = {
    "Gaussian": {
        "5 pairs, 1 nat": Normal(5, nats=1),
        "3 pairs, 2 nats": Normal(3, nats=2),
        "20 pairs, 10 nats": Normal(20, nats=10),
        "20 pairs, 6 nats": Normal(20, nats=6),
        "2 pairs of 25": sparse(25, 1),
        "2 pairs of 5": sparse(5, 1.5),
        "10 uneven pairs": uneven(10, 3),
        "6 uneven pairs": uneven(6, 5),
        "dense, 50 and 50": dense(50, 50, 0.3),
        "dense, 10 and 25": dense(10, 25, 0.5),
        "1 pair, 3 nats": Normal(1, nats=3),
        "1 pair, 0.2 nats": Normal(1, nats=0.2),
    },
    "monotone": {
        "20 pairs, cubes": Monotone(Normal(20, nats=4), "cube", "cube"),
        "10 pairs, exp and asinh": Monotone(Normal(10, nats=2), "exp", "asinh"),
        "2 pairs of 5, asinh and uniform": Monotone(sparse(5, 1), "asinh", "normal_cdf"),
        "3 uneven pairs, uniform and cube": Monotone(uneven(3, 2), "normal_cdf", "cube"),
    },
    "warp": {
        "2 pairs of 3, swirl": Mixing(sparse(3, 1), "swirl", "identity"),
        "2 pairs of 5, swirls": Mixing(sparse(5, 1), "swirl", "swirl"),
        "2 pairs of 25, swirl": Mixing(sparse(25, 1), "swirl", "identity"),
        "2 pairs of 10, rotated shear": Mixing(sparse(10, 1), "rotate_shear", "identity"),
        "4 pairs, shear and bend": Mixing(Normal(4, nats=2), "shear", "bend"),
        "6 pairs, bend and sheared turn": Mixing(Normal(6, nats=3), "bend", "shear_rotate"),
        "2 pairs, swirl and shear": Mixing(Normal(2, nats=1), "swirl", "shear"),
        "2 pairs, bend and swirl": Mixing(Normal(2, nats=2), "bend", "swirl"),
        "10 pairs, turned cubes": Mixing(Normal(10, nats=4), "rotate_cube", "identity"),
        "5 pairs, turned cubes twice": Mixing(Normal(5, nats=2), "rotate_cube", "rotate_cube"),
    },
    "heavy tails": {
        "1 pair, Cauchy": StudentT(Normal(1, nats=0.3), 1),
        "2 pairs, 2 degrees": StudentT(Normal(2, nats=0.5), 2),
        "dense, 5 and 5, 3 degrees": StudentT(dense(5, 5, 0.4), 3),
        "dense, 3 and 3, 2 degrees": StudentT(dense(3, 3, 0.5), 2),
        "scale only, 3 and 3": StudentT(Independent(3, 3), 2),
        "scale only, 5 and 5": StudentT(Independent(5, 5), 3),
    },
    "mixture": {
        "crossed, 1 pair": crossed(1, 0.9),
        "crossed, 2 pairs": crossed(2, 0.8),
        "4 clusters, 2 and 2": clusters(4, 2, 2, 2, seed=0),
        "6 clusters, 3 and 3": clusters(6, 3, 3, 1.5, seed=1),
        "5 clusters, 10 and 10": clusters(5, 10, 10, 0.8, seed=2),
        "3 clusters, 5 and 5": clusters(3, 5, 5, 1, seed=3),
    },
    "manifold": {
        "sine": NoisyCurve("sine", 0.2),
        "fast sine": NoisyCurve("fast_sine", 0.3),
        "circle": NoisyCurve("circle", 0.15),
        "spiral": NoisyCurve("spiral", 0.1),
        "helix": NoisyCurve("helix", 0.3),
        "parabola": NoisyCurve("parabola", 0.1),
        "1 pair, swiss roll": Mixing(Normal(1, nats=1), "swiss_roll", "identity"),
        "3 pairs, swiss roll": Mixing(Normal(3, nats=1.5), "swiss_roll", "identity"),
        "sine and 3 of noise": Joined(NoisyCurve("sine", 0.3), Independent(3, 3)),
        "parabola and 4 of noise": Joined(NoisyCurve("parabola", 0.2), Independent(4, 4)),
    },
    "additive": {
        "width 0.1": AdditiveNoise(0.1),
        "width 0.75": AdditiveNoise(0.75),
        "3 of width 0.5": Joined(*[AdditiveNoise(0.5)] * 3),
        "2 of width 0.25": Joined(*[AdditiveNoise(0.25)] * 2),
    },
    "discrete": {
        "skewed, 100": skewed(100, 10),
        "skewed, 60": skewed(60, 30),
        "independent, 30 and 30": uniform(30, 30),
        "independent, 50 and 20": uniform(50, 20),
        "skewed, 10": skewed(10, 5),
        "random table, 4 and 6": random_table(4, 6, seed=5),
    },
    "mixed": {
        "5 overlapping classes": ClassAndFeature(5),
        "3 overlapping classes": ClassAndFeature(3),
        "3 normal classes in 10": ClassAndNormal(3 * np.eye(3, 10)),
        "10 normal classes in 20": ClassAndNormal(3 * np.eye(10, 20)),
        "4 normal classes, exp": Monotone(ClassAndNormal([[0], [1], [2], [3]]), "identity", "exp"),
        "4 normal classes in 4": ClassAndNormal(1.5 * np.eye(4)),
    },
    "null": {
        "1 and 1": Independent(1, 1),
        "5 and 5": Independent(5, 5),
        "25 and 25": Independent(25, 25),
        "2 and 20": Independent(2, 20),
        "4 and 4, bend and swirl": Mixing(blocks(4, 0.6), "bend", "swirl"),
        "3 and 3, swirl and bend": Mixing(Independent(3, 3), "swirl", "bend"),
    },
    "determined columns": {
        "circle, concentration 5": NoisyDirection(2, 5),
        "sphere, concentration 20": NoisyDirection(3, 20),
        "sphere in 5, concentration 8": NoisyDirection(5, 8),
        "torus": Joined(NoisyDirection(2, 8), NoisyDirection(2, 3)),
        "circle and 2 pairs": Joined(NoisyDirection(2, 4), Normal(2, nats=0.5)),
        "1 pair, circles": Mixing(Normal(1, nats=1.2), "circle", "circle"),
        "3 pairs, circle and square": Mixing(Normal(3, nats=1.5), "circle", "with_square"),
        "2 pairs, square": Mixing(Normal(2, nats=1), "with_square", "identity"),
        "composition of 3": Mixing(Normal(2, nats=1), "composition", "composition"),
        "composition of 6": Mixing(Normal(5, nats=2), "composition", "identity"),
        "2 pairs, bins": Mixing(Normal(2, nats=1), "with_bins", "identity"),
        "4 pairs, bins and square": Mixing(Normal(4, nats=2), "with_bins", "with_square"),
        "one-hot class and 1 pair": Joined(OneHotClass(ClassAndFeature(4)), Normal(1, nats=0.5)),
        "one-hot class and 3 pairs": Joined(
            OneHotClass(ClassAndNormal(2 * np.eye(3, 3))), Normal(3, nats=0.8)
        ),
    },
    "thin pieces": {
        "checkerboard of 6": checkerboard(6),
        "checkerboard of 12": checkerboard(12),
        "30 scattered cells": scattered(30, seed=51),
        "comb, 10 teeth": comb(10, 3),
        "comb, 5 teeth": comb(5, 8),
        "checkerboard and 1 pair": Joined(checkerboard(4), Normal(1, nats=0.3)),
        "2 checkerboards": Joined(checkerboard(4), checkerboard(6)),
        "40 clusters, 1 and 1": clusters(40, 1, 1, 8, seed=52),
        "30 clusters, 2 and 2": clusters(30, 2, 2, 4, seed=53),
        "checkerboard and 3 of noise": Joined(checkerboard(4), Independent(3, 3)),
    },
}

HELD_OUT: dict[str, dict[str, GroundTruth]] = {
    "Gaussian": {
        "15 pairs, 8 nats": Normal(15, nats=8),
        "2 pairs of 40": sparse(40, 1.2),
        "8 uneven pairs": uneven(8, 4),
        "dense, 30 and 12": dense(30, 12, 0.4),
        "random, 7 and 3": wishart(7, 3, seed=11),
    },
    "monotone": {
        "12 pairs, sinh and cube root": Monotone(Normal(12, nats=3), "sinh", "cube_root"),
        "dense, 6 and 9, exp and cube": Monotone(dense(6, 9, 0.4), "exp", "cube"),
        "2 pairs of 30, cube and asinh": Monotone(sparse(30, 1.5), "cube", "asinh"),
        "random, 2 and 5, uniform and exp": Monotone(wishart(2, 5, seed=12), "normal_cdf", "exp"),
    },
    "warp": {
        "2 pairs of 8, swirl": Mixing(sparse(8, 1.2), "identity", "swirl"),
        "2 pairs of 4, shear and swirl": Mixing(sparse(4, 0.8), "shear", "swirl"),
        "5 uneven pairs, bend and shear": Mixing(uneven(5, 2.5), "bend", "shear"),
        "8 pairs, turned cubes": Mixing(Normal(8, nats=3), "identity", "rotate_cube"),
        "dense, 4 and 7, bend and sheared turn": Mixing(dense(4, 7, 0.5), "bend", "shear_rotate"),
    },
    "heavy tails": {
        "1 pair, 1.5 degrees": StudentT(Normal(1, nats=0.6), 1.5),
        "4 pairs, 4 degrees": StudentT(Normal(4, nats=1), 4),
        "dense, 2 and 6, 3 degrees": StudentT(dense(2, 6, 0.5), 3),
        "scale only, 4 and 2": StudentT(Independent(4, 2), 2),
    },
    "mixture": {
        "crossed, 3 pairs": crossed(3, 0.7),
        "5 clusters, 2 and 4": clusters(5, 2, 4, 1.5, seed=21),
        "8 clusters, 2 and 2": clusters(8, 2, 2, 2, seed=22),
        "4 clusters, 12 and 6": clusters(4, 12, 6, 0.8, seed=23),
    },
    "manifold": {
        "zigzag": NoisyCurve("zigzag", 0.2),
        "figure eight": NoisyCurve("figure_eight", 0.15),
        "spiral in more noise": NoisyCurve("spiral", 0.2),
        "2 pairs, swiss roll": Mixing(Normal(2, nats=1.2), "identity", "swiss_roll"),
        "circle and 3 of noise": Joined(NoisyCurve("circle", 0.25), Independent(3, 3)),
    },
    "additive": {
        "width 0.15": AdditiveNoise(0.15),
        "widths 0.3 and 0.6": Joined(AdditiveNoise(0.3), AdditiveNoise(0.6)),
        "4 of width 0.4": Joined(*[AdditiveNoise(0.4)] * 4),
    },
    "discrete": {
        "skewed, 80": skewed(80, 20),
        "independent, 40 and 25": uniform(40, 25),
        "random table, 12 and 9": random_table(12, 9, seed=31),
    },
    "mixed": {
        "7 overlapping classes": ClassAndFeature(7),
        "6 normal classes in 30": ClassAndNormal(2.5 * np.eye(6, 30)),
        "5 normal classes in 3, sinh": Monotone(
            ClassAndNormal(1.5 * np.random.default_rng(41).standard_normal((5, 3))),
            "identity",
            "sinh",
        ),
    },
    "null": {
        "4 and 12": Independent(4, 12),
        "30 and 30": Independent(30, 30),
        "5 and 5, shear and bend": Mixing(blocks(5, 0.5), "shear", "bend"),
    },
    "determined columns": {
        "circle, concentration 12": NoisyDirection(2, 12),
        "sphere, concentration 6": NoisyDirection(3, 6),
        "sphere in 4, concentration 15": NoisyDirection(4, 15),
        "torus": Joined(NoisyDirection(2, 4), NoisyDirection(2, 15)),
        "sphere and 3 of noise": Joined(NoisyDirection(3, 10), Independent(3, 3)),
        "2 pairs, circles": Mixing(Normal(2, nats=1.4), "circle", "circle"),
        "1 pair, circle": Mixing(Normal(1, nats=0.8), "identity", "circle"),
        "3 pairs, squares": Mixing(Normal(3, nats=1.2), "with_square", "with_square"),
        "composition of 4": Mixing(Normal(3, nats=1.5), "composition", "identity"),
        "compositions of 8": Mixing(Normal(7, nats=2), "composition", "composition"),
        "3 pairs, bins": Mixing(Normal(3, nats=1.5), "identity", "with_bins"),
        "one-hot class and 2 pairs": Joined(OneHotClass(ClassAndFeature(6)), Normal(2, nats=0.6)),
    },
    "thin pieces": {
        "checkerboard of 10": checkerboard(10),
        "20 scattered cells": scattered(20, seed=61),
        "comb, 8 teeth": comb(8, 4),
        "checkerboard of 6 and 1 pair": Joined(checkerboard(6), Normal(1, nats=0.6)),
        "50 clusters, 1 and 1": clusters(50, 1, 1, 10, seed=62),
        "25 clusters, 2 and 3": clusters(25, 2, 3, 4, seed=63),
    },
}
HALVES = {"development": DEVELOPMENT, "held-out": HELD_OUT}
