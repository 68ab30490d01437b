"""Robustness to corrupted queries, and transfer to another data set."""

import functools
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.integrate import trapezoid
from scipy.ndimage import gaussian_filter

from simmim_lite._arguments import (
    as_array,
    as_common_labels,
    as_finite,
    as_samples,
    check_integer,
    check_number,
    check_same_length,
    count_rows,
)
from simmim_lite._random import random_generator
from simmim_lite.datasets import add_noise, babble
from simmim_lite.encoders._text import as_texts
from simmim_lite.evaluation._generation import EXCESS
from simmim_lite.evaluation._intervals import wilson_interval
from simmim_lite.evaluation._representations import draw_evenly, fit_linear_probe


def gaussian_noise(images: Any, deviation: float, *, seed: int = 0) -> np.ndarray:
    """Add Gaussian noise of this deviation to images (N, ...) in 0..1, without clipping."""
    images = _images(images)
    check_number("deviation", deviation, minimum=0.0)
    noise = deviation * random_generator(seed, "noise").standard_normal(images.shape)
    return (images + noise).astype(images.dtype)


def salt_and_pepper(images: Any, fraction: float, *, seed: int = 0) -> np.ndarray:
    """Replace a fraction of the pixels of images (N, ...) in 0..1 by 0 or 1, equally often."""
    images = _images(images)
    check_number("fraction", fraction, minimum=0.0, maximum=1.0)
    draws = random_generator(seed, "salt and pepper").random(images.shape)
    return np.where(draws < fraction, (draws < fraction / 2).astype(images.dtype), images)


def occlude(images: Any, fraction: float, *, seed: int = 0) -> np.ndarray:
    """Set a square at a random place to 0, in each of the images (N, ..., height, width) in 0..1.

    The square covers a fraction of the pixels, up to rounding of its side, in all channels. It lies
    within the image, and is cut off where the image is smaller.
    """
    images = _images(images, 3).copy()
    height, width = images.shape[-2:]
    fraction = check_number("fraction", fraction, minimum=0.0, maximum=1.0)
    side = round(np.sqrt(fraction * height * width))
    generator = random_generator(seed, "occlusion")
    for image in images:
        top, left = (generator.integers(max(n - side, 0) + 1) for n in (height, width))
        image[..., top : top + side, left : left + side] = 0
    return images


def blur(images: Any, deviation: float, *, seed: int = 0) -> np.ndarray:
    """Smooth images (N, ..., height, width) by a Gaussian, with 0 beyond the edge.

    The deviation is in pixels. The seed is without effect; all corruptions have this argument.
    """
    images = _images(images, 3)
    deviation = check_number("deviation", deviation, minimum=0.0)
    wide = images.astype(np.promote_types(images.dtype, np.float32))  # scipy has no float16
    return gaussian_filter(wide, deviation, mode="constant", axes=(-2, -1)).astype(images.dtype)


def _images(images: Any, dimensions: int = 0) -> np.ndarray:
    """Images that a corruption for the range 0..1 suits; earlier noise may have left the range."""
    array = as_array("images", images)
    if array.dtype.kind != "f":
        raise TypeError(f"images: expected floating point numbers in 0..1, got dtype {array.dtype}")
    if array.ndim < dimensions:
        raise ValueError(f"images: expected shape (N, ..., height, width), got {array.shape}")
    if array.size and not np.abs(array).max() <= 1 + EXCESS:
        low, high = array.min(), array.max()
        raise ValueError(f"images: expected numbers in 0..1, got {low:g}..{high:g}")
    return array


def mistype(texts: Sequence[str], letters: int, *, seed: int = 0) -> list[str]:
    """Replace this number of letters of each text (all, if a text has fewer) by other letters."""
    letters = check_integer("letters", letters, minimum=0)
    generator = random_generator(seed, "typing errors")
    mistyped = []
    for text in as_texts("texts", texts):
        characters = list(text)
        places = [i for i, character in enumerate(characters) if character.isalpha()]
        for place in generator.permutation(places)[:letters].astype(int):
            others = string.ascii_lowercase.replace(characters[place].lower(), "")
            characters[place] = others[generator.integers(len(others))]
        mistyped.append("".join(characters))
    return mistyped


