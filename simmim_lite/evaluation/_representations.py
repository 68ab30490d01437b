"""Representations: probes of frozen features, few labels, clusters, and consistency over seeds."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, cohen_kappa_score, normalized_mutual_info_score
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
from simmim_lite._random import random_generator


def fit_linear_probe(train_features: Any, train_labels: Any, *, C: float = 0.1) -> Pipeline:
    """Fit the classifier of `linear_probe`: a scikit-learn pipeline with ``predict_proba``.

    Args:
        train_features, train_labels: as for `linear_probe`.
        C: inverse strength of the penalty.
    """
    train = as_samples("train_features", train_features)
    labels = as_array("train_labels", train_labels)
    check_same_length(train_features=train, train_labels=labels)
    C = check_number("C", C, minimum=1e-12)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=C, tol=1e-3, max_iter=2000))
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
        train_labels, test_labels: (N,) and (M,), of any type that can be sorted.
    """
    x, y, x_test, y_test = _check_split(train_features, train_labels, test_features, test_labels)
    return float(fit_linear_probe(x, y).score(x_test, y_test))


def knn_accuracy(
    train_features: Any, train_labels: Any, test_features: Any, test_labels: Any, *, k: int = 20
) -> float:
    """Test accuracy, 0..1, of a k-nearest-neighbor classifier with cosine similarity.

    The votes of the ``k`` neighbors are weighted by their cosines, as in Wu et al. (2018, arXiv
    1805.01978, section 3.4), but without the exponential: a negative cosine has weight 0. Features
    and labels as for `linear_probe`, but no row of zeros.
    """
    x, y, x_test, y_test = _check_split(train_features, train_labels, test_features, test_labels)
    k = check_integer("k", k, minimum=1, maximum=len(x))
    for name, features in (("train_features", x), ("test_features", x_test)):
        zero = np.flatnonzero(~features.any(axis=1))
        if zero.size:
            raise ValueError(f"{name}: expected rows with a direction, got zeros in row {zero[0]}")
    classifier = KNeighborsClassifier(
        k, metric="cosine", weights=lambda distance: np.clip(1 - distance, 1e-9, None)
    )
    return float(classifier.fit(x, y).score(x_test, y_test))


def probe_suite(
    train_features: Any, train_labels: Any, test_features: Any, test_labels: Any
) -> dict[str, float]:
    """Accuracies of three probes of the same features, from most to least supervision.

    Returns:
        "linear probe"; "20 neighbors"; "k-means" of the test rows alone, which uses no label but
        the number of classes, scored by `cluster_accuracy`.
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
        draws: number of random sets of labeled rows.
        seed: of the first draw; draw i has seed + i.

    Returns:
        One row per measurement: labels, draw, learner, accuracy.
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
    Hungarian method as in scipy's linear_sum_assignment. Clusters without a class count as wrong.
    The assignment is the only use of the labels; as the best assignment is taken, the chance level
    is above 1 / classes.

    Args:
        labels, clusters: (N,) each, of any type that can be sorted.

    Returns:
        0..1; 1 only if the two partitions are equal.
    """
    labels, clusters = as_labels("labels", labels), as_labels("clusters", clusters)
    check_same_length(labels=labels, clusters=clusters)
    counts = contingency_matrix(labels, clusters)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(labels))


def cluster_table(labels: Any, clusterings: Mapping[str, Any]) -> pd.DataFrame:
    """Several clusterings, by name, of the same rows, compared with their classes (N,).

    Returns:
        One row per clustering: accuracy (`cluster_accuracy`); NMI, the mutual information divided
        by the mean of the two entropies, which favors many small clusters; ARI, the adjusted Rand
        index (Hubert & Arabie 1985), with mean 0 for random clusters and negative for worse;
        clusters, their number. scikit-learn computes NMI and ARI.
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
    """Agreement of the predictions of every two runs on the same items.

    Args:
        predictions: by seed or name, (N,) predicted classes; two runs or more.

    Returns:
        One row per pair: first, second; agreement, the fraction of equal predictions; kappa (Cohen
        1960), 0 for the agreement that the class frequencies alone give, 1 for equal predictions,
        nan if both runs predict one and the same class only.
    """
    if len(predictions) < 2:
        raise ValueError(f"predictions: expected two runs or more, got {list(predictions)}")
    rows = []
    for first, second in combinations(predictions, 2):
        a, b = np.asarray(predictions[first]), np.asarray(predictions[second])
        check_same_length(**{f"predictions of {first}": a, f"predictions of {second}": b})
        x, y = np.split(as_labels("predictions", np.concatenate([a, b])), 2)
        kappa = cohen_kappa_score(x, y) if max(x.max(), y.max()) > 0 else np.nan
        rows.append((first, second, float((x == y).mean()), float(kappa)))
    return pd.DataFrame(rows, columns=["first", "second", "agreement", "kappa"])


def kernel_alignment(first: Any, second: Any) -> float:
    """Linear CKA of two embeddings of the same items: 1 if equal up to rotation, shift and scale.

    Centered kernel alignment (Kornblith et al. 2019, arXiv 1905.00414) with the unbiased HSIC of
    Song et al. (2012, JMLR 13): about 0 for independent embeddings, where the biased one is near
    dim / (N + dim). Two seeds of one training may differ by a rotation, so their columns cannot be
    compared directly.

    Args:
        first, second: (N, dim) and (N, dim'), rows of the same items, N >= 4, not all equal.

    Returns:
        At most 1; negative values occur by chance only.
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
    y_train, y_test = as_array("train_labels", train_labels), as_array("test_labels", test_labels)
    check_same_length(train_features=train, train_labels=y_train)
    check_same_length(test_features=test, test_labels=y_test)
    columns, got = train.shape[1], test.shape[1]
    if columns != got:
        raise ValueError(
            f"test_features: expected {columns} columns as in train_features, got {got}"
        )
    return train, y_train, test, y_test
