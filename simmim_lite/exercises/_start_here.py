"""Notebook 00."""

import math
from collections.abc import Iterable

import numpy as np

from simmim_lite import entropy as reference
from simmim_lite.exercises._check import Case, exercise


@exercise("joint table", "return the share of samples in each cell, rows x, columns y")
def _joint_table() -> Iterable[Case]:
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
        "x picks the row and y the column, also when they have different numbers of symbols",
    )
    x, y = np.random.default_rng(0).integers(0, (5, 3), size=(200, 2)).T
    table = np.histogram2d(x, y, bins=(np.arange(6), np.arange(4)))[0] / 200
    yield Case("200 random pairs", (x, y), table, "each pair adds 1/200 to its cell")


@exercise("mutual information", "return I(X; Y) in nats of a table that may hold zeros")
def _mutual_information() -> Iterable[Case]:
    independent = np.outer([0.2, 0.8], [0.5, 0.3, 0.2])
    yield Case("an independent table", (independent,), 0.0, "the joint is the product there")
    yield Case(
        "a diagonal table of ten classes",
        (np.eye(10) / 10,),
        math.log(10),
        "each symbol tells the other; an empty cell adds nothing (0 log 0 = 0)",
    )
    table = np.random.default_rng(1).dirichlet(np.ones(12)).reshape(3, 4)
    yield Case(
        "a random 3 x 4 table",
        (table,),
        reference.mutual_information(table),
        "I = sum p log(p / (p_x p_y)), nats",
    )


@exercise("chance level", "return the mean plug-in information of x and many shuffles of y")
def _chance_level() -> Iterable[Case]:
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
