"""Cross-modal generation: new items of any modality from a query in any other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from simmim_lite._arguments import check_choice, check_integer, check_number
from simmim_lite.generation._latents import (
    FoundItems,
    LatentSpace,
    WhitenedKeys,
    make_condition,
    sample_around,
)
from simmim_lite.generation._samplers import ConditionalGAN, RectifiedFlow
from simmim_lite.memory import SimulatedMemory
from simmim_lite.multimodal import MultimodalInfoMax

_CONDITIONS = ("query", "key", "items")
_HITS = 64  # items retrieved for a query
_ITEMS = 4  # retrieved items whose mean latents are part of the condition "items"


@dataclass(frozen=True, eq=False)
class Generated:
    """New items of the target modality: (N, ...), or N sentences, and their sources.

    ``ids`` (N, k) int64 are those of the remembered items that each sample was drawn from, the most
    important item first, padded with -1. ``remembered`` (N,) bool is True where the sample was
    drawn around items written after training.
    """

    samples: Tensor | list[str] = field(repr=False)
    ids: Tensor
    remembered: Tensor


class Generator(Protocol):
    """Interface of a generator of one modality.

    The ``condition`` of `sample` is "query", the embedding of the query; "key", the target's key of
    a retrieved item, drawn by weight; or "items", the query and the mean latents of four of them.
    """

    condition: str

    def sample(self, condition: Tensor, *, seed: int = 0) -> Tensor | list[str]:
        """Return one new item for each row of the condition, (N, ...) or N sentences."""

    def around(
        self, found: FoundItems, *, generator: torch.Generator
    ) -> tuple[Tensor | list[str], Tensor]:
        """Return one item near the found items of each row, and ids (N, k) as in `Generated`."""


class LatentGenerator(nn.Module):
    """Generator with a sampler, a flow or a GAN, in the latent space of an autoencoder.

    For ``condition`` see `Generator`. With "key", only classes that the memory holds are drawn. For
    the ``detail`` of samples around remembered items see `LatentSpace.vary`. The ``options`` are
    further arguments of ``sampler.sample``, such as the guidance.
    """

    def __init__(
        self,
        space: LatentSpace,
        sampler: RectifiedFlow | ConditionalGAN,
        condition: str = "query",
        *,
        detail: float = 0.8,
        **options: Any,
    ):
        super().__init__()
        check_choice("condition", condition, _CONDITIONS)
        self.space, self.sampler, self.condition = space, sampler, condition
        self.detail, self.options = detail, options

    def extra_repr(self) -> str:
        return f"condition {self.condition!r}, detail {self.detail}, {self.options}"

    def sample(self, condition: Tensor, *, seed: int = 0) -> Tensor:
        """Draw one item for each row of the condition: (N, ...), on the CPU."""
        return self.space.decode(self.sampler.sample(condition, seed=seed, **self.options))

    def around(self, found: FoundItems, *, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Vary one found item of each row, by `sample_around` and `LatentSpace.vary`."""
        latents, columns = sample_around(found.latents(), found.weights, generator=generator)
        ids = found.at(columns)
        return self.space.vary(found.prepared(ids[:, 0]), latents, detail=self.detail), ids


