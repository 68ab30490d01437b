"""The kinds of fusion."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from simmim_lite._arguments import check_integer
from simmim_lite._random import seeded


class Fusion(nn.Module):
    """What the kinds of fusion have in common: arguments, checks, missing rows.

    Args:
        names: of the modalities, in the order of ``weights``.
        dim: columns of the vectors that come in, and of the one that goes out.
        seed: of the weights.
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
            self.build()

    def build(self) -> None:
        """Makes the layers."""

    def forward(self, features: Mapping[str, Tensor], present: Tensor | None = None) -> Tensor:
        """One vector a row.

        Args:
            features: (N, dim) for each modality that is there.
            present: (N, M) bool, which modalities each row has, in the order of ``names``; None is
                all that ``features`` holds.

        Raises:
            ValueError: unknown names, other shapes, a row without any modality.
        """
        stacked, present = self._check(features, present)
        fused, weights = self.fuse(stacked, present)
        self.weights = None if weights is None else weights.detach()
        return fused

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, Tensor | None]:
        """(N, M, dim) with zeros where ``present`` (N, M) is false -> (N, dim), weights (N, M)."""
        raise NotImplementedError

    def _check(
        self, features: Mapping[str, Tensor], present: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        unknown = set(features) - set(self.names)
        if unknown or not features:
            got = ", ".join(map(repr, features)) or "none"
            raise ValueError(f"features: expected some of {', '.join(self.names)}, got {got}")
        first = next(iter(features.values()))
        N = len(first)
        for name, values in features.items():
            if values.shape != (N, self.dim):
                raise ValueError(
                    f"features: expected shape ({N}, {self.dim}), "
                    f"got {tuple(values.shape)} for {name!r}"
                )
        here = torch.tensor([name in features for name in self.names], device=first.device)
        if present is None:
            present = here.expand(N, -1)
        elif present.dtype != torch.bool or present.shape != (N, len(self.names)):
            got = f"{present.dtype} of shape {tuple(present.shape)}"
            raise ValueError(f"present: expected bool ({N}, {len(self.names)}), got {got}")
        present = present.to(first.device) & here
        alone = ~present.any(dim=1)
        if alone.any():
            row = int(alone.nonzero()[0])
            raise ValueError(f"present: expected a modality in each row, got none in row {row}")
        columns = [features.get(name, torch.zeros_like(first)) for name in self.names]
        return torch.stack(columns, dim=1).where(present[:, :, None], 0), present


class AverageFusion(Fusion):
    """The mean of the present modalities."""

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        weights = present / present.sum(dim=1, keepdim=True)
        return _mix(weights, stacked), weights


class WeightedFusion(Fusion):
    """A mean with one learned weight a modality; those of the present ones sum up to 1."""

    def build(self) -> None:
        self.logits = nn.Parameter(torch.zeros(len(self.names)))

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        weights = self.logits.expand(present.shape).where(present, -math.inf).softmax(dim=1)
        return _mix(weights, stacked), weights


class GatedFusion(Fusion):
    """Gated multimodal units (Arevalo et al. 2017, arXiv 1702.01992), for any number of modalities.

    Each modality goes through a layer of its own; how much of it counts, feature by feature, is
    decided by a layer that sees all. The paper's gate between two is the softmax of two.
    ``weights`` are the means over features.
    """

    def build(self) -> None:
        M, dim = len(self.names), self.dim
        self.values = nn.ModuleList(nn.Linear(dim, dim) for _ in self.names)
        self.gate = nn.Linear(M * (dim + 1), M * dim)

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.gate(_side_by_side(stacked, present)).view_as(stacked)
        gates = logits.where(present[:, :, None], -math.inf).softmax(dim=1)
        values = [
            layer(column) for layer, column in zip(self.values, stacked.unbind(1), strict=True)
        ]
        return (gates * torch.stack(values, dim=1).tanh()).sum(dim=1), gates.mean(dim=2)


class ConcatenationFusion(Fusion):
    """One hidden layer over all modalities side by side, with marks for those that are present."""

    def build(self) -> None:
        dim, hidden = self.dim, 2 * self.dim
        self.layers = nn.Sequential(
            nn.Linear(len(self.names) * (dim + 1), hidden), nn.ReLU(), nn.Linear(hidden, dim)
        )

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, None]:
        return self.layers(_side_by_side(stacked, present)), None


