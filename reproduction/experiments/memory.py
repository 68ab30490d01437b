"""Memory: recall under noise, class precision across modalities, search at scale, and kills."""

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from reproduction.claims import Claim, Experiment, Setting
from reproduction.experiments.kill_tests import killed, two_writers
from reproduction.experiments.multimodal import embedder
from simmim_lite.datasets import MODALITIES, load_digits, load_speech, paired_digits
from simmim_lite.memory import (
    Exact,
    Faiss,
    HopfieldMemory,
    Index,
    Ram,
    SimulatedMemory,
    fingerprint,
)
from simmim_lite.multimodal import MultimodalInfoMax

DIM = 64
NOISE = 0.25  # standard deviation, of pixels in 0..1
_PART = 5_000  # queries at a time


def item_recall(images: Tensor, *, clipped: bool = False, seed: int = 0) -> float:
    """Recall@1 of images (N, pixels) whose noisy pixels are the query, a fraction."""
    memory = SimulatedMemory(1)
    ids = memory.write({"image": torch.ones(len(images), 1)}, instance={"image": images})
    generator, correct = torch.Generator().manual_seed(seed), 0
    for part in ids.split(_PART):
        noisy = images[part] + NOISE * torch.randn(images[part].shape, generator=generator)
        queries = noisy.clamp(0, 1) if clipped else noisy
        correct += int((memory.read(queries, "image", by="instance").ids[:, 0] == part).sum())
    return correct / len(ids)


def directions(model: MultimodalInfoMax, *, full: bool) -> dict[tuple[str, str], float]:
    """Class precision@1 of test queries in a memory of training triples.

    Returns:
        A fraction for each (modality of the query, modality of the searched keys). If the two are
        the same, the result is the whole item, with its values in the other modalities.
    """
    pairs = paired_digits(split="train", full=full)
    speech = load_speech("train", full=full)
    z = model.project(pairs.data | {"speech": speech.waveforms})
    z["speech"] = z["speech"][pairs.indices["speech"]]  # each recording is in many triples
    test_pairs, test_speech = paired_digits(split="test", full=full), load_speech("test", full=full)
    queries = model.project(test_pairs.data | {"speech": test_speech.waveforms})
    labels = {"image": test_pairs.labels, "speech": test_speech.labels, "text": test_pairs.labels}
    name = fingerprint(model)
    memory = SimulatedMemory(DIM, encoder=name)
    memory.write(z, encoder=name)
    found = {}
    for query in MODALITIES:
        for keys in MODALITIES:
            best = memory.read(queries[query], keys, encoder=name).ids[:, 0]
            found[query, keys] = float((pairs.labels[best] == labels[query]).mean())
    return found


@cache
def patches(split: str, n: int) -> Tensor:
    """Return (n, 64) unit vectors: 8 x 8 patches at random places of the embedded images.

    Patches without ink are left out. Patches form weaker clusters than embeddings of classes, which
    makes approximate search harder.

    Raises:
        ValueError: there are fewer than n patches.
    """
    images = torch.from_numpy(load_digits(split, full=False).images).float() / 255
    windows = images.unfold(1, 8, 1).unfold(2, 8, 1).reshape(-1, DIM)
    windows = windows[windows.std(dim=1) > 0.1]
    chosen = torch.randperm(len(windows), generator=torch.Generator().manual_seed(0))[:n]
    if len(chosen) < n:
        raise ValueError(f"n: expected at most {len(windows)}, got {n}")
    return normalize(windows[chosen], dim=1)


def recall(found: list[Any], queries: Tensor, keys: Tensor, k: int) -> float:
    """Recall@k: fraction of the k rows found for each query that are as near as its k-th neighbor.

    Distances are compared, not row numbers, because some patches are equal.

    Args:
        found: k row numbers for each query.
        queries: (Q, dim), Q >= len(found).
        keys: (N, dim).
        k: number of neighbors.
    """
    parts = [found[start : start + 20] for start in range(0, len(found), 20)]
    hits = 0
    for some_queries, rows in zip(queries.split(20), parts, strict=False):
        scores = some_queries[: len(rows)] @ keys.T
        kth_scores = scores.topk(k).values[:, -1] - 1e-6
        for score, row, kth in zip(scores, rows, kth_scores, strict=True):
            hits += int((score[torch.tensor(np.array(row))] >= kth).sum())
    return hits / (k * len(found))


def cpu_seconds(action: Callable, *arguments: object) -> tuple[float, Any]:
    """Return the CPU seconds of all threads, and the result of the action."""
    start = time.process_time()
    result = action(*arguments)
    return time.process_time() - start, result


def search(index: Index, N: int, *, k: int = 10, count: int = 200) -> tuple[float, float]:
    """Recall@k of ``count`` single queries among N patches, and CPU milliseconds of a query."""
    keys, queries = patches("train", N), patches("test", 200)
    memory = SimulatedMemory(DIM, backend=Ram(index))
    memory.write({"patch": keys})
    memory.read(queries[:1], "patch", k)  # builds the index
    spent, found = cpu_seconds(
        lambda: [memory.read(query[None], "patch", k).ids[0].tolist() for query in queries[:count]]
    )
    return recall(found, queries, keys, k), 1000 * spent / count


