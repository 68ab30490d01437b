import numpy as np
from scipy.special import logsumexp
from scipy.stats import binom

WRONG = {
    "info nce": {
        "ln K forgotten": lambda s: np.mean(np.diag(s) - logsumexp(s, axis=1)),
        "columns": lambda s: np.log(len(s)) + np.mean(np.diag(s) - logsumexp(s, axis=0)),
        "no logsumexp": lambda s: (
            np.log(len(s)) + np.mean(np.diag(s) - np.log(np.exp(s).sum(axis=1)))
        ),
        "the loss": lambda s: -np.mean(np.diag(s) - logsumexp(s, axis=1)),
    },
    "nwj": {
        "the diagonal in the second term": lambda s: (
            np.mean(np.diag(s)) - np.mean(np.exp(s - 1))
        ),
        "the shift forgotten": lambda s: (
            np.mean(np.diag(s)) - np.mean(np.exp(s[~np.eye(len(s), dtype=bool)]))
        ),
        "Donsker-Varadhan": lambda s: (
            np.mean(np.diag(s)) - np.log(np.mean(np.exp(s[~np.eye(len(s), dtype=bool)])))
        ),
        "all scores in the first term": lambda s: (
            np.mean(s) - np.mean(np.exp(s[~np.eye(len(s), dtype=bool)] - 1))
        ),
    },
    "candidates": {
        "not rounded": np.exp,
        "rounded down": lambda nats: int(np.exp(nats)),
        "bits": lambda nats: int(np.ceil(2**nats)),
        "one too many": lambda nats: int(np.ceil(np.exp(nats))) + 1,
    },
    "ceiling": {
        "ln K": lambda K, classes: np.log(K),
        "the entropy of the class": lambda K, classes: np.log(classes),
        "the mean inside the logarithm": lambda K, classes: np.log(K / (1 + (K - 1) / classes)),
        "K negatives": lambda K, classes: (
            binom.pmf(np.arange(K + 1), K, 1 / classes) @ np.log(K / (1 + np.arange(K + 1)))
        ),
    },
}  # fmt: skip
