"""Clustering without labels: `ManifoldInfoMax` and other methods on the same images, one process.

    python -m reproduction.peers.bench_manifold  # 4,000 + 1,000 embedded digits
    python -m reproduction.peers.bench_manifold --data mnist --seeds 10 --methods ours
    python -m reproduction.peers.bench_manifold --data cifar10 --seeds 3 --methods ours k-means

Each method gets the training images without labels; methods that can predict also get held-out
images. The benchmark prints a row for each method and seed, then one for each method: clustering
accuracy (one cluster per class, Hungarian assignment) of held-out images and of all images, NMI and
ARI of all images, and CPU seconds of all threads. UMAP and HDBSCAN run if umap-learn is installed.
MNIST and CIFAR-10 are found as `datasets` finds them.
"""

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from sklearn.cluster import HDBSCAN, KMeans, SpectralClustering
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from simmim_lite import datasets
from simmim_lite.encoders import seeded
from simmim_lite.evaluation import cluster_accuracy
from simmim_lite.manifold import ManifoldInfoMax
from simmim_lite.training import Batches, fit

Labels = tuple[np.ndarray, np.ndarray | None]  # of training rows and held-out rows
Method = Callable[[np.ndarray, np.ndarray, int], Labels]
PIXELS_OF_DIGITS = 784


def ours(train: np.ndarray, test: np.ndarray, seed: int) -> Labels:
    """`ManifoldInfoMax` with its defaults; fewer steps below 10,000 rows."""
    images = train.shape[1] == PIXELS_OF_DIGITS
    size = {"max_iter": 400} if len(train) < 10_000 else {}
    model = ManifoldInfoMax(10, augment="image" if images else None, random_state=seed, **size)
    return model.fit_predict(train), model.predict(test)


def k_means(train: np.ndarray, test: np.ndarray, seed: int) -> Labels:
    """k-means on 50 principal components."""
    pca = PCA(min(50, train.shape[1]), random_state=seed).fit(train)
    model = KMeans(10, n_init=10, random_state=seed).fit(pca.transform(train))
    return model.labels_, model.predict(pca.transform(test))


def spectral(train: np.ndarray, test: np.ndarray, seed: int) -> Labels:
    """Spectral clustering of scikit-learn, 10 neighbors; without prediction for other rows."""
    rows = PCA(min(50, train.shape[1]), random_state=seed).fit_transform(train)
    model = SpectralClustering(
        10, affinity="nearest_neighbors", n_neighbors=10, random_state=seed, n_jobs=1
    )
    return model.fit_predict(rows), None


def autoencoder(train: np.ndarray, test: np.ndarray, seed: int) -> Labels:
    """Autoencoder 784-500-500-2000-10 (sizes of DEC, Xie et al. 2016), 30 epochs; then k-means."""
    scale = np.abs(train).max()
    rows, others = (torch.from_numpy(x / scale).float() for x in (train, test))
    sizes = (train.shape[1], 500, 500, 2000, 10)
    with seeded(seed):
        encoder, decoder = _layers(sizes), _layers(sizes[::-1])
    network = nn.Sequential(encoder, decoder)
    fit(
        network,
        lambda drawn, batch: (drawn - batch).square().mean(),
        Batches(rows, 256, seed=seed),
        epochs=30,
        seed=seed,
        progress=False,
    )
    with torch.no_grad():
        latents, other_latents = encoder(rows).numpy(), encoder(others).numpy()
    model = KMeans(10, n_init=10, random_state=seed).fit(latents)
    return model.labels_, model.predict(other_latents)


def _layers(sizes: tuple[int, ...]) -> nn.Sequential:
    """Linear layers of these sizes with ReLUs in between."""
    layers: list[nn.Module] = []
    for columns, dim in pairwise(sizes):
        layers += [nn.Linear(columns, dim), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def imsat(train: np.ndarray, test: np.ndarray, seed: int) -> Labels:
    """IMSAT (VAT) in our code with its published settings (Hu et al. 2017), 50 epochs.

    Only the network differs: it is our network for tables, narrower than the published 1200-1200.
    """
    scaled = [2 * x / np.abs(train).max() - 1 for x in (train, test)]
    model = ManifoldInfoMax(
        10,
        augment="adversarial",
        objective="imsat",
        max_iter=50 * len(train) // 250,
        batch_size=250,
        random_state=seed,
    )
    return model.fit_predict(scaled[0]), model.predict(scaled[1])


def umap_then(clusterer: str) -> Method:
    def method(train: np.ndarray, test: np.ndarray, seed: int) -> Labels:
        from umap import UMAP

        rows = PCA(min(50, train.shape[1]), random_state=seed).fit_transform(train)
        points = UMAP(
            n_neighbors=15, min_dist=0.0, n_components=10, random_state=seed, n_jobs=1
        ).fit_transform(rows)
        if clusterer == "hdbscan":  # noise points are one more cluster
            return HDBSCAN(min_cluster_size=len(train) // 100, copy=True).fit_predict(points), None
        kinds = {"k-means": KMeans(10, n_init=10), "gmm": GaussianMixture(10)}
        return kinds[clusterer].set_params(random_state=seed).fit_predict(points), None

    return method


METHODS: dict[str, Method] = {
    "ours": ours,
    "k-means": k_means,
    "spectral": spectral,
    "autoencoder": autoencoder,
    "imsat": imsat,
    **{f"umap + {name}": umap_then(name) for name in ("k-means", "gmm", "hdbscan")},
}


def load(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    if name == "cifar10":  # 200 principal components of the pixels
        parts = [datasets.load_cifar10(part) for part in ("train", "test")]
        rows = [part.images.reshape(len(part), -1).astype(np.float32) for part in parts]
        pca = PCA(200, svd_solver="randomized", random_state=0).fit(rows[0][::5])
        rows = [pca.transform(part) for part in rows]
    else:
        parts = [datasets.load_digits(p, full=name == "mnist") for p in ("train", "test")]
        rows = [part.images.reshape(len(part), -1) for part in parts]
    return rows[0], parts[0].labels, rows[1], parts[1].labels


def run(method: str, seed: int, data: tuple) -> dict[str, float | str | int]:
    train, y, test, y_test = data
    start = time.process_time()
    labels, other_labels = METHODS[method](train, test, seed)
    row = {"method": method, "seed": seed, "seconds": time.process_time() - start}
    row["held out"] = np.nan
    if other_labels is not None:
        row["held out"] = cluster_accuracy(y_test, other_labels)
        labels, y = np.concatenate([labels, other_labels]), np.concatenate([y, y_test])
    row["all"] = cluster_accuracy(y, labels)
    row["NMI"] = normalized_mutual_info_score(y, labels)
    row["ARI"] = adjusted_rand_score(y, labels)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=("digits", "mnist", "cifar10"), default="digits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=None)
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = options.methods or [
        name for name in METHODS if "umap" not in name or find_spec("umap") is not None
    ]
    data, rows = load(options.data), []
    nearest = KNeighborsClassifier(1).fit(data[0], data[1]).score(data[2], data[3])
    print(f"1-nearest-neighbor accuracy of held-out rows: {nearest:.3f}")
    for name in names:
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            rows.append(run(name, seed, data))
            print(*(f"{key} {value}" for key, value in rows[-1].items()), sep=", ", flush=True)
    table = pd.DataFrame(rows).drop(columns="seed").groupby("method", sort=False)
    print(table.agg(["mean", "std", "min"]).round(4).to_string())


if __name__ == "__main__":
    main()
