"""Real cells: white blood cells as boxes, nuclei as masks, from features of unlabeled images.

Steps, crops and the number of labels were chosen on the validation images; the bounds were written
down before the features were measured on test images.
"""

import hashlib
import io
import lzma
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate

from reproduction.claims import Claim, Experiment, Setting
from reproduction.experiments.labels import feature_maps
from reproduction.image_changes import random_brightness_contrast, random_flip, random_part
from simmim_lite import datasets
from simmim_lite.encoders import ImageEncoder, seeded
from simmim_lite.masked import MaskedModel
from simmim_lite.multimodal import MultimodalInfoMax
from simmim_lite.training import Batches, fit

SIDE = 32  # of the crops for training, in pixels
CROPS = 4000
STEPS = 250
_SHA256 = {
    "bccd": "ebfbe9af000a8873a052388b24507dd038f08f96034a4cd650d9e0751b491007",
    "nuclei": "9aeb89dfe7fc654d6368bc08c508347383d8cba2d6408cd6dd6930201f19ee84",
}
LABELED = 40  # training images with labels, for a probe


def _claim(key: str, name: str, truth: str, **others: object) -> Claim:
    return Claim(id=key, name=name, truth=truth, source="the same run", notebook="15", **others)


def _claims(task: str, measure: str, baselines: dict[str, str], gain: float) -> list[Claim]:
    rows = baselines | {
        "pixels": "probe of the pixel alone, 40 labeled images",
        "untrained": "probe of an untrained encoder, 40 labeled images",
        "infomax": "probe of an infomax encoder, 40 labeled images",
        "masked": "probe of a masked model, 40 labeled images",
        "supervised": "network trained with all labels",
    }
    found = [_claim(f"{task}-{key}", f"{measure}, {row}", "at most 1") for key, row in rows.items()]
    for other, mean, worst in (("threshold", gain, 0.0), ("untrained", 0.005, None)):
        key, name = f"{task}-over-{other}", f"{measure}, infomax encoder minus {other}"
        bounds = {"at_least": mean, "worst_at_least": worst}
        found.append(_claim(key, name, "equal: 0", **bounds))
    return found


_CLAIMS = (
    *_claims(
        "nuclei",
        "IoU of masks, 100 images",
        {"prior": "all foreground", "threshold": "threshold (Otsu)"},
        0.01,
    ),
    *_claims(
        "white",
        "IoU of boxes, 65 images",
        {"prior": "median box", "threshold": "threshold of colors"},
        0.1,
    ),
    _claim(
        "leaks",
        "test images that are equal to a training image, or nearly (correlation above 0.9)",
        "a split without leaks: 0",
        at_most=0,
        worst_at_most=0,
    ),
)


# --- data ----------------------------------------------------------------------------------


class Cells(NamedTuple):
    """Images (N, C, H, W) in 0..1, masks (N, H, W), and rows of training, validation and test."""

    images: Tensor
    masks: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def read(name: str) -> dict[str, np.ndarray]:
    path = Path(os.environ.get("SIMMIM_DATA", ""), "applications", name, f"{name}.npz.xz")
    if not path.is_file():
        raise FileNotFoundError(f"SIMMIM_DATA: expected a folder with {path} (data/README.md)")
    packed = path.read_bytes()
    if hashlib.sha256(packed).hexdigest() != _SHA256[name]:
        raise ValueError(f"{path}: expected SHA-256 {_SHA256[name]}, got another file")
    with np.load(io.BytesIO(lzma.decompress(packed)), allow_pickle=False) as file:
        return dict(file)


