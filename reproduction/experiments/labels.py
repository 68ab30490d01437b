"""Labels as the second modality of an image; scenes of digits; a text that helps, or leaks."""

from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate, normalize

from reproduction.claims import Claim, Experiment, Setting
from reproduction.experiments.new_kinds import minimize, name_vectors
from simmim_lite import datasets
from simmim_lite.datasets import Emoji
from simmim_lite.encoders import AudioEncoder, ImageEncoder, seeded
from simmim_lite.multimodal import MultimodalInfoMax
from simmim_lite.training import load_trained

PAIRS = 256  # emoji of a batch
DESIGNS = ("noto", "twemoji")
ROUNDS = {"digits": 3, "emoji": 12}  # epochs of a classifier

_CLAIMS = (
    Claim(
        id="loss-difference",
        name="cross-entropy minus InfoNCE with all labels, minus the mean of -ln p(y), largest",
        truth="the same loss but for a constant: 0 nats",
        source="formula",
        unit="nats",
        at_most=1e-5,
        worst_at_most=1e-5,
        notebook="15",
        target=0.0,
    ),
    Claim(
        id="gradient-difference",
        name="largest difference of their gradients, as a part of the largest gradient",
        truth="the same gradient: 0",
        source="formula",
        at_most=1e-4,
        worst_at_most=1e-4,
        notebook="15",
        target=0.0,
    ),
    Claim(
        id="digits-accuracy",
        name="digits, trained with InfoNCE and all labels: accuracy, 1,000 held-out digits",
        truth="logistic regression on 200 principal components: 91.3 %",
        source="notebook 15, section 2",
        unit="%",
        at_least=0.965,
        notebook="15",
    ),
    Claim(
        id="digits-twin",
        name="the same minus the twin trained with cross-entropy, without sign",
        truth="the same training but for rounding: 0 points",
        source="formula",
        unit="points",
        at_most=0.01,
        worst_at_most=0.01,
        notebook="15",
        target=0.0,
    ),
    Claim(
        id="emoji-accuracy",
        name="emoji, trained with InfoNCE and all labels: category of 377 of new families",
        truth="logistic regression on 200 principal components: 59.7 %",
        source="notebook 15, section 2",
        unit="%",
        at_least=0.63,
        notebook="15",
    ),
    Claim(
        id="emoji-twin",
        name="the category minus the twin trained with cross-entropy, without sign",
        truth="the same training but for rounding: 0 points",
        source="formula",
        unit="points",
        at_most=0.03,
        worst_at_most=0.03,
        notebook="15",
        target=0.0,
    ),
    Claim(
        id="split-leaks",
        name="test emoji that share a family, a name or a picture with training",
        truth="a split without leaks: 0",
        source="definition of the split",
        at_most=0,
        worst_at_most=0,
        notebook="15",
        target=0,
    ),
    Claim(
        id="threshold-gain",
        name="mask IoU in scenes: features of the encoder of notebook 06 minus a threshold",
        truth="equal: 0 points",
        source="the same run",
        unit="points",
        at_least=0.0,
        notebook="15",
    ),
    Claim(
        id="room",
        name="mask IoU in scenes: the best component (chosen with the mask) minus a threshold",
        truth="upper bound of the row above",
        source="the same run",
        unit="points",
        notebook="15",
    ),
    Claim(
        id="infomax-gain",
        name="mask IoU in scenes: the trained encoder minus the untrained one",
        truth="equal: 0 points",
        source="the same run",
        unit="points",
        at_least=0.01,
        notebook="15",
    ),
    Claim(
        id="infomax-gain-of-pixels",
        name="the same if each bright pixel is classified alone, without components",
        truth="equal: 0 points",
        source="the same run",
        unit="points",
        at_least=0.08,
        worst_at_least=0.04,
        notebook="15",
    ),
    Claim(
        id="text-gain",
        name="category with 5 labels of each: picture and English name minus picture",
        truth="no use of the name: 0 points",
        source="the same run",
        unit="points",
        at_least=0.08,
        worst_at_least=0.04,
        notebook="15",
    ),
    Claim(
        id="leaking-caption",
        name="category with 5 labels of each: picture and a caption made from the true label",
        truth="a leak: 100 %",
        source="the caption contains the label",
        unit="%",
        at_least=1.0,
        notebook="15",
        target=1.0,
    ),
)


# --- labels: InfoNCE and its twin ----------------------------------------------------------


