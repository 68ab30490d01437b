"""Images: a small convolutional network, and ResNet-18."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from simmim_lite._arguments import check_integer, check_number
from simmim_lite._random import seeded
from simmim_lite.augment import random_crop, random_rotation
from simmim_lite.encoders._base import Encoder

_GRID = 4  # cells a side that the last features are averaged to, whatever the size of the image
_IMAGENET_MEAN = (0.485, 0.456, 0.406)  # the normalization that torchvision's weights expect
_IMAGENET_STD = (0.229, 0.224, 0.225)


class _Images(Encoder):
    """What `prepare` and `augment` are for images, whatever the network."""

    def __init__(self, channels: int, dim: int, shift: int, turn: float):
        super().__init__()
        self.channels = check_integer("channels", channels, minimum=1)
        self.dim = check_integer("dim", dim, minimum=1)
        self.shift = check_integer("shift", shift, minimum=0)
        self.turn = check_number("turn", turn, minimum=0.0, maximum=180.0)

    def prepare(self, images: Any) -> Tensor:
        """Pixels or brightnesses -> (N, channels, height, width) float32.

        Args:
            images: arrays or tensors; uint8 in 0..255 of shape (N, height, width), or
                (N, height, width, channels), as loaders give them; or floating point, best in
                0..1, of shape (N, channels, height, width), which pass through.

        Raises:
            TypeError, ValueError: other types or shapes.
        """
        if isinstance(images, np.ndarray):
            images = torch.from_numpy(np.ascontiguousarray(images))
        if not isinstance(images, Tensor):
            raise TypeError(f"images: expected an array or tensor, got {type(images).__name__}")
        if images.dtype == torch.uint8:
            if images.ndim == 3:
                images = images[..., None]
            last = images.shape[-1]
            if images.ndim != 4 or last != self.channels or 0 in images.shape:
                raise ValueError(
                    f"images: expected pixels of shape (N, height, width) or (N, height, width, "
                    f"channels) with {self.channels} channels, got {tuple(images.shape)}"
                )
            return images.permute(0, 3, 1, 2).to(torch.float32, copy=True).div_(255).contiguous()
        if not images.is_floating_point():
            raise TypeError(f"images: expected uint8 or floating point, got {images.dtype}")
        if images.ndim != 4 or images.shape[1] != self.channels or 0 in images.shape:
            raise ValueError(
                f"images: expected shape (N, {self.channels}, height, width), "
                f"got {tuple(images.shape)}"
            )
        return images

    def augment(self, prepared: Tensor, generator: torch.Generator) -> Tensor:
        """Each image moved by up to ``shift`` pixels each way, and turned; what enters is black.

        Not mirrored, as letters and digits have a direction.
        """
        if self.shift:
            prepared = random_crop(prepared, generator, padding=self.shift)
        return random_rotation(prepared, generator, degrees=self.turn) if self.turn else prepared


class ImageEncoder(_Images):
    """Three convolutions and a linear layer: images of any size from 4 x 4 -> (N, dim).

    A 28 x 28 image becomes ``width`` maps of 14 x 14, 2 ``width`` of 7 x 7 and 4 ``width`` of
    7 x 7. Maps of any size are averaged to 4 x 4 in the end, so that position within the image
    counts, and the number of weights does not depend on its size.

    Args:
        channels: 1 for gray, 3 for color.
        dim: columns of the output.
        width: maps of the first convolution.
        shift: pixels by which `augment` moves an image at most.
        turn: degrees by which it turns one at most, and makes it larger or smaller by as much: an
            angle in radians is a part of one. It helps where classes count, and harms where a
            caption speaks of slant or width.
    """

    def __init__(
        self,
        channels: int = 1,
        dim: int = 128,
        *,
        width: int = 16,
        shift: int = 2,
        turn: float = 0.0,
        seed: int = 0,
    ):
        super().__init__(channels, dim, shift, turn)
        width = check_integer("width", width, minimum=1)
        with seeded(seed):
            self.network = nn.Sequential(
                nn.Conv2d(channels, width, 5, stride=2, padding=2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, 2 * width, 3, padding=1, bias=False),
                nn.BatchNorm2d(2 * width),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(2 * width, 4 * width, 3, padding=1, bias=False),
                nn.BatchNorm2d(4 * width),
                nn.ReLU(),
                nn.AdaptiveAvgPool2d(_GRID),
                nn.Flatten(),
                nn.Linear(4 * width * _GRID**2, dim, bias=False),
                nn.BatchNorm1d(dim),
                nn.ReLU(),
            )

    def encode(self, prepared: Tensor) -> Tensor:
        if min(prepared.shape[2:]) < 4:
            got = tuple(prepared.shape)
            raise ValueError(f"images: expected a height and width of at least 4, got {got}")
        return self.network(prepared)


def resnet18_encoder(
    channels: int = 3,
    dim: int = 128,
    *,
    small: bool = True,
    pretrained: bool = False,
    shift: int = 4,
    turn: float = 0.0,
    seed: int = 0,
) -> Encoder:
    """ResNet-18 (He et al. 2016, arXiv 1512.03385) of torchvision, with a new last layer.

    Args:
        channels: 1 for gray, 3 for color.
        dim: columns of the output.
        small: for images of about 32 x 32, as He et al. (section 4.2) and Chen et al. (2020, arXiv
            2002.05709, appendix B.9) do for CIFAR-10: a first convolution of 3 x 3 without stride,
            and no pooling after it.
        pretrained: torchvision's ImageNet weights, which are downloaded; for ``channels=3`` and
            ``small=False``.
        shift, turn: as for `ImageEncoder`.

    Returns:
        An encoder of images, called as `ImageEncoder` is.
    """
    if pretrained and (channels != 3 or small):
        raise ValueError(
            "pretrained: expected channels=3 and small=False, for which there are weights, "
            f"got channels={channels} and small={small}"
        )
    return _ResNet18(channels, dim, small, pretrained, shift, turn, seed)


class _ResNet18(_Images):
    def __init__(
        self,
        channels: int,
        dim: int,
        small: bool,
        pretrained: bool,
        shift: int,
        turn: float,
        seed: int,
    ):
        super().__init__(channels, dim, shift, turn)
        from torchvision.models import ResNet18_Weights, resnet18  # here, its import takes seconds

        with seeded(seed):
            network = resnet18(weights=ResNet18_Weights.DEFAULT if pretrained else None)
            if small:
                network.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
                network.maxpool = nn.Identity()
            elif channels != 3:
                network.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
            network.fc = nn.Linear(network.fc.in_features, dim)
        self.network = network
        mean, std = (_IMAGENET_MEAN, _IMAGENET_STD) if pretrained else (0.5, 0.5)
        self.register_buffer("mean", torch.tensor(mean).reshape(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(1, -1, 1, 1))

    def encode(self, prepared: Tensor) -> Tensor:
        return self.network((prepared - self.mean) / self.std)
