"""Digits that no generator was trained on, drawn once examples of them are written to memory."""

import numpy as np

from reproduction.claims import Claim, Experiment, Setting
from reproduction.experiments.generators import (
    ITEM,
    NAMES,
    SIZES,
    Size,
    balanced,
    image_codes,
    image_generator,
    judge,
    remember,
    without,
)
from reproduction.experiments.multimodal import Digits, embedder, load, untrained
from simmim_lite.evaluation import EvaluationClassifier
from simmim_lite.generation import CrossModalGenerator, WhitenedKeys
from simmim_lite.memory import SimulatedMemory
from simmim_lite.multimodal import MultimodalInfoMax

ABSENT = (8, 9)  # digits that the generators of the second experiment never see
WRITTEN = (0, 1, 10, 100)  # pairs of each of them that are written to memory
_DRAWS = 3  # of a single written pair: which one it is decides much
_TELLS_CLASS = {"image": "speech", "text": "speech"}  # speech shares nothing but the digit


def new_digits(setting: Setting) -> dict[str, float]:
    size, seed = SIZES[setting.full], setting.seed
    data, test = (load(split, full=setting.full) for split in ("train", "test"))
    return written(embedder(setting), data, test, size, seed, full=setting.full)


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
    """Coherence of absent digits and of the others, by how many were written."""
    seen, images = without(data, absent), judge(data, "image", size, seed)
    space = image_codes(seen, size, seed)
    found = {}
    blind = untrained(data.texts, full=full, seed=seed)  # its words: all, those of the absent raw
    blind.fit(seen.pairing(), steps=size.absent[0], seed=seed, progress=False)
    for knowing, own in ((True, model), (False, blind)):
        told = own.project(seen.pairing().items)
        condition = "key" if knowing else "query"
        target = image_generator(told, seen, space, size, size.absent[1], seed, condition)
        keys = None if knowing else WhitenedKeys(own, _some(seen, size.remembered))
        search = _TELLS_CLASS if knowing else None
        others = []
        for count in WRITTEN if knowing else WRITTEN[-1:]:
            shares = []
            for draw in range(_DRAWS if count == 1 else 1):
                memory = SimulatedMemory(own.dim)
                old = np.flatnonzero(~np.isin(data.digits, absent))[: size.remembered]
                remember(memory, keys or own.project, data, old, space, seed)
                made = CrossModalGenerator(own, {"image": target}, memory, search=search, keys=keys)
                rng = np.random.default_rng(100 * seed + draw)
                for digit in absent:
                    rows = rng.permutation(np.flatnonzero(data.digits == digit))[:count]
                    remember(memory, keys or own.project, data, rows, space, seed)
                shares.append(_asked_for(made, images, test, absent, size, new=True))
            for source in NAMES:
                name = _new_name(source, count, knowing)
                found[name] = float(np.mean([share[source] for share in shares]))
            others.append(_asked_for(made, images, test, absent, size, new=False))
        name = _others_name(knowing)
        found[name] = min(share[source] for share in others for source in ("speech", "text"))
    return found


def _some(data: Digits, count: int) -> dict:
    return {
        "image": data.images[:count],
        "speech": data.waveforms[:count],
        "text": data.texts[:count],
    }


def _asked_for(
    made: CrossModalGenerator,
    images: EvaluationClassifier,
    test: Digits,
    absent: tuple[int, ...],
    size: Size,
    *,
    new: bool,
) -> dict[str, float]:
    """Coherence by source, of the absent digits or of the others."""
    rows = balanced(test.digits, size.each)
    rows = rows[np.isin(test.digits[rows], absent) == new]
    rows = rows if new else rows[:: len(rows) // 400 + 1]
    heard = np.flatnonzero(np.isin(test.words, absent) == new)
    queries = {
        "image": (test.images[rows], test.digits[rows]),
        "text": ([test.texts[i] for i in rows], test.digits[rows]),
        "speech": ([test.waveforms[i] for i in heard], test.words[heard]),
    }
    found = {}
    for source, (items, labels) in queries.items():
        n = 4 if source == "speech" and new else 1
        samples = made.generate(items, source, "image", n=n).samples
        found[source] = images.coherence(samples, np.repeat(labels, n))
    return found


# What is claimed


def _new_name(source: str, count: int, knowing: bool) -> str:
    whose = "" if knowing else " new to the embedder"
    return f"digits{whose or ' new to the generator'}, {count} written, from {ITEM[source]}s"


def _others_name(knowing: bool) -> str:
    return f"other digits, beside those new to the {'generator' if knowing else 'embedder'}"


def claims_of_new_digits(*, full: bool) -> tuple[Claim, ...]:
    chance, judged = "10 % by chance", "ten digits; an independent judge"
    claims = []
    for source in NAMES:
        for count, least in zip(WRITTEN, (None, 0.85, 0.95, 0.97), strict=True):
            claims.append(
                Claim(
                    _new_name(source, count, True),
                    chance,
                    judged,
                    "%",
                    at_least=least and (least if full else least - 0.1),
                    at_most=0.1 if count == 0 else None,
                    notebook="09",
                )
            )
    truths = {"speech": ("75 %", 0.85), "text": ("100 %", 0.95), "image": ("73 %", 0.85)}
    for source, (truth, least) in truths.items():
        claims.append(
            Claim(
                _new_name(source, WRITTEN[-1], False),
                f"nearest class mean of embeddings: {truth}" if full else chance,
                "measured while this kit was planned" if full else judged,
                "%",
                at_least=least if full else least - 0.1,
                notebook="09",
            )
        )
    for knowing in (True, False):
        least = (0.97 if full else 0.93) if knowing else None
        claims.append(
            Claim(_others_name(knowing), chance, judged, "%", at_least=least, notebook="09")
        )
    return tuple(claims)


EXPERIMENTS = (
    Experiment(
        "new-digits",
        claims_of_new_digits(full=True),
        new_digits,
        seeds=3,
        full=True,
        needs=("multimodal",),
    ),
    Experiment(
        "new-digits",
        claims_of_new_digits(full=False),
        new_digits,
        full=False,
        needs=("multimodal",),
    ),
)
