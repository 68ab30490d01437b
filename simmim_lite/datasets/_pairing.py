"""Positive pairs across modalities, and exactly how much information they share.

Torch is imported in the functions that draw with it, so that loading data does not load torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from numbers import Number
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from simmim_lite._arguments import (
    as_array,
    as_class_numbers,
    as_labels,
    check_choice,
    check_integer,
    count_rows,
)
from simmim_lite._random import random_generator
from simmim_lite.datasets._images import load_captions, load_digits
from simmim_lite.datasets._speech import load_speech
from simmim_lite.entropy import sample_mutual_information

if TYPE_CHECKING:
    import torch

MODALITIES = ("image", "speech", "text")
Rows = TypeVar("Rows", np.ndarray, "torch.Tensor")


@dataclass(frozen=True, eq=False)
class Population:
    """All pairs of two modalities, with their probabilities.

    Attributes:
        first, second: (n,) and (m,) int64, indices of the items of the two modalities.
        joint: (n, m) float64, the probability of each pair; sums to 1.
        mutual_information: of this table, nats.
    """

    first: np.ndarray = field(repr=False)
    second: np.ndarray = field(repr=False)
    joint: np.ndarray = field(repr=False)
    mutual_information: float


class Pairing:
    """Draws positives: one row of the first modality, with a positive of each other modality.

    A modality is paired with the first modality either item by item (an image and its caption), or,
    if it has ``labels``, within the class: each item of the same class is as good a positive. If
    people made these labels, this pairing is supervision at the level of classes.

    The population is: a row, uniform; in each modality that is paired by class, an item uniform
    among those of the class of the row. Two modalities share which row, class or sentence the pair
    has: H(class) for an image and a recording of its class, H(sentence) for an image and its
    caption. See `mutual_information`.

    Args:
        items: arrays or sequences by name of the modality. Modalities that are paired item by item
            have as many items as the first modality.
        labels: class of each item, for the first modality and all that are paired by class.

    Raises:
        ValueError: fewer than two modalities, lengths that do not match, a class without items.
    """

    def __init__(
        self,
        items: Mapping[str, Sequence[Any] | np.ndarray],
        labels: Mapping[str, Sequence[Any] | np.ndarray] | None = None,
    ):
        labels = {} if labels is None else labels
        if len(items) < 2:
            raise ValueError(f"items: expected at least two modalities, got {list(items)}")
        first, *others = items
        if labels and (first not in labels or not set(labels) <= set(items) or len(labels) < 2):
            raise ValueError(
                f"labels: expected those of {first!r}, the first modality, and of one or more of "
                f"{', '.join(others)}, got {list(labels)}"
            )
        self.items = dict(items)
        self._rows = count_rows(f"items[{first!r}]", items[first])
        self._classes: dict[str, _Classes] = {}
        self._symbols = {first: np.arange(self._rows)}
        for name in others:
            count = count_rows(f"items[{name!r}]", items[name])
            if name in labels:
                classes = _Classes(name, labels[first], labels[name], self._rows, count)
                self._classes[name], self._symbols[name] = classes, classes.of_rows
            elif count != self._rows:
                expected = f"{self._rows} in {name!r}, one for each of {first!r}"
                raise ValueError(f"items: expected {expected}, got {count}")
            else:
                self._symbols[name] = _symbols(f"items[{name!r}]", items[name])

    def __len__(self) -> int:
        """Number of rows, the items of the first modality."""
        return self._rows

    def indices(self, rows: Rows, generator: Any) -> dict[str, Rows]:
        """Indices (B,) of items of each modality that form positive pairs with these rows.

        Rows (B,) in a tensor take a generator of torch, in an array one of NumPy.
        """
        numbers: Any = as_class_numbers("rows", rows, len(self))
        rows = rows.long() if hasattr(rows, "long") else numbers
        drawn = {name: classes.draw(rows, generator) for name, classes in self._classes.items()}
        return {name: drawn.get(name, rows) for name in self.items}

    @property
    def mutual_information(self) -> dict[tuple[str, str], float]:
        """Nats of each two modalities, in the order of the items, by exact counting.

        For two modalities that are paired item by item and are not sentences or single numbers, the
        value is the entropy of the row, ln(rows): true for these rows only.
        """
        return {
            (a, b): sample_mutual_information(self._symbols[a], self._symbols[b])
            for a, b in combinations(self.items, 2)
        }

    def population(self, first: str, second: str) -> Population:
        """All pairs of items of two modalities with their probabilities; equal sentences once.

        The table is dense: meant for a test set of 10,000 x 300 pairs, for example.
        """
        if first == second or not {first, second} <= set(self.items):
            expected = ", ".join(self.items)
            got = f"{first!r} and {second!r}"
            raise ValueError(f"first, second: expected two of {expected}, got {got}")
        symbols = self._symbols[first], self._symbols[second]
        joint = np.zeros([column.max() + 1 for column in symbols])
        np.add.at(joint, symbols, 1 / len(self))
        items_a, joint = self._spread(first, joint)
        items_b, joint = self._spread(second, joint.T)
        return Population(items_a, items_b, joint.T.copy(), sample_mutual_information(*symbols))

    def _spread(self, name: str, joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Items (m,), and the table of symbols (k, n) as a table of items (m, n)."""
        if name not in self._classes:  # every item is a symbol
            return np.unique(self._symbols[name], return_index=True)[1], joint
        of_items = self._classes[name].of_items
        same = of_items[:, None] == np.arange(len(joint))
        return np.arange(len(of_items)), (same / same.sum(axis=0).clip(min=1)) @ joint


