"""Images, speech and captions in one embedding space, compared with the truths of the test set."""

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

_PROBED = 20_000  # highest number of training images for a linear probe


class Digits(NamedTuple):
    """Items of one split; an image pairs with its caption and with recordings of its digit.

    Attributes:
        images: (N, 28, 28) uint8.
        digits: (N,), labels of the images.
        texts: N captions of the images.
        waveforms: M arrays (T,).
        words: (M,), labels of the recordings: the spoken digits.
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
    """Load a split, "train" or "test".

    Args:
        split: "train" or "test".
        full: MNIST and FSDD instead of the embedded sets.
        speaker: all recordings of this speaker are test items, all others are training items;
            without a speaker, the split is that of the data set.
        voices: add the embedded synthetic voices to the training recordings.
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


def untrained(
    texts: list[str], *, full: bool, seed: int, microphones: bool = False
) -> MultimodalInfoMax:
    """Return a new model; its vocabulary is the words of ``texts``, the training captions."""
    encoders = {
        "image": ImageEncoder(width=24 if full else 16, seed=seed),
        "speech": AudioEncoder(microphones=microphones, seed=seed),
        "text": TextEncoder(Tokenizer.from_texts(texts), seed=seed),
    }
    return MultimodalInfoMax(encoders, seed=seed)


def train(
    data: Digits, *, full: bool, seed: int, steps: int | None = None, microphones: bool = False
) -> MultimodalInfoMax:
    """Return a trained model; 3,600 steps on the full data by default, else 500."""
    model = untrained(data.texts, full=full, seed=seed, microphones=microphones)
    steps = steps or (3600 if full else 500)
    model.fit(data.pairing(), steps=steps, seed=seed, progress=False)
    return model


def embedder(setting: Setting) -> MultimodalInfoMax:
    """Load the trained model of this seed from the folder of the run, or train and save one."""
    path = _file(setting)
    data = load("train", full=setting.full)
    if path.is_file():
        return untrained(data.texts, full=setting.full, seed=setting.seed).load(path)
    model = train(data, full=setting.full, seed=setting.seed)
    model.save(path)
    return model


def score(model: MultimodalInfoMax, trained: Digits, test: Digits) -> dict[str, float]:
    """Return the scores of a model by id of the claim: fractions, and nats.

    Linear probes are fitted on at most 20,000 training items. The ten clusters are clusters of the
    test embeddings of both modalities together; each modality has the same total weight. The
    information is the InfoNCE bound of the critic on the whole test population (K to infinity).
    """
    chosen = np.random.default_rng(0).permutation(len(trained.images))[:_PROBED]
    train_z = model.encode({"image": trained.images[chosen], "speech": trained.waveforms})
    test_z = model.encode({"image": test.images, "speech": test.waveforms})
    pairs = test.pairing()
    unit = model.project(pairs.items)
    scores = model.scores(unit, "image", "speech")
    captions = pairs.population("image", "text")
    to_text = model.scores({**unit, "text": unit["text"][captions.second]}, "image", "text")
    own = captions.joint.argmax(axis=1)
    nats = model.exact_information(pairs)
    of_images, of_recordings = _clusters(unit["image"], unit["speech"])
    return {
        "image-probe": linear_probe(
            train_z["image"], trained.digits[chosen], test_z["image"], test.digits
        ),
        "recording-probe": linear_probe(
            train_z["speech"], trained.words, test_z["speech"], test.words
        ),
        "image-to-recording": precision_at_k(scores, test.digits, test.words).value,
        "recording-to-image": precision_at_k(scores.T, test.words, test.digits).value,
        "image-clusters": cluster_accuracy(test.digits, of_images),
        "recording-clusters": cluster_accuracy(test.words, of_recordings),
        "image-to-caption": recall_at_k(to_text, own, np.arange(len(captions.second))).value,
        "image-recording-nats": nats["image", "speech"],
        "image-caption-nats": nats["image", "text"],
    }


def _clusters(images: Tensor, recordings: Tensor) -> tuple[np.ndarray, np.ndarray]:
    sizes = [len(images), len(recordings)]
    points = torch.cat([images, recordings]).numpy()
    weights = np.repeat(len(points) / 2 / np.array(sizes), sizes)
    found = KMeans(10, n_init=10, random_state=0).fit(points, sample_weight=weights).labels_
    return found[: sizes[0]], found[sizes[0] :]


def _measure(setting: Setting) -> dict[str, float]:
    """Train a new model, score it, and save it for other experiments."""
    trained, test = (load(split, full=setting.full) for split in ("train", "test"))
    start = time.process_time()
    model = train(trained, full=setting.full, seed=setting.seed)
    seconds = time.process_time() - start
    model.save(_file(setting))
    return {**score(model, trained, test), "training-seconds": seconds}


