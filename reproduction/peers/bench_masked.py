"""Masked image modeling: ours beside lightly's SimMIM and MAE, simple predictors, and ablations.

    python -m reproduction.peers.bench_masked                      # all parts, three seeds
    python -m reproduction.peers.bench_masked peers --seeds 1      # one part

Parts: "field" and "information" (Gaussian random fields, whose conditional distributions are
known), "predictors" (hidden pixels of digits, from a constant to a network), "peers" (lightly with
the same size, images, masks, loss and number of steps), "ablation" (one setting changed at a time),
"labels" (fine-tuning on 100 labels, beside other networks and features), "word" (images of digits
with a spoken word in view). Images are the embedded digits; settings were chosen on 500 of the
training images, and the 1,000 test images were used once. One thread; CPU seconds. ``pip install
lightly timm`` is needed for the peers.
"""

import argparse
import copy
import time
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.ndimage import distance_transform_edt
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional as F

from reproduction.experiments import masked as recipes
from reproduction.experiments.masked import Classifier, Digits
from reproduction.experiments.masked_peers import STEPS, lightly_model
from simmim_lite import datasets
from simmim_lite.encoders import AudioEncoder, seeded
from simmim_lite.manifold import ManifoldInfoMax
from simmim_lite.masked import (
    MaskedModel,
    head_log_density,
    masked_loss,
    patchify,
    random_masks,
)
from simmim_lite.training import Batches, fit

Row = dict[str, Any]
L2 = (("l2", STEPS, "constant"),)  # for all models of the part "peers"


def average_distance(masks: Tensor, grid: tuple[int, int], patch: int) -> float:
    """Mean distance of hidden pixels to the nearest visible pixel, in pixels: AvgDist.

    Xie et al. (2022), section 4.1.2; masks (N, rows columns) of bool, each with a visible patch.
    """
    distances = []
    for mask in masks.view(-1, *grid).numpy():
        pixels = np.kron(mask, np.ones((patch, patch), bool))
        assert not pixels.all(), "no patch is visible"
        distances.append(distance_transform_edt(pixels)[pixels])
    return float(np.concatenate(distances).mean())


def timed(call: Any) -> tuple[Any, float]:
    start = time.process_time()
    return call(), time.process_time() - start


# --- Gaussian random fields ----------------------------------------------------------------


def field(seeds: int) -> list[Row]:
    model, seconds = timed(recipes.linear_field_model)
    rows = [{"predictor": "one linear map", "seed": 0, "excess": recipes.excess(model)}]
    rows[0]["CPU s"] = seconds
    settings = {"ours": {}, "ours, AdamW": {"optimizer": "adamw", "learning_rate": 5e-3}}
    for seed in range(seeds + 1):
        for name, options in settings.items():
            model, seconds = timed(partial(recipes.field_model, seed, **options))
            row = {"predictor": name, "seed": seed, "excess": recipes.excess(model)}
            rows.append(row | {"CPU s": seconds})
    return rows


def information(seeds: int) -> list[Row]:
    return [{"seed": seed} | recipes.information(seed) for seed in range(seeds)]


# --- hidden pixels of digits ---------------------------------------------------------------


def predictors(seeds: int) -> list[Row]:
    digits = recipes.load_digits()
    rows = [
        {"predictor": name, "seed": 0} | _errors(digits, filled)
        for name, filled in simple_predictions(digits).items()
    ]
    phases = {
        "ours, L1": (("l1", 650, "cosine"),),
        "ours, L2": (("l2", 650, "cosine"),),
        "ours, L2 then L1": recipes.PHASES,
    }
    for seed in range(seeds):
        for name, stages in phases.items():
            model, seconds = timed(partial(recipes.pretrained, digits, seed, stages))
            row = {"predictor": name, "seed": seed} | _errors(digits, _filled(model, digits))
            rows.append(row | {"CPU s": seconds})
    return rows


