"""Correct answers, from which the wrong ones are made."""

import numpy as np


def plain_entropy(p):
    p = np.asarray(p)[np.asarray(p) > 0]
    return -np.sum(p * np.log(p))


def information(table):
    return (
        plain_entropy(table.sum(0)) + plain_entropy(table.sum(1)) - plain_entropy(np.ravel(table))
    )
