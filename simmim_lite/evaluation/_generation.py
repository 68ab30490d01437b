"""Metrics of generated items (correctness, realism, diversity, novelty) and of reconstructions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from simmim_lite._arguments import (
    as_array,
    as_class_numbers,
    as_labels,
    as_samples,
    as_tensor,
    check_integer,
    check_same_length,
)
from simmim_lite._numerics import squared_distances
from simmim_lite._random import random_generator, seeded
from simmim_lite.augment import as_images
from simmim_lite.encoders import Encoder
from simmim_lite.encoders._text import words_of
from simmim_lite.training import Batches, History, fit

_ROWS = 1024  # at a time
_BORDER, _IMAGES = 5, 128  # half the window of SSIM in pixels; images at a time: 4 MB or more each
EXCESS = 10.0  # beyond 0..1; an output of a network can be there, but no image in 0..255


class EvaluationClassifier(nn.Module):
    """A classifier of real items that recognizes the class of generated ones.

    It must be independent of the generator: an untrained `ImageEncoder` or `AudioEncoder` with a
    seed of its own, and another ``seed`` for the last layer. Its accuracy on real test items is an
    upper bound of the coherence that it can find; report both.
    """

    def __init__(self, encoder: Encoder, classes: int = 10, *, seed: int = 1000):
        super().__init__()
        self.encoder = encoder
        with seeded(seed):
            self.head = nn.Linear(encoder.dim, check_integer("classes", classes, minimum=2))
        self.eval()  # except during `fit`

    def forward(self, batch: Any) -> Tensor:
        """Map a batch of prepared items, or a dict with them as "x", to logits (N, classes)."""
        return self.head(self.encoder(batch["x"] if isinstance(batch, Mapping) else batch))

    def fit(
        self, items: Any, labels: Any, *, steps: int, batch_size: int = 128, **options: Any
    ) -> History:
        """Train in place on N real items of classes (N,), with the augmentation of the encoder.

        Options as for `training.fit`.
        """
        x = self.encoder.prepare(items)
        y = torch.from_numpy(as_class_numbers("labels", labels, self.head.out_features))
        check_same_length(items=x, labels=y)

        def augment(batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
            return batch | {"x": self.encoder.augment(batch["x"], generator)}

        seed = options.get("seed", 0)
        batches = Batches({"x": x, "y": y}, batch_size, transform=augment, seed=seed)
        options = {"learning_rate": 3e-3, "warmup": steps // 20} | options
        return fit(self, lambda z, b: cross_entropy(z, b["y"]), batches, steps=steps, **options)

    def features(self, items: Any) -> Tensor:
        """Return the output of the encoder on the CPU: (N, dim), for distances."""
        return self._in_parts(self.encoder, items)

    def classify(self, items: Any) -> np.ndarray:
        """Return the predicted class of each item: (N,) int64."""
        return self._in_parts(self, items).argmax(dim=1).numpy()

    @torch.no_grad()
    def _in_parts(self, network: nn.Module, items: Any) -> Tensor:
        parts = self.encoder.prepare(items).split(_ROWS)
        return torch.cat([network(part).cpu() for part in parts])

    def coherence(self, items: Any, labels: Any) -> float:
        """Return the fraction of items with the requested class; of real items, the accuracy."""
        predicted = self.classify(items)
        numbers = as_class_numbers("labels", labels, self.head.out_features)
        check_same_length(items=predicted, labels=numbers)
        return float((predicted == numbers).mean())


def frechet_distance(first: Any, second: Any) -> float:
    """Squared Frechet distance between normal distributions with the moments of two samples.

    |mean - mean'|^2 + tr(C + C' - 2 (C C')^(1/2)) (Dowson & Landau 1982). With the features of an
    evaluation classifier this is a Frechet *classifier* distance and no FID, whose features come
    from one network trained on ImageNet. Two real samples have a distance above 0, which grows as
    the samples get smaller: compare equal numbers of samples, (N, dim) and (M, dim), only.
    """
    a, b = _as_sets(first=first, second=second)
    a, b = a - a[0], b - a[0]  # only lowers the rounding error
    difference = a.mean(axis=0) - b.mean(axis=0)
    roots = [_root(x - x.mean(axis=0)) for x in (a, b)]
    # The trace is the squared distance of the roots R (C = R R') after the best rotation of one:
    # a sum of squares, without the rounding error of the square roots of eigenvalues.
    left, _, right = np.linalg.svd(roots[1].T @ roots[0])
    apart = roots[0] - roots[1] @ (left @ right)
    return float(difference @ difference + np.square(apart).sum())


def _root(centered: np.ndarray) -> np.ndarray:
    """Return R (dim, dim) such that R R' is the covariance of centered samples (N, dim)."""
    root = np.linalg.qr(centered, mode="r") / np.sqrt(len(centered) - 1)
    return np.pad(root, ((0, root.shape[1] - len(root)), (0, 0))).T


def density_and_coverage(real: Any, generated: Any, *, k: int = 5) -> tuple[float, float]:
    """Density and coverage of generated features (Naeem et al. 2020, arXiv 2002.09797).

    Equations 6 and 7. Each real sample is the center of a ball that reaches to its k-th nearest
    real neighbor. Density is the number of balls around a generated sample, divided by k: about 1
    for equal distributions, more for samples in dense regions only. Coverage is the fraction of
    balls with a generated sample inside: for equal distributions and numbers about 1 - (1/2)^k.
    The features are (N, dim) and (M, dim), with more than k distinct real rows (copies count once).
    """
    real, generated = _as_sets(real=real, generated=generated)
    r, g = torch.from_numpy(np.unique(real, axis=0)), torch.from_numpy(generated)
    k = check_integer("k", k, minimum=1, maximum=len(r) - 1)
    # The nearest is the sample itself. A distance that rounds to the radius is not inside.
    radii = squared_distances(r, r).kthvalue(k + 1, dim=1).values * (1 - 1e-9)
    inside = squared_distances(r, g) < radii[:, None]
    return float(inside.sum(dim=0).double().mean() / k), float(inside.any(dim=1).double().mean())


def spread_within_classes(features: Any, labels: Any) -> float:
    """Mean distance between two samples (N, dim) of one class, mean over the classes (N,)."""
    x = torch.from_numpy(as_samples("features", features))
    codes = as_labels("labels", labels)
    check_same_length(features=x, labels=codes)
    classes = [x[codes == code] for code in range(codes.max() + 1)]
    distances = [torch.pdist(rows).mean().item() for rows in classes if len(rows) > 1]
    if not distances:
        raise ValueError("labels: expected a class of two samples or more, got none")
    return float(np.mean(distances))


def distance_to_nearest(items: Any, memory: Any) -> float:
    """Mean Euclidean distance of items (N, ...) to their nearest neighbors in memory (M, ...)."""
    arrays = {"items": as_array("items", items), "memory": as_array("memory", memory)}
    _check_one_range(**{name: array.dtype for name, array in arrays.items()})
    arrays = {n: a.reshape(*a.shape[:1], -1) if a.size else a for n, a in arrays.items()}
    x, y = (torch.from_numpy(as_samples(n, a, minimum=1)) for n, a in arrays.items())
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"memory: expected {x.shape[1]} numbers per item, got {y.shape[1]}")
    nearest = [squared_distances(part, y).amin(dim=1).sqrt() for part in x.split(_ROWS)]
    return float(torch.cat(nearest).mean())


