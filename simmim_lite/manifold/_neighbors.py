"""The data manifold as a graph: who is near whom, and how strongly."""

from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.decomposition import PCA

from simmim_lite._arguments import as_samples, check_integer

_BLOCK = 1 << 25  # distances held at a time, 128 MB
_DIM = 50
_PCA_ROWS = 10_000  # that they are computed from
_SCALE = 7  # the neighbor whose distance is the local unit of length (Zelnik-Manor & Perona)


def nearest_neighbors(x: Any, n_neighbors: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Exact Euclidean neighbors among the rows of ``x``, none its own.

    Args:
        x: (N, d) real numbers, N > ``n_neighbors``.
        n_neighbors: k, from 1 to N - 1.

    Returns:
        Distances (N, k), rising, and indices (N, k).
    """
    samples = as_samples("x", x)
    k = check_integer("n_neighbors", n_neighbors, minimum=1, maximum=len(samples) - 1)
    # Centered first: the short formula below loses what is far smaller than the norms.
    rows = torch.from_numpy(samples - samples.mean(axis=0)).float()
    height = max(1, _BLOCK // len(rows))
    half = rows.square().sum(dim=1) / 2
    found = []
    for start in range(0, len(rows), height):
        block = rows[start : start + height]
        closeness = torch.addmm(half, block, rows.T, beta=-1)  # (|p|^2 - distance^2) / 2
        each = torch.arange(len(block))
        closeness[each, start + each] = -torch.inf
        found.append(closeness.topk(k).indices)
    index = torch.cat(found)
    # Once more without cancellation, since neighbors may lie very near.
    chunks = zip(rows.split(4096), index.split(4096), strict=True)
    exact = [(part[:, None] - rows[near]).norm(dim=2) for part, near in chunks]
    distance, order = torch.cat(exact).sort(dim=1)
    return distance.numpy(), index.gather(1, order).numpy()


def principal_components(rows: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """The first 50 components (N, 50) of rows (N, columns); rows of fewer are returned as such."""
    if min(rows.shape) <= _DIM:
        return rows
    pca = PCA(_DIM, svd_solver="randomized", random_state=seed).fit(rows[:_PCA_ROWS])
    return pca.transform(rows)


def neighbor_graph(x: Any, n_neighbors: int = 10) -> sparse.csr_array:
    """Symmetric weights (N, N) in [0, 1] between neighbors, see `affinity_graph`.

    Arguments as of `nearest_neighbors`.
    """
    return affinity_graph(*nearest_neighbors(x, n_neighbors))


def affinity_graph(distance: np.ndarray, index: np.ndarray) -> sparse.csr_array:
    """The graph (N, N) of neighbors ``index`` (N, k) at ``distance`` (N, k); symmetric.

    w_ij = exp(-d_ij^2 / (s_i s_j)), s_i the distance of i to its seventh neighbor (or to the last,
    if there are fewer): what is near is told by the neighborhood (Zelnik-Manor & Perona 2004). No
    point is its own neighbor; of two weights the larger counts.
    """
    N, k = distance.shape
    unit = distance[:, min(_SCALE, k) - 1].astype(np.float64)
    smallest = unit[unit > 0].min(initial=np.inf)
    unit = np.where(unit > 0, unit, smallest if np.isfinite(smallest) else 1.0)  # duplicates
    weights = np.exp(-(distance.astype(np.float64) ** 2) / (unit[:, None] * unit[index]))
    starts = np.arange(0, N * k + 1, k)
    graph = sparse.csr_array((weights.ravel(), index.ravel(), starts), shape=(N, N))
    return graph.maximum(graph.T).tocsr()
