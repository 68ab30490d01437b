import math

import numpy as np

WRONG = {
    "merge sums": {
        "sums added": lambda a, s, b, t: (max(a, b), s + t),
        "always in units of the first": lambda a, s, b, t: (a, s + t * math.exp(min(b - a, 50))),
        "scaled the wrong way": lambda a, s, b, t: (
            max(a, b), s * math.exp(min(max(a, b) - a, 50)) + t * math.exp(min(max(a, b) - b, 50))
        ),
        "no top": lambda a, s, b, t: (0.0, s * math.exp(a) + t * math.exp(b)),
    },
    "largest batch": {
        "numbers of one byte": lambda memory, matrices: math.isqrt(int(memory / matrices)),
        "rounded": lambda memory, matrices: round(math.sqrt(memory / (4 * matrices))),
        "one matrix": lambda memory, matrices: math.isqrt(int(memory / 4)) + (matrices == 1),
        "no root": lambda memory, matrices: int(memory / (4 * matrices)),
    },
    "attainable": {
        "the ceiling": lambda intensity, products, copies: products,
        "the memory": lambda intensity, products, copies: copies * intensity,
        "the higher": lambda intensity, products, copies: max(products, copies * intensity),
        "divided": lambda intensity, products, copies: min(products, copies / intensity),
    },
    "epoch mean": {
        "mean of batches": lambda losses, sizes: np.mean(losses),
        "the last batch": lambda losses, sizes: losses[-1],
        "the sum": lambda losses, sizes: np.sum(losses * sizes),
        "divided by batches": lambda losses, sizes: np.sum(losses * sizes) / len(sizes),
    },
}  # fmt: skip
