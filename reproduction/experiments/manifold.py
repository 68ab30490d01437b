"""Sorting without labels: digits, two moons and tables, the measurements of notebook 07."""

import numpy as np
import torch
from sklearn import datasets as toys
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score
from sklearn.preprocessing import StandardScaler

from reproduction.claims import Claim, Experiment, Setting
from simmim_lite import datasets
from simmim_lite.evaluation import cluster_accuracy
from simmim_lite.manifold import ManifoldInfoMax, image_neighbors, nearest_neighbors

EMBEDDED_STEPS = 400  # of the last network on 4,000 images; the default is for MNIST
MOONS = tuple((noise, draw) for noise in (0.05, 0.1) for draw in range(10))
TABLES = ("wine", "breast_cancer", "digits")

_EMBEDDED = Claim(
    "5,000 digits sorted without labels, the 1,000 held out",
    "10 % by chance; 52 % by k-means on principal components",
    "reproduction/results/manifold.md",
    "%",
    at_least=0.97,
    worst_at_least=0.97,
    notebook="07",
)
_GRAPH = Claim(
    "5,000 digits sorted by their graph alone, the 4,000 of training",
    "the labels, which it does not see: 100 %",
    "the same run",
    "%",
    at_least=0.97,
    notebook="07",
)
_NEAREST = Claim(
    "nearest digit by distortion is of the same class, more often than by pixels",
    "0 points: pixels",
    "the same run",
    "points",
    at_least=0.03,
    notebook="07",
)
_MOONS = Claim(
    "two moons, noise .05 and .1, ten draws each: the worst",
    "100 %; about 75 % by k-means",
    "the same run",
    "%",
    at_least=0.995,
    worst_at_least=0.995,
    notebook="07",
)
_TABLES = Claim(
    "wine, breast cancer and 8 x 8 digits: mean gain over k-means",
    "0 points: k-means",
    "the same run",
    "points",
    at_least=0.0,
    notebook="07",
)
_HELD_OUT = Claim(
    "MNIST sorted without labels, the official 10,000 held out",
    "IIC, published: 98.4 % on average (best of its heads 99.2 %)",
    "Ji et al. 2019, arXiv 1807.06653",
    "%",
    at_least=0.991,
    worst_at_least=0.988,
    notebook="07",
)
_ALL = Claim(
    "MNIST sorted without labels, all 70,000",
    "IMSAT, published: 98.4 %",
    "Hu et al. 2017, arXiv 1702.08720",
    "%",
    at_least=0.989,
    notebook="07",
)
_INFORMATION = Claim(
    "MNIST sorted without labels, normalized mutual information, all 70,000",
    "at most 1",
    "definition",
    notebook="07",
)


def _sorted(setting: Setting) -> tuple[ManifoldInfoMax, datasets.Images, np.ndarray, np.ndarray]:
    """The model, its training images, and labels and codes of the held-out ones."""
    train, test = (datasets.load_digits(part, full=setting.full) for part in ("train", "test"))
    rows, others = (part.images.reshape(len(part), -1) for part in (train, test))
    size = {} if setting.full else {"max_iter": EMBEDDED_STEPS}
    model = ManifoldInfoMax(10, augment="image", random_state=setting.seed, **size).fit(rows)
    return model, train, test.labels, model.predict(others)


def embedded_digits(setting: Setting) -> dict[str, float]:
    model, train, labels, codes = _sorted(setting)
    images = torch.from_numpy(train.images[:, None]).float() / 255
    by_distortion = image_neighbors(images, 1)[1][:, 0]
    by_pixels = nearest_neighbors(images.flatten(1).numpy(), 1)[1][:, 0]
    same = [(train.labels[near] == train.labels).mean() for near in (by_distortion, by_pixels)]
    return {
        _EMBEDDED.name: cluster_accuracy(labels, codes),
        _GRAPH.name: cluster_accuracy(train.labels, model.stages_[0].codes),
        _NEAREST.name: float(same[0] - same[1]),
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
        ours, theirs = (cluster_accuracy(y, method.fit_predict(x)) for method in methods)
        gains.append(ours - theirs)
    return {_MOONS.name: min(moons), _TABLES.name: float(np.mean(gains))}


def all_of_mnist(setting: Setting) -> dict[str, float]:
    model, train, labels, codes = _sorted(setting)
    y, all_codes = np.concatenate([train.labels, labels]), np.concatenate([model.labels_, codes])
    return {
        _HELD_OUT.name: cluster_accuracy(labels, codes),
        _ALL.name: cluster_accuracy(y, all_codes),
        _INFORMATION.name: float(normalized_mutual_info_score(y, all_codes)),
    }


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("manifold", (_EMBEDDED, _GRAPH, _NEAREST), embedded_digits, seeds=2, full=False),
    Experiment("manifold-toys", (_MOONS, _TABLES), moons_and_tables),
    Experiment("manifold-full", (_HELD_OUT, _ALL, _INFORMATION), all_of_mnist, seeds=3, full=True),
)
