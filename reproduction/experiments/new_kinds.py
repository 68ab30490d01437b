"""Pictures of new kinds of things: their names, and the same things in another design."""

from collections.abc import Callable

import numpy as np
import torch
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from reproduction.claims import Claim, Experiment, Setting
from simmim_lite import datasets
from simmim_lite.datasets import Emoji
from simmim_lite.encoders import ImageEncoder, seeded
from simmim_lite.evaluation import Interval, seed_interval

PAIRS = 256  # emoji of a batch
DESIGNS = ("noto", "twemoji")

_CLAIMS = (
    Claim(
        id="name-recall-1",
        name="recall@1 of the name of a picture of a new kind, 377 names",
        truth="chance level: 0.3 %; ridge regression on pixels: 3.7 %",
        source="notebook 15, section 3",
        unit="%",
        at_least=0.15,
        notebook="15",
    ),
    Claim(
        id="name-recall-10",
        name="recall@10 of the name of a picture of a new kind, 377 names",
        truth="chance level: 2.7 %; ridge regression on pixels: 21.5 %",
        source="notebook 15, section 3",
        unit="%",
        at_least=0.28,
        notebook="15",
    ),
    Claim(
        id="design-recall-1",
        name="recall@1 of the same emoji in another design, new kinds",
        truth="chance level: 0.3 %; centered pixels: 46.2 %",
        source="notebook 15, section 4",
        unit="%",
        at_least=0.70,
        notebook="15",
    ),
    Claim(
        id="design-recall-1-of-three",
        name="the same with three encoders together, whitened, scores corrected for hubs",
        truth="centered pixels with the same correction: 56.5 %",
        source="the same run",
        unit="%",
        at_least=0.70,
        notebook="15",
    ),
    Claim(
        id="design-recall-1-of-pixels",
        name="recall@1 in another design from centered pixels, scores corrected for hubs",
        truth="chance level: 0.3 %",
        source="the number of candidates",
        unit="%",
        notebook="15",
    ),
)


def name_vectors(emoji: dict[str, Emoji]) -> dict[str, Tensor]:
    """Vectors (languages, N, 300) of names: TF-IDF of characters, fitted to training names."""
    names = {split: list(some.names.values()) for split, some in emoji.items()}
    counts = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), min_df=2, sublinear_tf=True)
    counts.fit(np.concatenate(names["train"]))
    sparse = {split: [counts.transform(some) for some in names[split]] for split in names}
    reduce = TruncatedSVD(300, n_iter=3, random_state=0)
    reduce.fit(sum(sparse["train"]) / len(sparse["train"]))
    vectors = {
        split: torch.from_numpy(np.stack([reduce.transform(some) for some in parts])).float()
        for split, parts in sparse.items()
    }
    center = vectors["train"].mean(dim=(0, 1))
    size = vectors["train"].mean(dim=0).norm(dim=1).mean()
    return {split: (each - center) / size for split, each in vectors.items()}


def minimize(loss: Callable, optimizer, schedule, steps: int) -> None:
    for _ in range(steps):
        value = loss()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()


def symmetric_info_nce(a: Tensor, b: Tensor, log_temperature: Tensor) -> Tensor:
    scores = normalize(a, dim=1) @ normalize(b, dim=1).T / log_temperature.exp()
    positive = torch.arange(len(a))
    return (cross_entropy(scores, positive) + cross_entropy(scores.T, positive)) / 2


