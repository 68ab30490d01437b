"""Masked image modeling: an exact truth, digits, and what the representation is worth."""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reproduction.claims import Claim, Experiment, Setting
from simmim_lite import augment, datasets
from simmim_lite.encoders import ImageEncoder, seeded
from simmim_lite.ground_truth import GaussianField
from simmim_lite.masked import MaskedModel, masked_loss, patchify, random_masks, unpatchify
from simmim_lite.training import Batches, fit

SIZE = {"dim": 48, "depth": 3}  # of the model for digits, patches of 4 x 4 pixels
PHASES = (("l2", 400, "constant"), ("l1", 250, "cosine"))  # loss, steps, schedule
RATIO, TUNING = 0.6, 60  # part of hidden patches; steps of fine-tuning

_CLAIMS = (
    Claim(
        id="field-excess",
        name="squared error of hidden pixels above the smallest possible, Gaussian field 12 x 12",
        truth="Bayes' rule: 0 %",
        source="conditional mean in closed form",
        unit="%",
        at_most=0.035,
        worst_at_most=0.035,
        notebook="14",
        target=0.0,
    ),
    Claim(
        id="linear-excess",
        name="the same for one linear map for all masks",
        truth="Bayes' rule: 0 %",
        source="conditional mean in closed form",
        unit="%",
        at_least=0.08,
        notebook="14",
    ),
    Claim(
        id="leak",
        name="largest change of predictions if hidden pixels change",
        truth="no dependence: 0",
        source="definition of a mask",
        at_most=0.0,
        worst_at_most=0.0,
        notebook="14",
        target=0.0,
    ),
    Claim(
        id="digits-l1",
        name="absolute error of hidden pixels, 1,000 held-out digits",
        truth="best simple predictor (median of 20 neighbors): 0.0718",
        source="reproduction/results/masked.md",
        at_most=0.0700,
        worst_at_most=0.0700,
        notebook="14",
    ),
    Claim(
        id="digits-l2",
        name="squared error of hidden pixels, 1,000 held-out digits, the same model",
        truth="best linear predictor: 0.0331",
        source="reproduction/results/masked.md",
        at_most=0.032,
        worst_at_most=0.032,
        notebook="14",
    ),
    Claim(
        id="fine-tuning-gain",
        name="accuracy with 100 labels after 60 steps, pretrained minus untrained weights",
        truth="untrained weights: 0 points",
        source="the same run",
        unit="points",
        at_least=0.05,
        worst_at_least=0.02,
        notebook="14",
    ),
    Claim(
        id="convolution-gain",
        name="the same labels: small convolutional network minus the pretrained transformer",
        truth="equal: 0 points",
        source="the same run",
        unit="points",
        at_least=0.0,
        notebook="14",
    ),
)
_INFORMATION_CLAIMS = (
    Claim(
        id="pixelwise",
        name="lower bound on the sum of I(pixel; visible pixels), part of the exact value",
        truth="all of it: 100 %",
        source="covariances in closed form",
        unit="%",
        at_least=0.975,
        at_most=1.0,
        notebook="14",
        target=1.0,
    ),
    Claim(
        id="joint",
        name="lower bound on I(hidden; visible pixels) by the chain rule, part of the exact value",
        truth="all of it: 100 %",
        source="covariances in closed form",
        unit="%",
        at_least=0.955,
        at_most=1.0,
        notebook="14",
        target=1.0,
    ),
)


# --- the Gaussian random field -------------------------------------------------------------


