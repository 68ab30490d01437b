"""Is what was generated right, real, varied and new? Judges, distances, and one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from simmim_lite._arguments import as_samples, check_integer, check_same_length
from simmim_lite._random import random_generator, seeded
from simmim_lite.encoders import Encoder
from simmim_lite.training import Batches, History, fit

_ROWS = 1024  # at a time


class EvaluationClassifier(nn.Module):
    """A classifier of real items that says what a generated one shows.

    It must not have had a part in the generation: neither its weights nor its seed. Its own
    accuracy on real test items is the ceiling of what it can find, and belongs beside it.

    Args:
        encoder: untrained, `ImageEncoder` or `AudioEncoder`, of a seed of its own.
        classes: how many.
    """

    def __init__(self, encoder: Encoder, classes: int = 10, *, seed: int = 1000):
        super().__init__()
        self.encoder = encoder
        with seeded(seed):
            self.head = nn.Linear(encoder.dim, check_integer("classes", classes, minimum=2))
        self.eval()  # until it is fitted, and after

    def forward(self, batch: Any) -> Tensor:
        """A batch of prepared items, or a dict with them as "x" -> logits (N, classes)."""
        return self.head(self.encoder(batch["x"] if isinstance(batch, Mapping) else batch))

    def fit(
        self, items: Any, labels: Any, *, steps: int, batch_size: int = 128, **options: Any
    ) -> History:
        """Learn from real items in place, varied by the encoder's ``augment``."""
        x, y = self.encoder.prepare(items), torch.as_tensor(np.asarray(labels))

        def vary(batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
            return batch | {"x": self.encoder.augment(batch["x"], generator)}

        batches = Batches({"x": x, "y": y}, batch_size, transform=vary, seed=options.get("seed", 0))
        options = {"learning_rate": 3e-3, "warmup": steps // 20} | options
        return fit(self, lambda z, b: cross_entropy(z, b["y"]), batches, steps=steps, **options)

    @torch.no_grad()
    def features(self, items: Any) -> Tensor:
        """Output of the encoder: (N, dim), for distances, on the CPU."""
        parts = self.encoder.prepare(items).split(_ROWS)
        return torch.cat([self.encoder(part).cpu() for part in parts])

    @torch.no_grad()
    def classify(self, items: Any) -> np.ndarray:
        """The class that each item shows, (N,) int64."""
        parts = self.encoder.prepare(items).split(_ROWS)
        return torch.cat([self(part).argmax(dim=1).cpu() for part in parts]).numpy()

    def coherence(self, items: Any, labels: Any) -> float:
        """Share of the items that show the class asked for; of real items, its accuracy."""
        found = self.classify(items)
        check_same_length(items=found, labels=labels)
        return float((found == np.asarray(labels)).mean())


def frechet_distance(first: Any, second: Any) -> float:
    """Squared Frechet distance between normal distributions with the moments of two samples.

    |mean - mean'|^2 + tr(C + C' - 2 (C C')^(1/2)) (Dowson & Landau 1982). With the features of a
    judge this is a Frechet *classifier* distance; it is no FID, whose features are those of
    one network trained on ImageNet. Its floor, of two real samples, is above 0 and grows as they
    get smaller, so compare equal numbers of samples only.

    Args:
        first, second: (N, dim) and (M, dim) features.
    """
    a, b = as_samples("first", first), as_samples("second", second)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"second: expected {a.shape[1]} columns, got {b.shape[1]}")
    covariances = [np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b)]
    # Eigenvalues of a product of two positive semidefinite matrices are real and >= 0.
    roots = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(min=0))
    difference = a.mean(axis=0) - b.mean(axis=0)
    traces = sum(np.trace(c) for c in covariances)
    return float(difference @ difference + traces - 2 * roots.sum())


def density_and_coverage(real: Any, generated: Any, *, k: int = 5) -> tuple[float, float]:
    """Naeem et al. (2020, arXiv 2002.09797), eqs. 6 and 7, from features.

    Around each real sample lies a ball that reaches its k-th nearest real neighbor. Density: how
    many balls a generated sample lies in, over k; about 1 when the distributions are equal, more if
    the generated ones stay where real ones are dense. Coverage: the share of balls with a generated
    sample in them; 1 - (1/2)^k or so at best, for equal numbers.

    Args:
        real, generated: (N, dim), (M, dim).
    """
    r, g = (
        torch.from_numpy(as_samples(n, x)) for n, x in (("real", real), ("generated", generated))
    )
    if r.shape[1] != g.shape[1]:
        raise ValueError(f"generated: expected {r.shape[1]} columns, got {g.shape[1]}")
    k = check_integer("k", k, minimum=1, maximum=len(r) - 1)
    radii = torch.cdist(r, r).kthvalue(k + 1, dim=1).values  # the nearest is the sample itself
    inside = torch.cdist(r, g) < radii[:, None]
    return float(inside.sum(dim=0).double().mean() / k), float(inside.any(dim=1).double().mean())


def spread_within_classes(features: Any, labels: Any) -> float:
    """Mean distance between two samples of one class, mean over the classes."""
    x, labels = torch.from_numpy(as_samples("features", features)), np.asarray(labels)
    check_same_length(features=x, labels=labels)
    classes = [x[labels == label] for label in np.unique(labels)]
    distances = [torch.pdist(rows).mean().item() for rows in classes if len(rows) > 1]
    if not distances:
        raise ValueError("labels: expected a class of two samples or more, got none")
    return float(np.mean(distances))


