"""What the embedder of `_multimodal` is worth elsewhere, what it costs and what it gives away.

Damage, other writers, other voices, few labels, other seeds; and photographs of classes that an
encoder was not trained on.
"""

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reproduction.claims import Claim, Experiment, Interval, Setting
from reproduction.experiments.controls import CONTROLS, by_folds, claim
from reproduction.experiments.multimodal import Digits, embedder, load
from simmim_lite.augment import random_affine, random_brightness_contrast, random_flip
from simmim_lite.datasets import Images, load_cifar10, load_speech
from simmim_lite.encoders import AudioEncoder, ImageEncoder
from simmim_lite.evaluation import (
    LabeledSplit,
    agreement_table,
    augmentation_consistency,
    calibration_error,
    deployment_table,
    fit_linear_probe,
    kernel_alignment,
    knn_accuracy,
    label_efficiency_curve,
    load_other_digits,
    membership_score,
    probe_learner,
    robustness_area,
    robustness_table,
    transfer_table,
)
from simmim_lite.memory import fingerprint
from simmim_lite.multimodal import MultimodalInfoMax, Pairing, exact_bound

_KEYS, _QUERIES = 10_000, 2_000  # of the full data at most, where neighbors are searched
_HELD_OUT = (2, 5, 9)  # bird, dog, truck


def _measure(setting: Setting) -> dict[str, float | Interval]:
    model = embedder(setting)
    known, asked = (load(split, full=setting.full) for split in ("train", "test"))
    speech = load_speech("train", full=setting.full)
    folds = by_folds(speech, speech.labels)
    return {
        _GAP: folds["shuffled"].value - folds["grouped"].value,
        _APART: folds["grouped"],
        **_robustness(model, known, asked),
        **_transfer(model, known, asked),
        **_probes(model, known, asked),
        **_critic(model, asked),
        **_seeds(known, asked),
        **_privacy(known),
    }


def _robustness(model: MultimodalInfoMax, known: Digits, asked: Digits) -> dict[str, float]:
    """Damaged test items look for their neighbors among clean training items."""
    chosen = np.random.default_rng(0).permutation(len(known.images))[:_KEYS]
    rows = np.random.default_rng(1).permutation(len(asked.images))[:_QUERIES]
    keys = model.project(
        {
            "image": known.images[chosen],
            "speech": known.waveforms,
            "text": [known.texts[i] for i in chosen],
        }
    )
    labels = {"image": known.digits[chosen], "speech": known.words, "text": known.digits[chosen]}
    truth = {"image": asked.digits[rows], "speech": asked.words, "text": asked.digits[rows]}
    queries = {
        "image": asked.images[rows, None] / np.float32(255),
        "speech": asked.waveforms,
        "text": [asked.texts[i] for i in rows],
    }

    def vote(damaged: object, name: str) -> float:
        z = model.project({name: damaged})[name]
        return knn_accuracy(keys[name], labels[name], z, truth[name])

    table = robustness_table(vote, queries, voices=known.waveforms)
    areas = robustness_area(table, chance=0.1)["area"]
    return {_area(kind): float(areas[kind]) for kind in areas.index}


def _transfer(model: MultimodalInfoMax, known: Digits, asked: Digits) -> dict[str, float]:
    """Digits of other writers: with the probe of MNIST, and with a hundred labels of their own."""
    new = load_other_digits()
    home = LabeledSplit(known.images[:_KEYS], known.digits[:_KEYS], asked.images, asked.digits)
    away = LabeledSplit(new.images[:900], new.labels[:900], new.images[900:], new.labels[900:])
    embedders = {
        "ours": lambda images: model.encode({"image": images})["image"],
        "pixels": lambda images: images.reshape(len(images), -1) / 255,
    }
    table = transfer_table(embedders, home, {"other": away}, labels=100)
    table = table.set_index(["features", "source"]).xs("other", level="source")
    ours = table.loc["ours"]
    return {
        _AS_IT_IS: ours["as it is"],
        _OWN_PROBE: Interval(*ours[["own probe", "low", "high"]]),
        _OVER_PIXELS: ours["own probe"] - table.loc["pixels", "own probe"],
    }


def _probes(model: MultimodalInfoMax, known: Digits, asked: Digits) -> dict[str, float]:
    """Linear probes of images: with few labels, as probabilities, and of cheaper encoders."""
    encoder, labels = model.encoders["image"], known.digits[:_KEYS]
    images = known.images[:_KEYS], asked.images
    train, test = (model.encode({"image": each})["image"] for each in images)
    learner = probe_learner(train, labels, test, asked.digits)
    curve = label_efficiency_curve({"probe": learner}, labels, counts=(10,), draws=10)
    probe = fit_linear_probe(train, labels)
    versions = deployment_table(
        encoder,
        encoder.prepare(asked.images[:_QUERIES]),
        lambda features: probe.score(features.numpy(), asked.digits[:_QUERIES]),
        repetitions=1,
    )
    whole, small = versions.loc["float32"], versions.loc["int8 weights"]
    return {
        _TEN_LABELS: curve["accuracy"].mean(),
        _CALIBRATION: calibration_error(probe.predict_proba(test.numpy()), asked.digits),
        _INT8_BYTES: small["bytes"] / whole["bytes"],
        _INT8_LOST: whole["score"] - small["score"],
        _EXPORTED: versions.loc["exported", "difference"],
    }


