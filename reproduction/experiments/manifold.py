"""Clustering without labels: digits, two moons and tables, the measurements of notebook 07."""

import warnings

import numpy as np
import torch
from sklearn import datasets as toys
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score
from sklearn.preprocessing import StandardScaler

from reproduction.claims import Claim, Experiment, Setting
from simmim_lite import datasets
from simmim_lite.evaluation import cluster_accuracy
from simmim_lite.manifold import (
    ManifoldInfoMax,
    affinity_graph,
    graph_clusters,
    image_neighbors,
    nearest_neighbors,
)

EMBEDDED_STEPS = 400  # of the last network, for 4,000 images; the default is for MNIST
MOONS = tuple((noise, draw) for noise in (0.05, 0.1) for draw in range(10))
TABLES = ("wine", "breast_cancer", "digits")
FEW = 20  # 8 x 8 images of a digit, beside about 180 of the next digit

_EMBEDDED_CLAIMS = (
    Claim(
        id="held-out-accuracy",
        name="clustering accuracy without labels, 1,000 held-out digits (4,000 for training)",
        truth="chance level: 10 %; k-means on principal components: 52 %",
        source="reproduction/results/manifold.md",
        unit="%",
        at_least=0.97,
        worst_at_least=0.97,
        notebook="07",
    ),
    Claim(
        id="graph-accuracy",
        name="clustering accuracy of the affinity graph alone, 4,000 training digits",
        truth="all correct: 100 %",
        source="labels that the method does not see",
        unit="%",
        at_least=0.97,
        notebook="07",
    ),
    Claim(
        id="neighbor-gain",
        name="1-nearest-neighbor class agreement, image distortion distance minus pixel distance",
        truth="pixel distance: 0 points",
        source="the same run",
        unit="points",
        at_least=0.03,
        notebook="07",
    ),
)
_TOY_CLAIMS = (
    Claim(
        id="two-moons",
        name="clustering accuracy, two moons with noise 0.05 and 0.1, worst of 20 samples",
        truth="all correct: 100 %; k-means: about 75 %",
        source="the same run",
        unit="%",
        at_least=0.995,
        worst_at_least=0.995,
        notebook="07",
    ),
    Claim(
        id="tables-gain",
        name="mean gain in clustering accuracy over k-means, wine, breast cancer and 8 x 8 digits",
        truth="k-means: 0 points",
        source="the same run",
        unit="points",
        at_least=0.0,
        notebook="07",
    ),
    Claim(
        id="unequal-gain",
        name="mean gain over k-means, ten pairs of 8 x 8 digits, nine to one, `balanced=False`",
        truth="k-means: 0 points",
        source="the same run",
        unit="points",
        at_least=0.0,
        notebook="07",
    ),
    Claim(
        id="unequal-accuracy",
        name="mean clustering accuracy of these pairs, `balanced=False`",
        truth="a single cluster: about 90 %",
        source="counted",
        unit="%",
        notebook="07",
    ),
    Claim(
        id="equal-accuracy",
        name="mean clustering accuracy of these pairs, clusters of equal size (the default)",
        truth="a single cluster: about 90 %",
        source="counted",
        unit="%",
        notebook="07",
    ),
    Claim(
        id="unequal-silent",
        name="share of these pairs with an accuracy below 95 % and no warning, by default",
        truth="none: 0 %",
        source="counted",
        unit="%",
        notebook="07",
    ),
)
_FULL_CLAIMS = (
    Claim(
        id="held-out-accuracy",
        name="clustering accuracy without labels, MNIST, the official 10,000 held-out images",
        truth="published, IIC: 98.4 % on average (best of its heads 99.2 %)",
        source="Ji et al. 2019, arXiv 1807.06653",
        unit="%",
        at_least=0.991,
        worst_at_least=0.988,
        notebook="07",
    ),
    Claim(
        id="accuracy",
        name="clustering accuracy without labels, MNIST, all 70,000 images",
        truth="published, IMSAT: 98.4 %",
        source="Hu et al. 2017, arXiv 1702.08720",
        unit="%",
        at_least=0.989,
        notebook="07",
    ),
    Claim(
        id="nmi",
        name="normalized mutual information of clusters and labels, MNIST, all 70,000 images",
        truth="at most 1",
        source="definition",
        notebook="07",
    ),
)


