"""Keys far from 0, very close, very small, copied or odd: the right neighbor, or an error."""

import functools
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from simmim_lite.memory import Faiss, Ram, SimulatedMemory, SQLite, _search, fingerprint
from simmim_lite.memory._recall import describe_keys

needs_faiss = pytest.mark.skipif(
    importlib.util.find_spec("faiss") is None, reason="faiss is not installed: optional"
)
BACKENDS: dict[str, Callable] = {
    "ram": lambda folder: Ram(),
    "sqlite": lambda folder: SQLite(folder / "memory.db"),
} | {
    kind: functools.partial(lambda kind, folder: Ram(Faiss(kind, smallest=10)), kind)
    for kind in ("ivf", "hnsw", "lsh")
}
EVERY = [
    pytest.param(n, marks=[needs_faiss] if len(n) < 5 and n != "ram" else []) for n in BACKENDS
]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def nearest(queries: np.ndarray, keys: np.ndarray, metric: str) -> np.ndarray:
    """Row of the nearest key, from differences in extended precision."""
    queries, keys = queries.astype(np.longdouble), keys.astype(np.longdouble)
    if metric == "cosine":
        queries, keys = (x / np.sqrt((x**2).sum(1, keepdims=True)) for x in (queries, keys))
    return np.array([((keys - query) ** 2).sum(axis=1).argmin() for query in queries])


EARTH = normal(400, 3, seed=1)
EARTH *= 6.371e6 / np.linalg.norm(EARTH, axis=1, keepdims=True)
PLACES = {
    "origin": normal(400, 3),
    "1000": normal(400, 3) + 1000,
    "one region of the earth": np.array([3208300, 1835630.5, 5171310]) + 2000 * normal(400, 3),
    "pairs all over the earth": np.concatenate([EARTH, EARTH + 5 * normal(400, 3, seed=2)]),
    "small": normal(400, 3) * 1e-25,
    "large": normal(400, 3) * 1e12,
    "an outlier": np.concatenate([normal(400, 3), [[1e9, 0, 0]]]),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("backend", EVERY)
def test_every_key_finds_itself(backend: str, place: str, dtype: str, tmp_path: Path):
    keys = PLACES[place].astype(dtype)
    with SimulatedMemory(3, metric="euclidean", backend=BACKENDS[backend](tmp_path)) as memory:
        ids = memory.write({"a": keys})
        found = memory.read(torch.from_numpy(keys), "a", 2)
        assert found.ids[:, 0].equal(ids)
        assert (found.scores[:, 0] == 0).all()
        assert (found.scores <= 0).all()
        if backend in ("ram", "sqlite"):
            others = keys + (np.abs(keys).mean() * 1e-6 * normal(*keys.shape, seed=3)).astype(dtype)
            best = memory.read(torch.from_numpy(others), "a").ids[:, 0].numpy()
            assert (best == nearest(others, keys, "euclidean")).all()


@pytest.mark.parametrize("offset", [0, 1000, 1e5])
def test_directions_close_together_are_told_apart(offset: float):
    keys = (normal(300, 8) + offset).astype(np.float32)
    memory = SimulatedMemory(8)
    ids = memory.write({"a": keys})
    assert memory.read(torch.from_numpy(keys), "a").ids[:, 0].equal(ids)
    queries = (normal(50, 8, seed=1) + offset).astype(np.float32)
    found = memory.read(torch.from_numpy(queries), "a")
    assert (found.scores <= 1).all()
    if offset < 1e5:  # unit vectors of float32 have seven digits
        right = nearest(queries, keys, "cosine")
        assert (found.ids[:, 0].numpy() == right).mean() > 0.95


@pytest.mark.parametrize("scale", [1e-30, 1e-15, 1e15, 1e30])
def test_lengths_do_not_matter_to_the_cosine(scale: float):
    keys = normal(50, 4)
    memory, scaled = SimulatedMemory(4), SimulatedMemory(4)
    memory.write({"a": keys})
    scaled.write({"a": keys * scale})
    queries = normal(9, 4, seed=1)
    expected = memory.read(torch.from_numpy(queries), "a", 5)
    found = scaled.read(torch.from_numpy((queries * scale).astype(np.float32)), "a", 5)
    assert found.ids.equal(expected.ids)
    torch.testing.assert_close(found.scores, expected.scores, atol=1e-6, rtol=0)


@pytest.mark.parametrize("offset", [1e9, 1.7e12])
def test_float64_keys_keep_their_digits(offset: float, tmp_path: Path):
    """In float32, all of these keys are a few numbers; also one by one, saved, and reopened."""
    keys = normal(60, 2) + offset
    queries = torch.from_numpy(keys)
    for memory in (
        SimulatedMemory(2, metric="euclidean", backend=SQLite(tmp_path / "m.db")),
        SimulatedMemory(2, metric="euclidean"),
    ):
        memory.write({"a": np.float32([[offset, offset]])})
        ids = torch.cat([memory.write({"a": key[None]}) for key in keys])
        memory.write({"a": np.float32([[offset, offset]])})
        assert memory.read(queries, "a").ids[:, 0].equal(ids)
        assert (memory.keys(ids, "a").numpy() - keys).max() < 1e-3
        memory.save(tmp_path / "saved")
        memory.close()
        assert SimulatedMemory.load(tmp_path / "saved").read(queries, "a").ids[:, 0].equal(ids)
    with SimulatedMemory(2, metric="euclidean", backend=SQLite(tmp_path / "m.db")) as memory:
        assert memory.read(queries, "a").ids[:, 0].equal(ids)
        key = memory.read(queries, "a", 5, mode="attend", beta=1e4).key
        assert key.dtype == torch.float64
        assert (key - queries).abs().max() < 0.1


@pytest.mark.parametrize("place", ["1000", "pairs all over the earth"])
def test_attention_to_all_keys_keeps_its_digits(place: str):
    keys = PLACES[place].astype(np.float32)
    memory = SimulatedMemory(3, metric="euclidean")
    memory.write({"a": keys})
    scores = -((keys[:20, None].astype(float) - keys) ** 2).sum(axis=2) / 2
    weights = np.exp(scores * 0.5 - (scores * 0.5).max(axis=1, keepdims=True))
    expected = weights / weights.sum(axis=1, keepdims=True) @ keys.astype(float)
    for k in (None, len(keys)):
        found = memory.read(torch.from_numpy(keys[:20]), "a", k, mode="attend", beta=0.5).key
        np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(keys).max(), rtol=0)


