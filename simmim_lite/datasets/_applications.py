"""Small real sets that come with the package: emoji, rated texts, definitions, questions, tables.

data/README.md is their datasheet. In every split what belongs together (a family of emoji, equal
texts, the questions about an image) stands on one side; `find_leaks` looks whether it does.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from simmim_lite._arguments import as_array, as_common_labels, check_choice, check_integer
from simmim_lite.datasets._files import read_embedded, split_indices

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "ru", "hi", "zh", "ja", "ko", "th")
# Columns by the source that they come from. Of "alzheimer" all others are proteins.
_MODALITIES = {
    "mammography": {"age": "age", "reading": "shape margin density", "assessment": "birads"},
    "heart": {
        "clinical": "age sex chest_pain rest_bp cholesterol fasting_sugar",
        "exercise": "rest_ecg max_rate exercise_angina oldpeak slope",
        "imaging": "vessels thallium",
    },
    "alzheimer": {"basic": "age male Genotype"},
    "credit": {
        "person": "Seniority Home Age Marital Records Job Expenses Income Assets Debt",
        "loan": "Time Amount Price",
    },
}
_CODES = "shape margin chest_pain rest_ecg thallium Genotype Home Marital Records Job"


@dataclass(frozen=True, eq=False, repr=False)
class Emoji:
    """Emoji in two designs, with their names.

    Attributes:
        sprites: of "noto" and "twemoji" (N, 32, 32, 4) uint8: red, green, blue, opacity.
        names: of each of twelve languages ("en", "de", ...) N names; all N differ.
        tags: for each English words about it.
        codes: N code points in hexadecimal, joined by "-".
        labels: (N,) int64, place in ``categories``, the 9 groups of Unicode.
        subcategories: N words, of 98.
        families: (N,) int64. Variants (by gender, color, direction, hour) and pictures that are
            nearly alike in a design have one number, and stand on one side of the split.
    """

    sprites: dict[str, np.ndarray]
    names: dict[str, list[str]]
    tags: list[list[str]]
    codes: list[str]
    labels: np.ndarray
    categories: tuple[str, ...]
    subcategories: list[str]
    families: np.ndarray

    def pictures(self, design: str = "noto", *, ground: int = 255) -> np.ndarray:
        """The sprites of a design on a gray ground (255 is white): (N, 32, 32, 3) uint8."""
        check_choice("design", design, tuple(self.sprites))
        ground = check_integer("ground", ground, minimum=0, maximum=255)
        colors, opacity = np.split(self.sprites[design].astype(np.float32), [3], axis=-1)
        return (ground + (colors - ground) * opacity / 255).round().astype(np.uint8)


@dataclass(frozen=True, eq=False, repr=False)
class Tweets:
    """Short English texts, and how negative (-4) or positive (4) people found them.

    Attributes:
        texts: N texts.
        ratings: N arrays (R,) int8, one rating of each of 20 to 99 people.
        scores: (N,) float64, the mean rating.
        groups: (N,) int64: texts that share most of their words have one number.
    """

    texts: list[str]
    ratings: list[np.ndarray]
    scores: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Glosses:
    """Definitions of nouns, and what kind of thing each defines.

    Attributes:
        texts: N definitions, all different.
        words: for each the words that it defines; no word stands in two rows.
        labels: (N,) int64, place in ``kinds``; the 19 kinds are equally frequent.
    """

    texts: list[str]
    words: list[list[str]]
    labels: np.ndarray
    kinds: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class VisualQuestions:
    """Questions about drawings of one shape, several for each drawing.

    Attributes:
        images: (M, 64, 64, 3) uint8.
        rows: (N,) int64, the image that a question is about.
        questions: N questions, of 107.
        labels: (N,) int64, place of the right one of 13 ``answers``.
    """

    images: np.ndarray
    rows: np.ndarray
    questions: list[str]
    labels: np.ndarray
    answers: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """A row of measurements for each person, and an outcome.

    Attributes:
        features: N rows; columns of names or codes are categorical; nan is a missing value.
        labels: (N,) int64: 1 is malignant, diseased, impaired, or a loan not paid back.
        modalities: names of the columns that come from one source.
        groups: (N,) int64: equal rows (in "mammography" but for the assessment) have one number.
    """

    features: pd.DataFrame
    labels: np.ndarray
    modalities: dict[str, list[str]]
    groups: np.ndarray


def load_emoji(split: str = "train") -> Emoji:
    """1,906 emoji (Noto, Twemoji): 1,529 "train", 377 of other families "test"."""
    arrays, chosen = _read("emoji.npz.xz", split)
    categories, labels = np.unique(_texts(arrays["categories"], chosen), return_inverse=True)
    return Emoji(
        {design: arrays[design][chosen] for design in ("noto", "twemoji")},
        {language: _texts(arrays[f"names_{language}"], chosen) for language in LANGUAGES},
        [tags.split(",") for tags in _texts(arrays["tags"], chosen)],
        _texts(arrays["codes"], chosen),
        labels.astype(np.int64),
        tuple(categories.tolist()),
        _texts(arrays["subcategories"], chosen),
        arrays["families"][chosen].astype(np.int64),
    )


def load_tweets(split: str = "train") -> Tweets:
    """4,200 texts in the manner of tweets (Hutto and Gilbert 2014): 3,361 "train", 839 "test"."""
    arrays, chosen = _read("tweets.npz.xz", split)
    ratings = np.split(arrays["ratings"], np.cumsum(arrays["counts"], dtype=np.int64)[:-1])
    ratings = [ratings[i] for i in chosen]
    scores = np.array([rating.mean() for rating in ratings])
    groups = arrays["groups"][chosen].astype(np.int64)
    return Tweets(_texts(arrays["texts"], chosen), ratings, scores, groups)


def load_glosses(split: str = "train") -> Glosses:
    """11,400 definitions of WordNet 3.1: of each of 19 kinds 480 "train" and 120 "test"."""
    arrays, chosen = _read("glosses.npz.xz", split)
    kinds, labels = np.unique(_texts(arrays["kinds"], chosen), return_inverse=True)
    words = [words.split("|") for words in _texts(arrays["words"], chosen)]
    texts = _texts(arrays["texts"], chosen)
    return Glosses(texts, words, labels.astype(np.int64), tuple(kinds.tolist()))


def load_visual_questions(split: str = "train") -> VisualQuestions:
    """easy-VQA: 38,575 questions about 4,000 images "train", 9,673 about 1,000 others "test"."""
    arrays, chosen = _read("visual_questions.npz.xz", split)
    used, rows = np.unique(arrays["image"][chosen], return_inverse=True)
    questions, answers = (_texts(arrays[name]) for name in ("questions", "answers"))
    asked = [questions[i] for i in arrays["question"][chosen]]
    labels = arrays["answer"][chosen].astype(np.int64)
    return VisualQuestions(arrays["images"][used], rows, asked, labels, tuple(answers))


def load_table(name: str, split: str = "train") -> Table:
    """A table of people; about 30% are "test", with as many of label 1 there as in "train".

    "mammography": 829 masses, malignant or not. "heart": 270 patients. "alzheimer": 333 persons,
    impaired or not, with 127 proteins. "credit": 4,454 loans.
    """
    check_choice("name", name, tuple(_MODALITIES))
    arrays = read_embedded("tables.npz.xz")
    chosen = split_indices(arrays[f"{name}_test"], split)
    features = pd.read_csv(io.BytesIO(arrays[name].tobytes()), keep_default_na=False, na_values="")
    labels = features.pop("label").to_numpy(np.int64)[chosen]
    features = features.astype(
        dict.fromkeys(set(features).intersection(_CODES.split()), "category")
    )
    features = features.iloc[chosen].reset_index(drop=True)
    modalities = {modality: names.split() for modality, names in _MODALITIES[name].items()}
    if name == "alzheimer":
        modalities["proteins"] = [c for c in features if c not in modalities["basic"]]
    return Table(features, labels, modalities, arrays[f"{name}_groups"][chosen].astype(np.int64))


def find_leaks(
    train: Mapping[str, Any], test: Mapping[str, Any], *, times: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Rows of the test set that share a value with the training set, for each kind of value.

    Args:
        train, test: under the same names one value for each row: numbers of groups, texts, images
            (N, ...); values are shared if they are equal.
        times: names of dates or other times. There a test row leaks if it is not later than the
            last training row.
    """
    if set(train) != set(test) or not set(times) <= set(train):
        raise ValueError(
            f"test, times: expected names of {sorted(train)}, got {sorted(test)}, {times}"
        )
    leaks = {}
    for name in train:
        given = {f"train[{name!r}]": train[name], f"test[{name!r}]": test[name]}
        ours, theirs = as_common_labels(**{key: _symbols(key, rows) for key, rows in given.items()})
        shared = theirs <= ours.max() if name in times else np.isin(theirs, ours)
        leaks[name] = np.flatnonzero(shared)
    return leaks


def _symbols(name: str, rows: Any) -> Any:
    """Rows of one value as they are, arrays (N, ...) as a checksum of each row."""
    array = as_array(name, rows)
    if array.ndim < 2:
        return rows
    numbers = (row.astype(np.float64) + 0.0 for row in array)  # -0.0 is 0.0
    return [hashlib.sha256(row.tobytes()).hexdigest() for row in numbers]


def _read(name: str, split: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """An embedded file, and the rows of the split."""
    arrays = read_embedded(name)
    return arrays, split_indices(arrays["test"], split)


def _texts(packed: np.ndarray, chosen: np.ndarray | None = None) -> list[str]:
    """Texts, of lines in UTF-8."""
    lines = packed.tobytes().decode().split("\n")
    return lines if chosen is None else [lines[i] for i in chosen]
