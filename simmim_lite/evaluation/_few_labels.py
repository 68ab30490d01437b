"""How many labels does it take? Curves from ten labels to all of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from simmim_lite._arguments import as_array, as_labels, check_integer
from simmim_lite._random import random_generator
from simmim_lite.evaluation._representations import linear_probe


def label_efficiency_curve(
    learners: Mapping[str, Callable[[np.ndarray], float]],
    labels: Any,
    *,
    counts: Sequence[int] = (10, 20, 50, 100, 200, 500, 1000),
    draws: int = 3,
    seed: int = 0,
) -> pd.DataFrame:
    """Accuracy against the number of labels, of several learners with the very same labels.

    The labeled rows are drawn class by class, as evenly as it goes; of one draw, the rows of a
    smaller number are among those of a larger one. With all rows there is nothing to draw.

    Args:
        learners: by name, ``learner(rows) -> accuracy`` on test items: it may use the labels of
            these rows of the training set, (count,) int64, and no others. Put a network that learns
            from them alone, from scratch, beside a probe of features.
        labels: (N,) of the training set.
        counts: of labels, from one a class to N; those beyond N are left out.
        draws: of labeled rows.

    Returns:
        One row a measurement: labels, draw, learner, accuracy.
    """
    if not learners:
        raise ValueError("learners: expected at least one, got none")
    draws = check_integer("draws", draws, minimum=1)
    codes = as_labels("labels", labels)
    counts = sorted({check_integer("counts", count, minimum=1) for count in counts})
    rows = []
    for draw in range(draws):
        order = draw_evenly(codes, seed=seed + draw)
        for count in counts:
            if count > len(codes) or (count == len(codes) and draw):
                continue
            if count <= codes.max():
                raise ValueError(
                    f"counts: expected at least {codes.max() + 1}, one a class, got {count}"
                )
            for name, learner in learners.items():
                rows.append((count, draw, name, float(learner(order[:count]))))
    return pd.DataFrame(rows, columns=["labels", "draw", "learner", "accuracy"])


def probe_learner(
    train_features: Any, train_labels: Any, test_features: Any, test_labels: Any
) -> Callable[[np.ndarray], float]:
    """For `label_efficiency_curve`: the `linear_probe` of features that stay as they are.

    Args:
        train_features, train_labels, test_features, test_labels: as for `linear_probe`.
    """
    x, y = as_array("train_features", train_features), as_array("train_labels", train_labels)
    return lambda rows: linear_probe(x[rows], y[rows], test_features, test_labels)


def draw_evenly(labels: Any, *, seed: int = 0) -> np.ndarray:
    """All rows (N,) in a random order that takes a row of each class in turn, while there are any.

    The first K n rows hold n of each of the K classes, if there are as many.
    """
    codes = as_labels("labels", labels)
    generator = random_generator(seed, "labelled rows")
    order = generator.permutation(len(codes))
    turn = np.empty(len(codes))
    for rows in _by_class(codes[order]):
        turn[rows] = np.arange(len(rows))  # the first of its class, the second, ...
    # Within a turn the classes stand in random order, so that no class profits from a remainder.
    return order[np.lexsort((generator.random(len(codes)), turn))]


def _by_class(codes: np.ndarray) -> Iterator[np.ndarray]:
    return (np.flatnonzero(codes == code) for code in range(codes.max() + 1))
