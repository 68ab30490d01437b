"""The memory: write, read, forget, save, load."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from simmim_lite._arguments import check_choice, check_integer, check_number
from simmim_lite.memory._backend import POLICIES, Backend, Ram, join
from simmim_lite.memory._items import (
    as_fingerprint,
    as_ids,
    as_keys,
    check_encoder,
    decode,
    make_batch,
    table_metric,
    table_name,
)
from simmim_lite.memory._recall import ReadResult, attend_to_all, describe_keys
from simmim_lite.memory._search import Index, score
from simmim_lite.storage import expecting, pack, unpack, write_atomically

_DESCRIBED = 2000  # keys of each key table that `stats` describes


class SimulatedMemory(AbstractContextManager):
    """Items in several modalities, found by any of them.

    In each modality an item has a value (an image, a recording, a text) and a *semantic* key, the
    embedding of that value in the shared space. It may also have an *instance* key (pixels, for
    example), which tells it from others of its class. A query searches the keys of its own modality
    and the item gives the values of the others: also for a class that the encoder never saw, whose
    embeddings of different modalities are far apart.

    Args:
        dim: width of the semantic keys.
        capacity: largest number of items; None means no limit.
        metric: "cosine" or "euclidean", of the semantic keys. Instance keys are always compared by
            distance. The cosine of a vector of zeros is 0.
        policy: items to forget beyond the capacity: "oldest"; "least_read" (this policy alone
            counts reads, from the opening of the memory); "reservoir" (a random sample stays,
            balanced over the groups).
        encoder: encoder of all keys, a module or its `fingerprint`. If given, each write and read
            must name the same encoder, because embeddings of different encoders cannot be compared.
        backend: `Ram` (default), `SQLite` or `Milvus`; a store that holds items is continued, if
            its dim, metric and encoder are the same.
        seed: seed of the reservoir.
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
        check_choice("metric", metric, ("cosine", "euclidean"))
        check_choice("policy", policy, POLICIES)
        self.metric, self.policy = metric, policy
        self.encoder = as_fingerprint(encoder)
        self.seed = check_integer("seed", seed, minimum=0)
        self._backend = Ram() if backend is None else backend
        self._ledger = self._backend.open(self._header())

    def __len__(self) -> int:
        self._refresh()
        return len(self._ledger)

    def __contains__(self, item: int) -> bool:
        return item in self.ids.tolist()

    def __repr__(self) -> str:
        backend = type(self._backend).__name__
        return f"SimulatedMemory({self.dim}, {len(self)} items, {self.metric}, {backend})"

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release files and connections; all written items stay in the backend."""
        self._backend.close()

    @property
    def ids(self) -> Tensor:
        """Ids of all items, (N,) int64, oldest first."""
        self._refresh()
        return torch.from_numpy(self._ledger.ids.copy())

    def write(
        self,
        keys: Mapping[str, Any],
        values: Mapping[str, Sequence[Any]] | None = None,
        *,
        instance: Mapping[str, Any] | None = None,
        groups: Any = None,
        encoder: nn.Module | str | None = None,
    ) -> Tensor:
        """Add N items: all of them, or none if an error is raised.

        Args:
            keys: semantic keys (N, dim) for each modality.
            values: N values for each modality: numbers or arrays (of any shapes), texts, or bytes.
                Numbers come back as NumPy arrays.
            instance: instance keys (N, width) for each modality; a modality keeps its width.
            groups: (N,) whole numbers, such as classes, which a reservoir balances.

        Returns:
            Ids (N,) int64, rising, never used again. A durable backend has the items on disk by
            then. Beyond the capacity, some of the items may be forgotten already.
        """
        check_encoder(self.encoder, encoder)
        given, shapes = (keys, values or {}, instance or {}, groups), self._backend.shapes()
        batch = make_batch(*given, metric=self.metric, dim=self.dim, shapes=shapes)
        if not len(batch):
            return torch.empty(0, dtype=torch.int64, device="cpu")
        ids = self._backend.add(batch)
        self._refresh()
        self._ledger.add(ids, batch.groups)
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
        by: str = "semantic",
        encoder: nn.Module | str | None = None,
    ) -> ReadResult:
        """Find, for each query, the k items with the best keys (fewer, if there are fewer).

        Args:
            query: (M, dim) vectors to compare with the keys.
            modality: modality of the keys, usually that of the query.
            k: items for each query. None, with "attend", stands for all items; then ids, scores and
                weights, which would be M x N, are left empty.
            mode: "top", the best items; "attend", the best items, their weights
                softmax(beta * score) and the weighted mean key.
            beta: inverse temperature, >= 0: 0 gives equal weights, a large value the best item.
            by: "semantic" keys, or "instance" keys to find the very item.

        An empty memory, or one without such keys, raises ValueError.
        """
        check_choice("mode", mode, ("top", "attend"))
        beta = check_number("beta", beta, minimum=0.0)
        check_encoder(self.encoder, encoder)
        table = self._key_table(modality, by)
        metric = table_metric(table, self.metric)
        width = self._backend.shapes()[table][1]
        queries = as_keys("query", query, width, unit=metric == "cosine")
        if k is None:
            if mode != "attend":
                raise ValueError(f"k: expected a number of items for mode {mode!r}, got None")
            stored = self._backend.keys(table, None).to(queries.device)
            with torch.autocast(queries.device.type, enabled=False):
                key = attend_to_all(queries, stored, beta, metric).to(queries.dtype)
            none = torch.empty(len(queries), 0, dtype=torch.float32, device="cpu")
            return ReadResult(none.long(), none, none, self.values, key)
        k = check_integer("k", k, minimum=1)
        scores, ids = self._backend.search(table, queries.detach(), k)
        if self.policy == "least_read":
            self._ledger.count_reads(ids)
        if mode != "attend":
            equal = torch.full_like(scores, 1 / scores.shape[1])
            return ReadResult(ids, scores, equal, self.values)
        stored = self._stored(table, ids, queries)
        wide = torch.promote_types(queries.dtype, stored.dtype)
        with torch.autocast(queries.device.type, enabled=False):
            close = score(queries.to(wide), stored.to(wide), metric)
            gaps = close - close.amax(dim=1, keepdim=True)
            weights = (min(beta, 1e38) * gaps).softmax(dim=1)
            key = torch.einsum("mk,mkd->md", weights, stored.to(wide)).to(queries.dtype)
        return ReadResult(ids, scores, weights.cpu().float(), self.values, key)

    def style_neighbors(
        self, result: ReadResult, modality: str, k: int = 4, *, generator: Generator | None = None
    ) -> ReadResult:
        """Draw one item of each query by its weight; find the k items of the query nearest to it.

        Items are compared by instance key, and only those of ``result``: in the whole memory, an
        item that looks similar may have another meaning.

        Args:
            result: items found by meaning, for example 64 for each query.
            modality: modality of the instance keys.
        """
        k = check_integer("k", k, minimum=1)
        stored = self._stored(self._key_table(modality, "instance"), result.ids, result.scores)
        drawn = result.weights.detach().multinomial(1, generator=generator)[:, 0]
        style = stored[np.arange(len(drawn)), drawn]
        scores = score(style, stored, "euclidean").float()
        scores, places = (x[:, :k] for x in scores.sort(descending=True, stable=True))
        equal = torch.full_like(scores, 1 / scores.shape[1])
        return ReadResult(result.ids.gather(1, places), scores, equal, self.values)

    def values(self, ids: Any, modality: str) -> list[Any]:
        """Return the values of n items; None for an item without a value of this modality."""
        ids = self._known(ids)
        check_choice("modality", modality, sorted(self._backend.modalities()))
        found = self._backend.values(modality, ids.flatten())
        return [None if value is None else decode(value) for value in found]

    def keys(self, ids: Any, modality: str, *, by: str = "semantic") -> Tensor:
        """Return the stored keys (*shape of ids, dim), on the CPU; with "cosine" of length one.

        They are float32, or float64 if keys of this modality were given as float64.
        """
        table = self._key_table(modality, by)
        ids = self._known(ids)
        return self._stored(table, ids, ids)

    def forget(self, ids: Any) -> int:
        """Remove items for good, and return how many: no later read finds them.

        Unknown ids are ignored.
        """
        self._refresh()
        ids = as_ids(ids).flatten().unique()
        return self._remove(ids[self._ledger.has(ids)])

    def save(self, path: str | Path) -> None:
        """Write all items to one file with a checksum, completely or not at all."""
        self._refresh()
        backend, ledger = self._backend, self._ledger
        ids, groups = torch.from_numpy(ledger.ids), torch.from_numpy(ledger.groups)
        values = {m: join(ids, backend.values(m, ids)) for m in sorted(backend.modalities())}
        state = {
            "memory": self._header(),
            "options": {"capacity": self.capacity, "policy": self.policy, "seed": self.seed},
            "next_id": backend.next_id(),
            "items": torch.stack([ids, groups], dim=1),
            "keys": {t: [backend.key_ids(t), backend.keys(t, None)] for t in backend.shapes()},
            "values": values,
        }
        write_atomically(Path(path), pack(state))

    @classmethod
    def load(
        cls, path: str | Path, *, encoder: nn.Module | str | None = None, index: Index | None = None
    ) -> "SimulatedMemory":
        """Return a memory in RAM from a file of `save`, whatever the backend of the saved memory.

        Raises:
            CheckpointError: the file is damaged, or holds no memory.
        """
        path = Path(path)
        with expecting(path.name, "a file of SimulatedMemory.save"):
            backend = Ram(index)
            backend.saved = state = unpack(path.read_bytes(), path.name)
            if state["memory"].pop("format") != 1:
                raise ValueError("another format")
            memory = cls(**state["memory"], **state["options"], backend=backend)
        check_encoder(memory.encoder, encoder)
        return memory

    def stats(self) -> dict[str, Any]:
        """Return statistics of the items and keys.

        They are "items", their number; "groups", the number of items in each group; "reads" of the
        items (policy "least_read" only); "keys", for each key table its number of "items", and the
        "effective_rank" and "hubness" of at most 2,000 random keys.
        """
        self._refresh()
        groups, counts = np.unique(self._ledger.groups, return_counts=True)
        found: dict[str, Any] = {
            "items": len(self._ledger),
            "groups": dict(zip(groups.tolist(), counts.tolist(), strict=True)),
            "keys": {},
        }
        if self.policy == "least_read":
            found["reads"] = int(self._ledger.reads.sum())
        generator = Generator().manual_seed(0)
        for table, (count, _) in self._backend.shapes().items():
            found["keys"][table] = {"items": count}
            if count:
                chosen = torch.randperm(count, generator=generator, device="cpu")[:_DESCRIBED]
                keys = self._backend.keys(table, self._backend.key_ids(table)[chosen])
                found["keys"][table] |= describe_keys(keys, table_metric(table, self.metric))
        return found

    def _header(self) -> dict[str, Any]:
        return {"format": 1, "dim": self.dim, "metric": self.metric, "encoder": self.encoder}

    def _refresh(self) -> None:
        """Take over the changes of other processes."""
        ledger = self._backend.refresh()
        if ledger is not None:
            ledger.copy_reads(self._ledger)
            self._ledger = ledger

    def _key_table(self, modality: str, by: str) -> str:
        """Name of a key table that has keys, after `_refresh`."""
        check_choice("by", by, ("semantic", "instance"))
        self._refresh()
        if not len(self._ledger):
            raise ValueError("memory: expected items, got an empty memory; write items first")
        table = table_name(modality, by)
        there = [name for name, (count, _) in self._backend.shapes().items() if count]
        if table not in there:
            expected = f"one whose items have {by} keys (key tables: {', '.join(there)})"
            raise ValueError(f"modality: expected {expected}, got {modality!r}")
        return table

    def _stored(self, table: str, ids: Tensor, like: Tensor) -> Tensor:
        """Keys (*shape of ids, width) on the device of ``like``."""
        keys = self._backend.keys(table, ids.flatten()).to(like.device)
        return keys.reshape(*ids.shape, keys.shape[1])

    def _known(self, ids: Any) -> Tensor:
        self._refresh()
        ids = as_ids(ids)
        unknown = ~self._ledger.has(ids.flatten())
        if unknown.any():
            got = int(ids.flatten()[unknown][0])
            raise ValueError(f"ids: expected ids of items in the memory, got {got}")
        return ids

    def _remove(self, ids: Tensor) -> int:
        if len(ids):
            self._backend.remove(ids)
            self._ledger.remove(ids)
        return len(ids)
