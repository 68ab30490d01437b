"""Images, speech and captions in one space: trained, and held to the truths of the test set."""

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from reproduction.claims import Claim, Experiment, Setting
from simmim_lite.datasets import load_captions, load_digits, load_speech
from simmim_lite.encoders import AudioEncoder, ImageEncoder, TextEncoder, Tokenizer
from simmim_lite.evaluation import cluster_accuracy, linear_probe, precision_at_k, recall_at_k
from simmim_lite.multimodal import MultimodalInfoMax, Pairing

_PROBED = 20_000  # training images at most that a linear probe is fitted on
_SECONDS = "training, CPU seconds"


class Digits(NamedTuple):
    """What is paired: each image with its caption, and with recordings of the same digit.

    Attributes:
        images: (N, 28, 28) uint8.
        digits: (N,), theirs.
        texts: N captions of the images.
        waveforms: M arrays (T,).
        words: (M,), the digits that they say.
    """

    images: np.ndarray
    digits: np.ndarray
    texts: list[str]
    waveforms: list[np.ndarray]
    words: np.ndarray

    def pairing(self) -> Pairing:
        items = {"image": self.images, "speech": self.waveforms, "text": self.texts}
        return Pairing(items, {"image": self.digits, "speech": self.words})


def load(split: str, *, full: bool, speaker: str | None = None, voices: bool = False) -> Digits:
    """ "train" or "test".

    Args:
        speaker: all recordings of this one are for the test and all others for training; else the
            split is that of the data set.
        voices: the embedded synthetic voices are added to the recordings of training.
    """
    images = load_digits(split, full=full)
    texts = load_captions(split, full=full).texts
    recordings = load_speech("all" if speaker else split, full=full)
    chosen = np.arange(len(recordings))
    if speaker:
        chosen = np.flatnonzero((recordings.speakers == speaker) == (split == "test"))
    waveforms, words = [recordings.waveforms[i] for i in chosen], recordings.labels[chosen]
    if voices and split == "train":
        added = load_speech("all", full=False)
        waveforms, words = waveforms + added.waveforms, np.concatenate([words, added.labels])
    return Digits(images.images, images.labels, texts, waveforms, words)


def untrained(texts: list[str], *, full: bool, seed: int) -> MultimodalInfoMax:
    """The model; ``texts`` are those of training, whose words it knows."""
    encoders = {
        "image": ImageEncoder(width=24 if full else 16, seed=seed),
        "speech": AudioEncoder(seed=seed),
        "text": TextEncoder(Tokenizer.from_texts(texts), seed=seed),
    }
    return MultimodalInfoMax(encoders, seed=seed)


def train(data: Digits, *, full: bool, seed: int, steps: int | None = None) -> MultimodalInfoMax:
    model = untrained(data.texts, full=full, seed=seed)
    steps = steps or (3600 if full else 500)
    model.fit(data.pairing(), steps=steps, seed=seed, progress=False)
    return model


def embedder(setting: Setting) -> MultimodalInfoMax:
    """The trained model of this seed: from the run's folder, or trained now and left there."""
    path = _file(setting)
    data = load("train", full=setting.full)
    if path.is_file():
        return untrained(data.texts, full=setting.full, seed=setting.seed).load(path)
    model = train(data, full=setting.full, seed=setting.seed)
    model.save(path)
    return model


def score(model: MultimodalInfoMax, trained: Digits, test: Digits) -> dict[str, float]:
    """Everything that is claimed of a model: shares, and nats.

    The linear probes are fitted on at most 20,000 training items. The ten clusters are of both
    modalities' test embeddings together, each modality of the same weight. The information is that
    which the critic shows of the whole test population, exactly (InfoNCE, K to infinity).
    """
    chosen = np.random.default_rng(0).permutation(len(trained.images))[:_PROBED]
    known = model.encode({"image": trained.images[chosen], "speech": trained.waveforms})
    asked = model.encode({"image": test.images, "speech": test.waveforms})
    pairs = test.pairing()
    unit = model.project(pairs.items)
    scores = model.scores(unit, "image", "speech")
    captions = pairs.population("image", "text")
    to_text = model.scores({**unit, "text": unit["text"][captions.second]}, "image", "text")
    own = captions.joint.argmax(axis=1)
    nats = model.exact_information(pairs)
    of_images, of_recordings = _clusters(unit["image"], unit["speech"])
    return {
        "linear probe, images": linear_probe(
            known["image"], trained.digits[chosen], asked["image"], test.digits
        ),
        "linear probe, recordings": linear_probe(
            known["speech"], trained.words, asked["speech"], test.words
        ),
        "image to recording, digit of the first found": precision_at_k(
            scores, test.digits, test.words
        ).value,
        "recording to image, digit of the first found": precision_at_k(
            scores.T, test.words, test.digits
        ).value,
        "clusters without labels, images": cluster_accuracy(test.digits, of_images),
        "clusters without labels, recordings": cluster_accuracy(test.words, of_recordings),
        "an image's own caption found first": recall_at_k(
            to_text, own, np.arange(len(captions.second))
        ).value,
        "I(image; speech)": nats["image", "speech"],
        "I(image; caption)": nats["image", "text"],
    }


