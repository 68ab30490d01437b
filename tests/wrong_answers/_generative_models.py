import numpy as np

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
    "path of a Gaussian": {
        "a straight line": lambda x, t, m, s: (1 - t) * x + t * (m + s * x),
        "the variance": lambda x, t, m, s: t * m + ((1 - t) ** 2 + t**2 * s**2) * x,
        "deviations added": lambda x, t, m, s: t * m + (1 - t + t * s) * x,
        "the mean from the start": lambda x, t, m, s: m + np.sqrt((1 - t) ** 2 + t**2 * s**2) * x,
        "without the mean": lambda x, t, m, s: np.sqrt((1 - t) ** 2 + t**2 * s**2) * x,
    },
}
