"""Conditional variational autoencoder, for anything that two networks can read and write."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from simmim_lite._arguments import check_choice, check_integer, check_number
from simmim_lite._random import seeded
from simmim_lite.generation._networks import ConvolutionalDecoder, ConvolutionalEncoder
from simmim_lite.training import Batches, History, fit

LIKELIHOODS = ("bernoulli", "normal")
_ROWS = 512  # at a time, without gradients


@dataclass(frozen=True)
class Elbo:
    """The two parts of the bound, nats of each sample (N,)."""

    reconstruction: Tensor
    divergence: Tensor

    @property
    def nats(self) -> Tensor:
        """Lower bound on log p(x | c): (N,)."""
        return self.reconstruction - self.divergence


class ConditionalVAE(nn.Module):
    """z ~ N(0, I), x ~ p(x | z, c); learned by a bound on log p(x | c).

    log p(x | c) >= E_q log p(x | z, c) - KL(q(z | x, c) || N(0, I)), q a normal distribution of
    independent columns (Kingma & Welling 2014, arXiv 1312.6114, eq. 10; with a condition: Sohn,
    Lee & Yan 2015, NeurIPS). Without a condition it is an autoencoder whose codes other generators
    learn.

    Args:
        encoder: [x, c] -> (N, 2 latent_dim), mean and log variance; called ``encoder(x, c)``.
        decoder: (N, latent_dim + condition_dim) -> x's shape, logits or means.
        latent_dim: columns of z.
        condition_dim: columns of c; 0 is none.
        likelihood: "bernoulli" of pixels in 0..1 (exact for 0 and 1 only; gray ones get a
            pseudo-likelihood), or "normal" around the decoder's output.
        scale: standard deviation of that normal distribution.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        latent_dim: int,
        condition_dim: int = 0,
        likelihood: str = "bernoulli",
        scale: float = 1.0,
    ):
        super().__init__()
        check_choice("likelihood", likelihood, LIKELIHOODS)
        self.encoder, self.decoder = encoder, decoder
        self.latent_dim = check_integer("latent_dim", latent_dim, minimum=1)
        self.condition_dim = check_integer("condition_dim", condition_dim, minimum=0)
        self.likelihood = likelihood
        self.scale = check_number("scale", scale, minimum=1e-6)
        self.eval()  # until it is fitted, and after

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of a batch of "x" and, if there is one, "condition": the parts of the bound."""
        x, condition = batch["x"], batch.get("condition")
        mean, log_variance = self.posterior(x, condition)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        output = self.decode(z, condition)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)
        return {"reconstruction": self.log_likelihood(x, output), "divergence": divergence}

    def posterior(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x, c), each (N, latent_dim)."""
        return self.encoder(x, self._checked(condition, len(x))).chunk(2, dim=1)

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Parameters of p(x | z, c): logits or means, of x's shape."""
        condition = self._checked(condition, len(z))
        return self.decoder(z if condition is None else torch.cat([z, condition], dim=1))

    def expectation(self, output: Tensor) -> Tensor:
        """Mean of p(x | z, c) from what `decode` returned."""
        return output.sigmoid() if self.likelihood == "bernoulli" else output

    def log_likelihood(self, x: Tensor, output: Tensor) -> Tensor:
        """log p(x | z, c) in nats (N,), a density for "normal"."""
        if x.shape != output.shape:  # else a wrong shape would be broadcast, silently
            raise ValueError(f"x: expected shape {tuple(output.shape)}, got {tuple(x.shape)}")
        if self.likelihood == "bernoulli":
            nats = -binary_cross_entropy_with_logits(output, x, reduction="none")
        else:
            nats = -0.5 * ((x - output) / self.scale) ** 2
            nats = nats - math.log(self.scale * math.sqrt(2 * math.pi))
        return nats.flatten(1).sum(dim=1)

    @torch.no_grad()
    def elbo(self, x: Tensor, condition: Tensor | None = None, *, seed: int = 0) -> Elbo:
        """The bound for each row, with one draw of z each."""
        with seeded(seed):
            found = [self({"x": a, "condition": c}) for a, c in self._parts(x, condition)]
        columns = ([f[name].cpu() for f in found] for name in ("reconstruction", "divergence"))
        return Elbo(*map(torch.cat, columns))

    @torch.no_grad()
    def encode(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the codes, each (N, latent_dim)."""
        found = [torch.stack(self.posterior(a, c)).cpu() for a, c in self._parts(x, condition)]
        means, log_variances = torch.cat(found, dim=1)
        return means, (log_variances / 2).exp()

    @torch.no_grad()
    def reconstruct(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """x from the mean of its code. Good reconstructions say nothing about new samples."""
        return self.expand(self.encode(x, condition)[0], condition)

    @torch.no_grad()
    def expand(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Mean of p(x | z, c) for codes (N, latent_dim)."""
        parts = self._parts(z, condition)
        return torch.cat([self.expectation(self.decode(a, c)).cpu() for a, c in parts])

    def sample(
        self, condition: Tensor | None = None, *, n: int | None = None, seed: int = 0
    ) -> Tensor:
        """One new x for each row of the condition, or ``n`` without one."""
        rows = len(condition) if condition is not None else check_integer("n", n, minimum=1)
        generator = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
        return self.expand(torch.randn(rows, self.latent_dim, generator=generator), condition)

    def fit(
        self,
        batches: Batches,
        *,
        steps: int,
        beta: float = 1.0,
        learning_rate: float = 4e-3,
        **options: Any,
    ) -> History:
        """Maximize the bound in place, with `simmim_lite.training.fit`.

        Args:
            batches: of "x" and, if there is one, "condition".
            beta: weight of the divergence (Higgins et al. 2017); the bound itself has 1. Less keeps
                more in the code.
        """
        check_number("beta", beta, minimum=0.0)

        def loss(outputs: dict[str, Tensor], _: Mapping[str, Tensor]) -> dict[str, Tensor]:
            reconstruction, divergence = outputs["reconstruction"], outputs["divergence"]
            return {
                "loss": (beta * divergence - reconstruction).mean(),
                "elbo": (reconstruction - divergence).mean(),
                "divergence": divergence.mean(),
            }

        options = {"schedule": "one_cycle", "warmup": max(2, steps // 7)} | options
        return fit(self, loss, batches, steps=steps, learning_rate=learning_rate, **options)

    def _parts(self, x: Tensor, condition: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Rows of both, some at a time, on the device of the weights."""
        device = next(self.parameters()).device
        for start in range(0, len(x), _ROWS):
            rows = slice(start, start + _ROWS)
            yield (
                x[rows].to(device),
                None if condition is None else condition[rows].to(device),
            )

    def _checked(self, condition: Tensor | None, rows: int) -> Tensor | None:
        shape = None if condition is None else tuple(condition.shape)
        expected = (rows, self.condition_dim) if self.condition_dim else None
        if shape != expected:
            raise ValueError(f"condition: expected {expected or 'none'}, got {shape or 'none'}")
        return condition


def image_vae(
    latent_dim: int = 24, condition_dim: int = 0, *, width: int = 24, seed: int = 0
) -> ConditionalVAE:
    """For gray images (N, 1, 28, 28) in 0..1."""
    with seeded(seed):
        encoder = ConvolutionalEncoder((1, 28, 28), 2 * latent_dim, condition_dim, width=width)
        decoder = ConvolutionalDecoder((1, 28, 28), latent_dim + condition_dim, width=width)
    return ConditionalVAE(encoder, decoder, latent_dim=latent_dim, condition_dim=condition_dim)


def speech_vae(
    frames: int,
    latent_dim: int = 32,
    condition_dim: int = 0,
    *,
    mels: int = 40,
    scale: float = 1.0,
    width: int = 24,
    seed: int = 0,
) -> ConditionalVAE:
    """For log-mel spectrograms (N, mels, frames) in nats, as `AudioEncoder.prepare` gives them."""
    shape = (mels, frames)
    with seeded(seed):
        encoder = ConvolutionalEncoder(shape, 2 * latent_dim, condition_dim, width=width)
        decoder = ConvolutionalDecoder(shape, latent_dim + condition_dim, width=width)
    return ConditionalVAE(
        encoder,
        decoder,
        latent_dim=latent_dim,
        condition_dim=condition_dim,
        likelihood="normal",
        scale=scale,
    )


def bits_per_dimension(nats: Tensor, dimensions: int, *, step: float | None = None) -> Tensor:
    """Bits that a code by this model spends on each of the numbers of a sample.

    Args:
        nats: log-likelihood, or a bound, of each sample.
        dimensions: numbers in a sample.
        step: for a density, the distance of the levels that the data were rounded to, in the units
            of the density: a level's probability is about density times step. None: the nats are
            those of probabilities.
    """
    dimensions = check_integer("dimensions", dimensions, minimum=1)
    bits = -nats / (dimensions * math.log(2))
    return bits if step is None else bits - math.log2(check_number("step", step, minimum=0.0))
