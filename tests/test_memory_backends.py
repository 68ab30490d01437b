"""One contract for every backend; crashes, several processes, and files of other kinds."""

import importlib.util
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from torch import nn

from simmim_lite.memory import Faiss, Milvus, Ram, SimulatedMemory, SQLite

DIM = 6


def needs(package: str) -> Callable:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed: optional backend")


def faiss_tiny(kind: str) -> Faiss:
    """Used from the first key on, and thorough: all lists are searched, all keys followed."""
    return Faiss(kind, probes=100, effort=200, smallest=1)


# name: (backend in a folder, whether the search is exact, whether it is kept in the folder)
BACKENDS = {
    "ram": (lambda folder: Ram(), True, False),
    "ivf": (lambda folder: Ram(faiss_tiny("ivf")), True, False),
    "hnsw": (lambda folder: Ram(faiss_tiny("hnsw")), False, False),
    "lsh": (lambda folder: Ram(faiss_tiny("lsh")), False, False),
    "sqlite": (lambda folder: SQLite(folder / "memory.db"), True, True),
    "sqlite, ivf": (lambda folder: SQLite(folder / "memory.db", faiss_tiny("ivf")), True, True),
    "milvus": (lambda folder: Milvus(folder / "milvus.db"), True, True),
}
PACKAGE = {"ivf": "faiss", "hnsw": "faiss", "lsh": "faiss", "sqlite, ivf": "faiss"}
PACKAGE["milvus"] = "milvus_lite"
EVERY = [
    pytest.param(name, marks=needs(PACKAGE[name])) if name in PACKAGE else name for name in BACKENDS
]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return nn.functional.normalize(random(*shape, seed=seed), dim=-1)


def scores_of(query: np.ndarray, key: np.ndarray, table: str, metric: str) -> float:
    """Score by the documented formula."""
    if metric == "cosine" and not table.endswith("/instance"):
        return float(query @ key / (np.linalg.norm(query) * np.linalg.norm(key)))
    return float(-((query - key) ** 2).sum() / 2)


# The contract


