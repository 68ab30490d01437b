"""Clusters of a graph: the information that neighbors share, and the labels that maximize it."""

import warnings
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import eigsh
from scipy.special import entr
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from simmim_lite._arguments import as_class_numbers, as_labels, check_integer, check_same_length
from simmim_lite._random import random_generator

_EIGENVECTORS = 16  # at least, and at least as many as clusters
_SUBCLUSTERS = (1, 4, 8)  # per cluster, at the start
_SUBCLUSTER = 10  # smallest mean size of a subcluster, in samples
_RESTARTS = 30, 10  # of k-means for each number of subclusters: up to 2,000 rows, and more
_SMALLEST = 0.05  # of the mean size: fewer samples are outliers and no cluster
_LESS = 0.5  # share of the uncertainty that makes another partition worth a warning
_DENSE = 1000  # rows up to which all eigenvectors are computed, which cannot fail to converge


def _check(graph: sparse.csr_array) -> None:
    if not sparse.issparse(graph) or graph.shape != 2 * graph.shape[:1]:
        got = f"{type(graph).__name__} of shape {np.shape(graph)}"
        raise TypeError(f"graph: expected a sparse matrix (N, N), got {got}")
    low, high = graph.tocsr().min(), graph.tocsr().max()  # also nan
    if not (low >= 0 and 0 < high < np.inf):
        raise ValueError(f"graph: expected weights >= 0, some above 0, got {low} to {high}")


def _joint_of(
    labels: Any, graph: sparse.csr_array, name: str = "labels"
) -> tuple[np.ndarray, np.ndarray]:
    """Labels 0..K-1 (N,), and p(c, c') (K, K) of an edge drawn in proportion to its weight."""
    labels = as_labels(name, labels)
    _check(graph)
    check_same_length(**{name: labels, "graph": range(graph.shape[0])})
    K, N = int(labels.max()) + 1, len(labels)
    members = sparse.csr_array((np.ones(N), labels, np.arange(N + 1)), shape=(N, K))
    joint = (members.T @ graph @ members).toarray()
    return labels, (joint + joint.T) / (2 * joint.sum())


def cluster_information(labels: Any, graph: sparse.csr_array) -> float:
    """Return I(C; C') in nats between the clusters ``labels`` (N,) at both ends of an edge.

    Edges are drawn in proportion to their weight in ``graph`` (N, N), which is symmetric (see
    `affinity_graph`), so C and C' have the same distribution. I = H(C) - H(C | C') is at most ln K,
    and large if clusters have equal sizes and edges rarely leave a cluster.
    """
    return float(_information(_joint_of(labels, graph)[1]))


def agglomerative_bottleneck(labels: Any, graph: sparse.csr_array, n_clusters: int) -> np.ndarray:
    """Merge two clusters at a time until ``n_clusters`` are left; return (N,) in 0..n_clusters-1.

    Each step merges the two clusters whose merger loses least of I(C; C'), with ``labels`` (N,) and
    ``graph`` as for `cluster_information`. This is the agglomerative information bottleneck (Slonim
    & Tishby 1999) with the cluster of the neighbor as the relevant variable.
    """
    labels, joint = _joint_of(labels, graph)
    n_clusters = check_integer("n_clusters", n_clusters, minimum=1, maximum=len(joint))
    merged = np.arange(len(joint))
    while len(joint) > n_clusters:
        loss = _losses(joint)
        i, j = sorted(np.unravel_index(loss.argmin(), loss.shape))
        joint[i] += joint[j]
        joint[:, i] += joint[:, j]
        joint = np.delete(np.delete(joint, j, 0), j, 1)
        merged[merged == j] = i
        merged[merged > j] -= 1
    return merged[labels]


def _information(joint: np.ndarray) -> np.ndarray:
    """Mutual information in nats of symmetric tables (..., K, K)."""
    return 2 * entr(joint.sum(axis=-1)).sum(axis=-1) - entr(joint).sum(axis=(-2, -1))


def _losses(joint: np.ndarray) -> np.ndarray:
    """Information (K, K) that the merger of clusters i and j loses; infinite on the diagonal.

    I = 2 sum h(p(c)) - sum h(p(c, c')) with h(p) = -p ln p; only rows and columns i, j change.
    """
    marginal = joint.sum(axis=0)
    h, K = entr(joint), len(joint)
    rows, diagonal = h.sum(axis=1), np.diag(h)
    # Before: both rows and both columns; their four crossings count once.
    before = 2 * (rows[:, None] + rows) - diagonal[:, None] - diagonal - 2 * h
    sums = np.empty((K, K))
    for i in range(K):  # the merged row without its columns i and j
        merged = entr(joint[i] + joint)
        sums[i] = merged.sum(axis=1) - merged[:, i] - np.diag(merged)
    own = np.diag(joint)
    after = 2 * sums + entr(own[:, None] + own + 2 * joint)
    change = entr(marginal)[:, None] - entr(marginal[:, None] + marginal) + entr(marginal)
    loss = after - before + 2 * change
    np.fill_diagonal(loss, np.inf)
    return loss


