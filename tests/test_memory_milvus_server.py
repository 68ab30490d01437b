"""A memory on a real Milvus server, on loopback: the package milvus holds the whole server."""

import importlib.util
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from reproduction.experiments.kill_tests import MilvusServer, server_killed
from simmim_lite.memory import Milvus, SimulatedMemory

absent = [name for name in ("milvus", "pymilvus") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(absent), reason=f"not installed: {' and '.join(absent)}, optional"),
    pytest.mark.filterwarnings("default"),  # of the packages of the server
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    running = MilvusServer(tmp_path_factory.mktemp("milvus"))
    yield running
    running.stop()


def opened(server: MilvusServer, name: str, index: dict | None = None) -> SimulatedMemory:
    return SimulatedMemory(
        3, metric="euclidean", backend=Milvus(server.address, name=name, index=index)
    )


@pytest.mark.parametrize("kind", ["FLAT", "HNSW"])
def test_write_read_forget_reopen(kind: str, server: MilvusServer):
    """Earth-centered coordinates: squares in float32 are wrong by a million square meters."""
    index = {
        "index_type": kind,
        "params": {"M": 16, "efConstruction": 100} if kind == "HNSW" else {},
    }
    place = np.array([3208300, 1835630.5, 5171310])
    rows = place + 2000 * np.random.default_rng(0).normal(size=(1000, 3))
    with opened(server, kind, index) as memory:
        ids = memory.write({'a "b"': rows, "तीन": rows}, {'a "b"': [*range(1000)]})
        found = memory.read(torch.from_numpy(rows[:100]), "तीन", 3)
        assert found.ids[:, 0].equal(ids[:100])
        assert (found.scores <= 0).all()
        assert memory.forget(ids[::2]) == 500
    with opened(server, kind, index) as memory:
        assert memory.ids.equal(ids[1::2])
        assert memory.values([1, 3], 'a "b"') == [1, 3]
        found = memory.read(torch.from_numpy(rows[1:100:2]), 'a "b"', 1)
        assert found.ids[:, 0].equal(ids[1:100:2])
        assert memory.write({"तीन": rows[:1]}).tolist() == [1000]


def test_two_readers_see_a_writer_and_do_not_disturb_it(server: MilvusServer, monkeypatch):
    rows = torch.eye(3)
    writer, first = (opened(server, "shared") for _ in range(2))
    writer.write({"a": rows})
    insert, seen = writer._backend._insert, []

    def meanwhile(collection, cells):
        if collection == "keys_0":
            insert(collection, cells)
            second = opened(server, "shared")  # in the middle of a batch
            seen.extend([first.ids.tolist(), second.ids.tolist()])
            seen.append(second.read(-rows[:1], "a", 9).ids[0].tolist())
            second.close()
        else:
            insert(collection, cells)

    monkeypatch.setattr(writer._backend, "_insert", meanwhile)
    writer.write({"a": -rows})
    assert [sorted(ids) for ids in seen] == [[0, 1, 2]] * 3
    second = opened(server, "shared")
    for reader in (first, second):
        assert reader.read(-rows, "a", 1).ids[:, 0].tolist() == [3, 4, 5]
    writer.forget([0, 3])
    for reader in (first, second):
        assert sorted(reader.read(rows[:1], "a", 9).ids[0].tolist()) == [1, 2, 4, 5]
        reader.close()
    writer.close()


def test_a_killed_server_loses_nothing(server: MilvusServer):
    """A server needs half a minute after a kill; `bench_memory.py --server` kills it ten times."""
    acknowledged, complaints = server_killed(server, 3)
    assert complaints == []
    assert acknowledged >= 1
