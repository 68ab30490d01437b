"""Rectified flow: noise moves to data along nearly straight lines."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from simmim_lite._arguments import check_integer
from simmim_lite._random import seeded
from simmim_lite.training import Batches, History, fit

_FREQUENCIES = 16  # of the sines and cosines that encode the time
_CONTEXT = 128  # columns that encode time and condition
_BLOCKS = 4  # residual blocks, scaled and shifted by time and condition
_DROPPED = 0.1  # share of training rows without a condition


class RectifiedFlow(nn.Module):
    """Sampler of vectors x (N, dim) given c (N, condition_dim): dx/dt = v(x, t, c), from noise.

    v is the mean direction x1 - x0 of the straight lines from noise x0 to data x1 that pass through
    x at time t. This v minimizes E |v((1 - t) x0 + t x1, t, c) - (x1 - x0)|^2 (Liu, Gong & Liu
    2023, arXiv 2209.03003, eq. 1; Lipman et al. 2023, arXiv 2210.02747). Training leaves out the
    condition of some rows, so that sampling can use classifier-free guidance (Ho & Salimans 2022,
    arXiv 2207.12598).

    Args:
        dim: columns of x, best standardized.
        condition_dim: columns of c.
        width: units of a layer.
    """

    frequencies: Tensor

    def __init__(self, dim: int, condition_dim: int, *, width: int = 320, seed: int = 0):
        super().__init__()
        self.dim = check_integer("dim", dim, minimum=1)
        condition_dim = check_integer("condition_dim", condition_dim, minimum=1)
        with seeded(seed):
            self.embed_time = _mlp(2 * _FREQUENCIES)
            self.embed_condition = _mlp(condition_dim)
            self.no_condition = nn.Parameter(torch.zeros(_CONTEXT))
            self.first = nn.Linear(dim, width)
            self.blocks = nn.ModuleList(_Block(width) for _ in range(_BLOCKS))
            self.last = nn.Linear(width, dim)
        nn.init.zeros_(self.last.weight)
        frequencies = torch.logspace(0, 3, _FREQUENCIES)  # radians per unit of time
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return "error" (N,): mean squared error of the velocity at a random time of each row."""
        x1, condition = batch["x"], batch["condition"]
        x0 = torch.randn_like(x1)
        # Velocities are hard to predict at times in the middle (Esser et al. 2024, 2403.03206).
        t = torch.randn(len(x1), 1, device=x1.device).sigmoid()
        known = torch.rand(len(x1), 1, device=x1.device) >= _DROPPED
        v = self.velocity((1 - t) * x0 + t * x1, t, condition, known)
        return {"error": ((v - (x1 - x0)) ** 2).mean(dim=1)}

    def velocity(
        self, x: Tensor, t: Tensor, condition: Tensor, known: Tensor | None = None
    ) -> Tensor:
        """Return v (N, dim) at x (N, dim), t (N, 1); ``known`` (N, 1): rows with a condition."""
        c = self.embed_condition(condition)
        c = c if known is None else c.where(known, self.no_condition)
        angles = t * self.frequencies
        context = self.embed_time(torch.cat([angles.sin(), angles.cos()], dim=1)) + c
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
        """Draw one x for each row of the condition: (N, dim), on the CPU.

        Args:
            steps: number of Euler steps.
            guidance: w in u + w (v - u), u the velocity without a condition; 1 for no guidance.
                With more, samples agree better with the condition, and have less variety.
            guide_from: time at which guidance begins; differences between samples arise earlier.
            noise: standard deviation of the initial noise; above 1 for more variety.
        """
        check_integer("steps", steps, minimum=1)
        generator = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
        device = self.no_condition.device
        x = noise * torch.randn(len(condition), self.dim, generator=generator)
        x, condition = x.to(device), condition.to(device)
        unknown = torch.zeros(len(condition), 1, dtype=torch.bool, device=device)
        for step in range(steps):
            t = torch.full((len(x), 1), step / steps, device=device)
            v = self.velocity(x, t, condition)
            if guidance != 1 and step / steps >= guide_from:
                u = self.velocity(x, t, condition, unknown)
                v = u + guidance * (v - u)
            x = x + v / steps
        return x.cpu()

    def fit(self, batches: Batches, *, steps: int, **options: Any) -> History:
        """Learn the velocity in place, with `simmim_lite.training.fit` and its ``options``.

        Batches hold "x" and "condition".
        """
        plan: dict[str, Any] = {"learning_rate": 2e-3, "schedule": "one_cycle"}
        plan |= {"warmup": max(2, steps // 7)} | options
        return fit(self, lambda outputs, _: outputs["error"].mean(), batches, steps=steps, **plan)


class _Block(nn.Module):
    """x + (1 + gate) net((1 + scale) normalized x + shift); the context sets all three."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(_CONTEXT, 3 * width)
        first, last = nn.Linear(width, width), nn.Linear(width, width)
        self.network = nn.Sequential(first, nn.SiLU(), last)
        for parameter in self.modulation.parameters():
            nn.init.zeros_(parameter)
        with torch.no_grad():  # limits the growth of the sum with depth at the start
            last.weight.mul_(math.sqrt(0.5))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        scale, shift, gate = self.modulation(context).chunk(3, dim=1)
        return x + (1 + gate) * self.network((1 + scale) * self.norm(x) + shift)


def _mlp(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, _CONTEXT), nn.SiLU(), nn.Linear(_CONTEXT, _CONTEXT))
