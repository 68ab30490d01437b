"""`ManifoldInfoMax`: a scikit-learn clusterer that maximizes information along the manifold."""

import math
import time
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from simmim_lite._arguments import as_array, check_choice, check_integer, check_number
from simmim_lite._numerics import center_and_scale
from simmim_lite._random import seeded
from simmim_lite._torch_state import ordinary_torch
from simmim_lite.augment import RandomWarp
from simmim_lite.manifold._clusters import cluster_information, graph_clusters
from simmim_lite.manifold._neighbors import (
    affinity_graph,
    image_neighbors,
    nearest_neighbors,
    principal_components,
)
from simmim_lite.manifold._networks import (
    ANNEALED,
    CLUSTERING_OBJECTIVES,
    Augment,
    TransformedBatches,
    information_bound,
    logits_of,
    small_network,
    train,
    transform,
    virtual_adversarial_step,
)

_RADIUS = 0.25  # of an adversarial step, in distances to the last neighbor (Hu et al. 2017)
_STEPS = 4  # of the random walk that smooths the assignments of the graph
_COPIES = 3  # warped copies of an image that a prediction is averaged over, besides the image
_MILD = 0.6  # strength of their warps
_BLOCK = 500  # images at a time
_SCORED = 10_000  # rows that `bound_` is computed on


class Stage(NamedTuple):
    """Result of one stage of `ManifoldInfoMax.fit`.

    The names are "graph", "first network", "average" and "second network", or "network" if an
    objective is given; ``nats`` is I(C; C') of the ``labels`` (N,) int along the graph, comparable
    within a fit; ``seconds`` is processor time since the start of the fit.
    """

    name: str
    nats: float
    seconds: float
    labels: np.ndarray


