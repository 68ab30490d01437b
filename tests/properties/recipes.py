"""A recipe for each door: small data, the call, and the changes of the data that change nothing.

Numbers lie on a grid of 2^-11, so that they are exact in float32, and so that a constant up to 2^40
can be added to them without rounding in float64.
"""

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from doors import Argument, Door
from torch import nn

from simmim_lite import (
    augment,
    bounds,
    contrastive,
    critics,
    datasets,
    encoders,
    entropy,
    evaluation,
    fusion,
    generation,
    ground_truth,
    manifold,
    masked,
    memory,
    multimodal,
    mutual_information,
    training,
)

RECIPES: list[Door] = []


def door(name: str, call: Callable[..., Any], arguments: dict[str, Argument], **facts: Any) -> None:
    RECIPES.append(Door(name, call, arguments, **facts))


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def numbers(*shape: int, seed: int = 0, rows: str = "N", **options: Any) -> Argument:
    values = rng(seed).standard_normal(shape)
    return Argument(np.round(values * 2048) / 2048, "numbers", rows, **options)


def images(*shape: int, seed: int = 0, rows: str = "N", **options: Any) -> Argument:
    values = np.round(rng(seed).random(shape) ** 3 * 64) / 64
    return Argument(values, "images", rows, **options)


def probabilities(*shape: int, seed: int = 0, rows: str = "", **options: Any) -> Argument:
    """Multiples of 1/64 that sum to 1, over all entries; with ``rows`` in each row."""
    count = shape[0] if rows else 1
    cells = int(np.prod(shape)) // count
    draws = 1 + rng(seed).multinomial(64 - cells, np.full(cells, 1 / cells), size=count)
    return Argument((draws / 64).reshape(shape), "probabilities", rows, **options)


def labels(n: int, k: int = 2, *, seed: int = 0, rows: str = "N", **options: Any) -> Argument:
    """Whole numbers 0..k-1, each about equally often, as symbols."""
    kind = options.pop("kind", "labels")
    return Argument(rng(seed).permutation(np.arange(n) % k), kind, rows, **options)


def whole(values: Any, rows: str = "", **options: Any) -> Argument:
    return Argument(np.asarray(values), "whole", rows, **options)


def mask(*shape: int, seed: int = 0, rows: str = "N", **options: Any) -> Argument:
    values = rng(seed).random(shape) < 0.7
    values[..., 0] = True
    return Argument(values, "mask", rows, **options)


def texts(*sentences: str, rows: str = "N", **options: Any) -> Argument:
    return Argument(list(sentences), "texts", rows, **options)


def T(argument: Argument) -> Argument:
    """The same for a door that is written for tensors."""
    return Argument(argument.value, argument.kind, argument.rows, tensor=True)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


MADE_ONCE: list[Any] = []  # caches of networks, which a test may empty


def kept(make: Callable[..., Any]) -> Callable[..., Any]:
    """Make a network once, in torch's ordinary state, and give a new copy each time."""
    made = cache(make)
    MADE_ONCE.append(made)

    def new(*arguments: Any) -> Any:
        with torch.inference_mode(False):
            return copy.deepcopy(made(*arguments))

    return new


SENTENCES = ("a thick nine", "a thin, upright seven", "a wide four", "a thick one")

# --- entropy -------------------------------------------------------------------------------

for name, shape in (
    ("entropy", (2, 3)),
    ("conditional_entropy", (2, 3)),
    ("chain_rule_terms", (2, 3, 2)),
    ("mutual_information", (3, 3)),
    ("conditional_mutual_information", (2, 3, 2)),
    ("total_correlation", (2, 2, 2)),
):
    argument = "p" if name == "entropy" else "table"
    door(f"entropy.{name}", getattr(entropy, name), {argument: probabilities(*shape)})
for name in ("cross_entropy", "kl_divergence"):
    tables = {"p": probabilities(2, 3), "q": probabilities(2, 3, seed=1)}
    door(f"entropy.{name}", getattr(entropy, name), tables)
door(
    "entropy.counts",
    lambda variables, other: entropy.counts(variables, other),
    {"variables": labels(12, 2), "other": labels(12, 3, seed=1)},
    also=("variables",),
    shift=("variables", "other"),
    scale=("variables", "other"),
)
COUNTS = whole([[3, 0, 5], [2, 4, 1]])
for method in ("plug_in", "chao_shen", "jackknife"):
    door(
        "entropy.entropy_from_counts",
        lambda counts, method=method: entropy.entropy_from_counts(counts, method),
        {"counts": COUNTS},
        label=method,
    )
door("entropy.leave_one_out", entropy.leave_one_out, {"counts": whole([[3, 1, 5], [2, 4, 1]])})
door(
    "entropy.sample_entropy",
    entropy.sample_entropy,
    {"x": labels(20, 3)},
    shift=("x",),
    scale=("x",),
)
SYMBOLS = {"x": labels(40, 2), "y": labels(40, 3, seed=1)}
FREE = {"shift": ("x", "y"), "scale": ("x", "y")}
door("entropy.sample_mutual_information", entropy.sample_mutual_information, SYMBOLS, **FREE)
door("entropy.PairCounts.of", entropy.PairCounts.of, SYMBOLS, **FREE)

# --- mutual information --------------------------------------------------------------------

for name in ("plug_in", "miller_madow", "chao_shen", "jackknife", "shuffle_corrected"):
    door(f"mutual_information.{name}", getattr(mutual_information, name), SYMBOLS, **FREE)
PAIRS = {"x": numbers(60, 2), "y": numbers(60, 1, seed=1)}
PAIRS["y"].value[:] += np.round(PAIRS["x"].value[:, :1] * 1024) / 1024
for name in ("gaussian", "rank_gaussian", "ksg"):
    estimator = getattr(mutual_information, name)
    door(f"mutual_information.{name}", estimator, PAIRS, tolerance=1e-5, **FREE)
door(
    "mutual_information.ksg",
    lambda x, y: mutual_information.ksg(x, y, scale="standardize"),
    PAIRS,
    label="standardize",
    **FREE,
)
MIXED = {"x": labels(60, 2), "y": numbers(60, 2, seed=2)}
MIXED["y"].value[:, 0] += MIXED["x"].value
door(
    "mutual_information.ross",
    mutual_information.ross,
    MIXED,
    shift=("y",),
    scale=("y",),
    also=("discrete",),
)
door("mutual_information.estimate", mutual_information.estimate, MIXED, label="mixed", **FREE)
door("mutual_information.auto", mutual_information.auto, SYMBOLS, label="symbols", **FREE)
door(
    "mutual_information.auto",
    mutual_information.auto,
    PAIRS,
    label="numbers",
    slow=True,
    rare=True,
    tolerance=1e-3,
    shift=("x y",),
    scale=("x y",),
)
door(
    "mutual_information.learned",
    lambda x, y: mutual_information.learned(x, y, discrete="x"),
    MIXED,
    slow=True,
    rare=True,
    tolerance=1e-3,
    shift=("y",),
)

# --- ground truth --------------------------------------------------------------------------


def mixture(weights: Any, means: Any, covariances: Any) -> Any:
    return ground_truth.GaussianMixture(weights, means, covariances, 1)


MIXTURE = {
    "weights": probabilities(2),
    "means": numbers(2, 2, rows=""),
    "covariances": Argument(np.array([[[1, 0.5], [0.5, 2]], [[2, 0], [0, 1.0]]])),
}
door(
    "ground_truth.GaussianMixture",
    lambda weights, means, covariances: mixture(weights, means, covariances).sample(5),
    MIXTURE,
)

