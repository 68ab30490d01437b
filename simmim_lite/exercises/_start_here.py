"""Notebook 00."""

import math

import numpy as np

from simmim_lite import entropy as reference
from simmim_lite.exercises._check import Case, Cases, exercise


@exercise("joint table", "return the share of samples in each cell, rows x, columns y")
def _joint_table() -> Cases:
    yield Case(
        "four pairs of two symbols",
        (np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])),
        [[0.25, 0.25], [0.0, 0.5]],
        "a quarter of the pairs is (0, 0), a quarter (0, 1), half (1, 1)",
    )
    yield Case(
        "three rows and two columns",
        (np.array([0, 1, 2, 2, 2]), np.array([1, 0, 1, 1, 0])),
        [[0.0, 0.2], [0.2, 0.0], [0.2, 0.4]],
        "x is the row and y the column; the table need not be square",
    )
    x, y = np.random.default_rng(0).integers(0, (5, 3), size=(200, 2)).T
    table = np.histogram2d(x, y, bins=(np.arange(6), np.arange(4)))[0] / 200
    yield Case("200 random pairs", (x, y), table, "each pair adds 1/200 to its cell")


@exercise("mutual information", "return I(X; Y) in nats of a table, possibly with zeros")
def _mutual_information() -> Cases:
    independent = np.outer([0.2, 0.8], [0.5, 0.3, 0.2])
    yield Case("an independent table", (independent,), 0.0, "p(x, y) = p(x) p(y)")
    reason = "each symbol determines the other; an empty cell adds 0 (0 log 0 = 0)"
    yield Case("a diagonal table of ten classes", (np.eye(10) / 10,), math.log(10), reason)
    table = np.random.default_rng(1).dirichlet(np.ones(12)).reshape(3, 4)
    reason = "I = sum p log(p / (p_x p_y)), nats"
    yield Case("a random 3 x 4 table", (table,), reference.mutual_information(table), reason)


@exercise("chance level", "return the mean plug-in mutual information of x and many shuffles of y")
def _chance_level() -> Cases:
    generator = np.random.default_rng(2)
    for symbols, n in ((10, 400), (4, 200)):
        x = generator.integers(0, symbols, n)
        expected = (symbols - 1) ** 2 / (2 * n)
        yield Case(
            f"{n} pairs that are equal, of {symbols} symbols",
            (x, x),
            np.mean([_plug_in(x, generator.permutation(x)) for _ in range(2000)]),
            f"shuffling breaks every pair and leaves the bias, about {expected:.3f} nats",
            0.1 if symbols == 10 else 0.2,
        )


def _plug_in(x: np.ndarray, y: np.ndarray) -> float:
    return reference.mutual_information(reference.counts(x, y) / len(x))
