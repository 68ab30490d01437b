"""Rows of numbers: sensors, measurements, clinical data."""

from typing import Any

import torch
from torch import Tensor, nn

from simmim_lite._arguments import as_samples, check_integer, check_number
from simmim_lite._random import seeded
from simmim_lite.encoders._base import Encoder


class TabularEncoder(Encoder):
    """Two layers after a standardization that is learned with them: (N, columns) -> (N, dim).

    The unit of a column does not matter, as long as its standard deviation in that unit is well
    above 0.003: batch normalization adds 1e-5 to the variance, so that constant columns stay 0.

    Args:
        columns: of the table.
        dim: columns of the output.
        hidden: size of the layer between.
        noise: standard deviation of what `augment` adds, in units of the batch's own.
    """

    def __init__(
        self,
        columns: int,
        dim: int = 128,
        *,
        hidden: int = 128,
        noise: float = 0.0,
        seed: int = 0,
    ):
        super().__init__()
        self.columns = check_integer("columns", columns, minimum=1)
        self.dim = check_integer("dim", dim, minimum=1)
        self.noise = check_number("noise", noise, minimum=0.0)
        hidden = check_integer("hidden", hidden, minimum=1)
        with seeded(seed):
            self.network = nn.Sequential(
                nn.BatchNorm1d(columns, affine=False),
                nn.Linear(columns, hidden, bias=False),
                nn.BatchNorm1d(hidden),
                nn.ReLU(),
                nn.Linear(hidden, dim, bias=False),
                nn.BatchNorm1d(dim),
                nn.ReLU(),
            )

    def prepare(self, table: Any) -> Tensor:
        """An array, a tensor or a data frame of finite numbers -> (N, columns) float32.

        Raises:
            TypeError, ValueError: other types or shapes, NaN or infinite numbers.
        """
        rows = as_samples("table", table, minimum=1)
        if rows.shape[1] != self.columns:
            raise ValueError(f"table: expected shape (N, {self.columns}), got {rows.shape}")
        as_it_is = isinstance(table, Tensor) and table.dtype == torch.float32
        return table if as_it_is else torch.from_numpy(rows).float()

    def encode(self, prepared: Tensor) -> Tensor:
        return self.network(prepared)

    def augment(self, prepared: Tensor, generator: torch.Generator) -> Tensor:
        if not self.noise:
            return prepared
        noise = torch.randn(prepared.shape, generator=generator, device=prepared.device)
        return prepared + self.noise * prepared.std(dim=0, correction=0) * noise
