"""CIFAR-10 without labels: two crops of a photograph, or its lightness and color, as modalities.

    python -m reproduction.peers.bench_cifar10              for a GPU: 40 epochs of crops
    python -m reproduction.peers.bench_cifar10 --views lab  lightness and color (Tian et al. 2020)
    python -m reproduction.peers.bench_cifar10 --quick      a short run on a CPU, one or two minutes

ResNet-18 for small images, `MultimodalInfoMax` with InfoNCE. The benchmark prints the bound on the
training batches, and test accuracies of a linear probe and of 20 nearest neighbors, before and
after training. The exit code is 1 if training did not improve the probe.
"""

import argparse
import dataclasses
import sys
import time

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from reproduction.image_changes import random_brightness_contrast, random_flip, random_part
from simmim_lite.datasets import Images, load_cifar10
from simmim_lite.encoders import ImageEncoder, resnet18_encoder
from simmim_lite.multimodal import MultimodalInfoMax

# IEC 61966-2-1 (sRGB): linear red, green, blue -> CIE XYZ, over the XYZ of its white, D65.
TO_XYZ = torch.tensor(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
ROWS = 4096  # images at a time, for the memory of float32


def lightness_and_color(images: np.ndarray) -> dict[str, Tensor]:
    """L and ab of the CIE 1976 L*a*b* space: two views of one scene, a gray image and its colors.

    As in contrastive multiview coding (Tian et al. 2020, arXiv 1906.05849). Neither view can be
    computed from the other.

    Args:
        images: (N, height, width, 3) uint8 RGB, as `load_cifar10` gives them.

    Returns:
        "lightness" (N, 1, height, width) = L / 100 in 0..1, "color" (N, 2, height, width) =
        a / 100 and b / 100, about -1.1..1; float32.
    """
    if images.dtype != np.uint8 or images.shape[3:] != (3,):
        got = f"{images.dtype} {images.shape}"
        raise ValueError(f"images: expected uint8 (N, height, width, 3), got {got}")
    pixels = torch.from_numpy(np.ascontiguousarray(images))
    parts = torch.cat([lab(part) for part in pixels.split(ROWS)])
    return {"lightness": parts[:, :1], "color": parts[:, 1:]}


def lab(pixels: Tensor) -> Tensor:
    """(N, height, width, 3) uint8 -> (N, 3, height, width), L, a and b over 100."""
    encoded = pixels.float() / 255
    linear = torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    xyz = linear @ (TO_XYZ / TO_XYZ.sum(dim=1, keepdim=True)).T
    edge = 6 / 29
    root = torch.where(xyz > edge**3, xyz.clamp(min=1e-9) ** (1 / 3), xyz / (3 * edge**2) + 4 / 29)
    x, y, z = root.unbind(dim=3)
    return torch.stack([1.16 * y - 0.16, 5 * (x - y), 2 * (y - z)], dim=1)


def vary(images: Tensor, generator: torch.Generator) -> Tensor:
    """Crop a part of each image, mirror half of the images, change brightness and contrast."""
    images = random_part(images, generator, scale=(1.0, 2.2), shift=0.2)
    return random_brightness_contrast(random_flip(images, generator), generator)


def vary_color(images: Tensor, generator: torch.Generator) -> Tensor:
    images = random_part(images, generator, scale=(1.0, 1.6), shift=0.15)
    return random_flip(images, generator)


def build(views: str, images: np.ndarray, quick: bool):
    """Return model, items by modality, and augmentations by modality."""

    def encoder(channels: int) -> nn.Module:
        return ImageEncoder(channels, width=16) if quick else resnet18_encoder(channels, 512)

    if views == "crops":
        shared = encoder(3)
        items = {"first": images, "second": images}
        return (
            MultimodalInfoMax(dict.fromkeys(items, shared), 128),
            items,
            dict.fromkeys(items, vary),
        )
    items = lightness_and_color(images)
    encoders = {"lightness": encoder(1), "color": encoder(2)}
    return MultimodalInfoMax(encoders, 128), items, dict.fromkeys(items, vary_color)


def features(model: MultimodalInfoMax, views: str, images: np.ndarray) -> np.ndarray:
    items = {"first": images} if views == "crops" else lightness_and_color(images)
    return torch.cat(list(model.encode(items).values()), dim=1).numpy()


def score(model: MultimodalInfoMax, views: str, train, test) -> tuple[float, float]:
    """Return the accuracies of linear probe and nearest neighbors, in percent."""
    x, y = features(model, views, train.images), features(model, views, test.images)
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200, tol=1e-3))
    near = make_pipeline(StandardScaler(), KNeighborsClassifier(20, metric="cosine"))
    return tuple(100 * m.fit(x, train.labels).score(y, test.labels) for m in (linear, near))


def some(images: Images, count: int) -> Images:
    chosen = np.random.default_rng(0).permutation(len(images))[:count]
    return dataclasses.replace(images, images=images.images[chosen], labels=images.labels[chosen])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--views", choices=("crops", "lab"), default="crops")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    train, test = load_cifar10("train"), load_cifar10("test")
    if options.quick:
        options.epochs, options.batch_size = 8, 256
        train, test = some(train, 5000), some(test, 2000)
    model, items, augment = build(options.views, train.images, options.quick)
    before = score(model, options.views, train, test)
    print(f"untrained: probe {before[0]:.1f}, neighbors {before[1]:.1f}", flush=True)
    start = time.perf_counter()
    history = model.fit(
        items, batch_size=options.batch_size, epochs=options.epochs, augment=augment
    )
    name = "-".join(items)
    print(
        f"{options.epochs} epochs in {time.perf_counter() - start:.0f} s, "
        f"bound {history[name][0]:.2f} -> {history[name][-1]:.2f} nats of at most "
        f"{np.log(options.batch_size):.2f}"
    )
    after = score(model, options.views, train, test)
    print(f"trained:   probe {after[0]:.1f}, neighbors {after[1]:.1f}")
    return int(after[0] <= before[0])


if __name__ == "__main__":
    sys.exit(main())