def _maximize(parts: nn.Module, loss_of: Callable, count: int, seed: int, epochs: int) -> None:
    """AdamW; ``loss_of(rows, log_temperature, generator)`` is the loss of a batch."""
    log_temperature = nn.Parameter(torch.tensor(0.07).log())
    weights = [*parts.parameters(), log_temperature]
    optimizer = torch.optim.AdamW(weights, lr=4e-3, weight_decay=0.05)
    steps = epochs * (count // PAIRS)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)

    def loss() -> Tensor:
        rows = torch.randperm(count, generator=generator)[:PAIRS]
        return loss_of(rows, log_temperature, generator)

    minimize(loss, optimizer, schedule, steps)
    parts.eval()


def encoder_of_designs(pictures: dict[str, Tensor], seed: int, epochs: int = 40) -> ImageEncoder:
    """Encoder trained with pairs of the two designs, without names and categories."""
    encoder = ImageEncoder(3, 256, turn=10, seed=seed)

    def loss(rows: Tensor, log_temperature: Tensor, generator: torch.Generator) -> Tensor:
        images = torch.cat([pictures[design][rows] for design in DESIGNS])
        images = encoder.augment(images, generator)
        mirror = torch.rand(len(images), generator=generator) < 0.5
        images[mirror] = images[mirror].flip(3)
        colors = 1 + 0.4 * (torch.rand(len(images), 3, 1, 1, generator=generator) - 0.5)
        h = encoder((images * colors).clamp(0, 1))
        return symmetric_info_nce(h[:PAIRS], h[PAIRS:], log_temperature)

    _maximize(encoder, loss, len(pictures["noto"]), seed, epochs)
    return encoder


@torch.no_grad()
def described(encoder: ImageEncoder, images: Tensor) -> Tensor:
    """Vectors h, averaged over three places and two mirror images."""
    views = [images.roll((i, i), (2, 3)) for i in (-1, 0, 1)]
    return sum(encoder(view) + encoder(view.flip(3)) for view in views) / 6


def map_to_names(h: dict[str, Tensor], texts: Tensor, seed: int, epochs: int = 40) -> nn.Module:
    """A linear layer from h of each design to the vectors of names."""
    with seeded(seed):
        head = nn.Sequential(nn.BatchNorm1d(256), nn.Linear(256, 300))

    def loss(rows: Tensor, log_temperature: Tensor, generator: torch.Generator) -> Tensor:
        weights = torch.rand(len(texts), PAIRS, 1, generator=generator) ** 4 + 0.01
        names = (texts[:, rows] * weights / weights.sum(dim=0)).sum(dim=0)
        keep = torch.rand(PAIRS, 256, generator=generator) > 0.3
        parts = [
            symmetric_info_nce(head(h[design][rows] * keep), names, log_temperature)
            for design in DESIGNS
        ]
        return sum(parts) / 2

    _maximize(head, loss, texts.shape[1], seed, epochs)
    return head


def rate(scores: Tensor, k: int) -> float:
    """Fraction of queries whose own candidate is among the k with the highest scores."""
    return ((scores >= scores.diagonal()[:, None]).sum(dim=1) <= k).float().mean().item()


def centered(rows: Tensor) -> Tensor:
    return rows - rows.mean(dim=0)


def without_hubs(scores: Tensor, k: int = 3) -> Tensor:
    """Scores minus the mean of the k best ones of the query and of the candidate (CSLS).

    A hub, a candidate that is near to many queries, gets lower scores. All queries must be known.
    """
    return 2 * scores - _best(scores, k, 1) - _best(scores, k, 0)


def _best(scores: Tensor, k: int, dim: int) -> Tensor:
    return scores.topk(k, dim=dim).values.mean(dim=dim, keepdim=True)


def whitening(first: Tensor, second: Tensor, ridge: float = 1.0) -> Tensor:
    """Matrix after which the differences of training pairs have the same size everywhere."""
    differences = first - second
    covariance = differences.T @ differences / len(differences)
    added = ridge * covariance.diagonal().mean() * torch.eye(len(covariance))
    values, vectors = torch.linalg.eigh(covariance + added)
    return vectors / values.sqrt()


def cosines(first: Tensor, second: Tensor) -> Tensor:
    return normalize(centered(first), dim=1) @ normalize(centered(second), dim=1).T


def names_and_designs(encoders: int = 3) -> dict[str, list[float]]:
    """Recall of names and of the other design, on new families: of each encoder, and together.

    Three encoders, whitening and ``k`` of the correction were chosen on validation families.
    """
    emoji = {split: datasets.load_emoji(split) for split in ("train", "test")}
    texts = name_vectors(emoji)
    names = texts["test"].mean(dim=0)
    prepare = ImageEncoder(3).prepare
    pictures = {
        split: {design: prepare(some.pictures(design)) for design in DESIGNS}
        for split, some in emoji.items()
    }
    flat = [pictures["test"][design].flatten(1) for design in DESIGNS]
    corrected = without_hubs(cosines(*flat))
    found = {"name-recall-1": [], "name-recall-10": [], "design-recall-1": []}
    found["design-recall-1-of-pixels"] = [rate(corrected, 1)]
    parts = {split: {design: [] for design in DESIGNS} for split in emoji}
    for seed in range(encoders):
        encoder = encoder_of_designs(pictures["train"], seed)
        h = {
            split: {design: described(encoder, images) for design, images in some.items()}
            for split, some in pictures.items()
        }
        head = map_to_names(h["train"], texts["train"], seed)
        with torch.no_grad():
            z = head(h["test"]["noto"])
        scores = normalize(z, dim=1) @ normalize(names, dim=1).T
        found["name-recall-1"].append(rate(scores, 1))
        found["name-recall-10"].append(rate(scores, 10))
        found["design-recall-1"].append(rate(cosines(*h["test"].values()), 1))
        for split, some in h.items():
            for design, rows in some.items():
                parts[split][design].append(normalize(centered(rows), dim=1))
    both = {s: [torch.cat(each, dim=1) for each in some.values()] for s, some in parts.items()}
    white = whitening(*both["train"])
    scores = without_hubs(cosines(*(rows @ white for rows in both["test"])))
    return found | {"design-recall-1-of-three": [rate(scores, 1)]}


def new_kinds(_setting: Setting) -> dict[str, float | Interval]:
    found = names_and_designs()
    return {
        claim: seed_interval(values) if len(values) > 1 else values[0]
        for claim, values in found.items()
    }


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("labels-new-kinds", _CLAIMS, new_kinds, full=False),  # trains three encoders
)
