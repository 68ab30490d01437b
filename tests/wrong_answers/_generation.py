import numpy as np


def _coverage(real, made, k, *, own=1):
    distances = np.sort(np.abs(real[:, None] - real), axis=1)
    radii = distances[:, k - 1 + own]
    return np.abs(real[:, None] - made) < radii[:, None]


def _error(y, r):
    return np.mean((y - r) ** 2)


WRONG = {
    "coverage": {
        "itself as a neighbor": lambda r, m, k: _coverage(r, m, k, own=0).any(axis=1).mean(),
        "density": lambda r, m, k: _coverage(r, m, k).sum(axis=0).mean() / k,
        "fraction of the generated": lambda r, m, k: _coverage(r, m, k).any(axis=0).mean(),
        "all generated ones": lambda r, m, k: _coverage(r, m, k).all(axis=1).mean(),
    },
    "psnr": {
        "natural logarithm": lambda y, r: 10 * np.log(1 / _error(y, r)),
        "absolute error": lambda y, r: 10 * np.log10(1 / np.mean(np.abs(y - r))),
        "a sum": lambda y, r: 10 * np.log10(1 / np.sum((y - r) ** 2)),
        "the sign": lambda y, r: 10 * np.log10(_error(y, r)),
        "20 in place of 10": lambda y, r: 20 * np.log10(1 / _error(y, r)),
    },
    "frechet distance of means": {
        "one coordinate": lambda s, d, k: s**2 * (1 - k**-0.5) ** 2,
        "variances subtracted": lambda s, d, k: d * s**2 * (1 - 1 / k),
        "deviation divided by k": lambda s, d, k: d * s**2 * (1 - 1 / k) ** 2,
        "not squared": lambda s, d, k: d * s * (1 - k**-0.5),
    },
}
