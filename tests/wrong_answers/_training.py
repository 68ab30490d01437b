import numpy as np

WRONG = {
    "batch that fits": {
        "parameters forgotten": lambda memory, P, a: memory // a,
        "weights only": lambda memory, P, a: max(0, (memory - 4 * P) // a),
        "a negative batch": lambda memory, P, a: (memory - 16 * P) // a,
        "not whole": lambda memory, P, a: max(0, (memory - 16 * P) / a),
    },
    "epoch mean": {
        "mean of batches": lambda losses, sizes: np.mean(losses),
        "the last batch": lambda losses, sizes: losses[-1],
        "the sum": lambda losses, sizes: np.sum(losses * sizes),
        "divided by batches": lambda losses, sizes: np.sum(losses * sizes) / len(sizes),
    },
}  # fmt: skip