def simple_predictions(digits: Digits) -> dict[str, Tensor]:
    """Test images whose hidden pixels a simple rule fills."""
    train, test = digits.images.flatten(1), digits.test_images.flatten(1)
    hidden = recipes.unpatchify(digits.masks[..., None].expand(-1, -1, 16), (1, 28, 28), 4).flatten(
        1
    )
    found = {"black": torch.zeros_like(test), "mean image": train.mean(dim=0).expand_as(test)}
    found["median image"] = train.median(dim=0).values.expand_as(test)
    mean, covariance = train.mean(dim=0), torch.cov(train.T) + 0.01 * torch.eye(784)
    linear, nearest = torch.zeros_like(test), torch.zeros_like(test)
    for row, mask in enumerate(hidden):
        shown = ~mask
        across = covariance[mask][:, shown]
        solved = torch.linalg.solve(covariance[shown][:, shown], test[row, shown] - mean[shown])
        linear[row, mask] = (mean[mask] + across @ solved).clamp(0, 1)
        distance = (train[:, shown] - test[row, shown]).square().sum(dim=1)
        closest = train[distance.topk(20, largest=False).indices][:, mask]
        nearest[row, mask] = closest.sort(dim=0).values[9:11].mean(dim=0)
    found |= {"best linear (Gaussian conditional mean)": linear, "median of 20 neighbors": nearest}
    return {name: torch.where(hidden, x, test).view(-1, 1, 28, 28) for name, x in found.items()}


def _filled(model: MaskedModel, digits: Digits) -> Tensor:
    return model.predict(digits.test_images, digits.masks)


def _errors(digits: Digits, filled: Tensor) -> Row:
    return dict(zip(("L1", "L2"), digits.errors(filled), strict=True))


def ridge_accuracy(features: Any, digits: Digits) -> float:
    """Test accuracy of a ridge classifier of all labels, on standardized features."""
    train, test = features(digits.images), features(digits.test_images)
    scaler = StandardScaler().fit(train)
    probe = RidgeClassifier(10.0).fit(scaler.transform(train), digits.labels)
    return float(probe.score(scaler.transform(test), digits.test_labels))


# --- peers ---------------------------------------------------------------------------------


def peers(seeds: int) -> list[Row]:
    digits, size = recipes.load_digits(), {"dim": 64, "depth": 3}
    adamw = {"optimizer": "adamw"}
    makers = {
        "lightly SimMIM, AdamW 3e-3": lambda s: lightly_model(digits, s, "simmim", 3e-3),
        "lightly SimMIM, AdamW 8e-3": lambda s: lightly_model(digits, s, "simmim", 8e-3),
        "lightly MAE, AdamW 3e-3": lambda s: lightly_model(digits, s, "mae", 3e-3),
        "ours, AdamW 3e-3": lambda s: recipes.pretrained(
            digits, s, L2, **size, **adamw, learning_rate=3e-3
        ),
        "ours, AdamW 8e-3": lambda s: recipes.pretrained(
            digits, s, L2, **size, **adamw, learning_rate=8e-3
        ),
        "ours, Muon": lambda s: recipes.pretrained(digits, s, L2, **size),
        "ours, Muon, dropped tokens": lambda s: recipes.pretrained(
            digits, s, L2, **size, hide="drop"
        ),
    }
    rows = []
    for seed in range(seeds):
        for name, make in makers.items():
            model, seconds = timed(partial(make, seed))
            row = {"model": name, "seed": seed, "steps per CPU s": STEPS / seconds}
            row |= _errors(digits, model.predict(digits.test_images, digits.masks))
            row["ridge"] = ridge_accuracy(model.features, digits)
            row["100 labels"] = recipes.tuned_accuracy(Classifier(model), digits, seed)
            rows.append(row)
            print(row, flush=True)
    return rows


# --- ablations and labels ------------------------------------------------------------------

SHORT = (("l2", 300, "constant"),)
SETTINGS: dict[str, Row] = {
    "base: random, 0.6, unit 1, hidden only, L2": {},
    "ratio 0.3": {"ratio": 0.3},
    "ratio 0.85": {"ratio": 0.85},
    "unit 2": {"unit": 2},
    "square": {"kind": "square"},
    "block-wise": {"kind": "block"},
    "loss of all pixels": {"hidden_only": False},
    "L1": {"phases": (("l1", 300, "constant"),)},
    "bins": {"head": "bins", "phases": (("likelihood", 300, "constant"),)},
    "dropped tokens, 0.75": {"hide": "drop", "ratio": 0.75},
    "AdamW 5e-3": {"optimizer": "adamw", "learning_rate": 5e-3},
    "untrained": {"phases": ()},
}


def ablation(seeds: int) -> list[Row]:
    digits, rows = recipes.load_digits(), []
    for seed in range(seeds):
        for name, changed in SETTINGS.items():
            options = {"phases": SHORT, "dim": 48, "depth": 2} | changed
            model = recipes.pretrained(digits, seed, **options)
            how = {key: changed[key] for key in ("kind", "unit") if key in changed}
            masks = random_masks(
                500, (7, 7), changed.get("ratio", 0.6), **how, generator=torch.Generator()
            )
            row = {"setting": name, "seed": seed, "AvgDist": average_distance(masks, (7, 7), 4)}
            row["ridge"] = ridge_accuracy(model.features, digits)
            row["100 labels"] = recipes.tuned_accuracy(Classifier(model), digits, seed)
            rows.append(row)
            print(row, flush=True)
    return rows