def robustness_table(
    metric: Callable[[Any, str], float],
    queries: Mapping[str, Any],
    *,
    voices: Sequence[np.ndarray] = (),
    seed: int = 0,
) -> pd.DataFrame:
    """Metric for queries with increasing corruption: one row per level, 0 (none) to 3.

    Args:
        metric: ``metric(queries, modality)``.
        queries: at least one of "image", floating point (N, ...) in 0..1; "speech", waveforms;
            "text", sentences. The columns are the corruptions of these modalities.
        voices: recordings for the babble.
    """
    babbled = functools.partial(_add_babble, voices)
    corruptions: dict[str, tuple[str, Callable[..., Any], tuple]] = {  # strengths, from none
        "Gaussian noise": ("image", gaussian_noise, (0.0, 0.1, 0.25, 0.5)),  # deviation, range 1
        "salt and pepper": ("image", salt_and_pepper, (0.0, 0.05, 0.1, 0.2)),  # part of the pixels
        "occlusion": ("image", occlude, (0.0, 0.1, 0.2, 0.4)),  # part of the pixels, a square
        "blur": ("image", blur, (0.0, 1.0, 2.0, 3.0)),  # standard deviation in pixels
        "babble": ("speech", babbled, (np.inf, 20.0, 10.0, 0.0)),  # dB of speech over other voices
        "typing errors": ("text", mistype, (0, 1, 2, 3)),  # letters
    }
    for modality, items in queries.items():
        if not count_rows(f"queries[{modality!r}]", items):
            raise ValueError(f"queries[{modality!r}]: expected at least one, got none")
    table = {}
    for kind, (modality, corrupt, levels) in corruptions.items():
        if modality in queries:
            items = (corrupt(queries[modality], level, seed=seed) for level in levels)
            table[kind] = [metric(corrupted, modality) for corrupted in items]
    return pd.DataFrame(table).rename_axis("level")


def robustness_area(table: pd.DataFrame, *, chance: float = 0.0) -> pd.DataFrame:
    """Area under each robustness curve, with equal distances between levels.

    The area is the mean height of the curve above the chance level, divided by the clean height (of
    level 0) above it: 1 if the corruption has no effect, near 0 if the first level leaves only
    chance. Compare areas of equal levels only.
    """
    chance = check_number("chance", chance, minimum=-np.inf)
    if not isinstance(table, pd.DataFrame) or len(table) < 2:
        got = f"{type(table).__name__} of length {count_rows('table', table)}"
        raise ValueError(f"table: expected a DataFrame of two levels or more, got {got}")
    table = pd.DataFrame(as_finite("table", table), table.index, table.columns)
    clean = table.iloc[0]
    height = pd.Series(trapezoid(table, axis=0), table.columns) / (len(table) - 1)
    area = (height - chance) / (clean - chance)
    return pd.DataFrame({"clean": clean, "worst": table.iloc[-1], "area": area})


class LabeledSplit(NamedTuple):
    """N training items and M test items of one dataset, with their classes (N,) and (M,)."""

    train: Any
    train_labels: Any
    test: Any
    test_labels: Any


def transfer_table(
    embedders: Mapping[str, Callable[[Any], Any]],
    source: LabeledSplit,
    targets: Mapping[str, LabeledSplit],
    *,
    labels: int | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Linear probes of frozen features, on the source dataset and on target datasets.

    Args:
        embedders: by name, ``embed(items) -> (N, dim)``, fitted on nothing of ``targets``. Compare
            learned features with simple ones, such as pixels.
        source: the dataset that the embedders were fitted on.
        targets: by name, datasets from other sources; with other classes "source probe" is nan.
        labels: number of labels for each target probe, balanced over classes; None uses all.

    The table has a row per embedder and dataset, the source first: "source probe" is the test
    accuracy of the probe that was fitted on the source, "target probe" that of a probe fitted on
    the dataset itself, with the same features and a 95 % Wilson interval.
    """
    rows = []
    for name, embed in embedders.items():
        fitted = _features(embed, "source", source)
        probe = fit_linear_probe(fitted.train, fitted.train_labels)
        for dataset, split in {"source": source, **targets}.items():
            train, train_labels, test, test_labels = _features(embed, dataset, split)
            shared = np.isin(test_labels, probe.classes_).all()
            accuracy = probe.score(test, test_labels) if shared else np.nan
            count = len(train) if labels is None else check_integer("labels", labels, minimum=2)
            labeled = draw_evenly(train_labels, seed=seed)[:count]
            own = fit_linear_probe(train[labeled], train_labels[labeled])
            correct = own.predict(test) == test_labels
            rows.append((dataset, name, accuracy, *wilson_interval(correct), len(correct)))
    columns = ["dataset", "features", "source probe", "target probe", "low", "high", "items"]
    return pd.DataFrame(rows, columns=columns)


def _features(embed: Callable[[Any], Any], name: str, split: LabeledSplit) -> LabeledSplit:
    given = split._asdict()
    labels = {f"{name}.{key}": given[key] for key in ("train_labels", "test_labels")}
    as_common_labels(**labels)
    for key in ("train", "test"):
        features = as_samples(f"features of {name}.{key}", embed(given[key]), minimum=1)
        found = as_array(f"{name}.{key}_labels", given[f"{key}_labels"])
        check_same_length(**{f"{name}.{key}": features, f"{name}.{key}_labels": found})
        found = found.astype(str) if found.dtype.kind == "S" else found  # scikit-learn wants it
        given |= {key: features, f"{key}_labels": found}
    return LabeledSplit(**given)


def _add_babble(
    voices: Sequence[np.ndarray], waves: Sequence[np.ndarray], snr_db: float, *, seed: int
) -> list[np.ndarray]:
    waves = [as_array(f"queries['speech'][{i}]", wave) for i, wave in enumerate(waves)]
    lengths = [count_rows("queries['speech']", wave) for wave in waves]
    return (
        waves if snr_db == np.inf else add_noise(waves, babble(lengths, voices, seed=seed), snr_db)
    )
