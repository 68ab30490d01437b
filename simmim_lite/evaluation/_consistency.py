"""Do other seeds come to the same? Predictions compared, and embeddings up to what may differ."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import cohen_kappa_score
from sklearn.neighbors import NearestNeighbors

from simmim_lite._arguments import as_labels, as_samples, check_integer, check_same_length


class Overlap(NamedTuple):
    """A share of neighbors in common, beside what unrelated embeddings would have."""

    value: float
    chance: float


def agreement_table(predictions: Mapping[Any, Any]) -> pd.DataFrame:
    """Each two runs compared on the same items.

    Args:
        predictions: by seed or name, (N,) classes; two runs or more.

    Returns:
        A row each pair: first, second; agreement, the share of equal answers; kappa (Cohen 1960),
        0 for runs that agree as often as their habits alone make them, 1 for equal ones, and nan if
        both always say the same one thing: a constant is no agreement.
    """
    if len(predictions) < 2:
        raise ValueError(f"predictions: expected two runs or more, got {list(predictions)}")
    rows = []
    for first, second in combinations(predictions, 2):
        a, b = np.asarray(predictions[first]), np.asarray(predictions[second])
        check_same_length(**{f"predictions of {first}": a, f"predictions of {second}": b})
        codes = as_labels("predictions", np.concatenate([a, b]))
        x, y = codes[: len(a)], codes[len(a) :]
        kappa = cohen_kappa_score(x, y) if codes.max() > 0 else np.nan
        rows.append((first, second, float((x == y).mean()), float(kappa)))
    return pd.DataFrame(rows, columns=["first", "second", "agreement", "kappa"])


def kernel_alignment(first: Any, second: Any) -> float:
    """Are the same items alike in two embeddings? 1 if equal up to rotation, shift and scale.

    Centered kernel alignment of linear kernels (Kornblith et al. 2019, arXiv 1905.00414), with the
    unbiased estimates of Song et al. (2012, JMLR 13): about 0 for independent
    embeddings, where the plain one is near dim / (N + dim). Two seeds of one training can be
    rotated, so their columns must not be compared.

    Args:
        first, second: (N, dim) and (N, dim'), rows of the same items, N >= 4, not all equal.

    Returns:
        At most 1; below 0 by chance only.
    """
    x, y = as_samples("first", first, minimum=4), as_samples("second", second, minimum=4)
    check_same_length(first=x, second=y)
    grams = [_gram(x), _gram(y)]
    own = [_dependence(gram, gram) for gram in grams]
    for name, value, gram in zip(("first", "second"), own, grams, strict=True):
        if not value > 1e-12 * np.abs(gram).max() ** 2:
            raise ValueError(f"{name}: expected rows that differ, got (nearly) equal ones")
    return float(_dependence(*grams) / np.sqrt(own[0] * own[1]))


def neighbor_overlap(first: Any, second: Any, *, k: int = 10) -> Overlap:
    """Share of an item's ``k`` nearest neighbors by cosine that are the same in two embeddings.

    Args:
        first, second: (N, dim) and (N, dim'), rows of the same items.
        k: less than N.

    Returns:
        The mean over items, 0..1; chance k / (N - 1).
    """
    x, y = as_samples("first", first), as_samples("second", second)
    check_same_length(first=x, second=y)
    k = check_integer("k", k, minimum=1, maximum=len(x) - 1)
    near = [_nearest(rows, k) for rows in (x, y)]
    return Overlap(float((near[0] & near[1]).sum() / (k * len(x))), k / (len(x) - 1))


def _gram(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(axis=0)  # changes nothing but the rounding
    gram = x @ x.T
    np.fill_diagonal(gram, 0.0)
    return gram


def _dependence(a: np.ndarray, b: np.ndarray) -> float:
    """Unbiased HSIC of two Gram matrices without their diagonals, but for a common factor."""
    n = len(a)
    sums = a.sum(axis=0), b.sum(axis=0)
    return float(
        (a * b).sum()
        + sums[0].sum() * sums[1].sum() / ((n - 1) * (n - 2))
        - 2 / (n - 2) * sums[0] @ sums[1]
    )


def _nearest(x: np.ndarray, k: int) -> np.ndarray:
    """(N, N) bool, the k nearest others of each row; without queries, a row is not its own."""
    search = NearestNeighbors(n_neighbors=k, metric="cosine").fit(x)
    return search.kneighbors_graph().astype(bool).toarray()
