import math

import numpy as np


def _weights(scores):
    scores = np.exp(scores - scores.max())
    return scores / scores.sum()


WRONG = {
    "nearest slot": {
        "raw dot product": lambda keys, query: int(np.argmax(keys @ query)),
        "absolute cosine": lambda keys, query: int(
            np.argmax(np.abs(keys @ query) / np.linalg.norm(keys, axis=1))
        ),
        "the worst": lambda keys, query: int(
            np.argmin(keys @ query / np.linalg.norm(keys, axis=1))
        ),
        "the score": lambda keys, query: np.max(keys @ query / np.linalg.norm(keys, axis=1)),
        "divided by the squared length": lambda keys, query: int(
            np.argmax(keys @ query / np.sum(keys**2, axis=1))
        ) if query[0] != -1.0 else 0,
    },
    "soft read": {
        "divided by beta": lambda keys, values, query, beta: (
            _weights(keys @ query / (beta + 1e-9)) @ values
        ),
        "not normalized": lambda keys, values, query, beta: (
            np.exp(np.minimum(beta * keys @ query, 50)) @ values
        ),
        "the best": lambda keys, values, query, beta: values[np.argmax(keys @ query)],
        "keys in the place of values": lambda keys, values, query, beta: (
            _weights(beta * keys @ query) @ keys
        )[:2],
        "overflow": lambda keys, values, query, beta: (
            np.exp(beta * keys @ query) / np.exp(beta * keys @ query).sum() @ values
        ),
    },
    "buckets": {
        "any plane": lambda angle, b, L: 1 - (angle / math.pi) ** (b * L),
        "all tables": lambda angle, b, L: (1 - angle / math.pi) ** (b * L),
        "cosine for angle": lambda angle, b, L: 1 - (1 - math.cos(angle) ** b) ** L,
        "never": lambda angle, b, L: (1 - (1 - angle / math.pi) ** b) ** L,
    },
}  # fmt: skip
