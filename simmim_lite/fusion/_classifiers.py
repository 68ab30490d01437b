"""What modalities say together about a class: learned, or by Bayes' rule."""

import math
from collections.abc import Mapping, Sequence

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from simmim_lite._arguments import check_choice, check_integer, check_number
from simmim_lite._random import seeded
from simmim_lite.fusion._kinds import Fusion, ProductOfExperts
from simmim_lite.fusion._missing import drop_modalities


class Classifier(nn.Module):
    """``classifier(batch, present=None) -> (N, classes)`` for a batch of some or all modalities."""

    def predict(self, batch: Mapping[str, Tensor], present: Tensor | None = None) -> Tensor:
        """Log-probabilities (N, classes), in evaluation mode and without gradients."""
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
    """A linear layer behind a fusion: what the modalities say together about a class.

    Args:
        fusion: of the modalities.
        classes: how many.
        encoders: of some modalities, (N, ...) -> (N, dim), to be trained with the rest; those of
            the others are vectors already.
        drop: in training, probability of leaving each modality out (see `drop_modalities`).
        seed: of the linear layer.
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
            expected = ", ".join(fusion.names)
            got = ", ".join(map(repr, sorted(unknown)))
            raise ValueError(f"encoders: expected some of {expected}, got {got}")
        self.fusion = fusion
        self.encoders = nn.ModuleDict(encoders or {})
        self.drop = check_number("drop", drop, minimum=0.0, maximum=1.0)
        with seeded(seed):
            self.head = nn.Linear(fusion.dim, check_integer("classes", classes, minimum=2))

    def forward(self, batch: Mapping[str, Tensor], present: Tensor | None = None) -> Tensor:
        """Items or vectors of some or all modalities, N each -> logits (N, classes).

        Other entries of the batch, labels say, are left alone.
        """
        features = {name: batch[name] for name in self.fusion.names if name in batch}
        for name in features:
            if name in self.encoders:
                features[name] = self.encoders[name](features[name])
        if self.training and self.drop and features:
            N = len(next(iter(features.values())))
            here = torch.tensor([name in features for name in self.fusion.names])
            present = here.expand(N, -1) if present is None else present & here
            present = drop_modalities(present, self.drop)
        return self.head(self.fusion(features, present))

    def augment(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """The batch with items varied by their encoders' ``augment``, for training."""
        varied = dict(batch)
        for name, encoder in self.encoders.items():
            if name in batch and hasattr(encoder, "augment"):
                varied[name] = encoder.augment(batch[name], generator)
        return varied


class BayesClassifier(Classifier):
    """Bayes' rule over classifiers that see one modality each: nothing is learned jointly.

    The best that there is, if the modalities are independent given the class and each classifier's
    probabilities are right; for the latter see `calibrate`. With one modality missing it says what
    the other classifier says, word for word.

    Args:
        classifiers: for each modality, ``classifier(batch) -> (N, classes)``, which looks for its
            own entry of the batch.
        classes: how many.
        prior: (classes,) probabilities; None is uniform.

    Attributes:
        temperatures: (M,), by which the logits of each modality are divided.
    """

    def __init__(
        self,
        classifiers: Mapping[str, nn.Module],
        classes: int,
        *,
        prior: Sequence[float] | None = None,
    ):
        super().__init__()
        self.fusion = ProductOfExperts(list(classifiers), classes, prior=prior)
        self.classifiers = nn.ModuleDict(classifiers)
        self.register_buffer("temperatures", torch.ones(len(classifiers)))

    def forward(self, batch: Mapping[str, Tensor], present: Tensor | None = None) -> Tensor:
        """Vectors or items of some or all modalities, N each -> log-probabilities (N, classes)."""
        opinions = {
            name: self.classifiers[name]({name: batch[name]}) / temperature
            for name, temperature in zip(self.fusion.names, self.temperatures, strict=True)
            if name in batch
        }
        return self.fusion(opinions, present)

    def calibrate(self, name: str, values: Tensor, labels: Tensor) -> float:
        """Set the temperature of a modality from rows that its classifier was not trained on.

        Args:
            name: of the modality.
            values: (N, ...) as in a batch.
            labels: (N,) int64.

        Returns:
            The temperature, see `fit_temperature`.
        """
        check_choice("name", name, self.fusion.names)
        self.eval()
        with torch.no_grad():
            temperature = fit_temperature(self.classifiers[name]({name: values}), labels)
        self.temperatures[self.fusion.names.index(name)] = temperature
        return temperature


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The number to divide logits by, so that their softmax can be believed.

    Networks are too sure of what they were trained on, and Bayes' rule takes them at their word.
    One temperature, of least cross-entropy on rows that the network was not trained on, mends much
    of that and leaves the order of the classes as it is (Guo et al. 2017, arXiv 1706.04599).

    Args:
        logits: (N, classes), or log-probabilities.
        labels: (N,) int64.

    Returns:
        The temperature, between 1/20 and 20; near 1/20 if no row is wrong.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(logits):
        got = f"{tuple(logits.shape)} and {tuple(labels.shape)}"
        raise ValueError(f"logits, labels: expected (N, classes) and (N,), got {got}")
    logits = logits.detach().double()

    def loss(log_temperature: float) -> float:  # convex in 1/T, so there is one minimum
        return cross_entropy(logits / math.exp(log_temperature), labels).item()

    ends = (-math.log(20), math.log(20))
    return math.exp(minimize_scalar(loss, bounds=ends, method="bounded").x)
