"""Codes of a graph: how much a code tells about the code of a neighbor, and which to merge."""

import warnings
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import eigsh
from scipy.special import xlogy
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from simmim_lite._arguments import as_labels, check_integer, check_same_length
from simmim_lite._random import random_generator

_WAVES = 16  # eigenvectors, or as many as clusters if there are more
_PIECES = (1, 4, 8)  # pieces a cluster to begin with
_PIECE = 10  # samples a piece at least, on average
_DENSE = 1000  # rows up to which all eigenvectors are computed, which cannot fail to converge


def joint_of_codes(codes: np.ndarray, graph: sparse.csr_array) -> np.ndarray:
    """p(c, c') (K, K): the codes at both ends of an edge drawn in proportion to its weight."""
    K, (N, _) = int(codes.max()) + 1, graph.shape
    members = sparse.csr_array((np.ones(N), codes, np.arange(N + 1)), shape=(N, K))
    joint = (members.T @ graph @ members).toarray()
    return (joint + joint.T) / (2 * joint.sum())


def cluster_information(codes: Any, graph: sparse.csr_array) -> float:
    """I(C; C') in nats between the codes of a point and of a step along the graph.

    The step is an edge drawn in proportion to its weight, so C and C' have one distribution, and
    I = H(C) - H(C | C') is at most ln K: it wants codes that are even, and kept by the step.

    Args:
        codes: (N,) symbols.
        graph: (N, N) symmetric weights, see `neighbor_graph`.
    """
    joint = joint_of_codes(_codes(codes, graph), graph)
    return float(_information(joint))


def agglomerative_bottleneck(codes: Any, graph: sparse.csr_array, n_clusters: int) -> np.ndarray:
    """Codes (N,) in 0..n_clusters-1, made from finer ones by merging two at a time.

    Each time the two whose merger loses least of I(C; C'): the agglomerative information
    bottleneck (Slonim & Tishby 1999) with the neighbor's code as the relevant variable, which is
    merged along with the first.
    """
    codes = _codes(codes, graph)
    joint = joint_of_codes(codes, graph)
    n_clusters = check_integer("n_clusters", n_clusters, minimum=1, maximum=len(joint))
    names = np.arange(len(joint))
    while len(joint) > n_clusters:
        loss = _losses(joint)
        i, j = sorted(np.unravel_index(loss.argmin(), loss.shape))
        joint[i] += joint[j]
        joint[:, i] += joint[:, j]
        joint = np.delete(np.delete(joint, j, 0), j, 1)
        names[names == j] = i
        names[names > j] -= 1
    return names[codes]


def _information(joint: np.ndarray) -> np.ndarray:
    """Nats of a symmetric table (K, K), or of several (..., K, K)."""
    return _gain(joint).sum(axis=(-2, -1)) - 2 * _gain(joint.sum(axis=-1)).sum(axis=-1)


def _gain(p: np.ndarray) -> np.ndarray:
    return xlogy(p, p)


def _losses(joint: np.ndarray) -> np.ndarray:
    """Information that the merger of codes i and j loses (K, K); infinite on the diagonal.

    I = sum g(p(c, c')) - 2 sum g(p(c)) with g(p) = p ln p; only rows and columns i, j change.
    """
    marginal = joint.sum(axis=0)
    g, K = _gain(joint), len(joint)
    rows, diagonal = g.sum(axis=1), np.diag(g)
    # Before: both rows and both columns, their four crossings counted once.
    before = 2 * (rows[:, None] + rows) - diagonal[:, None] - diagonal - 2 * g
    sums = np.empty((K, K))
    for i in range(K):  # the merged row, but for its columns i and j
        merged = _gain(joint[i] + joint)
        each = np.arange(K)
        sums[i] = merged.sum(axis=1) - merged[:, i] - merged[each, each]
    own = np.diag(joint)
    after = 2 * sums + _gain(own[:, None] + own + 2 * joint)
    change = _gain(marginal[:, None] + marginal) - _gain(marginal)[:, None] - _gain(marginal)
    loss = before - after + 2 * change
    np.fill_diagonal(loss, np.inf)
    return loss