def test_hubness_does_not_depend_on_the_origin():
    keys = torch.from_numpy(normal(300, 20))
    near, far = (describe_keys(rows, "euclidean")["hubness"] for rows in (keys, keys + 1e7))
    assert far == pytest.approx(near, rel=1e-3)


# Copies


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_of_equal_keys_the_oldest_is_found(metric: str, tmp_path: Path, monkeypatch):
    """Alone and in a batch, in every backend, whatever the size of the blocks."""
    keys = np.tile(normal(7, 5), (40, 1)).astype(np.float32)
    queries = torch.from_numpy(np.concatenate([keys[:7], normal(3, 5, seed=1).astype("f4")]))
    truth = [[first + 7 * i for i in range(9)] for first in range(7)]
    for blocks in (1 << 22, 500):
        monkeypatch.setattr(_search, "_SCORES", blocks)
        monkeypatch.setattr(_search, "_NUMBERS", blocks)
        for name in ("ram", "sqlite"):
            backend = BACKENDS[name](tmp_path / f"{blocks}")
            (tmp_path / f"{blocks}").mkdir(exist_ok=True)
            with SimulatedMemory(5, metric=metric, backend=backend) as memory:
                memory.write({"a": keys})
                found = memory.read(queries, "a", 9)
                assert found.ids[:7].tolist() == truth
                for i, query in enumerate(queries):
                    alone = memory.read(query[None], "a", 9)
                    assert alone.ids[0].equal(found.ids[i])
                    assert alone.scores[0].equal(found.scores[i])
                memory.forget([0, 14])
                assert memory.read(queries[:1], "a", 3).ids.tolist() == [[7, 21, 28]]


@needs_faiss
@pytest.mark.parametrize("kind", ["ivf", "hnsw", "lsh"])
def test_copies_in_faiss_are_items_of_their_own(kind: str):
    keys = np.tile(normal(10, 4), (5, 1)).astype(np.float32)
    memory = SimulatedMemory(4, metric="euclidean", backend=BACKENDS[kind](Path()))
    ids = memory.write({"a": keys})
    found = memory.read(torch.from_numpy(keys[:10]), "a", 5)
    assert found.ids.equal(ids.view(5, 10).T)
    memory.forget(found.ids[:, 0])
    assert memory.read(torch.from_numpy(keys[:10]), "a", 4).ids.equal(ids.view(5, 10).T[:, 1:])


# Doors


