"""Retrieval: precision@k and recall@k of a score matrix, beside chance and upper bound."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from simmim_lite._arguments import as_array, check_integer


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
        scores: (N, M), higher is better; one row per query, one column per candidate. Give the
            transpose for the other direction.
        query_labels, candidate_labels: (N,) and (M,), classes or instance numbers.
        k: at most M.
    """
    hits, relevant, k = _hits(scores, query_labels, candidate_labels, k)
    return Retrieval(
        float(hits.mean() / k),
        float(relevant.mean() / np.shape(scores)[1]),
        float(np.minimum(relevant, k).mean() / k),
    )


def recall_at_k(scores: Any, query_labels: Any, candidate_labels: Any, k: int = 1) -> Retrieval:
    """Recall@k: fraction of the candidates with the query's label that are among the ``k`` best.

    With one such candidate per query, such as the caption of an image, this is the R@k of
    cross-modal retrieval. With more than k, the upper bound is below 1. Arguments as for
    `precision_at_k`, but each query needs a candidate of its label.
    """
    hits, relevant, k = _hits(scores, query_labels, candidate_labels, k)
    others = np.flatnonzero(relevant == 0)
    if others.size:
        got = f"{others.size} others, the first in row {others[0]}"
        raise ValueError(f"query_labels: expected only labels of candidates, got {got}")
    return Retrieval(
        float((hits / relevant).mean()),
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
    """`precision_at_k` in both directions between two modalities.

    Args:
        scores: (N, M), one row per item of the first modality, one column per item of the second.
        first_labels, second_labels: (N,) and (M,).
        recall: add `recall_at_k` below each precision.

    Returns:
        One row per direction and k, such as "first to second, P@1" (or "R@1"), with the columns
        value, chance and upper_bound.
    """
    scores, (first, second) = as_array("scores", scores), names
    metrics: dict[str, Callable[..., Retrieval]] = {"P": precision_at_k}
    if recall:
        metrics["R"] = recall_at_k
    rows = {}
    for direction, *arguments in (
        (f"{first} to {second}", scores, first_labels, second_labels),
        (f"{second} to {first}", scores.T, second_labels, first_labels),
    ):
        for k in ks:
            for letter, metric in metrics.items():
                rows[f"{direction}, {letter}@{k}"] = metric(*arguments, k)
    return pd.DataFrame(rows, index=Retrieval._fields).T


def _hits(
    scores: Any, query_labels: Any, candidate_labels: Any, k: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """For each query its expected hits among the k best, and its relevant candidates; and k."""
    scores = as_array("scores", scores)
    queries = as_array("query_labels", query_labels)
    candidates = as_array("candidate_labels", candidate_labels)
    if scores.ndim != 2 or scores.shape != (*queries.shape, *candidates.shape) or not scores.size:
        raise ValueError(
            "scores: expected shape (queries, candidates) for labels of shape "
            f"{queries.shape} and {candidates.shape}, got {scores.shape}"
        )
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