FIELD = ground_truth.GaussianField(2, 3)
HIDDEN = Argument(np.array([[True, False, True], [False, False, True]]), "mask", "")
FIELDS = numbers(5, 2, 3)
for name in ("conditional_mean", "log_density"):
    door(
        f"ground_truth.GaussianField.{name}",
        lambda fields, mask, name=name: getattr(FIELD, name)(fields, mask),
        {"fields": FIELDS, "mask": HIDDEN},
        rowwise=True,
    )
for name in (
    *("bayes_errors", "conditional", "mutual_information"),
    *("pixelwise_information", "total_correlation"),
):
    door(
        f"ground_truth.GaussianField.{name}",
        lambda mask, name=name: getattr(FIELD, name)(mask),
        {"mask": HIDDEN},
    )

# --- bounds --------------------------------------------------------------------------------

SCORES, JOINT = T(numbers(5, 5, rows="")), T(probabilities(5, 5, seed=1))
LAYER = {"layer": True, "far": 2.0**10, "tolerance": 1e-4}
for name in ("donsker_varadhan", "jensen_shannon", "nwj", "smile"):
    moves = {"shift": ("scores",)} if name == "donsker_varadhan" else {}
    bound = getattr(bounds, name)
    door(f"bounds.{name}", bound, {"scores": SCORES}, **LAYER, **moves)
    both = {"scores": SCORES, "joint": JOINT}
    door(f"bounds.{name}", bound, both, label="joint", **LAYER, **moves)
door("bounds.info_nce", bounds.info_nce, {"scores": SCORES}, shift=("scores",), **LAYER)
door(
    "bounds.interpolated",
    lambda scores: bounds.interpolated(scores, 0.5),
    {"scores": SCORES},
    **LAYER,
)
for name in ("club", "leave_one_out"):
    bound = getattr(bounds, name)
    door(f"bounds.{name}", bound, {"log_likelihoods": SCORES}, shift=("log_likelihoods",), **LAYER)
door(
    "bounds.barber_agakov",
    lambda log_likelihood: bounds.barber_agakov(log_likelihood, 1.0),
    {"log_likelihood": T(numbers(5, rows=""))},
    **LAYER,
)
LOG_MEAN = Argument(np.array(0.5), tensor=True)
for name in ("mine", "moving_log_mean"):
    bound = getattr(bounds, name)
    door(f"bounds.{name}", bound, {"scores": SCORES, "log_mean": LOG_MEAN}, **LAYER)
door(
    "bounds.class_paired_ceiling",
    lambda class_probabilities: bounds.class_paired_ceiling(8, class_probabilities),
    {"class_probabilities": probabilities(4)},
)
for name in ("info_nce", "donsker_varadhan", "smile"):
    door(
        "bounds.exact_bound",
        lambda scores, joint, name=name: bounds.exact_bound(scores, joint, name),
        {"scores": SCORES, "joint": probabilities(5, 5, seed=1)},
        label=name,
        shift=() if name == "smile" else ("scores",),
        far=2.0**20,
        tolerance=1e-5,
    )

# --- critics, contrastive ------------------------------------------------------------------

critic = kept(lambda: critics.SeparableCritic(2, 3, hidden=8))
door(
    "critics.SeparableCritic.forward",
    lambda x, y: critic()(x, y),
    {"x": T(numbers(5, 2)), "y": T(numbers(4, 3, rows="M", seed=1))},
    rowwise=True,
    **LAYER,
)
EMBEDDINGS = {"queries": T(numbers(6, 3)), "keys": T(numbers(6, 3, rows="M", seed=1))}
VIEWS = {"first": T(numbers(6, 3)), "second": T(numbers(6, 3, seed=1))}
TEMPERATURE = Argument(np.array(0.5), tensor=True)
door(
    "contrastive.info_nce_loss",
    contrastive.info_nce_loss,
    EMBEDDINGS | {"temperature": TEMPERATURE},
    tolerance=1e-4,
)
door(
    "contrastive.nt_xent_loss",
    contrastive.nt_xent_loss,
    VIEWS | {"temperature": TEMPERATURE},
    tolerance=1e-4,
)

# --- datasets ------------------------------------------------------------------------------

CELLS = whole([[0, 0, 1, 2], [8, 1, 1, 1], [9, 2, 0, 0]])
door("datasets.describe", datasets.describe, {"cells": CELLS}, rowwise=True)
STROKES = images(4, 9, 9)
door(
    "datasets.measure_strokes",
    datasets.measure_strokes,
    {"images": STROKES},
    scale=("images",),
    rowwise=True,
)
WAVES = Argument(numbers(4, 200, seed=1).value, "recordings", "N")
door(
    "datasets.add_noise",
    lambda waveforms, noises: datasets.add_noise(waveforms, noises, 3.0),
    {"waveforms": WAVES, "noises": Argument(numbers(4, 200).value, "recordings", "N")},
    scale=("noises",),
    tolerance=1e-5,
    rowwise=True,
)
door(
    "datasets.babble",
    lambda pool: datasets.babble([30, 50], pool),
    {"pool": WAVES},
    scale=("pool",),
    tolerance=1e-5,
)
# The values of both sets must be of one type, so they change together.
door(
    "datasets.find_leaks",
    lambda train: datasets.find_leaks({"family": train}, {"family": train})["family"],
    {"train": Argument(np.array([0, 1, 1, 2, 4, 1, 3, 4]), "labels", "N")},
    also=("test", "times"),
)
ITEMS = {"a": numbers(6, 2).value, "b": numbers(8, 2, seed=1).value}
A, B = np.array([0, 1, 0, 1, 2, 2]), np.array([0, 1, 2, 0, 1, 2, 2, 2])


# The labels of both modalities must be of one type, so they change together.
door(
    "datasets.Pairing",
    lambda items, labels: (
        datasets.Pairing(
            {"a": items, "b": ITEMS["b"][:6]}, {"a": labels, "b": labels}
        ).mutual_information
    ),
    {"items": numbers(6, 2), "labels": Argument(A, "labels", "N")},
    also=("labels",),
)
ROWS = Argument(np.array([0, 3, 5]), "whole")
for kind in ("Pairing", "BlindPairing"):

    def indices(rows: Any, kind: str = kind) -> Any:
        pairs = datasets.Pairing(ITEMS, {"a": A, "b": B})
        pairs = datasets.BlindPairing(pairs) if kind == "BlindPairing" else pairs
        return pairs.indices(rows, generator() if isinstance(rows, torch.Tensor) else rng(0))

    name = f"datasets.{kind}.indices"
    door(name, indices, {"rows": ROWS}, rowwise=True, draws=True, also=("generator",))

# --- augment -------------------------------------------------------------------------------

PICTURES = T(images(4, 1, 8, 8))
AUGMENT: dict[str, Callable[..., Any]] = {
    "as_float": augment.as_float,
    "as_images": lambda images: augment.as_images("images", images),
    "random_crop": lambda images: augment.random_crop(images, generator(), padding=2),
    "random_rotation": lambda images: augment.random_rotation(images, generator(), degrees=20.0),
    "RandomWarp.__call__": lambda images: augment.RandomWarp()(images, generator()),
}
for name, call in AUGMENT.items():
    door(f"augment.{name}", call, {"images": PICTURES}, rowwise=True, draws=True, **LAYER)

# --- encoders ------------------------------------------------------------------------------


def evaluated(module: nn.Module) -> nn.Module:
    return module.eval()


