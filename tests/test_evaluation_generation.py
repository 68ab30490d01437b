"""Metrics of generated items: closed forms, other implementations, planted failures."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.linalg import sqrtm
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist
from sklearn.neighbors import NearestNeighbors

from simmim_lite.datasets import load_digits
from simmim_lite.encoders import ImageEncoder
from simmim_lite.evaluation import (
    EvaluationClassifier,
    RealItems,
    density_and_coverage,
    distance_to_nearest,
    frechet_distance,
    spread_within_classes,
)

seeds = st.integers(0, 10**6)


def features(N, dim, seed):
    """Samples with another mean and covariance for each seed."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, dim)) @ rng.standard_normal((dim, dim)) + rng.standard_normal(
        dim
    )


def normal(N, dim, seed=0):
    return np.random.default_rng(seed).standard_normal((N, dim))


# Distances between sets


def test_frechet_distance_of_known_moments():
    """Diagonal: |m - m'|^2 + sum (s - s')^2; a rotation of both changes nothing."""
    x, y = normal(4000, 3), normal(4000, 3, 1)
    for z in (x, y):  # exact moments, so that the answer is exact
        z -= z.mean(axis=0)
        z[:] = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z, rowvar=False))).T
    y = y * (1.0, 2.0, 0.5) + (3.0, 0.0, 0.0)
    assert frechet_distance(x, y) == pytest.approx(9 + 1 + 0.25)
    rotation = np.linalg.qr(normal(3, 3, 2))[0]
    assert frechet_distance(x @ rotation, y @ rotation) == pytest.approx(10.25)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_agrees_with_torchmetrics():
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Given(torch.nn.Module):
        num_features = 5

        def forward(self, x):
            return x

    x, y = normal(300, 5), normal(200, 5, 1) @ normal(5, 5, 2)
    metric = FrechetInceptionDistance(feature=Given(), normalize=True, input_img_size=(5,))
    metric.used_custom_model = True
    metric.set_dtype(torch.float64)
    for real, z in ((True, x), (False, y)):
        metric.update(torch.from_numpy(z), real=real)
    assert frechet_distance(x, y) == pytest.approx(metric.compute().item(), rel=1e-6)


@given(seeds, st.integers(1, 6))
@settings(max_examples=30)
def test_frechet_distance_agrees_with_the_matrix_root_of_scipy(seed, dim):
    x, y = features(40, dim, seed), features(30, dim, seed + 1)
    a, b = (np.atleast_2d(np.cov(z, rowvar=False)) for z in (x, y))
    mean = x.mean(axis=0) - y.mean(axis=0)
    expected = mean @ mean + np.trace(a + b - 2 * sqrtm(a @ b).real)
    found = frechet_distance(x, y)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-8)
    assert frechet_distance(y, x) == pytest.approx(found, rel=1e-6, abs=1e-8)
    assert found > 0
    # Only the moments count, neither the order of rows nor the origin.
    assert frechet_distance(x[::-1] + 3, y + 3) == pytest.approx(found, rel=1e-6, abs=1e-8)
    # The root of an eigenvalue of 1e-15 that should be 0 is 3e-8, for each eigenvalue.
    assert abs(frechet_distance(x, x)) < 1e-6 * (1 + np.trace(a))


def test_frechet_distance_with_fewer_samples_than_dimensions():
    x, y = np.random.default_rng(0).standard_normal((2, 5, 20))
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    mean = x.mean(axis=0) - y.mean(axis=0)
    # tr (C C')^(1/2) is the sum of the singular values of the product of their roots.
    product = sqrtm(a).real @ sqrtm(b).real
    expected = mean @ mean + np.trace(a + b) - 2 * np.linalg.svd(product, compute_uv=False).sum()
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-4)


def test_density_and_coverage_of_points_counted_by_hand():
    real = np.array([[0.0], [1.0], [10.0], [11.0]])  # radius 1 around each, for k = 1
    made = np.array([[0.5], [0.6], [50.0]])
    # Balls around 0 and 1 hold two generated points each, those around 10 and 11 none.
    assert density_and_coverage(real, made, k=1) == (pytest.approx(4 / 3), pytest.approx(0.5))


