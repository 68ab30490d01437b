"""The data manifold as a graph: who is near whom, and how strongly."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from simmim_lite._arguments import as_samples, check_integer

_BLOCK = 1 << 25  # distances held at a time, 128 MB
_SCALE = 7  # the neighbour whose distance is the local unit of length (Zelnik-Manor & Perona)


def nearest_neighbours(
    x: Any, n_neighbors: int = 10, *, moved: Iterable[Any] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Exact Euclidean neighbours among the rows of ``x``, none its own.

    Args:
        x: (N, d) real numbers, N > ``n_neighbors``.
        n_neighbors: k, from 1 to N - 1.
        moved: arrays (N, d): other places that each row may move to, such as warped copies. The
            distance from i to j is then the least from any place of i to row j: a tangent distance
            (Simard et al. 1993) by sampling. The arrays may come one by one from a generator.

    Returns:
        Distances (N, k), rising, and indices (N, k).
    """
    samples = as_samples("x", x)
    k = check_integer("n_neighbors", n_neighbors, minimum=1, maximum=len(samples) - 1)
    # Centred first: the short formula below loses what is far smaller than the norms.
    mean = samples.mean(axis=0)
    rows = torch.from_numpy(samples - mean).float()
    distance, index = _search(rows, rows, k)
    for copy in moved:
        places = as_samples("moved", copy)
        if places.shape != samples.shape:
            raise ValueError(f"moved: expected arrays of {samples.shape}, got {places.shape}")
        found = _search(torch.from_numpy(places - mean).float(), rows, k)
        distance, index = _least(distance, index, *found)
    return distance.numpy(), index.numpy()


def _search(places: Tensor, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """For each place the ``k`` nearest rows but that of its own number."""
    height = max(1, _BLOCK // len(rows))
    half = rows.square().sum(dim=1) / 2
    found = []
    for start in range(0, len(places), height):
        block = places[start : start + height]
        closeness = torch.addmm(half, block, rows.T, beta=-1)  # (|p|^2 - distance^2) / 2
        each = torch.arange(len(block))
        closeness[each, start + each] = -torch.inf
        found.append(closeness.topk(k).indices)
    index = torch.cat(found)
    # Once more without cancellation, since neighbours may lie very near.
    chunks = zip(places.split(4096), index.split(4096), strict=True)
    exact = [(part[:, None] - rows[near]).norm(dim=2) for part, near in chunks]
    distance, order = torch.cat(exact).sort(dim=1)
    return distance, index.gather(1, order)


def _least(
    distance: Tensor, index: Tensor, other: Tensor, other_index: Tensor
) -> tuple[Tensor, Tensor]:
    """The k nearest of two lists of k, each index once."""
    distance, index = torch.cat([distance, other], 1), torch.cat([index, other_index], 1)
    distance, order = distance.sort(dim=1, stable=True)
    index = index.gather(1, order)
    again = (index[:, :, None] == index[:, None, :]).tril(-1).any(dim=2)  # found nearer before
    distance = distance.masked_fill(again, torch.inf)
    k = distance.shape[1] // 2
    distance, order = distance.sort(dim=1, stable=True)
    return distance[:, :k], index.gather(1, order[:, :k])


def neighbour_graph(
    x: Any, n_neighbors: int = 10, *, moved: Iterable[Any] = ()
) -> sparse.csr_array:
    """Symmetric weights (N, N) in [0, 1] between neighbours, none on the diagonal.

    w_ij = exp(-d_ij^2 / (s_i s_j)), s_i the distance of i to its seventh neighbour (or to the last,
    if there are fewer): what is near is told by the neighbourhood (Zelnik-Manor & Perona 2004).
    Arguments as of `nearest_neighbours`.
    """
    return weigh(*nearest_neighbours(x, n_neighbors, moved=moved))


def weigh(distance: np.ndarray, index: np.ndarray) -> sparse.csr_array:
    """The graph of neighbours (N, k) at these distances."""
    N, k = distance.shape
    unit = distance[:, min(_SCALE, k) - 1].astype(np.float64)
    smallest = unit[unit > 0].min(initial=np.inf)
    unit = np.where(unit > 0, unit, smallest if np.isfinite(smallest) else 1.0)  # duplicates
    weights = np.exp(-(distance.astype(np.float64) ** 2) / (unit[:, None] * unit[index]))
    starts = np.arange(0, N * k + 1, k)
    graph = sparse.csr_array((weights.ravel(), index.ravel(), starts), shape=(N, N))
    return graph.maximum(graph.T).tocsr()