TABLE = numbers(12, 3)
tabular = kept(lambda: encoders.TabularEncoder(3, 4, hidden=8))
door(
    "encoders.Encoder.forward",
    lambda table: tabular().eval()(table),
    {"table": TABLE},
    label="table",
    tolerance=1e-4,
    rowwise=True,
    also=("batch",),
)
door(
    "encoders.Encoder.forward",
    lambda table: tabular()(table),
    {"table": TABLE},
    label="table in training",
    layer=True,
    tolerance=1e-3,
    shift=("table",),
    scale=("table",),
)
door(
    "encoders.TabularEncoder.forward",
    lambda batch: tabular().eval()(batch),
    {"batch": TABLE},
    tolerance=1e-4,
    rowwise=True,
    also=("table",),
)
door(
    "encoders.TabularEncoder.prepare",
    lambda table: tabular().eval().prepare(table),
    {"table": TABLE},
    rowwise=True,
)
picture = kept(lambda: evaluated(encoders.ImageEncoder(1, 4, width=2)))
door(
    "encoders.Encoder.forward",
    lambda images: picture()(images),
    {"images": images(4, 1, 8, 8)},
    label="image",
    tolerance=1e-4,
    rowwise=True,
)
door(
    "encoders._Images.prepare",
    lambda images: picture().prepare(images),
    {"images": Argument((images(4, 8, 8).value * 64).astype(np.uint8), "pixels", "N")},
    rowwise=True,
)
door(
    "encoders._Images.augment",
    lambda prepared: picture().augment(prepared, generator()),
    {"prepared": PICTURES},
    rowwise=True,
    **LAYER,
    draws=True,
)
audio = kept(lambda: evaluated(encoders.AudioEncoder(1000, 0.2, 4, mels=4, width=4, hidden=4)))
SOUND = Argument(numbers(3, 200).value, "recordings", "N")
door(
    "encoders.AudioEncoder.prepare",
    lambda waveforms: audio().prepare(waveforms),
    {"waveforms": SOUND},
    scale=("waveforms",),
    tolerance=1e-4,
    rowwise=True,
)
door(
    "encoders.Encoder.forward",
    lambda waveforms: audio()(waveforms),
    {"waveforms": SOUND},
    label="sound",
    tolerance=1e-4,
    rowwise=True,
)
door(
    "encoders.AudioEncoder.augment",
    lambda prepared: audio().augment(prepared, generator()),
    {"prepared": T(numbers(3, 4, 17))},
    rowwise=True,
    **LAYER,
    draws=True,
)
door(
    "encoders.power_spectrogram",
    lambda waveforms: encoders.power_spectrogram(waveforms, window=32, hop=10),
    {"waveforms": T(SOUND)},
    scale=("waveforms",),
    undo=lambda result, c: result / c**2,
    rowwise=True,
    **LAYER,
)
FILTERS = encoders.mel_filters(1000, window=32, mels=4).double().numpy()
door(
    "encoders.log_mel",
    lambda waveforms, filters: encoders.log_mel(waveforms, filters, window=32, hop=10),
    {"waveforms": T(SOUND), "filters": Argument(FILTERS, tensor=True)},
    rowwise=True,
    **LAYER,
)
tokenizer = cache(lambda: encoders.Tokenizer.from_texts(SENTENCES))
reader = kept(lambda: evaluated(encoders.TextEncoder(tokenizer(), 4, hidden=4)))
door(
    "encoders.Tokenizer",
    lambda vocabulary: encoders.Tokenizer(vocabulary).vocabulary,
    {"vocabulary": texts("a", "thick", "nine")},
)
door(
    "encoders.Tokenizer.encode",
    lambda texts: tokenizer().encode(texts),
    {"texts": texts(*SENTENCES)},
)
door(
    "encoders.Tokenizer.from_texts",
    lambda texts: encoders.Tokenizer.from_texts(texts).vocabulary,
    {"texts": texts(*SENTENCES)},
)
door(
    "encoders.Tokenizer.decode",
    lambda numbers: tokenizer().decode(numbers),
    {"numbers": T(whole([[2, 3, 4], [5, 2, 0]]))},
    rowwise=True,
)
door(
    "encoders.TextEncoder.prepare",
    lambda texts: reader().prepare(texts),
    {"texts": texts(*SENTENCES)},
)
door(
    "encoders.Encoder.forward",
    lambda texts: reader()(texts),
    {"texts": texts(*SENTENCES)},
    label="text",
    tolerance=1e-4,
)

# --- fusion --------------------------------------------------------------------------------

fused_by = kept(lambda name: fusion.FUSIONS[name](["a", "b"], 4))
FEATURES = {"a": T(numbers(6, 4)), "b": T(numbers(6, 4, seed=1))}
PRESENT = T(mask(6, 2))
for name in fusion.FUSIONS:
    door(
        "fusion.Fusion.forward",
        lambda a, b, present, name=name: fused_by(name)({"a": a, "b": b}, present),
        FEATURES | {"present": PRESENT},
        label=name,
        layer=True,
        tolerance=1e-4,
        rowwise=True,
        also=("features",),
    )
door(
    "fusion.ProductOfExperts",
    lambda prior: fusion.ProductOfExperts(["a", "b"], 4, prior=prior)(
        {name: a.native for name, a in FEATURES.items()}
    ),
    {"prior": T(probabilities(4))},
    tolerance=1e-4,
    builds=True,
)
door(
    "fusion.drop_modalities",
    lambda present: fusion.drop_modalities(present, 0.5, generator=generator()),
    {"present": PRESENT},
    rowwise=True,
    layer=True,
    draws=True,
)
LOGITS = T(numbers(12, 3))
CLASSES = T(labels(12, 3, kind="classes"))
door(
    "fusion.fit_temperature",
    fusion.fit_temperature,
    {"logits": LOGITS, "labels": CLASSES},
    shift=("logits",),
    far=2.0**10,
    tolerance=1e-3,
)
door(
    "fusion.Classifier.loss",
    lambda logits, label: fusion.FusedClassifier.loss(logits, {"label": label}),
    {"logits": LOGITS, "label": CLASSES},
    shift=("logits",),
    also=("batch",),
    **LAYER,
)


@kept
def fused() -> Any:
    return fusion.FusedClassifier(fusion.AverageFusion(["a", "b"], 4), 3)


for name in ("FusedClassifier.forward", "Classifier.predict"):
    method = name.rpartition(".")[2]
    door(
        f"fusion.{name}",
        lambda a, b, present, method=method: getattr(fused(), method)({"a": a, "b": b}, present),
        FEATURES | {"present": PRESENT},
        rowwise=True,
        also=("batch",),
        **LAYER,
    )


