import numpy as np
from scipy.special import logsumexp


def exact(scores, joint, rows=None, columns=None):
    rows = joint.sum(axis=1) if rows is None else rows
    columns = joint.sum(axis=0) if columns is None else columns
    return np.sum(joint * scores) - rows @ logsumexp(scores, b=columns, axis=1)


def uniform(size):
    return np.full(size, 1 / size)


def with_exponentials(scores, joint):
    return np.sum(joint * scores) - joint.sum(axis=1) @ np.log(np.exp(scores) @ joint.sum(axis=0))


WRONG = {
    "exact infonce": {
        "other direction": lambda scores, joint: exact(scores.T, joint.T),
        "equal rows": lambda scores, joint: exact(scores, joint, rows=uniform(len(joint))),
        "equal columns": lambda scores, joint: exact(
            scores, joint, columns=uniform(joint.shape[1])
        ),
        "no weights in the sum": lambda scores, joint: exact(
            scores, joint, columns=np.ones(joint.shape[1])
        ),
        "Donsker-Varadhan": lambda scores, joint: np.sum(joint * scores) - logsumexp(
            scores, b=np.outer(joint.sum(axis=1), joint.sum(axis=0))
        ),
        "exponentials": with_exponentials,
    },
}  # fmt: skip