def test_density_and_coverage_of_equal_collapsed_and_distant_samples():
    real = normal(800, 4)
    density, coverage = density_and_coverage(real, normal(800, 4, 1))
    assert density == pytest.approx(1, abs=0.1)
    assert coverage == pytest.approx(1 - 0.5**5, abs=0.03)  # expected for equal distributions
    density, coverage = density_and_coverage(real, np.zeros((800, 4)) + 0.01 * normal(800, 4, 1))
    assert density > 1.2  # all in a dense region, and
    assert coverage < 0.2  # all in one place
    assert density_and_coverage(real, normal(800, 4, 1) + 50) == (0, 0)


@given(seeds, st.integers(1, 5))
@settings(max_examples=30)
def test_density_and_coverage_agree_with_scikit_learn(seed, k):
    real, made = features(30, 3, seed), features(20, 3, seed + 1)
    radii = NearestNeighbors(n_neighbors=k + 1).fit(real).kneighbors(real)[0][:, -1]
    within = [NearestNeighbors(radius=r).fit(made) for r in radii]
    inside = [len(n.radius_neighbors(x[None])[1][0]) for n, x in zip(within, real, strict=True)]
    density, coverage = density_and_coverage(real, made, k=k)
    assert density == pytest.approx(sum(inside) / (k * len(made)))
    assert coverage == pytest.approx(np.mean(np.array(inside) > 0))
    assert density >= 0
    assert 0 <= coverage <= 1
    # Neither units nor the order of the generated samples matter.
    again = density_and_coverage(7 * real, 7 * made[::-1], k=k)
    assert again == (pytest.approx(density), pytest.approx(coverage))
    assert density_and_coverage(real, real, k=k)[1] == 1


def test_spread_is_within_classes_and_copies_have_distance_0():
    x = np.array([[0.0], [2.0], [100.0], [104.0], [7.0]])
    assert spread_within_classes(x, [0, 0, 1, 1, 2]) == pytest.approx((2 + 4) / 2)
    with pytest.raises(ValueError, match="labels: expected a class of two"):
        spread_within_classes(x, range(5))
    memory = np.zeros((3, 1, 2, 2)) + np.arange(3)[:, None, None, None]
    assert distance_to_nearest(memory[:2], memory) == 0
    assert distance_to_nearest(memory[:1] + 0.25, memory) == pytest.approx(0.5)  # 4 pixels
    with pytest.raises(ValueError, match="memory: expected 4 numbers per item, got 3"):
        distance_to_nearest(memory, np.zeros((2, 3)))


@given(seeds)
@settings(max_examples=20)
def test_spread_is_the_mean_distance_of_scipy_and_scales(seed):
    rng = np.random.default_rng(seed)
    x, labels = features(40, 3, seed), rng.integers(0, 4, 40)
    expected = [pdist(x[labels == c]).mean() for c in range(4) if (labels == c).sum() > 1]
    found = spread_within_classes(x, labels)
    assert found == pytest.approx(np.mean(expected))
    assert spread_within_classes(-3 * x + 1, labels) == pytest.approx(3 * found)
    assert spread_within_classes(np.ones((40, 3)), labels) == 0


@given(seeds)
@settings(max_examples=20)
def test_distance_to_nearest_agrees_with_a_tree_and_never_grows_with_memory(seed):
    x, memory = features(15, 4, seed), features(25, 4, seed + 1)
    found = distance_to_nearest(x.reshape(15, 2, 2), torch.from_numpy(memory))
    assert found == pytest.approx(KDTree(memory).query(x)[0].mean(), rel=1e-4)
    assert distance_to_nearest(x, np.concatenate([memory, memory[:5] + 1])) <= found + 1e-6
    # To itself: cdist by matrix products leaves the root of a rounding error.
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


# Classifier and tables


