"""Fusions of feature vectors, missing modalities during training, classifiers of modalities."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from simmim_lite._arguments import (
    as_class_numbers,
    as_probabilities,
    as_tensor,
    check_choice,
    check_integer,
    check_number,
    check_same_length,
)
from simmim_lite._random import seeded
from simmim_lite._torch_state import like_parameters
from simmim_lite.augment import as_images
from simmim_lite.encoders._base import ByName, encoded, evaluating
from simmim_lite.encoders._text import as_texts


class Fusion(nn.Module):
    """Base class: checks the arguments and puts zeros in place of missing modalities.

    A subclass creates its layers, if it has any, in `build`.

    Args:
        names: modalities, in the order of ``present`` and ``weights``.
        dim: size of the input vectors and of the output vector.
        seed: of the initial weights.
    """

    def __init__(self, names: Sequence[str], dim: int, *, seed: int = 0):
        super().__init__()
        self.names = tuple(as_texts("names", names))
        if len(set(self.names)) != len(self.names) or not self.names:
            raise ValueError(f"names: expected different names, got {list(names)}")
        self.dim = check_integer("dim", dim, minimum=1)
        self.weights: Tensor | None = None  # (N, M), of the last call
        with seeded(seed):
            self.build(dim, len(self.names))

    def build(self, dim: int, M: int) -> None:
        """Create the layers, if any, for M modalities of size ``dim``."""

    def forward(self, features: Mapping[str, Tensor], present: Tensor | None = None) -> Tensor:
        """Return one vector for each row, (N, dim), from ``features`` (N, dim) of each modality.

        ``present`` (N, M) bool: the modalities of each row; None: all that ``features`` holds. A
        row without any modality raises ValueError.
        """
        fused, weights = self.fuse(*self._check(features, present))
        self.weights = None if weights is None else weights.detach()
        return fused

    def extra_repr(self) -> str:
        return f"{', '.join(map(repr, self.names))}, dim {self.dim}"

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, Tensor | None]:
        """``stacked`` (N, M, dim), 0 where not ``present`` (N, M) -> (N, dim), weights (N, M)."""
        raise NotImplementedError

    def presence(self, features: Mapping[str, Any], present: Any) -> Tensor:
        """Return ``present`` (N, M) bool without the modalities that ``features`` lacks."""
        first = next(iter(features.values()))
        device = first.device if isinstance(first, Tensor) else "cpu"
        available = torch.tensor([name in features for name in self.names], device=device)
        available = available.expand(len(first), -1)
        if present is None:
            return available
        present = as_images("present", present)
        if present.dtype != torch.bool or present.shape != available.shape:
            expected, got = tuple(available.shape), f"{present.dtype} of {tuple(present.shape)}"
            raise ValueError(f"present: expected bool {expected}, got {got}")
        return available & present.to(device)

    def _check(self, items: Mapping[str, Any], present: Tensor | None) -> tuple[Tensor, Tensor]:
        if not items or not set(items) <= set(self.names):
            got = ", ".join(map(repr, items)) or "none"
            raise ValueError(f"features: expected some of {', '.join(self.names)}, got {got}")
        features: dict[str, Tensor] = {}
        for name, values in items.items():
            values = as_images(f"features[{name!r}]", values)
            values = values if values.is_floating_point() else values.to(torch.float32)
            features[name] = like_parameters(self, values)
            N = len(next(iter(features.values())))
            if values.shape != (N, self.dim):
                got = f"{tuple(values.shape)} for {name!r}"
                raise ValueError(f"features: expected shape ({N}, {self.dim}), got {got}")
        present = self.presence(features, present)
        empty = ~present.any(dim=1)
        if empty.any():
            row = int(empty.nonzero()[0])
            raise ValueError(f"present: expected a modality in each row, got none in row {row}")
        missing = torch.zeros_like(features[name])
        columns = [features.get(name, missing) for name in self.names]
        return torch.stack(columns, dim=1).where(present[:, :, None], 0), present


class AverageFusion(Fusion):
    """Mean of the present modalities."""

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        weights = present / present.sum(dim=1, keepdim=True)
        return _weighted_sum(weights, stacked), weights


class WeightedFusion(Fusion):
    """Mean with one learned weight for each modality; the weights of the present ones sum to 1."""

    def build(self, dim: int, M: int) -> None:
        self.logits = nn.Parameter(torch.zeros(M))

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        weights = self.logits.expand(present.shape).where(present, -math.inf).softmax(dim=1)
        return _weighted_sum(weights, stacked), weights


class GatedFusion(Fusion):
    """Gated multimodal units (Arevalo et al. 2017, arXiv 1702.01992), for any number of modalities.

    A gate, a layer of all modalities, computes the weight of each modality in each feature. The
    paper's sigmoid for two is the softmax of two logits. ``weights`` are means over the features.
    """

    def build(self, dim: int, M: int) -> None:
        self.values = nn.ModuleList(nn.Linear(dim, dim) for _ in range(M))
        self.gate = nn.Linear(M * (dim + 1), M * dim)

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.gate(_concatenated(stacked, present)).view_as(stacked)
        gates = logits.where(present[:, :, None], -math.inf).softmax(dim=1)
        columns = zip(self.values, stacked.unbind(1), strict=True)
        values = [layer(column) for layer, column in columns]
        return (gates * torch.stack(values, dim=1).tanh()).sum(dim=1), gates.mean(dim=2)


class ConcatenationFusion(Fusion):
    """One hidden layer of all modalities, concatenated with indicators of the present ones."""

    def build(self, dim: int, M: int) -> None:
        first, second = nn.Linear(M * (dim + 1), 2 * dim), nn.Linear(2 * dim, dim)
        self.layers = nn.Sequential(first, nn.ReLU(), second)

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, None]:
        return self.layers(_concatenated(stacked, present)), None


class BilinearFusion(Fusion):
    """Low-rank bilinear pooling: a product of projections, one factor for each modality.

    Kim et al. (2017, arXiv 1610.04325); for any number of modalities, and with the constant 1 that
    keeps single terms: Liu et al. (2018, arXiv 1806.00064, eq. 6). A missing one has the factor 1.
    """

    def build(self, dim: int, M: int) -> None:
        self.factors = nn.ModuleList(nn.Linear(dim, 2 * dim) for _ in range(M))
        self.output = nn.Linear(2 * dim, dim)

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, None]:
        product = stacked.new_ones(())
        columns = zip(self.factors, stacked.unbind(1), present.unbind(1), strict=True)
        for layer, column, mask in columns:
            product = product * (1 + layer(column)).where(mask[:, None], 1)
        return self.output(product), None


class AttentionFusion(Fusion):
    """Self-attention between the present modalities, then a hidden layer, then the mean.

    One transformer block (Vaswani et al. 2017, arXiv 1706.03762) on M tokens, each with a learned
    embedding of its modality. ``weights`` are the attention that each modality receives, as a mean.
    """

    def build(self, dim: int, M: int) -> None:
        self.marks = nn.Parameter(0.02 * torch.randn(M, dim))
        self.normalize = nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, math.gcd(dim, 4), batch_first=True)
        first, second = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)
        self.layers = nn.Sequential(nn.LayerNorm(dim), first, nn.ReLU(), second)

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.normalize(stacked + self.marks)
        attended, attention = self.attention(tokens, tokens, tokens, key_padding_mask=~present)
        tokens = stacked + attended
        tokens = tokens + self.layers(tokens)
        queries = present / present.sum(dim=1, keepdim=True)
        return _weighted_sum(queries, tokens), _weighted_sum(queries, attention)


class ProductOfExperts(Fusion):
    """Bayes' rule for modalities that are independent given the outcome (Hinton 2002).

    log p(c | x_1..x_M) = sum of log p(c | x_m) - (M - 1) log p(c), up to normalization, over the
    present modalities. If the experts' probabilities are correct, no fusion does better. The input
    vectors are log-probabilities of ``dim`` outcomes, up to a constant in each row; the output is
    normalized. ``prior`` (dim,): p(c), None is uniform.
    """

    log_prior: Tensor

    def __init__(self, names: Sequence[str], dim: int, *, prior: Any = None, seed: int = 0):
        super().__init__(names, dim, seed=seed)
        prior = [1 / dim] * dim if prior is None else prior
        p = as_probabilities("prior", prior, tolerance=1e-5)
        if p.shape != (dim,) or not (p > 0).all():
            raise ValueError(f"prior: expected {dim} positive numbers of sum 1, got {p.tolist()}")
        self.register_buffer("log_prior", torch.from_numpy(p).float().log())

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, None]:
        experts = stacked.log_softmax(dim=2).where(present[:, :, None], 0).sum(dim=1)
        surplus = present.sum(dim=1, keepdim=True) - 1
        return (experts - surplus * self.log_prior).log_softmax(dim=1), None


FUSIONS: dict[str, type[Fusion]] = {
    "average": AverageFusion,
    "weighted": WeightedFusion,
    "gated": GatedFusion,
    "concatenation": ConcatenationFusion,
    "bilinear": BilinearFusion,
    "attention": AttentionFusion,
    "experts": ProductOfExperts,
}


def drop_modalities(
    present: Tensor, probability: float, *, generator: torch.Generator | None = None
) -> Tensor:
    """Return ``present`` (N, M) bool with each modality dropped with a ``probability`` in [0, 1].

    Training with dropped modalities prepares a fusion for missing ones (Neverova et al. 2016,
    arXiv 1501.00102). ``present`` holds at least one modality in each row, and so does the result:
    if all were dropped, one of them, drawn uniformly, stays. Without ``generator``, global draws.
    """
    check_number("probability", probability, minimum=0.0, maximum=1.0)
    if present.dtype != torch.bool:
        raise TypeError(f"present: expected bool, got {present.dtype}")
    device = "cpu" if generator is None else generator.device
    draws = torch.rand(present.shape, generator=generator, device=device, dtype=torch.float32)
    draws = draws.to(present.device).where(present, -1)
    largest = draws == draws.amax(dim=1, keepdim=True)  # stays in any case
    return present & ((draws >= probability) | largest)


def _weighted_sum(weights: Tensor, stacked: Tensor) -> Tensor:
    """(N, M) weights of (N, M, dim) -> (N, dim)."""
    return (weights.to(stacked.dtype)[:, None, :] @ stacked)[:, 0]


def _concatenated(stacked: Tensor, present: Tensor) -> Tensor:
    """(N, M, dim) and (N, M) -> (N, M * (dim + 1))."""
    return torch.cat([stacked.flatten(1), present.to(stacked.dtype)], dim=1)


class Classifier(nn.Module):
    """``classifier(batch, present=None) -> (N, classes)`` for a batch of some or all modalities."""

    def predict(self, batch: Mapping[str, Tensor], present: Tensor | None = None) -> Tensor:
        """Return log-probabilities (N, classes), in evaluation mode and without gradients."""
        with evaluating(self):
            return self(batch, present).log_softmax(dim=1)

    @staticmethod
    def loss(logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Cross-entropy with ``batch["label"]`` (N,) int64, for `simmim_lite.training.fit`."""
        return cross_entropy(logits, batch["label"])


