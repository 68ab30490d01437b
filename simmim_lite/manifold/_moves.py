"""Moves along the manifold: what stands for "another point of the same kind"."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from simmim_lite.augment import RandomWarp

Augment = Callable[[Tensor, torch.Generator], Tensor]


@dataclass
class Moves:
    """``moves(batch, generator, strength)``: the rows of a batch and where each has moved to.

    A batch is {"x": (n, ...), "row": (n,)}; "moved" (n, ...) is added, except for "adversarial"
    moves, which the network decides on.

    Attributes:
        augment: None for graph neighbors, "image", "adversarial", or a callable.
        x: all rows (N, ...), for neighbors.
        neighbors: (N, k) indices, for neighbors.
    """

    augment: str | Augment | None
    x: Tensor
    neighbors: Tensor | None = None

    def __call__(
        self, batch: dict[str, Any], generator: torch.Generator, strength: float = 1.0
    ) -> dict[str, Any]:
        x = batch["x"]
        if self.augment == "adversarial":
            return batch
        if self.augment == "image":
            moved = RandomWarp()(x, generator, strength)
        elif self.augment is None:
            k = self.neighbors.shape[1]
            chosen = torch.randint(k, (len(x),), generator=generator)
            moved = self.x[self.neighbors[batch["row"], chosen]]
        else:
            moved = torch.as_tensor(self.augment(x, generator), dtype=x.dtype)
            if moved.shape != x.shape:
                raise ValueError(
                    f"augment: expected rows of shape {tuple(x.shape)} back, got "
                    f"{tuple(moved.shape)}"
                )
        return batch | {"moved": moved}