class LabelScores(nn.Module):
    """Scores f(x, y) of images and all labels: an encoder, and a vector of each label."""

    def __init__(self, channels: int, classes: int, seed: int):
        super().__init__()
        self.encoder = ImageEncoder(channels, width=8, seed=seed)
        with seeded(seed):
            self.labels = nn.Linear(128, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.labels(self.encoder(images))


def info_nce_of_labels(scores: Tensor, y: Tensor, p: Tensor) -> Tensor:
    """InfoNCE with all labels as candidates, each weighted by its probability."""
    return -(scores[torch.arange(len(y)), y] - torch.logsumexp(scores + p.log(), dim=1)).mean()


def cross_entropy_of_labels(scores: Tensor, y: Tensor, p: Tensor) -> Tensor:
    return cross_entropy(scores + p.log(), y)


def labeled_images(name: str) -> dict[str, tuple[Tensor, Tensor]]:
    """Images and labels of both splits of "digits" (the embedded ones) or "emoji"."""
    found = {}
    for split in ("train", "test"):
        if name == "digits":
            some = datasets.load_digits(split, full=False)
            images = some.images
        else:
            some = datasets.load_emoji(split)
            images = some.pictures()
        channels = images.shape[-1] if images.ndim == 4 else 1
        found[split] = ImageEncoder(channels).prepare(images), torch.from_numpy(some.labels)
    return found


def differences(images: Tensor, y: Tensor, seed: int) -> tuple[float, float]:
    """Largest differences of both losses (but for the constant) and of their gradients."""
    p = y.bincount() / len(y)
    network = LabelScores(images.shape[1], len(p), seed)
    scores = network(images[:256])
    losses = [loss(scores, y[:256], p) for loss in (info_nce_of_labels, cross_entropy_of_labels)]
    weights = list(network.parameters())
    ours, theirs = (torch.autograd.grad(loss, weights, retain_graph=True) for loss in losses)
    constant = -p.log()[y[:256]].mean()
    largest = max(gradient.abs().max() for gradient in ours)
    gap = max((a - b).abs().max() for a, b in zip(ours, theirs, strict=True))
    return abs(losses[1] - losses[0] - constant).item(), (gap / largest).item()


def label_accuracy(data: dict, loss_of: Callable, seed: int, epochs: int) -> float:
    images, y = data["train"]
    p = y.bincount() / len(y)
    network = LabelScores(images.shape[1], len(p), seed)
    generator = torch.Generator().manual_seed(seed)

    def loss() -> Tensor:
        rows = torch.randint(len(y), (64,), generator=generator)
        return loss_of(network(network.encoder.augment(images[rows], generator)), y[rows], p)

    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=0.05)
    steps = epochs * (len(y) // 64)
    minimize(loss, optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps), steps)
    network.eval()
    new_images, new_y = data["test"]
    with torch.no_grad():
        return ((network(new_images) + p.log()).argmax(dim=1) == new_y).float().mean().item()


# --- scenes --------------------------------------------------------------------------------


def box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Rows and columns (top, bottom, left, right) of the smallest box around true pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def scenes(images: np.ndarray, rows: np.ndarray, seed: int) -> tuple[Tensor, np.ndarray]:
    """Scenes (N, 1, 48, 48): a digit and 8 snippets of others; and the digits' masks."""
    rng = np.random.default_rng(seed)
    canvas, masks = np.zeros((len(rows), 48, 48)), np.zeros((len(rows), 48, 48), bool)
    for i, row in enumerate(rows):
        for other in rng.integers(len(images), size=8):
            (y, x), (a, b) = rng.integers(8, 13, 2), rng.integers(0, 41, 2)
            canvas[i, a : a + 8, b : b + 8] = images[other, y : y + 8, x : x + 8] / 255
        top, bottom, left, right = box(images[row] > 127)
        digit = images[row, top:bottom, left:right] / 255
        height, width = digit.shape
        a, b = rng.integers(0, 49 - height), rng.integers(0, 49 - width)
        place = canvas[i, a : a + height, b : b + width]
        np.maximum(place, digit, out=place)
        masks[i, a : a + height, b : b + width] = digit > 0.5
    return torch.from_numpy(canvas).float()[:, None], masks