class Reads(nn.Module):
    """A classifier of one modality: the logits are its vectors."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name

    def forward(self, batch: dict[str, Any]) -> Any:
        return batch[self.name]


@kept
def bayes() -> Any:
    return fusion.BayesClassifier({"a": Reads("a"), "b": Reads("b")}, 4)


door(
    "fusion.BayesClassifier.forward",
    lambda a, b, present: bayes()({"a": a, "b": b}, present),
    FEATURES | {"present": PRESENT},
    rowwise=True,
    also=("batch",),
    **LAYER,
)
door(
    "fusion.BayesClassifier.calibrate",
    lambda values, labels: bayes().calibrate("a", values, labels),
    {"values": FEATURES["a"], "labels": T(labels(6, 3, kind="classes"))},
    tolerance=1e-3,
    also=("logits",),
)

# --- training ------------------------------------------------------------------------------

door(
    "training.Batches",
    lambda data: training.Batches({"x": data}, 3)[0],
    {"data": numbers(6, 2)},
    layer=True,
)
contrastive_loss = kept(lambda: training.ContrastiveLoss())
door(
    "training.ContrastiveLoss.forward",
    lambda first, second: contrastive_loss()((first, second))["loss"],
    VIEWS,
    also=("outputs",),
    **LAYER,
)
door(
    "training.gathered_info_nce_loss",
    training.gathered_info_nce_loss,
    EMBEDDINGS | {"temperature": TEMPERATURE},
    tolerance=1e-4,
)

# --- multimodal ----------------------------------------------------------------------------

cosine = kept(lambda: multimodal.Critic())
offset = kept(lambda: multimodal.LearnedOffset())
objective = kept(lambda name: multimodal.InformationObjective([("a", "b")], name))
door(
    "multimodal.Critic.forward",
    lambda first, second: cosine()(first, second),
    {"first": VIEWS["first"], "second": T(numbers(5, 3, rows="M", seed=1))},
    rowwise=True,
    **LAYER,
)
door(
    "multimodal.LearnedOffset.forward",
    lambda scores: offset()(scores),
    {"scores": SCORES},
    **LAYER,
)
door(
    "multimodal.minus_log",
    multimodal.minus_log,
    {"nats": T(Argument(np.array([0.25, 1, 2])))},
    rowwise=True,
    **LAYER,
)
for name in ("info_nce", "nwj"):
    door(
        "multimodal.InformationObjective.forward",
        lambda first, second, name=name: objective(name)({"a": first, "b": second})["loss"],
        VIEWS,
        label=name,
        also=("outputs",),
        **LAYER,
    )


@kept
def embedder(fused: bool = False) -> Any:
    names = ("a", "b", "c") if fused else ("a", "b")
    kinds = {name: encoders.TabularEncoder(3, 4, hidden=8, seed=i) for i, name in enumerate(names)}
    return multimodal.MultimodalInfoMax(
        kinds, 4, fusion=fusion.AverageFusion(names, 4) if fused else None
    ).eval()


for name in ("encode", "project"):
    door(
        f"multimodal.MultimodalInfoMax.{name}",
        lambda a, b, name=name: getattr(embedder(), name)({"a": a, "b": b}),
        {"a": numbers(6, 3), "b": numbers(6, 3, rows="M", seed=1)},
        tolerance=1e-4,
        rowwise=True,
        also=(
            "table",
            "items",
        ),
    )
door(
    "multimodal.MultimodalInfoMax.forward",
    lambda a, b: embedder()({"a": a, "b": b}),
    {"a": numbers(6, 3), "b": numbers(6, 3, rows="M", seed=1)},
    tolerance=1e-4,
    rowwise=True,
    also=(
        "table",
        "batch",
    ),
)
door(
    "multimodal.MultimodalInfoMax.fuse",
    lambda a, b, present: embedder(True).fuse({"a": a, "b": b}, present),
    {"a": numbers(6, 3), "b": numbers(6, 3, seed=1), "present": T(mask(6, 3))},
    tolerance=1e-4,
    rowwise=True,
    also=(
        "features",
        "table",
        "items",
    ),
)
door(
    "multimodal.MultimodalInfoMax.scores",
    lambda a, b: embedder().scores({"a": a, "b": b}, "a", "b"),
    {"a": T(numbers(6, 4)), "b": T(numbers(5, 4, rows="M", seed=1))},
    rowwise=True,
    also=("projected",),
    **LAYER,
)
door(
    "multimodal.MultimodalInfoMax.fit",
    lambda a, b: (
        lambda model: (
            model.fit({"a": a, "b": b}, steps=8, batch_size=32, progress=False),
            model.project({"a": a}),
        )[1]
    )(embedder()),
    {"a": numbers(64, 3), "b": numbers(64, 3, seed=1)},
    shift=("a", "b"),
    scale=("a", "b"),
    tolerance=0.02,
    slow=True,
    also=("table", "pairs", "items"),
)

# --- manifold ------------------------------------------------------------------------------

CLOUD = numbers(40, 2)
door(
    "manifold.nearest_neighbors",
    lambda x: manifold.nearest_neighbors(x, 3),
    {"x": CLOUD},
    shift=("x",),
    scale=("x",),
    undo=lambda result, c: (result[0] / c, result[1]),
    tolerance=1e-5,
)
for method in ("two_nn", "levina_bickel"):
    door(
        "manifold.intrinsic_dimension",
        lambda x, method=method: manifold.intrinsic_dimension(x, method, n_neighbors=5),
        {"x": CLOUD},
        label=method,
        shift=("x",),
        scale=("x",),
        tolerance=1e-4,
    )
DISTANCE, INDEX = manifold.nearest_neighbors(CLOUD.value, 5)
GRAPH = Argument(manifold.affinity_graph(DISTANCE, INDEX), "graph", "N")
door(
    "manifold.affinity_graph",
    manifold.affinity_graph,
    {"distance": Argument(DISTANCE.astype(float), "numbers", "N"), "index": whole(INDEX, "N")},
    scale=("distance",),
)
FOUR = labels(40, 4)
door("manifold.cluster_information", manifold.cluster_information, {"labels": FOUR, "graph": GRAPH})
door(
    "manifold.agglomerative_bottleneck",
    lambda labels, graph: manifold.agglomerative_bottleneck(labels, graph, 2),
    {"labels": FOUR, "graph": GRAPH},
)
door(
    "manifold.sequential_bottleneck",
    manifold.sequential_bottleneck,
    {
        "labels": Argument(np.arange(40) // 5 % 2, "classes", "N"),
        "subclusters": Argument(np.arange(40) // 5, "labels", "N"),
        "graph": GRAPH,
    },
)
door(
    "manifold.spectral_embedding",
    lambda graph: manifold.spectral_embedding(graph, 2) ** 2,
    {"graph": GRAPH},
    tolerance=1e-5,
)
door(
    "manifold.graph_clusters",
    lambda graph: manifold.graph_clusters(graph, 2),
    {"graph": GRAPH},
    slow=True,
)
for name in ("deskew", "oriented_gradients"):
    door(
        f"manifold.{name}",
        getattr(manifold, name),
        {"images": T(images(4, 1, 12, 12))},
        rowwise=True,
        **LAYER,
    )
door(
    "manifold.image_distortion",
    manifold.image_distortion,
    {"first": T(images(3, 1, 8, 8)), "second": T(images(3, 1, 8, 8, seed=1))},
    rowwise=True,
    **LAYER,
)
door(
    "manifold.image_neighbors",
    lambda images: manifold.image_neighbors(images, 3),
    {"images": T(images(12, 1, 12, 12))},
    tolerance=1e-4,
)
MOVED = {"logits": T(numbers(8, 3)), "moved_logits": T(numbers(8, 3, seed=1))}
for name in ("iic", "imsat", "information_bound"):
    door(
        f"manifold.{name}",
        getattr(manifold, name),
        MOVED,
        shift=("logits", "moved_logits"),
        **LAYER,
    )
door(
    "manifold.rim",
    manifold.rim,
    {"logits": MOVED["logits"]},
    shift=("logits",),
    also=("moved_logits",),
    **LAYER,
)


@kept
def linear() -> nn.Module:
    network = nn.Linear(3, 2)
    with torch.no_grad():
        network.weight.copy_(torch.arange(6.0).reshape(2, 3))
        network.bias.zero_()
    return network


def adversarial(x: Any, radius: Any) -> Any:
    network = linear()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return manifold.virtual_adversarial_step(network, x, radius)


door(
    "manifold.virtual_adversarial_step",
    adversarial,
    {"x": T(numbers(5, 3)), "radius": T(Argument(np.full(5, 0.5), "numbers", "N"))},
    rowwise=True,
    **LAYER,
    draws=True,
)


def manifold_of(X: Any) -> Any:
    return manifold.ManifoldInfoMax(2, max_iter=60, random_state=0).fit(X)


def clustered(X: Any) -> Any:
    labels = manifold_of(X).labels_
    return labels ^ labels[0]  # the number of a cluster means nothing


fitted = kept(lambda: manifold_of(BLOBS.value))
BLOBS = numbers(40, 2)
BLOBS.value[::2] += 8
door(
    "manifold.ManifoldInfoMax.fit",
    clustered,
    {"X": BLOBS},
    shift=("X",),
    scale=("X",),
    slow=True,
    foreign=True,
    also=("y",),
)
for method in ("predict", "predict_proba", "transform", "score"):
    door(
        f"manifold.ManifoldInfoMax.{method}",
        lambda X, method=method: getattr(fitted(), method)(X),
        {"X": BLOBS},
        slow=True,
        foreign=True,
        also=("y",),
        tolerance=1e-4,
    )

# --- memory --------------------------------------------------------------------------------


def remembered(keys: Any, query: Any, metric: str) -> Any:
    """Ids, scores, and an attended key relative to the first key."""
    store = memory.SimulatedMemory(3, metric=metric)
    ids = store.write({"a": keys})
    found = store.read(query, "a", 3)
    return ids, found.ids, found.scores


KEYS, QUERY = numbers(10, 3), T(numbers(4, 3, rows="M", seed=1))
for metric in ("cosine", "euclidean"):
    euclidean = metric == "euclidean"
    for name in ("write", "read"):
        door(
            f"memory.SimulatedMemory.{name}",
            lambda keys, query, metric=metric: remembered(keys, query, metric),
            {"keys": KEYS, "query": QUERY},
            label=metric,
            shift=("keys query",) if euclidean else (),
            scale=("keys query",) if euclidean else ("keys", "query"),
            undo=(lambda result, c: (*result[:2], result[2] / c**2))
            if euclidean
            else (lambda result, c: result),
            tolerance=1e-4,
            also=("values", "instance", "groups"),
        )


def stored() -> Any:
    store = memory.SimulatedMemory(3)
    store.write({"a": KEYS.value}, {"a": list(KEYS.value)})
    return store


def written(values: Any, instance: Any, groups: Any) -> Any:
    store = memory.SimulatedMemory(3, capacity=6, policy="reservoir")
    ids = store.write({"a": KEYS.value}, {"a": values}, instance={"a": instance}, groups=groups)
    left = store.ids
    return ids, left, store.values(left, "a"), store.keys(left, "a", by="instance")


door(
    "memory.SimulatedMemory.write",
    written,
    {
        "values": numbers(10, 2),
        "instance": numbers(10, 2, seed=1),
        "groups": labels(10, 3, kind="whole"),
    },
    label="values",
    layer=True,  # values are what the user wants to keep
    also=("keys",),
    tolerance=1e-4,
)
IDS = Argument(np.array([3, 0, 7]), "whole")
for name, call in {
    "values": lambda ids: stored().values(ids, "a"),
    "keys": lambda ids: stored().keys(ids, "a"),
    "forget": lambda ids: stored().forget(ids),
}.items():
    door(f"memory.SimulatedMemory.{name}", call, {"ids": IDS}, tolerance=1e-5, rowwise=True)
VECTORS = T(numbers(5, 3))


def summed(vectors: Any, queries: Any) -> Any:
    store = memory.SumMemory(3)
    store.write(vectors)
    return store.familiarity(queries)


for name in ("write", "familiarity"):
    door(
        f"memory.SumMemory.{name}",
        summed,
        {"vectors": VECTORS, "queries": QUERY},
        tolerance=1e-5,
        rowwise=True,
    )


def outer(keys: Any, values: Any, queries: Any) -> Any:
    store = memory.OuterProductMemory(3, 2)
    store.write(keys, values)
    return store.read(queries)


for name in ("write", "read"):
    door(
        f"memory.OuterProductMemory.{name}",
        outer,
        {"keys": VECTORS, "values": T(numbers(5, 2, seed=2)), "queries": QUERY},
        tolerance=1e-5,
        rowwise=True,
    )
SIGNS = Argument(np.sign(rng(0).random((2, 16)) - 0.5), "numbers", "N", tensor=True)


def hopfield(patterns: Any, states: Any) -> Any:
    store = memory.HopfieldMemory(16)
    store.write(patterns)
    return store.read(states)


for name in ("write", "read"):
    door(
        f"memory.HopfieldMemory.{name}",
        hopfield,
        {"patterns": SIGNS, "states": Argument(-SIGNS.value, "numbers", "M", tensor=True)},
        rowwise=True,
    )
SIZES = Argument(np.array([2, 5, 20]), "whole")
for name, rest in (
    ("familiarity_auroc", (16,)),
    ("sign_accuracy", (16,)),
    ("slot_accuracy", (16, 0.5)),
    ("attention_weight", (16, 4.0)),
):
    door(
        f"memory.{name}",
        lambda N, name=name, rest=rest: getattr(memory, name)(N, *rest),
        {"N": SIZES},
        rowwise=True,
    )

# --- generation ----------------------------------------------------------------------------

CONDITION = T(numbers(4, 3, seed=3))
flow = kept(lambda: generation.RectifiedFlow(2, 3, width=8))
gan = kept(lambda: generation.ConditionalGAN(2, 3, width=8))


def seeded(call: Callable[..., Any]) -> Callable[..., Any]:
    """Draw from torch's global random numbers, always the same."""

    def called(**arguments: Any) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            return call(**arguments)

    return called