class BilinearFusion(Fusion):
    """Low-rank bilinear pooling: products of projections, one factor a modality.

    For two modalities Kim et al. (2017, arXiv 1610.04325); for more, and with the constant 1 that
    keeps each modality's own terms, Liu et al. (2018, arXiv 1806.00064), equation 6. The factor of
    a missing modality is 1.
    """

    def build(self) -> None:
        dim, rank = self.dim, 2 * self.dim
        self.factors = nn.ModuleList(nn.Linear(dim, rank) for _ in self.names)
        self.output = nn.Linear(rank, dim)

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, None]:
        columns = zip(self.factors, stacked.unbind(1), present.unbind(1), strict=True)
        product = 1.0
        for layer, column, there in columns:
            product = product * (1 + layer(column)).where(there[:, None], 1)
        return self.output(product), None


class AttentionFusion(Fusion):
    """Each modality attends to all present ones, then a hidden layer, then their mean.

    One block of a transformer (Vaswani et al. 2017, arXiv 1706.03762) over M tokens, each with a
    learned mark of its modality. ``weights`` are the attention that each modality receives, a mean
    over heads and over the modalities that ask.
    """

    def build(self) -> None:
        dim, heads = self.dim, math.gcd(self.dim, 4)
        self.marks = nn.Parameter(0.02 * torch.randn(len(self.names), dim))
        self.normalize = nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.layers = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim)
        )

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.normalize(stacked + self.marks)
        attended, attention = self.attention(tokens, tokens, tokens, key_padding_mask=~present)
        tokens = stacked + attended
        tokens = tokens + self.layers(tokens)
        asking = present / present.sum(dim=1, keepdim=True)
        return _mix(asking, tokens), _mix(asking, attention)


class ProductOfExperts(Fusion):
    """Bayes' rule for modalities that are independent given the outcome (Hinton 2002).

    log p(c | x_1..x_M) = sum of log p(c | x_m) - (M - 1) log p(c), up to normalization, over the
    present modalities. If the experts are right, no fusion does better: nothing is learned here.

    The vectors are log-probabilities of ``dim`` outcomes, up to a constant in each row, and so is
    what comes out, normalized.

    Args:
        prior: (dim,) probabilities of the outcomes; None is uniform.
    """

    def __init__(
        self,
        names: Sequence[str],
        dim: int,
        *,
        prior: Sequence[float] | None = None,
        seed: int = 0,
    ):
        super().__init__(names, dim, seed=seed)
        prior = torch.full((dim,), 1 / dim) if prior is None else torch.as_tensor(prior).float()
        if prior.shape != (dim,) or not (prior > 0).all() or abs(prior.sum() - 1) > 1e-5:
            raise ValueError(
                f"prior: expected {dim} positive numbers of sum 1, got {prior.tolist()}"
            )
        self.register_buffer("log_prior", prior.log())

    def fuse(self, stacked: Tensor, present: Tensor) -> tuple[Tensor, None]:
        experts = stacked.log_softmax(dim=2).where(present[:, :, None], 0).sum(dim=1)
        spare = present.sum(dim=1, keepdim=True) - 1
        return (experts - spare * self.log_prior).log_softmax(dim=1), None


FUSIONS: dict[str, type[Fusion]] = {
    "average": AverageFusion,
    "weighted": WeightedFusion,
    "gated": GatedFusion,
    "concatenation": ConcatenationFusion,
    "bilinear": BilinearFusion,
    "attention": AttentionFusion,
    "experts": ProductOfExperts,
}


def _mix(weights: Tensor, stacked: Tensor) -> Tensor:
    """(N, M) weights of (N, M, dim) -> (N, dim)."""
    return (weights.to(stacked.dtype)[:, None, :] @ stacked)[:, 0]


def _side_by_side(stacked: Tensor, present: Tensor) -> Tensor:
    """(N, M, dim) and (N, M) -> (N, M * (dim + 1))."""
    return torch.cat([stacked.flatten(1), present.to(stacked.dtype)], dim=1)