def iou(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    return (some & others).sum(axis=(1, 2)) / (some | others).sum(axis=(1, 2))


def best_components(bright: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """In each scene the connected component with the largest sum of scores."""
    chosen = []
    for light, values in zip(bright, scores, strict=True):
        found, count = ndimage.label(light, np.ones((3, 3)))
        sums = ndimage.sum(values, found, np.arange(1, count + 1))
        chosen.append(found == 1 + np.argmax(sums))
    return np.stack(chosen)


def feature_maps(encoder: ImageEncoder, scenes: Tensor) -> Tensor:
    """Maps of the three convolutions (N, height, width, features)."""
    maps, x = [], scenes
    for number, layer in enumerate(encoder.network[:10]):
        x = layer(x)
        if number in (2, 5, 9):  # after each ReLU
            maps.append(interpolate(x, size=scenes.shape[2:], mode="bilinear"))
    return torch.cat(maps, dim=1).permute(0, 2, 3, 1)


def segmentation(seed: int) -> dict[str, float]:
    """Mean IoU of masks in 300 scenes of test digits, for a threshold and a probe of features."""
    digits = [datasets.load_digits(split, full=False).images for split in ("train", "test")]
    rows = np.random.default_rng(1).permutation(1000)[200:500]
    known_rows = np.random.default_rng(seed).permutation(4000)[:400]  # digits are sorted by class
    known, known_masks = scenes(digits[0], known_rows, seed)
    new, new_masks = scenes(digits[1], rows, seed + 2)
    bright, known_bright = (some[:, 0].numpy() > 0.5 for some in (new, known))
    images = ImageEncoder(turn=10, seed=0)
    speech = AudioEncoder(width=48, hidden=32, seed=0)
    model = MultimodalInfoMax({"image": images, "speech": speech}, temperature=1.0, seed=0)

    def chosen(scores: np.ndarray) -> float:
        return float(iou(best_components(bright, scores), new_masks).mean())

    @torch.no_grad()
    def probed() -> tuple[float, float]:
        images.eval()
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
        features = feature_maps(images, known)[torch.from_numpy(known_bright)].numpy()
        probe.fit(features[::2], known_masks[known_bright][::2])
        p = np.zeros(new_masks.shape)
        features = feature_maps(images, new)[torch.from_numpy(bright)].numpy()
        p[bright] = probe.predict_proba(features)[:, 1]
        return chosen(p), float(iou(p > 0.5, new_masks).mean())

    found = {"threshold": chosen(bright)}
    found["untrained"], found["untrained, pixels"] = probed()
    load_trained("06_model", model)
    found["infomax"], found["infomax, pixels"] = probed()
    best = [_best_component(*each) for each in zip(bright, new_masks, strict=True)]
    return found | {"best component": float(iou(np.stack(best), new_masks).mean())}


def _best_component(bright: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The component nearest to the mask, which it knows: an upper bound for all choices."""
    found, count = ndimage.label(bright, np.ones((3, 3)))
    options = np.stack([found == number for number in range(1, count + 1)])
    return options[np.argmax(iou(options, mask[None]))]


# --- text with few labels ------------------------------------------------------------------


def few_labels(
    emoji: dict[str, Emoji], texts: dict[str, Tensor], seed: int, count: int = 5
) -> dict[str, float]:
    """Accuracy of the category from ``count`` labels of each, five draws, by kind of features."""
    english = list(emoji["train"].names).index("en")
    prepare = ImageEncoder(3).prepare
    flat = {split: prepare(some.pictures()).flatten(1).numpy() for split, some in emoji.items()}
    reduce = make_pipeline(PCA(100, random_state=0), StandardScaler()).fit(flat["train"])
    pictures = {split: reduce.transform(each) / 10 for split, each in flat.items()}
    names = {split: 3 * normalize(each[english], dim=1).numpy() for split, each in texts.items()}
    captions = {
        split: [f"a picture of {some.categories[label]}" for label in some.labels]
        for split, some in emoji.items()
    }
    words = TfidfVectorizer().fit(captions["train"])
    leak = {split: 3 * words.transform(each).toarray() for split, each in captions.items()}
    y, new_y = emoji["train"].labels, emoji["test"].labels

    def accuracy(*features: dict[str, np.ndarray]) -> float:
        x, new_x = (np.hstack([each[split] for each in features]) for split in ("train", "test"))
        found = []
        for draw in range(5):
            rows = np.random.default_rng(5 * seed + draw).permutation(len(y))
            chosen = np.concatenate([rows[y[rows] == label][:count] for label in range(9)])
            model = LogisticRegression(C=1.0, max_iter=1000).fit(x[chosen], y[chosen])
            found.append(model.score(new_x, new_y))
        return float(np.mean(found))

    return {
        "picture": accuracy(pictures),
        "name": accuracy(names),
        "picture and name": accuracy(pictures, names),
        "picture and caption": accuracy(pictures, leak),
    }


# --- claims --------------------------------------------------------------------------------


def labels_and_text(setting: Setting) -> dict[str, float]:
    seed, found, gaps = setting.seed, {}, []
    for name, epochs in ROUNDS.items():
        data = labeled_images(name)
        gaps.append(differences(*data["train"], seed))
        losses = (info_nce_of_labels, cross_entropy_of_labels)
        ours, twin = (label_accuracy(data, loss, seed, epochs) for loss in losses)
        found |= {f"{name}-accuracy": ours, f"{name}-twin": abs(ours - twin)}
    found["loss-difference"], found["gradient-difference"] = np.max(gaps, axis=0)
    emoji = {split: datasets.load_emoji(split) for split in ("train", "test")}
    kinds = [
        {"family": some.families, "name": some.names["en"], "picture": some.pictures()}
        for some in emoji.values()
    ]
    found["split-leaks"] = sum(len(rows) for rows in datasets.find_leaks(*kinds).values())
    texts = name_vectors(emoji)
    masks, text = segmentation(seed), few_labels(emoji, texts, seed)
    return found | {
        "threshold-gain": masks["infomax"] - masks["threshold"],
        "room": masks["best component"] - masks["threshold"],
        "infomax-gain": masks["infomax"] - masks["untrained"],
        "infomax-gain-of-pixels": masks["infomax, pixels"] - masks["untrained, pixels"],
        "text-gain": text["picture and name"] - text["picture"],
        "leaking-caption": text["picture and caption"],
    }


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("labels", _CLAIMS, labels_and_text, seeds=3, full=False),
)
