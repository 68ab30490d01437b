"""Samplers of vectors: a rectified flow, and a conditional generative adversarial network (GAN)."""

import math
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import relu, softplus
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import Adam

from simmim_lite._arguments import check_choice, check_integer, check_number
from simmim_lite._random import normal_numbers, seeded
from simmim_lite._torch_state import gradients, like_parameters
from simmim_lite.generation._latents import as_condition, check_scale
from simmim_lite.training import Batches, History, fit

_FREQUENCIES = 16  # of the sines and cosines that encode the time
_CONTEXT = 128  # columns that encode time and condition
_BLOCKS = 4  # residual blocks, scaled and shifted by time and condition
_DROPPED = 0.1  # share of training rows without a condition

_NOISE = 32  # columns of the noise of the GAN
_PENALTY = 1.0  # weight gamma of the gradient penalty of "r1"


class RectifiedFlow(nn.Module):
    """Sampler of vectors x (N, dim) given c (N, condition_dim): dx/dt = v(x, t, c), from noise.

    v is the mean direction x1 - x0 of the straight lines from noise x0 to data x1 that pass through
    x at time t. This v minimizes E |v((1 - t) x0 + t x1, t, c) - (x1 - x0)|^2 (Liu, Gong & Liu
    2023, arXiv 2209.03003, eq. 1; Lipman et al. 2023, arXiv 2210.02747). Training leaves out the
    condition of some rows, so that sampling can use classifier-free guidance (Ho & Salimans 2022,
    arXiv 2207.12598). The columns of x are standardized; ``width`` is the size of a layer.
    """

    frequencies: Tensor

    def __init__(self, dim: int, condition_dim: int, *, width: int = 320, seed: int = 0):
        super().__init__()
        self.dim = check_integer("dim", dim, minimum=1)
        self.condition_dim = check_integer("condition_dim", condition_dim, minimum=1)
        check_integer("width", width, minimum=1)
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
        x1, condition = (like_parameters(self, batch[name]) for name in ("x", "condition"))
        x1 = x1.contiguous()  # its draws do not depend on strides
        x0 = torch.randn_like(x1)
        # Velocities are hard to predict at times in the middle (Esser et al. 2024, 2403.03206).
        t = torch.randn_like(x1[:, :1]).sigmoid()
        known = torch.rand_like(x1[:, :1]) >= _DROPPED
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
        check_number("guidance", guidance, minimum=-math.inf)
        check_number("guide_from", guide_from, minimum=0, maximum=1)
        check_number("noise", noise, minimum=0)
        condition = as_condition(self, condition, self.condition_dim)
        x = like_parameters(self, noise * normal_numbers(seed, len(condition), self.dim))
        unknown = torch.zeros_like(x[:, :1], dtype=torch.bool)
        for step in range(steps):
            t = torch.full_like(x[:, :1], step / steps)
            v = self.velocity(x, t, condition)
            if guidance != 1 and step / steps >= guide_from:
                u = self.velocity(x, t, condition, unknown)
                v = u + guidance * (v - u)
            x = x + v / steps
        return x.cpu()

    def fit(self, batches: Batches, *, steps: int, **options: Any) -> History:
        """Learn v from "x" and "condition", with `simmim_lite.training.fit` and its ``options``."""
        check_scale(batches)
        plan = dict[str, Any](learning_rate=2e-3, schedule="one_cycle", steps=steps)
        plan["warmup"] = min(steps, max(2, steps // 7))
        return fit(self, lambda outputs, _: outputs["error"].mean(), batches, **(plan | options))


class _Block(nn.Module):
    """x + (1 + gate) net((1 + scale) normalized x + shift); the context sets all three."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(_CONTEXT, 3 * width)
        first, last = nn.Linear(width, width), nn.Linear(width, width)
        self.network = nn.Sequential(first, nn.SiLU(), last)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        with torch.no_grad():  # limits the growth of the sum with depth at the start
            last.weight.mul_(math.sqrt(0.5))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        scale, shift, gate = self.modulation(context).chunk(3, dim=1)
        return x + (1 + gate) * self.network((1 + scale) * self.norm(x) + shift)


def _mlp(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, _CONTEXT), nn.SiLU(), nn.Linear(_CONTEXT, _CONTEXT))


class ConditionalGAN(nn.Module):
    """Sampler x = G(noise, c), trained against a discriminator D(x, c) of real and generated x.

    Goodfellow et al. (2014, arXiv 1406.2661), with a condition (Mirza & Osindero 2014, arXiv
    1411.1784); the discriminator takes the inner product of its features with a projection of the
    condition (Miyato & Koyama 2018, arXiv 1802.05637, eq. 3). The objective keeps D smooth:

    - "hinge": hinge loss, and spectral norm on all layers of D (Miyato et al. 2018, 1802.05957);
    - "r1": non-saturating loss of 2014, and a penalty on the gradient of D at real x (Mescheder,
      Geiger & Nowozin 2018, arXiv 1801.04406, eq. 9).

    Arguments are those of `RectifiedFlow`.
    """

    def __init__(
        self,
        dim: int,
        condition_dim: int,
        *,
        width: int = 256,
        objective: str = "hinge",
        seed: int = 0,
    ):
        super().__init__()
        check_choice("objective", objective, ("hinge", "r1"))
        self.dim = check_integer("dim", dim, minimum=1)
        self.condition_dim = check_integer("condition_dim", condition_dim, minimum=1)
        check_integer("width", width, minimum=1)
        self.objective = objective
        with seeded(seed):
            layers: list[nn.Module] = []
            for columns in (_NOISE + condition_dim, width):
                layers += [nn.Linear(columns, width), nn.BatchNorm1d(width), nn.SiLU()]
            self.generator = nn.Sequential(*layers, nn.Linear(width, dim))
            self.discriminator = _Discriminator(dim, condition_dim, width)
            if objective == "hinge":  # draws initial vectors at random
                for module in [*self.discriminator.modules()]:
                    if isinstance(module, nn.Linear):
                        spectral_norm(module)
        self.eval()  # outside `fit`

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the losses of "generator" and "discriminator", and mean scores "real", "made"."""
        x, condition = (like_parameters(self, batch[name]) for name in ("x", "condition"))
        noise = x.new_empty(len(x), _NOISE).normal_()
        made = self.generator(torch.cat([noise, condition], dim=1))
        with gradients() if self.objective == "r1" else nullcontext():  # those of the penalty
            real = x.detach().clone().requires_grad_(self.objective == "r1")
            real_scores = self.discriminator(real, condition.clone())
            slope = real
            if self.objective == "r1":
                (slope,) = torch.autograd.grad(real_scores.sum(), real, create_graph=True)
        made_scores = self.discriminator(made.detach(), condition)
        fixed = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        scores = functional_call(self.discriminator, fixed, (made, condition))
        if self.objective == "hinge":
            discriminator = relu(1 - real_scores).mean() + relu(1 + made_scores).mean()
            generator = -scores.mean()
        else:
            smooth = _PENALTY / 2 * (slope**2).sum(dim=1).mean()
            discriminator = softplus(-real_scores).mean() + softplus(made_scores).mean() + smooth
            generator = softplus(-scores).mean()
        return {
            "generator": generator,
            "discriminator": discriminator,
            "real": real_scores.detach().mean(),
            "made": made_scores.detach().mean(),
        }

    @torch.no_grad()
    def sample(self, condition: Tensor, *, seed: int = 0) -> Tensor:
        """Draw one x for each row of the condition: (N, dim), on the CPU."""
        condition = as_condition(self, condition, self.condition_dim)
        noise = like_parameters(self, normal_numbers(seed, len(condition), _NOISE))
        return self.generator(torch.cat([noise, condition], dim=1)).cpu()

    def fit(
        self, batches: Batches, *, steps: int, learning_rate: float = 5e-4, **options: Any
    ) -> History:
        """Train both networks from "x" and "condition", with `training.fit` and its ``options``.

        Adam runs without momentum: the other network changes, so old gradients are out of date.
        """
        check_scale(batches)

        def loss(outputs: dict[str, Tensor], _: Any) -> dict[str, Tensor]:
            return outputs | {"loss": outputs["generator"] + outputs["discriminator"]}

        options.setdefault("optimizer", lambda groups: Adam(groups, betas=(0.0, 0.99)))
        return fit(self, loss, batches, steps=steps, learning_rate=learning_rate, **options)


class _Discriminator(nn.Module):
    def __init__(self, dim: int, condition_dim: int, width: int):
        super().__init__()
        self.features = nn.Sequential(
            nn.Linear(dim, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2)
        )
        self.real = nn.Linear(width, 1)
        self.match = nn.Linear(condition_dim, width, bias=False)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return scores (N,): high for real x that match their condition."""
        features = self.features(x)
        return self.real(features)[:, 0] + (features * self.match(condition)).sum(dim=1)
