"""One encoder with two heads, a digit and the angle of its rotation, and one head alone."""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from simmim_lite import datasets
from simmim_lite.encoders import ImageEncoder, seeded


class TwoHeads(nn.Module):
    def __init__(self, seed: int):
        super().__init__()
        self.encoder = ImageEncoder(1, width=8, seed=seed)
        with seeded(seed):
            self.digit, self.angle = nn.Linear(128, 10), nn.Linear(128, 1)
        self.s = nn.Parameter(torch.zeros(2))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        h = self.encoder(images)
        return self.digit(h), self.angle(h)[:, 0]


def rotated(images: Tensor, angles: Tensor) -> Tensor:
    cosine, sine, zero = angles.cos(), angles.sin(), torch.zeros_like(angles)
    maps = torch.stack([cosine, -sine, zero, sine, cosine, zero], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def loss_of(kind: str, l1: Tensor, l2: Tensor, s: Tensor) -> Tensor:
    if kind == "learned":  # Kendall et al. 2018
        return l1 * torch.exp(-s[0]) + l2 * torch.exp(-s[1]) / 2 + s.sum() / 2
    return {"digit": l1, "angle": l2, "equal": l1 + l2}[kind]


def train_heads(kind: str, seed: int, steps: int) -> tuple[float, float]:
    """Accuracy of digits, and root mean squared error of angles in degrees, on test images."""
    (images, labels), (new, new_labels) = _images("train"), _images("test")
    network, generator = TwoHeads(seed), torch.Generator().manual_seed(seed)
    main = [p for name, p in network.named_parameters() if name != "s"]
    groups = [{"params": main}, {"params": [network.s], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.05)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, [4e-3, 5e-2], total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(labels), (64,), generator=generator)
        angles = 2 * torch.rand(64, generator=generator) - 1
        logits, predicted = network(rotated(images[rows], angles))
        l1, l2 = F.cross_entropy(logits, labels[rows]), F.mse_loss(predicted, angles)
        step(optimizer, rate, loss_of(kind, l1, l2, network.s))
    angles = 2 * torch.rand(len(new), generator=torch.Generator().manual_seed(7)) - 1
    with torch.no_grad():
        logits, predicted = network.eval()(rotated(new, angles))
    accuracy = (logits.argmax(dim=1) == new_labels).float().mean().item()
    return accuracy, float(np.degrees(F.mse_loss(predicted, angles).sqrt().item()))


@cache
def _images(split: str) -> tuple[Tensor, Tensor]:
    some = datasets.load_digits(split, full=False)
    return ImageEncoder(1).prepare(some.images), torch.from_numpy(some.labels)


def step(optimizer: Any, rate: Any, loss: Tensor) -> None:
    """One step of an optimizer and of its schedule."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    rate.step()