for name, model in (("RectifiedFlow", flow), ("ConditionalGAN", gan)):
    door(
        f"generation.{name}.sample",
        lambda condition, model=model: model().sample(condition),
        {"condition": CONDITION},
        rowwise=True,
        **LAYER,
    )
    door(
        f"generation.{name}.forward",
        seeded(lambda x, condition, model=model: model()({"x": x, "condition": condition})),
        {"x": T(numbers(4, 2)), "condition": CONDITION},
        also=("batch",),
        rowwise=True,
        **LAYER,
        draws=True,
    )
door(
    "generation.RectifiedFlow.velocity",
    lambda x, t, condition, known: flow().velocity(x, t, condition, known),
    {
        "x": T(numbers(4, 2)),
        "t": T(images(4, 1)),
        "condition": CONDITION,
        "known": T(Argument(np.array([[True], [False], [True], [True]]), "mask", "N")),
    },
    rowwise=True,
    **LAYER,
)
writer = kept(lambda: evaluated(generation.CaptionDecoder(tokenizer(), 3, hidden=8)))
door(
    "generation.CaptionDecoder.sample",
    lambda condition: writer().sample(condition),
    {"condition": CONDITION},
    rowwise=True,
    **LAYER,
)
door(
    "generation.CaptionDecoder.forward",
    lambda x, condition: writer()({"x": x, "condition": condition}),
    {"x": T(whole([[2, 3, 4], [5, 2, 0], [2, 4, 4], [3, 0, 0]], "N")), "condition": CONDITION},
    also=("batch",),
    rowwise=True,
    **LAYER,
)


