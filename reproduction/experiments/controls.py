"""Mistakes that give good numbers for nothing, made on purpose, beside the check that finds each.

They need no trained system. The truth is exact, or chance, and a kit whose checks did not find the
planted mistakes would fail here.
"""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from reproduction.claims import Claim, Experiment, Interval, Setting
from simmim_lite.datasets import Speech, load_digits, load_speech
from simmim_lite.encoders import AudioEncoder
from simmim_lite.evaluation import (
    calibration_error,
    calibration_table,
    cross_validate,
    fold_interval,
    linear_probe,
)

_LEAKY = "columns selected with all labels, coins predicted"
_HONEST = "columns selected within each fold, coins predicted"
_SHUFFLED_COIN = "coin of a voice, shuffled folds"
_GROUPED_COIN = "coin of a voice, voices kept apart"
_BROADCAST = "error of a perfect guess over that of 0, by broadcasting"
_UNDONE = "pixels after an invertible network and its inverse, off by"
_MIXED = "linear probe behind an invertible network"
_FLOOR = "calibration error of right probabilities over its floor"


def _controls(setting: Setting) -> dict[str, float]:
    """Mistakes on purpose, and what the check beside each of them says."""
    rng = np.random.default_rng(setting.seed)
    noise, coins = rng.standard_normal((100, 5000)), rng.permutation(100) % 2
    select, reader = SelectKBest(k=20), SVC(kernel="linear")
    target = rng.standard_normal(1000)
    errors = [((guess[:, None] - target) ** 2).mean() for guess in (target, 0 * target)]
    images = {split: load_digits(split, full=False) for split in ("train", "test")}
    flat = {split: each.images.reshape(len(each), -1) / 255 for split, each in images.items()}
    weights = 20 * rng.standard_normal((4, 392, 392)) / 392**0.5
    mixed = {split: mix(rows, weights) for split, rows in flat.items()}
    told = linear_probe(
        *(mixed["train"], images["train"].labels, mixed["test"], images["test"].labels)
    )
    speech = load_speech("train", full=False)
    _, voices = np.unique(speech.speakers, return_inverse=True)
    tossed = (rng.permutation(voices.max() + 1) % 2)[voices]
    folds = by_folds(speech, tossed)
    logits = 2 * rng.standard_normal((3000, 10))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    drawn = (p.cumsum(axis=1) < rng.random((len(p), 1))).sum(axis=1).clip(max=9)
    floor = calibration_table({"right": p}, drawn)["floor"].item()
    return {
        _LEAKY: cross_val_score(reader, select.fit_transform(noise, coins), coins).mean(),
        _HONEST: cross_val_score(make_pipeline(select, reader), noise, coins).mean(),
        _SHUFFLED_COIN: folds["shuffled"].value,
        _GROUPED_COIN: folds["grouped"].value,
        _BROADCAST: errors[0] / errors[1],
        _UNDONE: np.abs(mix(mixed["test"], weights, back=True) - flat["test"]).max(),
        _MIXED: told,
        _FLOOR: calibration_error(p, drawn) / floor,
    }


def mix(rows: np.ndarray, weights: np.ndarray, *, back: bool = False) -> np.ndarray:
    """An invertible network of random weights: each half of the columns shifts the other, in turn.

    Args:
        rows: (N, 2 d).
        weights: (layers, d, d).
        back: undo it.
    """
    d = weights.shape[1]
    if back:
        a, b = rows[:, :d], rows[:, d:]
        for weight in weights[::-1]:
            a, b = b, a - 10 * np.sin(b @ weight)
        mended = np.empty_like(rows)
        mended[:, ::2], mended[:, 1::2] = a, b
        return mended
    a, b = rows[:, ::2], rows[:, 1::2]
    for weight in weights:
        a, b = b + 10 * np.sin(a @ weight), a
    return np.hstack([a, b])


def by_folds(speech: Speech, labels: np.ndarray) -> dict[str, Interval]:
    """Accuracy in shuffled folds and in folds that keep speakers apart, training set only."""
    sounds = AudioEncoder().prepare(speech.waveforms).flatten(1).numpy()
    reader = make_pipeline(PCA(60, random_state=0), SVC(C=10))

    def measure(train: np.ndarray, rest: np.ndarray) -> float:
        return reader.fit(sounds[train], labels[train]).score(sounds[rest], labels[rest])

    folds = cross_validate(measure, labels, speech.speakers)
    return {kind: fold_interval(v) for kind, v in folds.groupby("kind")["value"]}


def claim(name: str, truth: str, source: str, unit: str = "%", **bounds: float | None) -> Claim:
    return Claim(name, truth, source, unit, notebook="11", **bounds)


_COINS = "50 %: tosses of a coin"
_CONTROL_CLAIMS = (
    # Mistakes have to show: a lower bound says how well one does for nothing.
    claim(_LEAKY, _COINS, "chance; a planted mistake", at_least=0.7),
    claim(_HONEST, _COINS, "chance", at_least=0.35, at_most=0.65),
    claim(_SHUFFLED_COIN, _COINS, "chance; a planted mistake", at_least=0.6),
    claim(_GROUPED_COIN, _COINS, "chance", at_least=0.35, at_most=0.65),
    claim(_BROADCAST, "2", "two variances over one", "", at_least=1.9, at_most=2.1, target=2.0),
    claim(_UNDONE, "0: all information is kept", "the inverse", "", worst_at_most=1e-6),
    claim(_MIXED, "10 % by chance", "ten digits", at_most=0.2),
    claim(_FLOOR, "1", "drawn from the same", "", at_least=0.7, at_most=1.4, target=1.0),
)

CONTROLS = Experiment("controls", _CONTROL_CLAIMS, _controls, seeds=3)