class BlindPairing(Pairing):
    """A pairing that gives only items, their number and positives.

    Training on it shows that training sees no class: any other attribute is a PermissionError.
    """

    def __init__(self, pairs: Pairing):
        self.items, self._rows, self._indices = pairs.items, len(pairs), pairs.indices

    def indices(self, rows: Rows, generator: Any) -> dict[str, Rows]:
        return self._indices(rows, generator)

    def __getattr__(self, name: str) -> Any:
        raise PermissionError(f"{name}: expected questions about items and positives only")


class _Classes:
    """The items of one modality, sorted by class."""

    def __init__(self, name: str, row_labels: Any, labels: Any, rows: int, items: int):
        of_rows, of_items = as_array("labels", row_labels), as_array("labels", labels)
        if of_rows.shape != (rows,) or of_items.shape != (items,):
            got = f"shapes {of_rows.shape} and {of_items.shape}"
            expected = f"{rows} for the first modality and {items} for {name!r}"
            raise ValueError(f"labels: expected {expected}, got {got}")
        classes = as_labels("labels", [*of_rows, *of_items])  # in a list, 1 is not "1"
        self.of_rows, self.of_items = classes[:rows], classes[rows:]
        self.sizes = np.bincount(self.of_items, minlength=classes.max() + 1)
        missing = np.flatnonzero(self.sizes[self.of_rows] == 0)
        if missing.size:
            got = f"none of class {of_rows[missing[0]]!r}, that of row {missing[0]}"
            raise ValueError(f"labels: expected items of every class in {name!r}, got {got}")
        self.starts = self.sizes.cumsum() - self.sizes
        self.order = np.argsort(self.of_items, kind="stable")

    def draw(self, rows: Rows, generator: Any) -> Rows:
        """For each row an item of its class, uniform."""
        array = rows if isinstance(rows, np.ndarray) else rows.cpu().numpy()
        classes = self.of_rows[array]
        starts, sizes = self.starts[classes], self.sizes[classes]
        if isinstance(rows, np.ndarray):
            within = np.empty_like(classes)
            for label in np.unique(classes):
                same = np.flatnonzero(classes == label)
                within[same] = generator.choice(self.sizes[label], size=len(same))
            return self.order[starts + within]
        import torch

        uniform = torch.rand(
            rows.shape, generator=generator, device=rows.device, dtype=torch.double
        )
        within = (uniform.cpu().numpy() * sizes).astype(np.int64).clip(max=sizes - 1)
        return torch.from_numpy(self.order[starts + within]).to(rows.device)


