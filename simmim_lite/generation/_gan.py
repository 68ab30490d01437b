"""Conditional GAN of vectors."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import relu, softplus
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import Adam

from simmim_lite._arguments import check_choice, check_integer, check_number
from simmim_lite._random import seeded
from simmim_lite.training import Batches, History, fit

GAN_OBJECTIVES = ("hinge", "r1")


class ConditionalGAN(nn.Module):
    """x = G(noise, c), such that D(x, c) cannot tell it from a real x (N, dim) with that c.

    Goodfellow et al. (2014, arXiv 1406.2661), with a condition (Mirza & Osindero 2014, arXiv
    1411.1784) that the discriminator projects on its features (Miyato & Koyama 2018, arXiv
    1802.05637, eq. 3). What keeps D smooth:

    - "hinge": spectral norm on all its layers and the hinge loss (Miyato et al. 2018, arXiv
      1802.05957);
    - "r1": the loss of 2014 with G's part in the form that does not saturate, and a penalty on D's
      gradient at real x (Mescheder, Geiger & Nowozin 2018, arXiv 1801.04406, eq. 9).

    Args:
        dim: columns of x, best standardized.
        condition_dim: columns of c.
        noise_dim: columns of the noise.
        width: of both networks.
        objective: one of `GAN_OBJECTIVES`.
        penalty: gamma of "r1".
    """

    def __init__(
        self,
        dim: int,
        condition_dim: int,
        *,
        noise_dim: int = 32,
        width: int = 256,
        objective: str = "hinge",
        penalty: float = 1.0,
        seed: int = 0,
    ):
        super().__init__()
        check_choice("objective", objective, GAN_OBJECTIVES)
        self.dim = check_integer("dim", dim, minimum=1)
        self.noise_dim = check_integer("noise_dim", noise_dim, minimum=1)
        self.objective = objective
        self.penalty = check_number("penalty", penalty, minimum=0.0)
        with seeded(seed):
            self.generator = _Generator(noise_dim + condition_dim, dim, width)
            self.discriminator = _Discriminator(dim, condition_dim, width)
            if objective == "hinge":  # its first vectors are random, too
                for module in [*self.discriminator.modules()]:
                    if isinstance(module, nn.Linear):
                        spectral_norm(module)
        self.eval()  # until it is fitted, and after

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Losses of both, each blind to the other's weights, and D's scores of real and made x."""
        x, condition = batch["x"], batch["condition"]
        noise = torch.randn(len(x), self.noise_dim, device=x.device)
        made = self.generator(torch.cat([noise, condition], dim=1))
        real = x.detach().requires_grad_(self.objective == "r1")
        of_real = self.discriminator(real, condition)
        of_made = self.discriminator(made.detach(), condition)
        fixed = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        judged = functional_call(self.discriminator, fixed, (made, condition))
        if self.objective == "hinge":
            discriminator = relu(1 - of_real).mean() + relu(1 + of_made).mean()
            generator = -judged.mean()
        else:
            (slope,) = torch.autograd.grad(of_real.sum(), real, create_graph=True)
            smooth = self.penalty / 2 * (slope**2).sum(dim=1).mean()
            discriminator = softplus(-of_real).mean() + softplus(of_made).mean() + smooth
            generator = softplus(-judged).mean()
        return {
            "generator": generator,
            "discriminator": discriminator,
            "real": of_real.detach().mean(),
            "made": of_made.detach().mean(),
        }

    @torch.no_grad()
    def sample(self, condition: Tensor, *, seed: int = 0) -> Tensor:
        """One x for each row of the condition, on the CPU."""
        draws = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
        noise = torch.randn(len(condition), self.noise_dim, generator=draws)
        told = torch.cat([noise, condition.cpu()], dim=1)
        return self.generator(told.to(next(self.parameters()).device)).cpu()

    def fit(
        self, batches: Batches, *, steps: int, learning_rate: float = 5e-4, **options: Any
    ) -> History:
        """Train both in place, a step of each at once, with `simmim_lite.training.fit`.

        Adam without momentum: the other player moves, so old gradients are of another game.

        Args:
            batches: of "x" and "condition".
        """
        options = {"optimizer": lambda groups: Adam(groups, betas=(0.0, 0.99))} | options
        return fit(
            self,
            lambda outputs, _: outputs | {"loss": outputs["generator"] + outputs["discriminator"]},
            batches,
            steps=steps,
            learning_rate=learning_rate,
            **options,
        )


class _Generator(nn.Sequential):
    def __init__(self, dim_in: int, dim: int, width: int):
        super().__init__(
            nn.Linear(dim_in, width),
            nn.BatchNorm1d(width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.BatchNorm1d(width),
            nn.SiLU(),
            nn.Linear(width, dim),
        )


class _Discriminator(nn.Module):
    def __init__(self, dim: int, condition_dim: int, width: int):
        super().__init__()
        self.features = nn.Sequential(
            nn.Linear(dim, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2)
        )
        self.real = nn.Linear(width, 1)
        self.fits = nn.Linear(condition_dim, width, bias=False)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Scores (N,): is x real, and does it fit the condition?"""
        features = self.features(x)
        return self.real(features)[:, 0] + (features * self.fits(condition)).sum(dim=1)
