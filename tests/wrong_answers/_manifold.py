import numpy as np
from scipy.special import xlogy


def _merged(joint, i, j):
    joint = joint.copy()
    joint[i] += joint[j]
    joint[:, i] += joint[:, j]
    return np.delete(np.delete(joint, j, 0), j, 1)


def _table(labels, weights):
    K = int(labels.max()) + 1
    joint = np.zeros((K, K))
    np.add.at(joint, (labels[:, None], labels), weights)
    return joint / joint.sum()


def _entropy(p):
    return -xlogy(p, p).sum()


def _information(joint):
    return 2 * _entropy(joint.sum(0)) - _entropy(joint)


def _best(joint, score):
    pairs = [(i, j) for i in range(len(joint)) for j in range(i + 1, len(joint))]
    return max(pairs, key=lambda pair: score(joint, *pair))


WRONG = {
    "manifold bound": {
        "entropy of both": lambda p, q: (
            _entropy((p + q).mean(0) / 2) + np.sum(p * np.log(q), axis=1).mean()
        ),
        "without augmentation": lambda p, q: (
            _entropy(p.mean(0)) + np.sum(p * np.log(p), axis=1).mean()
        ),
        "bits": lambda p, q: (
            (_entropy(p.mean(0)) + np.sum(p * np.log(q), axis=1).mean()) / np.log(2)
        ),
        "the wrong way round": lambda p, q: (
            _entropy(p.mean(0)) + np.sum(q * np.log(p), axis=1).mean()
        ),
        "the mean entropy": lambda p, q: (
            _entropy(p) / len(p) + np.sum(p * np.log(q), axis=1).mean()
        ),
    },
    "two nn": {
        "N in place of N - 1": lambda a, b: len(a) / np.log(b / a).sum(),
        "upside down": lambda a, b: np.log(b / a).sum() / (len(a) - 1),
        "mean of inverses": lambda a, b: np.mean(1 / np.log(b / a)),
        "base two": lambda a, b: (len(a) - 1) / np.log2(b / a).sum(),
    },
    "cluster information": {
        "edges without weights": lambda c, w: _information(_table(c, (w > 0.5) + 0.0)),
        "entropy of the labels": lambda c, w: _entropy(np.bincount(c) / len(c)),
        "joint entropy": lambda c, w: _entropy(_table(c, w)),
        "bits": lambda c, w: _information(_table(c, w)) / np.log(2),
    },
    "cheapest merge": {
        "most edges between": lambda joint: _best(joint, lambda p, i, j: p[i, j]),
        "loses most": lambda joint: _best(joint, lambda p, i, j: -_information(_merged(p, i, j))),
        "the first two": lambda joint: (0, 1),
        "the order": lambda joint: _best(
            joint, lambda p, i, j: _information(_merged(p, i, j))
        )[::-1],
    },
}  # fmt: skip
