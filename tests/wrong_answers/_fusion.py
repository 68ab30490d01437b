import numpy as np

from wrong_answers._common import information


def normalized(values):
    return values / values.sum()


WRONG = {
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
        "I(x_1; x_2) subtracted too": lambda t: (
            information(t.reshape(-1, t.shape[2]))
            - information(t.sum(1)) - information(t.sum(0)) - information(t.sum(2))
        ),
        "one modality forgotten": lambda t: (
            information(t.reshape(-1, t.shape[2])) - information(t.sum(1))
        ),
    },
}  # fmt: skip