def _fitted(setting: Setting) -> tuple[ManifoldInfoMax, datasets.Images, np.ndarray, np.ndarray]:
    """Return the model, its training images, and labels and clusters of the held-out images."""
    train, test = (datasets.load_digits(part, full=setting.full) for part in ("train", "test"))
    rows, held_out = (part.images.reshape(len(part), -1) for part in (train, test))
    size = {} if setting.full else {"max_iter": EMBEDDED_STEPS}
    model = ManifoldInfoMax(10, augment="image", random_state=setting.seed, **size).fit(rows)
    return model, train, test.labels, model.predict(held_out)


def embedded_digits(setting: Setting) -> dict[str, float]:
    model, train, labels, clusters = _fitted(setting)
    images = torch.from_numpy(train.images[:, None]).float() / 255
    by_distortion = image_neighbors(images, 1)[1][:, 0]
    by_pixels = nearest_neighbors(images.flatten(1).numpy(), 1)[1][:, 0]
    same = [(train.labels[near] == train.labels).mean() for near in (by_distortion, by_pixels)]
    return {
        "held-out-accuracy": cluster_accuracy(labels, clusters),
        "graph-accuracy": cluster_accuracy(train.labels, model.stages_[0].labels),
        "neighbor-gain": float(same[0] - same[1]),
    }


def moons_and_tables(setting: Setting) -> dict[str, float]:
    moons = []
    for noise, draw in MOONS:
        x, y = toys.make_moons(1000, noise=noise, random_state=draw)
        model = ManifoldInfoMax(2, max_iter=400, random_state=setting.seed).fit(x)
        moons.append(cluster_accuracy(y, model.labels_))
    gains = []
    for name in TABLES:
        x, y = getattr(toys, f"load_{name}")(return_X_y=True)
        x, K = StandardScaler().fit_transform(x), len(np.unique(y))
        methods = (
            ManifoldInfoMax(K, max_iter=200, random_state=setting.seed),
            KMeans(K, n_init=10, random_state=setting.seed),
        )
        ours, k_means = (cluster_accuracy(y, method.fit_predict(x)) for method in methods)
        gains.append(ours - k_means)
    return {"two-moons": min(moons), "tables-gain": float(np.mean(gains))} | _nine_to_one(setting)


def _nine_to_one(setting: Setting) -> dict[str, float]:
    """Clusters of affinity graphs of two digits, of which one is nine times as frequent."""
    x, digits = toys.load_digits(return_X_y=True)
    equal, unequal, k_means, silent = [], [], [], []
    for few in range(10):
        many = (few + 1) % 10
        rows = np.append(np.flatnonzero(digits == many), np.flatnonzero(digits == few)[:FEW])
        graph = affinity_graph(*nearest_neighbors(x[rows]))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = [graph_clusters(graph, 2, balanced=b, seed=setting.seed) for b in (True, False)]
        found.append(KMeans(2, n_init=10, random_state=setting.seed).fit_predict(x[rows]))
        for scores, labels in zip((equal, unequal, k_means), found, strict=True):
            scores.append(cluster_accuracy(digits[rows], labels))
        silent.append(equal[-1] < 0.95 and not caught)
    return {
        "unequal-gain": float(np.mean(unequal) - np.mean(k_means)),
        "unequal-accuracy": float(np.mean(unequal)),
        "equal-accuracy": float(np.mean(equal)),
        "unequal-silent": float(np.mean(silent)),
    }


def all_of_mnist(setting: Setting) -> dict[str, float]:
    model, train, labels, clusters = _fitted(setting)
    y, all_clusters = np.concatenate([train.labels, labels]), np.append(model.labels_, clusters)
    return {
        "held-out-accuracy": cluster_accuracy(labels, clusters),
        "accuracy": cluster_accuracy(y, all_clusters),
        "nmi": float(normalized_mutual_info_score(y, all_clusters)),
    }


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("manifold", _EMBEDDED_CLAIMS, embedded_digits, seeds=2, full=False),
    Experiment("manifold-toys", _TOY_CLAIMS, moons_and_tables),
    Experiment("manifold-full", _FULL_CLAIMS, all_of_mnist, seeds=3, full=True),
)
