import numpy as np

from wrong_answers._common import information


def normalized(values):
    return values / values.sum()


WRONG = {
    "mean of present": {
        "divided by M": lambda v, p: np.where(p[..., None] > 0, v, 0).mean(axis=1),
        "nan times zero": lambda v, p: (
            (v * p[..., None]).sum(axis=1) / p.sum(axis=1, keepdims=True)
        ),
        "the sum": lambda v, p: np.where(p[..., None] > 0, v, 0).sum(axis=1),
        "all of them": lambda v, p: v.mean(axis=1),
    },
    "product of experts": {
        "the prior forgotten": lambda p, q, prior: normalized(p * q),
        "the prior twice": lambda p, q, prior: normalized(p * q * prior),
        "not normalized": lambda p, q, prior: p * q / prior,
        "the mean": lambda p, q, prior: (p + q) / 2,
    },
    "precision weights": {
        "equal": lambda s: np.full(len(s), 1 / len(s)),
        "one over sigma": lambda s: normalized(1 / s),
        "the noisier counts more": lambda s: normalized(s**2),
        "not normalized": lambda s: 1 / s**2,
    },
    "synergy": {
        "the sign": lambda t: (
            information(t.sum(1)) + information(t.sum(0)) - information(t.reshape(-1, t.shape[2]))
        ),
        "bits": lambda t: (
            information(t.reshape(-1, t.shape[2])) - information(t.sum(1)) - information(t.sum(0))
        ) / np.log(2),
        "I(x; a) taken off too": lambda t: (
            information(t.reshape(-1, t.shape[2]))
            - information(t.sum(1)) - information(t.sum(0)) - information(t.sum(2))
        ),
        "one modality forgotten": lambda t: (
            information(t.reshape(-1, t.shape[2])) - information(t.sum(1))
        ),
    },
}  # fmt: skip
