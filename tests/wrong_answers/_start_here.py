import numpy as np

from wrong_answers._common import plain_entropy


def by_rows(table):
    return np.array([plain_entropy(row / row.sum()) for row in table])


WRONG = {
    "digit given level": {
        "rows not divided": lambda t: np.array([plain_entropy(row) for row in t]),
        "columns": lambda t: by_rows(t.T),
        "bits": lambda t: by_rows(t) / np.log(2),
        "the mean of the rows": lambda t: np.sum(t.sum(axis=1) * by_rows(t)),
        "divided by the columns": lambda t: np.array([plain_entropy(r) for r in t / t.sum(axis=0)]),
    },
}  # fmt: skip
