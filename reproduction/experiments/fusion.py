"""Fusion: degraded digits, a missing modality, and the last digit of a sum of two digits.

The measurements of notebook 05. The seed of a run sets the weights of encoders and fusions, and
which items are paired.
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
LEVELS = ((1.0, 60), (0.7, 6), (0.45, 0), (0.25, -6))  # kept variance, SNR in dB: clean to strong
STRONG = len(LEVELS) - 1
LEARNED = tuple(kind for kind in FUSIONS if kind != "experts")
JOINT = ("gated", "concatenation", "bilinear", "attention")
ADDITIVE = ("average", "weighted")

_SUM = "(digit + digit) mod 10"
_CLAIMS = (
    Claim(
        id="sensors-best-minus-bayes",
        name="accuracy with two noisy sensors, best learned fusion minus Bayes' rule",
        truth="Bayes' rule, the best possible: 0 points",
        source="formula of notebook 05; scored on 100,000 rows",
        unit="points",
        at_least=-0.01,
        at_most=0.004,
        notebook="05",
        target=0.0,
    ),
    Claim(
        id="degraded-image",
        name="accuracy, degraded image alone",
        truth="chance level: 10 %",
        source="the same run",
        unit="%",
        notebook="05",
    ),
    Claim(
        id="degraded-speech",
        name="accuracy, degraded speech alone",
        truth="chance level: 10 %",
        source="the same run",
        unit="%",
        notebook="05",
    ),
    Claim(
        id="both-degraded",
        name="accuracy of the fusion chosen on validation data, both inputs degraded",
        truth="the better single modality",
        source="the same run",
        unit="%",
        notebook="05",
    ),
    Claim(
        id="gain-both-degraded",
        name="accuracy gain of fusion over the better single modality, both inputs degraded",
        truth="no fusion: 0 points",
        source="the same run",
        unit="points",
        at_least=0.08,
        worst_at_least=0.06,
        notebook="05",
    ),
    Claim(
        id="missing-bayes",
        name="one modality missing, accuracy lost by Bayes' rule",
        truth="classifier of the other modality: 0 points",
        source="Bayes' rule",
        unit="points",
        at_most=0.0005,
        worst_at_most=0.0005,
        notebook="05",
    ),
    Claim(
        id="missing-learned",
        name="one modality missing, accuracy lost by the worst fusion trained with modality "
        "dropout",
        truth="classifier of the other modality: 0 points",
        source="the same run",
        unit="points",
        at_most=0.04,
        notebook="05",
    ),
    Claim(
        id="sum-one-digit",
        name=f"accuracy on {_SUM} from one of the two digits",
        truth="chance level, exact: 10 %",
        source="counted over all pairs",
        unit="%",
        at_most=0.12,
        notebook="05",
        target=0.1,
    ),
    Claim(
        id="sum-additive",
        name=f"cross-entropy on {_SUM}, additive fusions",
        truth="best possible for a sum of two scores: ln 10 = 2.303 nats",
        source="convexity, notebook 05",
        unit="nats",
        at_least=math.log(10) - 0.02,
        at_most=math.log(10) + 0.02,
        notebook="05",
        target=math.log(10),
    ),
    Claim(
        id="sum-from-digits",
        name=f"accuracy on {_SUM}, both digits classified and then added",
        truth="without any misclassified digit: 100 %",
        source="the same run",
        unit="%",
        notebook="05",
    ),
    Claim(
        id="sum-joint",
        name=f"accuracy on {_SUM}, worst of four joint fusions",
        truth="chance level: 10 %; upper bound: both digits classified and added",
        source="the same run",
        unit="%",
        at_least=0.93,
        worst_at_least=0.92,
        notebook="05",
    ),
)


class _Encoded(NamedTuple):
    """Features (levels, N, 128) and labels (levels, N) by (modality, part).

    Parts are "train", "validation", "test", and "varied": clean training items, augmented.
    """

    features: dict[tuple[str, str], Tensor]
    labels: dict[tuple[str, str], Tensor]
    heads: dict[str, nn.Module]  # from features to logits of the digit


def _measure(setting: Setting) -> dict[str, float]:
    encoded = _encode(setting)
    return _sensors(setting.seed) | _degraded(encoded, setting.seed) | _sum(encoded, setting.seed)


def _train(model, data, steps, *, transform=None, rate=2e-3, seed):
    batches = Batches(data, 128, seed=seed, transform=transform)
    options = {"weight_decay": 1e-2, "warmup": steps // 20, "seed": seed, "progress": False}
    fit(model, model.loss, batches, steps=steps, learning_rate=rate, device="cpu", **options)
    return model


def _fusion(kind: str, seed: int):
    """Return a fusion of both modalities, or a hidden layer over a single named modality."""
    if kind in NAMES:
        return FUSIONS["concatenation"]([kind], 128, seed=seed)
    return FUSIONS[kind](NAMES, 128, seed=seed)


def _accuracy(logits: Tensor, labels: Tensor) -> float:
    return (logits.argmax(dim=1) == labels).double().mean().item()


def _sensors(seed: int) -> dict[str, float]:
    """Two noisy readings of +1 or -1; each row has its own noise levels, given to the fusion."""
    generator = np.random.default_rng(seed)
    y = generator.choice([-1.0, 1.0], size=120_000)
    sigma = np.exp(generator.uniform(np.log([0.4, 0.8]), np.log([4.0, 8.0]), size=(len(y), 2)))
    reading = y[:, None] + sigma * generator.normal(size=sigma.shape)
    columns = torch.tensor(np.stack([reading, np.log(sigma)], axis=2)).float()
    values = pad(columns, (0, 14)).unbind(1)
    rows = dict(zip(NAMES, values, strict=True)) | {"label": torch.tensor(y > 0).long()}
    train = {name: value[:20_000] for name, value in rows.items()}
    test = {name: value[20_000:] for name, value in rows.items()}
    bayes = norm.cdf(np.sqrt((1 / sigma[20_000:] ** 2).sum(axis=1))).mean()
    reached = []
    for kind in ("gated", "concatenation", "attention"):
        model = FusedClassifier(FUSIONS[kind](NAMES, 16, seed=seed), 2, seed=seed)
        _train(model, train, 400, rate=5e-3, seed=seed)
        reached.append(_accuracy(model.predict(test), test["label"]))
    return {"sensors-best-minus-bayes": max(reached) - bayes}


def _encode(setting: Setting) -> _Encoded:
    """Train each encoder alone, with labels, on all levels of degradation; encode all items."""
    seed, generator = setting.seed, torch.Generator().manual_seed(setting.seed)
    encoders = {"image": ImageEncoder(turn=8, seed=seed), "speech": AudioEncoder(seed=seed)}
    items, labels, features, heads = {}, {}, {}, {}
    for split in ("train", "test"):
        degraded = [
            load_damaged_digits(split, energy=energy, snr_db=db, seed=level, full=setting.full)
            for level, (energy, db) in enumerate(LEVELS)
        ]
        images = [each.images for each in degraded]
        speech = [each.speech for each in degraded]
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
    mixture = torch.tensor([0, 0, 0, 1, 2, 3])  # levels: half of the training items are clean
    for name, encoder in encoders.items():
        for values in (items, labels):
            values[name, "validation"] = values[name, "train"][:, held_out[name]]
            values[name, "train"] = values[name, "train"][:, ~held_out[name]]
        rows = {name: items[name, "train"][mixture].flatten(0, 1)}
        rows["label"] = labels[name, "train"][mixture].flatten()
        classifier = FusedClassifier(
            AverageFusion([name], 128), 10, encoders={name: encoder}, seed=seed
        )
        steps = 3500 if setting.full else 350
        _train(classifier, rows, steps, transform=classifier.augment, rate=4e-3, seed=seed)
        heads[name] = classifier.head
        clean = items[name, "train"][0]
        varied = [encoder.augment(clean, generator) for _ in LEVELS]
        items[name, "varied"], labels[name, "varied"] = torch.stack(varied), labels[name, "train"]
    for (name, part), values in items.items():
        with torch.no_grad():
            chunks = [encoders[name].encode(chunk) for chunk in values.flatten(0, 1).split(1000)]
        features[name, part] = torch.cat(chunks).unflatten(0, values.shape[:2])
    return _Encoded(features, labels, heads)


def _degraded(encoded: _Encoded, seed: int) -> dict[str, float]:
    """Train fusions with modality dropout; score them at the strongest degradation."""
    features, labels = encoded.features, encoded.labels
    flat = {name: features[name, "train"].flatten(0, 1) for name in NAMES}
    classes = {name: labels[name, "train"].flatten() for name in NAMES}
    pairs = Pairing(flat, classes)
    rows = {"row": torch.arange(len(pairs)), "label": classes["image"]}

    def draw(batch, generator):
        drawn = pairs.indices(batch["row"], generator)
        return batch | {name: flat[name][index] for name, index in drawn.items()}

    models: dict[str, nn.Module] = {}
    for kind in (*NAMES, *LEARNED):
        model = FusedClassifier(_fusion(kind, seed), 10, drop=0.5, seed=seed)
        models[kind] = _train(model, rows, 200, transform=draw, seed=seed)
    models["experts"] = BayesClassifier({name: models[name] for name in NAMES}, 10)
    for name in NAMES:
        known = features[name, "validation"], labels[name, "validation"]
        models["experts"].calibrate(name, *(values.flatten(0, 1) for values in known))

    def score(part: str) -> dict[tuple[str, str], float]:
        """Accuracy by (fusion, modalities), both degraded; five recordings for each image."""
        known = {name: labels[name, part][0] for name in NAMES}
        five = torch.arange(len(known["image"])).repeat(5)
        drawn = Pairing(known, known).indices(five, torch.Generator().manual_seed(seed))
        rows = {name: features[name, part][STRONG][drawn[name]] for name in NAMES}
        truth = known["image"][drawn["image"]]
        cases = {"both": NAMES, "image": ("image",), "speech": ("speech",)}
        return {
            (kind, case): _accuracy(model.predict({name: rows[name] for name in given}), truth)
            for kind, model in models.items()
            for case, given in cases.items()
            if kind not in NAMES or kind in given
        }

    validation, test = score("validation"), score("test")
    chosen = max((*LEARNED, "experts"), key=lambda kind: validation[kind, "both"])
    alone = {name: test[name, name] for name in NAMES}
    lost = {kind: max(alone[n] - test[kind, n] for n in NAMES) for kind in (*LEARNED, "experts")}
    return {
        "degraded-image": alone["image"],
        "degraded-speech": alone["speech"],
        "both-degraded": test[chosen, "both"],
        "gain-both-degraded": test[chosen, "both"] - max(alone.values()),
        "missing-bayes": abs(lost["experts"]),
        "missing-learned": max(lost[kind] for kind in LEARNED),
    }


def _sum(encoded: _Encoded, seed: int) -> dict[str, float]:
    """Last digit of a sum: a clean image of one digit, a clean recording of another digit."""
    features, labels = encoded.features, encoded.labels
    generator = torch.Generator().manual_seed(seed)
    pool: dict[str, dict[str, Tensor]] = {}
    for part, count, copies in (("varied", 50_000, len(LEVELS)), ("test", 20_000, 1)):
        known = {n: labels[n, part][:copies].flatten() for n in NAMES}
        at = {n: torch.randint(len(known[n]), (count,), generator=generator) for n in NAMES}
        pool[part] = {n: features[n, part][:copies].flatten(0, 1)[at[n]] for n in NAMES}
        pool[part]["label"] = sum(known[n][at[n]] for n in NAMES) % 10
    test, accuracy, loss = pool["test"], {}, {}
    for kind in (*NAMES, *LEARNED):
        model = FusedClassifier(_fusion(kind, seed), 10, seed=seed)
        logits = _train(model, pool["varied"], 400, seed=seed).predict(test)
        accuracy[kind] = _accuracy(logits, test["label"])
        loss[kind] = model.loss(logits, test).item()
    digits = sum(encoded.heads[name](test[name]).argmax(dim=1) for name in NAMES) % 10
    return {
        "sum-one-digit": max(accuracy[name] for name in NAMES),
        "sum-additive": max(
            (loss[kind] for kind in ADDITIVE), key=lambda nats: abs(nats - math.log(10))
        ),
        "sum-from-digits": (digits == test["label"]).double().mean().item(),
        "sum-joint": min(accuracy[kind] for kind in JOINT),
    }


EXPERIMENTS = (Experiment("fusion", _CLAIMS, _measure, seeds=3),)
