import numpy as np


def _overlap(a, b):
    height = min(a[1], b[1]) - max(a[0], b[0])
    width = min(a[3], b[3]) - max(a[2], b[2])
    return height, width


def _area(a):
    return (a[1] - a[0]) * (a[3] - a[2])


def _sum(a, b):
    height, width = _overlap(a, b)
    return max(height, 0) * max(width, 0) / (_area(a) + _area(b))


def _negative(a, b):
    height, width = _overlap(a, b)
    return height * width / (_area(a) + _area(b) - height * width)


def _first(a, b):
    height, width = _overlap(a, b)
    return max(height, 0) * max(width, 0) / _area(a)


WRONG = {
    "scores without an image": {
        "candidates not weighted": lambda f, p: p @ f - np.log(np.exp(f).sum()),
        "positives not weighted": lambda f, p: f.mean() - np.log(p @ np.exp(f)),
        "always 0": lambda f, p: 0.0,
        "in bits": lambda f, p: (p @ f - np.log(p @ np.exp(f))) / np.log(2),
    },
    "box overlap": {
        "intersection counted twice": _sum,
        "two negative lengths": _negative,
        "divided by the first area": _first,
    },
}
