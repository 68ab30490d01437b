"""Robustness, transfer, calibration, cost and privacy of the embedder of `multimodal`.

Test items are degraded, or come from other writers or speakers; labels are few; seeds differ.
"""

from typing import Any

import numpy as np
import torch
from torch.nn.functional import normalize

from reproduction.claims import Claim, Experiment, Interval, Setting
from reproduction.experiments.controls import by_folds
from reproduction.experiments.multimodal import Digits, embedder, load
from simmim_lite.datasets import load_other_digits, load_speech
from simmim_lite.encoders import AudioEncoder, Encoder, ImageEncoder
from simmim_lite.evaluation import (
    LabeledSplit,
    agreement_table,
    calibration_error,
    deployment_table,
    fit_linear_probe,
    kernel_alignment,
    knn_accuracy,
    label_efficiency_curve,
    membership_score,
    probe_learner,
    robustness_area,
    robustness_table,
    transfer_table,
)
from simmim_lite.memory import fingerprint
from simmim_lite.multimodal import MultimodalInfoMax, Pairing, exact_bound

_KEYS, _QUERIES = 10_000, 2_000  # highest numbers of items of the full data
_COPIES = 8  # augmented versions of an item


def _measure(setting: Setting) -> dict[str, float | Interval]:
    model = embedder(setting)
    train, test = (load(split, full=setting.full) for split in ("train", "test"))
    speech = load_speech("train", full=setting.full)
    folds = by_folds(speech, speech.labels)
    return {
        "folds-gap": folds["shuffled"].value - folds["grouped"].value,
        "grouped-folds": folds["grouped"],
        **_robustness(model, train, test),
        **_transfer(model, train, test),
        **_probes(model, train, test),
        "score-scale-nats": _score_scale_nats(model, test),
        **_seeds(train, test),
        "membership-auc": _membership(train),
    }


def _robustness(model: MultimodalInfoMax, train: Digits, test: Digits) -> dict[str, float]:
    """kNN accuracy of degraded test items among clean training items, area under the curve."""
    chosen = np.random.default_rng(0).permutation(len(train.images))[:_KEYS]
    rows = np.random.default_rng(1).permutation(len(test.images))[:_QUERIES]
    keys = model.project(
        {
            "image": train.images[chosen],
            "speech": train.waveforms,
            "text": [train.texts[i] for i in chosen],
        }
    )
    labels = {"image": train.digits[chosen], "speech": train.words, "text": train.digits[chosen]}
    truth = {"image": test.digits[rows], "speech": test.words, "text": test.digits[rows]}
    queries = {
        "image": test.images[rows, None] / np.float32(255),
        "speech": test.waveforms,
        "text": [test.texts[i] for i in rows],
    }

    def accuracy(degraded: object, name: str) -> float:
        z = model.project({name: degraded})[name].numpy()
        known = z.any(axis=1)  # an embedding of 0 has no nearest neighbor, and counts as an error
        found = knn_accuracy(keys[name], labels[name], z[known], truth[name][known])
        return float(known.mean() * found)

    table = robustness_table(accuracy, queries, voices=train.waveforms)
    areas = robustness_area(table, chance=0.1)["area"]
    return {_robustness_id(kind): float(areas[kind]) for kind in areas.index}


def _transfer(model: MultimodalInfoMax, train: Digits, test: Digits) -> dict[str, float]:
    """Digits of other writers: with the probe of MNIST, and with a probe of 100 new labels."""
    new = load_other_digits()
    source = LabeledSplit(train.images[:_KEYS], train.digits[:_KEYS], test.images, test.digits)
    target = LabeledSplit(new.images[:900], new.labels[:900], new.images[900:], new.labels[900:])
    embedders = {
        "ours": lambda images: model.encode({"image": images})["image"],
        "pixels": lambda images: images.reshape(len(images), -1) / 255,
    }
    table = transfer_table(embedders, source, {"other": target}, labels=100)
    table = table.set_index(["features", "dataset"]).xs("other", level="dataset")
    ours = table.loc["ours"]
    return {
        "other-digits": ours["source probe"],
        "other-digits-new-probe": Interval(*ours[["target probe", "low", "high"]]),
        "other-digits-gain": ours["target probe"] - table.loc["pixels", "target probe"],
    }


