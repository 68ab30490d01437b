"""The contract of all encoders, and encoders of tables and images."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from simmim_lite._arguments import as_samples, check_integer, check_number
from simmim_lite._random import seeded
from simmim_lite._torch_state import like_parameters
from simmim_lite.augment import as_images, random_crop, random_rotation

_MOMENTUM = 0.1  # weight of a batch in the running mean and variance
_LARGEST = 10.0  # absolute value of a pixel
_GRID = 4  # side of the grid that the last feature maps are averaged to, for images of any size
_IMAGENET_MEAN = (0.485, 0.456, 0.406)  # the normalization that torchvision's weights expect
_IMAGENET_STD = (0.229, 0.224, 0.225)


def normalized_layer(layer: nn.Linear | nn.Conv1d | nn.Conv2d) -> list[nn.Module]:
    """Return a layer without bias, its batch normalization, and a ReLU."""
    norm = nn.BatchNorm2d if isinstance(layer, nn.Conv2d) else nn.BatchNorm1d
    return [layer, norm(len(layer.weight), dtype=layer.weight.dtype), nn.ReLU()]


class Encoder(nn.Module):
    """Base class: ``encoder(batch)`` is (N, dim), on the device and in the dtype of the weights.

    A subclass sets ``dim``, the number of columns of the output, and defines ``prepare`` and
    ``encode``. A third method, ``augment``, is optional.
    """

    dim: int

    def prepare(self, items: Any) -> Tensor:
        """Return items as one tensor (N, ...), on the CPU if they come from there.

        All work that does not change in training and is done once: checks, spectrograms, word
        numbers. Prepared items pass through unchanged.
        """
        raise NotImplementedError

    def encode(self, prepared: Tensor) -> Tensor:
        """Return vectors (N, dim) of prepared items (N, ...): the network."""
        raise NotImplementedError

    def augment(self, prepared: Tensor, generator: torch.Generator) -> Tensor:
        """Return a random variation of each item that keeps its meaning, for training.

        The generator is on the device of the prepared items. The base class changes nothing.
        """
        return prepared

    def forward(self, batch: Any) -> Tensor:
        """Return vectors (N, dim) of items, prepared or not."""
        return self.encode(like_parameters(self, self.prepare(batch)))


def encoded(encoder: nn.Module, items: Any) -> Tensor:
    """Return the output of an `Encoder`, which takes any items, or of a module of the caller."""
    if isinstance(items, Tensor) and not isinstance(encoder, Encoder):
        items = like_parameters(encoder, items)
    return encoder(items)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Set evaluation mode without gradients; afterwards, each submodule has its own mode again."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes.items():
            part.training = mode


class ByName(nn.ModuleDict):
    """`nn.ModuleDict` whose names are any strings, also with dots or those of its attributes."""

    def __init__(self, modules: Mapping[str, nn.Module], argument: str):
        super().__init__()
        self.keys_of: dict[str, str] = {}  # by name, the key in `state_dict`
        taken = set(dir(self))
        for name, module in modules.items():
            if not isinstance(name, str):
                raise TypeError(f"{argument}: expected names that are strings, got {name!r}")
            key = name
            if name in taken or "." in name or name[:1] in ("", "="):
                key = f"={name}".replace("%", "%25").replace(".", "%2e")
            self.keys_of[name] = key
            self.add_module(key, module)

    def __getitem__(self, name: str) -> nn.Module:
        return super().__getitem__(self.keys_of[name])

    def __contains__(self, name: object) -> bool:
        return name in self.keys_of

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys_of)

    def keys(self) -> Any:
        return self.keys_of.keys()

    def items(self) -> Any:
        return [(name, self[name]) for name in self.keys_of]


def on_device(prepared: Tensor, device: torch.device) -> Tensor:
    """Return prepared items on a device, as float32 instead of float64 if it has no float64."""
    wide = prepared.dtype == torch.float64 and device.type == "mps"
    return prepared.to(device, torch.float32 if wide else prepared.dtype)


class Standardize(nn.Module):
    """Columns with mean 0 and variance 1 in the batch; in evaluation mode, in the batches so far.

    `nn.BatchNorm1d` computes in float32, where an offset of 1e6 leaves one digit of the rest, adds
    1e-5 to the variance, and starts its running variance at 1. Here, differences to the first row
    are float64, constant columns are 0, and the first batches count alike.
    """

    origin: Tensor
    mean: Tensor  # of the differences to the origin
    deviation: Tensor  # float32 holds it in units in which its square would be 0 or infinite
    batches: Tensor

    def __init__(self, columns: int):
        super().__init__()
        self.register_buffer("origin", torch.zeros(columns))
        self.register_buffer("mean", torch.zeros(columns))
        self.register_buffer("deviation", torch.ones(columns))
        self.register_buffer("batches", torch.tensor(0))

    def extra_repr(self) -> str:
        return f"{len(self.origin)} columns"

    def forward(self, rows: Tensor) -> Tensor:
        rows = rows if rows.device.type == "mps" else rows.double()  # "mps" has no float64
        if self.training and not self.batches:
            self.origin.copy_(rows[0].detach())
        near = rows - self.origin
        mean, variance = self.mean.to(rows), self.deviation.to(rows).square()
        if self.training:
            rounding = 4 * torch.finfo(rows.dtype).eps * rows.abs().amax(dim=0)
            varies = near.amax(dim=0) - near.amin(dim=0) > rounding
            before, (variance, mean) = variance, torch.var_mean(near, dim=0, correction=0)
            variance = variance.where(varies, 0)
            with torch.no_grad():
                self.batches += 1
                weight = max(_MOMENTUM, 1 / int(self.batches))
                self.mean.lerp_(mean.to(self.mean), weight)
                self.deviation.copy_(before.lerp(variance, weight).sqrt())
        values = (near - mean) / variance.where(variance > 0, 1).sqrt()
        return values.where(variance > 0, 0).to(self.origin.dtype)


class TabularEncoder(Encoder):
    """Encode rows of numbers, (N, columns) -> (N, dim): `Standardize` and two layers.

    Offsets and units of the columns do not matter, and constant columns stay 0. ``hidden`` is the
    size of the hidden layer.
    """

    def __init__(self, columns: int, dim: int = 128, *, hidden: int = 128, seed: int = 0):
        super().__init__()
        self.columns = check_integer("columns", columns, minimum=1)
        self.dim = check_integer("dim", dim, minimum=1)
        hidden = check_integer("hidden", hidden, minimum=1)
        with seeded(seed):
            self.network = nn.Sequential(
                Standardize(columns),
                *normalized_layer(nn.Linear(columns, hidden, bias=False)),
                *normalized_layer(nn.Linear(hidden, dim, bias=False)),
            )

    def prepare(self, table: Any) -> Tensor:
        """Return an array, a tensor or a data frame of finite numbers as (N, columns).

        Floating-point tensors pass through. Other tables become float64, for large offsets.
        """
        rows = as_samples("table", table, minimum=1)
        if rows.shape[1] != self.columns:
            raise ValueError(f"table: expected shape (N, {self.columns}), got {rows.shape}")
        prepared = isinstance(table, Tensor) and table.is_floating_point() and table.ndim == 2
        return table if prepared else torch.from_numpy(rows)

    def encode(self, prepared: Tensor) -> Tensor:
        return self.network(prepared)

    def forward(self, batch: Any) -> Tensor:
        return self.encode(on_device(self.prepare(batch), next(self.parameters()).device))


class _Images(Encoder):
    """`prepare` and `augment` for images, with any network."""

    def __init__(self, channels: int, dim: int, shift: int, turn: float):
        super().__init__()
        self.channels = check_integer("channels", channels, minimum=1)
        self.dim = check_integer("dim", dim, minimum=1)
        self.shift = check_integer("shift", shift, minimum=0)
        self.turn = check_number("turn", turn, minimum=0.0, maximum=45.0)

    def prepare(self, images: Any) -> Tensor:
        """Return images, arrays or tensors, as (N, channels, height, width) float32.

        They are uint8 in 0..255 of shape (N, height, width) or (N, height, width, channels), as
        loaders return them; or floating point, best in 0..1, of shape (N, channels, height, width),
        which pass through. Noise may leave 0..1, but on the CPU, pixels beyond -10..10 are refused.
        """
        if not isinstance(images, Tensor) and not isinstance(images, np.ndarray):
            raise TypeError(f"images: expected an array or tensor, got {type(images).__name__}")
        images = as_images("images", images)
        if images.dtype == torch.uint8:
            images = images[..., None] if images.ndim == 3 else images
            if images.ndim != 4 or images.shape[3] != self.channels or 0 in images.shape:
                pixels = f"(N, height, width) or (N, height, width, {self.channels} channels)"
                raise ValueError(f"images: expected pixels {pixels}, got {tuple(images.shape)}")
            return images.permute(0, 3, 1, 2).to(torch.float32, copy=True).div_(255).contiguous()
        if not images.is_floating_point():
            raise TypeError(f"images: expected uint8 or floating point, got {images.dtype}")
        if images.ndim != 4 or images.shape[1] != self.channels or 0 in images.shape:
            expected, got = f"(N, {self.channels}, height, width)", tuple(images.shape)
            raise ValueError(f"images: expected shape {expected}, got {got}")
        if images.device.type == "cpu" and not torch.compiler.is_compiling():  # a GPU would wait
            low, high = images.detach().aminmax()
            if not (low >= -_LARGEST and high <= _LARGEST):  # also where a pixel is nan
                raise ValueError(f"images: expected 0..1, or uint8, got {low:g} to {high:g}")
        return images

    def augment(self, prepared: Tensor, generator: torch.Generator) -> Tensor:
        """Shift and rotate images; no mirror images, as letters and digits have a direction."""
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
        shift: largest shift by `augment`, in pixels.
        turn: largest rotation by `augment`, at most 45 degrees; also resizes (`random_rotation`).
            It helps to recognize classes, and harms if captions describe slant or width.
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
            raise ValueError(f"images: expected sides of at least 4, got {tuple(prepared.shape)}")
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

    ``small`` adapts it to images of about 32 x 32, as He et al. (section 4.2) and Chen et al.
    (2020, arXiv 2002.05709, appendix B.9) do for CIFAR-10: the first convolution is 3 x 3 without
    stride, and the pooling after it is removed. ``pretrained`` starts from torchvision's ImageNet
    weights, which are downloaded, and needs ``channels=3`` and ``small=False``.
    """
    if pretrained and (channels != 3 or small):
        got = f"channels={channels} and small={small}, for which there are no weights"
        raise ValueError(f"pretrained: expected channels=3 and small=False, got {got}")
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
