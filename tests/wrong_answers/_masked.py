import numpy as np


def _lengths(mask, order=2):
    hidden, visible = np.argwhere(mask), np.argwhere(~mask)
    return np.linalg.norm(hidden[:, None] - visible, ord=order, axis=2)


WRONG = {
    "fixed scale": {
        "the entropy term forgotten": lambda sigma, s: np.log(s / sigma) + sigma**2 / (2 * s**2),
        "p and q exchanged": lambda sigma, s: np.log(sigma / s) + s**2 / (2 * sigma**2) - 0.5,
        "only the logarithms": lambda sigma, s: np.log(s / sigma),
        "in bits": lambda sigma, s: np.log2(s / sigma) + (sigma**2 / (2 * s**2) - 0.5) / np.log(2),
        "not squared": lambda sigma, s: np.log(s / sigma) + sigma / (2 * s) - 0.5,
    },
    "average distance": {
        "over all pixels": lambda mask: _lengths(mask).min(axis=1).sum() / mask.size,
        "steps in rows and columns": lambda mask: _lengths(mask, 1).min(axis=1).mean(),
        "to the farthest pixel": lambda mask: _lengths(mask).max(axis=1).mean(),
        "to all visible pixels": lambda mask: _lengths(mask).mean(),
        "visible and hidden exchanged": lambda mask: _lengths(~mask).min(axis=1).mean(),
    },
}