def field_model(seed: int, steps: int = 800, **options: Any) -> MaskedModel:
    """Predictor of fields 12 x 12 from half of their patches of 2 x 2, on fresh samples."""
    fields = _tensor(GaussianField(12, 12).sample(64 * steps, seed=seed + 1))
    model = MaskedModel((1, 12, 12), 2, dim=32, depth=2, seed=seed)
    settings = {"ratio": 0.5, "loss": "l2", "steps": steps, "warmup": steps // 20, "seed": seed}
    model.fit(fields, **settings | {"progress": False} | options)
    return model


class LinearMap(nn.Module):
    """One linear map of visible pixels and mask to all pixels, for all masks."""

    def __init__(self, shape: tuple[int, int, int], patch: int):
        super().__init__()
        self.shape, self.patch, pixels = shape, patch, int(np.prod(shape))
        with seeded(0):
            self.layer = nn.Linear(2 * pixels, pixels)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        images, visible = batch["image"], ~batch["mask"]
        shown = unpatchify(visible[..., None].expand(-1, -1, self.patch**2), self.shape, self.patch)
        rows = torch.cat([(images * shown).flatten(1), shown.flatten(1).to(images)], dim=1)
        return patchify(self.layer(rows).view(images.shape), self.patch)

    def predict(self, images: Tensor, masks: Tensor) -> Tensor:
        with torch.no_grad():
            output = self({"image": images, "mask": masks})
        patches = torch.where(masks[..., None], output, patchify(images, self.patch))
        return unpatchify(patches, self.shape, self.patch)


def linear_field_model(steps: int = 1500) -> LinearMap:
    fields = _tensor(GaussianField(12, 12).sample(64 * 400, seed=1))
    model = LinearMap((1, 12, 12), 2)
    batches = Batches(fields, 128, transform=_half_hidden)
    loss = partial(masked_loss, patch=2, kind="l2")
    settings = {"optimizer": "adam", "learning_rate": 3e-3, "progress": False}
    fit(model, loss, batches, steps=steps, **settings)
    return model


def _half_hidden(images: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    return {"image": images, "mask": random_masks(len(images), (6, 6), 0.5, generator=generator)}


def excess(model: Any, *, masks: int = 40, fields: int = 200) -> float:
    """E (prediction - conditional mean)^2 of hidden pixels, in units of the smallest error.

    The squared error is the sum of both, so this is what could be saved, almost without noise.
    """
    field = GaussianField(12, 12)
    samples = field.sample(fields, seed=1_000)
    drawn = random_masks(masks, (6, 6), 0.5, generator=torch.Generator().manual_seed(99))
    above, smallest = [], []
    for mask in drawn:
        found = model.predict(_tensor(samples), mask.expand(fields, -1))[:, 0].double().numpy()
        hidden = np.kron(mask.view(6, 6).numpy(), np.ones((2, 2), bool))
        best = field.conditional_mean(samples, hidden)
        above.append(((found - best)[:, hidden] ** 2).mean())
        smallest.append(field.bayes_errors(hidden)[0])
    return float(np.mean(above) / np.mean(smallest))


def information(seed: int, steps: int = 1000) -> dict[str, float]:
    """Nats that a network finds in fields of 8 x 8 pixels, as parts of the exact values."""
    field = GaussianField(8, 8)
    model = MaskedModel((1, 8, 8), 1, dim=32, depth=2, head="gaussian", seed=seed)
    fields = _tensor(field.sample(64 * steps, seed=seed + 1))
    settings = {"ratio": (1 / 64, 1.0), "loss": "likelihood", "warmup": steps // 20, "seed": seed}
    model.fit(fields, steps=steps, progress=False, **settings)
    samples = field.sample(48, seed=1_000)
    drawn = random_masks(12, (8, 8), 0.5, generator=torch.Generator().manual_seed(9))
    rows = []
    for mask in drawn:
        hidden, masks = mask.view(8, 8).numpy(), mask.expand(48, -1)
        exact = field.log_density(samples, hidden)
        variances = np.diag(field.conditional(hidden)[1])
        residual = (samples - field.conditional_mean(samples, hidden))[:, hidden]
        alone = -0.5 * (residual**2 / variances + np.log(2 * np.pi * variances)).sum(axis=1)
        joint, pixelwise = field.mutual_information(hidden), field.pixelwise_information(hidden)
        product = model.log_likelihood(_tensor(samples), masks).numpy()
        chain = model.chain_log_likelihood(_tensor(samples), masks).numpy()
        rows.append(
            {
                "pixelwise, exact": pixelwise,
                "pixelwise": pixelwise - np.mean(alone - product),
                "joint, exact": joint,
                "joint": joint - np.mean(exact - chain),
                "product, best": joint - field.total_correlation(hidden, given_visible=True),
                "product": joint - np.mean(exact - product),
            }
        )
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


# --- digits --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Digits:
    """Images (N, 1, 28, 28) in 0..1 with labels; the test images have one fixed mask each."""

    images: Tensor
    labels: np.ndarray
    test_images: Tensor
    test_labels: np.ndarray

    @cached_property
    def masks(self) -> Tensor:
        generator = torch.Generator().manual_seed(5)
        return random_masks(len(self.test_images), (7, 7), RATIO, generator=generator)

    def errors(self, filled: Tensor) -> tuple[float, float]:
        """Mean absolute and squared error of hidden pixels of the test images."""
        difference = patchify(filled - self.test_images, 4)[self.masks]
        return difference.abs().mean().item(), difference.square().mean().item()

    def few(self, seed: int) -> np.ndarray:
        """Rows of 100 training images, ten of each class."""
        generator = np.random.default_rng(seed)
        rows = [generator.permutation(np.flatnonzero(self.labels == c))[:10] for c in range(10)]
        return np.concatenate(rows)


def load_digits(*, validation: bool = False) -> Digits:
    """The embedded digits; with ``validation``, 500 training images are the test images."""
    train, test = (datasets.load_digits(split, full=False) for split in ("train", "test"))
    images, labels = _tensor(train.images / 255), train.labels
    if not validation:
        return Digits(images, labels, _tensor(test.images / 255), test.labels)
    order = np.random.default_rng(0).permutation(len(labels))
    rest, chosen = order[500:], order[:500]
    return Digits(images[rest], labels[rest], images[chosen], labels[chosen])


def pretrained(digits: Digits, seed: int, phases: Any = PHASES, **options: Any) -> MaskedModel:
    """A model of hidden pixels; ``options`` of the model or of its training."""
    of_model = {k: options.pop(k) for k in ("dim", "depth", "hide", "head") if k in options}
    model = MaskedModel((1, 28, 28), 4, **SIZE | of_model, seed=seed)
    for number, (loss, steps, schedule) in enumerate(phases):
        settings = {"loss": loss, "steps": steps, "schedule": schedule, "seed": seed + 100 * number}
        settings |= {"ratio": RATIO, "warmup": 20 * (number == 0), "progress": False}
        model.fit(digits.images, **settings | options)
    return model


class Classifier(nn.Module):
    """Mean token of a masked model, without masks, and a linear layer."""

    def __init__(self, model: MaskedModel):
        super().__init__()
        self.model = model
        with seeded(0):
            self.layer = nn.Linear(model.dim, 10)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.layer(self.model.encode(batch["image"]).mean(dim=1))


class ConvolutionalClassifier(nn.Module):
    """The kit's small convolutional encoder, and a linear layer."""

    def __init__(self, seed: int):
        super().__init__()
        self.model = ImageEncoder(seed=seed)
        with seeded(0):
            self.layer = nn.Linear(self.model.dim, 10)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.layer(self.model(batch["image"]))


def _shifted(batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    return batch | {"image": augment.random_crop(batch["image"], generator, padding=2)}


def cross_entropy(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    return nn.functional.cross_entropy(logits, batch["label"])


def tuned_accuracy(
    network: nn.Module, digits: Digits, seed: int, *, steps: int = TUNING, **options: Any
) -> float:
    """Test accuracy after training all weights on 100 labeled images, shifted by up to 2 pixels."""
    rows = digits.few(seed)
    data = {"image": digits.images[rows], "label": torch.from_numpy(digits.labels[rows])}
    batches = Batches(data, 50, seed=seed, transform=_shifted)
    settings = {"optimizer": "muon", "learning_rate": 0.02, "warmup": 10, "seed": seed}
    fit(network, cross_entropy, batches, steps=steps, **settings | {"progress": False} | options)
    with torch.no_grad():
        logits = [network({"image": part}) for part in digits.test_images.split(250)]
    return float(np.mean(torch.cat(logits).argmax(dim=1).numpy() == digits.test_labels))


def leak(model: MaskedModel, images: Tensor, masks: Tensor) -> float:
    """Largest change of the predictions if all hidden pixels are inverted."""
    patches = patchify(images, model.patch)
    inverted = torch.where(masks[..., None], 1 - patches, patches)
    others = unpatchify(inverted, model.shape, model.patch)
    with torch.no_grad():
        found = [model({"image": x, "mask": masks}) for x in (images, others)]
    return (found[0] - found[1]).abs().max().item()


def _tensor(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images).float()[:, None]


# --- claims --------------------------------------------------------------------------------


def fields_and_digits(setting: Setting) -> dict[str, float]:
    seed, digits = setting.seed, load_digits()
    model = pretrained(digits, seed)
    l1, l2 = digits.errors(model.predict(digits.test_images, digits.masks))
    found = {
        "field-excess": excess(field_model(seed)),
        "linear-excess": excess(linear_field_model()),
        "leak": leak(model, digits.test_images[:100], digits.masks[:100]),
        "digits-l1": l1,
        "digits-l2": l2,
    }
    untrained = MaskedModel((1, 28, 28), 4, **SIZE, seed=seed)
    tuned, scratch = (tuned_accuracy(Classifier(m), digits, seed) for m in (model, untrained))
    convolutional = tuned_accuracy(
        ConvolutionalClassifier(seed), digits, seed, optimizer="adamw", learning_rate=2e-3
    )
    return found | {
        "fine-tuning-gain": tuned - scratch,
        "convolution-gain": convolutional - tuned,
    }


def nats_of_fields(setting: Setting) -> dict[str, float]:
    found = information(setting.seed)
    return {name: found[name] / found[f"{name}, exact"] for name in ("pixelwise", "joint")}


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("masked", _CLAIMS, fields_and_digits, seeds=4, full=False),
    Experiment("masked-information", _INFORMATION_CLAIMS, nats_of_fields, seeds=3, full=False),
)
