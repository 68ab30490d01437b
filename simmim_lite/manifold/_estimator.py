"""`ManifoldInfoMax`: clusters that keep most information along the data manifold."""

import math
import time
from collections.abc import Iterator
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

from simmim_lite._arguments import check_choice, check_integer, check_number
from simmim_lite._random import seeded
from simmim_lite.augment import RandomWarp
from simmim_lite.manifold._codes import cluster_information, graph_clusters
from simmim_lite.manifold._distortion import image_neighbors
from simmim_lite.manifold._moves import Augment, Moves
from simmim_lite.manifold._neighbors import affinity_graph, nearest_neighbors, principal_components
from simmim_lite.manifold._networks import (
    ANNEALED,
    image_network,
    learn_codes,
    learn_objective,
    logits_of,
    table_network,
)
from simmim_lite.manifold._objectives import (
    CLUSTERING_OBJECTIVES,
    information_bound,
    virtual_adversarial_step,
)

_STEPS = 4  # along the graph, which carry codes from point to point
_COPIES = 3  # warped copies of an image that a network gives its opinion on, besides it
_MILD = 0.6  # strength of their warps
_BLOCK = 500  # images at a time
_SCORED = 10_000  # rows that the bound is reported on while fitting


class Stage(NamedTuple):
    """What was known after a stage of `ManifoldInfoMax.fit`.

    Attributes:
        name: "graph", "first network", "vote" and "second network"; with an objective, "network".
        nats: I(C; C') of its codes along the graph; those of one run may be compared.
        seconds: processor time since the beginning.
        codes: (N,) int.
    """

    name: str
    nats: float
    seconds: float
    codes: np.ndarray


