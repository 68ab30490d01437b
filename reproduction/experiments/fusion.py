"""What modalities say together: damaged digits, a missing modality, and the sum of two digits.

The measurements of notebook 05, one seed each run: of encoders, fusions, and of which items meet.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn
from torch.nn.functional import pad

from reproduction.claims import Claim, Experiment, Setting
from simmim_lite.datasets import load_damaged_digits
from simmim_lite.encoders import AudioEncoder, ImageEncoder
from simmim_lite.fusion import FUSIONS, AverageFusion, BayesClassifier, FusedClassifier
from simmim_lite.multimodal import Pairing
from simmim_lite.training import Batches, fit

NAMES = ("image", "speech")
LEVELS = ((1.0, 60), (0.7, 6), (0.45, 0), (0.25, -6))  # share of the variance, dB: clean to strong
STRONG = len(LEVELS) - 1
LEARNED = tuple(kind for kind in FUSIONS if kind != "experts")
JOINT = ("gated", "concatenation", "bilinear", "attention")
SUMS = ("average", "weighted")

_SENSORS = Claim(
    "two noisy sensors: best learned fusion less Bayes' rule",
    "Bayes' rule, the best that there is: 0 points",
    "formula of notebook 05; scored on 100,000 rows",
    "points",
    at_least=-0.01,
    at_most=0.004,
    notebook="05",
    target=0.0,
)
_IMAGE = Claim("damaged image alone, right", "10 % by chance", "the same run", "%", notebook="05")
_SPEECH = Claim("damaged speech alone, right", "10 % by chance", "the same run", "%", notebook="05")
_BOTH = Claim(
    "both damaged, fusion chosen on validation data, right",
    "the better modality alone",
    "the same run",
    "%",
    notebook="05",
)
_GAIN = Claim(
    "both damaged, gain of fusion over the better modality",
    "0 points: no fusion",
    "the same run",
    "points",
    at_least=0.08,
    worst_at_least=0.06,
    notebook="05",
)
_KEPT = Claim(
    "a modality missing: what Bayes' rule loses against the other alone",
    "0 points: it says what the other says",
    "Bayes' rule",
    "points",
    at_most=0.0005,
    worst_at_most=0.0005,
    notebook="05",
)
_LOST = Claim(
    "a modality missing: what the worst learned fusion that met it in training loses",
    "0 points: a classifier of that modality alone",
    "the same run",
    "points",
    at_most=0.04,
    notebook="05",
)
_ONE_DIGIT = Claim(
    "last digit of a sum from one of the two digits, right",
    "10 % by chance, exactly",
    "counted over all pairs",
    "%",
    at_most=0.12,
    notebook="05",
    target=0.1,
)
_OPINIONS = Claim(
    "last digit of a sum by a sum of opinions, cross-entropy",
    "ln 10 = 2.303 nats, no better",
    "convexity, notebook 05",
    "nats",
    at_least=math.log(10) - 0.02,
    at_most=math.log(10) + 0.02,
    notebook="05",
    target=math.log(10),
)
_CEILING = Claim(
    "last digit of a sum by reading both digits and adding, right",
    "100 %, if no digit were misread",
    "the same run",
    "%",
    notebook="05",
)
_SYNERGY = Claim(
    "last digit of a sum by the worst of four joint fusions, right",
    "10 % by chance; to read both digits and add",
    "the same run",
    "%",
    at_least=0.93,
    worst_at_least=0.92,
    notebook="05",
)
_CLAIMS = (
    *(_SENSORS, _IMAGE, _SPEECH, _BOTH, _GAIN, _KEPT, _LOST),
    *(_ONE_DIGIT, _OPINIONS, _CEILING, _SYNERGY),
)


class _Encoded(NamedTuple):
    """Vectors (levels, N, 128) and labels (levels, N) of (modality, part).

    Parts are "train", "validation", "test", and "varied": clean training items, changed at random.
    """

    features: dict[tuple[str, str], Tensor]
    labels: dict[tuple[str, str], Tensor]
    heads: dict[str, nn.Module]  # which read a digit from a vector


def _measure(setting: Setting) -> dict[str, float]:
    encoded = _encode(setting)
    return _sensors(setting.seed) | _damaged(encoded, setting.seed) | _sum(encoded, setting.seed)


def _train(model, data, steps, *, augment=None, rate=2e-3, seed):
    batches = Batches(data, 128, seed=seed, transform=augment)
    options = {"weight_decay": 1e-2, "warmup": steps // 20, "seed": seed, "progress": False}
    fit(model, model.loss, batches, steps=steps, learning_rate=rate, device="cpu", **options)
    return model


def _fusion(kind: str, seed: int):
    """A fusion of both modalities, or a hidden layer over the one that is named."""
    if kind in NAMES:
        return FUSIONS["concatenation"]([kind], 128, seed=seed)
    return FUSIONS[kind](NAMES, 128, seed=seed)


def _right(answers: Tensor, labels: Tensor) -> float:
    return (answers.argmax(dim=1) == labels).double().mean().item()


def _sensors(seed: int) -> dict[str, float]:
    """Two readings of +1 or -1, each with a noise that it tells and that differs row by row."""
    generator = np.random.default_rng(seed)
    y = generator.choice([-1.0, 1.0], size=120_000)
    sigma = np.exp(generator.uniform(np.log([0.4, 0.8]), np.log([4.0, 8.0]), size=(len(y), 2)))
    read = y[:, None] + sigma * generator.normal(size=sigma.shape)
    values = pad(torch.tensor(np.stack([read, np.log(sigma)], axis=2)).float(), (0, 14)).unbind(1)
    rows = dict(zip(NAMES, values, strict=True)) | {"label": torch.tensor(y > 0).long()}
    seen = {name: value[:20_000] for name, value in rows.items()}
    new = {name: value[20_000:] for name, value in rows.items()}
    best = norm.cdf(np.sqrt((1 / sigma[20_000:] ** 2).sum(axis=1))).mean()
    reached = []
    for kind in ("gated", "concatenation", "attention"):
        model = FusedClassifier(FUSIONS[kind](NAMES, 16, seed=seed), 2, seed=seed)
        _train(model, seen, 400, rate=5e-3, seed=seed)
        reached.append(_right(model.predict(new), new["label"]))
    return {_SENSORS.name: max(reached) - best}


def _encode(setting: Setting) -> _Encoded:
    """Each encoder trained alone, with labels, on all levels of damage at once."""
    seed, generator = setting.seed, torch.Generator().manual_seed(setting.seed)
    encoders = {"image": ImageEncoder(turn=8, seed=seed), "speech": AudioEncoder(seed=seed)}
    items, labels, features, heads = {}, {}, {}, {}
    for split in ("train", "test"):
        damaged = [
            load_damaged_digits(split, energy=energy, snr_db=db, seed=place, full=setting.full)
            for place, (energy, db) in enumerate(LEVELS)
        ]
        images = [each.images for each in damaged]
        speech = [each.speech for each in damaged]
        raw = {"image": [each.images for each in images]}
        raw["speech"] = [each.waveforms for each in speech]
        for name, parts in (("image", images), ("speech", speech)):
            prepare = encoders[name].prepare
            items[name, split] = torch.stack([prepare(level) for level in raw[name]])
            labels[name, split] = torch.tensor(np.stack([part.labels for part in parts]))
        if split == "train":
            voices = speech[0].speakers
    held_out = {"image": np.arange(items["image", "train"].shape[1]) % 10 == 0}
    held_out["speech"] = np.isin(voices, np.unique(voices)[::9])
    usual = torch.tensor([0, 0, 0, 1, 2, 3])  # half of what an encoder meets is clean
    for name, encoder in encoders.items():
        for values in (items, labels):
            values[name, "validation"] = values[name, "train"][:, held_out[name]]
            values[name, "train"] = values[name, "train"][:, ~held_out[name]]
        rows = {name: items[name, "train"][usual].flatten(0, 1)}
        rows["label"] = labels[name, "train"][usual].flatten()
        reader = FusedClassifier(
            AverageFusion([name], 128), 10, encoders={name: encoder}, seed=seed
        )
        steps = 3500 if setting.full else 350
        _train(reader, rows, steps, augment=reader.augment, rate=4e-3, seed=seed)
        heads[name] = reader.head
        clean = items[name, "train"][0]
        varied = [encoder.augment(clean, generator) for _ in LEVELS]
        items[name, "varied"], labels[name, "varied"] = torch.stack(varied), labels[name, "train"]
    for (name, part), values in items.items():
        with torch.no_grad():
            chunks = [encoders[name].encode(chunk) for chunk in values.flatten(0, 1).split(1000)]
        features[name, part] = torch.cat(chunks).unflatten(0, values.shape[:2])
    return _Encoded(features, labels, heads)


def _damaged(encoded: _Encoded, seed: int) -> dict[str, float]:
    """Fusions trained with each modality left out at random, scored at the strongest damage."""
    features, labels = encoded.features, encoded.labels
    flat = {name: features[name, "train"].flatten(0, 1) for name in NAMES}
    classes = {name: labels[name, "train"].flatten() for name in NAMES}
    pairs = Pairing(flat, classes)
    rows = {"row": torch.arange(len(pairs)), "label": classes["image"]}

    def draw(batch, generator):
        chosen = pairs.indices(batch["row"], generator)
        return batch | {name: flat[name][at] for name, at in chosen.items()}

    models: dict[str, nn.Module] = {}
    for kind in (*NAMES, *LEARNED):
        model = FusedClassifier(_fusion(kind, seed), 10, drop=0.5, seed=seed)
        models[kind] = _train(model, rows, 200, augment=draw, seed=seed)
    models["experts"] = BayesClassifier({name: models[name] for name in NAMES}, 10)
    for name in NAMES:
        known = features[name, "validation"], labels[name, "validation"]
        models["experts"].calibrate(name, *(values.flatten(0, 1) for values in known))

    def score(part: str) -> dict[tuple[str, str], float]:
        """Of each model, both damaged and with one modality alone; five meetings an image."""
        known = {name: labels[name, part][0] for name in NAMES}
        five = torch.arange(len(known["image"])).repeat(5)
        met = Pairing(known, known).indices(five, torch.Generator().manual_seed(seed))
        rows = {name: features[name, part][STRONG][met[name]] for name in NAMES}
        truth = known["image"][met["image"]]
        cases = {"both": NAMES, "image": ("image",), "speech": ("speech",)}
        return {
            (kind, case): _right(model.predict({name: rows[name] for name in given}), truth)
            for kind, model in models.items()
            for case, given in cases.items()
            if kind not in NAMES or kind in given
        }

    validation, test = score("validation"), score("test")
    chosen = max((*LEARNED, "experts"), key=lambda kind: validation[kind, "both"])
    alone = {name: test[name, name] for name in NAMES}
    lost = {kind: max(alone[n] - test[kind, n] for n in NAMES) for kind in (*LEARNED, "experts")}
    return {
        _IMAGE.name: alone["image"],
        _SPEECH.name: alone["speech"],
        _BOTH.name: test[chosen, "both"],
        _GAIN.name: test[chosen, "both"] - max(alone.values()),
        _KEPT.name: abs(lost["experts"]),
        _LOST.name: max(lost[kind] for kind in LEARNED),
    }


def _sum(encoded: _Encoded, seed: int) -> dict[str, float]:
    """A clean image of one digit and a clean recording of another: the last digit of their sum."""
    features, labels = encoded.features, encoded.labels
    generator = torch.Generator().manual_seed(seed)
    pool: dict[str, dict[str, Tensor]] = {}
    for part, count, copies in (("varied", 50_000, len(LEVELS)), ("test", 20_000, 1)):
        known = {n: labels[n, part][:copies].flatten() for n in NAMES}
        at = {n: torch.randint(len(known[n]), (count,), generator=generator) for n in NAMES}
        pool[part] = {n: features[n, part][:copies].flatten(0, 1)[at[n]] for n in NAMES}
        pool[part]["label"] = sum(known[n][at[n]] for n in NAMES) % 10
    test, right, loss = pool["test"], {}, {}
    for kind in (*NAMES, *LEARNED):
        model = FusedClassifier(_fusion(kind, seed), 10, seed=seed)
        answers = _train(model, pool["varied"], 400, seed=seed).predict(test)
        right[kind], loss[kind] = _right(answers, test["label"]), model.loss(answers, test).item()
    digits = sum(encoded.heads[name](test[name]).argmax(dim=1) for name in NAMES) % 10
    return {
        _ONE_DIGIT.name: max(right[name] for name in NAMES),
        _OPINIONS.name: max(
            (loss[kind] for kind in SUMS), key=lambda nats: abs(nats - math.log(10))
        ),
        _CEILING.name: (digits == test["label"]).double().mean().item(),
        _SYNERGY.name: min(right[kind] for kind in JOINT),
    }


EXPERIMENTS = (Experiment("fusion", _CLAIMS, _measure, seeds=3),)
