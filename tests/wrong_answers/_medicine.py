import numpy as np


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _benefit(y, p, t, unit):
    y, done = np.asarray(y), np.asarray(p) >= t
    return np.mean(done & (y == 1)) - np.mean(done & (y == 0)) * unit


def _gain(y, p, t, unit):
    return _benefit(y, p, t, unit) - max(_benefit(y, np.ones(len(y)), t, unit), 0)


def _strict(y, p, t):
    return _gain(y, np.where(np.asarray(p) == t, 0, p), t, t / (1 - t))


WRONG = {
    "copies of an expert": {
        "prior not subtracted": lambda odds, b, M: _sigmoid(M * odds),
        "prior subtracted M times": lambda odds, b, M: _sigmoid(M * (odds - b)),
        "log-odds returned": lambda odds, b, M: M * odds - (M - 1) * b,
        "mean of log-odds": lambda odds, b, M: _sigmoid(odds),
    },
    "net benefit": {
        "no comparison": lambda y, p, t: _benefit(y, p, t, t / (1 - t)),
        "only biopsy for all": lambda y, p, t: (
            _benefit(y, p, t, t / (1 - t)) - _benefit(y, np.ones(len(y)), t, t / (1 - t))
        ),
        "unit upside down": lambda y, p, t: _gain(y, p, t, (1 - t) / t),
        "no unit": lambda y, p, t: _gain(y, p, t, 1.0),
        "p = t is no biopsy": _strict,
    },
}
