import numpy as np


def _table(counts):
    p = np.asarray(counts, float) / np.sum(counts)
    with np.errstate(divide="ignore"):
        return p, np.log(p / np.outer(p.sum(1), p.sum(0)))


def _not_a_distribution(counts):
    counts = np.asarray(counts, float)
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(counts / np.outer(counts.sum(1), counts.sum(0))), 0)


WRONG = {
    "two groups of people": {
        "square root forgotten": lambda s, e, k, m: s**2 / ((s + e / k) * (s + e / m)),
        "noise not averaged": lambda s, e, k, m: s / (s + e),
        "second group without noise": lambda s, e, k, m: np.sqrt(s / (s + e / k)),
    },
    "positive pmi": {
        "negative values kept": lambda counts: _table(counts)[1],
        "absolute values": lambda counts: np.abs(np.nan_to_num(_table(counts)[1], neginf=0)),
        "counts not divided by their sum": _not_a_distribution,
        "in bits": lambda counts: np.maximum(_table(counts)[1], 0) / np.log(2),
        "weighted by p": lambda counts: np.maximum(_table(counts)[1], 0) * _table(counts)[0],
    },
}
