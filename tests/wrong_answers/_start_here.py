import numpy as np

from wrong_answers._common import information, plain_entropy


def joint(x, y):
    table = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(table, (x, y), 1 / len(x))
    return table


def counted_once(x, y):
    table = np.zeros((x.max() + 1, y.max() + 1))
    table[x, y] += 1 / len(x)
    return table


def shuffled_mean(x, y, shuffles=200):
    generator = np.random.default_rng(0)
    return np.mean([information(joint(x, generator.permutation(y))) for _ in range(shuffles)])


WRONG = {
    "joint table": {
        "counts instead of shares": lambda x, y: joint(x, y) * len(x),
        "columns x, rows y": lambda x, y: joint(x, y).T,
        "each cell counted once": counted_once,
        "a square table": lambda x, y: joint(x, y)[:2, :2],
        "the marginals multiplied": lambda x, y: np.outer(joint(x, y).sum(1), joint(x, y).sum(0)),
    },
    "mutual information": {
        "bits": lambda t: information(t) / np.log(2),
        "the joint entropy": plain_entropy,
        "the sign turned": lambda t: -information(t),
        "zeros not left out": lambda t: np.sum(t * np.log(t / np.outer(t.sum(1), t.sum(0)))),
        "shuffled always": lambda t: 0.0,
    },
    "chance level": {
        "no shuffle": lambda x, y: information(joint(x, y)),
        "zero": lambda x, y: 0.0,
        "the formula without the half": lambda x, y: x.max() * y.max() / len(x),
        "one bit base": lambda x, y: shuffled_mean(x, y) / np.log(2),
        "shuffled together": lambda x, y: information(joint(np.sort(x), np.sort(y))),
    },
}  # fmt: skip
