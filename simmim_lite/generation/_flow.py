"""Rectified flow: noise carried to data along lines that are as straight as possible."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from simmim_lite._arguments import check_integer, check_number
from simmim_lite._random import seeded
from simmim_lite.training import Batches, History, fit

_FREQUENCIES = 16  # of the sines and cosines that tell the network the time


class RectifiedFlow(nn.Module):
    """Vectors x (N, dim) given c (N, condition_dim), from noise by dx/dt = v(x, t, c).

    v is the mean direction x1 - x0 of the straight lines from noise x0 to data x1 that pass through
    x at time t: E |v((1 - t) x0 + t x1, t, c) - (x1 - x0)|^2 is least there (Liu, Gong & Liu 2023,
    arXiv 2209.03003, eq. 1; Lipman et al. 2023, arXiv 2210.02747). The condition is left out of
    some rows in training, so that a sampler can go beyond it (classifier-free guidance, Ho &
    Salimans 2022, arXiv 2207.12598).

    Args:
        dim: columns of x, best standardized.
        condition_dim: columns of c.
        width: of the network.
        blocks: residual blocks, scaled and shifted by time and condition.
        drop: in training, the share of rows whose condition is left out.
    """

    def __init__(
        self,
        dim: int,
        condition_dim: int,
        *,
        width: int = 320,
        blocks: int = 4,
        drop: float = 0.1,
        seed: int = 0,
    ):
        super().__init__()
        self.dim = check_integer("dim", dim, minimum=1)
        self.condition_dim = check_integer("condition_dim", condition_dim, minimum=1)
        self.drop = check_number("drop", drop, minimum=0.0, maximum=1.0)
        context = 128
        with seeded(seed):
            self.time = _mlp(2 * _FREQUENCIES, context)
            self.condition = _mlp(condition_dim, context)
            self.none = nn.Parameter(torch.zeros(context))  # in place of a condition
            self.first = nn.Linear(dim, width)
            self.blocks = nn.ModuleList(_Block(width, context) for _ in range(blocks))
            self.last = nn.Linear(width, dim)
        nn.init.zeros_(self.last.weight)
        frequencies = torch.logspace(0, 3, _FREQUENCIES)  # radians over the whole time
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The squared error of the velocity, mean over columns (N,), at a random time each."""
        x1, condition = batch["x"], batch["condition"]
        x0 = torch.randn_like(x1)
        # Times in the middle are hard, the ends nearly linear (Esser et al. 2024, 2403.03206).
        t = torch.randn(len(x1), 1, device=x1.device).sigmoid()
        known = torch.rand(len(x1), 1, device=x1.device) >= self.drop
        v = self.velocity((1 - t) * x0 + t * x1, t, condition, known)
        return {"error": ((v - (x1 - x0)) ** 2).mean(dim=1)}

    def velocity(
        self, x: Tensor, t: Tensor, condition: Tensor, known: Tensor | None = None
    ) -> Tensor:
        """v (N, dim) at x (N, dim), t (N, 1); ``known`` (N, 1) bool: rows with their condition."""
        c = self.condition(condition)
        c = c if known is None else c.where(known, self.none)
        angles = t * self.frequencies
        context = self.time(torch.cat([angles.sin(), angles.cos()], dim=1)) + c
        h = self.first(x)
        for block in self.blocks:
            h = block(h, context)
        return self.last(h)

    @torch.no_grad()
    def sample(
        self,
        condition: Tensor,
        *,
        seed: int = 0,
        steps: int = 20,
        guidance: float = 1.0,
        guide_from: float = 0.0,
        noise: float = 1.0,
    ) -> Tensor:
        """One x for each row of the condition, by Euler steps of equal length, on the CPU.

        Args:
            guidance: w in u + w (v - u), u the velocity without a condition; 1 is none. More makes
                samples agree with the condition, and with one another.
            guide_from: time at which guidance begins; what differs between samples is decided
                before, at noise.
            noise: standard deviation of the start; above 1 for more variety.
        """
        check_integer("steps", steps, minimum=1)
        generator = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
        x = noise * torch.randn(len(condition), self.dim, generator=generator)
        x, condition = x.to(self.none.device), condition.to(self.none.device)
        without = torch.zeros(len(condition), 1, dtype=torch.bool, device=x.device)
        for step in range(steps):
            t = torch.full((len(x), 1), step / steps, device=x.device)
            v = self.velocity(x, t, condition)
            if guidance != 1 and step / steps >= guide_from:
                u = self.velocity(x, t, condition, without)
                v = u + guidance * (v - u)
            x = x + v / steps
        return x.cpu()

    def fit(
        self, batches: Batches, *, steps: int, learning_rate: float = 2e-3, **options: Any
    ) -> History:
        """Learn the velocity in place, with `simmim_lite.training.fit`.

        Args:
            batches: of "x" and "condition".
        """
        options = {"schedule": "one_cycle", "warmup": max(2, steps // 7)} | options
        return fit(
            self,
            lambda outputs, _: outputs["error"].mean(),
            batches,
            steps=steps,
            learning_rate=learning_rate,
            **options,
        )


class _Block(nn.Module):
    """x + (1 + gate) net((1 + scale) normalized x + shift), all three from the context."""

    def __init__(self, width: int, context: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(context, 3 * width)
        self.network = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        for parameter in self.modulation.parameters():
            nn.init.zeros_(parameter)
        with torch.no_grad():  # so that depth does not make the sum grow at the start
            self.network[-1].weight.mul_(math.sqrt(0.5))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        scale, shift, gate = self.modulation(context).chunk(3, dim=1)
        return x + (1 + gate) * self.network((1 + scale) * self.norm(x) + shift)


def _mlp(dim: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, width), nn.SiLU(), nn.Linear(width, width))