@kept
def vae(condition_dim: int = 0) -> Any:
    shape = (1, 8, 8)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return _vae(shape, condition_dim)


def _vae(shape: Any, condition_dim: int) -> Any:
    encoder = generation.ConvolutionalEncoder(shape, 4, condition_dim, width=2)
    decoder = generation.ConvolutionalDecoder(shape, 2 + condition_dim, width=2)
    return generation.ConditionalVAE(encoder, decoder, latent_dim=2, condition_dim=condition_dim)


GRAY, LATENTS = T(images(4, 1, 8, 8)), T(numbers(4, 2, seed=4))
for name in ("encode", "posterior", "reconstruct"):
    door(
        f"generation.ConditionalVAE.{name}",
        lambda x, condition, name=name: getattr(vae(3), name)(x, condition),
        {"x": GRAY, "condition": CONDITION},
        rowwise=True,
        **LAYER,
    )
for name in ("decode", "expand"):
    door(
        f"generation.ConditionalVAE.{name}",
        lambda z, condition, name=name: getattr(vae(3), name)(z, condition),
        {"z": LATENTS, "condition": CONDITION},
        rowwise=True,
        **LAYER,
    )
door(
    "generation.ConditionalVAE.sample",
    lambda condition: vae(3).sample(condition),
    {"condition": CONDITION},
    rowwise=True,
    **LAYER,
)
door(
    "generation.ConditionalVAE.forward",
    seeded(lambda x, condition: vae(3)({"x": x, "condition": condition})),
    {"x": GRAY, "condition": CONDITION},
    also=("batch",),
    rowwise=True,
    **LAYER,
    draws=True,
)
door(
    "generation.ConditionalVAE.log_likelihood",
    lambda x, output: vae().log_likelihood(x, output),
    {"x": GRAY, "output": T(numbers(4, 1, 8, 8))},
    rowwise=True,
    **LAYER,
)
door(
    "generation.ConvolutionalEncoder.forward",
    lambda x, condition: vae(3).encoder(x, condition),
    {"x": GRAY, "condition": CONDITION},
    rowwise=True,
    **LAYER,
)
door(
    "generation.ConvolutionalDecoder.forward",
    lambda z: vae().decoder(z),
    {"z": LATENTS},
    rowwise=True,
    **LAYER,
)
door(
    "generation.bits_per_dimension",
    lambda nats: generation.bits_per_dimension(nats, 64),
    {"nats": T(numbers(4))},
    scale=("nats",),
    undo=lambda result, c: result / c,
    rowwise=True,
    **LAYER,
)
space = kept(lambda: generation.LatentSpace(vae(), GRAY.native))
door(
    "generation.LatentSpace",
    lambda items: generation.LatentSpace(vae(), items).decode(LATENTS.native),
    {"items": GRAY},
    tolerance=1e-4,
    also=("x",),
)
door(
    "generation.LatentSpace.encode",
    lambda items: space().encode(items),
    {"items": GRAY},
    rowwise=True,
    **LAYER,
)
door(
    "generation.LatentSpace.decode",
    lambda latents: space().decode(latents),
    {"latents": LATENTS},
    rowwise=True,
    **LAYER,
)
door(
    "generation.LatentSpace.vary",
    lambda items, latents: space().vary(items, latents),
    {"items": GRAY, "latents": LATENTS},
    rowwise=True,
    **LAYER,
)
door(
    "generation.LatentGenerator.sample",
    lambda condition: generation.LatentGenerator(space(), flow()).sample(condition),
    {"condition": CONDITION},
    rowwise=True,
    **LAYER,
)
door(
    "generation.make_condition",
    generation.make_condition,
    {"queries": CONDITION, "latents": LATENTS},
    rowwise=True,
    **LAYER,
)
door(
    "generation.neighbor_means",
    lambda latents: (means := generation.neighbor_means(latents, 1)) - means[0],
    {"latents": T(numbers(10, 2))},
    shift=("latents",),
    scale=("latents",),
    undo=lambda result, c: result / c,
    tolerance=1e-5,
)
door(
    "generation.sample_around",
    lambda latents, weights: generation.sample_around(latents, weights, generator=generator()),
    {
        "latents": T(numbers(4, 6, 2)),
        "weights": T(Argument(1 + images(4, 6).value, "numbers", "N")),
    },
    scale=("weights",),
    layer=True,
    tolerance=1e-4,
    label="weights",
    draws=True,
)
PAIRED = {name: numbers(8, 3, seed=i).value for i, name in enumerate("ab")}
door(
    "generation.condition_batches",
    lambda embeddings, targets, latents: generation.condition_batches(
        datasets.Pairing(PAIRED), {"b": embeddings}, targets, 4, latents=latents
    )[0],
    {
        "embeddings": T(numbers(8, 3)),
        "targets": T(numbers(8, 2, seed=1)),
        "latents": T(numbers(8, 2, seed=2)),
    },
    **LAYER,
)
door(
    "generation.WhitenedKeys",
    lambda items: generation.WhitenedKeys(embedder(), {"a": items}, 2)({"a": numbers(5, 3).value}),
    {"items": numbers(12, 3)},
    tolerance=1e-3,
    also=("table",),
)
door(
    "generation.WhitenedKeys.__call__",
    lambda items: generation.WhitenedKeys(embedder(), {"a": numbers(12, 3).value}, 2)({"a": items}),
    {"items": numbers(5, 3)},
    tolerance=1e-3,
    rowwise=True,
    also=("table",),
)


class Prints:
    """A generator whose samples are its conditions."""

    condition = "query"

    def sample(self, condition: Any, *, seed: int = 0) -> Any:
        return condition


door(
    "generation.CrossModalGenerator.generate",
    lambda queries: generation.CrossModalGenerator(embedder(), {"b": Prints()}).generate(
        queries, "a", "b"
    ),
    {"queries": numbers(5, 3)},
    tolerance=1e-4,
    rowwise=True,
    also=("table",),
)
MELS = Argument(np.round(rng(0).random((2, 4, 6)) * 64) / 64, "numbers", "N", tensor=True)
door(
    "generation.power_from_mel",
    generation.power_from_mel,
    {"spectrograms": MELS, "filters": Argument(FILTERS, tensor=True)},
    rowwise=True,
    **LAYER,
)
door(
    "generation.griffin_lim",
    lambda power: generation.griffin_lim(power, window=32, hop=10, iterations=2),
    {"power": T(images(2, 17, 6))},
    rowwise=True,
    **LAYER,
    draws=True,
)
door(
    "generation.to_waveforms",
    lambda spectrograms: generation.to_waveforms(spectrograms, audio()),
    {"spectrograms": MELS},
    rowwise=True,
    layer=True,
    tolerance=1e-2,
    draws=True,
)

# --- evaluation ----------------------------------------------------------------------------

CONFIDENCE = {
    "probabilities": probabilities(12, 3, rows="N"),
    "labels": labels(12, 3, kind="classes"),
}
for name in ("brier_score", "calibration_error", "reliability_table"):
    options = {} if name == "brier_score" else {"bins": 3}
    door(
        f"evaluation.{name}",
        lambda probabilities, labels, name=name, options=options: getattr(evaluation, name)(
            probabilities, labels, **options
        ),
        CONFIDENCE,
    )
