"""Fusions of feature vectors, and missing modalities during training."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from simmim_lite._arguments import check_integer, check_number
from simmim_lite._random import seeded


class Fusion(nn.Module):
    """Base class: checks the arguments and puts zeros in place of missing modalities.

    A subclass creates its layers in `build`.

    Args:
        names: modalities, in the order of ``present`` and ``weights``.
        dim: size of the input vectors and of the output vector.
        seed: of the initial weights, if the fusion has any.

    Attributes:
        weights: (N, M) weights of the modalities in the last call, or None.
    """

    def __init__(self, names: Sequence[str], dim: int, *, seed: int = 0):
        super().__init__()
        if isinstance(names, str):
            raise TypeError(f"names: expected several names, got {names!r}")
        self.names = tuple(names)
        if len(set(self.names)) != len(self.names) or not self.names:
            raise ValueError(f"names: expected different names, got {list(names)}")
        self.dim = check_integer("dim", dim, minimum=1)
        self.weights: Tensor | None = None
        with seeded(seed):
            self.build(dim, len(self.names))

    def build(self, dim: int, M: int) -> None:
        """Create the layers, if any, for M modalities of size ``dim``."""

    def forward(self, features: Mapping[str, Tensor], present: Tensor | None = None) -> Tensor:
        """Return one vector for each row, (N, dim), from ``features`` (N, dim) of each modality.

        ``present`` (N, M) bool: the modalities of each row; None: all that ``features`` holds. A
        row without any modality raises ValueError.
        """
        stacked, present = self._check(features, present)
        fused, weights = self.fuse(stacked, present)
        self.weights = None if weights is None else weights.detach()
        return fused

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, Tensor | None]:
        """``stacked`` (N, M, dim), 0 where not ``present`` (N, M) -> (N, dim), weights (N, M)."""
        raise NotImplementedError

    def presence(self, features: Mapping[str, Tensor], present: Tensor | None) -> Tensor:
        """Return ``present`` (N, M) bool without the modalities that ``features`` lacks."""
        first = next(iter(features.values()))
        available = torch.tensor([name in features for name in self.names], device=first.device)
        available = available.expand(len(first), -1)
        return available if present is None else available & present.to(first.device)

    def _check(
        self, features: Mapping[str, Tensor], present: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        unknown = set(features) - set(self.names)
        if unknown or not features:
            got = ", ".join(map(repr, features)) or "none"
            raise ValueError(f"features: expected some of {', '.join(self.names)}, got {got}")
        N = len(next(iter(features.values())))
        for name, values in features.items():
            if values.shape != (N, self.dim):
                got = f"{tuple(values.shape)} for {name!r}"
                raise ValueError(f"features: expected shape ({N}, {self.dim}), got {got}")
        M = len(self.names)
        if present is not None and (present.dtype != torch.bool or present.shape != (N, M)):
            got = f"{present.dtype} of shape {tuple(present.shape)}"
            raise ValueError(f"present: expected bool ({N}, {M}), got {got}")
        present = self.presence(features, present)
        empty = ~present.any(dim=1)
        if empty.any():
            row = int(empty.nonzero()[0])
            raise ValueError(f"present: expected a modality in each row, got none in row {row}")
        missing = torch.zeros_like(values)
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

    Each modality has a layer of its own. A gate, a layer of all modalities, computes the weight of
    each modality in each feature. The paper's sigmoid gate for two is the softmax of two logits.
    ``weights`` are the means over the features.
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

    For two modalities: Kim et al. (2017, arXiv 1610.04325). For more modalities, and with the
    constant 1 that keeps the terms of single modalities: Liu et al. (2018, arXiv 1806.00064),
    equation 6. The factor of a missing modality is 1.
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
    embedding of its modality. ``weights`` are the attention that each modality receives: the mean
    over heads and over the querying modalities.
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
    present modalities. Nothing is learned. If the experts' probabilities are correct, no fusion
    does better. The input vectors are log-probabilities of ``dim`` outcomes, up to a constant in
    each row; the output is normalized. ``prior`` (dim,): p(c), None is uniform.
    """

    log_prior: Tensor

    def __init__(
        self,
        names: Sequence[str],
        dim: int,
        *,
        prior: Sequence[float] | Tensor | None = None,
        seed: int = 0,
    ):
        super().__init__(names, dim, seed=seed)
        p = torch.full((dim,), 1 / dim) if prior is None else torch.as_tensor(prior).float()
        if p.shape != (dim,) or not bool((p > 0).all()) or abs(p.sum() - 1) > 1e-5:
            raise ValueError(f"prior: expected {dim} positive numbers of sum 1, got {p.tolist()}")
        self.register_buffer("log_prior", p.log())

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
    if all were dropped, one of them, drawn uniformly, stays. Without a ``generator`` the draws come
    from the global random state.
    """
    check_number("probability", probability, minimum=0.0, maximum=1.0)
    draws = torch.rand(present.shape, generator=generator).to(present.device).where(present, -1)
    largest = draws == draws.amax(dim=1, keepdim=True)  # stays in any case
    return present & ((draws >= probability) | largest)


def _weighted_sum(weights: Tensor, stacked: Tensor) -> Tensor:
    """(N, M) weights of (N, M, dim) -> (N, dim)."""
    return (weights.to(stacked.dtype)[:, None, :] @ stacked)[:, 0]


def _concatenated(stacked: Tensor, present: Tensor) -> Tensor:
    """(N, M, dim) and (N, M) -> (N, M * (dim + 1))."""
    return torch.cat([stacked.flatten(1), present.to(stacked.dtype)], dim=1)