class Contract(RuleBasedStateMachine):
    """Random writes, reads, removals and reopenings, beside a dictionary that does the same."""

    backend: str
    folder: Path
    count = 0

    def __init__(self):
        super().__init__()
        self.make, self.exact, self.kept = BACKENDS[self.backend]
        Contract.count += 1
        self.place = self.folder / str(Contract.count)
        self.place.mkdir()
        self.metric = ("cosine", "euclidean")[Contract.count % 2]
        self.items: dict[int, dict] = {}
        self.highest = -1
        self.memory = self.opened()

    def opened(self) -> SimulatedMemory:
        return SimulatedMemory(DIM, metric=self.metric, backend=self.make(self.place))

    def teardown(self):
        self.memory.close()

    @rule(
        n=st.integers(0, 9),
        seed=st.integers(0, 2**20),
        modalities=st.sampled_from([("image",), ("image", "text"), ("text", "speech")]),
        with_instance=st.booleans(),
    )
    def write(self, n, seed, modalities, with_instance):
        rng = np.random.default_rng(seed)
        keys = {m: rng.normal(size=(n, DIM)).astype("f4") for m in modalities}
        instance = {modalities[0]: rng.normal(size=(n, 3)).astype("f4")} if with_instance else {}
        values = {m: [f"{m} {seed} {i}" for i in range(n)] for m in modalities}
        groups = rng.integers(3, size=n)
        ids = self.memory.write(keys, values, instance=instance, groups=groups).tolist()
        assert len(ids) == n
        assert ids == sorted(set(ids))
        assert not ids or ids[0] > self.highest, "an id was given twice"
        self.highest = max([self.highest, *ids])
        tables = keys | {f"{m}/instance": rows for m, rows in instance.items()}
        for row, item in enumerate(ids):
            self.items[item] = {
                "keys": {table: rows[row] for table, rows in tables.items()},
                "values": {m: column[row] for m, column in values.items()},
                "group": int(groups[row]),
            }

    @precondition(lambda self: self.items)
    @rule(seed=st.integers(0, 2**20), k=st.integers(1, 12), choice=st.integers(0, 99))
    def read(self, seed, k, choice):
        tables = sorted({table for item in self.items.values() for table in item["keys"]})
        table = tables[choice % len(tables)]
        modality, _, instance = table.partition("/")
        there = {i: item["keys"][table] for i, item in self.items.items() if table in item["keys"]}
        queries = np.random.default_rng(seed).normal(size=(3, len(next(iter(there.values())))))
        queries = queries.astype("f4")
        by = "instance" if instance else "semantic"
        result = self.memory.read(torch.from_numpy(queries), modality, k, by=by)
        k = min(k, len(there))
        assert result.ids.shape == result.scores.shape == result.weights.shape == (3, k)
        for query, ids, scores in zip(queries, result.ids.tolist(), result.scores, strict=True):
            truth = {i: scores_of(query, key, table, self.metric) for i, key in there.items()}
            best = sorted(truth.values(), reverse=True)[:k]
            assert len(set(ids)) == k
            # float32, and numbers of about 10
            np.testing.assert_allclose(scores, [truth[i] for i in ids], atol=1e-4)
            if self.exact:
                np.testing.assert_allclose(scores, best, atol=1e-4)
        values = result.values(modality) if modality in self.written() else []
        for ids, row in zip(result.ids.tolist(), values, strict=False):
            assert row == [self.items[i]["values"].get(modality) for i in ids]

    def written(self) -> set[str]:
        return {m for item in self.items.values() for m in item["values"]}

    @precondition(lambda self: self.items)
    @rule(data=st.data())
    def forget(self, data):
        gone = data.draw(st.lists(st.sampled_from(sorted(self.items)), max_size=5))
        assert self.memory.forget([*gone, self.highest + 1]) == len(set(gone))
        for item in gone:
            self.items.pop(item, None)

    @precondition(lambda self: self.items)
    @rule(share=st.floats(0, 1), policy=st.sampled_from(["oldest", "reservoir"]))
    def shrink(self, share, policy):
        keep = round(share * len(self.items))
        surplus = self.memory._ledger.surplus(keep, policy, seed=0)
        assert self.memory.forget(surplus) == len(self.items) - keep
        left = self.memory.ids.tolist()
        assert len(left) == keep
        if policy == "oldest":
            assert left == sorted(self.items)[len(self.items) - keep :]
        else:  # the largest groups pay: sizes are equal, or as they were
            before = Counter(item["group"] for item in self.items.values())
            after = Counter(self.items[i]["group"] for i in left)
            top = max(after.values(), default=0)
            assert all(after[g] in (n, top, top - 1) for g, n in before.items())
        self.items = {i: self.items[i] for i in left}

    @rule()
    def compare(self):
        assert len(self.memory) == len(self.items)
        assert self.memory.ids.tolist() == sorted(self.items)
        for item in list(self.items)[:3]:
            assert item in self.memory.ids
            for modality in self.written():
                value = self.items[item]["values"].get(modality)
                assert self.memory.values([item], modality) == [value]
            for table, key in self.items[item]["keys"].items():
                modality, _, instance = table.partition("/")
                found = self.memory.keys(
                    [item], modality, by="instance" if instance else "semantic"
                )
                if self.metric == "cosine" and not instance:
                    key = key / np.linalg.norm(key)
                np.testing.assert_allclose(found[0], key, atol=1e-6)

    @rule()
    def reopen(self):
        if self.kept:
            self.memory.close()
            self.memory = self.opened()
        else:
            self.memory.save(self.place / "memory")
            index = self.memory._backend.index
            self.memory = SimulatedMemory.load(self.place / "memory", index=index)


@pytest.mark.parametrize("backend", EVERY)
def test_contract(backend: str, tmp_path: Path):
    machine = type("Machine", (Contract,), {"backend": backend, "folder": tmp_path})
    examples, steps = (3, 12) if backend == "milvus" else (15, 20)
    patient = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=patient)


@pytest.mark.parametrize("backend", EVERY)
def test_what_is_wrong_is_refused_whole(backend: str, tmp_path: Path):
    memory = SimulatedMemory(DIM, backend=BACKENDS[backend][0](tmp_path))
    memory.write({"image": random(3, DIM)}, {"image": ["a", "b", "c"]})
    bad = random(2, DIM)
    bad[1, 0] = math.nan
    wrong = [
        (ValueError, r"nan at \(1, 0\)", {"image": bad}, {}, {}),
        (ValueError, "expected 2 rows", {"image": random(2, DIM), "text": random(3, DIM)}, {}, {}),
        (ValueError, r"\(N, 6\)", {"image": random(2, DIM + 1)}, {}, {}),
        (ValueError, "values", {"image": random(2, DIM)}, {"image": ["x"]}, {}),
        (TypeError, r"values\['image'\]\[1\]", {"image": random(2, DIM)}, {"image": ["x", {}]}, {}),
        (ValueError, "groups", {"image": random(2, DIM)}, {}, {"groups": [1, 2, 3]}),
        (ValueError, "keys", {}, {}, {}),
        (ValueError, "names of modalities", {"a/instance": random(2, DIM)}, {}, {}),
        (TypeError, "one text", {"image": random(2, DIM)}, {"image": "xy"}, {}),
    ]
    for error, message, keys, values, options in wrong:
        with pytest.raises(error, match=message):
            memory.write(keys, values, **options)
    assert memory.ids.tolist() == [0, 1, 2]
    assert memory.write({"image": random(1, DIM)}).tolist() == [3]
    memory.close()