class CrossModalGenerator:
    """Embedder, memory and generators: all directions between the modalities.

    A generator cannot draw a class that was absent from its training, but a memory can be written
    at any time. Where most of the items found for a query (by weight) were written after training,
    the sample is drawn around these items (`Generator.around`); elsewhere, from the condition.

    Memory items need keys of the searched modality; around remembered items, also values of the
    target and, unless it is text, the latents of `LatentSpace.encode` as instance keys. Keys of the
    query's own modality also encode style: a few items of a new class lose against many old ones
    that look alike. Keys of a modality that shares only the class (speech) find a new class from
    the first item on, if the embedder knows it; otherwise, `WhitenedKeys` do.

    Args:
        generators: a `Generator` for each target modality.
        memory: memory to search; None raises ValueError if a condition needs it.
        known: highest id in the memory when the generators were trained; None for the present one.
        beta: inverse temperature of the weights of retrieved items.
        search: by source, the modality whose keys are searched; by default the source.
        keys: `WhitenedKeys` that made the keys of the memory; None for ``embedder.project``.
        share: expected fraction of queries whose class was written after training. Old items
            together count 1 - share, later ones share. None: every item counts the same.
    """

    def __init__(
        self,
        embedder: MultimodalInfoMax,
        generators: Mapping[str, Generator],
        memory: SimulatedMemory | None = None,
        *,
        known: int | None = None,
        beta: float = 32.0,
        search: Mapping[str, str] | None = None,
        keys: WhitenedKeys | None = None,
        share: float | None = None,
    ):
        for name in generators:
            check_choice("generators", name, embedder.names)
        needy = [name for name, g in generators.items() if g.condition != "query"]
        if memory is None and needy:
            raise ValueError(f"memory: expected a memory, which {needy} need, got None")
        self.embedder, self.generators, self.memory = embedder, dict(generators), memory
        self.beta = check_number("beta", beta, minimum=0.0)
        self.search = {name: name for name in embedder.names} | dict(search or {})
        for name in [*self.search, *self.search.values()]:
            check_choice("search", name, embedder.names)
        if keys is not None:
            crossed = sorted(name for name, other in self.search.items() if name != other)
            by_key = [name for name, g in generators.items() if g.condition == "key"]
            if crossed or by_key:
                raise ValueError(f"keys: expected none, as {crossed + by_key} need shared keys")
        self.keys = keys
        if known is None:
            known = -1 if memory is None else max(memory.ids.tolist(), default=-1)
        self.known = check_integer("known", known, minimum=-1)
        if share is not None:
            check_number("share", share, minimum=0.001, maximum=0.999)
        self.share = share

    def generate(
        self, queries: Any, source: str, target: str, *, n: int = 1, seed: int = 0
    ) -> Generated:
        """Draw ``n`` new items for each query; those of a query stand together.

        Queries are items of the ``source`` modality. The source as ``target`` gives variations.
        """
        check_choice("source", source, self.embedder.names)
        check_choice("target", target, tuple(self.generators))
        check_integer("n", n, minimum=1)
        draws = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
        z = self.embedder.project({source: queries})[source].repeat_interleave(n, dim=0)
        generator, encoder = self.generators[target], self.embedder.encoders[target]
        if self.memory is None:
            samples = generator.sample(make_condition(z), seed=seed)
            nothing = z.new_empty(len(z), 0, dtype=torch.int64)
            return Generated(samples, nothing, z.new_zeros(len(z), dtype=torch.bool))
        keys = z
        if self.keys is not None:
            keys = self.keys({source: queries})[source].repeat_interleave(n, dim=0)
        hits = self.memory.read(keys, self.search[source], _HITS, mode="attend", beta=self.beta)
        shares = self._weights(self.memory.ids, hits.ids, hits.weights)
        found = FoundItems(self.memory, encoder, target, hits.ids, shares)
        condition, used = _condition(generator.condition, z, found, draws)
        samples = generator.sample(condition, seed=seed)
        K = found.ids.shape[1]
        ids = pad(used, (0, K - used.shape[1]), value=-1)
        new = found.weights * (found.ids > self.known)
        remembered = new.sum(dim=1) > 0.5
        rows = remembered.nonzero()[:, 0]
        if len(rows):
            found = FoundItems(self.memory, encoder, target, found.ids[rows], new[rows])
            drawn, used = generator.around(found, generator=draws)
            ids[rows] = pad(used, (0, K - used.shape[1]), value=-1)
            for row, item in zip(rows.tolist(), drawn, strict=True):
                samples[row] = item
        return Generated(samples, ids[:, : int((ids >= 0).sum(dim=1).max())], remembered)

    def _weights(self, stored: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
        new, N = int((stored > self.known).sum()), len(stored)
        if self.share is None or new in (0, N):
            return weights
        shares = torch.where(ids > self.known, self.share / new, (1 - self.share) / (N - new))
        return weights * shares / (weights * shares).sum(dim=1, keepdim=True)


def _condition(
    kind: str, z: Tensor, found: FoundItems, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The condition for queries z, and the ids (N, k) of the items in the condition."""
    if kind == "query":
        return make_condition(z), z.new_empty(len(z), 0, dtype=torch.int64)
    if kind == "key":  # of one item: a mean over many would be the same for all queries of a class
        ids = found.at(torch.multinomial(found.weights, 1, generator=generator))
        return make_condition(found.memory.keys(ids[:, 0], found.modality)), ids
    options: dict[str, Any] = {"n_neighbors": _ITEMS, "generator": generator}
    mean, columns = sample_around(found.latents(), found.weights, spread=0.0, **options)
    return make_condition(z, mean), found.at(columns)
