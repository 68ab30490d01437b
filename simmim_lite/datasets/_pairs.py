"""Pairs of real things whose mutual information is known exactly."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from simmim_lite._arguments import check_choice, check_integer
from simmim_lite._random import random_generator
from simmim_lite.datasets._captions import load_captions
from simmim_lite.datasets._images import load_digits
from simmim_lite.datasets._speech import load_speech
from simmim_lite.entropy import sample_entropy

MODALITIES = ("image", "speech", "text")


@dataclass(frozen=True, eq=False)
class Pairs:
    """N digits, each in two or three modalities.

    Attributes:
        data: for each modality N items: "image" an array (N, 28, 28) uint8, "speech" a list of
            waveforms (T,) float32, "text" a list of sentences.
        indices: for each modality (N,) int64: which item of its loader this is (a text has the
            index of the image that it describes).
        labels: (N,) int64, the digit; for scoring, not for training.
        mutual_information: nats for each two of the modalities, keyed in the order of `MODALITIES`:
            ``("image", "speech")``, ``("image", "text")``, ``("speech", "text")``.
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
) -> Pairs:
    """Images, recordings and captions of the same digits, with the information they share.

    How a pair is drawn: an image X uniformly from the split; its caption T, a function of X; a
    recording S uniformly among those of the same class C, independently of everything else. Then,
    as C is a function of X, of S and of T (no item stands in two classes):

    - I(image; speech) = H(C): given C the two are independent, so I(X; S) = I(X; C) = H(C);
    - I(speech; text) = H(C), likewise;
    - I(image; text) = H(T), because H(T | X) = 0.

    H(C) and H(T) are counted over the images of the split. They hold for the population that pairs
    are drawn from, whatever N; an estimate from N pairs has an error of its own.

    Args:
        modalities: two or three of `MODALITIES`.
        split: "train", "test" or "all".
        n: how many pairs to draw, independently and with replacement; None takes each image of the
            split exactly once, in random order.
        seed: of all random choices.
        full: MNIST and FSDD instead of the embedded sets; None asks SIMMIM_FULL.

    Raises:
        TypeError, ValueError: unknown, repeated or fewer than two modalities, a bad ``n``, ``seed``
            or split.
        DataError: the data are missing or damaged.
    """
    chosen = _check_modalities(modalities)
    if n is not None:
        n = check_integer("n", n, minimum=1)
    generator = random_generator(seed, "pairs")
    images = load_digits(split, full=full)
    count = len(images)
    # The image is drawn even where it is not asked for: the caption describes one, and then equal
    # seeds give equal pairs for every choice of modalities.
    drawn = generator.permutation(count) if n is None else generator.integers(count, size=n)
    labels = images.labels[drawn]
    data: dict[str, np.ndarray | list] = {"image": images.images[drawn]}
    indices = {"image": drawn}
    cells = None
    if "speech" in chosen:
        speech = load_speech(split, full=full)
        indices["speech"] = draw_within_class(labels, speech.labels, generator)
        data["speech"] = [speech.waveforms[i] for i in indices["speech"]]
    if "text" in chosen:
        captions = load_captions(split, full=full)
        indices["text"] = drawn
        data["text"] = [captions.texts[i] for i in drawn]
        cells = captions.cells
    information = known_information(images.labels, cells)
    return Pairs(
        {name: data[name] for name in chosen},
        {name: indices[name] for name in chosen},
        labels,
        {pair: information[pair] for pair in combinations(chosen, 2)},
    )


def draw_within_class(
    labels: np.ndarray, candidates: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """For each of the labels (N,) an index uniform among the candidates (M,) of the same label."""
    drawn = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        drawn[rows] = generator.choice(np.flatnonzero(candidates == label), size=len(rows))
    return drawn


def known_information(labels: np.ndarray, cells: np.ndarray | None) -> dict[tuple[str, str], float]:
    """Nats that each two modalities share, for images with these labels and caption cells.

    For the reasons see `paired_digits`; without cells only what needs no text.
    """
    information = {("image", "speech"): sample_entropy(labels)}
    if cells is not None:
        information["image", "text"] = sample_entropy(cells)
        information["speech", "text"] = information["image", "speech"]
    return information


def _check_modalities(modalities: Sequence[str]) -> list[str]:
    if isinstance(modalities, str):
        raise TypeError(f"modalities: expected names, as in ('image', 'text'), got {modalities!r}")
    for name in modalities:
        check_choice("modalities", name, MODALITIES)
    if len(modalities) < 2 or len(set(modalities)) != len(modalities):
        raise ValueError(f"modalities: expected two or three different names, got {modalities!r}")
    return [name for name in MODALITIES if name in modalities]