def test_keys_of_other_types_are_the_same_keys():
    rows = np.arange(12.0).reshape(4, 3)
    kinds = [
        rows,
        rows.astype(">f4"),
        rows.astype(np.longdouble),
        rows.astype(np.float16),
        rows.astype(np.int64),
        rows[::-1][::-1],
        rows.tolist(),
        pd.DataFrame(rows),
        torch.from_numpy(rows).bfloat16(),
        torch.from_numpy(rows).int(),
    ]
    for given in kinds:
        memory = SimulatedMemory(3, metric="euclidean")
        memory.write({"a": given}, groups=pd.Series([1.0, 2.0, 3.0, 1.0]))
        assert memory.keys(pd.Series([0, 1, 2, 3]), "a").tolist() == rows.tolist()
        assert memory.read(given, "a").ids.flatten().tolist() == [0, 1, 2, 3]


WRONG = {
    "keys: infinite": ({"a": [[1.0, np.inf]]}, {}, {}),
    "keys: above 1e15": ({"a": [[1e16, 1.0]]}, {}, {}),
    "keys: a mask": ({"a": np.ma.masked_greater([[1.0, 2.0]], 1)}, {}, {}),
    "keys: texts": ({"a": [["x", "y"]]}, {}, {}),
    "keys: no name": ({"": [[1.0, 2.0]]}, {}, {}),
    "keys: half a character": ({"\ud800": [[1.0, 2.0]]}, {}, {}),
    "keys: a long name": ({"a" * 201: [[1.0, 2.0]]}, {}, {}),
    "values: a number as name": ({"a": [[1.0, 2.0]]}, {3: ["x"]}, {}),
    "values: a mapping": ({"a": [[1.0, 2.0]]}, {"a": {"x": 1}}, {}),
    "values: half a character": ({"a": [[1.0, 2.0]]}, {"a": ["\ud800"]}, {}),
    "groups: fractions": ({"a": [[1.0, 2.0]]}, {}, {"groups": [0.5]}),
    "groups: missing": ({"a": [[1.0, 2.0]]}, {}, {"groups": [np.nan]}),
    "groups: too large": ({"a": [[1.0, 2.0]]}, {}, {"groups": np.array([2**64 - 1], np.uint64)}),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_no_backend_can_keep_is_refused_by_name(case: str):
    keys, values, options = WRONG[case]
    memory = SimulatedMemory(2, metric="euclidean")
    with pytest.raises((ValueError, TypeError), match=f"^{case.split(':')[0]}"):
        memory.write(keys, values, **options)
    assert len(memory) == 0


@pytest.mark.parametrize("backend", ["ram", "sqlite"])
@pytest.mark.parametrize("name", ["a.b", "type", "values", "a-b", "नमस्ते", 'x"; DROP', "keys", " "])
def test_names_of_modalities_come_back(name: str, backend: str, tmp_path: Path):
    with SimulatedMemory(2, backend=BACKENDS[backend](tmp_path)) as memory:
        memory.write({name: np.eye(2)}, {name: pd.DataFrame({"x": [1, 2], "y": [3, 4]})})
        memory.save(tmp_path / "saved")
        for each in (memory, SimulatedMemory.load(tmp_path / "saved")):
            assert each.read(torch.eye(2), name).ids.tolist() == [[0], [1]]
            assert each.values([1], name)[0].tolist() == [2, 4]


def test_numbers_that_are_no_ids():
    memory = SimulatedMemory(2)
    memory.write({"a": np.eye(2)})
    assert 1 in memory
    assert 1.5 not in memory
    for ids in ([0.5], ["0"], [True], None):
        with pytest.raises((TypeError, ValueError), match=r"^(ids|forget)"):
            memory.forget(ids)
    with pytest.raises(ValueError, match=r"^k: "):
        memory.read(torch.eye(2), "a", 0)


# Encoders

IDENTITY = """
import torch
from torch import nn
from torch.nn.functional import relu
from simmim_lite.memory import fingerprint

class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.activation = nn.Linear(2, 2), relu
        nn.init.ones_(self.linear.weight), nn.init.zeros_(self.linear.bias)

    def extra_repr(self):
        return f"activation={self.activation}, key={object()}"

print(fingerprint(Layer()))
"""


def test_an_encoder_is_known_again_in_another_process():
    """Its text shows functions and objects with their addresses."""
    found = subprocess.run(
        [sys.executable, "-c", IDENTITY], capture_output=True, text=True, check=True
    ).stdout.strip()
    space: dict = {}
    exec(IDENTITY.replace("print(fingerprint", "name = (fingerprint"), space)
    assert space["name"] == found
    assert fingerprint(nn.Linear(2, 2)) != found
