import math

import numpy as np


def _weights(scores):
    scores = np.exp(scores - scores.max())
    return scores / scores.sum()


WRONG = {
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
    "largest memory": {
        "number of other slots": lambda w, d, beta: (
            (1 / w - 1) * math.exp(beta - beta**2 / (2 * d))
        ),
        "wrong sign": lambda w, d, beta: 1 + (1 / w - 1) * math.exp(beta**2 / (2 * d) - beta),
        "odds upside down": lambda w, d, beta: 1 + w / (1 - w) * math.exp(beta - beta**2 / (2 * d)),
        "no other directions": lambda w, d, beta: 1 + (1 / w - 1) * math.exp(beta),
        "half": lambda w, d, beta: 1 + math.exp(beta - beta**2 / (2 * d)),
    },
}  # fmt: skip
