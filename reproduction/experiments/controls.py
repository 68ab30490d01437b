"""Controls: mistakes that give good numbers for no reason, and the check that finds each mistake.

Each mistake is planted on purpose. No trained system is needed: the true value is exact or is the
chance level. If a check did not find its mistake, a claim would fail.
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

_CLAIMS = (
    # A mistake must show: its lower bound states the accuracy that the mistake gives for no reason.
    Claim(
        id="selection-leak",
        name="accuracy on coin tosses, columns selected with all labels",
        truth="coin tosses: 50 %",
        source="chance level; a planted mistake",
        unit="%",
        at_least=0.7,
        notebook="13",
    ),
    Claim(
        id="selection-in-folds",
        name="accuracy on coin tosses, columns selected within each fold",
        truth="coin tosses: 50 %",
        source="chance level",
        unit="%",
        at_least=0.35,
        at_most=0.65,
        notebook="13",
    ),
    Claim(
        id="voice-coin-shuffled",
        name="accuracy on one coin toss for each voice, shuffled folds",
        truth="coin tosses: 50 %",
        source="chance level; a planted mistake",
        unit="%",
        at_least=0.6,
        notebook="13",
    ),
    Claim(
        id="voice-coin-grouped",
        name="accuracy on one coin toss for each voice, folds grouped by voice",
        truth="coin tosses: 50 %",
        source="chance level",
        unit="%",
        at_least=0.35,
        at_most=0.65,
        notebook="13",
    ),
    Claim(
        id="broadcast-error",
        name="squared error of perfect predictions over that of zeros, broadcast by mistake",
        truth="2",
        source="two variances over one",
        at_least=1.9,
        at_most=2.1,
        notebook="13",
        target=2.0,
    ),
    Claim(
        id="inverse-error",
        name="error of pixels after an invertible network and its inverse",
        truth="0: all information is kept",
        source="the inverse",
        worst_at_most=1e-6,
        notebook="13",
    ),
    Claim(
        id="mixed-probe",
        name="linear probe accuracy after an invertible network",
        truth="chance level: 10 %",
        source="ten digits",
        unit="%",
        at_most=0.2,
        notebook="13",
    ),
    Claim(
        id="calibration",
        name="calibration error of correct probabilities over its expected value",
        truth="1",
        source="labels drawn from the probabilities",
        at_least=0.7,
        at_most=1.4,
        notebook="13",
        target=1.0,
    ),
)


def _measure(setting: Setting) -> dict[str, float]:
    rng = np.random.default_rng(setting.seed)
    noise, coins = rng.standard_normal((100, 5000)), rng.permutation(100) % 2
    select, classifier = SelectKBest(k=20), SVC(kernel="linear")
    target = rng.standard_normal(1000)
    errors = [((guess[:, None] - target) ** 2).mean() for guess in (target, 0 * target)]
    images = {split: load_digits(split, full=False) for split in ("train", "test")}
    flat = {split: each.images.reshape(len(each), -1) / 255 for split, each in images.items()}
    weights = 20 * rng.standard_normal((4, 392, 392)) / 392**0.5
    mixed = {split: mix(rows, weights) for split, rows in flat.items()}
    mixed_accuracy = linear_probe(
        *(mixed["train"], images["train"].labels, mixed["test"], images["test"].labels)
    )
    speech = load_speech("train", full=False)
    _, voices = np.unique(speech.speakers, return_inverse=True)
    voice_coins = (rng.permutation(voices.max() + 1) % 2)[voices]
    folds = by_folds(speech, voice_coins)
    logits = 2 * rng.standard_normal((3000, 10))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    drawn = (p.cumsum(axis=1) < rng.random((len(p), 1))).sum(axis=1).clip(max=9)
    floor = calibration_table({"right": p}, drawn)["baseline"].item()
    return {
        "selection-leak": cross_val_score(
            classifier, select.fit_transform(noise, coins), coins
        ).mean(),
        "selection-in-folds": cross_val_score(
            make_pipeline(select, classifier), noise, coins
        ).mean(),
        "voice-coin-shuffled": folds["shuffled"].value,
        "voice-coin-grouped": folds["grouped"].value,
        "broadcast-error": errors[0] / errors[1],
        "inverse-error": np.abs(mix(mixed["test"], weights, back=True) - flat["test"]).max(),
        "mixed-probe": mixed_accuracy,
        "calibration": calibration_error(p, drawn) / floor,
    }


def mix(rows: np.ndarray, weights: np.ndarray, *, back: bool = False) -> np.ndarray:
    """Apply an invertible network: in turn, one half of the columns shifts the other half.

    Args:
        rows: (N, 2 d).
        weights: (layers, d, d), random.
        back: apply the inverse.

    Returns:
        (N, 2 d).
    """
    d = weights.shape[1]
    if back:
        a, b = rows[:, :d], rows[:, d:]
        for weight in weights[::-1]:
            a, b = b, a - 10 * np.sin(b @ weight)
        restored = np.empty_like(rows)
        restored[:, ::2], restored[:, 1::2] = a, b
        return restored
    a, b = rows[:, ::2], rows[:, 1::2]
    for weight in weights:
        a, b = b + 10 * np.sin(a @ weight), a
    return np.hstack([a, b])


def by_folds(speech: Speech, labels: np.ndarray) -> dict[str, Interval]:
    """Accuracy by kind of folds, on the training set: "shuffled", and "grouped" by speaker."""
    sounds = AudioEncoder().prepare(speech.waveforms).flatten(1).numpy()
    classifier = make_pipeline(PCA(60, random_state=0), SVC(C=10))

    def measure(train: np.ndarray, test: np.ndarray) -> float:
        return classifier.fit(sounds[train], labels[train]).score(sounds[test], labels[test])

    folds = cross_validate(measure, labels, speech.speakers)
    return {kind: fold_interval(v) for kind, v in folds.groupby("kind")["value"]}


EXPERIMENTS = (Experiment("controls", _CLAIMS, _measure, seeds=3),)
