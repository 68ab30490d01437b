"""Six directions between images, recordings and captions, and what memory adds to a generator."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reproduction.claims import Claim, Experiment, Setting
from reproduction.experiments.generators import (
    ITEM,
    SIZES,
    Size,
    balanced,
    caption_generator,
    image_codes,
    image_generator,
    judge,
    pairs_for,
    remember,
    speech_generator,
)
from reproduction.experiments.multimodal import Digits, embedder, load
from simmim_lite.encoders import ImageEncoder
from simmim_lite.evaluation import RealItems
from simmim_lite.generation import (
    CrossModalGenerator,
    LatentSpace,
    condition_batches,
    image_vae,
    make_condition,
    neighbor_means,
    to_waveforms,
)
from simmim_lite.memory import SimulatedMemory
from simmim_lite.multimodal import MultimodalInfoMax

_COPIED = 10_000  # training items at most, among which a copy is looked for


def six_directions(setting: Setting) -> dict[str, float]:
    """What `claims_of_directions` claims."""
    data, test = (load(split, full=setting.full) for split in ("train", "test"))
    trial = Trial(embedder(setting), data, test, SIZES[setting.full], setting.seed)
    return trial.images() | trial.recordings() | trial.captions() | trial.memory_gain()


@dataclass(frozen=True)
class Trial:
    """Generators of all three modalities for one embedder, and how they are asked and judged.

    Real test images are as many of each digit. Half of them, or their captions, are the queries;
    what is made is compared with the other half.
    """

    model: MultimodalInfoMax
    data: Digits
    test: Digits
    size: Size
    seed: int

    @cached_property
    def told(self) -> dict[str, Tensor]:
        return self.model.project(self.data.pairing().items)

    @cached_property
    def space(self) -> LatentSpace:
        return image_codes(self.data, self.size, self.seed)

    @cached_property
    def truth(self) -> RealItems:
        rows = balanced(self.test.digits, self.size.each)
        copied = np.random.default_rng(0).permutation(len(self.data.images))[:_COPIED]
        items, known = (
            ImageEncoder().prepare(images)
            for images in (self.test.images[rows], self.data.images[copied])
        )
        found = judge(self.data, "image", self.size, self.seed)
        return RealItems(found, items, self.test.digits[rows], known)

    @cached_property
    def queries(self) -> dict[str, tuple[Any, np.ndarray]]:
        """Items of each modality, and their digits."""
        rows = balanced(self.test.digits, self.size.each)[self.truth.halves[0].numpy()]
        digits, texts = self.test.digits[rows], [self.test.texts[i] for i in rows]
        spoken = self.test.waveforms, self.test.words
        return {
            "image": (self.test.images[rows], digits),
            "speech": spoken,
            "text": (texts, digits),
        }

    @property
    def voicings(self) -> int:
        """Images for each recording, so that they are about as many as the real ones."""
        return max(1, round(len(self.truth.halves[0]) / len(self.test.words)))

    @cached_property
    def heard(self) -> tuple[Tensor, np.ndarray]:
        """Embeddings of the test recordings, repeated, and the digits that they say."""
        z = self.model.project({"speech": self.test.waveforms})["speech"]
        return z.repeat_interleave(self.voicings, dim=0), self.test.words.repeat(self.voicings)

    @cached_property
    def retrieved(self) -> Tensor:
        """For each of those, four remembered images that are alike: (N, 4, 1, 28, 28)."""
        memory = SimulatedMemory(self.model.dim)
        rows = np.arange(self.size.remembered)
        remember(memory, self.model.project, self.data, rows, self.space, self.seed)
        hits = memory.read(self.heard[0], "speech", 64, mode="attend", beta=32.0)
        draw = torch.Generator().manual_seed(self.seed)
        near = memory.style_neighbors(hits, "image", 4, generator=draw)
        found = ImageEncoder().prepare(np.array(near.values("image")).reshape(-1, 28, 28))
        return found.unflatten(0, (-1, 4))

    def images(self) -> dict[str, float]:
        """From recordings and captions, beside images that no generator made.

        Fréchet distances to real test images are in units of that of as many real training images:
        nearer than these is nobody who learned from them.
        """
        args = self.told, self.data, self.space, self.size
        maker = image_generator(*args, self.size.flows[0], self.seed)
        generator = CrossModalGenerator(self.model, {"image": maker})
        digits, order = self.heard[1], np.random.default_rng(0).permutation(len(self.data.images))
        rows = order[balanced(self.data.digits[order], self.size.each // 2)]
        real = ImageEncoder().prepare(self.data.images[rows])
        floor = self.truth.measure(real, self.data.digits[rows])["frechet"]
        means = self.truth.measure(self.retrieved.mean(dim=1), digits)["frechet"]
        copies = self.truth.measure(self.retrieved[:, 0], digits)["frechet"]
        right = self.truth.judge.coherence(self.test.images, self.test.digits)
        found = {
            "judge of images, real ones": right,
            _image("retrieved", _FLOORS): copies / floor,
            _image("pixel mean", _FLOORS): means / floor,
        }
        for source, n in {"speech": self.voicings, "text": 1}.items():
            items, digits = self.queries[source]
            made = generator.generate(items, source, "image", n=n, seed=self.seed).samples
            measured = self.truth.measure(made, np.repeat(digits, n))
            found |= {
                _direction(source, "image"): measured["coherence"],
                _image(source, "coverage"): measured["coverage"],
                _image(source, "diversity"): measured["diversity"],
                _image(source, "copy distance"): measured["copy_distance"],
                _image(source, _FLOORS): measured["frechet"] / floor,
            }
        return found

    def recordings(self) -> dict[str, float]:
        """From images and captions; the digit is judged from the waveform, analyzed anew."""
        sound, test = self.model.encoders["speech"], self.test
        maker = speech_generator(self.told, self.data, sound, self.size, self.seed)
        generator = CrossModalGenerator(self.model, {"speech": maker})
        listener = judge(self.data, "speech", self.size, self.seed)
        real, known = (sound.prepare(part.waveforms) for part in (test, self.data))
        voices = RealItems(listener, real, test.words, known)
        found = {"judge of recordings, real ones": listener.coherence(test.waveforms, test.words)}
        for source in ("image", "text"):
            items, digits = (part[: self.size.heard] for part in self.queries[source])
            made = generator.generate(items, source, "speech", seed=self.seed).samples
            measured = voices.measure(made, digits)
            right = listener.coherence(to_waveforms(made, sound), digits)
            found |= {
                _direction(source, "speech"): right,
                _recording(source, "coverage"): measured["coverage"],
                _recording(source, "diversity"): measured["diversity"],
            }
        return found

    def captions(self) -> dict[str, float]:
        """From images and recordings; right if the last word is that of the digit."""
        tokenizer = self.model.encoders["text"].tokenizer
        writer = caption_generator(self.told, self.data, tokenizer, self.size, self.seed)
        generator = CrossModalGenerator(self.model, {"text": writer})
        named = dict(zip(self.data.digits, self.data.texts, strict=True))
        found = {}
        for source in ("image", "speech"):
            items, digits = self.queries[source]
            said = generator.generate(items, source, "text", seed=self.seed).samples
            right = [
                s.split()[-1:] == named[d].split()[-1:] for s, d in zip(said, digits, strict=True)
            ]
            found[_direction(source, "text")] = float(np.mean(right))
        return found

    def memory_gain(self) -> dict[str, float]:
        """Share of its Fréchet distance that a conditional autoencoder loses with a memory.

        Both arms have the same weights, steps and queries. One is also told the mean code of four
        retrieved images (in training, of the four nearest to the target), the other zeros.
        """
        n = self.size.remembered
        part = self.data._replace(
            images=self.data.images[:n], digits=self.data.digits[:n], texts=self.data.texts[:n]
        )
        told = {name: z if name == "speech" else z[:n] for name, z in self.told.items()}
        x = ImageEncoder().prepare(part.images)
        near = neighbor_means(self.space.encode(x)[0], 4)
        codes = self.space.encode(self.retrieved.flatten(0, 1))[0].unflatten(0, (-1, 4)).mean(dim=1)
        heard, digits = self.heard
        distances = []
        for loud in (0, 1):
            net = image_vae(24, self.model.dim + self.space.dim, width=16, seed=self.seed)
            options = {"codes": loud * near, "seed": self.seed}
            batches = condition_batches(pairs_for(part, "image"), told, x, 64, **options)
            net.fit(batches, steps=self.size.arms, seed=self.seed, progress=False)
            made = net.sample(make_condition(heard, loud * codes), seed=self.seed)
            distances.append(self.truth.measure(made, digits)["frechet"])
        return {_GAIN: 1 - distances[1] / distances[0]}


# What is claimed


def claims_of_directions(*, full: bool) -> tuple[Claim, ...]:
    chance, judged = "10 % by chance", "ten digits; an independent judge"
    claims = [
        Claim("judge of images, real ones", chance, "real test items", "%", notebook="09"),
        Claim("judge of recordings, real ones", chance, "real test items", "%", notebook="09"),
    ]
    bars = {
        ("speech", "image"): (0.97, 0.95),
        ("text", "image"): (0.99, 0.97),
        ("image", "speech"): (0.95, 0.9),
        ("text", "speech"): (0.95, 0.9),
        ("image", "text"): (0.98, 0.95),
        ("speech", "text"): (0.98, 0.95),
    }
    for (source, target), bar in bars.items():
        least = bar[0] if full else bar[1]
        name = _direction(source, target)
        claims.append(Claim(name, chance, judged, "%", at_least=least, notebook="09"))
    same = "real test items of the same run"
    for source in ("speech", "text"):
        for name, least, truth in (
            ("coverage", 0.6, "real: 0.97 at best"),
            ("diversity", 0.9, "real: 1"),
            ("copy distance", 0.9, "real: 1, a copy: 0"),
        ):
            bar = least if full else min(least, 0.85)
            claims.append(Claim(_image(source, name), truth, same, at_least=bar, notebook="09"))
    for source in ("speech", "text", "retrieved", "pixel mean"):
        most = 5 / 3 if source in ITEM else None  # controls are what they are
        name, truth = _image(source, _FLOORS), "real training images: 1"
        claims.append(Claim(name, truth, same, at_most=most, notebook="09"))
    for source in ("image", "text"):
        for name, truth in (("coverage", "real: 0.97 at best"), ("diversity", "real: 1")):
            claims.append(Claim(_recording(source, name), truth, same, notebook="09"))
    gain = {"unit": "%", "at_least": 0.25, "worst_at_least": 0.0, "notebook": "09"}
    equal = "same weights, steps and queries"
    return (*claims, Claim(_GAIN, "0 % without effect", equal, **gain))


_GAIN = "memory lowers a plain network's Fréchet distance by"
_FLOORS = "Fréchet distance, in units of real training images'"


def _direction(source: str, target: str) -> str:
    return f"{ITEM[source]} to {ITEM[target]}, digit is right"


def _image(source: str, name: str) -> str:
    whose = {"retrieved": "retrieved images", "pixel mean": "means of four retrieved images"}
    return f"{whose.get(source) or f'images from {ITEM[source]}s'}: {name}"


def _recording(source: str, name: str) -> str:
    return f"recordings from {ITEM[source]}s: {name}"


EXPERIMENTS = (
    Experiment(
        "generation",
        claims_of_directions(full=True),
        six_directions,
        seeds=3,
        full=True,
        needs=("multimodal",),
    ),
    Experiment(
        "generation",
        claims_of_directions(full=False),
        six_directions,
        full=False,
        needs=("multimodal",),
    ),
)
