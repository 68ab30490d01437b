"""Conditional generative adversarial network (GAN) of vectors."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import relu, softplus
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import Adam

from simmim_lite._arguments import check_choice, check_integer
from simmim_lite._random import seeded
from simmim_lite.training import Batches, History, fit

_NOISE = 32  # columns of the noise
_PENALTY = 1.0  # weight gamma of the gradient penalty of "r1"


class ConditionalGAN(nn.Module):
    """Sampler x = G(noise, c), trained against a discriminator D(x, c) of real and generated x.

    Goodfellow et al. (2014, arXiv 1406.2661), with a condition (Mirza & Osindero 2014, arXiv
    1411.1784); the discriminator takes the inner product of its features with a projection of the
    condition (Miyato & Koyama 2018, arXiv 1802.05637, eq. 3). The objective keeps D smooth:

    - "hinge": hinge loss, and spectral norm on all layers of D (Miyato et al. 2018, arXiv
      1802.05957);
    - "r1": non-saturating loss of 2014, and a penalty on the gradient of D at real x (Mescheder,
      Geiger & Nowozin 2018, arXiv 1801.04406, eq. 9).

    Args:
        dim: columns of x, best standardized.
        condition_dim: columns of c.
        width: units of a layer, in both networks.
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
        self.objective = objective
        with seeded(seed):
            layers = [*_layer(_NOISE + condition_dim, width), *_layer(width, width)]
            self.generator = nn.Sequential(*layers, nn.Linear(width, dim))
            self.discriminator = _Discriminator(dim, condition_dim, width)
            if objective == "hinge":  # draws initial vectors at random
                for module in [*self.discriminator.modules()]:
                    if isinstance(module, nn.Linear):
                        spectral_norm(module)
        self.eval()  # outside `fit`

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the losses of "generator" and "discriminator", and mean scores "real", "made"."""
        x, condition = batch["x"], batch["condition"]
        noise = torch.randn(len(x), _NOISE, device=x.device)
        made = self.generator(torch.cat([noise, condition], dim=1))
        real = x.detach().requires_grad_(self.objective == "r1")
        real_scores = self.discriminator(real, condition)
        made_scores = self.discriminator(made.detach(), condition)
        fixed = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        scores = functional_call(self.discriminator, fixed, (made, condition))
        if self.objective == "hinge":
            discriminator = relu(1 - real_scores).mean() + relu(1 + made_scores).mean()
            generator = -scores.mean()
        else:
            (slope,) = torch.autograd.grad(real_scores.sum(), real, create_graph=True)
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
        generator = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
        noise = torch.randn(len(condition), _NOISE, generator=generator)
        device = next(self.parameters()).device
        return self.generator(torch.cat([noise.to(device), condition.to(device)], dim=1)).cpu()

    def fit(
        self, batches: Batches, *, steps: int, learning_rate: float = 5e-4, **options: Any
    ) -> History:
        """Train both networks in place, with `simmim_lite.training.fit` and its ``options``.

        Batches hold "x" and "condition". Each step updates both networks. Adam runs without
        momentum: the other network changes, so old gradients are out of date.
        """

        def loss(outputs: dict[str, Tensor], _: Any) -> dict[str, Tensor]:
            return outputs | {"loss": outputs["generator"] + outputs["discriminator"]}

        options.setdefault("optimizer", lambda groups: Adam(groups, betas=(0.0, 0.99)))
        return fit(self, loss, batches, steps=steps, learning_rate=learning_rate, **options)


def _layer(dim: int, width: int) -> list[nn.Module]:
    return [nn.Linear(dim, width), nn.BatchNorm1d(width), nn.SiLU()]


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
