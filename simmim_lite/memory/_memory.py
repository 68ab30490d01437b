"""The memory itself: writes, reads, forgets, keeps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from simmim_lite._arguments import check_choice, check_integer, check_number
from simmim_lite.memory._backend import Backend, Ram
from simmim_lite.memory._batch import as_ids, as_keys, kind_of, make_batch, metric_of
from simmim_lite.memory._fingerprint import as_fingerprint, check_encoder
from simmim_lite.memory._forgetting import POLICIES
from simmim_lite.memory._ledger import Ledger
from simmim_lite.memory._recall import ReadResult, attend_to_all, draw, score
from simmim_lite.memory._snapshot import read_snapshot, write_snapshot
from simmim_lite.memory._statistics import describe_kinds
from simmim_lite.memory._values import decode

METRICS = ("cosine", "euclidean")
MODES = ("top", "attend", "sample")
BY = ("semantic", "instance")


class SimulatedMemory:
    """Items in several modalities, found by any of them.

    An item is a pair or a triple of things that belong together. For each of its modalities it has
    a value (a picture, a sound, a sentence) and a *semantic* key, the embedding of that value in
    the shared space; and, where wanted, an *instance* key (pixels, say), by which the very item can
    be told from others of its class. A query searches the keys of its own modality and crosses
    to another through the item: that works even for a class that the encoder never saw, whose
    embeddings of different modalities don't meet. Queries may search another modality's keys, too;
    the space is shared.

    Args:
        dim: of the semantic keys.
        capacity: most items that are kept; None is no limit.
        metric: of semantic keys, one of "cosine" and "euclidean". Instance keys are compared by
            distance.
        policy: which items go beyond the capacity: "oldest", "least_read" (reads are counted since
            the memory was opened), "reservoir" (a random sample stays, balanced over the groups).
        encoder: which encoder makes the keys, the module or its `fingerprint`. Then writes and
            reads must name the same one, for embeddings of different encoders can't be compared.
        backend: where items are kept: `Ram` (the default), `SQLite`, `Milvus`. One that holds
            items already is gone on with.
        seed: of the reservoir.

    Raises:
        ValueError: the backend holds a memory with another dim, metric or encoder.
    """

    def __init__(
        self,
        dim: int,
        *,
        capacity: int | None = None,
        metric: str = "cosine",
        policy: str = "oldest",
        encoder: nn.Module | str | None = None,
        backend: Backend | None = None,
        seed: int = 0,
    ):
        self.dim = check_integer("dim", dim, minimum=1)
        self.capacity = None if capacity is None else check_integer("capacity", capacity, minimum=1)
        check_choice("metric", metric, METRICS)
        check_choice("policy", policy, POLICIES)
        self.metric, self.policy = metric, policy
        self.encoder = as_fingerprint(encoder)
        self.seed = check_integer("seed", seed, minimum=0)
        self._backend = Ram() if backend is None else backend
        self._ledger = Ledger(self._backend.open(self._header()))

    def __len__(self) -> int:
        self._refresh()
        return len(self._ledger)

    def __contains__(self, item: int) -> bool:
        self._refresh()
        return bool(self._ledger.has(torch.tensor([int(item)])).all())

    def __repr__(self) -> str:
        backend = type(self._backend).__name__
        return f"SimulatedMemory({self.dim}, {len(self)} items, {self.metric}, {backend})"

    def __enter__(self) -> "SimulatedMemory":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release files and connections; what was written stays."""
        self._backend.close()

    @property
    def ids(self) -> Tensor:
        """(N,) int64 of all items, the oldest first."""
        self._refresh()
        return torch.from_numpy(self._ledger.ids.copy())

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those with semantic keys."""
        self._refresh()
        return tuple(kind for kind in self._backend.kinds() if "/" not in kind)

    def write(
        self,
        keys: Mapping[str, Any],
        values: Mapping[str, Sequence[Any]] | None = None,
        *,
        instance: Mapping[str, Any] | None = None,
        groups: Any = None,
        encoder: nn.Module | str | None = None,
    ) -> Tensor:
        """Add N items, all or (if anything fails) none.

        Args:
            keys: for each modality the semantic keys, (N, dim).
            values: for each modality N numbers or arrays (also of different shapes), sentences, or
                bytes; numbers come back as NumPy arrays.
            instance: for each modality instance keys (N, any width, always the same).
            groups: (N,) whole numbers, classes for instance, which a reservoir balances.
            encoder: the one that made the keys, if the memory was made for one.

        Returns:
            Ids (N,) int64, rising, never used again; once they are here, a durable backend has the
            items on disk. With a capacity some may be gone already.
        """
        check_encoder(self.encoder, encoder)
        given = keys, values or {}, instance or {}, groups
        batch = make_batch(*given, metric=self.metric, dim=self.dim, dims=self._backend.kinds())
        if not len(batch):
            return torch.empty(0, dtype=torch.int64)
        ids = self._backend.add(batch)
        self._refresh()
        self._ledger.add(ids, batch.groups, batch.sizes())
        if self.capacity is not None:
            newest = ids if len(ids) < self.capacity else None
            self._remove(self._ledger.surplus(self.capacity, self.policy, self.seed, newest))
        return ids

    def read(
        self,
        query: Tensor,
        modality: str,
        k: int | None = 1,
        *,
        mode: str = "top",
        beta: float = 16.0,
        pool: int = 64,
        by: str = "semantic",
        exclude: Tensor | None = None,
        encoder: nn.Module | str | None = None,
        generator: torch.Generator | None = None,
    ) -> ReadResult:
        """For each query the k items (fewer, if there are fewer) whose keys suit it best.

        Args:
            query: (M, dim) keys to search for.
            modality: whose keys are searched, as a rule the query's own.
            k: items a query; None with "attend" is all of them (then the ids, scores and weights
                are left out, for they would be M x N).
            mode: "top", the best; "attend", the best, weighted by softmax(beta * score), and the
                mean key; "sample", k of the best ``pool``, drawn without replacement with
                probabilities in proportion to exp(beta * score).
            beta: inverse temperature: 0 makes all equal, infinity picks the best.
            by: "semantic" keys, or "instance" keys, to find the very item.
            exclude: (M,) ids, one for each query, that are not to be found: in training, the item
                itself.
            encoder: the one that made the query, if the memory was made for one.
            generator: of "sample".

        Raises:
            ValueError: the memory is empty, or none of its items has such a key.
        """
        check_choice("mode", mode, MODES)
        beta = check_number("beta", beta, minimum=0.0)
        kind, queries = self._query(query, modality, by, encoder)
        metric = metric_of(kind, self.metric)
        if k is None:
            if mode != "attend" or exclude is not None:
                raise ValueError("k: expected a number of items, unless all are attended to")
            stored = self._backend.keys(kind, None).to(queries.device)
            none = torch.empty(len(queries), 0)
            key = attend_to_all(queries, stored, beta, metric)
            return ReadResult(none.long(), none, none, self, key)
        k = check_integer("k", k, minimum=1)
        wanted = max(k, check_integer("pool", pool, minimum=1)) if mode == "sample" else k
        scores, ids = self._search(kind, queries.detach(), wanted, exclude)
        if mode == "sample":
            places = draw(beta * scores, min(k, ids.shape[1]), generator)
            scores, ids = scores.gather(1, places), ids.gather(1, places)
        key, weights = None, torch.full_like(scores, 1 / ids.shape[1])
        if mode == "attend":
            stored = self._backend.keys(kind, ids.flatten()).to(queries.device)
            stored = stored.unflatten(0, ids.shape)
            weights = (beta * score(queries, stored, metric)).softmax(dim=1)
            key = torch.einsum("mk,mkd->md", weights, stored)
        self._ledger.count_reads(ids)
        return ReadResult(ids, scores, weights, self, key)

    def style_neighbors(
        self,
        recall: ReadResult,
        modality: str,
        k: int = 4,
        *,
        style: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> ReadResult:
        """Of each query's items, the k that are nearest by instance key.

        Only among these: in the whole memory, what looks alike may mean something else.

        Args:
            recall: what a query's meaning has found, 64 items each, say.
            modality: whose instance keys are compared.
            style: (M, width) instance keys to come near to; None takes that of one of the query's
                items, drawn by its weight.
            generator: of that draw.
        """
        k = check_integer("k", k, minimum=1)
        kind = kind_of(modality, "instance")
        self._check_kind(kind, modality, "instance")
        stored = self._backend.keys(kind, recall.ids.flatten()).unflatten(0, recall.ids.shape)
        if style is None:
            drawn = recall.weights.detach().cpu().multinomial(1, generator=generator)[:, 0]
            style = stored[torch.arange(len(drawn)), drawn]
        else:
            style = as_keys("style", style, stored.shape[2], "euclidean")
        scores = score(style.to(stored.device), stored, "euclidean").cpu()
        scores, places = scores.topk(min(k, scores.shape[1]))
        return ReadResult(
            recall.ids.gather(1, places), scores, torch.full_like(scores, 1 / scores.shape[1]), self
        )

    def values(self, ids: Any, modality: str) -> list:
        """Values (n,) of items; None for one without a value of this modality.

        Raises:
            ValueError: an id that isn't here, or a modality of which nothing was ever written.
        """
        ids = self._known(ids)
        check_choice("modality", modality, sorted(self._backend.modalities()))
        found = self._backend.values(modality, ids.flatten())
        return [None if value is None else decode(value) for value in found]

    def keys(self, ids: Any, modality: str, *, by: str = "semantic") -> Tensor:
        """Keys (*shape of ids, dim) as they are compared: of length one for "cosine"."""
        kind = kind_of(modality, by)
        self._check_kind(kind, modality, by)
        ids = self._known(ids)
        return self._backend.keys(kind, ids.flatten()).cpu().unflatten(0, ids.shape)

    def forget(self, ids: Any = None, *, keep: int | None = None, policy: str | None = None) -> int:
        """Remove items for good; from then on no read finds them.

        Args:
            ids: which; those that aren't here are passed over.
            keep: instead, how many stay, chosen by ``policy``, None being the memory's own.

        Returns:
            How many were removed.
        """
        self._refresh()
        if (ids is None) == (keep is None):
            raise ValueError("forget: expected either ids or keep")
        if keep is not None:
            policy = self.policy if policy is None else policy
            check_choice("policy", policy, POLICIES)
            keep = check_integer("keep", keep, minimum=0)
            return self._remove(self._ledger.surplus(keep, policy, self.seed))
        ids = as_ids(ids).flatten().unique()
        return self._remove(ids[self._ledger.has(ids)])

    def save(self, path: str | Path) -> None:
        """Write everything to one file: whole or not at all, with a checksum, without code."""
        self._refresh()
        write_snapshot(Path(path), self._header(), self._options(), self._backend, self._ledger)

    @classmethod
    def load(
        cls, path: str | Path, *, encoder: nn.Module | str | None = None, index: Any = None
    ) -> "SimulatedMemory":
        """A memory in RAM, as it was saved, whatever backend it had.

        Args:
            encoder: the one it was made for, if it was.
            index: how keys are searched; None is `Exact`.

        Raises:
            CheckpointError: a damaged file, or none of a memory.
            ValueError: another encoder.
        """
        snapshot = read_snapshot(Path(path))
        header, backend = snapshot.header, Ram(index)
        memory = cls(
            header["dim"],
            metric=header["metric"],
            encoder=header["encoder"],
            backend=backend,
            **snapshot.options,
        )
        check_encoder(memory.encoder, encoder)
        backend.restore(snapshot.keys, snapshot.values, snapshot.following)
        memory._ledger = Ledger(snapshot.contents)
        return memory

    def stats(self, *, sample: int = 2000, seed: int = 0) -> dict[str, Any]:
        """Counts, bytes, and of each kind of keys the effective rank and the hubness.

        Args:
            sample: most keys of a kind that are looked at, drawn with ``seed``.
        """
        self._refresh()
        generator = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
        sample = check_integer("sample", sample, minimum=1)
        ledger = self._ledger
        groups, counts = np.unique(ledger.groups, return_counts=True)
        return {
            "items": len(ledger),
            "bytes": int(ledger.sizes.sum()),
            "reads": int(ledger.reads.sum()),
            "groups": dict(zip(groups.tolist(), counts.tolist(), strict=True)),
            "keys": describe_kinds(self._backend, self.metric, sample, generator),
        }

    # what the public doors share

    def _header(self) -> dict[str, Any]:
        return {"format": 1, "dim": self.dim, "metric": self.metric, "encoder": self.encoder}

    def _options(self) -> dict[str, Any]:
        return {"capacity": self.capacity, "policy": self.policy, "seed": self.seed}

    def _refresh(self) -> None:
        """Take over what another process wrote or removed."""
        contents = self._backend.refresh()
        if contents is not None:
            self._ledger = Ledger(contents, self._ledger)

    def _check_kind(self, kind: str, modality: str, by: str) -> None:
        self._refresh()
        if not len(self._ledger):
            raise ValueError("read: the memory is empty, write to it first")
        if not self._backend.count(kind):
            there = [name for name in self._backend.kinds() if self._backend.count(name)]
            raise ValueError(
                f"modality: no item has a {by} key of {modality!r}; there are {', '.join(there)}"
            )

    def _query(
        self, query: Any, modality: str, by: str, encoder: nn.Module | str | None
    ) -> tuple[str, Tensor]:
        """The kind of keys to search, and the queries, ready to be compared with them."""
        check_choice("by", by, BY)
        check_encoder(self.encoder, encoder)
        kind = kind_of(modality, by)
        self._check_kind(kind, modality, by)
        dim = self._backend.kinds()[kind]
        return kind, as_keys("query", query, dim, metric_of(kind, self.metric))

    def _search(self, kind: str, queries: Tensor, k: int, exclude: Any) -> tuple[Tensor, Tensor]:
        if exclude is None:
            return self._backend.search(kind, queries, k)
        exclude = as_ids(exclude)
        if exclude.shape != (len(queries),):
            raise ValueError(
                f"exclude: expected {len(queries)} ids, one a query, got {tuple(exclude.shape)}"
            )
        scores, ids = self._backend.search(kind, queries, k + 1)
        if ids.shape[1] < 2:
            raise ValueError("exclude: expected two items at least, so that one is left")
        scores = scores.masked_fill(ids == exclude[:, None], -torch.inf)
        scores, places = scores.topk(ids.shape[1] - 1)
        return scores, ids.gather(1, places)

    def _known(self, ids: Any) -> Tensor:
        self._refresh()
        ids = as_ids(ids)
        strange = ~self._ledger.has(ids.flatten())
        if strange.any():
            got = int(ids.flatten()[strange][0])
            raise ValueError(f"ids: expected ids of items that are here, got {got}")
        return ids

    def _remove(self, ids: Tensor) -> int:
        if len(ids):
            self._backend.remove(ids)
            self._ledger.remove(ids)
        return len(ids)