def blood_smears() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (364, 120, 160, 3), rows (image, class, left, top, right, bottom), and splits."""
    file = read("bccd")
    parts = np.split(file["jpeg"], np.cumsum(file["lengths"])[:-1])
    images = np.stack([np.asarray(Image.open(io.BytesIO(part.tobytes()))) for part in parts])
    boxes = file["boxes"].astype(float)
    boxes[:, 2:] /= 4  # the images had 640 x 480 pixels
    return images.astype(float), boxes, file["split"]


def nuclei() -> tuple[Cells, np.ndarray]:
    """Nuclei on a dark ground, with one brightness for all; and the unchanged images."""
    file = read("nuclei")
    raw = file["images"].astype(np.float32)
    low, high = np.quantile(raw, (0.05, 0.999), axis=(1, 2), keepdims=True)
    images = torch.from_numpy(((raw - low) / (high - low)).clip(0, 1))[:, None].float()
    parts = np.split(np.random.default_rng(0).permutation(len(raw)), [200, 234])
    return Cells(images, file["labels"] > 0, *parts), raw


def white_cells() -> tuple[Cells, np.ndarray, np.ndarray]:
    """Smears with exactly one white cell, the ellipse in its box as mask; boxes; plain images."""
    smears, boxes, split = blood_smears()
    boxes = boxes[boxes[:, 1] == 1]
    rows, counts = np.unique(boxes[:, 0].astype(int), return_counts=True)
    boxes = boxes[np.isin(boxes[:, 0], rows[counts == 1])]
    rows, boxes = boxes[:, 0].astype(int), boxes[:, 2:]
    images = torch.from_numpy(smears[rows]).float().permute(0, 3, 1, 2)
    white = images.flatten(2).quantile(0.95, dim=2)[..., None, None]
    y, x = np.mgrid[:120, :160] + 0.5
    left, top, right, bottom = boxes.T[:, :, None, None]
    across, down = (2 * x - left - right) / (right - left), (2 * y - top - bottom) / (bottom - top)
    parts = (np.flatnonzero(split[rows] == name) for name in ("train", "val", "test"))
    cells = Cells((images / white).clamp(0, 1), across**2 + down**2 <= 1, *parts)
    return cells, boxes, smears[rows]


def near_copies(images: Tensor, train: np.ndarray, test: np.ndarray) -> int:
    """Test images that are equal to a training image or correlate with it by more than 0.9."""
    small = interpolate(images, size=(16, 16), mode="area").flatten(1)
    small = nn.functional.normalize(small - small.mean(dim=1, keepdim=True), dim=1)
    near = (small[test] @ small[train].T).amax(dim=1) > 0.9
    equal = datasets.find_leaks({"image": images[train]}, {"image": images[test]})["image"]
    return len(set(np.flatnonzero(near)) | set(equal))


# --- features ------------------------------------------------------------------------------


def crops(some: Tensor, seed: int, *others: Tensor, count: int = CROPS) -> list[Tensor]:
    """Random crops (count, ..., SIDE, SIDE) of images, at the same places of the others."""
    rng = np.random.default_rng(seed)
    tops, lefts = (rng.integers(side - SIDE + 1, size=count) for side in some.shape[-2:])
    places = list(zip(rng.integers(len(some), size=count), tops, lefts, strict=True))
    return [
        torch.stack([each[i, ..., y : y + SIDE, x : x + SIDE] for i, y, x in places])
        for each in (some, *others)
    ]


def changed(images: Tensor, generator: torch.Generator) -> Tensor:
    images = random_part(images, generator, scale=(1.0, 1.5), shift=0.1)
    images = random_flip(images, generator)
    return random_brightness_contrast(images, generator, brightness=0.2, contrast=0.4)


def infomax(images: Tensor, seed: int) -> ImageEncoder:
    """An encoder whose embeddings of two changes of one crop share much information."""
    encoder = ImageEncoder(images.shape[1], seed=seed)
    views = dict.fromkeys(("first", "second"), crops(images, seed)[0])
    model = MultimodalInfoMax(dict.fromkeys(views, encoder), 128, seed=seed)
    options = {"steps": STEPS, "batch_size": 256, "seed": seed, "progress": False}
    model.fit(views, augment=dict.fromkeys(views, changed), **options)
    return encoder


def masked(images: Tensor, seed: int) -> MaskedModel:
    model = MaskedModel((images.shape[1], SIDE, SIDE), 4, seed=seed)
    model.fit(crops(images, seed)[0], steps=STEPS, warmup=20, seed=seed, progress=False)
    return model


def maps_of_encoder(encoder: ImageEncoder, images: Tensor) -> Tensor:
    """Pixels and the maps of the three convolutions, (N, H, W, features)."""
    return torch.cat([images.permute(0, 2, 3, 1), feature_maps(encoder, images)], dim=3)


def maps_of_tokens(model: MaskedModel, images: Tensor) -> Tensor:
    """Pixels and the tokens of tiles of SIDE x SIDE pixels, (N, H, W, features)."""
    height, width = images.shape[2:]
    rows, columns = -(-height // SIDE), -(-width // SIDE)
    edges = (0, columns * SIDE - width, 0, rows * SIDE - height)
    full = nn.functional.pad(images, edges, mode="replicate")
    tiles = full.unflatten(3, (columns, SIDE)).unflatten(2, (rows, SIDE)).permute(0, 2, 4, 1, 3, 5)
    tokens = model.encode(tiles.flatten(0, 2)).unflatten(1, model.grid)
    maps = tokens.unflatten(0, (len(images), rows, columns)).permute(0, 5, 1, 3, 2, 4)
    maps = interpolate(maps.flatten(4).flatten(2, 3), size=full.shape[2:], mode="bilinear")
    return torch.cat([images, maps[:, :, :height, :width]], dim=1).permute(0, 2, 3, 1)


def pixels(images: Tensor) -> Tensor:
    return images.permute(0, 2, 3, 1)


# --- predictions ---------------------------------------------------------------------------


@torch.no_grad()
def probed(maps: Callable[[Tensor], Tensor], cells: Cells, rows: np.ndarray) -> np.ndarray:
    """Whether each pixel of the images ``rows`` is foreground, by a linear probe."""
    rng = np.random.default_rng(0)
    features, targets = [], []
    for row in cells.train[:LABELED]:
        chosen = rng.permutation(cells.masks[0].size)[:1500]
        features.append(maps(cells.images[row, None]).flatten(0, 2)[chosen].numpy())
        targets.append(cells.masks[row].ravel()[chosen])
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    probe.fit(np.concatenate(features), np.concatenate(targets))
    found = [probe.predict(maps(each).flatten(0, 2).numpy()) for each in cells.images[rows, None]]
    return np.reshape(found, (len(rows), *cells.masks.shape[1:]))


class Segmenter(nn.Module):
    """The kit's small encoder, and a linear layer of its maps: the logit of each pixel."""

    def __init__(self, channels: int, seed: int):
        super().__init__()
        with seeded(seed):
            self.encoder = ImageEncoder(channels, seed=seed)
            self.layer = nn.LazyLinear(1)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.layer(maps_of_encoder(self.encoder, batch["image"]))[..., 0]


