"""What all encoders have in common."""

from typing import Any

import torch
from torch import Tensor, nn


class Encoder(nn.Module):
    """One modality into vectors: ``encoder(batch)`` is (N, dim), on the device of its weights.

    A subclass sets ``dim`` and has two methods:

    - ``prepare(items) -> (N, ...)``: whatever does not change in training, done once: checks,
      spectrograms, word numbers. What is prepared already passes through.
    - ``encode(prepared) -> (N, dim)``: the network.

    and if it wants a third, ``augment``.
    """

    dim: int

    def prepare(self, items: Any) -> Tensor:
        """Items as one tensor (N, ...), on the CPU if they come from there."""
        raise NotImplementedError

    def encode(self, prepared: Tensor) -> Tensor:
        """(N, ...) as `prepare` gives it -> (N, dim)."""
        raise NotImplementedError

    def augment(self, prepared: Tensor, generator: torch.Generator) -> Tensor:
        """Random variations that leave the meaning, for training; here none.

        The generator is on the device of the prepared items.
        """
        return prepared

    def forward(self, batch: Any) -> Tensor:
        """Items, or what `prepare` made of them -> (N, dim)."""
        return self.encode(self.prepare(batch).to(next(self.parameters()).device))