def _critic(model: MultimodalInfoMax, asked: Digits) -> dict[str, float]:
    """How far the nats move if nothing but the scale of the scores does."""
    pairs = _images_and_speech(asked)
    population = pairs.population("image", "speech")
    scores = model.scores(model.project(pairs.items), "image", "speech")
    nats = [exact_bound(factor * scores, population.joint) for factor in 2.0 ** np.arange(-6, 3)]
    return {_SCALED: max(nats) - min(nats)}


def _seeds(known: Digits, asked: Digits) -> dict[str, float]:
    """Two short trainings with different seeds, and two of ten steps with the same one."""
    pairs, items = _images_and_speech(known), _images_and_speech(asked).items
    models = [_short(pairs, seed) for seed in (0, 1)]
    answers = {}
    for seed, model in enumerate(models):
        scores = model.scores(model.project(items), "image", "speech")
        answers[seed] = asked.digits[scores.argmax(dim=0)]
    inner = [model.encode({"image": asked.images[:_QUERIES]})["image"] for model in models]
    return {
        _KAPPA: agreement_table(answers)["kappa"].item(),
        _CKA: kernel_alignment(*inner),
        _SAME_BITS: float(len({fingerprint(_short(pairs, 0, steps=10)) for _ in range(2)}) == 1),
    }


def _privacy(known: Digits) -> dict[str, Interval]:
    """Trained on a random half of the images, and asked which ones these were."""
    order = np.random.default_rng(2).permutation(len(known.images))
    inside, outside = np.array_split(order, 2)
    encoder = _short(_images_and_speech(known, inside), 0).encoders["image"]
    scores = [
        augmentation_consistency(encoder, known.images[rows[:_QUERIES]])
        for rows in (inside, outside)
    ]
    return {_MEMBERS: Interval(*membership_score(*scores).loc["AUC", ["value", "low", "high"]])}


def _images_and_speech(data: Digits, rows: Any = slice(None)) -> Pairing:
    """These images, with all recordings."""
    items = {"image": data.images[rows], "speech": data.waveforms}
    return Pairing(items, {"image": data.digits[rows], "speech": data.words})


def _short(pairs: Pairing, seed: int, *, steps: int = 250) -> MultimodalInfoMax:
    """The small embedder of notebook 11."""
    image = ImageEncoder(width=8, turn=10, seed=seed)
    sound = AudioEncoder(width=32, hidden=32, seed=seed)
    model = MultimodalInfoMax({"image": image, "speech": sound}, temperature=1.0, seed=seed)
    model.fit(pairs, steps=steps, batch_size=128, seed=seed, progress=False)
    return model


def _photographs(setting: Setting) -> dict[str, float | Interval]:
    """An encoder that saw two crops of pictures of seven classes, asked about three others."""
    sets = {split: load_cifar10(split) for split in ("train", "test")}
    home, away = (
        LabeledSplit(
            *(part for each in sets.values() for part in _of_classes(each, held_out=held_out))
        )
        for held_out in (False, True)
    )
    encoder = ImageEncoder(3, width=16, seed=setting.seed)
    model = MultimodalInfoMax(dict.fromkeys(("first", "second"), encoder), 128, seed=setting.seed)
    crops = dict.fromkeys(("first", "second"), home.train)
    vary = dict.fromkeys(crops, _vary)
    length = {"steps": 600, "batch_size": 256, "seed": setting.seed}
    model.fit(crops, augment=vary, progress=False, **length)
    rows = np.random.default_rng(0).permutation(len(home.train))[:2000]
    few = home._replace(train=home.train[rows], train_labels=home.train_labels[rows])
    embedders = {
        "ours": lambda images: model.encode({"first": images})["first"],
        "untrained": partial(_untrained, seed=setting.seed),
    }
    table = transfer_table(embedders, few, {"held out": away}, labels=300)
    table = table.set_index(["features", "source"])
    ours = table.loc[("ours", "held out")]
    return {
        _PHOTOGRAPHS: Interval(*ours[["own probe", "low", "high"]]),
        _OVER_UNTRAINED: ours["own probe"] - table.loc[("untrained", "held out"), "own probe"],
    }