class ManifoldInfoMax(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator
):
    """Clusters that small steps along the data manifold rarely leave, of equal size if possible.

    1. A graph of nearest neighbors stands for the manifold. The labels of its points maximize the
       information that neighbors share (`affinity_graph`, `graph_clusters`). Images are compared by
       `image_distortion`. A short random walk along the graph turns the labels into probabilities
       p(y | x), which are uncertain where clusters meet.
    2. A small network learns to predict Y from X', a random transform of x. With p(y | x) fixed,
       minimizing its cross-entropy maximizes the bound I(Y; X') >= H(Y) + E log q(y | x') over q.
       The new p(y | x) is the average of the predictions for the row and for its neighbors.
    3. A larger network learns the new p(y | x) in the same way. This network predicts.

    Distances are Euclidean, so columns should have comparable scales (use `StandardScaler`).
    Offsets of the columns, and a unit that all share, do not matter; repeated rows and constant
    columns have no effect. The darkest pixel of all images is their background. Time grows with
    the square of N, from about 100,000 rows. Networks are trained on the GPU if there is one.

    Args:
        n_clusters: K. The bound is at most ln K.
        augment: how a network gets x' from x. None: one of the neighbors of x in the graph.
            "image": a random affine and elastic `RandomWarp`; rows are flattened square gray images
            (height x width, background dark). "adversarial": the `virtual_adversarial_step`, a
            quarter of the distance to the last neighbor long. Or a function
            ``augment(x, generator) -> x'`` of rows x (n, columns), float64 tensors in the units of
            X, which draws from the `torch.Generator`, on its device.
        objective: None for the three stages above. "bound", "rim", "imsat" or "iic": one network
            with random initial weights maximizes this one of `CLUSTERING_OBJECTIVES`.
        balanced: prefer clusters of equal size, see `graph_clusters`; True with an ``objective``.
        n_neighbors: of the graph, reduced to N / 2K if larger; None takes 10, and for images 5.
        max_iter: training steps of the network that predicts; the first network has half as many.
        learning_rate: of AdamW, at the start of a cosine schedule.

    Attributes:
        labels_: (N,) int, clusters of the training rows as `predict` returns them.
        bound_: the bound in nats on the training rows (the first 10,000).
        network_: the `torch.nn.Module`, on the CPU, for rows without offset and unit.
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        augment: str | Augment | None = None,
        objective: str | None = None,
        balanced: bool = True,
        n_neighbors: int | None = None,
        max_iter: int = 2000,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_clusters = n_clusters
        self.augment = augment
        self.objective = objective
        self.balanced = balanced
        self.n_neighbors = n_neighbors
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    @ordinary_torch()
    def fit(self, X: ArrayLike, y: Any = None) -> "ManifoldInfoMax":
        """Find clusters of dense rows X (N, columns), K or more of them distinct.

        ``y`` is ignored. Parameters are checked here, as in scikit-learn.
        """
        rows = self._checked(X, reset=True)
        # The nearest neighbors of a repeated row would be its copies, without edges to other rows.
        distinct, self._copy_of = _distinct(rows)
        self._check(len(distinct), rows.shape[1])
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 2))
        self._center, self._unit = self._statistics(rows[distinct])
        self.stages_: list[Stage] = []
        self._start = time.process_time()
        x = self._prepare(rows[distinct])
        distance, index = self._neighbors(x)
        graph = affinity_graph(distance, index)
        data = {"x": x.float()}
        if self.augment is None:
            data["neighbors"] = torch.from_numpy(index)
        elif self.augment == "adversarial":
            data["radius"] = _RADIUS * torch.from_numpy(distance[:, -1])
        if self.objective is None:
            # Strong transforms keep a network from memorizing wrong assignments; weak transforms
            # suit the rows that the network will predict.
            data["p"] = _sharpened(self._assignments(data, graph))
            network = self._trained(2, data, (1.0, ANNEALED), None)
        else:
            objective = CLUSTERING_OBJECTIVES[self.objective]
            network = self._trained(2, data, (ANNEALED, ANNEALED), objective)
        # Double precision is cheap for tables, and predictions do not depend on rows beside them.
        self.network_ = network.cpu() if self.augment == "image" else network.cpu().double()
        labels = logits_of(self.network_, x).argmax(dim=1).numpy()
        self.n_iter_ = self.max_iter
        self._record("second network" if self.objective is None else "network", labels, graph)
        self.labels_ = labels[self._copy_of]
        self.bound_ = self._score(rows[:_SCORED])
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return clusters (N,) in 0..n_clusters-1 of old or new rows (N, columns)."""
        return self.predict_proba(X).argmax(axis=1)

    @ordinary_torch()
    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return p(y | x) (N, n_clusters)."""
        x = self._prepare(self._checked(X))
        return logits_of(self.network_, x).softmax(dim=1).numpy()

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return cluster probabilities (N, n_clusters), as `predict_proba`."""
        return self.predict_proba(X)

    @ordinary_torch()
    def score(self, X: ArrayLike, y: Any = None) -> float:
        """Return `information_bound` in nats on rows X and their transforms, at most ln n_clusters.

        The transforms are those of the training, with the same random numbers in each call, or
        neighbors within X. Repeated rows count once.
        """
        return self._score(self._checked(X))

    def _score(self, rows: np.ndarray) -> float:
        x = self._prepare(rows[_distinct(rows)[0]])
        logits = logits_of(self.network_, x)
        if self.augment is None:
            index = self._neighbors(x)[1] if len(x) > 1 else np.zeros((1, 1), int)
            neighbors = torch.from_numpy(index).T
            return np.mean([information_bound(logits, logits[i]).item() for i in neighbors]).item()
        if self.augment == "adversarial":
            radius = _RADIUS * torch.from_numpy(self._neighbors(x)[0][:, -1])
            with seeded(self._seed):
                moved = virtual_adversarial_step(self.network_, x, radius)
        else:
            generator = torch.Generator().manual_seed(self._seed)
            moved = transform(x, self._augmentation(), generator, ANNEALED)
        return information_bound(logits, logits_of(self.network_, moved)).item()

    _n_features_out = property(lambda self: self.n_clusters)

    def _check(self, distinct: int, columns: int) -> None:
        K = check_integer("n_clusters", self.n_clusters, minimum=1)
        if not callable(self.augment):
            check_choice("augment", self.augment, (None, "image", "adversarial"))
        check_choice("objective", self.objective, (None, *CLUSTERING_OBJECTIVES))
        check_integer("max_iter", self.max_iter, minimum=1)
        if self.n_neighbors is not None:
            check_integer("n_neighbors", self.n_neighbors, minimum=1)
        check_integer("batch_size", self.batch_size, minimum=2)
        check_number("learning_rate", self.learning_rate, minimum=0)
        if distinct < max(K, 2):
            raise ValueError(f"X: expected at least {max(K, 2)} distinct rows, got {distinct}")
        if self.objective and not self.balanced:
            raise ValueError("balanced: expected True with an objective, which prefers equal sizes")
        if self.augment == "image" and math.isqrt(columns) ** 2 != columns:
            raise ValueError(f"augment: expected flattened square images, got {columns} columns")

    def _checked(self, X: ArrayLike, *, reset: bool = False) -> np.ndarray:
        if not reset:
            check_is_fitted(self)
        if isinstance(X, Tensor | np.ma.MaskedArray):
            X = as_array("X", X)
        if hasattr(X, "dtypes") or getattr(X, "dtype", np.dtype(float)).kind in "mM":
            as_array("X", X)  # refuses dates and times that are missing
        least = 2 if reset else 1
        return validate_data(self, X, dtype=np.float64, reset=reset, ensure_min_samples=least)

    def _statistics(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Offset and unit of each column; the unit of constant columns is infinite."""
        if self.augment == "image":
            low, high = rows.min(), rows.max()
            return np.array(low), np.array(high - low or 1.0)
        center, scale = center_and_scale(rows)
        varies = np.isfinite(scale)
        return center, np.where(varies, scale[varies].max(initial=0), np.inf)

    def _prepare(self, rows: np.ndarray) -> Tensor:
        """Rows as input of the network."""
        x = torch.from_numpy(np.ascontiguousarray((rows - self._center) / self._unit))
        side = math.isqrt(rows.shape[1])
        return x.float().reshape(-1, 1, side, side) if self.augment == "image" else x

    def _augmentation(self) -> Any:
        """``augment`` for prepared rows; a function gets and returns rows in the units of X."""
        if not callable(self.augment):
            return self.augment
        function, unit = self.augment, torch.from_numpy(self._unit)
        center, factor = torch.from_numpy(self._center), unit.where(unit.isfinite(), 0)

        def moved(x: Tensor, generator: torch.Generator) -> Tensor:
            rows = x.double() * factor.to(x.device) + center.to(x.device)
            rows = transform(rows, function, generator, ANNEALED)
            return (rows - center.to(x.device)) / unit.to(x.device)

        return moved

    def _neighbors(self, x: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Distances and indices (N, k) of the nearest rows."""
        # At most half of a cluster of average size, or edges would lead out of the cluster.
        wanted = self.n_neighbors or (5 if self.augment == "image" else 10)
        k = min(wanted, max(1, len(x) // (2 * self.n_clusters)), len(x) - 1)
        if self.augment == "image":
            return image_neighbors(x, k, seed=self._seed)
        return nearest_neighbors(principal_components(x.numpy(), seed=self._seed), k)

    def _assignments(self, data: dict[str, Tensor], graph: sparse.csr_array) -> np.ndarray:
        """Cluster assignments p(y | x) (N, K) by graph, first network and neighbors."""
        x = data["x"]
        labels = graph_clusters(graph, self.n_clusters, balanced=self.balanced, seed=self._seed)
        self._record("graph", labels, graph)
        steps = graph + 1e-9 * sparse.eye_array(len(x))  # a point without neighbors stays
        walk = sparse.diags_array(1 / steps.sum(axis=1)) @ steps  # transition probabilities
        p = np.eye(self.n_clusters)[labels]
        for _ in range(_STEPS):
            p = walk @ p
        network = self._trained(1, data | {"p": _sharpened(p)}, (1.0, 1.0), None)
        views, generator = [x], torch.Generator().manual_seed(self._seed)
        for _ in range(_COPIES if self.augment == "image" else 0):
            copies = [RandomWarp()(block, generator, _MILD) for block in x.split(_BLOCK)]
            views.append(torch.cat(copies))
        p = np.mean([logits_of(network, view).softmax(dim=1).numpy() for view in views], axis=0)
        self._record("first network", p.argmax(axis=1), graph)
        p = (p + walk @ p) / 2
        self._record("average", p.argmax(axis=1), graph)
        return p

    def _trained(
        self, number: int, data: dict[str, Tensor], strengths: tuple[float, float], objective: Any
    ) -> nn.Module:
        """The first or second network; the second is twice as wide and trained twice as long."""
        steps, seed = max(1, number * self.max_iter // 2), self._seed + number - 1
        augment = self._augmentation()
        batches = TransformedBatches(data, self.batch_size, augment, strengths, steps, seed)
        network = small_network(data["x"], self.n_clusters, width=number, seed=seed)
        train(network, batches, objective, self.learning_rate)
        return network

    def _record(self, name: str, labels: np.ndarray, graph: sparse.csr_array) -> None:
        seconds = time.process_time() - self._start
        nats = cluster_information(labels, graph)
        self.stages_.append(Stage(name, nats, seconds, labels[self._copy_of]))


def _distinct(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the first copy of each distinct row, and for each row the number of its copy."""
    first: dict[bytes, int] = {}
    copy_of = np.array([first.setdefault((row + 0.0).tobytes(), len(first)) for row in X])
    return np.unique(copy_of, return_index=True)[1], copy_of


def _sharpened(p: np.ndarray) -> Tensor:
    """Targets (N, K): probabilities p, made more certain."""
    return torch.from_numpy(p**2 / (p**2).sum(axis=1, keepdims=True)).float()
