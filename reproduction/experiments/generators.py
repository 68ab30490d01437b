"""Evaluation classifiers, generators and memories of the experiments on generation."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from torch import Tensor

from reproduction.experiments.multimodal import Digits
from simmim_lite.encoders import AudioEncoder, ImageEncoder, Tokenizer
from simmim_lite.evaluation import EvaluationClassifier
from simmim_lite.generation import (
    CaptionDecoder,
    LatentGenerator,
    LatentSpace,
    RectifiedFlow,
    condition_batches,
    image_vae,
    speech_vae,
)
from simmim_lite.memory import SimulatedMemory
from simmim_lite.multimodal import Pairing
from simmim_lite.training import Batches

NAMES = ("image", "speech", "text")
ITEM = {"image": "image", "speech": "recording", "text": "caption"}
_LATENTS = 32  # columns
# Options of the sampler of recordings; like those of images, chosen on items held out of training.
_RECORDINGS = {"guidance": 4.0, "guide_from": 0.3, "noise": 1.1}


class Size(NamedTuple):
    """Training steps, widths of networks, and numbers of items."""

    classifiers: tuple[int, int] = (250, 150)  # steps: of images, of recordings
    autoencoders: tuple[int, int] = (1000, 300)  # steps: of images, of recordings
    flows: tuple[int, int] = (1600, 400)  # steps: of images, of recordings
    captions: int = 300  # steps
    ablation: int = 80  # steps of the two autoencoders with and without memory
    absent: tuple[int, int] = (300, 800)  # steps: embedder without the absent digits, flows
    widths: tuple[int, int] = (16, 256)  # of autoencoders, of flows
    remembered: int = 4000  # items in memory
    per_digit: int = 100  # real test images of each digit
    recordings: int = 480  # highest number of generated recordings
    noise: float = 1.35  # of the sampler of images


SIZES = {
    False: Size(),
    True: Size(
        classifiers=(400, 300),
        autoencoders=(1000, 400),
        flows=(2500, 1200),
        captions=1200,
        ablation=400,
        absent=(1200, 1000),
        widths=(24, 320),
        remembered=5000,
        per_digit=240,
        recordings=600,
        noise=1.15,
    ),
}


def evaluation_classifier(data: Digits, target: str, size: Size, seed: int) -> EvaluationClassifier:
    """Train a classifier on real items, with seeds that no generator has."""
    seed = 1000 + seed
    if target == "image":
        encoder = ImageEncoder(width=24, turn=8.0, seed=seed)
        items, labels = data.images, data.digits
    else:
        encoder = AudioEncoder(width=64, seed=seed)
        items, labels = data.waveforms, data.words
    classifier = EvaluationClassifier(encoder, seed=seed)
    steps = size.classifiers[("image", "speech").index(target)]
    classifier.fit(items, labels, steps=steps, seed=seed, progress=False)
    return classifier


def without(data: Digits, digits: tuple[int, ...]) -> Digits:
    """Return the items of all other digits."""
    rows = np.flatnonzero(~np.isin(data.digits, digits))
    spoken = np.flatnonzero(~np.isin(data.words, digits))
    return Digits(
        data.images[rows],
        data.digits[rows],
        [data.texts[i] for i in rows],
        [data.waveforms[i] for i in spoken],
        data.words[spoken],
    )


def pairs_for(data: Digits, target: str) -> Pairing:
    """Pairs with the target first: an image, its own caption, and any recording of its digit."""
    everything = data.pairing().items
    order = [target, *(name for name in everything if name != target)]
    labels = {"image": data.digits, "speech": data.words, "text": data.digits}
    if target == "image":
        del labels["text"]  # an image has one caption of its own
    if target == "text":
        del labels["image"]
    return Pairing({name: everything[name] for name in order}, labels)


def image_latents(data: Digits, size: Size, seed: int) -> LatentSpace:
    """Train an autoencoder of images; return its latent space."""
    x = ImageEncoder().prepare(data.images)
    vae = image_vae(_LATENTS, width=size.widths[0], seed=seed)
    batches = Batches({"x": x}, 128, seed=seed)
    vae.fit(batches, steps=size.autoencoders[0], beta=0.05, seed=seed, progress=False)
    return LatentSpace(vae, x)


def image_generator(
    embeddings: Mapping[str, Tensor],
    data: Digits,
    space: LatentSpace,
    size: Size,
    steps: int,
    seed: int,
    condition: str = "query",
) -> LatentGenerator:
    """Train a flow of image latents, given embeddings of all items of the data."""
    latents = space.encode(ImageEncoder().prepare(data.images))
    batches = condition_batches(pairs_for(data, "image"), embeddings, latents, 256, seed=seed)
    flow = RectifiedFlow(space.dim, embeddings["image"].shape[1], width=size.widths[1], seed=seed)
    flow.fit(batches, steps=steps, seed=seed, progress=False)
    return LatentGenerator(space, flow, condition, guidance=2.0, guide_from=0.5, noise=size.noise)


def speech_generator(
    embeddings: Mapping[str, Tensor], data: Digits, sound: AudioEncoder, size: Size, seed: int
) -> LatentGenerator:
    """Train an autoencoder of spectrograms and a flow of its latents."""
    x = sound.prepare(data.waveforms)
    vae = speech_vae(x.shape[2], _LATENTS, width=size.widths[0], seed=seed)
    vae.fit(Batches({"x": x}, 64, seed=seed), steps=size.autoencoders[1], seed=seed, progress=False)
    space = LatentSpace(vae, x)
    pairs, latents = pairs_for(data, "speech"), space.encode(x)
    batches = condition_batches(pairs, embeddings, latents, 256, seed=seed)
    flow = RectifiedFlow(space.dim, embeddings["speech"].shape[1], width=size.widths[1], seed=seed)
    flow.fit(batches, steps=size.flows[1], seed=seed, progress=False)
    return LatentGenerator(space, flow, **_RECORDINGS)


def caption_generator(
    embeddings: Mapping[str, Tensor], data: Digits, tokenizer: Tokenizer, size: Size, seed: int
) -> CaptionDecoder:
    """Train a decoder of captions."""
    words = tokenizer.encode(data.texts)
    decoder = CaptionDecoder(tokenizer, embeddings["text"].shape[1], seed=seed)
    batches = condition_batches(pairs_for(data, "text"), embeddings, words, 128, seed=seed)
    decoder.fit(batches, steps=size.captions, seed=seed, progress=False)
    return decoder


def remember(
    memory: SimulatedMemory,
    keys: Callable[[Mapping], dict[str, Tensor]],
    data: Digits,
    rows: np.ndarray,
    space: LatentSpace,
    seed: int,
) -> None:
    """Write triples to memory: images, their captions, and recordings of their digits."""
    if not len(rows):
        return
    rng = np.random.default_rng(seed)
    own = [rng.choice(np.flatnonzero(data.words == digit)) for digit in data.digits[rows]]
    items = {
        "image": data.images[rows],
        "speech": [data.waveforms[i] for i in own],
        "text": [data.texts[i] for i in rows],
    }
    latents = space.encode(ImageEncoder().prepare(items["image"]))[0]
    memory.write(keys(items), {"image": items["image"]}, instance={"image": latents})


def balanced(digits: np.ndarray, each: int) -> np.ndarray:
    """Return the first rows of each digit, so that digit frequencies do not affect a metric."""
    return np.concatenate([np.flatnonzero(digits == digit)[:each] for digit in range(10)])
