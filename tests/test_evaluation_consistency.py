"""Agreement of runs and alignment of embeddings: invariances, chance level, other formulas."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import cohen_kappa_score

from simmim_lite.evaluation import agreement_table, kernel_alignment


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


# Predictions


def test_agreement_of_each_pair():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 10, 2000)
    runs = {}
    for seed in range(3):
        wrong = rng.random(2000) < 0.1
        runs[seed] = np.where(wrong, rng.integers(0, 10, 2000), truth)
    table = agreement_table(runs)
    assert table[["first", "second"]].to_numpy().tolist() == [[0, 1], [0, 2], [1, 2]]
    for _, row in table.iterrows():
        a, b = runs[row["first"]], runs[row["second"]]
        assert row["agreement"] == (a == b).mean()
        assert row["kappa"] == pytest.approx(cohen_kappa_score(a, b))
    # 0.1 are drawn again in each run, a tenth of these with the same result as before.
    assert table["agreement"].mean() == pytest.approx(0.91**2 + 0.09**2 / 9, abs=0.02)


def test_kappa_ignores_agreement_from_class_frequencies():
    rng = np.random.default_rng(1)
    runs = {name: rng.random(5000) < 0.95 for name in "ab"}  # mostly "yes", independently
    row = agreement_table(runs).iloc[0]
    assert row["agreement"] > 0.88
    assert abs(row["kappa"]) < 0.06  # standard error about 1 / sqrt(5000)
    constant = agreement_table({"a": np.ones(9), "b": np.ones(9)}).iloc[0]
    assert constant["agreement"] == 1
    assert np.isnan(constant["kappa"])
    words = agreement_table({"a": ["one", "two"], "b": ["one", "two"]}).iloc[0]
    assert words["kappa"] == 1


def test_agreement_refuses():
    with pytest.raises(ValueError, match="predictions: expected two runs"):
        agreement_table({"a": [1, 2]})
    with pytest.raises(ValueError, match=r"predictions of a and predictions of b: .*same number"):
        agreement_table({"a": [1, 2], "b": [1, 2, 3]})


# Embeddings


@given(st.integers(0, 1000))
def test_alignment_is_invariant_to_rotation_shift_and_scale(seed):
    x, y = normal(30, 4, seed=seed), normal(30, 3, seed=seed + 1)
    rotation = np.linalg.qr(normal(4, 4, seed=seed))[0]
    changed = 3 * x @ rotation + 5
    assert kernel_alignment(x, changed) == pytest.approx(1)
    assert kernel_alignment(changed, y) == pytest.approx(kernel_alignment(x, y), abs=1e-9)
    assert kernel_alignment(x, y) == pytest.approx(kernel_alignment(y, x))
    assert kernel_alignment(x, y) <= 1 + 1e-9
    order = np.random.default_rng(seed).permutation(30)
    assert kernel_alignment(x[order], y[order]) == pytest.approx(kernel_alignment(x, y))


def plain_alignment(x, y):
    """The biased CKA of Kornblith et al. (2019), from features."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return np.linalg.norm(x.T @ y) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)


def test_alignment_is_the_plain_cka_without_its_bias():
    many = normal(2000, 5), normal(2000, 5, seed=1)
    related = many[0], many[0] + many[1]
    assert kernel_alignment(*related) == pytest.approx(plain_alignment(*related), abs=0.01)
    few = [(normal(50, 64, seed=2 * i), normal(50, 64, seed=2 * i + 1)) for i in range(20)]
    assert np.mean([plain_alignment(*pair) for pair in few]) > 0.4
    # Each has a standard deviation of about 1 / 50.
    assert abs(np.mean([kernel_alignment(*pair) for pair in few])) < 0.03


def test_alignment_of_a_mixture_is_known():
    """Shared and separate columns with half of the variance each: one half."""
    shared = normal(3000, 200)
    first = np.c_[shared, normal(3000, 200, seed=1)]
    second = np.c_[shared, normal(3000, 200, seed=2)]
    assert kernel_alignment(first, second) == pytest.approx(0.5, abs=0.02)


def test_embeddings_must_be_of_the_same_items():
    with pytest.raises(ValueError, match=r"first and second: .*same number"):
        kernel_alignment(normal(20, 3), normal(19, 3))


def test_equal_rows_have_no_alignment():
    with pytest.raises(ValueError, match="second: expected rows that differ"):
        kernel_alignment(normal(20, 3), np.ones((20, 2)))
