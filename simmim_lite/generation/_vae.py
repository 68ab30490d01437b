"""Conditional variational autoencoder (VAE) for any pair of encoder and decoder networks."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, pad

from simmim_lite._arguments import as_tensor, check_choice, check_integer, check_number
from simmim_lite._random import normal_numbers, seeded
from simmim_lite._torch_state import like_parameters, ordinary_torch
from simmim_lite.augment import as_float, as_images
from simmim_lite.training import Batches, History, fit

_ROWS = 512  # in a batch without gradients
_ROUNDING = 1e-3  # beyond 0 and 1, of interpolation and of half precision
_HIDDEN = 256  # units between the two linear layers


def as_items(name: str, items: Any) -> Tensor:
    """Return finite numbers, where pixels of uint8 become 0..1, see `as_tensor`."""
    pixels = as_images(name, items)
    return as_tensor(name, as_float(pixels) if pixels.dtype == torch.uint8 else items)


class ConditionalVAE(nn.Module):
    """Generative model z ~ N(0, I), x ~ p(x | z, c), trained by a lower bound on log p(x | c).

    log p(x | c) >= E_q log p(x | z, c) - KL(q(z | x, c) || N(0, I)), where q is a normal
    distribution with independent columns (Kingma & Welling 2014, arXiv 1312.6114, eq. 10; with a
    condition: Sohn, Lee & Yan 2015, NeurIPS). Without a condition, the model is an autoencoder.
    Everything without gradients, such as samples, is on the CPU.

    Args:
        encoder: ``encoder(x, c)`` is (N, 2 latent_dim), the mean and the log variance of q.
        decoder: maps (N, latent_dim + condition_dim) to logits ("bernoulli") or means ("normal").
        condition_dim: columns of c; 0 for no condition.
        likelihood: "bernoulli", for pixels in 0..1 (exact for 0 and 1, a pseudo-likelihood for gray
            values), or "normal", around the decoder's output with standard deviation ``scale``.
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
        check_choice("likelihood", likelihood, ("bernoulli", "normal"))
        self.encoder, self.decoder = encoder, decoder
        self.latent_dim = check_integer("latent_dim", latent_dim, minimum=1)
        self.condition_dim = check_integer("condition_dim", condition_dim, minimum=0)
        self.likelihood = likelihood
        self.scale = check_number("scale", scale, minimum=1e-6)
        self.eval()  # outside `fit`

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return "reconstruction" and "divergence" of the bound in nats, each (N,)."""
        x, condition = like_parameters(self, self._items(batch["x"])), batch.get("condition")
        condition = None if condition is None else like_parameters(self, condition)
        mean, log_variance = self.posterior(x, condition)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        output = self.decode(z, condition)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)
        return {"reconstruction": self.log_likelihood(x, output), "divergence": divergence}

    def posterior(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of q(z | x, c), each (N, latent_dim)."""
        mean, log_variance = self.encoder(x, self._checked(condition, len(x))).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the parameters of p(x | z, c): logits or means, in the shape of x."""
        condition = self._checked(condition, len(z))
        return self.decoder(z if condition is None else torch.cat([z, condition], dim=1))

    def log_likelihood(self, x: Tensor, output: Tensor) -> Tensor:
        """Return log p(x | z, c) in nats (N,); ``output`` is that of `decode`."""
        if x.shape != output.shape:  # would be broadcast
            raise ValueError(f"x: expected shape {tuple(output.shape)}, got {tuple(x.shape)}")
        if self.likelihood == "bernoulli":
            nats = -binary_cross_entropy_with_logits(output, x, reduction="none")
        else:
            nats = -0.5 * ((x - output) / self.scale) ** 2 - math.log(self.scale * math.tau**0.5)
        return nats.flatten(1).sum(dim=1)

    def extra_repr(self) -> str:
        return f"latent_dim {self.latent_dim}, {self.likelihood}, scale {self.scale}"

    def _items(self, x: Any) -> Tensor:
        x = as_items("x", x)
        low, high = x.detach().aminmax() if x.numel() else (0, 1)
        if self.likelihood == "bernoulli" and not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
            raise ValueError(f"x: expected pixels in 0..1, got {low:g} to {high:g}")
        return x

    @ordinary_torch()
    @torch.no_grad()
    def encode(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of q(z | x, c), each (N, latent_dim)."""
        parts = self._parts(self._items(x), condition)
        found = [torch.stack(self.posterior(a, c)).cpu() for a, c in parts]
        means, log_variances = torch.cat(found, dim=1)
        return means, (log_variances / 2).exp()

    def reconstruct(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Decode the mean latents of x. (The result says nothing about new samples.)"""
        return self.expand(self.encode(x, condition)[0], condition)

    @torch.no_grad()
    def expand(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the mean of p(x | z, c) for latents (N, latent_dim)."""
        mean = torch.sigmoid if self.likelihood == "bernoulli" else nn.Identity()
        return torch.cat([mean(self.decode(a, c)).cpu() for a, c in self._parts(z, condition)])

    def sample(
        self, condition: Tensor | None = None, *, n: int | None = None, seed: int = 0
    ) -> Tensor:
        """Draw one x for each row of the condition, or ``n`` without a condition."""
        condition = None if condition is None else as_tensor("condition", condition)
        rows = len(condition) if condition is not None else check_integer("n", n, minimum=1)
        return self.expand(normal_numbers(seed, rows, self.latent_dim), condition)

    def fit(self, batches: Batches, *, steps: int, beta: float = 1.0, **options: Any) -> History:
        """Maximize the bound in place, with `simmim_lite.training.fit` and its ``options``.

        Batches hold "x" and, for a conditional model, "condition". ``beta`` is the weight of the
        divergence (Higgins et al. 2017), 1 in the bound. With less, latents tell more about x.
        """
        check_number("beta", beta, minimum=0.0)

        def loss(outputs: dict[str, Tensor], _: Any) -> dict[str, Tensor]:
            reconstruction, divergence = outputs["reconstruction"], outputs["divergence"]
            return {
                "loss": (beta * divergence - reconstruction).mean(),
                "elbo": (reconstruction - divergence).mean(),
                "divergence": divergence.mean(),
            }

        plan = dict[str, Any](learning_rate=4e-3, schedule="one_cycle", steps=steps)
        plan["warmup"] = min(steps, max(2, steps // 7))
        return fit(self, loss, batches, **(plan | options))

    def _parts(self, x: Tensor, condition: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Batches of x and the condition, on the device and in the dtype of the weights."""
        condition = self._checked(condition, len(x))  # of all rows
        for start in range(0, len(x), _ROWS):
            rows = slice(start, start + _ROWS)
            part = None if condition is None else like_parameters(self, condition[rows])
            yield like_parameters(self, x[rows]), part

    def _checked(self, condition: Tensor | None, rows: int) -> Tensor | None:
        shape = None if condition is None else tuple(condition.shape)
        expected = (rows, self.condition_dim) if self.condition_dim else None
        if shape != expected:
            raise ValueError(f"condition: expected {expected or 'none'}, got {shape or 'none'}")
        return condition


class ConvolutionalEncoder(nn.Module):
    """Encoder for images and spectrograms: two convolutions of stride 2, two linear layers.

    ``shape`` of one x is (height, width) or (1, height, width), both at least 4, ``dim`` the number
    of columns of the output, and ``width`` the number of channels of the first convolution. The
    condition is an input of the linear layers.
    """

    def __init__(self, shape: Sequence[int], dim: int, condition_dim: int = 0, *, width: int = 24):
        super().__init__()
        self.height, self.width = shape[-2:]
        rows, columns = _quarters(shape)
        width = check_integer("width", width, minimum=1)
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, width, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Flatten(),
        )
        self.head = nn.Sequential(
            nn.Linear(2 * width * rows * columns + condition_dim, _HIDDEN),
            nn.SiLU(),
            nn.Linear(_HIDDEN, dim),
        )

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        if tuple(x.shape[-2:]) != (self.height, self.width):
            raise ValueError(f"x: expected (N, {self.height}, {self.width}), got {tuple(x.shape)}")
        x = x.reshape(len(x), 1, self.height, self.width)
        x = pad(x, [0, -self.width % 4, 0, -self.height % 4], mode="replicate")
        features = self.convolutions(x)
        parts = [features] if condition is None else [features, condition]
        return self.head(torch.cat(parts, dim=1))


class ConvolutionalDecoder(nn.Module):
    """Two linear layers and two upsampling convolutions: `ConvolutionalEncoder`, reversed."""

    def __init__(self, shape: Sequence[int], dim: int, *, width: int = 24):
        super().__init__()
        self.shape, (rows, columns) = tuple(shape), _quarters(shape)
        width = check_integer("width", width, minimum=2)
        self.network = nn.Sequential(
            nn.Linear(dim, _HIDDEN),
            nn.SiLU(),
            nn.Linear(_HIDDEN, 2 * width * rows * columns),
            nn.Unflatten(1, (2 * width, rows, columns)),
            *_normalized(nn.Conv2d(2 * width, 2 * width, 3, padding=1), 2 * width),
            *_normalized(nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1), width),
            *_normalized(nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1), width // 2),
            nn.Conv2d(width // 2, 1, 3, padding=1),
        )

    def extra_repr(self) -> str:
        return f"shape {self.shape}"

    def forward(self, z: Tensor) -> Tensor:
        height, width = self.shape[-2:]
        return self.network(z)[..., :height, :width].reshape(len(z), *self.shape)


def image_vae(
    latent_dim: int = 24, condition_dim: int = 0, *, width: int = 24, seed: int = 0
) -> ConditionalVAE:
    """Build a convolutional VAE for gray images (N, 1, 28, 28) in 0..1."""
    return _convolutional_vae((1, 28, 28), latent_dim, condition_dim, width, seed)


def speech_vae(
    frames: int, latent_dim: int = 32, *, width: int = 24, seed: int = 0
) -> ConditionalVAE:
    """Build a convolutional VAE for log-mel spectrograms (N, 40, frames) of `AudioEncoder`."""
    return _convolutional_vae((40, frames), latent_dim, 0, width, seed, likelihood="normal")


def bits_per_dimension(nats: Tensor, dimensions: int) -> Tensor:
    """Convert log-probabilities (N,) in nats to code lengths (N,) in bits per number of a sample.

    Lower bounds give upper bounds in bits; ``dimensions`` is the number of numbers in a sample. For
    a density ("normal"), subtract log2 of the step of the data.
    """
    dimensions = check_integer("dimensions", dimensions, minimum=1)
    return -as_tensor("nats", nats) / (dimensions * math.log(2))


def _convolutional_vae(
    shape: tuple[int, ...], latent: int, condition: int, width: int, seed: int, **options: Any
) -> ConditionalVAE:
    with seeded(seed):
        encoder = ConvolutionalEncoder(shape, 2 * latent, condition, width=width)
        decoder = ConvolutionalDecoder(shape, latent + condition, width=width)
    return ConditionalVAE(encoder, decoder, latent_dim=latent, condition_dim=condition, **options)


def _normalized(layer: nn.Module, channels: int) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(channels), nn.SiLU()]


def _quarters(shape: Sequence[int]) -> tuple[int, int]:
    """Height and width of the feature maps after two convolutions of stride 2."""
    height, width = (check_integer("shape", size, minimum=4) for size in shape[-2:])
    return -(-height // 4), -(-width // 4)