def pixel_loss(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    return binary_cross_entropy_with_logits(logits, batch["mask"])


def supervised(cells: Cells, seed: int, rows: np.ndarray) -> np.ndarray:
    """Predictions of a network whose weights all learn from all training masks."""
    masks = torch.from_numpy(cells.masks).float()
    image, mask = crops(cells.images[cells.train], seed, masks[cells.train])
    network = Segmenter(image.shape[1], seed)
    network({"image": image[:2]})  # makes the last layer
    batches = Batches({"image": image, "mask": mask}, 64, seed=seed)
    options = {"optimizer": "adamw", "learning_rate": 3e-3, "seed": seed, "progress": False}
    fit(network, pixel_loss, batches, steps=2 * STEPS, **options)
    network.eval()
    with torch.no_grad():
        found = [network({"image": each}) for each in cells.images[rows, None]]
    return torch.cat(found).numpy() > 0


def otsu(image: np.ndarray) -> np.ndarray:
    """Foreground above the threshold with the largest variance between both sides (Otsu 1979)."""
    counts, edges = np.histogram(image, 256)
    middles = (edges[1:] + edges[:-1]) / 2
    below, sums = np.cumsum(counts), np.cumsum(counts * middles)
    above = below[-1] - below[:-1]
    gap = sums[:-1] / below[:-1] - (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    return image > edges[1 + np.argmax(below[:-1] * above * gap**2)]


def purple(images: np.ndarray) -> np.ndarray:
    """Pixels of stained nuclei: their red is low, and blue exceeds it."""
    shades = ndimage.gaussian_filter(images, (0, 1, 1, 0))
    shades -= np.quantile(shades, 0.95, axis=(1, 2), keepdims=True)
    return (shades[..., 0] < -30) & (shades[..., 2] - shades[..., 0] > 9)


def box_of(mask: np.ndarray, default: np.ndarray) -> np.ndarray:
    """Box (left, top, right, bottom) of the largest component, without specks."""
    found, count = ndimage.label(ndimage.binary_opening(mask))
    if not count:
        return default
    y, x = ndimage.find_objects(found)[np.argmax(np.bincount(found.ravel())[1:])]
    return np.array([x.start, y.start, x.stop, y.stop], float)


def mask_iou(some: np.ndarray, others: np.ndarray) -> float:
    return float(((some & others).sum(axis=(1, 2)) / (some | others).sum(axis=(1, 2))).mean())


def box_iou(some: np.ndarray, others: np.ndarray) -> float:
    def area(boxes: np.ndarray) -> np.ndarray:
        return (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1)

    low, high = np.maximum(some, others)[:, :2], np.minimum(some, others)[:, 2:]
    shared = area(np.hstack([low, high]))
    return float((shared / (area(some) + area(others) - shared)).mean())


def predictions(cells: Cells, seed: int, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Predicted masks of the images ``rows``, by kind of features."""
    unlabeled = cells.images[cells.train]
    maps = {
        "pixels": pixels,
        "untrained": partial(maps_of_encoder, ImageEncoder(unlabeled.shape[1], seed=seed).eval()),
        "infomax": partial(maps_of_encoder, infomax(unlabeled, seed).eval()),
        "masked": partial(maps_of_tokens, masked(unlabeled, seed).eval()),
    }
    found = {name: probed(each, cells, rows) for name, each in maps.items()}
    return found | {"supervised": supervised(cells, seed, rows)}


def scores(seed: int, split: str = "test") -> dict[str, float]:
    """IoU of masks of nuclei and of boxes of white cells; near copies in the splits."""
    cells, raw = nuclei()
    rows = getattr(cells, split)
    masks = predictions(cells, seed, rows) | {
        "prior": np.ones((len(rows), *raw.shape[1:]), bool),
        "threshold": np.stack([otsu(each) for each in np.sqrt(raw[rows])]),
    }
    found = {f"nuclei-{key}": mask_iou(each, cells.masks[rows]) for key, each in masks.items()}
    found["leaks"] = near_copies(cells.images, cells.train, rows)
    cells, boxes, plain = white_cells()
    rows, default = getattr(cells, split), np.median(boxes[cells.train], axis=0)
    masks = predictions(cells, seed, rows) | {
        "prior": np.zeros((len(rows), 120, 160), bool),
        "threshold": purple(plain[rows]),
    }
    for key, each in masks.items():
        made = np.stack([box_of(mask, default) for mask in each])
        found[f"white-{key}"] = box_iou(made, boxes[rows])
    found["leaks"] += near_copies(cells.images, cells.train, rows)
    for task in ("nuclei", "white"):
        for other in ("threshold", "untrained"):
            found[f"{task}-over-{other}"] = found[f"{task}-infomax"] - found[f"{task}-{other}"]
    return found


def measure(setting: Setting) -> dict[str, float]:
    return scores(setting.seed)


EXPERIMENTS: tuple[Experiment, ...] = (Experiment("cells", _CLAIMS, measure, seeds=3, full=True),)