def distance_to_nearest(items: Any, memory: Any) -> float:
    """Mean Euclidean distance from an item to the nearest one in memory, both (N, ...)."""
    x, y = (torch.as_tensor(np.asarray(v)).float().flatten(1) for v in (items, memory))
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"memory: expected {x.shape[1]} numbers an item, got {y.shape[1]}")
    nearest = [torch.cdist(part, y).amin(dim=1) for part in x.split(_ROWS)]
    return float(torch.cat(nearest).mean())


@dataclass(frozen=True)
class RealItems:
    """Real test items and a memory, that generated items are measured against.

    Attributes:
        judge: trained on real training items.
        items, labels: real test items (N, ...), two of each class or more. Generated ones are
            compared with a random half of them; the other half is row "real" of the table.
        memory: items (M, ...) that a generator could copy.
    """

    judge: EvaluationClassifier
    items: Tensor
    labels: np.ndarray
    memory: Tensor

    @property
    def halves(self) -> tuple[Tensor, Tensor]:
        """Numbers of the items of two random halves, always the same ones.

        Each class is halved, so that no distance between them is one of how frequent classes are.
        """
        order = random_generator(0, "halves").permutation(len(self.items))
        by_class = np.argsort(np.asarray(self.labels)[order], kind="stable")
        first, second = (order[np.sort(by_class[start::2])] for start in (0, 1))
        return torch.from_numpy(first), torch.from_numpy(second)

    def measure(self, items: Tensor, labels: Any) -> dict[str, float]:
        """coherence, frechet, density, coverage, diversity and copy_distance of generated items.

        Diversity and copy distance are divided by those of the real test items: 1 is as varied as
        they are, and as far from the memory; a copy has distance 0. Coherence is in 0..1, frechet
        and density in 0..infinity, coverage in 0..1, the ratios in 0..infinity.
        """
        features, real = self.judge.features(items), self.judge.features(self.items[self.halves[1]])
        density, coverage = density_and_coverage(real, features)
        everything = self.judge.features(self.items)
        diversity = spread_within_classes(features, labels)
        copy = distance_to_nearest(items, self.memory)
        return {
            "coherence": self.judge.coherence(items, labels),
            "frechet": frechet_distance(real, features),
            "density": density,
            "coverage": coverage,
            "diversity": diversity / spread_within_classes(everything, self.labels),
            "copy_distance": copy / distance_to_nearest(self.items, self.memory),
        }

    def consistency(self, samples: Tensor) -> dict[str, float]:
        """Whether seeds change the class, and what else they change.

        Args:
            samples: (queries, seeds, ...).

        Returns:
            agreement: the share of a query's samples that show its most frequent class, mean over
            queries; 1 at best. variety: how different a query's samples are, over real items of one
            class. A generator that always draws the same has agreement 1 and variety 0.
        """
        count, seeds = samples.shape[:2]
        flat = samples.flatten(0, 1)
        shown = self.judge.classify(flat).reshape(count, seeds)
        most = [np.bincount(row).max() / seeds for row in shown]
        query = np.repeat(np.arange(count), seeds)
        within = spread_within_classes(self.judge.features(flat), query)
        whole = spread_within_classes(self.judge.features(self.items), self.labels)
        return {"agreement": float(np.mean(most)), "variety": within / whole}


def generation_table(
    truth: RealItems, rows: Mapping[str, tuple[Tensor, Any]], *, retrieved: Tensor
) -> pd.DataFrame:
    """One row a generator, always beside what needs none.

    Added to the rows: "retrieval", one of the retrieved items itself; "pixel mean", the mean of
    all; "real", the other half of the real test items: its frechet is the floor.

    Args:
        truth: what to measure against.
        rows: name -> (items, labels asked for); "no memory" and "memory" among them.
        retrieved: (N, k, ...), for the queries of row "memory" what their memory returned, in
            random order.
    """
    missing = {"no memory", "memory"} - set(rows)
    if missing:
        raise ValueError(f"rows: expected {sorted(missing)} too, got {list(rows)}")
    labels = rows["memory"][1]
    check_same_length(retrieved=retrieved, labels=labels)
    controls = {
        "retrieval": (retrieved[:, 0], labels),
        "pixel mean": (retrieved.mean(dim=1), labels),
        "real": (truth.items[truth.halves[0]], truth.labels[truth.halves[0]]),
    }
    measured = {n: truth.measure(*row) for n, row in (dict(rows) | controls).items()}
    return pd.DataFrame(measured).T.rename_axis("row")


def coherence_table(
    generate: Callable[[Any, str, str], Any],
    judges: Mapping[str, Callable[[Any, np.ndarray], float]],
    queries: Mapping[str, Any],
    labels: np.ndarray,
) -> pd.DataFrame:
    """All directions between modalities: rows what is asked with, columns what is given.

    Args:
        generate: ``generate(queries, source, target)`` gives one sample for each query.
        judges: by target, the share of samples that show what was asked for.
        queries: by source, N items each.
        labels: (N,), asked for by the items of all sources.
    """
    return pd.DataFrame(
        {
            target: {
                source: judge(generate(items, source, target), labels)
                for source, items in queries.items()
            }
            for target, judge in judges.items()
        }
    )
