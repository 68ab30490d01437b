"""The result of a read, attention, and memories of a fixed size with their capacity in theory.

The formulas are for N items (or an array of N) whose keys are random unit vectors of size ``dim``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.stats import beta as beta_distribution, norm, skew
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from simmim_lite._arguments import as_array, check_integer, check_number
from simmim_lite._numerics import squared_distances
from simmim_lite.memory._items import as_keys

_NEIGHBORS = 10
_NUMBERS = 1 << 22  # differences in memory at a time


@dataclass(frozen=True, eq=False)
class ReadResult:
    """For each of M queries, k items of a memory, on the CPU.

    Attributes:
        ids: (M, k) int64.
        scores: (M, k), best first: cosine, or minus half the squared distance.
        weights: (M, k), each row sums to one: attention weights, otherwise 1 / k.
        lookup: function (ids (n,), modality) -> n values, used by `values`.
        key: (M, dim) weighted mean of the keys, on the device of the query and differentiable in
            the query; None unless read with ``mode="attend"``.
    """

    ids: Tensor
    scores: Tensor
    weights: Tensor
    lookup: Callable[[Tensor, str], list[Any]]
    key: Tensor | None = None

    def __repr__(self) -> str:
        return f"ReadResult({self.ids.shape[0]} queries, {self.ids.shape[1]} items each)"

    def values(self, modality: str) -> list[list[Any]]:
        """M lists of k values; None for an item without a value of this modality."""
        flat = iter(self.lookup(self.ids.flatten(), modality))
        return [[next(flat) for _ in row] for row in self.ids]


def attend_to_all(queries: Tensor, keys: Tensor, beta: float, metric: str) -> Tensor:
    """softmax(beta * scores) @ keys, (M, dim), without a matrix of all M x N scores.

    One update of a modern Hopfield network (Ramsauer et al. 2021, arXiv 2008.02217, equation 3).
    """
    wide = torch.promote_types(queries.dtype, keys.dtype)
    queries, keys = queries.to(wide), keys.to(wide)
    if metric == "cosine":
        query, key = queries[None, None], keys[None, None]
        scale = min(beta, 1e30)  # the best key, without an overflow
        return scaled_dot_product_attention(query, key, key, scale=scale)[0, 0]
    center, found = keys.mean(dim=0), []
    queries, keys = queries - center, keys - center  # an offset would cost digits of the mean
    for part in queries.split(max(1, _NUMBERS // keys.numel())):
        scores = (part[:, None] - keys).square().sum(dim=2) / -2
        gaps = scores - scores.amax(dim=1, keepdim=True)
        found.append((min(beta, 1e38) * gaps).softmax(dim=1) @ keys)
    return torch.cat(found) + center


def describe_keys(keys: Tensor, metric: str) -> dict[str, float]:
    """Effective rank and hubness of keys (n, dim).

    - ``effective_rank``: exp of the entropy of the normalized singular values, without centering
      (Roy and Vetterli 2007): dim for keys that are spread evenly, 1 for keys on a line.
    - ``hubness`` of more than 10 keys: skewness of the number of times that a key is among the 10
      nearest neighbors of others (Radovanovic et al. 2010): near 0 if all keys are found equally
      often, large if a few keys are found in place of many.
    """
    keys = keys.double()
    weights = torch.linalg.svdvals(keys)
    weights = weights / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
    found = {"effective_rank": float(torch.special.entr(weights).sum().exp())}
    if len(keys) > _NEIGHBORS:
        scores = keys @ keys.T if metric == "cosine" else -squared_distances(keys, keys)
        nearest = scores.fill_diagonal_(-torch.inf).topk(_NEIGHBORS).indices
        times = np.bincount(nearest.flatten().cpu().numpy(), minlength=len(keys))
        found["hubness"] = float(skew(times)) if times.std() else 0.0
    return found


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)  # of a standard normal variable


class SumMemory:
    """The running sum of all written vectors: ``dim`` numbers.

    The sum gives back no single vector, but tells how familiar a vector is: `familiarity_auroc`.
    """

    def __init__(self, dim: int):
        self.sum = _zeros(check_integer("dim", dim, minimum=1))

    def write(self, vectors: Tensor) -> None:
        """Add vectors (N, dim)."""
        self.sum += as_keys("vectors", vectors, len(self.sum)).detach().cpu().sum(dim=0)

    def read(self, queries: Tensor) -> Tensor:
        """Return the sum for every query, (M, dim)."""
        return self.sum.repeat(len(queries), 1)

    def familiarity(self, queries: Tensor) -> Tensor:
        """Return the inner products of queries (M, dim) with the sum, (M,)."""
        return as_keys("queries", queries, len(self.sum)).cpu() @ self.sum


class OuterProductMemory:
    """The sum of the outer products of values and keys: value_dim x key_dim numbers.

    This is a linear associative memory (Kohonen 1972; Anderson 1972), and linear attention. Reading
    with a unit key returns its value plus noise: `sign_accuracy`.
    """

    def __init__(self, key_dim: int, value_dim: int):
        rows = check_integer("value_dim", value_dim, minimum=1)
        self.matrix = _zeros(rows, check_integer("key_dim", key_dim, minimum=1))

    def write(self, keys: Tensor, values: Tensor) -> None:
        """Add pairs of keys (N, key_dim) and values (N, value_dim)."""
        keys = as_keys("keys", keys, self.matrix.shape[1]).detach().cpu()
        values = as_keys("values", values, self.matrix.shape[0]).detach().cpu()
        if len(keys) != len(values):
            raise ValueError(f"values: expected {len(keys)}, one for each key, got {len(values)}")
        self.matrix += values.T @ keys

    def read(self, queries: Tensor) -> Tensor:
        """Return values (M, value_dim) for queries (M, key_dim)."""
        return as_keys("queries", queries, self.matrix.shape[1]).cpu() @ self.matrix.T


class HopfieldMemory:
    """Patterns of +1 and -1, stored in dim x dim weights and completed (Hopfield 1982).

    Up to about 0.138 dim random patterns are stable (Amit, Gutfreund and Sompolinsky 1985); beyond,
    all patterns are lost at once. The modern Hopfield network is `SimulatedMemory.read` with
    ``mode="attend"``: one update of that network is softmax attention.
    """

    def __init__(self, dim: int):
        self.dim = check_integer("dim", dim, minimum=2)
        self.weights = _zeros(dim, dim)

    def write(self, patterns: Tensor) -> None:
        """Add patterns (N, dim) of +1 and -1, by Hebb's rule."""
        patterns = self._bipolar("patterns", patterns)
        self.weights += patterns.T @ patterns / self.dim
        self.weights.fill_diagonal_(0)

    def read(self, states: Tensor, *, steps: int = 20) -> Tensor:
        """Return states (M, dim) after ``steps`` updates of all units, or when no state changes."""
        states = self._bipolar("states", states)
        for _ in range(check_integer("steps", steps, minimum=1)):
            fields = states @ self.weights
            updated = torch.where(fields == 0, states, fields.sign())
            if updated.equal(states):
                break
            states = updated
        return states

    def _bipolar(self, name: str, values: Tensor) -> Tensor:
        values = as_keys(name, values, self.dim).detach().cpu()
        wrong = (values.abs() != 1).any(dim=1)
        if wrong.any():
            row = int(wrong.nonzero()[0])
            raise ValueError(f"{name}: expected +1 and -1, got other numbers in row {row}")
        return values


