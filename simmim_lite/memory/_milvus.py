"""Items in a Milvus vector database: a local file, or a server or cluster by its address."""

import base64
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from simmim_lite.memory._backend import Contents, check_all_there
from simmim_lite.memory._batch import Batch, metric_of
from simmim_lite.memory._optional import require

_AT_ONCE = 8192  # rows in an answer: Milvus gives 16,384 at most
_CELLS = 100  # items in a question for content: an answer has 64 MB at most
_INSERTED = 1000  # rows in a message with content
_TEXT = 60_000  # characters in a cell: Milvus allows 65,535 bytes
_NOTHING = [0.0, 0.0]  # Milvus wants a vector in every row


class Milvus:
    """Items in Milvus (Wang et al. 2021), which searches the keys itself, be they billions.

    The same code runs on one machine, ``Milvus("memory_milvus.db")`` (by milvus-lite), and with a
    server or a cluster, ``Milvus("http://address:19530", token="user:password")``. Milvus has no
    transactions: a batch counts as written when the last of its rows, those that say that it is
    there, are written; what a crash left of another one is removed when the memory is opened.
    One process writes at a time.

    Args:
        uri: a path that ends in .db (of a folder that milvus-lite makes), or the address of a
                server.
        name: of the memory, for a server holds many: letters, digits and _.
        index: how Milvus searches: "FLAT" looks at every key, "HNSW" and "IVF_FLAT" don't.
        parameters: of that index, as Milvus calls them, such as ``{"M": 16}``.
        token: of a server, "user:password" or a key.
    """

    def __init__(
        self,
        uri: str | Path,
        *,
        name: str = "memory",
        index: str = "FLAT",
        parameters: Mapping[str, Any] | None = None,
        token: str = "",
    ):
        self._pymilvus = require("pymilvus", "pymilvus milvus-lite")
        if not (name.isidentifier() and name.isascii()):
            raise ValueError(f"name: expected letters, digits and _, got {name!r}")
        if "://" not in str(uri) and Path(uri).suffix != ".db":
            raise ValueError(f"uri: expected an address or a path that ends in .db, got {uri}")
        self.uri, self.name, self._token = str(uri), name, token
        self._index = {"index_type": index, "params": dict(parameters or {})}
        self._owners: dict[str, Tensor] = {}
        self._client: Any = None
        self._lock: FileLock | None = None

    def open(self, header: Mapping[str, Any]) -> Contents:
        if "://" not in self.uri:
            self._lock = FileLock(f"{self.uri}.lock")
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                raise ValueError(f"uri: another process uses {Path(self.uri).name}") from None
        try:
            self._client = self._pymilvus.MilvusClient(uri=self.uri, token=self._token)
            return self._begin(header)
        except BaseException:
            self.close()
            raise

    def add(self, batch: Batch) -> Tensor:
        if self._read_state()["following"] != self._state["following"]:
            raise ValueError(f"{self.name}: another process writes to it; open it anew")
        first = self.following()
        ids = list(range(first, first + len(batch)))
        for kind, keys in batch.keys.items():
            self._state["kinds"].setdefault(kind, keys.shape[1])
            self._make_keys(kind)
        self._state["modalities"] = sorted({*self._state["modalities"], *batch.values})
        self._state["following"] = first + len(batch)
        self._write_state()  # before the rows, so that no crash can make an id be given twice
        for modality, column in batch.values.items():
            self._insert("contents", _cells(modality, ids, column))
        for kind, keys in batch.keys.items():
            rows = keys.detach().cpu().numpy()
            self._insert(
                self._table(kind), ({"id": i, "vector": r} for i, r in zip(ids, rows, strict=True))
            )
        sizes, groups = batch.sizes().tolist(), batch.groups.tolist()
        self._client.insert(
            self._full("items"),
            [
                {"id": i, "part": group, "size": size, "vector": _NOTHING}
                for i, group, size in zip(ids, groups, sizes, strict=True)
            ],
        )
        found = torch.tensor(ids)
        for kind in batch.keys:
            self._owners[kind] = torch.cat([self._owners[kind], found])
        return found

    def remove(self, ids: Tensor) -> None:
        for table in ("items", *map(self._table, self.kinds()), "contents"):
            for part in ids.split(_AT_ONCE):
                self._client.delete(self._full(table), filter=f"id in {part.tolist()}")
        for kind, owners in self._owners.items():
            self._owners[kind] = owners[~torch.isin(owners, ids)]

    def refresh(self) -> None:
        return None

    def kinds(self) -> dict[str, int]:
        return dict(self._state["kinds"])

    def count(self, kind: str) -> int:
        return len(self._owners.get(kind, ()))

    def search(self, kind: str, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        k = min(k, self.count(kind))
        hits = self._client.search(
            self._full(self._table(kind)), data=list(queries.cpu().numpy()), limit=k
        )
        ids = torch.tensor([[hit["id"] for hit in row] for row in hits])
        scores = torch.tensor([[hit["distance"] for hit in row] for row in hits])
        cosine = metric_of(kind, self._state["metric"]) == "cosine"
        return (scores if cosine else -scores / 2), ids

    def keys(self, kind: str, ids: Tensor | None) -> Tensor:
        ids = self._owners[kind] if ids is None else ids
        distinct, places = ids.unique(return_inverse=True)
        found = {
            row["id"]: row["vector"] for row in self._rows(self._table(kind), distinct, "vector")
        }
        there = torch.tensor([item in found for item in distinct.tolist()], dtype=torch.bool)
        check_all_there(kind, distinct, there)
        return torch.tensor([found[item] for item in distinct.tolist()])[places]

    def owners(self, kind: str) -> Tensor:
        return self._owners[kind]

    def following(self) -> int:
        return self._state["following"]

    def modalities(self) -> set[str]:
        return set(self._state["modalities"])

    def values(self, modality: str, ids: Tensor) -> list[bytes | None]:
        cells: dict[int, dict[int, str]] = {}
        where = f' and modality == "{modality}"'
        for row in self._rows("contents", ids.unique(), "part", "text", where=where):
            cells.setdefault(row["id"], {})[row["part"]] = row["text"]
        joined = {i: "".join(parts[part] for part in sorted(parts)) for i, parts in cells.items()}
        return [base64.b64decode(joined[i]) if i in joined else None for i in ids.tolist()]

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        if "://" not in self.uri:  # the server of a local file runs in this process
            manager = require("milvus_lite.server_manager", "milvus-lite")
            manager.server_manager_instance.release_server(self.uri)
        if self._lock is not None:
            self._lock.release()

    def _begin(self, header: Mapping[str, Any]) -> Contents:
        type_ = self._pymilvus.DataType
        number, text = {"datatype": type_.INT64}, {"datatype": type_.VARCHAR, "max_length": 65_535}
        name = {"datatype": type_.VARCHAR, "max_length": 512, "is_primary": True}
        item = number | {"is_primary": True}
        self._make("state", {"name": name, "text": text}, 2)
        self._make("items", {"id": item, "part": number, "size": number}, 2)
        fields = {"name": name, "id": number, "modality": text, "part": number, "text": text}
        self._make("contents", fields, 2)
        fresh = {**header, "following": 0, "kinds": {}, "modalities": []}
        self._state = self._read_state() or fresh
        for field, expected in header.items():
            if self._state[field] != expected:
                there = self._state[field]
                raise ValueError(
                    f"{field}: {self.name} is a memory with {there!r}, got {expected!r}"
                )
        self._write_state()
        rows = self._every_row("items", "part", "size")
        found = [[row["id"], row["part"], row["size"]] for row in rows]
        contents = torch.tensor(sorted(found), dtype=torch.int64).reshape(-1, 3).T.contiguous()
        for kind in self.kinds():
            self._make_keys(kind)
            owners = torch.tensor([row["id"] for row in self._every_row(self._table(kind))])
            self._owners[kind] = owners.long().sort().values
        written = {row["id"] for row in self._every_row("contents")}
        written = {*written, *(i for owners in self._owners.values() for i in owners.tolist())}
        if left := written - set(contents[0].tolist()):  # of a batch that a crash cut off
            self.remove(torch.tensor(sorted(left)))
        return Contents(*contents)

    def _full(self, table: str) -> str:
        return f"{self.name}_{table}"

    def _table(self, kind: str) -> str:
        """Of keys: names in Milvus are letters, digits and _."""
        return f"keys_{list(self._state['kinds']).index(kind)}"

    def _make_keys(self, kind: str) -> None:
        metric = "IP" if metric_of(kind, self._state["metric"]) == "cosine" else "L2"
        item = {"datatype": self._pymilvus.DataType.INT64, "is_primary": True}
        self._make(self._table(kind), {"id": item}, self._state["kinds"][kind], metric)
        self._owners.setdefault(kind, torch.empty(0, dtype=torch.int64))

    def _make(self, table: str, fields: dict[str, dict], dim: int, metric: str = "") -> None:
        if self._client.has_collection(self._full(table)):
            self._client.load_collection(self._full(table))
            return
        client, vector = self._pymilvus.MilvusClient, self._pymilvus.DataType.FLOAT_VECTOR
        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        for field, options in fields.items():
            schema.add_field(field, **options)
        schema.add_field("vector", vector, dim=dim)
        how = (
            self._index | {"metric_type": metric}
            if metric
            else {"index_type": "FLAT", "metric_type": "L2"}
        )
        indexes = client.prepare_index_params()
        indexes.add_index("vector", **how)
        self._client.create_collection(
            self._full(table), schema=schema, index_params=indexes, consistency_level="Strong"
        )

    def _insert(self, table: str, rows: Iterator[dict]) -> None:
        while part := list(islice(rows, _INSERTED)):
            self._client.insert(self._full(table), part)

    def _rows(self, table: str, ids: Tensor, *fields: str, where: str = "") -> Iterator[dict]:
        """Rows of some items."""
        for part in ids.split(_CELLS if where else _AT_ONCE):
            yield from self._query(table, f"id in {part.tolist()}{where}", *fields)

    def _every_row(self, table: str, *fields: str) -> Iterator[dict]:
        for start in range(0, self.following(), _AT_ONCE):
            yield from self._query(table, f"id >= {start} and id < {start + _AT_ONCE}", *fields)

    def _query(self, table: str, condition: str, *fields: str) -> list[dict]:
        return self._client.query(
            self._full(table), filter=condition, output_fields=["id", *fields]
        )

    def _read_state(self) -> dict[str, Any]:
        rows = self._client.query(
            self._full("state"), filter='name == "state"', output_fields=["text"]
        )
        return json.loads(rows[0]["text"]) if rows else {}

    def _write_state(self) -> None:
        row = {"name": "state", "text": json.dumps(self._state), "vector": _NOTHING}
        self._client.upsert(self._full("state"), [row])


def _cells(modality: str, ids: list[int], column: list[bytes]) -> Iterator[dict]:
    """Values as rows of text, long ones in several."""
    for i, content in zip(ids, column, strict=True):
        text = base64.b64encode(content).decode()
        for part in range(0, len(text), _TEXT):
            yield {
                "name": f"{i}/{part}/{modality}",
                "id": i,
                "modality": modality,
                "part": part,
                "text": text[part : part + _TEXT],
                "vector": _NOTHING,
            }
