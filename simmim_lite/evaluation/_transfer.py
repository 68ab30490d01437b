"""Does what was learned here hold elsewhere? The same features on data of another source."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn import datasets as bundled
from torch.nn.functional import interpolate, pad

from simmim_lite._arguments import as_array, check_integer, check_same_length
from simmim_lite.datasets import Images
from simmim_lite.evaluation._few_labels import draw_evenly
from simmim_lite.evaluation._intervals import wilson_interval
from simmim_lite.evaluation._representations import fit_linear_probe


class LabeledSplit(NamedTuple):
    """Items of one source: to learn from, and others to be asked about.

    Attributes:
        train, train_labels, test, test_labels: items of any kind, N and M of them.
    """

    train: Any
    train_labels: Any
    test: Any
    test_labels: Any


def load_other_digits() -> Images:
    """1,797 handwritten digits of other writers, other paper and another scanner than MNIST's.

    The set that comes with scikit-learn (Alpaydin & Kaynak 1998, the part that 13 people wrote),
    8 x 8 pixels of 17 grays: enlarged to 20 x 20 by bilinear interpolation, with a margin of 4, as
    MNIST's digits have.

    Returns:
        Images of shape (1797, 28, 28), white ink on black.
    """
    found = bundled.load_digits()
    small = torch.from_numpy(found.images / 16)[:, None]
    large = pad(interpolate(small, size=(20, 20), mode="bilinear", align_corners=False), (4,) * 4)
    images = (255 * large[:, 0]).round().to(torch.uint8).numpy()
    return Images(images, found.target.astype(np.int64), "all", "scikit-learn")


def transfer_table(
    embedders: Mapping[str, Callable[[Any], Any]],
    home: LabeledSplit,
    away: Mapping[str, LabeledSplit],
    *,
    labels: int | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Linear probes of frozen features, at home and on other sources.

    Args:
        embedders: by name, ``embed(items) -> (N, dim)``, fitted on nothing of ``away``. Put plain
            features, pixels say, beside learned ones.
        home: the source that they were fitted on.
        away: other sources of the same classes, by name; sources of other classes have no "as it
            is".
        labels: of each source that its own probe is told, class by class as evenly as it goes;
            None is all.

    Returns:
        A row each source and embedder: "as it is", accuracy of the probe that was fitted at home;
        "own probe", of one fitted on items of the source itself, the features staying as they are;
        low and high, 95 % of the latter (Wilson 1927, items taken for independent), items asked.
    """
    rows = []
    for name, embed in embedders.items():
        fitted = _features(embed, home)
        probe = fit_linear_probe(fitted.train, fitted.train_labels)
        for source, there in {"home": home, **away}.items():
            train, train_labels, test, test_labels = _features(embed, there)
            known = np.isin(test_labels, probe.classes_).all()
            as_it_is = probe.score(test, test_labels) if known else np.nan
            count = len(train) if labels is None else check_integer("labels", labels, minimum=2)
            told = draw_evenly(train_labels, seed=seed)[:count]
            own = fit_linear_probe(train[told], train_labels[told]).predict(test) == test_labels
            rows.append((source, name, as_it_is, *wilson_interval(own), len(own)))
    columns = ["source", "features", "as it is", "own probe", "low", "high", "items"]
    return pd.DataFrame(rows, columns=columns)


def _features(embed: Callable[[Any], Any], source: LabeledSplit) -> LabeledSplit:
    train, test = (as_array("embedders", embed(items)) for items in (source.train, source.test))
    labels, asked = np.asarray(source.train_labels), np.asarray(source.test_labels)
    check_same_length(train=train, train_labels=labels)
    check_same_length(test=test, test_labels=asked)
    return LabeledSplit(train, labels, test, asked)
