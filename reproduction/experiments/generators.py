"""Judges, generators and memories as both experiments need them."""

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
_CODES = 32  # columns
# Samplers, chosen on items held out of training.
_IMAGES = {"guide_from": 0.5, "noise": 1.35}
_VOICES = {"guidance": 4.0, "guide_from": 0.3, "noise": 1.1}


class Size(NamedTuple):
    """Steps of all that is trained, widths, and how much is asked."""

    judges: tuple[int, int] = (250, 150)  # of images, of speech
    codes: tuple[int, int] = (1000, 300)  # of images, of speech
    flows: tuple[int, int] = (1600, 400)
    captions: int = 300
    arms: int = 80  # of the two that are compared with and without memory
    absent: tuple[int, int] = (300, 800)  # embedder that never saw the digits, flows
    widths: tuple[int, int] = (16, 256)  # of autoencoders, of flows
    remembered: int = 4000
    each: int = 100  # real test images of each digit
    heard: int = 480  # generated recordings that are judged
    guidance: float = 2.0  # of the sampler of images


SIZES = {
    False: Size(),
    True: Size(
        judges=(400, 300),
        codes=(1000, 400),
        flows=(2500, 1200),
        captions=1200,
        arms=400,
        absent=(1200, 1000),
        widths=(24, 320),
        remembered=5000,
        each=240,
        heard=600,
        guidance=3.0,
    ),
}


def judge(data: Digits, target: str, size: Size, seed: int) -> EvaluationClassifier:
    """Trained on real items, with seeds that no generator has."""
    if target == "image":
        found = EvaluationClassifier(
            ImageEncoder(width=24, turn=8.0, seed=1000 + seed), seed=1000 + seed
        )
        found.fit(data.images, data.digits, steps=size.judges[0], seed=1000 + seed, progress=False)
        return found
    found = EvaluationClassifier(AudioEncoder(width=64, seed=1000 + seed), seed=1000 + seed)
    found.fit(data.waveforms, data.words, steps=size.judges[1], seed=1000 + seed, progress=False)
    return found


def without(data: Digits, digits: tuple[int, ...]) -> Digits:
    """All items but those of some digits."""
    rows = np.flatnonzero(~np.isin(data.digits, digits))
    heard = np.flatnonzero(~np.isin(data.words, digits))
    return Digits(
        data.images[rows],
        data.digits[rows],
        [data.texts[i] for i in rows],
        [data.waveforms[i] for i in heard],
        data.words[heard],
    )


def pairs_for(data: Digits, target: str) -> Pairing:
    """With the target first: images have their own caption, and any recording of the digit."""
    everything = data.pairing().items
    order = [target, *(name for name in everything if name != target)]
    labels = {"image": data.digits, "speech": data.words, "text": data.digits}
    if target == "image":
        del labels["text"]  # each its own
    if target == "text":
        del labels["image"]
    return Pairing({name: everything[name] for name in order}, labels)


def image_codes(data: Digits, size: Size, seed: int) -> LatentSpace:
    x = ImageEncoder().prepare(data.images)
    vae = image_vae(_CODES, width=size.widths[0], seed=seed)
    batches = Batches({"x": x}, 128, seed=seed)
    vae.fit(batches, steps=size.codes[0], beta=0.05, seed=seed, progress=False)
    return LatentSpace(vae, x)


def image_generator(
    told: Mapping[str, Tensor],
    data: Digits,
    space: LatentSpace,
    size: Size,
    steps: int,
    seed: int,
    condition: str = "query",
) -> LatentGenerator:
    """``told``: embeddings of all items of the data."""
    codes = space.encode(ImageEncoder().prepare(data.images))
    batches = condition_batches(pairs_for(data, "image"), told, codes, 256, seed=seed)
    flow = RectifiedFlow(space.dim, told["image"].shape[1], width=size.widths[1], seed=seed)
    flow.fit(batches, steps=steps, seed=seed, progress=False)
    return LatentGenerator(space, flow, condition, guidance=size.guidance, **_IMAGES)


def speech_generator(
    told: Mapping[str, Tensor], data: Digits, sound: AudioEncoder, size: Size, seed: int
) -> LatentGenerator:
    x = sound.prepare(data.waveforms)
    vae = speech_vae(x.shape[2], _CODES, width=size.widths[0], seed=seed)
    vae.fit(Batches({"x": x}, 64, seed=seed), steps=size.codes[1], seed=seed, progress=False)
    space = LatentSpace(vae, x)
    batches = condition_batches(pairs_for(data, "speech"), told, space.encode(x), 256, seed=seed)
    flow = RectifiedFlow(space.dim, told["speech"].shape[1], width=size.widths[1], seed=seed)
    flow.fit(batches, steps=size.flows[1], seed=seed, progress=False)
    return LatentGenerator(space, flow, **_VOICES)


def caption_generator(
    told: Mapping[str, Tensor], data: Digits, tokenizer: Tokenizer, size: Size, seed: int
) -> CaptionDecoder:
    words = tokenizer.encode(data.texts)
    decoder = CaptionDecoder(tokenizer, told["text"].shape[1], seed=seed)
    batches = condition_batches(pairs_for(data, "text"), told, words, 128, seed=seed)
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
    """Write triples: images, their captions, and recordings of their digits."""
    if not len(rows):
        return
    rng = np.random.default_rng(seed)
    own = [rng.choice(np.flatnonzero(data.words == digit)) for digit in data.digits[rows]]
    items = {
        "image": data.images[rows],
        "speech": [data.waveforms[i] for i in own],
        "text": [data.texts[i] for i in rows],
    }
    codes = space.encode(ImageEncoder().prepare(items["image"]))[0]
    memory.write(keys(items), {"image": items["image"]}, instance={"image": codes})


def balanced(digits: np.ndarray, each: int) -> np.ndarray:
    """Rows of the first so many of each digit, so that no measure is one of their frequencies."""
    return np.concatenate([np.flatnonzero(digits == digit)[:each] for digit in range(10)])
