"""The networks that give a code to any point, and how they learn it."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simmim_lite._random import seeded
from simmim_lite.manifold._moves import Moves
from simmim_lite.manifold._objectives import virtual_adversarial_step
from simmim_lite.training import Batches, History, fit

_HIDDEN = 128
_BLOCK = 1024  # rows at a time where nothing is learned
ANNEALED = 0.4  # strength of moves in the end, and when the bound is learned


def table_network(columns: int, n_clusters: int, *, width: int = 64, seed: int = 0) -> nn.Module:
    """(N, columns) -> logits (N, n_clusters): two hidden layers on standardized columns."""
    with seeded(seed):
        return nn.Sequential(
            nn.BatchNorm1d(columns, affine=False),
            *_layer(nn.Linear(columns, 2 * width, bias=False)),
            *_layer(nn.Linear(2 * width, 2 * width, bias=False)),
            nn.Linear(2 * width, n_clusters),
        )


def image_network(side: int, n_clusters: int, *, width: int = 16, seed: int = 0) -> nn.Module:
    """(N, 1, side, side) -> logits (N, n_clusters): three convolutions, each of half the size.

    With strides in place of pooling it costs a third of `ImageEncoder`, and that is what sets how
    much can be learned in a minute.
    """
    cells = math.ceil(math.ceil(math.ceil(side / 2) / 2) / 2) ** 2
    with seeded(seed):
        return nn.Sequential(
            *_layer(nn.Conv2d(1, width, 5, stride=2, padding=2, bias=False)),
            *_layer(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False)),
            *_layer(nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, bias=False)),
            nn.Flatten(),
            *_layer(nn.Linear(4 * width * cells, _HIDDEN, bias=False)),
            nn.Linear(_HIDDEN, n_clusters),
        )


def _layer(layer: nn.Conv2d | nn.Linear) -> list[nn.Module]:
    if isinstance(layer, nn.Linear):
        return [layer, nn.BatchNorm1d(layer.out_features), nn.ReLU()]
    return [layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU()]


def learn_codes(
    network: nn.Module,
    x: Tensor,
    p: Tensor,
    moves: Moves,
    *,
    steps: int,
    anneal: bool = False,
    **options: Any,
) -> History:
    """Learn to tell the codes p(y|x) (N, K) from where x moves to: cross-entropy.

    ``anneal``: the moves become smaller, to ``ANNEALED`` times their strength. Strong ones keep
    wrong codes from being learned by heart, small ones suit what will be predicted.
    """
    taken = itertools.count()

    def augment(batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        progress = next(taken) / steps if anneal else 0.0
        return moves(batch, generator, 1 + (ANNEALED - 1) * progress)

    def loss(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
        return F.cross_entropy(logits, batch["p"])

    data = {"x": x, "row": torch.arange(len(x)), "p": p}
    return _fit(_Moved(network), loss, data, augment, steps=steps, **options)


def learn_objective(
    network: nn.Module,
    x: Tensor,
    objective: Callable[[Tensor, Tensor], Tensor],
    moves: Moves,
    *,
    steps: int,
    radius: Tensor | None = None,
    **options: Any,
) -> History:
    """Maximize the ``objective`` over pairs of a row and where it moves to."""

    def augment(batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        return moves(batch, generator, ANNEALED)

    def loss(logits: tuple[Tensor, Tensor], batch: dict[str, Tensor]) -> Tensor:
        return -objective(*logits)

    data = {"x": x, "row": torch.arange(len(x))}
    return _fit(_Pairs(network, radius), loss, data, augment, steps=steps, **options)


def _fit(model, loss, data, augment, *, steps, batch_size, learning_rate, seed, progress):
    batches = Batches(data, min(batch_size, len(data["x"])), seed=seed, transform=augment)
    return fit(
        model,
        loss,
        batches,
        steps=steps,
        learning_rate=learning_rate,
        warmup=steps // 50,
        device="cpu",
        seed=seed,
        progress=progress,
    )


class _Moved(nn.Module):
    """Logits of where a batch moved to; for adversarial moves, of the batch itself."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.network(batch.get("moved", batch["x"]))


class _Pairs(nn.Module):
    """Logits of a batch and of where it moved to."""

    def __init__(self, network: nn.Module, radius: Tensor | None):
        super().__init__()
        self.network, self.radius = network, radius

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        x = batch["x"]
        if "moved" in batch:
            # In one pass, so that both are normalized alike.
            first, second = self.network(torch.cat([x, batch["moved"]])).chunk(2)
            return first, second
        moved = virtual_adversarial_step(self.network, x, self.radius[batch["row"]])
        return self.network(x), self.network(moved)


@torch.no_grad()
def logits_of(network: nn.Module, x: Tensor) -> Tensor:
    """(N, K), in evaluation mode, a block at a time."""
    network.eval()
    return torch.cat([network(block) for block in x.split(_BLOCK)])