def _of_classes(images: Images, *, held_out: bool) -> tuple[np.ndarray, np.ndarray]:
    rows = np.isin(images.labels, _HELD_OUT) == held_out
    return images.images[rows], images.labels[rows]


def _untrained(images: np.ndarray, *, seed: int) -> Tensor:
    encoder = ImageEncoder(3, width=16, seed=seed).eval()
    with torch.no_grad():
        return torch.cat([encoder(part) for part in encoder.prepare(images).split(1024)])


def _vary(images: Tensor, generator: torch.Generator) -> Tensor:
    images = random_affine(images, generator, scale=(1.0, 2.2), shift=0.2)
    return random_brightness_contrast(random_flip(images, generator), generator)


def _area(kind: str) -> str:
    return f"damage, area under the curve: {kind}"


_GAP = "digits heard: shuffled folds less folds of other speakers"
_APART = "digits heard, folds of other speakers"
_AS_IT_IS = "digits of another source, probe of MNIST"
_OWN_PROBE = "digits of another source, probe with 100 labels"
_OVER_PIXELS = "digits of another source, gain over pixels"
_TEN_LABELS = "linear probe with 10 labels"
_CALIBRATION = "calibration error of the linear probe"
_SCALED = "nats between the least and the most, scores scaled only"
_KAPPA = "answers of two seeds, Cohen's kappa"
_CKA = "embeddings of two seeds, CKA"
_SAME_BITS = "the same seed gives the same bits"
_MEMBERS = "members told from outsiders by embeddings, AUC"
_INT8_BYTES = "image encoder, 8-bit weights: size over that of 32 bits"
_INT8_LOST = "image encoder, 8-bit weights: probe loses"
_EXPORTED = "image encoder, exported: largest difference of outputs"
_PHOTOGRAPHS = "CIFAR-10, three classes held out, probe with 300 labels"
_OVER_UNTRAINED = "CIFAR-10, classes held out, gain over an untrained encoder"


_KEPT = "1: nothing lost, 0: down to chance"
_LEVELS = "levels of notebook 11"
_AREAS = {  # at least, with the embedded data and with the full
    "Gaussian noise": (0.6, 0.68),
    "salt and pepper": (0.42, 0.68),
    "occlusion": (0.55, 0.52),
    "blur": (0.35, 0.35),
    "babble": (0.6, 0.7),
    "typing errors": (0.52, 0.52),
}


def _claims(*, full: bool) -> tuple[Claim, ...]:
    areas = (
        claim(_area(kind), _KEPT, _LEVELS, "", at_least=bars[full]) for kind, bars in _AREAS.items()
    )
    return (
        # FSDD's six people: to have heard the voice before helps a lot. eSpeak's are all alike.
        claim(
            _GAP,
            "0 points: no help from knowing the voice",
            "the same run",
            "points",
            **({"at_least": 0.1} if full else {"at_most": 0.02}),
        ),
        claim(_APART, "10 % by chance", "ten digits", at_least=0.6 if full else 0.96),
        *areas,
        claim(_AS_IT_IS, "10 % by chance", "ten digits"),  # a finding, and no good one
        claim(_OWN_PROBE, "10 % by chance", "ten digits", at_least=0.94),
        claim(_OVER_PIXELS, "0 points: a probe of pixels", "the same run", "points", at_least=0.05),
        claim(_TEN_LABELS, "10 % by chance", "ten digits", at_least=0.5),
        claim(_CALIBRATION, "0: right probabilities", "definition", "points", at_most=0.02),
        claim(_SCALED, "0: nothing is learned", "the same encoders", "nats", at_least=1.0),
        claim(_KAPPA, "1: the same answers", "definition", "", at_least=0.88),
        claim(_CKA, "1: alike up to a rotation", "definition", "", at_least=0.8),
        claim(_SAME_BITS, "1: yes", "definition", "", at_least=1.0),
        claim(_MEMBERS, "0.5 by chance", "definition", "", at_most=0.6),
        claim(_INT8_BYTES, "0.25 if all were 8 bits", "arithmetic", "", at_most=0.35),
        claim(_INT8_LOST, "0 points", "the same run", "points", at_most=0.005),
        claim(_EXPORTED, "0: the same operations", "definition", "", worst_at_most=1e-5),
    )


EXPERIMENTS = (
    CONTROLS,
    *(
        Experiment("evaluation", _claims(full=full), _measure, full=full, needs=("multimodal",))
        for full in (True, False)
    ),
    Experiment(
        "photographs",
        (
            claim(_PHOTOGRAPHS, "33 % by chance", "three classes", at_least=0.68),
            claim(
                _OVER_UNTRAINED,
                "0 points: an untrained encoder",
                "the same run",
                "points",
                at_least=0.04,
            ),
        ),
        _photographs,
        full=True,
    ),
)