def spectral_embedding(graph: sparse.csr_array, dim: int, *, seed: int = 0) -> np.ndarray:
    """Rows (N, dim) of unit length: the slowest waves of a random walk on the graph.

    The eigenvectors of D^-1/2 W D^-1/2 with the largest eigenvalues (Ng, Jordan & Weiss 2001).
    """
    degree = np.maximum(graph.sum(axis=1), np.finfo(float).tiny)
    scale = sparse.diags_array(1 / np.sqrt(degree))
    walk = scale @ graph @ scale
    N = graph.shape[0]
    dim = min(dim, N)
    if N <= _DENSE:
        vectors = np.linalg.eigh(walk.toarray())[1][:, -dim:]
    else:
        start = random_generator(seed, "eigenvectors").normal(size=N)
        vectors = eigsh(walk, dim, v0=start, tol=1e-4)[1]
    return _unit_rows(vectors)


def _unit_rows(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(length, np.finfo(float).tiny)


def graph_clusters(
    graph: sparse.csr_array, n_clusters: int, *, restarts: int = 10, seed: int = 0
) -> np.ndarray:
    """Codes (N,) in 0..n_clusters-1 of high I(C; C'), found without knowing any.

    k-means on `spectral_embedding` into 1, 4 and 8 times as many pieces as wanted, from
    ``restarts`` starts each; `agglomerative_bottleneck`; then pieces change their code, one at a
    time, as long as information grows (`sequential_bottleneck`). The codes that keep most are
    returned: information may be compared so, as the graph is the same.
    """
    N = graph.shape[0]
    n_clusters = check_integer("n_clusters", n_clusters, minimum=1, maximum=N)
    restarts = check_integer("restarts", restarts, minimum=1)
    waves = spectral_embedding(graph, max(_WAVES, n_clusters), seed=seed)
    found = []
    sizes: dict[int, int] = {}  # numbers of pieces; of few samples all are alike
    for factor in _PIECES:
        sizes.setdefault(min(N, max(n_clusters, min(factor * n_clusters, N // _PIECE))), factor)
    for K, factor in sizes.items():
        # As many waves as clusters are the classical choice; pieces need finer ones.
        rows = waves if factor > 1 else _unit_rows(waves[:, -n_clusters:])
        for restart in range(restarts):
            generator = random_generator(seed, f"{factor} pieces, restart {restart}")
            pieces = _k_means(rows, K, int(generator.integers(2**31)))
            codes = sequential_bottleneck(
                agglomerative_bottleneck(pieces, graph, n_clusters), pieces, graph
            )
            found.append((cluster_information(codes, graph), codes))
    return max(found, key=lambda pair: pair[0])[1]


def sequential_bottleneck(
    codes: np.ndarray, pieces: np.ndarray, graph: sparse.csr_array
) -> np.ndarray:
    """Better codes (N,): whole pieces change their code while that raises I(C; C').

    The sequential information bottleneck (Slonim, Friedman & Tishby 2002). Merging cannot undo
    what it did early; this can.
    """
    joint = joint_of_codes(pieces, graph)
    K = int(codes.max()) + 1
    of_piece = np.zeros(len(joint), int)
    of_piece[pieces] = codes
    members, each = np.eye(K)[of_piece], np.arange(K)
    table = members.T @ joint @ members
    best, moved = _information(table), True
    while moved:
        moved = False
        for piece in range(len(joint)):
            # Take the piece out of the table of its code, and put it into that of each.
            old, own = of_piece[piece], joint[piece, piece]
            others = joint[piece] @ members
            others[old] -= own
            table[old] -= others
            table[:, old] -= others
            table[old, old] -= own
            trials = np.tile(table.clip(min=0), (K, 1, 1))
            trials[each, each] += others
            trials[each, :, each] += others
            trials[each, each, each] += own
            values = _information(trials)
            code = int(np.argmax(values))
            if values[code] > best + 1e-9:  # so a code never loses its last piece
                best, of_piece[piece], moved = values[code], code, True
                members[piece] = np.eye(K)[code]
            table = trials[of_piece[piece]]
    return of_piece[pieces]


def _k_means(rows: np.ndarray, K: int, random_state: int) -> np.ndarray:
    """Pieces (N,) of `spectral_embedding`; fewer than K where rows coincide."""
    with warnings.catch_warnings():  # rows of one component may be all alike
        warnings.simplefilter("ignore", ConvergenceWarning)
        codes = KMeans(K, n_init=1, random_state=random_state).fit_predict(rows)
    return np.unique(codes, return_inverse=True)[1]


def _codes(codes: Any, graph: sparse.csr_array) -> np.ndarray:
    codes = as_labels("codes", codes)
    check_same_length(codes=codes, graph=range(graph.shape[0]))
    return codes
