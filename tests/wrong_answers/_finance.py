import numpy as np


def _divergence(e, p):
    terms = [(e, p), (1 - e, 1 - p)]
    return sum(a * np.log(a / b) for a, b in terms if a > 0)


WRONG = {
    "nats from AUROC": {
        "AUROC linear in rho": lambda A: -np.log(1 - (2 * A - 1) ** 2) / 2,
        "without the root of 2": lambda A: -np.log(1 - np.sin(np.pi * (A - 0.5) / 2) ** 2) / 2,
        "in bits": lambda A: -np.log2(np.cos(np.pi * (A - 0.5))) / 2,
        "factor forgotten": lambda A: -np.log(np.cos(np.pi * (A - 0.5))),
    },
    "coverage of value at risk": {
        "without the factor 2": lambda count, n, p: n * _divergence(count / n, p),
        "arguments exchanged": lambda count, n, p: 2 * n * _divergence(p, max(count / n, 1e-9)),
        "one term only": lambda count, n, p: 2 * count * np.log(max(count, 1e-9) / n / p),
        "not a number for 0": lambda count, n, p: (
            2 * n * _divergence(count / n, p) if count else np.nan
        ),
        "difference of frequencies": lambda count, n, p: 2 * n * (count / n - p) ** 2,
    },
}