def _probes(model: MultimodalInfoMax, train: Digits, test: Digits) -> dict[str, float]:
    """Linear probes of images: with few labels, calibration, and smaller encoders."""
    encoder, labels = model.encoders["image"], train.digits[:_KEYS]
    images = train.images[:_KEYS], test.images
    train_z, test_z = (model.encode({"image": each})["image"] for each in images)
    learner = probe_learner(train_z, labels, test_z, test.digits)
    curve = label_efficiency_curve({"probe": learner}, labels, counts=(10,), draws=10)
    probe = fit_linear_probe(train_z, labels)
    versions = deployment_table(
        encoder,
        encoder.prepare(test.images[:_QUERIES]),
        lambda features: probe.score(features.numpy(), test.digits[:_QUERIES]),
        repetitions=1,
    )
    float32, int8 = versions.loc["float32"], versions.loc["int8 weights"]
    return {
        "ten-labels": curve["accuracy"].mean(),
        "probe-calibration": calibration_error(probe.predict_proba(test_z.numpy()), test.digits),
        "int8-size": int8["bytes"] / float32["bytes"],
        "int8-loss": float32["score"] - int8["score"],
        "export-error": versions.loc["exported", "difference"],
    }


def _score_scale_nats(model: MultimodalInfoMax, test: Digits) -> float:
    """Range of the lower bound when nothing changes but the scale of the scores."""
    pairs = _images_and_speech(test)
    population = pairs.population("image", "speech")
    scores = model.scores(model.project(pairs.items), "image", "speech")
    nats = [exact_bound(factor * scores, population.joint) for factor in 2.0 ** np.arange(-6, 3)]
    return max(nats) - min(nats)


def _seeds(train: Digits, test: Digits) -> dict[str, float]:
    """Two short trainings with different seeds, and two of ten steps with the same seed."""
    pairs, items = _images_and_speech(train), _images_and_speech(test).items
    models = [_short(pairs, seed) for seed in (0, 1)]
    predictions = {}
    for seed, model in enumerate(models):
        scores = model.scores(model.project(items), "image", "speech")
        predictions[seed] = test.digits[scores.argmax(dim=0)]
    inner = [model.encode({"image": test.images[:_QUERIES]})["image"] for model in models]
    return {
        "seeds-kappa": agreement_table(predictions)["kappa"].item(),
        "seeds-cka": kernel_alignment(*inner),
        "same-seed": float(len({fingerprint(_short(pairs, 0, steps=10)) for _ in range(2)}) == 1),
    }


def _membership(train: Digits) -> Interval:
    """AUC of membership inference on an encoder that is trained on a random half of the images."""
    order = np.random.default_rng(2).permutation(len(train.images))
    members, outsiders = np.array_split(order, 2)
    encoder = _short(_images_and_speech(train, members), 0).encoders["image"]
    scores = [
        _augmentation_consistency(encoder, train.images[rows[:_QUERIES]])
        for rows in (members, outsiders)
    ]
    return Interval(*membership_score(*scores).loc["AUC", ["value", "low", "high"]])


@torch.no_grad()
def _augmentation_consistency(encoder: Encoder, items: Any, *, seed: int = 0) -> np.ndarray:
    """Similarity of the augmented versions of each item, as a score for `membership_score`.

    Mean cosine, (N,) in -1..1, over the pairs of eight augmented versions, in eval mode. An encoder
    that learned to align the augmentations of its training items aligns those of other items less:
    the attack EncoderMI (Liu et al. 2021, arXiv 2108.11023), with a threshold as its classifier.
    The mode and weights of the encoder stay as they are.
    """
    prepared = encoder.prepare(items)
    generator = torch.Generator(prepared.device).manual_seed(seed)
    training = encoder.training
    encoder.eval()
    total = torch.zeros((), device="cpu")
    try:
        for _ in range(_COPIES):
            parts = encoder.augment(prepared, generator).split(1024)
            total = total + torch.cat([normalize(encoder(part)).cpu() for part in parts])
    finally:
        encoder.train(training)
    # |u1 + ... + un|^2 is n plus twice the sum of the cosines of all pairs.
    pairs = _COPIES * (_COPIES - 1)
    return ((total.double().square().sum(dim=1) - _COPIES) / pairs).numpy()


def _images_and_speech(data: Digits, rows: Any = ...) -> Pairing:
    """Pairs of the chosen images with all recordings."""
    items = {"image": data.images[rows], "speech": data.waveforms}
    return Pairing(items, {"image": data.digits[rows], "speech": data.words})


def _short(pairs: Pairing, seed: int, *, steps: int = 250) -> MultimodalInfoMax:
    """Train the small embedder of notebook 13."""
    image = ImageEncoder(width=8, turn=10, seed=seed)
    sound = AudioEncoder(width=32, hidden=32, seed=seed)
    model = MultimodalInfoMax({"image": image, "speech": sound}, temperature=1.0, seed=seed)
    model.fit(pairs, steps=steps, batch_size=128, seed=seed, progress=False)
    return model


