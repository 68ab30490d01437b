"""Digits absent from training, generated after examples of them are written to memory."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from reproduction.claims import Claim, Experiment, Setting
from reproduction.experiments.generators import (
    ITEM,
    NAMES,
    SIZES,
    Size,
    balanced,
    evaluation_classifier,
    image_generator,
    image_latents,
    remember,
    without,
)
from reproduction.experiments.multimodal import Digits, embedder, load, untrained
from simmim_lite.encoders import ImageEncoder
from simmim_lite.evaluation import EvaluationClassifier
from simmim_lite.generation import (
    CrossModalGenerator,
    LatentGenerator,
    LatentSpace,
    WhitenedKeys,
)
from simmim_lite.manifold import deskew, oriented_gradients
from simmim_lite.memory import SimulatedMemory
from simmim_lite.multimodal import MultimodalInfoMax

ABSENT = (8, 9)  # digits that are not in the training of the generators
WRITTEN = (0, 1, 10, 100)  # pairs of each absent digit that are written to memory
_SHARE = 0.2  # of queries whose digit is new, if all ten digits are as frequent
_FINDING = {"share": _SHARE, "beta": 16.0}  # beta was chosen on training images
_ABLATIONS = (("learned", None), ("learned", _SHARE), ("gradients", None))
_KNOWN = ("speech", "text")  # queries for the digits that are not absent
_DRAWS = 3  # repetitions with a single written pair, because its choice matters much
_SEARCHED = {"image": "speech", "text": "speech"}  # speech shares nothing but the digit


def new_digits(setting: Setting) -> dict[str, float]:
    size, seed = SIZES[setting.full], setting.seed
    data, test = (load(split, full=setting.full) for split in ("train", "test"))
    return written(embedder(setting), data, test, size, seed, full=setting.full)


class Trained(NamedTuple):
    """An embedder, and a generator of images without the absent digits."""

    embedder: MultimodalInfoMax
    generator: LatentGenerator
    data: Digits
    absent: tuple[int, ...]
    space: LatentSpace
    size: Size
    seed: int

    def others(self, keys: WhitenedKeys | None = None) -> SimulatedMemory:
        """Return a memory of the other digits."""
        memory = SimulatedMemory(self.embedder.dim)
        rows = np.flatnonzero(~np.isin(self.data.digits, self.absent))[: self.size.remembered]
        project = keys or self.embedder.project
        remember(memory, project, self.data, rows, self.space, self.seed)
        return memory

    def after_writing(
        self, others: SimulatedMemory, count: int, draw: int = 0, **options: Any
    ) -> CrossModalGenerator:
        """Its memory holds the ``others``, and then ``count`` examples of each absent digit."""
        memory, keys = deepcopy(others), options.get("keys") or self.embedder.project
        made = CrossModalGenerator(self.embedder, {"image": self.generator}, memory, **options)
        rng = np.random.default_rng(100 * self.seed + draw)
        for digit in self.absent:
            rows = rng.permutation(np.flatnonzero(self.data.digits == digit))[:count]
            remember(memory, keys, self.data, rows, self.space, self.seed)
        return made


def written(
    model: MultimodalInfoMax,
    data: Digits,
    test: Digits,
    size: Size,
    seed: int,
    *,
    full: bool,
    absent: tuple[int, ...] = ABSENT,
) -> dict[str, float]:
    """Coherence of absent digits and of the others, by number of written pairs.

    First, only the generator was trained without the absent digits. Then, the embedder was, too.
    """
    part, classifier = without(data, absent), evaluation_classifier(data, "image", size, seed)
    space = image_latents(part, size, seed)
    # The vocabulary has all words; the words of the absent digits stay untrained.
    blind = untrained(data.texts, full=full, seed=seed)
    blind.fit(part.pairing(), steps=size.absent[0], seed=seed, progress=False)
    some = _some(part, size.remembered)
    keys = {
        "learned": WhitenedKeys(blind, some),
        "gradients": WhitenedKeys(blind, some, features={"image": gradients}),
    }
    of_kind = {
        "generator": (model, "key", WRITTEN, {"search": _SEARCHED}),
        "embedder": (blind, "query", WRITTEN[2:], _FINDING | {"keys": keys["gradients"]}),
    }
    found = {}
    for kind, (own, condition, counts, options) in of_kind.items():
        embeddings = own.project(part.pairing().items)
        target = image_generator(embeddings, part, space, size, size.absent[1], seed, condition)
        trained = Trained(own, target, data, absent, space, size, seed)
        memory, others = trained.others(options.get("keys")), []
        by_keys = {}
        if full and kind == "embedder":
            by_keys = {"gradients": memory, "learned": trained.others(keys["learned"])}
        for count in counts:
            fractions = []
            for draw in range(_DRAWS if count == 1 else 1):
                made = trained.after_writing(memory, count, draw, **options)
                fractions.append(_coherence(made, classifier, test, absent, size, new=True))
            for source in NAMES:
                mean = np.mean([fraction[source] for fraction in fractions])
                found[_new_id(kind, source, count)] = float(mean)
            known = _coherence(made, classifier, test, absent, size, new=False, of=_KNOWN)
            others.append(min(known.values()))
            for name, share in _ABLATIONS if by_keys else ():
                ablated = _FINDING | {"keys": keys[name], "share": share}
                made = trained.after_writing(by_keys[name], count, **ablated)
                values = _coherence(made, classifier, test, absent, size, new=True, of=("image",))
                found[_ablation_id(name, share, count)] = values["image"]
        found[f"other-digits-{kind}"] = min(others)
    return found


def gradients(images: np.ndarray) -> Tensor:
    """Features of images that were not learned: oriented gradients after removal of the slant."""
    x = ImageEncoder().prepare(images)
    return torch.cat([oriented_gradients(deskew(part)).flatten(1) for part in x.split(500)])


def _some(data: Digits, count: int) -> dict:
    return {
        "image": data.images[:count],
        "speech": data.waveforms[:count],
        "text": data.texts[:count],
    }


def _coherence(
    made: CrossModalGenerator,
    classifier: EvaluationClassifier,
    test: Digits,
    absent: tuple[int, ...],
    size: Size,
    *,
    new: bool,
    of: Sequence[str] = NAMES,
) -> dict[str, float]:
    """Coherence by source modality, of the absent digits (``new``) or of the others."""
    rows = balanced(test.digits, size.per_digit)
    rows = rows[np.isin(test.digits[rows], absent) == new]
    rows = rows if new else rows[:: len(rows) // 400 + 1]
    spoken = np.flatnonzero(np.isin(test.words, absent) == new)
    queries = {
        "image": (test.images[rows], test.digits[rows]),
        "text": ([test.texts[i] for i in rows], test.digits[rows]),
        "speech": ([test.waveforms[i] for i in spoken], test.words[spoken]),
    }
    found = {}
    for source in of:
        items, labels = queries[source]
        n = 4 if source == "speech" and new else 1
        samples = made.generate(items, source, "image", n=n).samples
        found[source] = classifier.coherence(samples, np.repeat(labels, n))
    return found


def _new_id(kind: str, source: str, count: int) -> str:
    return f"new-to-{kind}-{ITEM[source]}-{count}"


def _ablation_id(name: str, share: float | None, count: int) -> str:
    return f"{name}-keys{'-share' if share else ''}-{count}"


def _claims(*, full: bool) -> tuple[Claim, ...]:
    chance = {"truth": "chance level: 10 %", "source": "ten digits; independent classifier"}
    percent = {"unit": "%", "notebook": "10"}
    claims = []
    for source in NAMES:
        for count, least in zip(WRITTEN, (None, 0.85, 0.95, 0.97), strict=True):
            examples = f"{count} example{'s' * (count != 1)} in memory"
            claims.append(
                Claim(
                    id=_new_id("generator", source, count),
                    name=f"accuracy on digits new to the generator, {examples}, "
                    f"from {ITEM[source]}s",
                    at_least=least and (least if full else least - 0.1),
                    at_most=0.1 if count == 0 else None,
                    **chance,
                    **percent,
                )
            )
    planned = "measured while this kit was planned"
    for source, count, baseline, least in (
        ("speech", 100, "75 %", 0.85),
        ("text", 100, "100 %", 0.95),
        ("image", 100, "73 %", 0.95),
        ("image", 10, "", 0.85),
        ("speech", 10, "", None),
        ("text", 10, "", None),
    ):
        nearest = {"truth": f"nearest class mean of embeddings: {baseline}", "source": planned}
        claims.append(
            Claim(
                id=_new_id("embedder", source, count),
                name=f"accuracy on digits new to the embedder, {count} examples in memory, "
                f"from {ITEM[source]}s",
                at_least=least and (least if full else least - 0.1),
                **(nearest if full and baseline else chance),
                **percent,
            )
        )
    for count in WRITTEN[2:] if full else ():
        for name, share in _ABLATIONS:
            kind = "learned keys" if name == "learned" else "keys of gradients"
            kind += ", expected share" if share else ", no expected share"
            claims.append(
                Claim(
                    id=_ablation_id(name, share, count),
                    name=f"the same with {count} examples, from images, but {kind}",
                    **chance,
                    **percent,
                )
            )
    for kind, least in (("generator", 0.97 if full else 0.93), ("embedder", None)):
        claims.append(
            Claim(
                id=f"other-digits-{kind}",
                name=f"accuracy on the other digits, two digits new to the {kind}",
                at_least=least,
                **chance,
                **percent,
            )
        )
    return tuple(claims)


EXPERIMENTS = tuple(
    Experiment(
        "new-digits",
        _claims(full=full),
        new_digits,
        seeds=3 if full else 1,
        full=full,
        needs=("multimodal",),
    )
    for full in (True, False)
)
