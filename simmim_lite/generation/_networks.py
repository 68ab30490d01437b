"""Networks that read and write images and spectrograms, (N, [1,] height, width)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from simmim_lite._arguments import check_integer


class ConvolutionalEncoder(nn.Module):
    """Two convolutions of stride 2, two linear layers: [x, condition] -> (N, dim).

    Args:
        shape: of one x, (height, width) or (1, height, width).
        dim: columns of the output.
        condition_dim: columns of the condition, which joins before the linear layers.
        width: maps of the first convolution.
        hidden: size of the layer in between.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dim: int,
        condition_dim: int = 0,
        *,
        width: int = 24,
        hidden: int = 256,
    ):
        super().__init__()
        self.height, self.width, (rows, columns) = *shape[-2:], _quarters(shape)
        width = check_integer("width", width, minimum=1)
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, width, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Flatten(),
        )
        self.head = nn.Sequential(
            nn.Linear(2 * width * rows * columns + condition_dim, hidden),
            nn.SiLU(),
            nn.Linear(hidden, dim),
        )

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        x = x.reshape(len(x), 1, self.height, self.width)
        x = pad(x, [0, -self.width % 4, 0, -self.height % 4], mode="replicate")
        features = self.convolutions(x)
        parts = [features] if condition is None else [features, condition]
        return self.head(torch.cat(parts, dim=1))


class ConvolutionalDecoder(nn.Module):
    """Two linear layers, then maps of a quarter, a half and the whole size: (N, dim) -> x.

    Args:
        shape: of one x, (height, width) or (1, height, width).
        dim: columns of the input.
    """

    def __init__(self, shape: tuple[int, ...], dim: int, *, width: int = 24, hidden: int = 256):
        super().__init__()
        self.shape, (rows, columns) = tuple(shape), _quarters(shape)
        width = check_integer("width", width, minimum=2)
        self.network = nn.Sequential(
            nn.Linear(dim, hidden),
            nn.SiLU(),
            nn.Linear(hidden, 2 * width * rows * columns),
            nn.Unflatten(1, (2 * width, rows, columns)),
            *_normalized(nn.Conv2d(2 * width, 2 * width, 3, padding=1), 2 * width),
            *_normalized(nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1), width),
            *_normalized(nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1), width // 2),
            nn.Conv2d(width // 2, 1, 3, padding=1),
        )

    def forward(self, z: Tensor) -> Tensor:
        height, width = self.shape[-2:]
        return self.network(z)[..., :height, :width].reshape(len(z), *self.shape)


def _normalized(layer: nn.Module, maps: int) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(maps), nn.SiLU()]


def _quarters(shape: tuple[int, ...]) -> tuple[int, int]:
    height, width = (check_integer("shape", size, minimum=4) for size in shape[-2:])
    return -(-height // 4), -(-width // 4)
