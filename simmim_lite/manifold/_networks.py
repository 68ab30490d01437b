"""Networks that predict a cluster, the transforms that they learn to ignore, and how they learn."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simmim_lite._random import seeded
from simmim_lite.augment import RandomWarp
from simmim_lite.encoders._base import normalized_layer
from simmim_lite.manifold._objectives import virtual_adversarial_step
from simmim_lite.training import Batches, fit

_HIDDEN = 128
_BLOCK = 1024  # rows of a forward pass without gradient
ANNEALED = 0.4  # strength of the transform at the end of training, and when the bound is learned

Augment = Callable[[Tensor, torch.Generator], Tensor]


def small_network(x: Tensor, n_clusters: int, *, width: int, seed: int) -> nn.Module:
    """Return a network -> logits (N, n_clusters), for rows like ``x``: tables or square images.

    Tables are standardized and pass two hidden layers, images pass three convolutions. Each
    convolution halves the side; strides instead of pooling make a step three times as fast as a
    step of `ImageEncoder`, and speed limits how much the network learns in a minute.
    """
    columns, hidden, maps = x.shape[1], 128 * width, 16 * width
    cells = math.ceil(x.shape[-1] / 8) ** 2
    with seeded(seed):
        if x.ndim == 2:
            return nn.Sequential(
                nn.BatchNorm1d(columns, affine=False),
                *normalized_layer(nn.Linear(columns, hidden, bias=False)),
                *normalized_layer(nn.Linear(hidden, hidden, bias=False)),
                nn.Linear(hidden, n_clusters),
            )
        return nn.Sequential(
            *normalized_layer(nn.Conv2d(1, maps, 5, stride=2, padding=2, bias=False)),
            *normalized_layer(nn.Conv2d(maps, 2 * maps, 3, stride=2, padding=1, bias=False)),
            *normalized_layer(nn.Conv2d(2 * maps, 4 * maps, 3, stride=2, padding=1, bias=False)),
            nn.Flatten(),
            *normalized_layer(nn.Linear(4 * maps * cells, _HIDDEN, bias=False)),
            nn.Linear(_HIDDEN, n_clusters),
        )


def transform(
    x: Tensor, augment: str | Augment, generator: torch.Generator, strength: float
) -> Tensor:
    """Return x' by ``augment``: a function, or "image", a `RandomWarp` with this ``strength``."""
    if isinstance(augment, str):
        return RandomWarp()(x, generator, strength)
    moved = torch.as_tensor(augment(x, generator), dtype=x.dtype, device=x.device)
    if moved.shape != x.shape:
        raise ValueError(
            f"augment: expected rows of shape {tuple(x.shape)} back, got {tuple(moved.shape)}"
        )
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

    def transformed(
        self, batch: dict[str, Tensor], i: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        if self.augment is None:
            n, k = batch["neighbors"].shape
            chosen = torch.randint(k, (n, 1), generator=generator, device=generator.device)
            moved = self.data["x"][batch["neighbors"].gather(1, chosen)[:, 0]]
        elif self.augment == "adversarial":
            return batch
        else:
            first, last = self.strengths
            strength = first + (last - first) * (i / self.steps)
            moved = transform(batch["x"], self.augment, generator, strength)
        return batch | {"moved": moved}


def train(
    network: nn.Module,
    batches: TransformedBatches,
    objective: Callable[[Tensor, Tensor], Tensor] | None,
    learning_rate: float,
    *,
    verbose: bool,
) -> None:
    """Train ``network`` in place, x -> logits (N, K).

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
        learning_rate=learning_rate,
        seed=batches.seed,
        autocast=None,  # half precision would blur the small steps of adversarial transforms
        progress=None if verbose else False,
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
