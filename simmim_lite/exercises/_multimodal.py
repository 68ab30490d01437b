"""Notebook 06."""

import math
from collections.abc import Iterable

import numpy as np

from simmim_lite.exercises._check import Case, exercise


@exercise(
    "symmetric info nce", "return the mean of InfoNCE, in nats, of the scores and of the transpose"
)
def _symmetric_info_nce() -> Iterable[Case]:
    scores = np.array([[1.0, 0.0], [2.0, 1.0]])
    rows = 1 + 0.5 * (-math.log(math.e + 1) - math.log(math.e**2 + math.e)) + math.log(2)
    columns = 1 + 0.5 * (-math.log(math.e + math.e**2) - math.log(1 + math.e)) + math.log(2)
    yield Case("equal scores", (np.zeros((5, 5)),), 0.0, "nobody can tell partners from strangers")
    yield Case("scores of 50 for partners", (50 * np.eye(4),), math.log(4), "the most is ln K")
    yield Case("a 2 x 2 table", (scores,), (rows + columns) / 2, "both directions count by halves")
    tilted = np.array([[3.0, 0.0, 0.0], [3.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    rows = 1 - math.log((math.e**3 + 2) / 3)
    yield Case(
        "rows that are all the same",
        (tilted,),
        rows / 2,
        "each column is constant and shows 0, each row shows less than 0",
    )
    yield Case("scores of 1000", (1000 * np.eye(3),), math.log(3), "e^1000 must not be formed")


@exercise(
    "paired information",
    "return in nats what an image and a recording of its class share, given the images' classes",
)
def _paired_information() -> Iterable[Case]:
    yield Case(
        "two classes of equal size", (np.array([0, 1, 0, 1]),), math.log(2), "it is H(class)"
    )
    yield Case(
        "three images of one class, one of another",
        (np.array([3, 3, 7, 3]),),
        2 * math.log(2) - 0.75 * math.log(3),
        "classes count by their share of the images, and their names do not matter",
    )
    yield Case("one class", (np.zeros(6, int),), 0.0, "there is nothing to know")
    yield Case("ten digits", (np.arange(100) % 10,), math.log(10), "ten equally frequent classes")


@exercise(
    "clusters",
    "return the share of rows that are right under the best one-to-one naming of clusters",
)
def _clusters() -> Iterable[Case]:
    labels = np.array([0, 0, 1, 1, 1, 2])
    yield Case("other names", (labels, np.array([2, 2, 0, 0, 0, 1])), 1.0, "names do not matter")
    yield Case(
        "two classes in one cluster",
        (np.array([0, 0, 0, 1, 1, 2]), np.array([1, 1, 1, 1, 1, 0])),
        4 / 6,
        "a cluster can be named after one class only",
    )
    yield Case(
        "a case where the greedy choice loses",
        (np.repeat([0, 0, 1], [5, 4, 4]), np.repeat([0, 1, 0], [5, 4, 4])),
        8 / 13,
        "cluster 0 named after class 1 and cluster 1 after class 0 give 4 + 4, the other way 5",
    )
