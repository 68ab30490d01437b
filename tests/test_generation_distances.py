"""Distances between sets of features: other implementations, ranges, symmetry, identity, shapes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.linalg import sqrtm
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist
from sklearn.neighbors import NearestNeighbors

from simmim_lite.evaluation import (
    coherence_table,
    density_and_coverage,
    distance_to_nearest,
    frechet_distance,
    spread_within_classes,
)

seeds = st.integers(0, 10**6)


def features(N, dim, seed):
    """Of different means and scales, from sample to sample."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, dim)) @ rng.standard_normal((dim, dim)) + rng.standard_normal(
        dim
    )


@given(seeds, st.integers(1, 6))
@settings(max_examples=30)
def test_frechet_distance_is_that_of_scipys_matrix_root(seed, dim):
    x, y = features(40, dim, seed), features(30, dim, seed + 1)
    a, b = (np.atleast_2d(np.cov(z, rowvar=False)) for z in (x, y))
    mean = x.mean(axis=0) - y.mean(axis=0)
    expected = mean @ mean + np.trace(a + b - 2 * sqrtm(a @ b).real)
    found = frechet_distance(x, y)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-8)
    assert frechet_distance(y, x) == pytest.approx(found, rel=1e-6, abs=1e-8)
    assert found > 0
    # Moments are all that counts: not the order, nor where the origin lies.
    assert frechet_distance(x[::-1] + 3, y + 3) == pytest.approx(found, rel=1e-6, abs=1e-8)
    # The root of an eigenvalue of 1e-15, which should be 0, is 3e-8: times as many as there are.
    assert abs(frechet_distance(x, x)) < 1e-6 * (1 + np.trace(a))


def test_frechet_distance_stands_fewer_samples_than_dimensions():
    x, y = np.random.default_rng(0).standard_normal((2, 5, 20))
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    mean = x.mean(axis=0) - y.mean(axis=0)
    # tr (C C')^(1/2) is the sum of the singular values of the product of their roots.
    product = sqrtm(a).real @ sqrtm(b).real
    expected = mean @ mean + np.trace(a + b) - 2 * np.linalg.svd(product, compute_uv=False).sum()
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-4)


@given(seeds, st.integers(1, 5))
@settings(max_examples=30)
def test_density_and_coverage_are_those_counted_with_scikit_learn(seed, k):
    real, made = features(30, 3, seed), features(20, 3, seed + 1)
    radii = NearestNeighbors(n_neighbors=k + 1).fit(real).kneighbors(real)[0][:, -1]
    within = [NearestNeighbors(radius=r).fit(made) for r in radii]
    inside = [len(n.radius_neighbors(x[None])[1][0]) for n, x in zip(within, real, strict=True)]
    density, coverage = density_and_coverage(real, made, k=k)
    assert density == pytest.approx(sum(inside) / (k * len(made)))
    assert coverage == pytest.approx(np.mean(np.array(inside) > 0))
    assert density >= 0
    assert 0 <= coverage <= 1
    # Units don't matter, nor which generated sample is which.
    again = density_and_coverage(7 * real, 7 * made[::-1], k=k)
    assert again == (pytest.approx(density), pytest.approx(coverage))
    assert density_and_coverage(real, real, k=k)[1] == 1


@given(seeds)
@settings(max_examples=20)
def test_spread_is_the_mean_of_scipys_distances_and_grows_with_scale(seed):
    rng = np.random.default_rng(seed)
    x, labels = features(40, 3, seed), rng.integers(0, 4, 40)
    expected = [pdist(x[labels == c]).mean() for c in range(4) if (labels == c).sum() > 1]
    found = spread_within_classes(x, labels)
    assert found == pytest.approx(np.mean(expected))
    assert spread_within_classes(-3 * x + 1, labels) == pytest.approx(3 * found)
    assert spread_within_classes(np.ones((40, 3)), labels) == 0


@given(seeds)
@settings(max_examples=20)
def test_distance_to_nearest_is_that_of_a_tree_and_never_grows_with_memory(seed):
    x, memory = features(15, 4, seed), features(25, 4, seed + 1)
    found = distance_to_nearest(x.reshape(15, 2, 2), torch.from_numpy(memory))
    assert found == pytest.approx(KDTree(memory).query(x)[0].mean(), rel=1e-4)
    assert distance_to_nearest(x, np.concatenate([memory, memory[:5] + 1])) <= found + 1e-6
    # Of itself: cdist by products of matrices leaves the root of a rounding error.
    assert distance_to_nearest(x, x) < 1e-2 * np.abs(x).max()


def test_sets_of_unequal_dimensions_are_refused():
    x, y = features(10, 3, 0), features(10, 2, 1)
    with pytest.raises(ValueError, match="second: expected 3 columns, got 2"):
        frechet_distance(x, y)
    with pytest.raises(ValueError, match="generated: expected 3 columns, got 2"):
        density_and_coverage(x, y)
    with pytest.raises(ValueError, match="features and labels: expected the same number"):
        spread_within_classes(x, range(9))
    with pytest.raises(ValueError, match=r"k: .* in 1\.\.9, got 10"):
        density_and_coverage(x, x, k=10)
    for bad in (np.full((5, 3), np.nan), features(1, 3, 0)):
        with pytest.raises(ValueError, match="first: expected"):
            frechet_distance(bad, x)


def test_table_of_directions_gives_each_judge_its_own_queries():
    asked = []

    def generate(queries, source, target):
        asked.append((source, target))
        return queries + 1

    table = coherence_table(
        generate,
        {"b": lambda made, labels: float((made == labels).mean())},
        {"a": np.array([0, 1, 2]), "c": np.array([0, 1, 9])},
        np.array([1, 2, 3]),
    )
    assert asked == [("a", "b"), ("c", "b")]
    assert table["b"].tolist() == [1, pytest.approx(2 / 3)]
