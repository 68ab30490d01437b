import numpy as np

from wrong_answers._common import plain_entropy

WRONG = {
    "entropy": {
        "bits": lambda p: plain_entropy(p) / np.log(2),
        "the sign forgotten": lambda p: -plain_entropy(p),
        "zeros not left out": lambda p: -np.sum(p * np.log(p)),
        "the mean, not the sum": lambda p: plain_entropy(p) / len(p),
        "a vector": lambda p: -p * np.log(p + (p == 0)),
    },
    "conditional entropy": {
        "H(Y | X)": lambda t: plain_entropy(t) - plain_entropy(t.sum(axis=1)),
        "H(X)": lambda t: plain_entropy(t.sum(axis=1)),
        "the joint entropy": lambda t: plain_entropy(np.ravel(t)),
        "columns not weighted": lambda t: np.mean(
            [plain_entropy(c / c.sum()) for c in t.T if c.any()]
        ),
        "empty columns divided": lambda t: -np.sum(t * np.log(t / t.sum(axis=0))),
    },
    "kl divergence": {
        "the other way round": lambda p, q: np.sum(q[q > 0] * np.log(q[q > 0] / p[q > 0])),
        "zeros of q left out": lambda p, q: np.sum(
            p[(p > 0) & (q > 0)] * np.log(p[(p > 0) & (q > 0)] / q[(p > 0) & (q > 0)])
        ),
        "cross-entropy": lambda p, q: -np.sum(p[p > 0] * np.log(q[p > 0])),
        "smoothed": lambda p, q: np.sum(p * np.log((p + 1e-6) / (q + 1e-6))),
    },
    "miller-madow": {
        "plug-in": lambda n: plain_entropy(n / n.sum()),
        "all cells": lambda n: plain_entropy(n / n.sum()) + (len(n) - 1) / (2 * n.sum()),
        "the sign turned": lambda n: (
            plain_entropy(n / n.sum()) - (np.count_nonzero(n) - 1) / (2 * n.sum())
        ),
        "K, not K - 1": lambda n: plain_entropy(n / n.sum()) + np.count_nonzero(n) / (2 * n.sum()),
    },
}  # fmt: skip
