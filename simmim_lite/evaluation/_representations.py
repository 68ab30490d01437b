"""Representations: probes of frozen features, few labels, clusters, agreement, retrieval."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, cohen_kappa_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from simmim_lite._arguments import (
    as_array,
    as_common_labels,
    as_labels,
    as_samples,
    check_integer,
    check_number,
    check_same_length,
)
from simmim_lite._numerics import squared_distances
from simmim_lite._random import random_generator


def fit_linear_probe(train_features: Any, train_labels: Any, *, C: float = 0.1) -> Pipeline:
    """Fit the classifier of `linear_probe`: a scikit-learn pipeline with ``predict_proba``.

    Features and labels as for `linear_probe`. C is the inverse strength of the penalty.
    """
    train = as_samples("train_features", train_features)
    labels = as_array("train_labels", train_labels)
    if as_labels("train_labels", labels).max() == 0:
        raise ValueError(f"train_labels: expected two classes or more, got only {labels[0]}")
    check_same_length(train_features=train, train_labels=labels)
    C = check_number("C", C, minimum=1e-12)
    # centered first: a column is constant for StandardScaler if its mean is large beside its scale
    scalers = StandardScaler(with_std=False), StandardScaler()
    probe = make_pipeline(*scalers, LogisticRegression(C=C, tol=1e-3, max_iter=2000))
    return probe.fit(train, labels)


def linear_probe(
    train_features: Any, train_labels: Any, test_features: Any, test_labels: Any
) -> float:
    """Test accuracy, 0..1, of a linear classifier of frozen features (Alain & Bengio 2016).

    Standardized columns and softmax regression with an L2 penalty (scikit-learn's
    LogisticRegression; arXiv 1610.01644 for the idea). Probe the output of the encoder rather than
    the projection, which lacks what the objective discards (Chen et al. 2020, arXiv 2002.05709,
    section 4.2).

    Args:
        train_features, test_features: (N, dim) and (M, dim), arrays or tensors.
        train_labels, test_labels: (N,) and (M,), both words or both numbers of any type.
    """
    x, y, x_test, y_test = _check_split(train_features, train_labels, test_features, test_labels)
    return float(fit_linear_probe(x, y).score(x_test, y_test))


def knn_accuracy(
    train_features: Any, train_labels: Any, test_features: Any, test_labels: Any, *, k: int = 20
) -> float:
    """Test accuracy, 0..1, of a k-nearest-neighbor classifier with cosine similarity.

    The votes of the ``k`` neighbors are weighted by their cosines, as in Wu et al. (2018, arXiv
    1805.01978, section 3.4), but without the exponential: a cosine below 1e-9 has this weight, and
    decides where there is no other. Features and labels as for `linear_probe`, but no zero rows.
    """
    x, y, x_test, y_test = _check_split(train_features, train_labels, test_features, test_labels)
    k = check_integer("k", k, minimum=1, maximum=len(x))
    for name, features in (("train_features", x), ("test_features", x_test)):
        if (zero := np.flatnonzero(~features.any(axis=1))).size:
            raise ValueError(f"{name}: expected rows with a direction, got zeros in row {zero[0]}")
    near, far = (torch.from_numpy(_directions(features)) for features in (x, x_test))
    predicted = []
    for part in far.split(1024):
        # |u - v|^2 is 2 - 2 cos, without the rounding error of a cosine near 1.
        distance, neighbor = squared_distances(part, near).topk(k, largest=False)
        votes = np.zeros((len(part), y.max() + 1))
        weight = (1 - distance / 2).clamp(min=1e-9)
        np.add.at(votes, (np.arange(len(part))[:, None], y[neighbor]), weight)
        predicted.append(votes.argmax(axis=1))
    return float((np.concatenate(predicted) == y_test).mean())


def _directions(rows: np.ndarray) -> np.ndarray:
    rows = rows / np.abs(rows).max(axis=1, keepdims=True)  # squares stay in range
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def probe_suite(
    train_features: Any, train_labels: Any, test_features: Any, test_labels: Any
) -> dict[str, float]:
    """Accuracies of three probes of the same features, from most to least supervision.

    "k-means" of the test rows uses only the number of classes; `cluster_accuracy` is its score.
    """
    x, y, x_test, y_test = _check_split(train_features, train_labels, test_features, test_labels)
    kmeans = KMeans(len(np.unique(y_test)), n_init=10, random_state=0)
    return {
        "linear probe": linear_probe(x, y, x_test, y_test),
        "20 neighbors": knn_accuracy(x, y, x_test, y_test, k=min(20, len(x))),
        "k-means": cluster_accuracy(y_test, kmeans.fit_predict(x_test)),
    }


def label_efficiency_curve(
    learners: Mapping[str, Callable[[np.ndarray], float]],
    labels: Any,
    *,
    counts: Sequence[int] = (10, 20, 50, 100, 200, 500, 1000),
    draws: int = 3,
    seed: int = 0,
) -> pd.DataFrame:
    """Accuracy against the number of labels, for several learners with the same labels.

    The labeled rows are balanced over classes (`draw_evenly`) and nested: within a draw, a larger
    set contains every smaller one. All N rows allow a single draw.

    Args:
        learners: by name, ``learner(rows) -> accuracy`` on test items. It may use the labels of
            these rows of the training set, (count,) int64, and no others. Compare a probe of
            features with a network that is trained from scratch on these labels.
        labels: (N,) of the training set.
        counts: numbers of labels, from one per class to N; larger ones are left out.
        draws: number of random sets of labeled rows; draw i has seed + i.
    """
    if not learners:
        raise ValueError("learners: expected at least one, got none")
    draws = check_integer("draws", draws, minimum=1)
    y, rows = as_labels("labels", labels), []
    counts = sorted({check_integer("counts", count, minimum=1) for count in counts})
    if counts and counts[0] <= y.max():
        least = y.max() + 1
        raise ValueError(f"counts: expected at least {least}, one per class, got {counts[0]}")
    for draw in range(draws):
        order = draw_evenly(y, seed=seed + draw)
        for count in counts:
            if count < len(y) or (count == len(y) and not draw):
                for name, learner in learners.items():
                    rows.append((count, draw, name, float(learner(order[:count]))))
    return pd.DataFrame(rows, columns=["labels", "draw", "learner", "accuracy"])


def probe_learner(
    train_features: Any, train_labels: Any, test_features: Any, test_labels: Any
) -> Callable[[np.ndarray], float]:
    """Return a learner for `label_efficiency_curve`: a `linear_probe` fitted on the given rows."""
    _check_split(train_features, train_labels, test_features, test_labels)
    x, y = as_array("train_features", train_features), as_array("train_labels", train_labels)
    return lambda rows: linear_probe(x[rows], y[rows], test_features, test_labels)


def draw_evenly(labels: Any, *, seed: int = 0) -> np.ndarray:
    """Return all row numbers (N,) in a random order that is balanced over the classes (N,).

    One row of each class comes in turn, until the rows of a class are used up: the first K n rows
    hold n of each of the K classes, if there are as many.
    """
    y = as_labels("labels", labels)
    generator = random_generator(seed, "labelled rows")
    order = generator.permutation(len(y))
    turn = pd.Series(order).groupby(y[order]).cumcount()  # first of its class, second, ...
    # Within a turn the classes are in random order, so that no class profits from a remainder.
    return order[np.lexsort((generator.random(len(y)), turn))]


def cluster_accuracy(labels: Any, clusters: Any) -> float:
    """Clustering accuracy under the best one-to-one assignment of clusters to classes.

    Unsupervised clustering accuracy (Xie et al. 2016, arXiv 1511.06335, equation 10), with the
    Hungarian method as in scipy's linear_sum_assignment; (N,) labels and clusters of any type.
    Clusters without a class count as wrong: 1 means that the two partitions are equal. As the best
    assignment is taken, the chance level is above 1 / classes.
    """
    labels, clusters = as_labels("labels", labels), as_labels("clusters", clusters)
    check_same_length(labels=labels, clusters=clusters)
    counts = contingency_matrix(labels, clusters)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(labels))


def cluster_table(labels: Any, clusterings: Mapping[str, Any]) -> pd.DataFrame:
    """Several clusterings, by name, of the same rows, compared with their classes (N,).

    Accuracy is `cluster_accuracy`; NMI is the mutual information divided by the mean of the two
    entropies, which favors many small clusters; ARI is the adjusted Rand index (Hubert & Arabie
    1985), with mean 0 for random clusters and negative for worse; clusters is their number.
    """
    y, rows = as_labels("labels", labels), {}
    for name, clusters in clusterings.items():
        assignments = as_labels(f"clusterings of {name}", clusters)
        check_same_length(labels=y, **{f"clusterings of {name}": assignments})
        rows[name] = {
            "accuracy": cluster_accuracy(y, assignments),
            "NMI": float(normalized_mutual_info_score(y, assignments)),
            "ARI": float(adjusted_rand_score(y, assignments)),
            "clusters": assignments.max() + 1,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("clustering")


def agreement_table(predictions: Mapping[Any, Any]) -> pd.DataFrame:
    """Agreement of every two runs, by seed or name: their predicted classes (N,) of the same items.

    Agreement is the fraction of equal predictions. Kappa (Cohen 1960) is 0 for the agreement that
    class frequencies alone give, 1 for equal predictions, nan if both predict one class only.
    """
    if len(predictions) < 2:
        raise ValueError(f"predictions: expected two runs or more, got {list(predictions)}")
    rows = []
    for first, second in combinations(predictions, 2):
        runs = {f"predictions of {run}": predictions[run] for run in (first, second)}
        x, y = as_common_labels(**runs)
        check_same_length(**dict(zip(runs, (x, y), strict=True)))
        kappa = cohen_kappa_score(x, y) if max(x.max(), y.max()) > 0 else np.nan
        rows.append((first, second, float((x == y).mean()), float(kappa)))
    return pd.DataFrame(rows, columns=["first", "second", "agreement", "kappa"])


def kernel_alignment(first: Any, second: Any) -> float:
    """Linear CKA of two embeddings of the same items: 1 if equal up to rotation, shift and scale.

    Centered kernel alignment (Kornblith et al. 2019, arXiv 1905.00414) with the unbiased HSIC of
    Song et al. (2012, JMLR 13): about 0 for independent embeddings, where the biased one is near
    dim / (N + dim). Two seeds of one training may differ by a rotation, so their columns cannot be
    compared directly. The rows, (N, dim) and (N, dim'), are of the same N >= 4 items and not all
    equal. The value is at most 1, and negative by chance only.
    """
    x, y = as_samples("first", first, minimum=4), as_samples("second", second, minimum=4)
    check_same_length(first=x, second=y)
    grams = [_gram(x), _gram(y)]
    own = [_hsic(gram, gram) for gram in grams]
    for name, value, gram in zip(("first", "second"), own, grams, strict=True):
        if not value > 1e-12 * np.abs(gram).max() ** 2:
            raise ValueError(f"{name}: expected rows that differ, got (nearly) equal ones")
    return float(_hsic(*grams) / np.sqrt(own[0] * own[1]))


def _gram(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(axis=0)  # only lowers the rounding error
    gram = x @ x.T
    np.fill_diagonal(gram, 0.0)
    return gram


def _hsic(a: np.ndarray, b: np.ndarray) -> float:
    """Unbiased HSIC of two Gram matrices without their diagonals, up to a common factor."""
    n, sums = len(a), (a.sum(axis=0), b.sum(axis=0))
    total = sums[0].sum() * sums[1].sum() / ((n - 1) * (n - 2))
    return float((a * b).sum() + total - 2 / (n - 2) * sums[0] @ sums[1])


def _check_split(
    train_features: Any, train_labels: Any, test_features: Any, test_labels: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    train = as_samples("train_features", train_features)
    test = as_samples("test_features", test_features, minimum=1)
    y_train, y_test = as_common_labels(train_labels=train_labels, test_labels=test_labels)
    check_same_length(train_features=train, train_labels=y_train)
    check_same_length(test_features=test, test_labels=y_test)
    columns, got = train.shape[1], test.shape[1]
    if columns != got:
        raise ValueError(f"test_features: expected {columns} columns as in training, got {got}")
    return train, y_train, test, y_test


# --- retrieval: precision@k and recall@k of a score matrix, beside chance and upper bound


class Retrieval(NamedTuple):
    """A measured mean over queries, that of scores without information, and of perfect scores."""

    value: float
    chance: float
    upper_bound: float


def precision_at_k(scores: Any, query_labels: Any, candidate_labels: Any, k: int = 1) -> Retrieval:
    """Precision@k: fraction of the ``k`` best candidates with the query's label, mean over queries.

    Candidates of equal score are in random order, and the expectation over all orders is taken:
    constant scores give exactly the chance level.

    Args:
        scores: (N, M), higher is better; one row per query, one column per candidate.
        query_labels, candidate_labels: (N,) and (M,), classes or instance numbers.
        k: at most M.
    """
    hits, relevant, k = _hits(scores, query_labels, candidate_labels, k)
    chance, best = relevant.mean() / np.shape(scores)[1], np.minimum(relevant, k).mean() / k
    return Retrieval(float(hits.mean() / k), float(chance), float(best))


def recall_at_k(scores: Any, query_labels: Any, candidate_labels: Any, k: int = 1) -> Retrieval:
    """Recall@k: fraction of the candidates with the query's label that are among the ``k`` best.

    With one such candidate per query, such as the caption of an image, this is the R@k of
    cross-modal retrieval. With more than k, the upper bound is below 1. Arguments as for
    `precision_at_k`, but each query needs a candidate of its label.
    """
    hits, relevant, k = _hits(scores, query_labels, candidate_labels, k)
    if (others := np.flatnonzero(relevant == 0)).size:
        got = f"{others.size} others, the first in row {others[0]}"
        raise ValueError(f"query_labels: expected only labels of candidates, got {got}")
    value, best = (hits / relevant).mean(), (np.minimum(relevant, k) / relevant).mean()
    return Retrieval(float(value), k / np.shape(scores)[1], float(best))


def retrieval_table(
    scores: Any,
    first_labels: Any,
    second_labels: Any,
    *,
    names: tuple[str, str] = ("first", "second"),
    ks: Sequence[int] = (1, 5),
    recall: bool = False,
) -> pd.DataFrame:
    """`precision_at_k` in both directions between two modalities.

    Scores are (N, M), one row per item of the first modality, one column per item of the second.
    The table has a row `Retrieval` per direction and k, such as "first to second, P@1"; ``recall``
    adds `recall_at_k` ("R@1") below each precision.
    """
    scores, (first, second) = as_array("scores", scores), names
    labels = {"first_labels": first_labels, "second_labels": second_labels}
    first_labels, second_labels = as_common_labels(**labels)
    metrics: dict[str, Callable[..., Retrieval]] = {"P": precision_at_k}
    if recall:
        metrics["R"] = recall_at_k
    rows = {}
    there, back = (scores, first_labels, second_labels), (scores.T, second_labels, first_labels)
    for direction, arguments in ((f"{first} to {second}", there), (f"{second} to {first}", back)):
        for k in ks:
            for letter, metric in metrics.items():
                rows[f"{direction}, {letter}@{k}"] = metric(*arguments, k)
    return pd.DataFrame(rows, index=Retrieval._fields).T


def _hits(
    scores: Any, query_labels: Any, candidate_labels: Any, k: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """For each query its expected hits among the k best, and its relevant candidates; and k."""
    scores = as_array("scores", scores)
    if scores.dtype.kind not in "biuf":
        raise TypeError(f"scores: expected real numbers, got dtype {scores.dtype}")
    labels = {"query_labels": query_labels, "candidate_labels": candidate_labels}
    queries, candidates = as_common_labels(**labels)
    if scores.shape != (*queries.shape, *candidates.shape):
        expected = f"(queries, candidates) for labels {queries.shape} and {candidates.shape}"
        raise ValueError(f"scores: expected {expected}, got {scores.shape}")
    if np.isnan(scores).any():
        row = int(np.flatnonzero(np.isnan(scores).any(axis=1))[0])
        raise ValueError(f"scores: expected numbers, got nan in row {row}")
    k = check_integer("k", k, minimum=1, maximum=scores.shape[1])
    threshold = np.partition(scores, -k, axis=1)[:, -k, None]
    relevant = queries[:, None] == candidates
    above, tied = scores > threshold, scores == threshold
    places = k - above.sum(axis=1)  # drawn at random from the tied candidates; at least one
    hits = (above & relevant).sum(axis=1)
    hits = hits + places * (tied & relevant).sum(axis=1) / tied.sum(axis=1)
    return hits, relevant.sum(axis=1), k
