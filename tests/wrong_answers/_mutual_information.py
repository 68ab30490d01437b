import numpy as np

from wrong_answers._common import information, plain_entropy

WRONG = {
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
}  # fmt: skip