@dataclass(frozen=True)
class RealItems:
    """Real test items and a memory, as the reference for generated items.

    Attributes:
        classifier: trained on real training items.
        items, labels: real test items (N, ...), at least two of each class. Generated items are
            compared with a random half of them; the other half is row "real" of the table.
        memory: items (M, ...) that a generator could copy.
    """

    classifier: EvaluationClassifier
    items: Tensor
    labels: np.ndarray
    memory: Tensor

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", as_images("items", self.items))
        check_same_length(items=self.items, labels=self.labels)

    @property
    def halves(self) -> tuple[Tensor, Tensor]:
        """Row numbers of two random halves of the items, the same at each call.

        Each class is halved, so that class frequencies do not add to the distance of the halves.
        """
        order = random_generator(0, "halves").permutation(len(self.items))
        by_class = np.argsort(as_labels("labels", self.labels)[order], kind="stable")
        first, second = (order[np.sort(by_class[start::2])] for start in (0, 1))
        return torch.from_numpy(first), torch.from_numpy(second)

    def measure(self, items: Tensor, labels: Any) -> dict[str, float]:
        """Return all metrics of generated items (N, ...) with their requested classes (N,).

        Diversity and copy_distance are divided by those of the real test items: 1 is as diverse as
        these and as far from the memory, a copy has copy_distance 0.
        """
        features, real = map(self.classifier.features, (items, self.items[self.halves[1]]))
        density, coverage = density_and_coverage(real, features)
        spread = spread_within_classes(self.classifier.features(self.items), self.labels)
        distance = distance_to_nearest(self.items, self.memory)
        return {
            "coherence": self.classifier.coherence(items, labels),
            "frechet": frechet_distance(real, features),
            "density": density,
            "coverage": coverage,
            "diversity": spread_within_classes(features, labels) / spread,
            "copy_distance": distance_to_nearest(items, self.memory) / distance,
        }

    def consistency(self, samples: Tensor) -> dict[str, float]:
        """Return how seeds change generated items (queries, seeds, ...), and their classes.

        Agreement: fraction of the samples of a query with its most frequent class, mean over
        queries; 1 is best. Variety: mean distance between the samples of a query, divided by that
        between real items of one class. A generator that ignores its noise has variety 0.
        """
        if not isinstance(samples, Tensor) or samples.ndim < 3:
            got = type(samples).__name__
            raise TypeError(f"samples: expected a tensor (queries, seeds, ...), got {got}")
        count, seeds = samples.shape[:2]
        flat = samples.flatten(0, 1)
        predicted = self.classifier.classify(flat).reshape(count, seeds)
        agreement = [np.bincount(row).max() / seeds for row in predicted]
        query = np.repeat(np.arange(count), seeds)
        within = spread_within_classes(self.classifier.features(flat), query)
        whole = spread_within_classes(self.classifier.features(self.items), self.labels)
        return {"agreement": float(np.mean(agreement)), "variety": within / whole}