@torch.inference_mode(False)  # else only a caller in this mode could write
def _zeros(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float32, device="cpu")


def _as_counts(N: ArrayLike, dim: int, *, least: int = 1, least_dim: int = 1) -> np.ndarray:
    check_integer("dim", dim, minimum=least_dim)
    counts = as_array("N", N)
    if counts.dtype.kind not in "biuf" or not ((counts >= least) & (counts < np.inf)).all():
        raise ValueError(f"N: expected finite numbers of items >= {least}, got {N!r:.80}")
    return counts.astype(np.float64)


def familiarity_auroc(N: ArrayLike, dim: int) -> np.ndarray:
    """Probability that a vector in a `SumMemory` scores above a vector that was not written.

    Phi(sqrt(dim / (2 N - 1))), in a Gaussian approximation: the mean scores differ by 1, and the
    difference has the variance (N - 1) / dim + N / dim.
    """
    return norm.cdf(np.sqrt(dim / (2 * _as_counts(N, dim) - 1)))


def sign_accuracy(N: ArrayLike, dim: int) -> np.ndarray:
    """Probability that an `OuterProductMemory` of bipolar values returns a sign correctly, N >= 2.

    Phi(sqrt(dim / (N - 1))), with keys of size ``dim``: each other item adds noise of variance
    1 / dim to a value of 1 or -1.
    """
    return norm.cdf(np.sqrt(dim / (_as_counts(N, dim, least=2) - 1)))


def slot_accuracy(N: ArrayLike, dim: int, noise: float) -> np.ndarray:
    """Probability that a noisy key is nearest to its own slot, by cosine.

    The mean of F(c)^(N - 1). Here c is the cosine between the query and its own key, and F is the
    distribution of the cosine of two random directions: (1 + cosine) / 2 is beta-distributed. The
    ``noise`` is the standard deviation of each component, times sqrt(dim).
    """
    N = _as_counts(N, dim, least_dim=2)
    # The noise in the direction of the key.
    along = check_number("noise", noise, minimum=0) * _NODES / np.sqrt(dim)
    length = np.sqrt(np.maximum(1 + 2 * along + noise**2, 1e-9))
    below = beta_distribution.cdf((1 + (1 + along) / length) / 2, (dim - 1) / 2, (dim - 1) / 2)
    powers = below ** (N[..., None] - 1)
    return powers @ _WEIGHTS / _WEIGHTS.sum()


def attention_weight(N: ArrayLike, dim: int, beta: float) -> np.ndarray:
    """Weight that softmax attention gives to the slot of a query without noise.

    1 / (1 + (N - 1) exp(beta^2 / (2 dim) - beta)): for each other slot E exp(beta c) is about
    exp(beta^2 / (2 dim)), and the sum is near its mean while beta^2 / dim is below ln N.
    """
    beta, others = check_number("beta", beta, minimum=0), _as_counts(N, dim) - 1
    return 1 / (1 + others * np.exp(min(beta * (beta / (2 * dim) - 1), 600.0)))  # no overflow