def spectral_embedding(graph: sparse.csr_array, dim: int, *, seed: int = 0) -> np.ndarray:
    """Return rows (N, dim) of unit length: the slowest modes of a random walk on the graph.

    The columns are the ``dim`` (at most N) eigenvectors of D^-1/2 W D^-1/2 with the largest
    eigenvalues, the largest last, for symmetric weights W with row sums D (Ng, Jordan & Weiss
    2001). ``seed`` sets the start of the eigensolver.
    """
    _check(graph)
    degree = np.maximum(graph.sum(axis=1), np.finfo(float).tiny)
    scale = sparse.diags_array(1 / np.sqrt(degree))
    walk = scale @ graph @ scale
    N = graph.shape[0]
    dim = min(check_integer("dim", dim, minimum=1), N)
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
    graph: sparse.csr_array, n_clusters: int, *, balanced: bool = True, seed: int = 0
) -> np.ndarray:
    """Return clusters (N,) in 0..n_clusters-1 of high I(C; C') in a graph, found without labels.

    k-means on the `spectral_embedding` gives 1, 4 and 8 times as many subclusters as clusters, from
    ten starts each. `agglomerative_bottleneck` merges them, `sequential_bottleneck` improves the
    result, and the labels with the largest I(C; C') in the symmetric graph (N, N) are returned.
    The information prefers equal sizes. If clusters of other sizes were found that have less than
    half of the uncertainty H(C | C') / H(C), a UserWarning tells their sizes; ``balanced=False``
    returns those of least uncertainty, without clusters below 5 % of the mean size.
    """
    _check(graph)
    N = graph.shape[0]
    n_clusters = check_integer("n_clusters", n_clusters, minimum=1, maximum=N)
    if balanced not in (True, False):
        raise ValueError(f"balanced: expected True or False, got {balanced!r}")
    eigenvectors = spectral_embedding(graph, max(_EIGENVECTORS, n_clusters), seed=seed)
    found = []
    factors: dict[int, int] = {}  # by number of subclusters, which few samples make equal
    for factor in _SUBCLUSTERS:
        factors.setdefault(max(n_clusters, min(factor * n_clusters, N // _SUBCLUSTER)), factor)
    for K, factor in factors.items():
        # The classical choice is as many eigenvectors as clusters; subclusters need more.
        rows = eigenvectors if factor > 1 else _unit_rows(eigenvectors[:, -n_clusters:])
        for restart in range(_RESTARTS[graph.shape[0] > 2000]):
            generator = random_generator(seed, f"{factor} pieces, restart {restart}")
            subclusters = _k_means(rows, K, int(generator.integers(2**31)))
            merged = agglomerative_bottleneck(subclusters, graph, n_clusters)
            for labels in (merged, sequential_bottleneck(merged, subclusters, graph)):
                joint, sizes = _joint_of(labels, graph)[1], np.sort(np.bincount(labels))[::-1]
                nats, entropy = _information(joint), entr(joint.sum(axis=0)).sum()
                found.append((nats, 1 - nats / (entropy or 1), sizes, labels))
    best = max(found, key=lambda row: row[0])
    least = min(found, key=lambda row: (row[2][-1] < _SMALLEST * N / n_clusters, row[1]))
    if balanced and least[1] < _LESS * best[1] - 1e-6:  # without rounding errors
        equal, other = (", ".join(map(str, row[2])) for row in (best, least))
        warnings.warn(
            f"balanced=True returns clusters of {equal} rows; along the graph, clusters of {other} "
            f"rows are clearer (uncertainty {least[1]:.1%}, not {best[1]:.1%}): see balanced=False",
            stacklevel=2,
        )
    return best[3] if balanced else least[3]


def sequential_bottleneck(
    labels: np.ndarray, subclusters: np.ndarray, graph: sparse.csr_array
) -> np.ndarray:
    """Move one subcluster at a time to another cluster while I(C; C') grows; return (N,) labels.

    The sequential information bottleneck (Slonim, Friedman & Tishby 2002) corrects choices that
    `agglomerative_bottleneck` cannot undo. No cluster becomes empty. ``labels`` (N,) in 0..K-1 are
    the same for all members of a subcluster; ``subclusters`` (N,) are symbols.
    """
    subclusters, joint = _joint_of(subclusters, graph, "subclusters")
    labels = as_class_numbers("labels", labels, len(subclusters))
    check_same_length(labels=labels, subclusters=subclusters)
    K, cluster_of = int(labels.max()) + 1, np.zeros(len(joint), int)
    cluster_of[subclusters] = labels
    if (wrong := cluster_of[subclusters] != labels).any():
        raise ValueError(f"labels: expected one a subcluster, got others in row {wrong.argmax()}")
    members, each = np.eye(K)[cluster_of], np.arange(K)
    table = members.T @ joint @ members
    best, improved = _information(table), True
    while improved:
        improved = False
        for s in range(len(joint)):
            # Remove subcluster s from the table of its cluster, and try it in each cluster.
            old, own = cluster_of[s], joint[s, s]
            others = joint[s] @ members
            others[old] -= own
            table[old] -= others
            table[:, old] -= others
            table[old, old] -= own
            trials = np.tile(table.clip(min=0), (K, 1, 1))
            trials[each, each] += others
            trials[each, :, each] += others
            trials[each, each, each] += own
            values = _information(trials)
            new = int(np.argmax(values))
            if values[new] > best + 1e-9:  # never true if the old cluster becomes empty
                best, cluster_of[s], improved = values[new], new, True
                members[s] = np.eye(K)[new]
            table = trials[cluster_of[s]]
    return cluster_of[subclusters]


def _k_means(rows: np.ndarray, K: int, random_state: int) -> np.ndarray:
    """Labels (N,) from 0 without gaps; fewer than K where rows coincide."""
    with warnings.catch_warnings():  # all rows of a component may be equal
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = KMeans(K, n_init=1, random_state=random_state).fit_predict(rows)
    return np.unique(labels, return_inverse=True)[1]
