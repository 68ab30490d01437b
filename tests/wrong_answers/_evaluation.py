import numpy as np


def in_bins(confidence, correct, bins, reduce=np.mean):
    order = np.argsort(confidence)
    parts = np.array_split(order, bins)
    return reduce([abs(confidence[p].mean() - correct[p].mean()) for p in parts])


def of_equal_width(confidence, correct, bins):
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        (which == b).mean() * abs(confidence[which == b].mean() - correct[which == b].mean())
        for b in np.unique(which)
    ]
    return sum(gaps)


WRONG = {
    "calibration error": {
        "signs kept": lambda c, r, bins: c.mean() - r.mean(),
        "not sorted": lambda c, r, bins: np.mean(
            [abs(a.mean() - b.mean())
             for a, b in zip(np.array_split(c, bins), np.array_split(r, bins), strict=True)]
        ),
        "each prediction by itself": lambda c, r, bins: np.mean(abs(c - r)),
        "bins of equal width": of_equal_width,
        "the largest gap": lambda c, r, bins: in_bins(c, r, bins, max),
        "the sum": lambda c, r, bins: in_bins(c, r, bins, sum),
    },
    "correlated folds": {
        "independent values": lambda m, rho: 1 / m,
        "the variance of the mean only": lambda m, rho: 1 / m + (m - 1) / m * rho,
        "Nadeau and Bengio for any rho": lambda m, rho: 1 / m + 1 / (m - 1),
        "rho added": lambda m, rho: 1 / m + rho,
        "a standard error": lambda m, rho: np.sqrt(1 / m + rho / (1 - rho)),
    },
}  # fmt: skip