def labels(seeds: int) -> list[Row]:
    """Accuracy with 100 labels: pretrained, from scratch (equal steps, equal total), others."""
    digits, rows = recipes.load_digits(), []
    pixels = digits.images.flatten(1).numpy()
    pretraining = sum(steps for _, steps, _ in recipes.PHASES)
    manifold = ManifoldInfoMax(10, augment="image", max_iter=400, random_state=0).fit(255 * pixels)

    def infomax(images: Tensor) -> np.ndarray:
        with torch.no_grad():
            return manifold.network_[:-1](images).numpy()

    for seed in range(seeds):
        model = recipes.pretrained(digits, seed)
        fresh = MaskedModel((1, 28, 28), 4, **recipes.SIZE, seed=seed)
        weights = {"pretrained": model, "from scratch": fresh}
        trials = [("pretrained", 60), ("pretrained", 150)]
        trials += [("from scratch", steps) for steps in (60, 150, 60 + pretraining)]
        few = digits.few(seed)
        for name, features in {
            "pretrained": model.features,
            "untrained": fresh.features,
            "infomax without labels": infomax,
            "pixels": lambda images: images.flatten(1).numpy(),
        }.items():
            scaler = StandardScaler().fit(features(digits.images))
            train, test = (
                scaler.transform(features(images))
                for images in (digits.images[few], digits.test_images)
            )
            probe = LogisticRegression(C=0.1, max_iter=2000).fit(train, digits.labels[few])
            accuracy = float(probe.score(test, digits.test_labels))
            ridge = ridge_accuracy(features, digits)
            row = {"network": f"features: {name}", "seed": seed, "100 labels": accuracy}
            rows.append(row | {"ridge, all labels": ridge})
        for name, steps in trials:
            network = Classifier(copy.deepcopy(weights[name]))
            accuracy = recipes.tuned_accuracy(network, digits, seed, steps=steps)
            row = {"network": f"tuned: {name}, {steps} steps", "seed": seed}
            rows.append(row | {"100 labels": accuracy})
        network = recipes.ConvolutionalClassifier(seed)
        adamw = {"optimizer": "adamw", "learning_rate": 2e-3, "steps": 150}
        accuracy = recipes.tuned_accuracy(network, digits, seed, **adamw)
        row = {"network": "tuned: small convolutional network, 150 steps", "seed": seed}
        rows.append(row | {"100 labels": accuracy})
        print(pd.DataFrame(rows).tail(8).to_string(), flush=True)
    return rows


# --- a spoken word in view -----------------------------------------------------------------


class Listening(nn.Module):
    """A masked model of black and white images; a recording adds one vector to all tokens."""

    def __init__(self, seed: int):
        super().__init__()
        self.seen = MaskedModel((1, 14, 14), 2, dim=64, depth=2, head="bernoulli", seed=seed)
        self.ear = AudioEncoder(width=32, hidden=32, seed=seed)
        with seeded(seed):
            self.projection = nn.Linear(self.ear.dim, 64)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        seen, hidden = self.seen, batch["mask"][..., None]
        heard = self.projection(self.ear(batch["speech"])) * batch["heard"][:, None]
        tokens = seen.embedding(patchify(batch["image"], 2))
        tokens = torch.where(hidden, seen.token, tokens) + seen.positions + heard[:, None]
        for block in seen.blocks:
            tokens = block(tokens, None)
        return seen.head(seen.norm(tokens))


def word(seeds: int) -> list[Row]:
    """Information of images of digits and spoken words, by masked likelihoods.

    Labels only make the pairs. The lower bound is ln 10 + E ln q(word | image), where q normalizes
    the likelihoods of an image under one recording of each of the ten words.
    """
    (images, spoken, labels, words), test = _images_and_words("train"), _images_and_words("test")
    frequency = np.stack([images[labels == c].mean(dim=(0, 1)).numpy() for c in range(10)])
    counted = _binary_entropy(frequency.mean(axis=0)) - _binary_entropy(frequency).mean(axis=0)
    rows = []
    for seed in range(seeds):
        model = Listening(seed)
        data = {"image": images, "label": torch.from_numpy(labels)}
        transform = partial(_with_words, spoken=spoken, words=words)
        batches = Batches(data, 64, seed=seed, transform=transform)
        loss = partial(masked_loss, patch=2, head="bernoulli", kind="likelihood")
        settings = {"optimizer": "muon", "learning_rate": 0.02, "warmup": 25, "steps": 600}
        fit(model, loss, batches, **settings, seed=seed, progress=False)
        row = {"seed": seed, "sum of I(pixel; class), counted": float(counted.sum())}
        rows.append(row | _word_bound(model, *test, seed=seed))
        print(rows[-1], flush=True)
    return rows


