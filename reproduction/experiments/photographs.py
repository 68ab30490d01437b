"""Photographs of CIFAR-10: an encoder is trained on seven classes and probed on three others."""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from reproduction.claims import Claim, Experiment, Interval, Setting
from reproduction.image_changes import random_brightness_contrast, random_flip, random_part
from simmim_lite.datasets import Images, load_cifar10
from simmim_lite.encoders import ImageEncoder
from simmim_lite.evaluation import LabeledSplit, transfer_table
from simmim_lite.multimodal import MultimodalInfoMax

_HELD_OUT = (2, 5, 9)  # bird, dog, truck

_CLAIMS = (
    Claim(
        id="new-classes-probe",
        name="CIFAR-10, accuracy on three held-out classes, probe with 300 labels",
        truth="chance level: 33 %",
        source="three classes",
        unit="%",
        at_least=0.68,
        notebook="13",
    ),
    Claim(
        id="new-classes-gain",
        name="CIFAR-10, accuracy on three held-out classes, gain over an untrained encoder",
        truth="untrained encoder: 0 points",
        source="the same run",
        unit="points",
        at_least=0.04,
        notebook="13",
    ),
)


def _measure(setting: Setting) -> dict[str, float | Interval]:
    """Train an encoder on two crops of photographs of seven classes; probe three other classes."""
    sets = {split: load_cifar10(split) for split in ("train", "test")}
    source, target = (
        LabeledSplit(
            *(part for each in sets.values() for part in _of_classes(each, held_out=held_out))
        )
        for held_out in (False, True)
    )
    encoder = ImageEncoder(3, width=16, seed=setting.seed)
    model = MultimodalInfoMax(dict.fromkeys(("first", "second"), encoder), 128, seed=setting.seed)
    crops = dict.fromkeys(("first", "second"), source.train)
    augment = dict.fromkeys(crops, _augment)
    options = {"steps": 600, "batch_size": 256, "seed": setting.seed}
    model.fit(crops, augment=augment, progress=False, **options)
    rows = np.random.default_rng(0).permutation(len(source.train))[:2000]
    few = source._replace(train=source.train[rows], train_labels=source.train_labels[rows])
    embedders = {
        "ours": lambda images: model.encode({"first": images})["first"],
        "untrained": partial(_untrained, seed=setting.seed),
    }
    table = transfer_table(embedders, few, {"held out": target}, labels=300)
    table = table.set_index(["features", "dataset"])
    ours = table.loc[("ours", "held out")]
    return {
        "new-classes-probe": Interval(*ours[["target probe", "low", "high"]]),
        "new-classes-gain": ours["target probe"]
        - table.loc[("untrained", "held out"), "target probe"],
    }


def _of_classes(images: Images, *, held_out: bool) -> tuple[np.ndarray, np.ndarray]:
    rows = np.isin(images.labels, _HELD_OUT) == held_out
    return images.images[rows], images.labels[rows]


def _untrained(images: np.ndarray, *, seed: int) -> Tensor:
    encoder = ImageEncoder(3, width=16, seed=seed).eval()
    with torch.no_grad():
        return torch.cat([encoder(part) for part in encoder.prepare(images).split(1024)])


def _augment(images: Tensor, generator: torch.Generator) -> Tensor:
    images = random_part(images, generator, scale=(1.0, 2.2), shift=0.2)
    return random_brightness_contrast(random_flip(images, generator), generator)


EXPERIMENTS = (Experiment("photographs", _CLAIMS, _measure, full=True),)
