import numpy as np


def _coverage(real, made, k, *, own=1):
    distances = np.sort(np.abs(real[:, None] - real), axis=1)
    radii = distances[:, k - 1 + own]
    return np.abs(real[:, None] - made) < radii[:, None]


WRONG = {
    "divergence": {
        "not halved": lambda m, v: (m**2 + np.exp(v) - 1 - v).sum(axis=1),
        "log variance for variance": lambda m, v: 0.5 * (m**2 + v - 1 - np.log(np.exp(v))).sum(1),
        "a mean over columns": lambda m, v: 0.5 * (m**2 + np.exp(v) - 1 - v).mean(axis=1),
        "one number": lambda m, v: 0.5 * (m**2 + np.exp(v) - 1 - v).sum(),
        "the sign": lambda m, v: -0.5 * (m**2 + np.exp(v) - 1 - v).sum(axis=1),
    },
    "best discriminator": {
        "formed densities": lambda p, q: np.exp(p) / (np.exp(p) + np.exp(q)),
        "the other way": lambda p, q: 1 / (1 + np.exp(np.clip(p - q, -700, 700))),
        "the ratio": lambda p, q: np.exp(np.clip(p - q, -700, 700)),
        "logarithms divided": lambda p, q: p / (p + q),
    },
    "coverage": {
        "itself as a neighbor": lambda r, m, k: _coverage(r, m, k, own=0).any(axis=1).mean(),
        "density": lambda r, m, k: _coverage(r, m, k).sum(axis=0).mean() / k,
        "share of the generated": lambda r, m, k: _coverage(r, m, k).any(axis=0).mean(),
        "all generated ones": lambda r, m, k: _coverage(r, m, k).all(axis=1).mean(),
    },
}