# Reconstruction: each item is compared with its reference. These metrics do not apply to generation
# from another modality, which has many correct outputs.


def ssim(made: Any, reference: Any) -> Tensor:
    """Structural similarity (SSIM) of images: (N,) in -1..1, best 1.

    Wang et al. (2004), doi 10.1109/TIP.2003.819861, with a Gaussian window of 1.5 pixels, computed
    by torchmetrics. The mean is over the places where the 11 x 11 window lies within the image, as
    in scikit-image; with the borders, which are black in digits, it would be far higher. Images
    (N, channels, height, width) are in 0..1, or uint8; ``made`` may leave the range.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    made, reference = _as_pair(made, reference, 4)
    if min(made.shape[2:]) <= 2 * _BORDER:
        got = tuple(made.shape)
        raise ValueError(f"made: expected a height and width of at least 11, got shape {got}")
    options: Any = {"data_range": 1.0, "reduction": "none", "return_full_image": True}
    parts = zip(made.split(_IMAGES), reference.split(_IMAGES), strict=True)
    found = [structural_similarity_index_measure(*pair, **options)[1] for pair in parts]
    places = torch.cat(found)[:, :, _BORDER:-_BORDER, _BORDER:-_BORDER]
    return places.mean(dim=(1, 2, 3)).float()


def psnr(made: Any, reference: Any) -> Tensor:
    """Peak signal-to-noise ratio 10 log10(1 / mean squared error) of images: (N,) in dB.

    Images as for `ssim`, of any size. Negative where the error exceeds the range; at best infinity.
    """
    made, reference = _as_pair(made, reference, 4)
    return -10 * ((made - reference) ** 2).mean(dim=(1, 2, 3)).log10().float()


def snr(made: Any, reference: Any) -> Tensor:
    """Signal-to-noise ratio of waveforms (N, samples): (N,) in dB, at best infinity.

    10 log10(energy of reference / energy of error). Negative for waveforms that sound equal but
    have other phases, such as those of Griffin-Lim.
    """
    made, reference = _as_pair(made, reference, 2, images=False)
    error = (made - reference).square().sum(dim=1)
    ratio = 10 * (reference.square().sum(dim=1) / error).log10()
    return ratio.masked_fill(error == 0, torch.inf).float()


def caption_match(made: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Return whether each text has the words of its reference in the same order: (N,) bool.

    Words are those of `encoders.Tokenizer`, without punctuation (also ' and - in a word) and case.
    """
    check_same_length(made=made, references=references)
    texts = {"made": made, "references": references}
    words = [[re.split("[ '’-]", " ".join(w)) for w in words_of(*given)] for given in texts.items()]
    return np.array([a == b for a, b in zip(*words, strict=True)], dtype=bool)


def _as_pair(
    made: Any, reference: Any, dimensions: int, *, images: bool = True
) -> tuple[Tensor, Tensor]:
    """Both as float64 tensors of one shape, without broadcasting, images for a range of 1."""
    given = {"made": made, "reference": reference}
    dtypes = [as_array(name, value).dtype for name, value in given.items()]
    a, b = (as_tensor(n, x, dtype=torch.float64, device="cpu") for n, x in given.items())
    shape, expected = tuple(a.shape), tuple(b.shape)
    if shape != expected:
        raise ValueError(f"made: expected the shape of reference, {expected}, got {shape}")
    if a.ndim != dimensions or 0 in shape:
        raise ValueError(f"made: expected {dimensions} dimensions, got shape {shape}")
    if not images:
        _check_one_range(made=dtypes[0], reference=dtypes[1])
        return a, b
    for name, dtype, values, excess in zip(given, dtypes, (a, b), (EXCESS, 1e-3), strict=True):
        low, high = values.min().item(), values.max().item()
        if high == 1 if dtype == np.uint8 else low < -excess or high > 1 + excess:
            wanted, got = "images in 0..1, or uint8 in 0..255", f"{low:g}..{high:g} of {dtype}"
            raise ValueError(f"{name}: expected {wanted}, got {got}")
    a, b = (x / 255 if dtype == np.uint8 else x for x, dtype in zip((a, b), dtypes, strict=True))
    return a, b


def _check_one_range(**dtypes: np.dtype) -> None:
    """Refuse integers, which have a range of their own, beside numbers of another type."""
    if len(set(dtypes.values())) > 1 and any(dtype.kind in "iu" for dtype in dtypes.values()):
        got = " and ".join(map(str, dtypes.values()))
        raise TypeError(f"{', '.join(dtypes)}: expected numbers in one range, got {got}")


def _as_sets(**sets: Any) -> list[np.ndarray]:
    """Two sets of samples by name, (N, dim) and (M, dim)."""
    a, b = (as_samples(name, value) for name, value in sets.items())
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"{list(sets)[1]}: expected {a.shape[1]} columns, got {b.shape[1]}")
    return [a, b]