door(
    "evaluation.calibration_table",
    lambda probabilities, labels: evaluation.calibration_table(
        {"m": probabilities}, labels, bins=3
    ),
    CONFIDENCE,
)
TWO = {"first": numbers(20, 3), "second": numbers(20, 2, seed=1)}
MAPS = {"first": T(numbers(4, 6)), "second": T(numbers(4, 6, seed=1))}
door("evaluation.rank_correlation", evaluation.rank_correlation, MAPS, scale=("first", "second"))
door(
    "evaluation.kernel_alignment",
    evaluation.kernel_alignment,
    TWO,
    shift=("first", "second"),
    scale=("first", "second"),
)
SETS = {"first": numbers(20, 2), "second": numbers(15, 2, rows="M", seed=1)}
door(
    "evaluation.frechet_distance",
    evaluation.frechet_distance,
    SETS,
    shift=("first second",),
    scale=("first second",),
    undo=lambda result, c: result / c**2,
)
door(
    "evaluation.density_and_coverage",
    lambda real, generated: evaluation.density_and_coverage(real, generated, k=3),
    {"real": SETS["first"], "generated": SETS["second"]},
    shift=("real generated",),
    scale=("real generated",),
)
door(
    "evaluation.distance_to_nearest",
    evaluation.distance_to_nearest,
    {"items": SETS["first"], "memory": SETS["second"]},
    shift=("items memory",),
    scale=("items memory",),
    undo=lambda result, c: result / c,
    tolerance=1e-5,
)
door(
    "evaluation.spread_within_classes",
    evaluation.spread_within_classes,
    {"features": numbers(20, 2), "labels": labels(20)},
    shift=("features", "labels"),
    scale=("features",),
    undo=lambda result, c: result / c,
)
SHOWN = {"made": images(3, 1, 12, 12), "reference": images(3, 1, 12, 12, seed=1)}
door("evaluation.psnr", evaluation.psnr, SHOWN, rowwise=True, tolerance=1e-5)
door("evaluation.ssim", evaluation.ssim, SHOWN, rowwise=True, tolerance=1e-5)
door(
    "evaluation.snr",
    evaluation.snr,
    {"made": numbers(3, 50), "reference": numbers(3, 50, seed=1)},
    scale=("made reference",),
    rowwise=True,
    tolerance=1e-5,
)
door(
    "evaluation.caption_match",
    evaluation.caption_match,
    {"made": texts(*SENTENCES), "references": texts(*SENTENCES[::-1])},
    rowwise=True,
)
TRAIN = {
    "train_features": numbers(40, 3),
    "train_labels": labels(40),
    "test_features": numbers(24, 3, rows="M", seed=1),
    "test_labels": labels(24, rows="M", seed=1),
}
for i, suffix in enumerate(("train", "test")):
    TRAIN[f"{suffix}_features"].value[:, i] += TRAIN[f"{suffix}_labels"].value
JOINTLY = {"shift": ("train_features test_features",), "scale": ("train_features test_features",)}
door(
    "evaluation.fit_linear_probe",
    lambda train_features, train_labels: evaluation.fit_linear_probe(
        train_features, train_labels
    ).predict_proba(np.asarray(TRAIN["test_features"].value)),
    {name: TRAIN[name] for name in ("train_features", "train_labels")},
    tolerance=1e-3,
)
door("evaluation.linear_probe", evaluation.linear_probe, TRAIN, **JOINTLY)
door(
    "evaluation.knn_accuracy",
    lambda **split: evaluation.knn_accuracy(**split, k=5),
    TRAIN,
    scale=("train_features", "test_features"),
)
door(
    "evaluation.probe_suite",
    evaluation.probe_suite,
    TRAIN,
    scale=JOINTLY["scale"],
    slow=True,
    also=("labels",),
)
door(
    "evaluation.probe_learner",
    lambda **split: evaluation.probe_learner(**split)(np.arange(20)),
    TRAIN,
    **JOINTLY,
)
door(
    "evaluation.label_efficiency_curve",
    lambda labels: evaluation.label_efficiency_curve(
        {"first": lambda rows: float(rows[0])}, labels, counts=(2, 4)
    ),
    {"labels": labels(12)},
    shift=("labels",),
    also=("counts",),
)
for name in ("draw_evenly", "shuffled_folds"):
    door(f"evaluation.{name}", getattr(evaluation, name), {"labels": labels(20)}, shift=("labels",))
GROUPS = labels(20, 7, seed=3)
door(
    "evaluation.grouped_folds",
    lambda labels, groups: evaluation.grouped_folds(labels, groups, folds=3),
    {"labels": labels(20), "groups": GROUPS},
    shift=("labels", "groups"),
)
door(
    "evaluation.cross_validate",
    lambda labels, groups: evaluation.cross_validate(
        lambda train, test: float(train[0] + test[-1]), labels, groups, folds=3
    ),
    {"labels": labels(20), "groups": GROUPS},
)
PARTITIONS = {"labels": labels(20, 2), "clusters": labels(20, 3, seed=1)}
door(
    "evaluation.cluster_accuracy",
    evaluation.cluster_accuracy,
    PARTITIONS,
    shift=("labels", "clusters"),
    scale=("labels", "clusters"),
)
door(
    "evaluation.cluster_table",
    lambda labels, clusterings: evaluation.cluster_table(labels, {"one": clusterings}),
    {"labels": PARTITIONS["labels"], "clusterings": PARTITIONS["clusters"]},
)
door(
    "evaluation.agreement_table",
    lambda predictions: (
        evaluation.agreement_table({"one": predictions, "two": list(predictions)[::-1]})
        if np.ndim(predictions) == 1
        else evaluation.agreement_table({"one": predictions, "two": predictions})
    ),
    {"predictions": labels(20, 2)},
)
door(
    "evaluation.bootstrap_interval",
    lambda outcomes, groups: evaluation.bootstrap_interval(outcomes, groups=groups),
    {"outcomes": numbers(14), "groups": labels(14, 7)},
    scale=("outcomes",),
    undo=lambda result, c: tuple(x / c for x in result),
    slow=True,
)
for name in ("seed_interval", "fold_interval"):
    door(
        f"evaluation.{name}",
        getattr(evaluation, name),
        {"values": numbers(5)},
        scale=("values",),
        undo=lambda result, c: tuple(x / c for x in result),
    )
door(
    "evaluation.wilson_interval",
    evaluation.wilson_interval,
    {"correct": labels(20, 2, kind="whole")},
)
door(
    "evaluation.membership_score",
    evaluation.membership_score,
    {"members": numbers(100), "non_members": numbers(100, rows="M", seed=1)},
    shift=("members non_members",),
    scale=("members non_members",),
    slow=True,
    rare=True,
)
RANKED = {
    "scores": numbers(5, 8),
    "query_labels": labels(5, 2),
    "candidate_labels": labels(8, 2, rows="M"),
}
for name in ("precision_at_k", "recall_at_k"):
    door(
        f"evaluation.{name}",
        lambda scores, query_labels, candidate_labels, name=name: getattr(evaluation, name)(
            scores, query_labels, candidate_labels, 3
        ),
        RANKED,
        shift=("scores", "query_labels candidate_labels"),
        scale=("scores", "query_labels candidate_labels"),
    )
door(
    "evaluation.retrieval_table",
    lambda scores, first_labels, second_labels: evaluation.retrieval_table(
        scores, first_labels, second_labels, ks=(1, 3)
    ),
    {
        "scores": RANKED["scores"],
        "first_labels": RANKED["query_labels"],
        "second_labels": RANKED["candidate_labels"],
    },
    shift=("scores",),
    scale=("scores",),
)
for name, strength in (
    ("blur", 1.0),
    ("gaussian_noise", 0.25),
    ("occlude", 0.25),
    ("salt_and_pepper", 0.25),
):
    door(
        f"evaluation.{name}",
        lambda images, name=name, strength=strength: getattr(evaluation, name)(images, strength),
        {"images": images(4, 8, 8)},
        rowwise=True,
        tolerance=1e-5,
    )