@pytest.mark.parametrize("backend", ["ram", "sqlite"])
def test_instance_keys_have_one_width(backend: str, tmp_path: Path):
    memory = SimulatedMemory(DIM, backend=BACKENDS[backend][0](tmp_path))
    memory.write({"image": random(2, DIM)}, instance={"image": random(2, 5)})
    with pytest.raises(ValueError, match=r"\(N, 5\)"):
        memory.write({"image": random(2, DIM)}, instance={"image": random(2, 4)})
    memory.close()


@pytest.mark.parametrize("backend", EVERY)
def test_an_item_without_a_key_is_named(backend: str, tmp_path: Path):
    with SimulatedMemory(DIM, backend=BACKENDS[backend][0](tmp_path)) as memory:
        memory.write({"image": random(2, DIM)}, instance={"image": random(2, 3)})
        memory.write({"image": random(1, DIM)})
        with pytest.raises(ValueError, match="image/instance keys, got 2"):
            memory.keys([0, 2], "image", by="instance")
        with pytest.raises(ValueError, match="image/instance keys, got 2"):
            memory.style_neighbors(memory.read(random(1, DIM), "image", 3), "image", 2)


# Durability


def test_another_memory_in_the_file_is_refused(tmp_path: Path):
    SimulatedMemory(8, backend=SQLite(tmp_path / "memory.db")).close()
    with pytest.raises(ValueError, match=r"dim.*8.*got 9"):
        SimulatedMemory(9, backend=SQLite(tmp_path / "memory.db"))
    with pytest.raises(ValueError, match="metric"):
        SimulatedMemory(8, metric="euclidean", backend=SQLite(tmp_path / "memory.db"))
    memory = SimulatedMemory(8)
    with pytest.raises(ValueError, match="fresh"):
        SimulatedMemory(8, backend=memory._backend)


def test_a_failing_transaction_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    memory = SimulatedMemory(DIM, backend=SQLite(tmp_path / "memory.db"))
    memory.write({"image": random(3, DIM)}, {"text": ["a", "b", "c"]})
    insert = SQLite._insert

    def fails(self, table, rows, *marks):
        if table == "contents":
            raise OSError("disk full")
        insert(self, table, rows, *marks)

    monkeypatch.setattr(SQLite, "_insert", fails)
    with pytest.raises(OSError, match="disk full"):
        memory.write({"image": random(2, DIM)}, {"text": ["d", "e"]})
    monkeypatch.undo()
    assert len(memory) == 3
    assert memory.write({"image": random(1, DIM)}, {"text": ["f"]}).tolist() == [3]
    other = SimulatedMemory(DIM, backend=SQLite(tmp_path / "memory.db"))
    assert other.values(other.ids, "text") == ["a", "b", "c", "f"]
    assert other.read(random(1, DIM), "image", 9).ids.shape == (1, 4)
    memory.close()
    other.close()