class ManifoldInfoMax(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator
):
    """Clusters by information: even codes that a move along the data manifold leaves as they are.

    1. A graph of neighbors stands for the manifold, and the codes of its points are those that
       keep most information along an edge (`neighbor_graph`, `graph_clusters`). Images are compared
       by their `image_distortion`. Some steps along the graph turn the codes into probabilities
       p(y | x), which are uncertain where clusters meet.
    2. A small network learns to tell Y from X', where x has moved to: with p(y | x) fixed, its
       cross-entropy is the bound I(Y; X') >= H(Y) + E log q(y | x') in q. The new p(y | x) is what
       it and the neighbors say together.
    3. A larger network learns these in the same way. It predicts.

    No label is used. The distances are Euclidean, so columns want comparable scales
    (``make_pipeline(StandardScaler(), ManifoldInfoMax(3))``). Time grows with the square of N, felt
    from about 100,000 rows.

    Args:
        n_clusters: K. The bound cannot exceed ln K.
        augment: what moves a point along its manifold, wherever a network learns: None, to one of
            its neighbors in the graph; "image", rows being flattened square gray images
            (height x width, zero the background), a random affine and elastic `RandomWarp`;
            "adversarial", the `virtual_adversarial_step`; or ``augment(x, generator) -> x'`` for
            rows x (n, columns), float32 tensors, drawing from the `torch.Generator`.
        objective: None for these steps. "bound", "rim", "imsat" or "iic": no graph codes and one
            network only, which maximizes that of the `CLUSTERING_OBJECTIVES`, from random weights.
        n_neighbors: of the graph; None takes 10, and of images the 5 that are least distorted.
        radius: length of an adversarial step, in distances to the last of these neighbors.
        max_iter: steps of the network that predicts; the first has half as many.
        batch_size: rows of a step, N at most.
        learning_rate: of AdamW, at the start of a cosine.
        random_state: seed, generator or None, as in scikit-learn.
        verbose: print each stage, its nats and its seconds.

    Attributes:
        labels_: (N,) int, codes of the training rows as `predict` gives them.
        bound_: the bound in nats on (up to 10,000 of) the training rows.
        stages_: list of `Stage`: what was known when.
        network_: the `torch.nn.Module`.
        n_iter_: steps taken by the network that predicts, ``max_iter``.
        n_features_in_, feature_names_in_: as in scikit-learn.
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        augment: str | Augment | None = None,
        objective: str | None = None,
        n_neighbors: int | None = None,
        radius: float = 0.25,
        max_iter: int = 2000,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ):
        self.n_clusters = n_clusters
        self.augment = augment
        self.objective = objective
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: Any = None) -> "ManifoldInfoMax":
        """Learn from rows X (N, columns); ``y`` is ignored.

        Raises:
            ValueError: NaN or infinite numbers, fewer (distinct) rows than clusters, rows that are
                no square images with ``augment="image"``, parameters out of range.
            TypeError: sparse X, parameters of another type.
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
        self._check(X)
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 2))
        self._scale = float(np.abs(X).max()) or 1.0
        self.stages_, self._start = [], time.process_time()
        # Copies of a row would be its only neighbors, and the graph fall apart.
        distinct, self._copy_of = _distinct(X)
        x = self._prepare(X[distinct]).float()
        distance, index = self._neighbors(x)
        graph = affinity_graph(distance, index)
        moves = Moves(self.augment, x, torch.from_numpy(index))
        network = self._network(x, width=2, seed=self._seed + 1)
        options = self._options(self.max_iter, seed=self._seed + 1)
        if self.objective is None:
            p = self._second_opinion(x, graph, moves)
            learn_codes(network, x, _targets(p), moves, anneal=True, **options)
        else:
            objective = CLUSTERING_OBJECTIVES[self.objective]
            radius = self.radius * torch.from_numpy(distance[:, -1])
            learn_objective(network, x, objective, moves, radius=radius, **options)
        # Tables cost little, and in double precision no row depends on those beside it.
        self.network_ = network if self.augment == "image" else network.double()
        codes = self._codes(self.network_, self._prepare(X[distinct]))
        self.n_iter_ = self.max_iter
        self._reached("second network" if self.objective is None else "network", codes, graph)
        self.labels_ = codes[self._copy_of]
        self.bound_ = self.score(X[:_SCORED])
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Codes (N,) in 0..n_clusters-1 of rows (N, columns), seen before or not."""
        return self.predict_proba(X).argmax(axis=1)

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """p(y | x) (N, n_clusters)."""
        x = self._checked(X)
        return logits_of(self.network_, x).softmax(dim=1).numpy()

    def transform(self, X: ArrayLike) -> np.ndarray:
        """The code of each row as probabilities (N, n_clusters), as `predict_proba`."""
        return self.predict_proba(X)

    def score(self, X: ArrayLike, y: Any = None) -> float:
        """`information_bound` in nats on rows X and where they move to, at most ln n_clusters.

        Without ``augment`` they move to their neighbors within X; else as in training, with
        random numbers that are the same at every call.
        """
        x = self._checked(X)
        logits = logits_of(self.network_, x)
        if self.augment is None:
            if len(x) == 1:
                return float(information_bound(logits, logits))
            _, index = self._neighbors(x)
            moved = [logits[near] for near in torch.from_numpy(index).T]
        else:
            moved = [logits_of(self.network_, self._moved(x))]
        bounds = [float(information_bound(logits, other)) for other in moved]
        return float(np.mean(bounds))

    @property
    def _n_features_out(self) -> int:
        return self.n_clusters

    def _check(self, X: np.ndarray) -> None:
        K = check_integer("n_clusters", self.n_clusters, minimum=1)
        if not callable(self.augment):
            check_choice("augment", self.augment, (None, "image", "adversarial"))
        check_choice("objective", self.objective, (None, *CLUSTERING_OBJECTIVES))
        check_integer("max_iter", self.max_iter, minimum=1)
        if self.n_neighbors is not None:
            check_integer("n_neighbors", self.n_neighbors, minimum=1)
        check_integer("batch_size", self.batch_size, minimum=2)
        for name in ("radius", "learning_rate"):
            check_number(name, getattr(self, name), minimum=0)
        if len(X) < K:
            raise ValueError(f"n_samples={len(X)} should be >= n_clusters={K}")
        distinct = len(_distinct(X)[0])
        if distinct < max(K, 2):
            raise ValueError(
                f"X: expected at least {max(K, 2)} distinct rows, as n_clusters={K}, got {distinct}"
            )
        if self.augment == "image" and math.isqrt(X.shape[1]) ** 2 != X.shape[1]:
            raise ValueError(
                f'augment: expected flattened square images for "image", got {X.shape[1]} columns'
            )

    def _checked(self, X: ArrayLike) -> Tensor:
        check_is_fitted(self)
        return self._prepare(validate_data(self, X, dtype=[np.float64, np.float32], reset=False))

    def _prepare(self, X: np.ndarray) -> Tensor:
        """Rows as the network takes them."""
        if self.augment != "image":
            return torch.tensor(X, dtype=torch.float64)
        side = math.isqrt(X.shape[1])
        return torch.from_numpy(X / self._scale).float().reshape(-1, 1, side, side)

    def _neighbors(self, x: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Distances and indices (N, k) of the nearest rows."""
        # At most half of a cluster of average size, or edges would lead out of it.
        wanted = self.n_neighbors or (5 if self.augment == "image" else 10)
        k = min(wanted, max(1, len(x) // (2 * self.n_clusters)), len(x) - 1)
        if self.augment == "image":
            return image_neighbors(x, k, seed=self._seed)
        return nearest_neighbors(principal_components(x.numpy(), seed=self._seed), k)

    def _copies(self, x: Tensor) -> Iterator[Tensor]:
        """Warped copies of images, of other rows none."""
        generator = torch.Generator().manual_seed(self._seed)
        for _ in range(_COPIES if self.augment == "image" else 0):
            yield torch.cat([RandomWarp()(block, generator, _MILD) for block in x.split(_BLOCK)])

    def _second_opinion(self, x: Tensor, graph: sparse.csr_array, moves: Moves) -> np.ndarray:
        """Codes as probabilities (N, K): the mean of a network's and of what its neighbors get."""
        codes = graph_clusters(graph, self.n_clusters, seed=self._seed)
        self._reached("graph", codes, graph)
        walk = _random_walk(graph)
        p = np.eye(self.n_clusters)[codes]
        for _ in range(_STEPS):
            p = walk @ p
        network = self._network(x, width=1, seed=self._seed)
        options = self._options(max(1, self.max_iter // 2), seed=self._seed)
        learn_codes(network, x, _targets(p), moves, **options)
        views = [x, *self._copies(x)]
        p = np.mean([logits_of(network, view).softmax(dim=1).numpy() for view in views], axis=0)
        self._reached("first network", p.argmax(axis=1), graph)
        p = (p + walk @ p) / 2
        self._reached("vote", p.argmax(axis=1), graph)
        return p

    def _network(self, x: Tensor, *, width: int, seed: int) -> nn.Module:
        if self.augment == "image":
            return image_network(x.shape[-1], self.n_clusters, width=16 * width, seed=seed)
        return table_network(x.shape[1], self.n_clusters, width=64 * width, seed=seed)

    def _options(self, steps: int, *, seed: int) -> dict[str, Any]:
        return {
            "steps": steps,
            "learning_rate": self.learning_rate,
            "batch_size": self.batch_size,
            "seed": seed,
            "progress": None if self.verbose else False,
        }

    def _codes(self, network: nn.Module, x: Tensor) -> np.ndarray:
        return logits_of(network, x).argmax(dim=1).numpy()

    def _reached(self, name: str, codes: np.ndarray, graph: sparse.csr_array) -> None:
        seconds = time.process_time() - self._start
        nats = cluster_information(codes, graph)
        self.stages_.append(Stage(name, nats, seconds, codes[self._copy_of]))
        if self.verbose:
            print(f"{name}: {self.stages_[-1].nats:.4f} nats after {seconds:.0f} s")

    def _moved(self, x: Tensor) -> Tensor:
        """Where rows move to in `score`."""
        generator = torch.Generator().manual_seed(self._seed)
        if self.augment != "adversarial":
            moves = Moves(self.augment, x)
            return moves({"x": x}, generator, ANNEALED)["moved"]
        distance, _ = self._neighbors(x)
        with seeded(self._seed):
            radius = self.radius * torch.from_numpy(distance[:, -1])
            return virtual_adversarial_step(self.network_, x, radius)


def _distinct(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the rows that have not occurred before, and for all rows which of these it is."""
    first: dict[bytes, int] = {}
    copy_of = np.array([first.setdefault((row + 0.0).tobytes(), len(first)) for row in X])
    return np.unique(copy_of, return_index=True)[1], copy_of


def _random_walk(graph: sparse.csr_array) -> sparse.csr_array:
    """Probabilities (N, N) of a step from each point; one without a neighbor stays."""
    graph = graph + 1e-9 * sparse.eye_array(graph.shape[0])
    return sparse.diags_array(1 / graph.sum(axis=1)) @ graph


def _targets(p: np.ndarray) -> Tensor:
    """What to learn (N, K): codes as probabilities p, made more certain."""
    return torch.from_numpy(p**2 / (p**2).sum(axis=1, keepdims=True)).float()
