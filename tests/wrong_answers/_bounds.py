import numpy as np


def _z(s):
    return np.mean(np.exp(s[~np.eye(len(s), dtype=bool)]))


WRONG = {
    "tangent bound": {
        "ln a forgotten": lambda s, a: np.mean(np.diag(s)) - _z(s) / a + 1,
        "the constant forgotten": lambda s, a: np.mean(np.diag(s)) - np.log(a) - _z(s) / a,
        "the diagonal in the second term": lambda s, a: (
            np.mean(np.diag(s)) - np.log(a) - np.mean(np.exp(s)) / a + 1
        ),
        "always NWJ": lambda s, a: np.mean(np.diag(s)) - _z(s) / np.e,
        "Donsker-Varadhan": lambda s, a: np.mean(np.diag(s)) - np.log(_z(s)),
        "a times Z": lambda s, a: np.mean(np.diag(s)) - np.log(a) - a * _z(s) + 1,
        "all scores in the first term": lambda s, a: np.mean(s) - np.log(a) - _z(s) / a + 1,
    },
}
