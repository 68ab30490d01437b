import numpy as np
from scipy.special import xlogy


def _entropy(p):
    return -xlogy(p, p).sum()


def _bound(q, moves):
    return _entropy(q.mean(0)) + np.sum(q.T @ moves * np.log(q).T) / len(q)


WRONG = {
    "manifold bound": {
        "bits": lambda q, moves: _bound(q, moves) / np.log(2),
        "steps backwards": lambda q, moves: _bound(q, moves.T),
        "without steps": lambda q, moves: _bound(q, np.eye(len(q))),
        "the mean entropy": lambda q, moves: (
            _bound(q, moves) - _entropy(q.mean(0)) + _entropy(q) / len(q)
        ),
        "sum over the points": lambda q, moves: (
            _entropy(q.mean(0)) + np.sum(q.T @ moves * np.log(q).T)
        ),
        "the induced conditional": lambda q, moves: (
            _entropy(q.mean(0)) + np.sum(xlogy(j := q.T @ moves / len(q), j / j.sum(0)))
        ),
    },
}  # fmt: skip