def _symbols(name: str, items: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Index of the sentence or number of each item; items of other kinds all differ."""
    kinds = str | bytes | Number | None
    column = str(getattr(items, "dtype", "object")) != "object"
    if getattr(items, "ndim", 1) == 1 and (column or any(isinstance(i, kinds) for i in items)):
        return as_labels(name, items)
    return np.arange(len(items))


@dataclass(frozen=True, eq=False)
class PairedSample:
    """N digits, each in two or three modalities.

    Attributes:
        data: N items of each modality: "image" an array (N, 28, 28) uint8, "speech" a list of
            waveforms (T,) float32, "text" a list of sentences.
        indices: (N,) int64 for each modality, the index of each item in the data set of its loader
            (a text has the index of the image that it describes).
        labels: (N,) int64, the digit; for scoring, not for training.
        mutual_information: nats of each two modalities, such as ``("image", "speech")``, in the
            order of `MODALITIES`.
    """

    data: dict[str, np.ndarray | list] = field(repr=False)
    indices: dict[str, np.ndarray] = field(repr=False)
    labels: np.ndarray = field(repr=False)
    mutual_information: dict[tuple[str, str], float]

    def __len__(self) -> int:
        return len(self.labels)


def paired_digits(
    modalities: Sequence[str] = MODALITIES,
    *,
    split: str = "train",
    n: int | None = None,
    seed: int = 0,
    full: bool | None = None,
) -> PairedSample:
    """Images, recordings and captions of the same digits, with the information they share.

    A pair is drawn from a `Pairing`: an image, uniform in the split; its caption T, a function of
    the image; a recording, uniform among those of the same class C, independent of all else. No
    item is in two classes, so I(image; speech) = I(speech; text) = H(C); I(image; text) = H(T).
    Both are counted over the images of the split. They hold for the population of the pairs, for
    every N; an estimate from N pairs has an error of its own.

    Args:
        modalities: two or three of `MODALITIES`.
        n: number of pairs to draw, independently and with replacement; None takes each image of the
            split exactly once, in random order.
        full: MNIST and FSDD instead of the embedded sets; None reads SIMMIM_FULL.
    """
    if isinstance(modalities, str):
        raise TypeError(f"modalities: expected names, as in ('image', 'text'), got {modalities!r}")
    for name in modalities:
        check_choice("modalities", name, MODALITIES)
    chosen = [name for name in MODALITIES if name in modalities]
    if len(modalities) < 2 or len(modalities) != len(chosen):
        raise ValueError(f"modalities: expected two or three different names, got {modalities!r}")
    if n is not None:
        n = check_integer("n", n, minimum=1)
    generator = random_generator(seed, "pairs")
    images = load_digits(split, full=full)
    items: dict[str, Any] = {"image": images.images}
    labels = None
    if "speech" in chosen:
        speech = load_speech(split, full=full)
        items["speech"] = speech.waveforms
        labels = {"image": images.labels, "speech": speech.labels}
    if "text" in chosen:
        items["text"] = load_captions(split, full=full).texts
    # An image is drawn for every choice of modalities: the caption describes the image, and equal
    # seeds give equal pairs.
    pairing, count = Pairing(items, labels), len(images)
    rows = generator.permutation(count) if n is None else generator.integers(count, size=n)
    indices = pairing.indices(rows, generator)
    information = pairing.mutual_information
    return PairedSample(
        {name: _take(items[name], indices[name]) for name in chosen},
        {name: indices[name] for name in chosen},
        images.labels[rows],
        {pair: information[pair] for pair in combinations(chosen, 2)},
    )


def _take(items: Any, indices: np.ndarray) -> np.ndarray | list:
    return items[indices] if isinstance(items, np.ndarray) else [items[i] for i in indices]