door(
    "evaluation.mistype",
    lambda texts: evaluation.mistype(texts, 1),
    {"texts": texts(*SENTENCES)},
    rowwise=True,
)
door(
    "evaluation.robustness_table",
    lambda image, speech, voices: evaluation.robustness_table(
        lambda queries, modality: float(np.mean([np.sum(np.abs(q)) for q in queries])),
        {"image": image, "speech": speech},
        voices=voices,
    ),
    {
        "image": images(3, 8, 8),
        "speech": Argument(numbers(3, 60).value, "recordings", "M"),
        "voices": Argument(numbers(2, 60, seed=2).value, "recordings", "K"),
    },
    also=("queries", "images", "waveforms", "pool"),
    tolerance=1e-5,
)
door(
    "evaluation.robustness_area",
    lambda table: evaluation.robustness_area(
        table if not isinstance(table, np.ndarray) else __import__("pandas").DataFrame(table)
    ),
    {"table": Argument(np.array([[1, 0.75], [0.5, 0.5], [0.25, 0.5]]), "frame")},
)
door(
    "evaluation.transfer_table",
    lambda train, train_labels, test, test_labels: evaluation.transfer_table(
        {"own": lambda items: items},
        evaluation.LabeledSplit(train, train_labels, test, test_labels),
        {},
    ),
    {name.removesuffix("_features"): a for name, a in TRAIN.items()},
    also=("source", "targets", "train_features"),
)
door(
    "evaluation.integrated_gradients",
    lambda items, baseline: (
        evaluation.integrated_gradients(
            lambda x: x.flatten(1).square().sum(dim=1), items, baseline, steps=4
        ).values
    ),
    {"items": T(numbers(4, 3)), "baseline": Argument(np.array(0.25), tensor=True)},
    tolerance=1e-4,
    layer=True,
)
door(
    "evaluation.randomization_table",
    lambda items: evaluation.randomization_table(
        linear(),
        lambda model, x: model(x).detach(),
        items,
    )["layer"],
    {"items": T(numbers(4, 3))},
    **LAYER,
)


@kept
def judge() -> Any:
    return evaluation.EvaluationClassifier(encoders.ImageEncoder(1, 4, width=2), classes=2)


SEEN = {"items": images(8, 1, 8, 8), "labels": labels(8, kind="classes")}
for name in ("classify", "features"):
    door(
        f"evaluation.EvaluationClassifier.{name}",
        lambda items, name=name: getattr(judge(), name)(items),
        {"items": SEEN["items"]},
        rowwise=True,
        tolerance=1e-4,
        also=("images",),
    )
door(
    "evaluation.EvaluationClassifier.forward",
    lambda batch: judge()(batch),
    {"batch": SEEN["items"]},
    rowwise=True,
    also=("images",),
    **LAYER,
)
door(
    "evaluation.EvaluationClassifier.coherence",
    lambda items, labels: judge().coherence(items, labels),
    SEEN,
    also=("images",),
)
door(
    "evaluation.EvaluationClassifier.fit",
    lambda items, labels: (
        lambda model: (
            model.fit(items, labels, steps=3, batch_size=4, progress=False),
            model.features(SEEN["items"].native),
        )[1]
    )(judge()),
    SEEN,
    slow=True,
    tolerance=1e-2,
    also=("images",),
)


def reality(items: Any, labels: Any, memory: Any) -> Any:
    return evaluation.RealItems(judge(), items, labels, memory)


REAL = {
    "items": T(images(24, 1, 8, 8)),
    "labels": labels(24, kind="classes"),
    "memory": T(images(6, 1, 8, 8, rows="M", seed=1)),
}
REALITY = cache(lambda: reality(**{name: a.native for name, a in REAL.items()}))
MADE = {"items": T(images(14, 1, 8, 8, seed=2)), "labels": labels(14, kind="classes")}
door(
    "evaluation.RealItems",
    lambda items, labels, memory: reality(items, labels, memory).measure(
        MADE["items"].native, MADE["labels"].native
    ),
    REAL,
    tolerance=1e-3,
    also=("images", "real"),
)
door(
    "evaluation.RealItems.measure",
    lambda items, labels: REALITY().measure(items, labels),
    MADE,
    tolerance=1e-3,
    also=("images", "generated"),
)
door(
    "evaluation.RealItems.consistency",
    lambda samples: REALITY().consistency(samples),
    {"samples": T(images(3, 2, 1, 8, 8, seed=3))},
    tolerance=1e-3,
    also=("images",),
)

# --- masked --------------------------------------------------------------------------------


@kept
def masked_model(head: str = "gaussian") -> nn.Module:
    return masked.MaskedModel((1, 4, 6), 2, dim=8, depth=1, head=head).eval()


GRAY_SMALL = T(images(5, 1, 4, 6))
COVERED = T(Argument(np.array([[True, False, True, False, False, False]] * 5), "mask", "N"))
PATCHES = T(images(5, 6, 4))
OUTPUT = T(numbers(5, 6, 8))
door(
    "masked.patchify",
    lambda images: masked.patchify(images, 2),
    {"images": GRAY_SMALL},
    rowwise=True,
    **LAYER,
)
door(
    "masked.unpatchify",
    lambda patches: masked.unpatchify(patches, (1, 4, 6), 2),
    {"patches": PATCHES},
    rowwise=True,
    **LAYER,
)
door(
    "masked.head_mean",
    lambda output: masked.head_mean(output, "gaussian"),
    {"output": OUTPUT},
    rowwise=True,
    **LAYER,
)
door(
    "masked.head_log_density",
    lambda output, target: masked.head_log_density(output, target, "gaussian"),
    {"output": OUTPUT, "target": PATCHES},
    rowwise=True,
    **LAYER,
)
door(
    "masked.masked_loss",
    lambda output, image, mask: masked.masked_loss(
        output, {"image": image, "mask": mask}, patch=2, head="gaussian"
    ),
    {"output": OUTPUT, "image": GRAY_SMALL, "mask": COVERED},
    also=("batch", "images"),
    **LAYER,
)
door(
    "masked.MaskedModel.forward",
    lambda image, mask: masked_model()({"image": image, "mask": mask}),
    {"image": GRAY_SMALL, "mask": COVERED},
    also=("batch", "images", "masks"),
    rowwise=True,
    **LAYER,
)
for name in ("predict", "encode", "log_likelihood", "chain_log_likelihood"):
    door(
        f"masked.MaskedModel.{name}",
        lambda images, masks, name=name: getattr(masked_model(), name)(images, masks),
        {"images": GRAY_SMALL, "masks": COVERED},
        rowwise=name != "chain_log_likelihood",
        **LAYER,
    )
door(
    "masked.MaskedModel.features",
    lambda images: masked_model().features(images, 2),
    {"images": GRAY_SMALL},
    rowwise=True,
    **LAYER,
)
door(
    "masked.MaskedModel.fit",
    lambda images: masked_model("linear").fit(images, steps=1, batch_size=5, progress=False)[
        "loss"
    ],
    {"images": GRAY_SMALL},
    also=("ratio", "optimizer"),
    **LAYER,
    draws=True,
)