def hopfield_recovered(load: float, *, dim: int = 2048, seed: int = 0) -> float:
    """Fraction of random patterns that a Hopfield network recovers from 5 % of flipped signs.

    Recovered means an overlap above 0.9 with the pattern, for at most 100 patterns. The capacity
    is a load of 0.138 for dim to infinity (Amit, Gutfreund and Sompolinsky 1985); with few units
    the transition has some width.

    Args:
        load: patterns per unit; load * dim patterns are stored.
        dim: number of units.
        seed: of patterns and flipped signs.
    """
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randn(round(load * dim), dim, generator=generator).sign()
    network = HopfieldMemory(dim)
    network.write(patterns)
    patterns = patterns[:100]
    damaged = patterns * (torch.rand(patterns.shape, generator=generator) - 0.05).sign()
    overlaps = (network.read(damaged, steps=60) * patterns).mean(dim=1)
    return float((overlaps > 0.9).float().mean())


def _measure(setting: Setting) -> dict[str, float]:
    full = setting.full
    # Kill tests come first, before libraries start threads.
    acknowledged, complaints = killed("SQLite", 50 if full else 10, seed=setting.seed)
    complaints += two_writers(200 if full else 40)[1]
    images = torch.from_numpy(load_digits("train", full=full).images).flatten(1) / 255
    model = embedder(setting)
    inverted_lists, milliseconds = search(Faiss("ivf"), 1_000_000 if full else 100_000)
    exact, _ = search(Exact(), 10_000)
    return {
        "noisy-image": item_recall(images, seed=setting.seed),
        "noisy-image-clipped": item_recall(images, clipped=True, seed=setting.seed),
        **{f"{a}-to-{b}": value for (a, b), value in directions(model, full=full).items()},
        "inverted-lists-recall": inverted_lists,
        "inverted-lists-milliseconds": milliseconds,
        "exact-recall": exact,
        "hopfield-below-capacity": hopfield_recovered(0.12, seed=setting.seed),
        "hopfield-above-capacity": hopfield_recovered(0.2, seed=setting.seed),
        "acknowledged-batches": acknowledged,
        "lost-batches": len(complaints),
    }


def _claims(*, full: bool) -> tuple[Claim, ...]:
    keys, images = ("1,000,000", "60,000") if full else ("100,000", "4,000")
    kills = f"{50 if full else 10} kills, two writers"
    percent = {"unit": "%", "notebook": "08"}
    chance = {"truth": f"chance level: 1 of {images}", "source": "number of items", **percent}
    capacity = {"source": "Amit, Gutfreund and Sompolinsky 1985", **percent}
    return (
        Claim(
            id="noisy-image",
            name="recall@1 of the same image by its pixels, noise 0.25",
            at_least=0.999,
            **chance,
        ),
        Claim(
            id="noisy-image-clipped",
            name="recall@1 of the same image by its pixels, noise 0.25, clipped to 0..1",
            at_least=0.998,
            **chance,
        ),
        *(
            Claim(
                id=f"{query}-to-{searched}",
                name=f"precision@1 of the digit, {query} query, {searched} keys",
                truth="chance level: 10 %",
                source="ten digits",
                at_least=0.985 if full else 0.96,
                **percent,
            )
            for query in MODALITIES
            for searched in MODALITIES
        ),
        Claim(
            id="inverted-lists-recall",
            name="recall@10 of inverted lists",
            truth=f"exact search, {keys} keys: 100 %",
            source="the same run",
            at_least=0.99,
            **percent,
        ),
        Claim(
            id="inverted-lists-milliseconds",
            name="CPU time of a query, inverted lists",
            truth=f"limit for 1,000,000 keys: 1 ms{'' if full else ' (here 100,000 keys)'}",
            source="goal of this kit",
            unit="ms",
            at_most=1.0,
            notebook="08",
        ),
        Claim(
            id="exact-recall",
            name="recall@10 of exact search",
            truth="all scores sorted: 100 %",
            source="the same run",
            at_least=1.0,
            **percent,
        ),
        Claim(
            id="hopfield-below-capacity",
            name="patterns recovered by a Hopfield network, 0.12 patterns per unit",
            truth="all below 0.138",
            at_least=0.98,
            **capacity,
        ),
        Claim(
            id="hopfield-above-capacity",
            name="patterns recovered by a Hopfield network, 0.20 patterns per unit",
            truth="none above 0.138",
            at_most=0.02,
            **capacity,
        ),
        Claim(
            id="acknowledged-batches",
            name="batches that SQLite acknowledged before kills",
            truth=kills,
            source="this run",
            at_least=10.0,
            notebook="08",
        ),
        Claim(
            id="lost-batches",
            name="lost or partly written batches and unreadable stores after kills",
            truth=f"0 after {kills}",
            source="definition of durable",
            worst_at_most=0.0,
            notebook="08",
        ),
    )


EXPERIMENTS = tuple(
    Experiment("memory", _claims(full=full), _measure, full=full, needs=("multimodal",))
    for full in (True, False)
)
