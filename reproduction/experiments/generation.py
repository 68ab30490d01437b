"""Six directions between images, recordings and captions; gain of a generator from memory."""

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
    evaluation_classifier,
    image_generator,
    image_latents,
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

_COPIED = 10_000  # highest number of training items that are compared with generated items


def six_directions(setting: Setting) -> dict[str, float]:
    data, test = (load(split, full=setting.full) for split in ("train", "test"))
    trial = Trial(embedder(setting), data, test, SIZES[setting.full], setting.seed)
    return trial.images() | trial.recordings() | trial.captions() | trial.memory_gain()


@dataclass(frozen=True)
class Trial:
    """Generators of all three modalities for one embedder, their queries and their metrics.

    There are equally many real test images of each digit. Half of the images, or their captions,
    are queries; generated images are compared with the other half.
    """

    model: MultimodalInfoMax
    data: Digits
    test: Digits
    size: Size
    seed: int

    @cached_property
    def embeddings(self) -> dict[str, Tensor]:
        return self.model.project(self.data.pairing().items)

    @cached_property
    def space(self) -> LatentSpace:
        return image_latents(self.data, self.size, self.seed)

    @cached_property
    def real_images(self) -> RealItems:
        rows = balanced(self.test.digits, self.size.per_digit)
        copied = np.random.default_rng(0).permutation(len(self.data.images))[:_COPIED]
        items, training_items = (
            ImageEncoder().prepare(images)
            for images in (self.test.images[rows], self.data.images[copied])
        )
        classifier = evaluation_classifier(self.data, "image", self.size, self.seed)
        return RealItems(classifier, items, self.test.digits[rows], training_items)

    @cached_property
    def queries(self) -> dict[str, tuple[Any, np.ndarray]]:
        """Items of each modality, and their digits."""
        rows = balanced(self.test.digits, self.size.per_digit)[self.real_images.halves[0].numpy()]
        digits, texts = self.test.digits[rows], [self.test.texts[i] for i in rows]
        return {
            "image": (self.test.images[rows], digits),
            "speech": (self.test.waveforms, self.test.words),
            "text": (texts, digits),
        }

    @property
    def images_per_recording(self) -> int:
        """As many generated images as real ones, about."""
        return max(1, round(len(self.real_images.halves[0]) / len(self.test.words)))

    @cached_property
    def spoken_queries(self) -> tuple[Tensor, np.ndarray]:
        """Embeddings of the test recordings, repeated, and their digits."""
        z = self.model.project({"speech": self.test.waveforms})["speech"]
        n = self.images_per_recording
        return z.repeat_interleave(n, dim=0), self.test.words.repeat(n)

    @cached_property
    def retrieved(self) -> Tensor:
        """Four similar remembered images for each spoken query: (N, 4, 1, 28, 28)."""
        memory = SimulatedMemory(self.model.dim)
        rows = np.arange(self.size.remembered)
        remember(memory, self.model.project, self.data, rows, self.space, self.seed)
        hits = memory.read(self.spoken_queries[0], "speech", 64, mode="attend", beta=32.0)
        draw = torch.Generator().manual_seed(self.seed)
        near = memory.style_neighbors(hits, "image", 4, generator=draw)
        found = ImageEncoder().prepare(np.array(near.values("image")).reshape(-1, 28, 28))
        return found.unflatten(0, (-1, 4))

    def images(self) -> dict[str, float]:
        """Images from recordings and captions, and controls that need no generator.

        Fréchet distances to real test images are divided by the distance of equally many real
        training images, which is about the smallest distance that a generator can reach.
        """
        size, real = self.size, self.real_images
        maker = image_generator(
            self.embeddings, self.data, self.space, size, size.flows[0], self.seed
        )
        generator = CrossModalGenerator(self.model, {"image": maker})
        digits = self.spoken_queries[1]
        order = np.random.default_rng(0).permutation(len(self.data.images))
        rows = order[balanced(self.data.digits[order], size.per_digit // 2)]
        training_images = ImageEncoder().prepare(self.data.images[rows])
        unit = real.measure(training_images, self.data.digits[rows])["frechet"]
        means = real.measure(self.retrieved.mean(dim=1), digits)["frechet"]
        copies = real.measure(self.retrieved[:, 0], digits)["frechet"]
        found = {
            "image-classifier": real.classifier.coherence(self.test.images, self.test.digits),
            "retrieved-images-frechet": copies / unit,
            "pixel-means-frechet": means / unit,
        }
        for source, n in {"speech": self.images_per_recording, "text": 1}.items():
            items, digits = self.queries[source]
            made = generator.generate(items, source, "image", n=n, seed=self.seed).samples
            measured = real.measure(made, np.repeat(digits, n))
            prefix = f"images-from-{ITEM[source]}s"
            found |= {
                f"{ITEM[source]}-to-image": measured["coherence"],
                f"{prefix}-coverage": measured["coverage"],
                f"{prefix}-diversity": measured["diversity"],
                f"{prefix}-copy-distance": measured["copy_distance"],
                f"{prefix}-frechet": measured["frechet"] / unit,
            }
        return found

    def recordings(self) -> dict[str, float]:
        """Recordings from images and captions; the digit is classified from the waveform."""
        sound, test = self.model.encoders["speech"], self.test
        maker = speech_generator(self.embeddings, self.data, sound, self.size, self.seed)
        generator = CrossModalGenerator(self.model, {"speech": maker})
        classifier = evaluation_classifier(self.data, "speech", self.size, self.seed)
        spectrograms, training_items = (sound.prepare(d.waveforms) for d in (test, self.data))
        real = RealItems(classifier, spectrograms, test.words, training_items)
        found = {"recording-classifier": classifier.coherence(test.waveforms, test.words)}
        for source in ("image", "text"):
            items, digits = (part[: self.size.recordings] for part in self.queries[source])
            made = generator.generate(items, source, "speech", seed=self.seed).samples
            measured = real.measure(made, digits)
            coherence = classifier.coherence(to_waveforms(made, sound), digits)
            found |= {
                f"{ITEM[source]}-to-recording": coherence,
                f"recordings-from-{ITEM[source]}s-coverage": measured["coverage"],
                f"recordings-from-{ITEM[source]}s-diversity": measured["diversity"],
            }
        return found

    def captions(self) -> dict[str, float]:
        """Captions from images and recordings; correct if the last word names the digit."""
        tokenizer = self.model.encoders["text"].tokenizer
        writer = caption_generator(self.embeddings, self.data, tokenizer, self.size, self.seed)
        generator = CrossModalGenerator(self.model, {"text": writer})
        examples = dict(zip(self.data.digits, self.data.texts, strict=True))
        found = {}
        for source in ("image", "speech"):
            items, digits = self.queries[source]
            texts = generator.generate(items, source, "text", seed=self.seed).samples
            correct = [
                text.split()[-1:] == examples[digit].split()[-1:]
                for text, digit in zip(texts, digits, strict=True)
            ]
            found[f"{ITEM[source]}-to-caption"] = float(np.mean(correct))
        return found

    def memory_gain(self) -> dict[str, float]:
        """Relative decrease of the Fréchet distance of a conditional autoencoder with a memory.

        Both autoencoders have the same weights at the start, steps and queries. The condition of
        one also has the mean latents of four retrieved images (in training, of the four nearest
        to the target); the condition of the other has zeros instead.
        """
        n = self.size.remembered
        part = self.data._replace(
            images=self.data.images[:n], digits=self.data.digits[:n], texts=self.data.texts[:n]
        )
        embeddings = {name: z if name == "speech" else z[:n] for name, z in self.embeddings.items()}
        x = ImageEncoder().prepare(part.images)
        near = neighbor_means(self.space.encode(x)[0], 4)
        latents = self.space.encode(self.retrieved.flatten(0, 1))[0].unflatten(0, (-1, 4))
        latents = latents.mean(dim=1)
        queries, digits = self.spoken_queries
        distances = []
        for with_memory in (0, 1):
            net = image_vae(24, self.model.dim + self.space.dim, width=16, seed=self.seed)
            options = {"latents": with_memory * near, "seed": self.seed}
            batches = condition_batches(pairs_for(part, "image"), embeddings, x, 64, **options)
            net.fit(batches, steps=self.size.ablation, seed=self.seed, progress=False)
            made = net.sample(make_condition(queries, with_memory * latents), seed=self.seed)
            distances.append(self.real_images.measure(made, digits)["frechet"])
        return {"memory-gain": 1 - distances[1] / distances[0]}


_CLASSIFIED = {"truth": "chance level: 10 %", "unit": "%", "notebook": "10"}
_REAL = {"source": "real test items of the same run", "notebook": "10"}
_IMAGE_METRICS = (  # metric, lower bound, reference value
    ("coverage", 0.6, "real items: at best 0.97"),
    ("diversity", 0.9, "real items: 1"),
    ("copy distance", 0.9, "real items: 1; a copy: 0"),
)
_FRECHET = {"truth": "real training images: 1", **_REAL}
_FRECHET_NAME = "Fréchet distance over that of real training images"


def _claims(*, full: bool) -> tuple[Claim, ...]:
    claims = [
        Claim(
            id=f"{item}-classifier",
            name=f"accuracy of the evaluation classifier on real {item}s",
            source="real test items",
            **_CLASSIFIED,
        )
        for item in ("image", "recording")
    ]
    for source, target, bounds in (  # bounds on the embedded and on the full data
        ("recording", "image", (0.95, 0.97)),
        ("caption", "image", (0.97, 0.99)),
        ("image", "recording", (0.9, 0.95)),
        ("caption", "recording", (0.9, 0.95)),
        ("image", "caption", (0.95, 0.98)),
        ("recording", "caption", (0.95, 0.98)),
    ):
        claims.append(
            Claim(
                id=f"{source}-to-{target}",
                name=f"digit accuracy of {target}s generated from {source}s",
                source="ten digits; independent classifier",
                at_least=bounds[full],
                **_CLASSIFIED,
            )
        )
    for source in ("recordings", "captions"):
        for metric, least, truth in _IMAGE_METRICS:
            claims.append(
                Claim(
                    id=f"images-from-{source}-{metric.replace(' ', '-')}",
                    name=f"{metric} of images generated from {source}",
                    truth=truth,
                    at_least=least if full else min(least, 0.85),
                    **_REAL,
                )
            )
    for source in ("recordings", "captions"):
        claims.append(
            Claim(
                id=f"images-from-{source}-frechet",
                name=f"images generated from {source}: {_FRECHET_NAME}",
                at_most=5 / 3,
                **_FRECHET,
            )
        )
    for control, name in (  # controls have no bound
        ("retrieved-images", "retrieved images"),
        ("pixel-means", "pixel means of four retrieved images"),
    ):
        claims.append(Claim(id=f"{control}-frechet", name=f"{name}: {_FRECHET_NAME}", **_FRECHET))
    for source in ("images", "captions"):
        for metric, _, truth in _IMAGE_METRICS[:2]:
            claims.append(
                Claim(
                    id=f"recordings-from-{source}-{metric}",
                    name=f"{metric} of recordings generated from {source}",
                    truth=truth,
                    **_REAL,
                )
            )
    claims.append(
        Claim(
            id="memory-gain",
            name="decrease of the Fréchet distance of an autoencoder by adding memory",
            truth="no effect: 0 %",
            source="same initial weights, steps and queries",
            unit="%",
            at_least=0.25,
            worst_at_least=0.0,
            notebook="10",
        )
    )
    return tuple(claims)


EXPERIMENTS = tuple(
    Experiment(
        "generation",
        _claims(full=full),
        six_directions,
        seeds=3 if full else 1,
        full=full,
        needs=("multimodal",),
    )
    for full in (True, False)
)