def _clusters(images: Tensor, recordings: Tensor) -> tuple[np.ndarray, np.ndarray]:
    sizes = [len(images), len(recordings)]
    points = torch.cat([images, recordings]).numpy()
    weights = np.repeat(len(points) / 2 / np.array(sizes), sizes)
    found = KMeans(10, n_init=10, random_state=0).fit(points, sample_weight=weights).labels_
    return found[: sizes[0]], found[sizes[0] :]


def _measure(setting: Setting) -> dict[str, float]:
    """Trained anew, whatever lies in the folder, and left there for others."""
    trained, test = (load(split, full=setting.full) for split in ("train", "test"))
    start = time.process_time()
    model = train(trained, full=setting.full, seed=setting.seed)
    seconds = time.process_time() - start
    model.save(_file(setting))
    return {**score(model, trained, test), _SECONDS: seconds}


def _file(setting: Setting) -> Path:
    kind = "full" if setting.full else "embedded"
    return setting.folder / f"embedder-{kind}-{setting.seed}.model"


class _Bar(NamedTuple):
    """A claim: what the mean over seeds reaches with the full data, and with the embedded ones."""

    full: float
    embedded: float
    truth: str = "10 % by chance"
    source: str = "ten digits"
    embedded_truth: str = ""
    unit: str = "%"


_PEER = "README of decoupled-multimodal-learning"
_CAPTIONS = "captions that occur in the test set"
_COUNTED = "counted over the test set"
_BARS = {
    "linear probe, images": _Bar(0.993, 0.975),
    "linear probe, recordings": _Bar(0.996, 0.99),
    "image to recording, digit of the first found": _Bar(0.985, 0.975),
    "recording to image, digit of the first found": _Bar(0.995, 0.985),
    "clusters without labels, images": _Bar(
        0.989, 0.965, "published 95.6 %", _PEER, embedded_truth="published 95.6 % of MNIST"
    ),
    "clusters without labels, recordings": _Bar(
        0.996, 0.985, "published 100 % of 50", _PEER, embedded_truth="published 100 % of 50, FSDD"
    ),
    "an image's own caption found first": _Bar(
        0.8, 0.65, "0.4 % by chance", _CAPTIONS, embedded_truth="0.4 % by chance"
    ),
    "I(image; speech)": _Bar(2.22, 2.15, "2.301 nats", _COUNTED, "2.303 nats", unit="nats"),
    "I(image; caption)": _Bar(4.7, 4.3, "5.492 nats", _COUNTED, "5.289 nats", unit="nats"),
}


def _claims(*, full: bool) -> tuple[Claim, ...]:
    claims = []
    for name, bar in _BARS.items():
        truth = bar.truth if full else bar.embedded_truth or bar.truth
        target = float(truth.split()[0]) if bar.unit == "nats" else None
        claims.append(
            Claim(
                name,
                truth,
                bar.source,
                bar.unit,
                at_least=bar.full if full else bar.embedded,
                worst_at_most=target,  # a bound above the truth would be wrong
                notebook="06",
                target=target,
            )
        )
    seconds = 600.0 if full else 120.0
    limit = f"limit {seconds:.0f} s"
    claims.append(Claim(_SECONDS, limit, "this kit's goal", "s", at_most=seconds, notebook="06"))
    return tuple(claims)


_HEARD = {  # of a speaker whom training never heard: our name, that of `score`
    "a new speaker, linear probe": "linear probe, recordings",
    "image to a new speaker's recording": "image to recording, digit of the first found",
    "a new speaker's recording to image": "recording to image, digit of the first found",
}


def _measure_speaker(setting: Setting) -> dict[str, float]:
    """Each "seed" is another of FSDD's six speakers; synthetic voices help the other five."""
    speaker = np.unique(load_speech("all", full=True).speakers)[setting.seed]
    data = {"full": True, "speaker": str(speaker), "voices": True}
    trained, test = load("train", **data), load("test", **data)
    found = score(train(trained, full=True, seed=0, steps=1200), trained, test)
    return {name: found[of] for name, of in _HEARD.items()}


EXPERIMENTS = (
    Experiment("multimodal", _claims(full=True), _measure, seeds=3, full=True),
    Experiment("multimodal", _claims(full=False), _measure, full=False),
    Experiment(
        "speakers",
        tuple(
            Claim(name, "10 % by chance", "ten digits", "%", at_least=0.9, notebook="06")
            for name in _HEARD
        ),
        _measure_speaker,
        seeds=6,
        full=True,
    ),
)
