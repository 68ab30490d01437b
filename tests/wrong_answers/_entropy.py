import numpy as np

from wrong_answers._common import plain_entropy


def coin(p):
    return plain_entropy([p, 1 - p])


WRONG = {
    "entropy": {
        "bits": lambda p: plain_entropy(p) / np.log(2),
        "the sign forgotten": lambda p: -plain_entropy(p),
        "zeros not left out": lambda p: -np.sum(p * np.log(p)),
        "the mean, not the sum": lambda p: plain_entropy(p) / len(p),
        "a vector": lambda p: -p * np.log(p + (p == 0)),
    },
    "kl divergence": {
        "the other way round": lambda p, q: np.sum(q[q > 0] * np.log(q[q > 0] / p[q > 0])),
        "zeros of q left out": lambda p, q: np.sum(
            p[(p > 0) & (q > 0)] * np.log(p[(p > 0) & (q > 0)] / q[(p > 0) & (q > 0)])
        ),
        "cross-entropy": lambda p, q: -np.sum(p[p > 0] * np.log(q[p > 0])),
        "smoothed": lambda p, q: np.sum(p * np.log((p + 1e-6) / (q + 1e-6))),
    },
    "waiting for heads": {
        "one toss only": coin,
        "bits": lambda p: coin(p) / p / np.log(2),
        "heads and tails changed": lambda p: coin(p) / (1 - p),
        "the second term not weighted": lambda p: 2 * coin(p),
    },
}  # fmt: skip
