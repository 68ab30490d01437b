"""From a query in any modality to new items of any other, with what they were drawn from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from simmim_lite._arguments import check_choice, check_integer, check_number
from simmim_lite.generation._captions import CaptionDecoder
from simmim_lite.generation._codes import LatentSpace, make_condition, sample_around
from simmim_lite.generation._keys import WhitenedKeys
from simmim_lite.memory import SimulatedMemory
from simmim_lite.multimodal import MultimodalInfoMax

CONDITIONS = ("query", "key", "items")
_HITS = 64  # retrieved for a query
_ITEMS = 4  # of them that a generator conditioned on items is told of, as a mean


@dataclass(frozen=True, eq=False)
class Generated:
    """New items and where they come from.

    Attributes:
        samples: (N, ...) of the target's kind, or N sentences.
        ids: (N, k) int64, the remembered items that each was drawn from, the most important one
            first; -1 fills up. All -1: made of what the weights learned, and the query, alone.
        remembered: (N,) bool, the query met what was written after training, and the sample was
            drawn around it.
    """

    samples: Tensor | list[str] = field(repr=False)
    ids: Tensor
    remembered: Tensor


class LatentGenerator(nn.Module):
    """A flow or GAN in the codes of an autoencoder.

    Args:
        space: the codes.
        sampler: `RectifiedFlow` or `ConditionalGAN`.
        condition: what it is told: "query", the embedding of the query; "key", the target's key of
            one retrieved item, drawn by weight, so that it draws only what memory holds; "items",
            the query and the mean code of four retrieved items that are alike.
        options: for ``sampler.sample``, guidance and the like.
    """

    def __init__(
        self, space: LatentSpace, sampler: nn.Module, condition: str = "query", **options: Any
    ):
        super().__init__()
        check_choice("condition", condition, CONDITIONS)
        self.space, self.sampler = space, sampler
        self.condition, self.options = condition, options

    def sample(self, condition: Tensor, *, seed: int = 0) -> Tensor:
        """One item for each row of the condition."""
        return self.space.decode(self.sampler.sample(condition, seed=seed, **self.options))


class CrossModalGenerator:
    """Query, embedding, memory, generator: all directions between the modalities.

    A generator can't draw what it was never trained on, but a memory can be written at any time. So
    where most of what a query finds (by weight) was written after training, the sample is drawn
    around the found items' codes, `sample_around`; elsewhere the generator makes it. A caption of
    something new is one of those found.

    Memory items need keys of the modality that is searched; to be drawn around they also need
    instance keys of the target, the codes of `LatentSpace.encode`, or, for captions, values.

    Which keys find something new? The query's own modality's also know what two modalities share
    beyond the class (how thick a stroke is, for images and captions): a few new items lose against
    many old ones that look alike. Those of a modality that shares only the class (speech) find it
    from the first item on, if the embedder knows the class; if not, `WhitenedKeys` of its own do.

    Args:
        embedder: trained, with all the modalities.
        generators: by target: `LatentGenerator` or `CaptionDecoder`.
        memory: None for none.
        known: the highest id that the memory held when the generators were trained; None is the
            highest that it holds now.
        beta: inverse temperature of the weights of what is found.
        search: by source, the modality whose keys of the memory are searched; None, or a source
            that is not in it: its own.
        keys: that made the memory's keys, and makes those of queries, if not ``embedder.project``:
            `WhitenedKeys`.
    """

    def __init__(
        self,
        embedder: MultimodalInfoMax,
        generators: Mapping[str, LatentGenerator | CaptionDecoder],
        memory: SimulatedMemory | None = None,
        *,
        known: int | None = None,
        beta: float = 32.0,
        search: Mapping[str, str] | None = None,
        keys: WhitenedKeys | None = None,
    ):
        unknown = set(generators) - set(embedder.names)
        if unknown:
            expected = ", ".join(embedder.names)
            raise ValueError(f"generators: expected some of {expected}, got {sorted(unknown)}")
        told = [
            name for name, g in generators.items() if getattr(g, "condition", "query") != "query"
        ]
        if memory is None and told:
            raise ValueError(f"memory: expected one, as {told} are conditioned on it, got None")
        self.embedder, self.generators, self.memory = embedder, dict(generators), memory
        self.beta = check_number("beta", beta, minimum=0.0)
        self.search = {name: name for name in embedder.names} | dict(search or {})
        for name in [*self.search, *self.search.values()]:
            check_choice("search", name, embedder.names)
        if keys is not None:
            crossed = sorted(name for name, other in self.search.items() if name != other)
            by_key = [n for n, g in generators.items() if getattr(g, "condition", "") == "key"]
            if crossed or by_key:
                raise ValueError(f"keys: expected none, as {crossed + by_key} need shared ones")
        self.keys = keys
        if known is None:
            known = -1 if memory is None else max(memory.ids.tolist(), default=-1)
        self.known = check_integer("known", known, minimum=-1)

    def generate(
        self,
        queries: Any,
        source: str,
        target: str,
        *,
        n: int = 1,
        n_neighbors: int = 4,
        spread: float = 0.3,
        pull: float = 1.0,
        detail: float = 0.8,
        seed: int = 0,
    ) -> Generated:
        """``n`` new items for each query, those of a query one after the other.

        Args:
            queries: items of the source, as its encoder takes them.
            source, target: modalities; the same one gives variations.
            n_neighbors, spread, pull: for what is drawn around remembered items, see
                `sample_around`.
            detail: for the same, see `LatentSpace.vary`.
            seed: the same one gives the same bits.
        """
        check_choice("source", source, self.embedder.names)
        check_choice("target", target, tuple(self.generators))
        check_integer("n", n, minimum=1)
        generator = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
        z = self.embedder.project({source: queries})[source].repeat_interleave(n, dim=0)
        ids = weights = torch.zeros(len(z), 0)
        if self.memory is not None:
            asked = z
            if self.keys is not None:
                asked = self.keys({source: queries})[source].repeat_interleave(n, dim=0)
            hits = self.memory.read(
                asked, self.search[source], _HITS, mode="attend", beta=self.beta
            )
            ids, weights = hits.ids, hits.weights
        fresh = weights * (ids > self.known)
        remembered = fresh.sum(dim=1) > 0.5
        used = torch.full((len(z), max(ids.shape[1], n_neighbors)), -1)
        condition, told = self._condition(target, z, ids, weights, generator)
        used[:, : told.shape[1]] = told
        samples = self.generators[target].sample(condition, seed=seed)
        rows = remembered.nonzero()[:, 0]
        if len(rows):
            around = partial(
                sample_around,
                n_neighbors=n_neighbors,
                spread=spread,
                pull=pull,
                generator=generator,
            )
            drawn, told = self._remember(target, ids[rows], fresh[rows], around, detail)
            used[rows] = -1
            used[rows, : told.shape[1]] = told
            for row, item in zip(rows.tolist(), drawn, strict=True):
                samples[row] = item
        return Generated(samples, used[:, : int((used >= 0).sum(dim=1).max())], remembered)

    def _condition(
        self, target: str, z: Tensor, ids: Tensor, weights: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """What the generator is told, and the ids of the items that this is made of."""
        how = getattr(self.generators[target], "condition", "query")
        if how == "query":
            return make_condition(z), torch.full((len(z), 0), -1)
        if how == "key":  # one: a mean of many would be the same for all queries of a class
            told = ids.gather(1, torch.multinomial(weights, 1, generator=generator))
            return make_condition(self.memory.keys(told[:, 0], target, by="semantic")), told
        codes = self.memory.keys(ids, target, by="instance")
        mean, columns = sample_around(
            codes, weights, n_neighbors=_ITEMS, spread=0.0, pull=1.0, generator=generator
        )
        return make_condition(z, mean), _taken(ids, columns)

    def _remember(
        self, target: str, ids: Tensor, weights: Tensor, around: Callable, detail: float
    ) -> tuple[Tensor | list[str], Tensor]:
        """Items drawn around remembered ones, and the ids of those."""
        made = self.generators[target]
        if isinstance(made, CaptionDecoder):
            _, columns = around(torch.zeros(*ids.shape, 1), weights)
            told = _taken(ids, columns)[:, :1]
            return self.memory.values(told[:, 0], target), told
        codes, columns = around(self.memory.keys(ids, target, by="instance"), weights)
        told = _taken(ids, columns)
        anchors = self.memory.values(told[:, 0], target)
        if len({np.shape(item) for item in anchors}) == 1:
            anchors = np.stack(anchors)  # images; recordings differ in length
        items = self.embedder.encoders[target].prepare(anchors)
        return made.space.vary(items, codes, detail=detail), told


def _taken(ids: Tensor, columns: Tensor) -> Tensor:
    """(N, k) ids and (N, n) columns of them, -1 for none -> (N, n) ids, -1 for none."""
    return ids.gather(1, columns.clamp(min=0)).where(columns >= 0, -1)
