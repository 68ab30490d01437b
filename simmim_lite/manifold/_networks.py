"""Networks that predict a cluster, the bounds that they maximize, and how they learn.

Y is the cluster of x, drawn from p(y | x) = softmax(logits), and X' a transform of x: a point that
is close to x on the manifold. For any q, I(Y; X') >= H(Y) + E log q(y | x') (Barber & Agakov 2003);
the gap is a mean KL divergence. With the network itself as q, `information_bound` needs only
logits. It is at most ln K, which certain, equally frequent assignments that x' keeps reach.

Each objective maps ``logits`` and ``moved_logits`` (N, K) of x and x' to a scalar to be maximized.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from simmim_lite._arguments import as_tensor
from simmim_lite._random import seeded
from simmim_lite._torch_state import gradients
from simmim_lite.augment import RandomWarp
from simmim_lite.encoders._base import normalized_layer
from simmim_lite.training import Batches, fit

_HIDDEN = 128
_BLOCK = 1024  # rows of a forward pass without gradient
ANNEALED = 0.4  # strength of the transform at the end of training, and when the bound is learned
_WEIGHT, _BALANCE = 0.1, 4.0  # of IMSAT
_TINY = 1e-12

Augment = Callable[[Tensor, Generator], Tensor]


def _check(**rows: Tensor) -> None:
    for name, values in rows.items():
        if values.ndim != 2 or 0 in values.shape or values.shape != rows["logits"].shape:
            raise ValueError(f"{name}: expected logits (N, K), got shape {tuple(values.shape)}")


def information_bound(logits: Tensor, moved_logits: Tensor) -> Tensor:
    """Return H(Y) + mean_x sum_y p(y|x) log p(y|x') in nats, a lower bound on I(Y; X').

    H(Y) is the entropy of the mean of p(y|x) over these N rows. In expectation H(Y), and with H(Y)
    the bound, is too small by about (K - 1) / 2N.
    """
    _check(logits=logits, moved_logits=moved_logits)
    p = logits.softmax(dim=1)
    return _entropy(p.mean(dim=0)) + (p * moved_logits.log_softmax(dim=1)).sum(dim=1).mean()


def symmetric_bound(logits: Tensor, moved_logits: Tensor) -> Tensor:
    """Return the mean of `information_bound` from x to x' and from x' to x, in nats."""
    return (information_bound(logits, moved_logits) + information_bound(moved_logits, logits)) / 2


def rim(logits: Tensor, moved_logits: Tensor | None = None) -> Tensor:
    """Return I(Y; X) = H(Y) - H(Y|X) in nats, without a transform (Krause et al. 2010, eq. 3).

    Nothing keeps a boundary out of dense regions; Krause, Perona & Gomes add weight decay.
    """
    return information_bound(logits, logits)


def imsat(logits: Tensor, moved_logits: Tensor) -> Tensor:
    """Return 0.1 (4 H(Y) - H(Y|X)) - KL(p(y|x) || p(y|x')) (Hu et al. 2017, arXiv 1702.08720).

    As in the paper, KL has no gradient through p(y|x). 1 for 0.1 and 4 gives `information_bound`.
    """
    _check(logits=logits, moved_logits=moved_logits)
    log_p = logits.log_softmax(dim=1)
    p, fixed = log_p.exp(), log_p.detach()
    divergence = (fixed.exp() * (fixed - moved_logits.log_softmax(dim=1))).sum(dim=1).mean()
    conditional = -(p * log_p).sum(dim=1).mean()
    return _WEIGHT * (_BALANCE * _entropy(p.mean(dim=0)) - conditional) - divergence


def iic(logits: Tensor, moved_logits: Tensor) -> Tensor:
    """Return I(Y; Y') in nats of the two clusters, from their joint table over these rows.

    Ji et al. 2019, eq. 3, arXiv 1807.06653. As in the paper, the table is made symmetric.
    """
    _check(logits=logits, moved_logits=moved_logits)
    p, q = logits.softmax(dim=1), moved_logits.softmax(dim=1)
    with torch.autocast(p.device.type, enabled=False):  # three digits of a table are too few
        joint = p.T @ q.to(p) / len(p)
    joint = (joint + joint.T) / 2
    return 2 * _entropy(joint.sum(dim=0)) - _entropy(joint)


CLUSTERING_OBJECTIVES = {"bound": symmetric_bound, "rim": rim, "imsat": imsat, "iic": iic}


def virtual_adversarial_step(network: nn.Module, x: Tensor, radius: Tensor | float) -> Tensor:
    """Return x' = x + radius * direction, where p(y | x') differs most from p(y | x).

    The direction is the gradient of KL(p(y|x) || p(y|x + radius * r)) with respect to r, at a
    random unit vector r: one step of a power iteration (Miyato et al. 2018, arXiv 1704.03976,
    algorithm 1). r is drawn from torch's global random numbers. ``x`` (N, ...) is floating point,
    on the device of the network x -> logits (N, K); ``radius`` is a number or (N,). x' is detached.
    """
    radius = as_tensor("radius", radius, dtype=x.dtype, device=x.device)
    radius = radius.reshape(-1, *[1] * (x.ndim - 1))
    with gradients():
        direction = _unit(torch.randn_like(x.contiguous())).requires_grad_()
        with torch.no_grad():
            log_p = network(x).log_softmax(dim=1)
        log_q = network(x + radius * direction).log_softmax(dim=1)
        divergence = (log_p.exp() * (log_p - log_q)).sum()
        (gradient,) = torch.autograd.grad(divergence, direction)
    return x + radius * _unit(gradient)


def _unit(x: Tensor) -> Tensor:
    """Rows of length 1, or 0; first divided by a power of two, so that no square becomes 0."""
    rows = x.flatten(1)
    unit = rows.abs().amax(dim=1, keepdim=True).log2().floor().exp2()
    rows = rows / unit.clamp(min=torch.finfo(x.dtype).tiny)
    return F.normalize(rows, eps=_TINY).reshape(x.shape)


def _entropy(p: Tensor) -> Tensor:
    return -(p * p.clamp(min=_TINY).log()).sum()


def small_network(x: Tensor, n_clusters: int, *, width: int, seed: int) -> nn.Module:
    """Return a network -> logits (N, n_clusters), for rows like ``x``: tables or square images.

    Tables are standardized, each column by its standard deviation in ``x``, whose columns have mean
    0, and pass two hidden layers. Images pass three convolutions that halve the side; strides
    instead of pooling make a step three times as fast as a step of `ImageEncoder`.
    """
    columns, hidden, maps = x.shape[1], 128 * width, 16 * width
    cells = math.ceil(x.shape[-1] / 8) ** 2
    new: dict[str, Any] = {"bias": False, "dtype": x.dtype}
    with seeded(seed):
        if x.ndim == 2:
            return nn.Sequential(
                _Scale(x),
                nn.BatchNorm1d(columns, affine=False, dtype=x.dtype),
                *normalized_layer(nn.Linear(columns, hidden, **new)),
                *normalized_layer(nn.Linear(hidden, hidden, **new)),
                nn.Linear(hidden, n_clusters, dtype=x.dtype),
            )
        return nn.Sequential(
            *normalized_layer(nn.Conv2d(1, maps, 5, stride=2, padding=2, **new)),
            *normalized_layer(nn.Conv2d(maps, 2 * maps, 3, stride=2, padding=1, **new)),
            *normalized_layer(nn.Conv2d(2 * maps, 4 * maps, 3, stride=2, padding=1, **new)),
            nn.Flatten(),
            *normalized_layer(nn.Linear(4 * maps * cells, _HIDDEN, **new)),
            nn.Linear(_HIDDEN, n_clusters, dtype=x.dtype),
        )


class _Scale(nn.Module):
    """Columns divided by their standard deviation in x; constant columns remain 0.

    Without this layer, batch normalization would drop columns that vary far less than others.
    """

    factors: Tensor

    def __init__(self, x: Tensor):
        super().__init__()
        deviation = x.double().std(dim=0, correction=0)
        factors = torch.where(deviation > 0, 1 / deviation, 0)
        self.register_buffer("factors", factors.to(x.dtype))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factors


def transform(x: Tensor, augment: str | Augment, generator: Generator, strength: float) -> Tensor:
    """Return x' by ``augment``: a function, or "image", a `RandomWarp` with this ``strength``."""
    if isinstance(augment, str):
        return RandomWarp()(x, generator, strength)
    moved = torch.as_tensor(augment(x, generator), dtype=x.dtype, device=x.device)
    if moved.shape != x.shape:
        raise ValueError(f"augment: expected shape {tuple(x.shape)}, got {tuple(moved.shape)}")
    return moved


class TransformedBatches(Batches):
    """Batches {"x": (n, ...), ...} with "moved" (n, ...): a point x' close to x on the manifold.

    ``augment=None`` takes one of the "neighbors" (N, k) of the data, row indices. "adversarial"
    adds nothing, because x' depends on the network. Otherwise x' is the `transform` of x, whose
    strength goes linearly from ``strengths[0]`` at batch 0 to ``strengths[1]`` at batch ``steps``.
    """

    def __init__(
        self,
        data: dict[str, Tensor],
        batch_size: int,
        augment: str | Augment | None,
        strengths: tuple[float, float],
        steps: int,
        seed: int,
    ):
        super().__init__(data, min(batch_size, len(data["x"])), seed=seed)
        self.augment, self.strengths, self.steps = augment, strengths, steps

    def transformed(self, batch: dict[str, Tensor], i: int, generator: Generator) -> dict:
        if self.augment == "adversarial":
            return batch
        if self.augment is None:
            n, k = batch["neighbors"].shape
            chosen = torch.randint(k, (n, 1), generator=generator, device=generator.device)
            moved = self.data["x"][batch["neighbors"].gather(1, chosen)[:, 0]]
        else:
            first, last = self.strengths
            strength = first + (last - first) * (i / self.steps)
            moved = transform(batch["x"], self.augment, generator, strength)
        return batch | {"moved": moved}


def train(network: nn.Module, batches: TransformedBatches, objective: Any, rate: float) -> None:
    """Train ``network`` in place, x -> logits (N, K), with a learning ``rate``.

    ``objective(logits, moved_logits)`` is maximized. None minimizes the cross-entropy of
    assignments "p" (N, K) in the data, predicted from x'. "radius" (N,) is for adversarial steps.
    """

    def loss(logits: Any, batch: dict[str, Tensor]) -> Tensor:
        return F.cross_entropy(logits, batch["p"]) if objective is None else -objective(*logits)

    fit(
        _Transformed(network, pairs=objective is not None),
        loss,
        batches,
        steps=batches.steps,
        warmup=batches.steps // 50,
        learning_rate=rate,
        seed=batches.seed,
        autocast=None,  # half precision would blur the small steps of adversarial transforms
        progress=False,
    )


class _Transformed(nn.Module):
    """Logits of x' (of x if x' is adversarial), or with ``pairs`` of both x and x'."""

    def __init__(self, network: nn.Module, *, pairs: bool):
        super().__init__()
        self.network, self.pairs = network, pairs

    def forward(self, batch: dict[str, Tensor]) -> Tensor | tuple[Tensor, ...]:
        x = batch["x"]
        if not self.pairs:
            return self.network(batch.get("moved", x))
        if "moved" in batch:  # one pass, so that batch normalization treats both alike
            return self.network(torch.cat([x, batch["moved"]])).chunk(2)
        moved = virtual_adversarial_step(self.network, x, batch["radius"])
        return self.network(x), self.network(moved)


@torch.no_grad()
def logits_of(network: nn.Module, x: Tensor) -> Tensor:
    """Return logits (N, K) on the CPU, computed in evaluation mode where the network is."""
    network.eval()
    device = next(network.parameters()).device
    return torch.cat([network(block.to(device)).cpu() for block in x.split(_BLOCK)])
