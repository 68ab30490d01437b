"""Cases of the exercises of notebook 19."""

import math

from simmim_lite.exercises._check import Case, Cases, cases


@cases("question-only accuracy")
def _question_only_accuracy() -> Cases:
    yield Case("two questions", ([[9, 1], [2, 8]], [[6, 4], [5, 5]]), 11 / 20, "(6 + 5) / 20")
    train, test = [[3, 1, 0], [0, 0, 5]], [[1, 9, 0], [0, 0, 10]]
    yield Case("another winner in the test", (train, test), 11 / 20, "the prior never sees test")
    yield Case("unequal questions", ([[1, 0], [0, 1]], [[30, 10], [0, 0]]), 0.75, "30 of 40")
    yield Case("a new question", ([[4, 0], [0, 0]], [[5, 5], [10, 0]]), 0.25, "5 of 20")


@cases("learned weight")
def _learned_weight() -> Cases:
    yield Case("loss 1", (1.0,), 0.5, "s = 0 is the best")
    yield Case("a small loss", (0.05,), (1 + math.log(0.05)) / 2, "s = ln L, below 0")
    yield Case("a large loss", (math.e**3,), 2.0, "s = 3")
