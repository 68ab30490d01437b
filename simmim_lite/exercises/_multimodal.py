"""Notebook 06."""

import math

import numpy as np

from simmim_lite.exercises._check import Case, Cases, exercise


@exercise(
    "symmetric info nce", "return the mean of InfoNCE, in nats, of the scores and of the transpose"
)
def _symmetric_info_nce() -> Cases:
    scores = np.array([[1.0, 0.0], [2.0, 1.0]])
    rows = 1 + 0.5 * (-math.log(math.e + 1) - math.log(math.e**2 + math.e)) + math.log(2)
    columns = 1 + 0.5 * (-math.log(math.e + math.e**2) - math.log(1 + math.e)) + math.log(2)
    yield Case("equal scores", (np.zeros((5, 5)),), 0.0, "equal scores do not separate positives")
    yield Case("scores of 50 for positives", (50 * np.eye(4),), math.log(4), "the maximum is ln K")
    yield Case("a 2 x 2 table", (scores,), (rows + columns) / 2, "both directions have weight 1/2")
    tilted = np.array([[3.0, 0.0, 0.0], [3.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    rows = 1 - math.log((math.e**3 + 2) / 3)
    reason = "the columns are constant and give 0, the rows give less than 0"
    yield Case("identical rows", (tilted,), rows / 2, reason)
    yield Case("scores of 1000", (1000 * np.eye(3),), math.log(3), "e^1000 overflows")


@exercise(
    "paired information",
    "return I(image; recording of its class) in nats from the classes of the images",
)
def _paired_information() -> Cases:
    yield Case("two classes of equal size", (np.array([0, 1, 0, 1]),), math.log(2), "I is H(class)")
    yield Case(
        "three images of one class, one of another",
        (np.array([3, 3, 7, 3]),),
        2 * math.log(2) - 0.75 * math.log(3),
        "p(class) is the share of its images, and labels are only names",
    )
    yield Case("one class", (np.zeros(6, int),), 0.0, "the class is certain")
    yield Case("ten digits", (np.arange(100) % 10,), math.log(10), "ten equally frequent classes")


@exercise(
    "clusters", "return the accuracy under the best one-to-one matching of clusters and classes"
)
def _clusters() -> Cases:
    labels = np.array([0, 0, 1, 1, 1, 2])
    yield Case("other names", (labels, np.array([2, 2, 0, 0, 0, 1])), 1.0, "names do not matter")
    yield Case(
        "two classes in one cluster",
        (np.array([0, 0, 0, 1, 1, 2]), np.array([1, 1, 1, 1, 1, 0])),
        4 / 6,
        "a cluster matches one class only",
    )
    yield Case(
        "a case where the greedy choice loses",
        (np.repeat([0, 0, 1], [5, 4, 4]), np.repeat([0, 1, 0], [5, 4, 4])),
        8 / 13,
        "cluster 0 for class 1 and cluster 1 for class 0 give 4 + 4, the other way gives 5",
    )