def _binary_entropy(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return -p * np.log(p) - (1 - p) * np.log(1 - p)


def _images_and_words(split: str) -> tuple[Tensor, Tensor, np.ndarray, np.ndarray]:
    digits = datasets.load_digits(split, full=False)
    speech = datasets.load_speech(split, full=False)
    gray = torch.from_numpy(digits.images).float()[:, None] / 255
    sounds = AudioEncoder(speech.rate).prepare(speech.waveforms)
    return (F.avg_pool2d(gray, 2) > 0.5).float(), sounds, digits.labels, speech.labels


def _with_words(
    batch: dict[str, Tensor], generator: torch.Generator, spoken: Tensor, words: np.ndarray
) -> dict[str, Tensor]:
    """Masks of one random ratio, and a recording of the digit, which half of the images hear."""
    seed = int(torch.randint(2**31, (), generator=generator))
    numbers, labels = np.random.default_rng(seed), batch["label"].numpy()
    chosen = [numbers.choice(np.flatnonzero(words == label)) for label in labels]
    ratio = float(torch.rand((), generator=generator))
    masks = random_masks(len(labels), (7, 7), ratio, generator=generator)
    heard = (torch.rand(len(labels), generator=generator) < 0.5).float()
    return {"image": batch["image"], "mask": masks, "speech": spoken[chosen], "heard": heard}


@torch.no_grad()
def _word_bound(
    model: Listening,
    images: Tensor,
    spoken: Tensor,
    labels: np.ndarray,
    words: np.ndarray,
    *,
    seed: int,
) -> Row:
    """The bound from 200 test images, pixels as independent ("product") or by the chain rule."""
    generator = np.random.default_rng(seed)
    rows = np.concatenate([np.flatnonzero(labels == c)[:20] for c in range(10)])
    x, target = images[rows], patchify(images[rows], 2)
    order = torch.rand(len(rows), 49, generator=torch.Generator().manual_seed(seed)).argsort(dim=1)
    product, chain = torch.zeros(len(rows), 11), torch.zeros(len(rows), 11)
    for c in range(11):  # the ten words, and silence
        recordings = generator.choice(np.flatnonzero(words == c % 10), len(rows))
        heard = torch.full((len(rows),), float(c < 10))
        batch = {"image": x, "speech": spoken[recordings], "heard": heard}
        hidden = torch.ones(len(rows), 49, dtype=torch.bool)
        for step in range(49):
            log_q = head_log_density(model(batch | {"mask": hidden}), target, "bernoulli")
            nats = log_q.sum(dim=2)
            product[:, c] += nats.sum(dim=1) * (step == 0)
            place = order[:, step : step + 1]
            chain[:, c] += nats.gather(1, place)[:, 0]
            hidden = hidden.scatter(1, place, False)
    found: Row = {}
    for name, scores in (("product", product), ("chain", chain)):
        log_q = scores[:, :10].log_softmax(dim=1)
        each, label = torch.arange(len(rows)), torch.from_numpy(labels[rows])
        own = log_q[each, label]
        found[f"no bound, {name}"] = float((scores[each, label] - scores[:, 10]).mean())
        found[f"bound, {name}"] = float(np.log(10) + own.mean())
        found[f"right word, {name}"] = float((log_q.argmax(dim=1).numpy() == labels[rows]).mean())
    return found


PARTS = {
    function.__name__: function
    for function in (field, information, predictors, peers, ablation, labels, word)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for part in options.parts or PARTS:
        table = pd.DataFrame(PARTS[part](options.seeds))
        print(f"\n## {part}\n\n{table.to_string(index=False, float_format='{:.4f}'.format)}")
        kinds = [c for c in table.columns if table[c].dtype == object]
        if kinds:
            means = table.drop(columns="seed").groupby(kinds[0], sort=False).agg(["mean", "std"])
            print(f"\n{means.to_string(float_format='{:.4f}'.format)}", flush=True)


if __name__ == "__main__":
    main()