def test_two_connections_see_each_other(tmp_path: Path):
    first, second = (
        SimulatedMemory(DIM, policy="least_read", backend=SQLite(tmp_path / "memory.db"))
        for _ in range(2)
    )
    keys = unit(6, DIM)
    assert first.write({"image": keys[:2]}).tolist() == [0, 1]
    assert second.write({"image": keys[2:4]}).tolist() == [2, 3]
    assert first.write({"image": keys[4:]}).tolist() == [4, 5]
    for memory in (first, second):
        assert memory.read(keys, "image").ids[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert first.stats()["reads"] == 6
    second.forget([0, 4])
    assert first.stats()["reads"] == 4, "reads of the items that stay are kept"
    assert first.ids.tolist() == [1, 2, 3, 5]
    assert not torch.isin(first.read(keys, "image", 4).ids, torch.tensor([0, 4])).any()
    first.close()
    second.close()


WRITER = """
import sys, torch
from simmim_lite.memory import Milvus, SimulatedMemory, SQLite
backend, path, name, batches = sys.argv[1:]
memory = SimulatedMemory(6, backend={"sqlite": SQLite, "milvus": Milvus}[backend](path))
torch.set_num_threads(1)
print("open", flush=True)
for batch in range(int(batches)):
    keys = torch.randn(20, 6)
    texts = [f"{name} {batch} {i}" for i in range(20)]
    ids = memory.write({"image": keys, "text": keys}, {"text": texts}, instance={"image": keys})
    print(batch, int(ids[0]), int(ids[-1]), flush=True)
memory.close()
"""


def writer(backend: str, path: Path, name: str, batches: int) -> subprocess.Popen:
    """A process that writes batches of 20 items and prints the ids of each once it has them."""
    command = [sys.executable, "-c", WRITER, backend, str(path), name, str(batches)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def check_after_a_crash(memory: SimulatedMemory, acknowledged: list[list[int]], name: str) -> int:
    """Count the batches; every batch is complete, and each acknowledged batch is there."""
    for batch, first, last in acknowledged:
        texts = memory.values(range(first, last + 1), "text")
        assert texts == [f"{name} {batch} {i}" for i in range(20)]
    texts = Counter(text.rsplit(" ", 1)[0] for text in memory.values(memory.ids, "text"))
    assert set(texts.values()) <= {20}, "a part of a batch is missing"
    counts = {count for count, _ in memory._backend.shapes().values()}
    assert counts == {len(memory)}, "an item lacks a key, or a key its item"
    return len(texts)


@pytest.mark.parametrize(
    "backend", ["sqlite", pytest.param("milvus", marks=[needs("milvus_lite"), pytest.mark.slow])]
)
def test_kill_in_the_middle_of_writing(backend: str, tmp_path: Path):
    """SIGKILL at a random moment; `reproduction/peers/bench_memory.py` does it fifty times."""
    process = writer(backend, tmp_path / "memory.db", "a", 10_000)
    lines = [process.stdout.readline() for _ in range(8)]
    process.kill()
    lines += process.stdout.readlines()
    process.communicate()
    acknowledged = [list(map(int, line.split())) for line in lines[1:] if line.endswith("\n")]
    make = {"sqlite": SQLite, "milvus": Milvus}[backend]
    memory = SimulatedMemory(6, backend=make(tmp_path / "memory.db"))
    batches = check_after_a_crash(memory, acknowledged, "a")
    assert batches in (len(acknowledged), len(acknowledged) + 1)
    assert memory.write({"image": random(1, 6)}).item() > max(memory.ids[:-1])
    memory.close()


@pytest.mark.slow
def test_two_processes_write_at_once(tmp_path: Path):
    names = ("a", "b")
    running = [writer("sqlite", tmp_path / "memory.db", name, 15) for name in names]
    outputs = [process.communicate()[0].splitlines()[1:] for process in running]
    memory = SimulatedMemory(6, backend=SQLite(tmp_path / "memory.db"))
    for name, output in zip(names, outputs, strict=True):
        acknowledged = [list(map(int, line.split())) for line in output]
        assert len(acknowledged) == 15
        check_after_a_crash(memory, acknowledged, name)
    assert len(memory) == 2 * 15 * 20
    memory.close()


@needs("milvus_lite")
def test_milvus_removes_what_a_crash_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    memory = SimulatedMemory(DIM, backend=Milvus(tmp_path / "milvus.db"))
    memory.write({"image": random(3, DIM)}, {"text": ["a", "b", "c" * 200_000]})
    with pytest.raises(ValueError, match="no other process"):
        SimulatedMemory(DIM, backend=Milvus(tmp_path / "milvus.db"))
    client = memory._backend._client
    insert = client.insert

    def fails(table, rows):
        if table.endswith("items"):
            raise OSError("killed")
        return insert(table, rows)

    monkeypatch.setattr(client, "insert", fails)
    with pytest.raises(OSError, match="killed"):
        memory.write({"image": random(2, DIM)}, {"text": ["d", "e"]})
    memory.close()
    memory = SimulatedMemory(DIM, backend=Milvus(tmp_path / "milvus.db"))
    assert memory.ids.tolist() == [0, 1, 2]
    assert memory.values([2], "text") == ["c" * 200_000]
    assert memory.read(random(1, DIM), "image", 9).ids.shape == (1, 3)
    assert memory.write({"image": random(1, DIM)}).tolist() == [5]
    memory.close()


def test_a_database_opens_after_a_refused_header(tmp_path):
    SimulatedMemory(4, backend=SQLite(tmp_path / "memory.db")).close()
    backend = SQLite(tmp_path / "memory.db")
    with pytest.raises(ValueError, match="dim"):
        SimulatedMemory(5, backend=backend)
    with SimulatedMemory(4, backend=backend) as memory:
        assert len(memory) == 0


def test_written_keys_leave_the_graph_of_their_encoder():
    memory = SimulatedMemory(2)
    memory.write({"a": torch.eye(2, requires_grad=True)})
    assert not memory.keys(memory.ids, "a").requires_grad
