"""Classifiers of several modalities: with a learned fusion, or by Bayes' rule."""

import math
from collections.abc import Mapping

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from simmim_lite._arguments import check_choice, check_integer, check_number
from simmim_lite._random import seeded
from simmim_lite.fusion._fusions import Fusion, ProductOfExperts, drop_modalities


class Classifier(nn.Module):
    """``classifier(batch, present=None) -> (N, classes)`` for a batch of some or all modalities."""

    def predict(self, batch: Mapping[str, Tensor], present: Tensor | None = None) -> Tensor:
        """Return log-probabilities (N, classes), in evaluation mode and without gradients."""
        was_training = self.training
        self.eval()
        try:
            with torch.no_grad():
                return self(batch, present).log_softmax(dim=1)
        finally:
            self.train(was_training)

    @staticmethod
    def loss(logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Cross-entropy with ``batch["label"]`` (N,) int64, for `simmim_lite.training.fit`."""
        return cross_entropy(logits, batch["label"])


class FusedClassifier(Classifier):
    """Linear classifier of fused features.

    Args:
        encoders: of some modalities, (N, ...) -> (N, dim), trained with the rest; the other
            modalities are vectors already.
        drop: probability of dropping each modality during training (see `drop_modalities`).
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
        unknown = set(encoders or {}) - set(fusion.names)
        if unknown:
            expected, got = ", ".join(fusion.names), ", ".join(map(repr, sorted(unknown)))
            raise ValueError(f"encoders: expected some of {expected}, got {got}")
        self.fusion = fusion
        self.encoders = nn.ModuleDict(encoders or {})
        self.drop = check_number("drop", drop, minimum=0.0, maximum=1.0)
        with seeded(seed):
            self.head = nn.Linear(fusion.dim, check_integer("classes", classes, minimum=2))

    def forward(self, batch: Mapping[str, Tensor], present: Tensor | None = None) -> Tensor:
        """Return logits (N, classes); other entries of the batch, as labels, are ignored."""
        features = {name: batch[name] for name in self.fusion.names if name in batch}
        for name in features:
            if name in self.encoders:
                features[name] = self.encoders[name](features[name])
        if self.training and self.drop and features:
            present = drop_modalities(self.fusion.presence(features, present), self.drop)
        return self.head(self.fusion(features, present))

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
    ``classifier(batch) -> (N, classes)``, reads the entry of its modality. With one modality of two
    missing, the output is exactly that of the other classifier.
    """

    temperatures: Tensor  # (M,), divisors of the logits of each modality

    def __init__(self, classifiers: Mapping[str, nn.Module], classes: int):
        super().__init__()
        self.fusion = ProductOfExperts(list(classifiers), classes)
        self.classifiers = nn.ModuleDict(classifiers)
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
        self.eval()
        with torch.no_grad():
            temperature = fit_temperature(self.classifiers[name]({name: values}), labels)
        self.temperatures[self.fusion.names.index(name)] = temperature
        return temperature


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature that calibrates softmax(logits / temperature).

    Networks are overconfident, and Bayes' rule uses their probabilities as they are. One
    temperature, with the smallest cross-entropy on items that the network was not trained on,
    corrects much of that and keeps the order of the classes (Guo et al. 2017, arXiv 1706.04599).

    ``logits`` (N, classes), or log-probabilities, and ``labels`` (N,) int64. The result is between
    1/20 and 20: near 1/20 if all rows are classified correctly.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(logits):
        got = f"{tuple(logits.shape)} and {tuple(labels.shape)}"
        raise ValueError(f"logits, labels: expected (N, classes) and (N,), got {got}")
    logits = logits.detach().double()

    def loss(log_temperature: float) -> float:  # convex in 1 / temperature: one minimum
        return cross_entropy(logits / math.exp(log_temperature), labels).item()

    ends = (-math.log(20), math.log(20))
    return math.exp(minimize_scalar(loss, bounds=ends, method="bounded").x)
