import numpy as np
from scipy.special import logsumexp


def one_direction(scores):
    return np.mean(np.diag(scores) - logsumexp(scores, axis=1)) + np.log(len(scores))


def majority(labels, clusters):
    """Each cluster named after its most frequent class: purity."""
    return sum(np.bincount(labels[clusters == c]).max() for c in np.unique(clusters)) / len(labels)


def greedy(labels, clusters):
    table = np.zeros((labels.max() + 1, clusters.max() + 1))
    np.add.at(table, (labels, clusters), 1)
    right = 0
    for _ in range(min(table.shape)):
        row, column = np.unravel_index(table.argmax(), table.shape)
        right += table[row, column]
        table[row], table[:, column] = -1, -1
    return right / len(labels)


def from_shares(p):
    return -np.sum(p * np.log(p))


WRONG = {
    "symmetric info nce": {
        "rows only": one_direction,
        "columns only": lambda scores: one_direction(scores.T),
        "the sum": lambda scores: one_direction(scores) + one_direction(scores.T),
        "no ln K": lambda scores: one_direction(scores) - np.log(len(scores)),
        "exponentials": lambda scores: np.mean(
            [np.log(len(s) * np.diag(np.exp(s)) / np.exp(s).sum(axis=1)).mean()
             for s in (scores, scores.T)]
        ),
    },
    "paired information": {
        "number of classes": lambda classes: np.log(len(np.unique(classes))),
        "ln of the largest name": lambda classes: np.log(classes.max() + 1),
        "number of images": lambda classes: np.log(len(classes)),
        "bits": lambda classes: from_shares(
            np.unique(classes, return_counts=True)[1] / len(classes)
        ) / np.log(2),
    },
    "clusters": {
        "as they are named": lambda labels, clusters: np.mean(labels == clusters),
        "majority": majority,
        "greedy": greedy,
        "a count": lambda labels, clusters: majority(labels, clusters) * len(labels),
    },
}  # fmt: skip
