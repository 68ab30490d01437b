"""Images: a small convolutional network, and ResNet-18."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from simmim_lite._arguments import check_integer, check_number
from simmim_lite._random import seeded
from simmim_lite.augment import random_crop, random_rotation
from simmim_lite.encoders._base import Encoder, normalized_layer

_GRID = 4  # side of the grid that the last feature maps are averaged to, for images of any size
_IMAGENET_MEAN = (0.485, 0.456, 0.406)  # the normalization that torchvision's weights expect
_IMAGENET_STD = (0.229, 0.224, 0.225)


class _Images(Encoder):
    """`prepare` and `augment` for images, with any network."""

    def __init__(self, channels: int, dim: int, shift: int, turn: float):
        super().__init__()
        self.channels = check_integer("channels", channels, minimum=1)
        self.dim = check_integer("dim", dim, minimum=1)
        self.shift = check_integer("shift", shift, minimum=0)
        self.turn = check_number("turn", turn, minimum=0.0, maximum=180.0)

    def prepare(self, images: Any) -> Tensor:
        """Return images, arrays or tensors, as (N, channels, height, width) float32.

        They are uint8 in 0..255 of shape (N, height, width) or (N, height, width, channels), as
        loaders return them; or floating point, best in 0..1, of shape (N, channels, height, width),
        which pass through.
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
        """Shift each image by up to ``shift`` pixels in each direction, then rotate it.

        Zeros fill up. Images are not mirrored, because letters and digits have a direction.
        """
        if self.shift:
            prepared = random_crop(prepared, generator, padding=self.shift)
        return random_rotation(prepared, generator, degrees=self.turn) if self.turn else prepared


class ImageEncoder(_Images):
    """Encode images of any size from 4 x 4, -> (N, dim): three convolutions and a linear layer.

    A 28 x 28 image becomes ``width`` maps of 14 x 14, 2 ``width`` maps of 7 x 7 and 4 ``width``
    maps of 7 x 7. The last maps are averaged to 4 x 4, so that the position within the image
    matters, and the number of weights does not depend on the size of the image.

    Args:
        channels: 1 for gray, 3 for color.
        width: number of maps of the first convolution.
        shift: largest shift by `augment`, in pixels.
        turn: largest rotation by `augment`, in degrees. The size changes by up to the same angle in
            radians, as a fraction. Rotation helps to recognize classes, and harms if captions
            describe slant or width.
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
                *normalized_layer(nn.Conv2d(channels, width, 5, stride=2, padding=2, bias=False)),
                *normalized_layer(nn.Conv2d(width, 2 * width, 3, padding=1, bias=False)),
                nn.MaxPool2d(2),
                *normalized_layer(nn.Conv2d(2 * width, 4 * width, 3, padding=1, bias=False)),
                nn.AdaptiveAvgPool2d(_GRID),
                nn.Flatten(),
                *normalized_layer(nn.Linear(4 * width * _GRID**2, dim, bias=False)),
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
    """Return the ResNet-18 (He et al. 2016, arXiv 1512.03385) of torchvision as an encoder.

    The last layer is new, a linear layer to ``dim`` columns. The encoder takes the same images as
    `ImageEncoder`, and its ``channels``, ``shift`` and ``turn``.

    Args:
        small: adapt the network to images of about 32 x 32, as He et al. (section 4.2) and Chen et
            al. (2020, arXiv 2002.05709, appendix B.9) do for CIFAR-10: the first convolution is
            3 x 3 without stride, and the pooling after it is removed.
        pretrained: start from torchvision's ImageNet weights, which are downloaded. Needs
            ``channels=3`` and ``small=False``.
    """
    if pretrained and (channels != 3 or small):
        raise ValueError(
            "pretrained: expected channels=3 and small=False, for which there are weights, "
            f"got channels={channels} and small={small}"
        )
    return _ResNet18(channels, dim, shift, turn, small=small, pretrained=pretrained, seed=seed)


class _ResNet18(_Images):
    mean: Tensor
    std: Tensor

    def __init__(self, *images: Any, small: bool, pretrained: bool, seed: int):
        super().__init__(*images)
        from torchvision.models import ResNet18_Weights, resnet18  # here, its import takes seconds

        with seeded(seed):
            network = resnet18(weights=ResNet18_Weights.DEFAULT if pretrained else None)
            if small:
                network.conv1 = nn.Conv2d(self.channels, 64, 3, padding=1, bias=False)
                network.maxpool = nn.Identity()
            elif self.channels != 3:
                network.conv1 = nn.Conv2d(self.channels, 64, 7, stride=2, padding=3, bias=False)
            network.fc = nn.Linear(network.fc.in_features, self.dim)
        self.network = network
        mean, std = (_IMAGENET_MEAN, _IMAGENET_STD) if pretrained else (0.5, 0.5)
        self.register_buffer("mean", torch.tensor(mean).reshape(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(1, -1, 1, 1))

    def encode(self, prepared: Tensor) -> Tensor:
        return self.network((prepared - self.mean) / self.std)