def _robustness_id(kind: str) -> str:
    return f"robustness-{kind.replace(' ', '-').lower()}"


_ROBUSTNESS = {  # lower bounds, on the embedded and on the full data
    "Gaussian noise": (0.6, 0.68),
    "salt and pepper": (0.42, 0.68),
    "occlusion": (0.55, 0.52),
    "blur": (0.35, 0.35),
    "babble": (0.6, 0.7),
    "typing errors": (0.52, 0.52),
}
_DIGITS = {"truth": "chance level: 10 %", "source": "ten digits", "unit": "%", "notebook": "13"}
_SAME_RUN = {"source": "the same run", "notebook": "13"}
_DEFINITION = {"source": "definition", "notebook": "13"}


def _claims(*, full: bool) -> tuple[Claim, ...]:
    return (
        # FSDD has six speakers, and a known voice helps a lot. The voices of eSpeak are all alike.
        Claim(
            id="folds-gap",
            name="speech classifier accuracy, shuffled folds minus folds grouped by speaker",
            truth="no help from a known voice: 0 points",
            unit="points",
            **({"at_least": 0.1} if full else {"at_most": 0.02}),
            **_SAME_RUN,
        ),
        Claim(
            id="grouped-folds",
            name="speech classifier accuracy, folds grouped by speaker",
            at_least=0.6 if full else 0.96,
            **_DIGITS,
        ),
        *(
            Claim(
                id=_robustness_id(kind),
                name=f"robustness to {kind}, area under the accuracy curve",
                truth="1: no loss; 0: chance level",
                source="levels of notebook 13",
                at_least=bounds[full],
                notebook="13",
            )
            for kind, bounds in _ROBUSTNESS.items()
        ),
        Claim(  # a finding without a bound, because the accuracy is low
            id="other-digits",
            name="accuracy on digits of another source, probe of MNIST",
            **_DIGITS,
        ),
        Claim(
            id="other-digits-new-probe",
            name="accuracy on digits of another source, new probe with 100 labels",
            at_least=0.94,
            **_DIGITS,
        ),
        Claim(
            id="other-digits-gain",
            name="accuracy on digits of another source, gain over a probe of pixels",
            truth="probe of pixels: 0 points",
            unit="points",
            at_least=0.05,
            **_SAME_RUN,
        ),
        Claim(
            id="ten-labels",
            name="linear probe accuracy with 10 labels",
            at_least=0.5,
            **_DIGITS,
        ),
        Claim(
            id="probe-calibration",
            name="calibration error of the linear probe",
            truth="correct probabilities: 0",
            unit="points",
            at_most=0.02,
            **_DEFINITION,
        ),
        Claim(
            id="score-scale-nats",
            name="range of the lower bound on I(image; recording) when only scores are scaled",
            truth="no learning: 0",
            source="the same encoders",
            unit="nats",
            at_least=1.0,
            notebook="13",
        ),
        Claim(
            id="seeds-kappa",
            name="agreement of predictions of two seeds, Cohen's kappa",
            truth="1: the same predictions",
            at_least=0.88,
            **_DEFINITION,
        ),
        Claim(
            id="seeds-cka",
            name="similarity of embeddings of two seeds, CKA",
            truth="1: equal up to a rotation",
            at_least=0.8,
            **_DEFINITION,
        ),
        Claim(
            id="same-seed",
            name="equal bits with the same seed (1: yes)",
            truth="1: yes",
            at_least=1.0,
            **_DEFINITION,
        ),
        Claim(
            id="membership-auc",
            name="membership inference from embeddings, AUC",
            truth="chance level: 0.5",
            at_most=0.6,
            **_DEFINITION,
        ),
        Claim(
            id="int8-size",
            name="size of the image encoder with 8-bit weights over 32-bit weights",
            truth="0.25 if every number had 8 bits",
            source="arithmetic",
            at_most=0.35,
            notebook="13",
        ),
        Claim(
            id="int8-loss",
            name="probe accuracy lost with 8-bit weights of the image encoder",
            truth="0 points",
            unit="points",
            at_most=0.005,
            **_SAME_RUN,
        ),
        Claim(
            id="export-error",
            name="exported image encoder, largest difference of outputs",
            truth="0: the same operations",
            worst_at_most=1e-5,
            **_DEFINITION,
        ),
    )


EXPERIMENTS = tuple(
    Experiment("evaluation", _claims(full=full), _measure, full=full, needs=("multimodal",))
    for full in (True, False)
)
