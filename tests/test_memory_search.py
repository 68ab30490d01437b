"""Search in key tables: exact in blocks, approximate with FAISS, on a GPU."""

import importlib.util
import sys

import numpy as np
import pytest
import torch

from simmim_lite.environment import measure_bytes
from simmim_lite.memory import Exact, Faiss, Milvus, Ram, SimulatedMemory, _search
from simmim_lite.memory._search import require

needs_faiss = pytest.mark.skipif(
    importlib.util.find_spec("faiss") is None, reason="faiss is not installed: optional"
)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_blocks_do_not_change_the_result(metric: str, monkeypatch: pytest.MonkeyPatch):
    memory = SimulatedMemory(16, metric=metric)
    memory.write({"image": random(700, 16)})
    queries = random(50, 16, seed=1)
    whole = memory.read(queries, "image", 20)
    monkeypatch.setattr(_search, "_SCORES", 300)
    monkeypatch.setattr(_search, "_QUERIES", 7)
    parts = memory.read(queries, "image", 20)
    assert parts.ids.equal(whole.ids)
    torch.testing.assert_close(parts.scores, whole.scores)


def test_no_table_of_all_scores():
    """2,000 queries times 20,000 keys would be 160 MB of scores."""
    memory = SimulatedMemory(16)
    memory.write({"image": random(20_000, 16)})
    queries = random(2_000, 16, seed=1)
    assert measure_bytes(lambda: memory.read(queries, "image", 10)) < 80e6
    attend = lambda: memory.read(queries, "image", None, mode="attend")  # noqa: E731
    assert measure_bytes(attend) < 40e6


@pytest.mark.parametrize("kind", ["ivf", "hnsw", "lsh"])
@needs_faiss
def test_approximate_search_finds_nearly_all(kind: str):
    """Keys in clusters, as embeddings are; each index misses less than one neighbor in 20."""
    centers = random(20, 32)
    keys = centers[torch.arange(4000) % 20] + 0.3 * random(4000, 32, seed=1)
    queries = centers[torch.arange(100) % 20] + 0.3 * random(100, 32, seed=2)
    exact, quick = (
        SimulatedMemory(32, backend=Ram(index)) for index in (None, Faiss(kind, smallest=100))
    )
    for memory in (exact, quick):
        memory.write({"image": keys})
    true, found = (memory.read(queries, "image", 10) for memory in (exact, quick))
    shared = [
        len({*a} & {*b}) / 10 for a, b in zip(true.ids.tolist(), found.ids.tolist(), strict=True)
    ]
    assert np.mean(shared) > 0.95
    assert quick._backend._tables["image"]._index is not None
    # and what is forgotten is gone at once, what is written is found at once
    quick.forget(found.ids[:, 0])
    again = quick.read(queries, "image", 10)
    assert not torch.isin(again.ids, found.ids[:, 0]).any()
    ids = quick.write({"image": queries})
    assert quick.read(queries, "image", 1).ids[:, 0].equal(ids)


@needs_faiss
def test_faiss_is_used_above_its_smallest_size_only():
    memory = SimulatedMemory(8, backend=Ram(Faiss("ivf", smallest=50)))
    memory.write({"image": random(49, 8)})
    memory.read(random(1, 8), "image")
    table = memory._backend._tables["image"]
    assert table._index is None
    memory.write({"image": random(1, 8, seed=1)})
    memory.read(random(1, 8), "image")
    assert table._index.ntotal == 50


@needs_faiss
def test_where_lists_hold_too_few_the_search_is_exact():
    exact, quick = (
        SimulatedMemory(8, backend=Ram(index))
        for index in (None, Faiss("ivf", probes=1, smallest=1))
    )
    for memory in (exact, quick):
        memory.write({"image": random(100, 8)})
    a, b = (memory.read(random(5, 8, seed=1), "image", 60) for memory in (exact, quick))
    assert a.ids.equal(b.ids)


@pytest.mark.parametrize("package", ["faiss", "pymilvus"])
def test_a_missing_package_is_named(package: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"pip install"):
        Faiss() if package == "faiss" else Milvus("memory.db")
    with pytest.raises(ImportError, match="pip install some-package"):
        require(package, "some-package")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_search_on_a_gpu_is_the_same():
    cpu, gpu = (SimulatedMemory(8, backend=Ram(Exact(device))) for device in ("cpu", "cuda"))
    for memory in (cpu, gpu):
        ids = memory.write({"image": random(500, 8)}, instance={"image": random(500, 3)})
        memory.forget(ids[::7])
    queries = random(20, 8, seed=1)
    a, b = (memory.read(queries, "image", 9, mode="attend") for memory in (cpu, gpu))
    assert a.ids.equal(b.ids)
    torch.testing.assert_close(a.key, b.key, atol=1e-5, rtol=1e-5)
    c = gpu.read(queries.cuda(), "image", 9, mode="attend")
    assert (c.ids.device, c.weights.device, c.key.device.type) == (
        a.ids.device,
        a.key.device,
        "cuda",
    )
    a, b = (
        memory.style_neighbors(r, "image", 3, generator=torch.Generator().manual_seed(0))
        for memory, r in ((cpu, a), (gpu, b))
    )
    assert a.ids.equal(b.ids)
