"""Which items belong together, and exactly how much information that makes them share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simmim_lite._arguments import as_labels
from simmim_lite._random import random_generator
from simmim_lite.entropy import sample_mutual_information


@dataclass(frozen=True, eq=False)
class Population:
    """All pairs of two modalities that there are, with their probabilities.

    Attributes:
        first, second: (n,) and (m,) int64, which items of the two modalities these are.
        joint: (n, m) float64, the probability of each pair; sums up to 1.
        mutual_information: of this table, nats.
    """

    first: np.ndarray = field(repr=False)
    second: np.ndarray = field(repr=False)
    joint: np.ndarray = field(repr=False)
    mutual_information: float


class Pairing:
    """Draws items that belong together: one row of the first modality, and partners of the others.

    A modality is paired with the first one either item by item (an image and its caption), or, if
    it has ``labels``, within the class: any item of the same class is as good a partner. That is
    supervision, of the level of classes, if labels made by people say what a class is.

    The population is: a row, uniformly; in each modality that is paired by class, an item uniform
    among those of the row's class, independent of all else. Then, for any two modalities, what the
    two share is which row, which class or which sentence it is, and the information is that of
    these symbols: H(class) for an image and a recording of its class, H(sentence) for an image and
    its caption. See `mutual_information`.

    Args:
        items: for each modality its items: arrays or sequences. Those paired item by item have as
            many as the first.
        labels: the class of each item, for the first modality and all that are paired by class.
        resample: draw new partners within the class every time; otherwise each row keeps those
            that were drawn for it once.
        seed: of the partners that are drawn once.

    Raises:
        TypeError, ValueError: fewer than two modalities, lengths that do not fit, a class of the
            first modality without items in another one.
    """

    def __init__(
        self,
        items: Mapping[str, Sequence[Any]],
        labels: Mapping[str, Sequence[Any]] | None = None,
        *,
        resample: bool = True,
        seed: int = 0,
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
        self.resample = resample
        self._rows = len(items[first])
        self._classes: dict[str, _Classes] = {}
        self._symbols = {first: np.arange(self._rows)}
        for name in others:
            if name in labels:
                self._classes[name] = _Classes(
                    name, labels[first], labels[name], self._rows, len(items[name])
                )
                self._symbols[name] = self._classes[name].of_rows
            elif len(items[name]) != self._rows:
                raise ValueError(
                    f"items: expected {self._rows} in {name!r}, one for each of {first!r}, "
                    f"got {len(items[name])}"
                )
            else:
                self._symbols[name] = _symbols(items[name])
        generator = torch.Generator().manual_seed(
            int(random_generator(seed, "partners drawn once").integers(2**63))
        )
        self._kept = None if resample else self._draw(torch.arange(self._rows), generator)

    def __len__(self) -> int:
        """Rows: items of the first modality."""
        return self._rows

    def indices(self, rows: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """For rows (B,) of the first modality, which items of each modality belong together."""
        if self._kept is None:
            return self._draw(rows, generator)
        return {name: kept.to(rows.device)[rows] for name, kept in self._kept.items()}

    @property
    def mutual_information(self) -> dict[tuple[str, str], float]:
        """Nats for each two modalities, in the order of the items: exact, by counting.

        Of the population, also where each row keeps its partners: a sample of it. For two
        modalities that are paired item by item and are no sentences, it is the entropy of which
        row it is, ln(rows): true of these rows, and no statement about others.
        """
        return {
            (a, b): sample_mutual_information(self._symbols[a], self._symbols[b])
            for a, b in combinations(self.items, 2)
        }

    def population(self, first: str, second: str) -> Population:
        """All pairs of items of two modalities with their probabilities; equal sentences once.

        The table is dense: made for a test set, of 10,000 x 300 pairs, say.
        """
        if first == second or not {first, second} <= set(self.items):
            expected = ", ".join(self.items)
            got = f"{first!r} and {second!r}"
            raise ValueError(f"first, second: expected two of {expected}, got {got}")
        (items_a, a), (items_b, b) = self._candidates(first), self._candidates(second)
        symbols = self._symbols[first], self._symbols[second]
        joint = np.zeros([column.max() + 1 for column in symbols])
        np.add.at(joint, symbols, 1 / len(self))
        joint = joint if a is None else a.T @ joint
        joint = joint if b is None else joint @ b
        return Population(items_a, items_b, joint, sample_mutual_information(*symbols))

    def _candidates(self, name: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Items (m,), and for each symbol the probability of each; None where they are the same."""
        if name in self._classes:
            return self._classes[name].table()
        return np.unique(self._symbols[name], return_index=True)[1], None

    def _draw(self, rows: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        return {
            name: self._classes[name].draw(rows, generator) if name in self._classes else rows
            for name in self.items
        }


class BlindPairing(Pairing):
    """Pairs of which only items, their number and partners can be had.

    Who trains on it shows that training sees no class: any other question is a PermissionError.
    """

    def __init__(self, pairs: Pairing):
        self.items, self.indices, self._rows = pairs.items, pairs.indices, len(pairs)

    def __getattr__(self, name: str) -> Any:
        raise PermissionError(f"{name}: expected questions about items and partners only")


class _Classes:
    """The items of one modality, class by class."""

    def __init__(self, name: str, row_labels: Any, labels: Any, rows: int, items: int):
        of_rows, of_items = np.asarray(row_labels), np.asarray(labels)
        if of_rows.shape != (rows,) or of_items.shape != (items,):
            raise ValueError(
                f"labels: expected {rows} for the first modality and {items} for {name!r}, "
                f"got shapes {of_rows.shape} and {of_items.shape}"
            )
        codes = as_labels("labels", np.concatenate([of_rows, of_items]))
        self.of_rows, of_items = codes[:rows], codes[rows:]
        sizes = np.bincount(of_items, minlength=codes.max() + 1)
        missing = np.flatnonzero(sizes[self.of_rows] == 0)
        if missing.size:
            row = int(missing[0])
            raise ValueError(
                f"labels: expected items of every class in {name!r}, got none of class "
                f"{of_rows[row]!r}, that of row {row}"
            )
        self.sizes = torch.from_numpy(sizes)
        self.starts = self.sizes.cumsum(0) - self.sizes
        self.order = torch.from_numpy(np.argsort(of_items, kind="stable"))
        self.codes = torch.from_numpy(self.of_rows)
        self.of_items = of_items

    def draw(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """For each row an item of its class, uniformly."""
        device = rows.device
        chosen = self.codes.to(device)[rows]
        sizes = self.sizes.to(device)[chosen]
        places = torch.rand(len(rows), generator=generator, device=device, dtype=torch.float64)
        within = (places * sizes).long().clamp(max=sizes - 1)
        return self.order.to(device)[self.starts.to(device)[chosen] + within]

    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """All items, and for each class of the rows the probability of each item."""
        same = np.arange(self.of_rows.max() + 1)[:, None] == self.of_items
        return np.arange(len(self.of_items)), same / same.sum(axis=1, keepdims=True).clip(min=1)


def _symbols(items: Sequence[Any]) -> np.ndarray:
    """Which of the different sentences or whole numbers each item is; other items all differ."""
    array = items if isinstance(items, np.ndarray) else np.asarray(items[:1])
    discrete = array.ndim == 1 and array.dtype.kind in "iuSU"
    return as_labels("items", items) if discrete else np.arange(len(items))
