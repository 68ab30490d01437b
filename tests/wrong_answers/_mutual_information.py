import numpy as np
from scipy.special import digamma

from wrong_answers._common import information, plain_entropy


def merge(table, groups):
    return np.array([table[groups == g].sum(axis=0) for g in range(groups.max() + 1)])


def ksg(n_x, n_y, k):
    return digamma(k) + digamma(len(n_x)) - np.mean(digamma(n_x + 1) + digamma(n_y + 1))


WRONG = {
    "gaussian information": {
        "bits": lambda rho: -0.5 * np.log2(1 - rho**2),
        "the half forgotten": lambda rho: -np.log(1 - rho**2),
        "rho, not its square": lambda rho: -0.5 * np.log(1 - rho),
        "the sign": lambda rho: 0.5 * np.log(1 - rho**2),
        "the correlation itself": abs,
    },
    "merge": {
        "the mean of a group": lambda t, g: np.array(
            [t[g == i].mean(axis=0) for i in range(g.max() + 1)]
        ),
        "columns": lambda t, g: merge(t, g).T,
        "the last row wins": lambda t, g: np.array([t[g == i][-1] for i in range(g.max() + 1)]),
        "rows sorted, not merged": lambda t, g: t[np.argsort(g)],
        "made a conditional": lambda t, g: merge(t, g) / merge(t, g).sum(axis=1, keepdims=True),
    },
    "conditional information": {
        "Z summed out": lambda t: information(t.sum(axis=2)),
        "I(X; Z | Y)": lambda t: (
            plain_entropy(t.sum(2)) + plain_entropy(t.sum(0))
            - plain_entropy(t) - plain_entropy(t.sum((0, 2)))
        ),
        "H(Z) forgotten": lambda t: (
            plain_entropy(t.sum(1)) + plain_entropy(t.sum(0)) - plain_entropy(t)
        ),
        "slices not weighted": lambda t: np.mean(
            [information(t[..., z] / t[..., z].sum()) for z in range(t.shape[2]) if t[..., z].any()]
        ),
    },
    "ksg": {
        "ln instead of digamma": lambda n_x, n_y, k: (
            np.log(k) + np.log(len(n_x)) - np.mean(np.log(n_x + 1) + np.log(n_y + 1))
        ),
        "n, not n + 1": lambda n_x, n_y, k: (
            digamma(k) + digamma(len(n_x)) - np.mean(digamma(n_x) + digamma(n_y))
        ),
        "clipped at zero": lambda n_x, n_y, k: max(0.0, ksg(n_x, n_y, k)),
        "digamma of the mean": lambda n_x, n_y, k: (
            digamma(k) + digamma(len(n_x)) - digamma(n_x.mean() + 1) - digamma(n_y.mean() + 1)
        ),
        "k forgotten": lambda n_x, n_y, k: ksg(n_x, n_y, 1),
    },
}  # fmt: skip
