"""The contract of all encoders, and its smallest example: an encoder of tables."""

from typing import Any

import torch
from torch import Tensor, nn

from simmim_lite._arguments import as_samples, check_integer, check_number
from simmim_lite._random import seeded


def normalized_layer(layer: nn.Linear | nn.Conv1d | nn.Conv2d) -> list[nn.Module]:
    """Return a layer without bias, its batch normalization, and a ReLU."""
    norm = nn.BatchNorm2d if isinstance(layer, nn.Conv2d) else nn.BatchNorm1d
    return [layer, norm(len(layer.weight)), nn.ReLU()]


class Encoder(nn.Module):
    """Base class: ``encoder(batch)`` is (N, dim), on the device of the weights.

    A subclass sets ``dim``, the number of columns of the output, and defines two methods:

    - ``prepare(items) -> (N, ...)``: all work that does not change in training and is done once:
      checks, spectrograms, word numbers. Prepared items pass through unchanged.
    - ``encode(prepared) -> (N, dim)``: the network.

    A third method, ``augment``, is optional.
    """

    dim: int

    def prepare(self, items: Any) -> Tensor:
        """Return items as one tensor (N, ...), on the CPU if they come from there."""
        raise NotImplementedError

    def encode(self, prepared: Tensor) -> Tensor:
        """Return vectors (N, dim) of prepared items (N, ...)."""
        raise NotImplementedError

    def augment(self, prepared: Tensor, generator: torch.Generator) -> Tensor:
        """Return a random variation of each item that keeps its meaning, for training.

        The generator is on the device of the prepared items. The base class changes nothing.
        """
        return prepared

    def forward(self, batch: Any) -> Tensor:
        """Return vectors (N, dim) of items, prepared or not."""
        return self.encode(self.prepare(batch).to(next(self.parameters()).device))


class TabularEncoder(Encoder):
    """Encode rows of numbers, (N, columns) -> (N, dim): standardization and two layers.

    Batch normalization learns the standardization. The unit of a column does not matter, as long as
    the standard deviation of the column in this unit is well above 0.003: batch normalization adds
    1e-5 to the variance, so that constant columns stay 0.

    Args:
        hidden: size of the hidden layer.
        noise: standard deviation of the noise that `augment` adds, in units of the standard
            deviation of each column in the batch.
    """

    def __init__(
        self, columns: int, dim: int = 128, *, hidden: int = 128, noise: float = 0.0, seed: int = 0
    ):
        super().__init__()
        self.columns = check_integer("columns", columns, minimum=1)
        self.dim = check_integer("dim", dim, minimum=1)
        self.noise = check_number("noise", noise, minimum=0.0)
        hidden = check_integer("hidden", hidden, minimum=1)
        with seeded(seed):
            self.network = nn.Sequential(
                nn.BatchNorm1d(columns, affine=False),
                *normalized_layer(nn.Linear(columns, hidden, bias=False)),
                *normalized_layer(nn.Linear(hidden, dim, bias=False)),
            )

    def prepare(self, table: Any) -> Tensor:
        """Return an array, a tensor or a data frame of finite numbers as (N, columns) float32."""
        rows = as_samples("table", table, minimum=1)
        if rows.shape[1] != self.columns:
            raise ValueError(f"table: expected shape (N, {self.columns}), got {rows.shape}")
        prepared = isinstance(table, Tensor) and table.dtype == torch.float32
        return table if prepared else torch.from_numpy(rows).float()

    def encode(self, prepared: Tensor) -> Tensor:
        return self.network(prepared)

    def augment(self, prepared: Tensor, generator: torch.Generator) -> Tensor:
        """Return prepared rows plus normal noise."""
        if not self.noise:
            return prepared
        noise = torch.randn(prepared.shape, generator=generator, device=prepared.device)
        return prepared + self.noise * prepared.std(dim=0, correction=0) * noise
