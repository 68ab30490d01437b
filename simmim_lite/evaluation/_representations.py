"""How good embeddings are, by what can be read from them: probes, neighbors, clusters, ranks."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from simmim_lite._arguments import (
    as_array,
    as_labels,
    as_samples,
    check_integer,
    check_number,
    check_same_length,
)


def fit_linear_probe(train_features: Any, train_labels: Any, *, C: float = 0.1) -> Pipeline:
    """The classifier of `linear_probe`, for its answers and probabilities.

    Args:
        train_features, train_labels, C: as for `linear_probe`.

    Returns:
        A fitted scikit-learn pipeline: ``predict``, ``predict_proba``.
    """
    train = as_samples("train_features", train_features)
    labels = as_array("train_labels", train_labels)
    check_same_length(train_features=train, train_labels=labels)
    C = check_number("C", C, minimum=1e-12)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=C, tol=1e-3, max_iter=2000))
    return probe.fit(train, labels)


def linear_probe(
    train_features: Any,
    train_labels: Any,
    test_features: Any,
    test_labels: Any,
    *,
    C: float = 0.1,
) -> float:
    """Accuracy of a linear classifier of features that stay as they are (Alain & Bengio 2016).

    Standardized columns, softmax regression with an L2 penalty (scikit-learn's LogisticRegression,
    arXiv 1610.01644 for the idea). Probe the encoder's output, not the projection: what the
    objective throws away is lost between them (Chen et al. 2020, arXiv 2002.05709, section 4.2).

    Args:
        train_features, test_features: (N, dim) and (M, dim), arrays or tensors.
        train_labels, test_labels: (N,) and (M,), of any type that can be sorted.
        C: inverse strength of the penalty.

    Returns:
        Share of the test rows that are classified right, 0..1.
    """
    data = _classification(train_features, train_labels, test_features, test_labels)
    return float(fit_linear_probe(*data[:2], C=C).score(*data[2:]))


def knn_accuracy(
    train_features: Any, train_labels: Any, test_features: Any, test_labels: Any, *, k: int = 20
) -> float:
    """Accuracy of the vote of the ``k`` training rows of the highest cosine, each with its cosine.

    Nothing is fitted. As in Wu et al. (2018, arXiv 1805.01978, section 3.4), but that a cosine
    counts as it is, and one below 0 for nothing.

    Args:
        train_features, test_features: (N, dim) and (M, dim), arrays or tensors without rows of 0.
        train_labels, test_labels: (N,) and (M,), of any type that can be sorted.
        k: neighbors, at most N.

    Returns:
        Share of the test rows that are classified right, 0..1.
    """
    data = _classification(train_features, train_labels, test_features, test_labels)
    k = check_integer("k", k, minimum=1, maximum=len(data[0]))
    for name, features in (("train_features", data[0]), ("test_features", data[2])):
        zero = np.flatnonzero(~features.any(axis=1))
        if zero.size:
            raise ValueError(f"{name}: expected rows with a direction, got zeros in row {zero[0]}")
    classifier = KNeighborsClassifier(
        k, metric="cosine", weights=lambda distance: np.clip(1 - distance, 1e-9, None)
    )
    return float(classifier.fit(*data[:2]).score(*data[2:]))


def cluster_accuracy(labels: Any, clusters: Any) -> float:
    """Share of rows whose cluster stands for their class, one cluster a class, at best.

    The best one-to-one assignment is that of Kuhn's Hungarian method, as scipy's
    linear_sum_assignment solves it (unsupervised clustering accuracy: Xie et al. 2016, arXiv
    1511.06335, equation 10). Clusters without a class of their own count as wrong. No labels
    but these ten or so names are given, yet chance is above 1 / classes: the best assignment is
    taken.

    Args:
        labels, clusters: (N,) each, of any types that can be sorted.

    Returns:
        0..1; 1 only if the two partitions are the same.
    """
    labels, clusters = as_labels("labels", labels), as_labels("clusters", clusters)
    check_same_length(labels=labels, clusters=clusters)
    counts = contingency_matrix(labels, clusters)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(labels))


def cluster_table(labels: Any, clusterings: Mapping[str, Any]) -> pd.DataFrame:
    """Several clusterings of the same rows beside their classes.

    Args:
        labels: (N,).
        clusterings: by name, (N,) clusters.

    Returns:
        A row each: accuracy, see `cluster_accuracy`; NMI, mutual information over the mean of the
        two entropies, which favors many small clusters; ARI, the adjusted Rand index (Hubert &
        Arabie 1985), 0 in the mean for clusters at random, below 0 for worse; clusters, how many
        there are. scikit-learn computes NMI and ARI.
    """
    y, rows = as_labels("labels", labels), {}
    for name, clusters in clusterings.items():
        codes = as_labels(f"clusterings of {name}", clusters)
        check_same_length(labels=y, **{f"clusterings of {name}": codes})
        rows[name] = {
            "accuracy": cluster_accuracy(y, codes),
            "NMI": float(normalized_mutual_info_score(y, codes)),
            "ARI": float(adjusted_rand_score(y, codes)),
            "clusters": codes.max() + 1,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("clustering")


def probe_suite(
    train_features: Any, train_labels: Any, test_features: Any, test_labels: Any
) -> dict[str, float]:
    """Accuracies of three readers of the same features, from the most help to the least.

    Args:
        train_features, train_labels, test_features, test_labels: as for `linear_probe`.

    Returns:
        "linear probe"; "20 neighbors"; "k-means" of the test rows alone, told nothing but the
        number of classes, with its clusters named as in `cluster_accuracy`.
    """
    data = _classification(train_features, train_labels, test_features, test_labels)
    kmeans = KMeans(len(np.unique(data[3])), n_init=10, random_state=0)
    return {
        "linear probe": linear_probe(*data),
        "20 neighbors": knn_accuracy(*data, k=min(20, len(data[0]))),
        "k-means": cluster_accuracy(data[3], kmeans.fit_predict(data[2])),
    }


class Retrieval(NamedTuple):
    """A mean over queries, beside what scores without any meaning and perfect ones would reach."""

    value: float
    chance: float
    ceiling: float


def precision_at_k(scores: Any, query_labels: Any, candidate_labels: Any, k: int = 1) -> Retrieval:
    """Share of the ``k`` best candidates of a query that have its label, in the mean over queries.

    Candidates of equal score stand in random order; the mean over all orders is taken, so that
    constant scores reach chance exactly.

    Args:
        scores: (N, M), the higher the better; queries in the rows, candidates in the columns. For
            the other direction give the transpose.
        query_labels, candidate_labels: (N,) and (M,), classes, or numbers of instances.
        k: at most M.
    """
    found, relevant, k = _found(scores, query_labels, candidate_labels, k)
    return Retrieval(
        float(found.mean() / k),
        float(relevant.mean() / np.shape(scores)[1]),
        float(np.minimum(relevant, k).mean() / k),
    )


def recall_at_k(scores: Any, query_labels: Any, candidate_labels: Any, k: int = 1) -> Retrieval:
    """Share of the candidates with the label of a query that are among its ``k`` best.

    With one such candidate for each query, an image's caption say, this is the "R@k" of
    cross-modal retrieval. Where there are more than k, all cannot be found: see the ceiling.

    Args:
        scores, query_labels, candidate_labels, k: as for `precision_at_k`.

    Raises:
        ValueError: a query whose label no candidate has.
    """
    found, relevant, k = _found(scores, query_labels, candidate_labels, k)
    lonely = np.flatnonzero(relevant == 0)
    if lonely.size:
        raise ValueError(
            f"query_labels: expected only labels of candidates, got {lonely.size} others, "
            f"the first in row {lonely[0]}"
        )
    return Retrieval(
        float((found / relevant).mean()),
        k / np.shape(scores)[1],
        float((np.minimum(relevant, k) / relevant).mean()),
    )


def retrieval_table(
    scores: Any,
    first_labels: Any,
    second_labels: Any,
    *,
    names: tuple[str, str] = ("first", "second"),
    ks: Sequence[int] = (1, 5),
    recall: bool = False,
) -> pd.DataFrame:
    """`precision_at_k` in both directions: a row each direction and k.

    Args:
        scores: (N, M) of two modalities.
        first_labels, second_labels: (N,) and (M,).
        names: of the modalities.
        recall: `recall_at_k` below each precision.

    Returns:
        Columns value, chance and ceiling; the index says "first to second, P@1", or "R@1".
    """
    scores, (first, second) = as_array("scores", scores), names
    measures = {"P": precision_at_k} | ({"R": recall_at_k} if recall else {})
    return pd.DataFrame(
        {
            f"{query} to {candidate}, {letter}@{k}": measure(matrix, queries, candidates, k)
            for query, candidate, matrix, queries, candidates in (
                (first, second, scores, first_labels, second_labels),
                (second, first, scores.T, second_labels, first_labels),
            )
            for k in ks
            for letter, measure in measures.items()
        },
        index=Retrieval._fields,
    ).T


def _classification(
    train_features: Any, train_labels: Any, test_features: Any, test_labels: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    train = as_samples("train_features", train_features)
    test = as_samples("test_features", test_features, minimum=1)
    train_labels = as_array("train_labels", train_labels)
    test_labels = as_array("test_labels", test_labels)
    check_same_length(train_features=train, train_labels=train_labels)
    check_same_length(test_features=test, test_labels=test_labels)
    if train.shape[1] != test.shape[1]:
        raise ValueError(
            f"test_features: expected {train.shape[1]} columns as in train_features, "
            f"got {test.shape[1]}"
        )
    return train, train_labels, test, test_labels


def _found(
    scores: Any, query_labels: Any, candidate_labels: Any, k: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """For each query the expected relevant among its k best, and all relevant; and k, checked."""
    scores = as_array("scores", scores)
    queries = as_array("query_labels", query_labels)
    candidates = as_array("candidate_labels", candidate_labels)
    if scores.ndim != 2 or scores.shape != (*queries.shape, *candidates.shape) or not scores.size:
        raise ValueError(
            "scores: expected shape (queries, candidates), those of the labels being "
            f"{queries.shape} and {candidates.shape}, got {scores.shape}"
        )
    if np.isnan(scores).any():
        row = int(np.flatnonzero(np.isnan(scores).any(axis=1))[0])
        raise ValueError(f"scores: expected numbers, got nan in row {row}")
    k = check_integer("k", k, minimum=1, maximum=scores.shape[1])
    last = np.partition(scores, -k, axis=1)[:, -k, None]
    relevant = queries[:, None] == candidates
    above, tied = scores > last, scores == last
    places = k - above.sum(axis=1)  # for which the tied ones draw lots; at least one
    found = (above & relevant).sum(axis=1)
    found = found + places * (tied & relevant).sum(axis=1) / tied.sum(axis=1)
    return found, relevant.sum(axis=1), k