class FusedClassifier(Classifier):
    """Linear classifier of fused features.

    The ``encoders`` of some modalities, (N, ...) -> (N, dim), are trained with the rest; the other
    modalities are vectors already. ``drop`` is the probability of `drop_modalities` in training.
    """

    def __init__(
        self,
        fusion: Fusion,
        classes: int,
        *,
        encoders: Mapping[str, nn.Module] | None = None,
        drop: float = 0.0,
        seed: int = 0,
    ):
        super().__init__()
        _check_names("fusion", fusion.names)
        for name in encoders or {}:
            check_choice("encoders", name, fusion.names)
        self.fusion = fusion
        self.encoders = ByName(encoders or {}, "encoders")
        self.drop = check_number("drop", drop, minimum=0.0, maximum=1.0)
        with seeded(seed):
            self.head = nn.Linear(fusion.dim, check_integer("classes", classes, minimum=2))

    def forward(self, batch: Mapping[str, Tensor], present: Tensor | None = None) -> Tensor:
        """Return logits (N, classes); other entries of the batch, as labels, are ignored."""
        features = {name: batch[name] for name in self.fusion.names if name in batch}
        for name in [name for name in features if name in self.encoders]:
            features[name] = encoded(self.encoders[name], features[name])
        if self.training and self.drop and features:
            present = drop_modalities(self.fusion.presence(features, present), self.drop)
        return self.head(like_parameters(self.head, self.fusion(features, present)))

    def augment(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Return the batch with items augmented by their encoders' ``augment``, for training."""
        augmented = dict(batch)
        for name, encoder in self.encoders.items():
            augment = getattr(encoder, "augment", None)
            if augment and name in batch:
                augmented[name] = augment(batch[name], generator)
        return augmented


class BayesClassifier(Classifier):
    """Bayes' rule for classifiers of one modality each, without joint training.

    Optimal if classes are equally frequent, modalities are independent given the class, and the
    probabilities of each classifier are correct (see `calibrate`). Each of the ``classifiers``,
    ``classifier(batch) -> (N, classes)``, reads the entry of its modality.
    """

    temperatures: Tensor  # (M,), divisors of the logits of each modality

    def __init__(self, classifiers: Mapping[str, nn.Module], classes: int):
        super().__init__()
        self.fusion = ProductOfExperts(list(classifiers), classes)
        _check_names("classifiers", self.fusion.names)
        self.classifiers = ByName(classifiers, "classifiers")
        self.register_buffer("temperatures", torch.ones(len(classifiers)))

    def forward(self, batch: Mapping[str, Tensor], present: Tensor | None = None) -> Tensor:
        """Return log-probabilities (N, classes)."""
        logits = {
            name: self.classifiers[name]({name: batch[name]}) / temperature
            for name, temperature in zip(self.fusion.names, self.temperatures, strict=True)
            if name in batch
        }
        return self.fusion(logits, present)

    def calibrate(self, name: str, values: Tensor, labels: Tensor) -> float:
        """Set and return the temperature of ``name`` by `fit_temperature`, from N new items."""
        check_choice("name", name, self.fusion.names)
        with evaluating(self):
            temperature = fit_temperature(self.classifiers[name]({name: values}), labels)
        self.temperatures[self.fusion.names.index(name)] = temperature
        return temperature


def _check_names(argument: str, names: tuple[str, ...]) -> None:
    if "label" in names:
        raise ValueError(f"{argument}: expected no modality 'label', which is the entry of classes")


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature that calibrates softmax(logits / temperature).

    Networks are overconfident. One temperature, with the smallest cross-entropy on items that the
    network was not trained on, corrects much of that and keeps the order of the classes (Guo et al.
    2017, arXiv 1706.04599). ``logits`` (N, classes) or log-probabilities, and ``labels`` (N,)
    int64, give a number between 1/20 and 20: near 1/20 if all rows are classified correctly.
    """
    logits = as_tensor("logits", logits).detach().double()
    if logits.ndim != 2 or not len(logits):
        raise ValueError(f"logits: expected shape (N, classes), got {tuple(logits.shape)}")
    numbers = as_class_numbers("labels", labels, logits.shape[1])
    check_same_length(logits=logits, labels=numbers)
    labels = torch.from_numpy(numbers).to(logits.device)

    def loss(log_temperature: float) -> float:  # convex in 1 / temperature: one minimum
        return cross_entropy(logits / math.exp(log_temperature), labels).item()

    ends = (-math.log(20), math.log(20))
    return math.exp(minimize_scalar(loss, bounds=ends, method="bounded").x)
