"""CIFAR-10 without labels: two crops of a picture, or its lightness and its color, as modalities.

    python -m reproduction.peers.bench_cifar10                    made for a GPU: 40 epochs of crops
    python -m reproduction.peers.bench_cifar10 --views lab  lightness and color (Tian et al. 2020)
    python -m reproduction.peers.bench_cifar10 --quick  a smoke run on a CPU, a minute or two

ResNet-18 in its form for small pictures, `MultimodalInfoMax` with InfoNCE. Prints the bound on the
training batches, and on the test pictures a linear probe and 20 nearest neighbors, beside those of
the untrained network. Exits with 1 if training did not help.
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

from simmim_lite.augment import random_affine, random_brightness_contrast, random_flip
from simmim_lite.datasets import Images, load_cifar10
from simmim_lite.encoders import ImageEncoder, resnet18_encoder
from simmim_lite.multimodal import MultimodalInfoMax, lightness_and_color


def vary(images: Tensor, generator: torch.Generator) -> Tensor:
    """A crop of a part of the picture, every second one mirrored, darker or brighter."""
    images = random_affine(images, generator, scale=(1.0, 2.2), shift=0.2)
    return random_brightness_contrast(random_flip(images, generator), generator)


def vary_color(images: Tensor, generator: torch.Generator) -> Tensor:
    images = random_affine(images, generator, scale=(1.0, 1.6), shift=0.15)
    return random_flip(images, generator)


def build(views: str, images: np.ndarray, quick: bool):
    """Model, items by modality, and how they are varied."""

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
    """Linear probe and nearest neighbors, in percent."""
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