def _file(setting: Setting) -> Path:
    kind = "full" if setting.full else "embedded"
    return setting.folder / f"embedder-{kind}-{setting.seed}.model"


_CHANCE = {"truth": "chance level: 10 %", "source": "ten digits", "unit": "%", "notebook": "06"}
_PEER = {"source": "README of decoupled-multimodal-learning", "unit": "%", "notebook": "06"}
_COUNTED = {"source": "counted over the test set", "unit": "nats", "notebook": "06"}


def _claims(*, full: bool) -> tuple[Claim, ...]:
    # A bound above the true information would be wrong, so the truth also limits every seed.
    speech_nats, caption_nats = (2.301, 5.492) if full else (2.303, 5.289)
    seconds = 600.0 if full else 120.0
    return (
        Claim(
            id="image-probe",
            name="linear probe accuracy, images",
            at_least=0.993 if full else 0.975,
            **_CHANCE,
        ),
        Claim(
            id="recording-probe",
            name="linear probe accuracy, recordings",
            at_least=0.996 if full else 0.99,
            **_CHANCE,
        ),
        Claim(
            id="image-to-recording",
            name="precision@1 of the digit, image query, recordings searched",
            at_least=0.985 if full else 0.975,
            **_CHANCE,
        ),
        Claim(
            id="recording-to-image",
            name="precision@1 of the digit, recording query, images searched",
            at_least=0.995 if full else 0.985,
            **_CHANCE,
        ),
        Claim(
            id="image-clusters",
            name="clustering accuracy without labels, images",
            truth="published: 95.6 %" if full else "published: 95.6 % on MNIST",
            at_least=0.989 if full else 0.965,
            **_PEER,
        ),
        Claim(
            id="recording-clusters",
            name="clustering accuracy without labels, recordings",
            truth=f"published: 100 % of 50 recordings{'' if full else ' of FSDD'}",
            at_least=0.996 if full else 0.985,
            **_PEER,
        ),
        Claim(
            id="image-to-caption",
            name="recall@1 of the image's own caption",
            truth="chance level: 0.4 %",
            source="captions that occur in the test set",
            unit="%",
            at_least=0.8 if full else 0.65,
            notebook="06",
        ),
        Claim(
            id="image-recording-nats",
            name="lower bound on I(image; recording)",
            truth=f"true value: {speech_nats} nats",
            at_least=2.22 if full else 2.15,
            worst_at_most=speech_nats,
            target=speech_nats,
            **_COUNTED,
        ),
        Claim(
            id="image-caption-nats",
            name="lower bound on I(image; caption)",
            truth=f"true value: {caption_nats} nats",
            at_least=4.7 if full else 4.3,
            worst_at_most=caption_nats,
            target=caption_nats,
            **_COUNTED,
        ),
        Claim(
            id="training-seconds",
            name="training time in CPU seconds",
            truth=f"limit: {seconds:.0f} s",
            source="goal of this kit",
            unit="s",
            at_most=seconds,
            notebook="06",
        ),
    )


_NEW_SPEAKER = {  # id for a speaker whose recordings are not in training: id in `score`
    "new-speaker-probe": "recording-probe",
    "image-to-new-speaker": "image-to-recording",
    "new-speaker-to-image": "recording-to-image",
}


def _measure_speaker(setting: Setting) -> dict[str, float]:
    """Hold out one of the six speakers of FSDD for each "seed"; train also on synthetic voices."""
    speaker = np.unique(load_speech("all", full=True).speakers)[setting.seed]
    data = {"full": True, "speaker": str(speaker), "voices": True}
    trained, test = load("train", **data), load("test", **data)
    model = train(trained, full=True, seed=0, steps=1200, microphones=True)
    scores = score(model, trained, test)
    return {claim: scores[known] for claim, known in _NEW_SPEAKER.items()}


_SPEAKER_CLAIMS = (
    Claim(
        id="new-speaker-probe",
        name="linear probe accuracy, recordings of a new speaker",
        at_least=0.9,
        **_CHANCE,
    ),
    Claim(
        id="image-to-new-speaker",
        name="precision@1 of the digit, image query, recordings of a new speaker searched",
        at_least=0.9,
        **_CHANCE,
    ),
    Claim(
        id="new-speaker-to-image",
        name="precision@1 of the digit, recording of a new speaker as query, images searched",
        at_least=0.9,
        **_CHANCE,
    ),
)

EXPERIMENTS = (
    Experiment("multimodal", _claims(full=True), _measure, seeds=3, full=True),
    Experiment("multimodal", _claims(full=False), _measure, full=False),
    Experiment("speakers", _SPEAKER_CLAIMS, _measure_speaker, seeds=6, full=True),
)
