"""Memories of a fixed size hold as much as theory says; so do slots."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from simmim_lite.memory import (
    HopfieldMemory,
    OuterProductMemory,
    SimulatedMemory,
    SumMemory,
    attention_weight,
    familiarity_auroc,
    sign_accuracy,
    slot_accuracy,
)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return nn.functional.normalize(random(*shape, seed=seed), dim=-1)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("N", [16, 64, 256])
def test_sum_memory_knows_members_as_well_as_theory_says(N: int):
    written, others = [], []
    for seed in range(6000 // N):
        vectors = unit(2 * N, 64, seed=seed)
        memory = SumMemory(64)
        memory.write(vectors[:N])
        familiar = memory.familiarity(vectors)
        written += familiar[:N].tolist()
        others += familiar[N:].tolist()
        assert memory.read(vectors).unique(dim=0).shape == (1, 64)
    found = roc_auc_score([1] * len(written) + [0] * len(others), written + others)
    # scores of one memory hang together, so the spread is a little wider than 1 / sqrt(12 n)
    assert found == pytest.approx(familiarity_auroc(N, 64), abs=0.02)


def test_outer_product_memory_loses_signs_as_theory_says():
    keys, values = unit(200, 100), random(200, 400, seed=1).sign()
    memory = OuterProductMemory(100, 400)
    memory.write(keys[:50], values[:50])
    memory.write(keys[50:], values[50:])
    right = (memory.read(keys).sign() == values).float().mean().item()
    assert right == pytest.approx(sign_accuracy(200, 100), abs=0.01)


def test_hopfield_memory_completes_below_its_capacity_and_fails_above():
    for load, low, high in ((0.08, 0.99, 1.0), (0.25, 0.0, 0.75)):
        patterns = random(round(load * 400), 400).sign()
        memory = HopfieldMemory(400)
        memory.write(patterns)
        noisy = torch.where(torch.rand(patterns.shape, generator=generator()) < 0.05, -1, 1)
        overlap = (memory.read(patterns * noisy) * patterns).mean().item()
        assert low <= overlap <= high
    with pytest.raises(ValueError, match="row 0"):
        memory.write(torch.zeros(1, 400))


@pytest.mark.parametrize("N", [2, 100, 3000])
def test_slots_are_confused_as_theory_says(N: int):
    right, weights = [], []
    for seed in range(1 + 3000 // N):
        keys = unit(N, 32, seed=seed)
        memory = SimulatedMemory(32)
        ids = memory.write({"any": keys})
        noisy = keys + 1.2 / math.sqrt(32) * random(N, 32, seed=seed + 5000)
        right += (memory.read(noisy, "any").ids[:, 0] == ids).tolist()
        soft = memory.read(keys[:300], "any", N, mode="attend", beta=5.0)
        weights += (soft.weights * (soft.ids == ids[:300, None])).sum(dim=1).tolist()
    # 3,000 queries: three standard errors are 0.027 at most
    assert np.mean(right) == pytest.approx(slot_accuracy(N, 32, 1.2), abs=0.027)
    assert np.mean(weights) == pytest.approx(attention_weight(N, 32, 5.0), abs=0.03)
    assert slot_accuracy([N, N], 32, 1.2).shape == (2,)


@pytest.mark.parametrize("N", [math.nan, -math.inf, math.inf, 0, pd.NA, None, [2, math.nan], "x"])
def test_a_number_of_items_is_one_or_more(N):
    for call in (
        lambda: familiarity_auroc(N, 16),
        lambda: sign_accuracy(N, 16),
        lambda: slot_accuracy(N, 16, 0.5),
        lambda: attention_weight(N, 16, 4.0),
    ):
        with pytest.raises((ValueError, TypeError), match=r"^N: "):
            call()


def test_theory_names_a_size_without_a_value():
    for call, name in (
        (lambda: sign_accuracy(1, 16), "N"),
        (lambda: slot_accuracy(5, 1, 0.5), "dim"),
        (lambda: slot_accuracy(5, 16, math.nan), "noise"),
        (lambda: familiarity_auroc(5, -1), "dim"),
        (lambda: attention_weight(5, 16, math.nan), "beta"),
    ):
        with pytest.raises(ValueError, match=f"^{name}: "):
            call()


def test_memories_keep_no_graph_and_give_no_view_of_themselves():
    learned = torch.ones(3, 4, requires_grad=True)
    memories = SumMemory(4), OuterProductMemory(4, 4), HopfieldMemory(4)
    for memory in memories:
        memory.write(*[learned] * (2 if memory is memories[1] else 1))
        assert not memory.read(torch.ones(2, 4)).requires_grad
    before = memories[0].read(torch.ones(2, 4))
    memories[0].write(learned)
    assert before.tolist() == [[3.0] * 4] * 2


def test_attention_of_a_huge_beta_does_not_overflow():
    assert attention_weight(10, 4, 1e200) == pytest.approx(0)
    with pytest.raises(ValueError, match="dim: expected a whole number >= 1, got 0"):
        attention_weight(10, 0, 1.0)
