"""Other packages' estimators, one function each, run in an environment of their own.

``python mutual_information_peers.py NAME SAMPLES.npz`` prints {"nats": ..., "cpu_seconds": ...} for
the arrays x (N, dim_x) and y (N, dim_y). It needs NumPy and the package in question, nothing else;
`bench_mutual_information` calls it with the Python that has them.
"""

import json
import sys
import time

import numpy as np


def sklearn(x: np.ndarray, y: np.ndarray) -> float:
    """One column each: 3 nearest neighbours, or counts. It has no estimator for more columns."""
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression
    from sklearn.metrics import mutual_info_score

    if x.dtype.kind == y.dtype.kind == "i":
        return float(mutual_info_score(x[:, 0], y[:, 0]))
    if y.shape[1] > 1 or (x.shape[1] > 1 and x.dtype.kind == "i"):
        return float("nan")
    if x.dtype.kind == "i":
        return float(mutual_info_classif(y, x[:, 0], random_state=0)[0])
    if x.shape[1] > 1:
        return float("nan")
    return float(mutual_info_regression(x, y[:, 0], random_state=0)[0])


PEERS = {"sklearn": sklearn}

if __name__ == "__main__":
    name, path = sys.argv[1:]
    with np.load(path) as samples:
        x, y = samples["x"], samples["y"]
    PEERS[name](x[:200], y[:200])  # the first call pays for imports
    start = time.process_time()
    nats = PEERS[name](x, y)
    print(json.dumps({"nats": nats, "cpu_seconds": time.process_time() - start}))
