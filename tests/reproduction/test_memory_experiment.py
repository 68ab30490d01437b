"""The measurements of the memory: each of them tells good from bad."""

from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from reproduction.experiments import kill_tests, memory
from simmim_lite.memory import Exact, SimulatedMemory, SQLite


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_recall_counts_rows_that_are_as_near():
    keys = normalize(random(50, 8), dim=1)
    keys[1] = keys[0]  # two equal keys: both are correct
    queries = normalize(keys[:30] + 0.1 * random(30, 8), dim=1)
    nearest = (queries @ keys.T).topk(3).indices
    assert memory.recall(nearest.tolist(), queries, keys, 3) == 1
    swapped = torch.where(nearest < 2, 1 - nearest, nearest)
    assert memory.recall(swapped.tolist(), queries, keys, 3) == 1
    wrong = nearest.clone()
    wrong[:, 2] = (queries @ keys.T).argmin(dim=1)
    assert memory.recall(wrong.tolist(), queries, keys, 3) == pytest.approx(2 / 3)
    assert memory.recall(wrong[:25].tolist(), queries, keys, 3) == pytest.approx(2 / 3)


def test_items_are_found_under_noise_until_they_are_the_same():
    images = (random(300, 784) > 0).float()
    assert memory.item_recall(images) == 1
    assert memory.item_recall(images, clipped=True) == 1
    assert memory.item_recall(images[:1].repeat(300, 1)) < 0.05


@pytest.mark.slow
def test_search_is_exact_where_it_says_so():
    share, milliseconds = memory.search(Exact(), 500, count=40)
    assert share == 1
    assert 0 < milliseconds < 1000


def test_a_hopfield_network_has_a_capacity():
    """The capacity is 0.138; with 256 units the transition is wide (notebook 08, section 3)."""
    assert memory.hopfield_recovered(0.05, dim=256) == 1
    assert memory.hopfield_recovered(0.4, dim=256) == 0


@pytest.fixture
def written(tmp_path: Path):
    """A memory with three batches of `kill_tests`, and the log of their writer."""
    path, log = tmp_path / "memory.db", tmp_path / "run.log"
    kill_tests._write_batches("SQLite", path, "run", 3, log)
    with SimulatedMemory(64, backend=SQLite(path)) as memory:
        yield memory, kill_tests._acknowledged(log)


def test_nothing_is_missed_where_nothing_was_lost(written):
    memory, lines = written
    assert len(lines) == 3
    assert len(memory) == 150
    assert kill_tests._lost(memory, lines, "run") == kill_tests._missing_keys(memory) == []


@pytest.mark.parametrize(
    ("gone", "complaints"),
    [
        (range(50), ["batch 0 of run was acknowledged and is lost"]),
        (range(100, 101), ["batch 2 of run was acknowledged and is lost", "batch run 2 has 49"]),
    ],
)
def test_lost_and_halved_batches_are_noticed(written, gone: range, complaints: list[str]):
    memory, lines = written
    memory.forget(memory.ids[list(gone)])
    found = kill_tests._lost(memory, lines, "run")
    assert len(found) == len(complaints)
    assert all(line.startswith(start) for line, start in zip(found, complaints, strict=True))


def test_a_line_that_was_cut_off_is_no_acknowledgement(tmp_path: Path):
    log = tmp_path / "run.log"
    log.write_text("open\n0 0 49\n1 50 9", encoding="utf-8")
    assert kill_tests._acknowledged(log) == ["0 0 49\n"]


@pytest.mark.slow
def test_kills_and_two_writers():
    assert kill_tests.killed("SQLite", 2)[1] == []
    assert kill_tests.two_writers(3) == (300, [])
