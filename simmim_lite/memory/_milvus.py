"""Items in a Milvus vector database: a local file, a server or a cluster."""

import base64
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from simmim_lite.memory._backend import Backend, Ledger, check_all_there, check_header
from simmim_lite.memory._items import Batch, table_metric
from simmim_lite.memory._search import as_scores, best, closeness, require

_AT_ONCE = 8192  # rows in one answer: Milvus allows 16,384
_CELLS = 100  # items in one query for values: Milvus allows an answer of 64 MB
_INSERTED = 1000  # rows in one message
_TEXT = 60_000  # characters in one cell: Milvus allows 65,535 bytes
_SPARE = 4  # keys beyond k that are compared precisely
_NUMBERS = 1 << 22  # numbers in one answer
_FAR = 100.0  # an offset, relative to the distances of keys, that is subtracted
_NOTHING = [0.0, 0.0]  # Milvus needs a vector in every row


class Milvus(Backend):
    """Items in Milvus (Wang et al. 2021): the database searches the keys, up to billions of them.

    The same code runs on one machine, ``Milvus("memory_milvus.db")`` (with pymilvus, milvus-lite),
    and with a server or a cluster, ``Milvus("http://address:19530", token="user:password")``.
    Milvus has no transactions: a batch counts as written when its rows are in the list of items,
    and the next write removes those of unfinished batches. One process at a time may write; others
    may read from a server. Keys are float32, of distances far from 0 as differences from the mean
    of the first batch; keys that float32 cannot tell apart raise ValueError.

    Args:
        uri: path that ends in .db (milvus-lite creates a folder there), or address of a server.
        name: name of the memory on the server: letters, digits and _.
        index: index of Milvus, such as ``{"index_type": "HNSW", "params": {"M": 16}}``; None
            compares every key.
        token: "user:password" or an API key of the server.
    """

    def __init__(
        self, uri: str | Path, *, name: str = "memory", index: dict | None = None, token: str = ""
    ):
        self._pymilvus = require("pymilvus", "pymilvus milvus-lite")
        if not (name.isidentifier() and name.isascii()):
            raise ValueError(f"name: expected letters, digits and _, got {name!r}")
        self.uri, self.name, self._token = str(uri), name, token
        self._local = "://" not in self.uri
        if self._local and Path(uri).suffix != ".db":
            raise ValueError(f"uri: expected an address or a path that ends in .db, got {uri}")
        self._index = index or {"index_type": "FLAT"}
        self._key_ids: dict[str, Tensor] = {}
        self._left: set[int] = set()  # ids of unfinished batches
        self._lock = FileLock(f"{self.uri}.lock")
        self._client: Any = None
        self._state: dict[str, Any] = {}

    def open(self, header: Mapping[str, Any]) -> Ledger:
        try:
            if self._local:
                self._lock.acquire(timeout=0)
            self._client = self._pymilvus.MilvusClient(uri=self.uri, token=self._token)
            return self._begin(header)
        except Timeout:
            expected = "a file that no other process uses"
            raise ValueError(f"uri: expected {expected}, got {self.uri}") from None
        except BaseException:
            self.close()
            raise

    def add(self, batch: Batch) -> Tensor:
        if self._read_state()["next_id"] != self._state["next_id"]:
            raise ValueError(f"name: another process has written to {self.name!r}; open it again")
        vectors = {table: self._vectors(table, keys) for table, keys in batch.keys.items()}
        if self._left:
            self.remove(_whole(sorted(self._left)))
            self._left = set()
        ids = [*range(self.next_id(), self.next_id() + len(batch))]
        found = _whole(ids)
        for table, rows in vectors.items():
            self._state["key_dims"].setdefault(table, rows.shape[1])
            self._make_keys(table)
        self._state["modalities"] = sorted({*self._state["modalities"], *batch.values})
        self._state["next_id"] += len(batch)
        self._write_state()  # before the rows, so that no id is used twice after a crash
        for modality, column in batch.values.items():
            self._insert("contents", _cells(modality, ids, column))
        for table, rows in vectors.items():
            pairs = zip(ids, rows.numpy(), strict=True)
            self._insert(self._collection(table), ({"id": i, "vector": row} for i, row in pairs))
        items = zip(ids, batch.groups.tolist(), strict=True)
        listed = [{"id": i, "item_group": group, "vector": _NOTHING} for i, group in items]
        self._client.insert(self._full("items"), listed)
        for table in batch.keys:
            self._key_ids[table] = torch.cat([self._key_ids[table], found])
        self._tell_readers()
        return found

    def remove(self, ids: Tensor) -> None:
        for collection in ("items", *map(self._collection, self._key_ids), "contents"):
            for part in ids.split(_AT_ONCE):
                self._client.delete(self._full(collection), filter=f"id in {part.tolist()}")
        for table, stored in self._key_ids.items():
            self._key_ids[table] = stored[~torch.isin(stored, ids)]
        self._tell_readers()

    def refresh(self) -> Ledger | None:
        if self._local or self._read_state() == self._state:  # a local file has one process
            return None
        self._state = self._read_state()
        return self._read_items()

    def shapes(self) -> dict[str, tuple[int, int]]:
        dims = self._state["key_dims"]
        return {table: (len(ids), dims[table]) for table, ids in self._key_ids.items()}

    def search(self, table: str, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        known, center = self._key_ids[table], self._center(table)
        wanted, unlisted = min(k + _SPARE, len(known)), sorted(self._left)
        limits = f"id < {self.next_id()}" + (f" and id not in {unlisted}" if unlisted else "")
        options: dict[str, Any] = {"filter": limits, "output_fields": ["vector"], "limit": wanted}
        found: list[Any] = []
        moved = (queries.cpu().double() - center).float()
        for part in moved.split(max(1, _NUMBERS // (wanted * moved.shape[1]))):
            data, name = list(part.numpy()), self._full(self._collection(table))
            found += self._client.search(name, data=data, **options) if data else []
        rows = [sorted((hit["id"], hit["entity"]["vector"]) for hit in hits) for hits in found]
        width = min([wanted, *map(len, rows)])  # another process may just have removed items
        cells = [cell for row in rows for cell in row[:width]]
        ids = _whole([i for i, _ in cells]).view(len(queries), width)
        keys = _vectors_of([vector for _, vector in cells]).double().view(*ids.shape, -1) + center
        metric = table_metric(table, self._state["metric"])
        close, ids = best(closeness(queries.cpu(), keys, metric), ids, k)
        return as_scores(close, metric), ids

    def keys(self, table: str, ids: Tensor | None) -> Tensor:
        ids = self._key_ids[table] if ids is None else ids
        check_all_there(table, ids, torch.isin(ids, self._key_ids[table]))
        cells = self._rows(self._collection(table), ids.unique(), "vector")
        found = {cell["id"]: cell["vector"] for cell in cells}
        rows, center = _vectors_of([found[i] for i in ids.tolist()]), self._center(table)
        return rows.double() + center if center.any() else rows

    def key_ids(self, table: str) -> Tensor:
        return self._key_ids[table]

    def next_id(self) -> int:
        return self._state["next_id"]

    def modalities(self) -> set[str]:
        return set(self._state["modalities"])

    def values(self, modality: str, ids: Tensor) -> list[bytes | None]:
        cells: dict[int, dict[int, str]] = {}
        where = f" and modality == {json.dumps(modality, ensure_ascii=False)}"
        for row in self._rows("contents", ids.unique(), "part", "text", where=where):
            cells.setdefault(row["id"], {})[row["part"]] = row["text"]
        joined = {i: "".join(parts[part] for part in sorted(parts)) for i, parts in cells.items()}
        return [base64.b64decode(joined[i]) if i in joined else None for i in ids.tolist()]

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        if self._local:  # the server of a local file runs in this process
            manager = require("milvus_lite.server_manager", "milvus-lite")
            manager.server_manager_instance.release_server(self.uri)
            self._lock.release()

    def _begin(self, header: Mapping[str, Any]) -> Ledger:
        """Make or load the collections, and list the items."""
        type_ = self._pymilvus.DataType
        number, text = {"datatype": type_.INT64}, {"datatype": type_.VARCHAR, "max_length": 65_535}
        name = {"datatype": type_.VARCHAR, "max_length": 512, "is_primary": True}
        self._make("state", {"name": name, "text": text})
        self._make("items", {"id": number | {"is_primary": True}, "item_group": number})
        fields = {"name": name, "id": number, "modality": text, "part": number, "text": text}
        self._make("contents", fields)
        self._state = self._read_state()
        if not self._state:
            self._state = {**header, "next_id": 0, "key_dims": {}, "modalities": []}
            self._write_state()
        check_header(self.name, self._state, header)
        return self._read_items()

    def _read_items(self) -> Ledger:
        """All items that are listed; the other rows are those of unfinished batches."""
        every = _whole([*range(self.next_id())])
        rows = self._rows("items", every, "item_group")
        items = Ledger(sorted([row["id"], row["item_group"]] for row in rows))
        listed = {*items.ids.tolist()}
        written = {row["id"] for row in self._rows("contents", every)}
        for table in self._state["key_dims"]:
            self._make_keys(table)
            ids = {row["id"] for row in self._rows(self._collection(table), every)}
            self._key_ids[table] = _whole(sorted(ids & listed))
            written |= ids
        self._left = written - listed
        return items

    def _vectors(self, table: str, keys: Tensor) -> Tensor:
        """Keys as Milvus stores them: float32, from the center of the table."""
        wide = keys.detach().cpu().double()
        if table not in self._state["key_dims"]:
            self._state.setdefault("centers", {}).pop(table, None)  # of a write that was refused
            mean, metric = wide.mean(dim=0), table_metric(table, self._state["metric"])
            far = mean.norm() > _FAR * (wide - mean).norm(dim=1).mean()
            if far and metric == "euclidean":
                self._state["centers"][table] = mean.tolist()
        wide = wide - self._center(table)
        if keys.dtype == torch.float64:
            lost = len(wide.unique(dim=0)) - len(wide.float().unique(dim=0))
            if lost:
                expected = "keys that differ in float32, which Milvus stores"
                raise ValueError(f"{table}: expected {expected}, got {lost} equal ones")
        return wide.float()

    def _center(self, table: str) -> Tensor:
        center = self._state.get("centers", {}).get(table, 0.0)
        return torch.tensor(center, dtype=torch.float64, device="cpu")

    def _tell_readers(self) -> None:
        """Change the state, so that other processes read the items again."""
        if not self._local:
            self._state["changes"] = self._state.get("changes", 0) + 1
            self._write_state()

    def _full(self, collection: str) -> str:
        return f"{self.name}_{collection}"

    def _collection(self, table: str) -> str:
        """Collection of a key table: names in Milvus are letters, digits and _."""
        return f"keys_{list(self._state['key_dims']).index(table)}"

    def _make_keys(self, table: str) -> None:
        metric = "IP" if table_metric(table, self._state["metric"]) == "cosine" else "L2"
        item = {"datatype": self._pymilvus.DataType.INT64, "is_primary": True}
        index = self._index | {"metric_type": metric}
        self._make(self._collection(table), {"id": item}, self._state["key_dims"][table], index)
        self._key_ids.setdefault(table, _whole([]))

    def _make(
        self, collection: str, fields: dict[str, dict], dim: int = 2, index: dict | None = None
    ) -> None:
        """Load a collection, or create it with a vector field."""
        full = self._full(collection)
        if self._client.has_collection(full):
            self._client.load_collection(full)
            return
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        for field, options in fields.items():
            schema.add_field(field, **options)
        schema.add_field("vector", self._pymilvus.DataType.FLOAT_VECTOR, dim=dim)
        indexes = self._client.prepare_index_params()
        indexes.add_index("vector", **(index or {"index_type": "FLAT", "metric_type": "L2"}))
        options = {"schema": schema, "index_params": indexes, "consistency_level": "Strong"}
        self._client.create_collection(full, **options)

    def _insert(self, collection: str, rows: Iterator[dict]) -> None:
        while part := list(islice(rows, _INSERTED)):
            self._client.insert(self._full(collection), part)

    def _rows(self, collection: str, ids: Tensor, *fields: str, where: str = "") -> Iterator[dict]:
        for part in ids.split(_CELLS if where else _AT_ONCE) if len(ids) else ():
            yield from self._query(collection, f"id in {part.tolist()}{where}", "id", *fields)

    def _query(self, collection: str, condition: str, *fields: str) -> list[dict]:
        full = self._full(collection)
        return self._client.query(full, filter=condition, output_fields=list(fields))

    def _read_state(self) -> dict[str, Any]:
        rows = self._query("state", 'name == "state"', "text")
        return json.loads(rows[0]["text"]) if rows else {}

    def _write_state(self) -> None:
        row = {"name": "state", "text": json.dumps(self._state), "vector": _NOTHING}
        self._client.upsert(self._full("state"), [row])


def _cells(modality: str, ids: list[int], column: list[bytes]) -> Iterator[dict]:
    """Values as rows of text in base64, a long value in several rows."""
    for i, content in zip(ids, column, strict=True):
        text = base64.b64encode(content).decode()
        for part in range(0, len(text), _TEXT):
            cell = {"name": f"{i}/{part}/{modality}", "id": i, "modality": modality, "part": part}
            yield cell | {"text": text[part : part + _TEXT], "vector": _NOTHING}


def _whole(numbers: list[int]) -> Tensor:
    return torch.from_numpy(np.array(numbers, np.int64))


def _vectors_of(cells: list[list[float]]) -> Tensor:
    return torch.from_numpy(np.array(cells, np.float32))