@pytest.fixture(scope="module")
def reference():
    train, test = load_digits("train"), load_digits("test")
    encoder = ImageEncoder(width=8, dim=32, seed=5)
    classifier = EvaluationClassifier(encoder)
    classifier.fit(train.images, train.labels, steps=60, progress=False)
    items = encoder.prepare(test.images[::2])
    memory = encoder.prepare(train.images[::4])
    return RealItems(classifier, items, test.labels[::2], memory), train


def test_classifier_recognizes_real_digits_and_not_noise(reference):
    truth, _ = reference
    assert truth.classifier.coherence(truth.items, truth.labels) > 0.9
    noise = torch.rand(500, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert truth.classifier.coherence(noise, truth.labels) < 0.3
    with pytest.raises(ValueError, match="items and labels: expected the same number"):
        truth.classifier.coherence(noise, truth.labels[:10])


def test_halves_have_equal_class_frequencies(reference):
    truth, _ = reference
    first, second = truth.halves
    assert sorted(torch.cat([first, second]).tolist()) == list(range(len(truth.labels)))
    counts = [np.bincount(truth.labels[half], minlength=10) for half in (first, second)]
    assert abs(counts[0] - counts[1]).max() <= 1
    assert (np.diff(truth.labels[first]) < 0).sum() > 100  # not sorted by class
    assert torch.equal(first, truth.halves[0])


def test_table_shows_each_failure_in_the_metric_that_reveals_it(reference):
    truth, train = reference
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 25)
    rows = np.array([generator.choice(np.flatnonzero(train.labels == c), 4) for c in labels])
    retrieved = truth.classifier.encoder.prepare(train.images[rows.ravel()]).unflatten(
        0, rows.shape
    )
    means = torch.stack([retrieved[labels == c, 0].mean(dim=0) for c in range(10)])
    fair = truth.classifier.encoder.prepare(load_digits("test").images[1::2])
    fair_labels = load_digits("test").labels[1::2]
    half = truth.halves[0]
    rows = {
        "memory": (means[labels], labels),  # collapsed: one image per class
        "no memory": (fair[torch.randperm(500, generator=torch.Generator())], fair_labels),
        "retrieval": (retrieved[:, 0], labels),
        "pixel mean": (retrieved.mean(dim=1), labels),
        "real": (truth.items[half], truth.labels[half]),
    }
    table = pd.DataFrame({name: truth.measure(*row) for name, row in rows.items()}).T
    assert table.loc["memory", "diversity"] < 0.05 < 0.5 * table.loc["pixel mean", "diversity"]
    assert table.loc["memory", "coverage"] < 0.2 < 0.8 < table.loc["real", "coverage"]
    assert table.loc["memory", "frechet"] > 5 * table.loc["real", "frechet"]
    assert table.loc["no memory", "coherence"] < 0.3 < 0.9 < table.loc["real", "coherence"]
    # A quarter of the retrieved training images is in the memory.
    assert table.loc["retrieval", "copy_distance"] == pytest.approx(0.75, abs=0.1)
    assert table.loc["real", ["diversity", "copy_distance"]].to_numpy() == pytest.approx(1, abs=0.1)
    assert table.loc["pixel mean", "diversity"] < 0.95 * table.loc["retrieval", "diversity"]


def test_consistency_shows_agreement_and_a_constant_generator(reference):
    truth, _ = reference
    constant = truth.items[:20, None].expand(-1, 6, -1, -1, -1)
    found = truth.consistency(constant)
    assert found["agreement"] == 1
    assert found["variety"] == pytest.approx(0, abs=1e-3)
    order = np.argsort(truth.labels, kind="stable")[:500].reshape(10, 50)
    found = truth.consistency(truth.items[order])  # ten "queries", one per digit
    assert found["agreement"] > 0.9
    assert found["variety"] == pytest.approx(1, abs=0.05)
    mixed = truth.consistency(truth.items[order.T])  # one of each digit
    assert mixed["agreement"] < 0.4
