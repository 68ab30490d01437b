"""Memories of a fixed size, to be compared with slots."""

import torch
from torch import Tensor

from simmim_lite._arguments import check_integer
from simmim_lite.memory._batch import as_keys


class SumMemory:
    """The running sum of all vectors that were written, dim numbers in all.

    It has no content to give back but the sum. What it can do is to say how familiar a vector is:
    of N unit vectors in random directions, those that were written score 1 more than others on
    average, with a variance of about N / dim, so that (in a Gaussian approximation) a written one
    beats another with probability Phi(sqrt(dim / (2 N - 1))).
    """

    def __init__(self, dim: int):
        self.sum = torch.zeros(check_integer("dim", dim, minimum=1))

    def write(self, vectors: Tensor) -> None:
        """Add vectors (N, dim)."""
        self.sum += as_keys("vectors", vectors, len(self.sum), "dot").sum(dim=0)

    def read(self, queries: Tensor) -> Tensor:
        """The sum, whatever the query, (M, dim)."""
        return self.sum.expand(len(queries), -1)

    def familiarity(self, queries: Tensor) -> Tensor:
        """Inner products with the sum, (M,)."""
        return as_keys("queries", queries, len(self.sum), "dot") @ self.sum


class OuterProductMemory:
    """The sum of the outer products of values and keys, value_dim x key_dim numbers in all.

    A linear associative memory (Kohonen 1972; Anderson 1972), and linear attention. Reading with a
    unit key gives its value plus noise: of N bipolar values under keys in random directions a
    component comes back with the right sign with probability Phi(sqrt(key_dim / (N - 1))).
    """

    def __init__(self, key_dim: int, value_dim: int):
        rows = check_integer("value_dim", value_dim, minimum=1)
        self.matrix = torch.zeros(rows, check_integer("key_dim", key_dim, minimum=1))

    def write(self, keys: Tensor, values: Tensor) -> None:
        """Add pairs of keys (N, key_dim) and values (N, value_dim)."""
        keys = as_keys("keys", keys, self.matrix.shape[1], "dot")
        values = as_keys("values", values, self.matrix.shape[0], "dot")
        if len(keys) != len(values):
            raise ValueError(f"values: expected {len(keys)}, one a key, got {len(values)}")
        self.matrix += values.T @ keys

    def read(self, queries: Tensor) -> Tensor:
        """(M, key_dim) -> (M, value_dim)."""
        return as_keys("queries", queries, self.matrix.shape[1], "dot") @ self.matrix.T


class HopfieldMemory:
    """Patterns of +1 and -1, stored in dim x dim weights (Hopfield 1982), found by completion.

    Random patterns are stable up to about 0.138 dim of them (Amit, Gutfreund and Sompolinsky
    1985); beyond, all are lost at once. What replaced it is `SimulatedMemory.read` with
    ``mode="attend"``: a modern Hopfield network, one update of which is softmax attention.
    """

    def __init__(self, dim: int):
        self.dim = check_integer("dim", dim, minimum=2)
        self.weights = torch.zeros(dim, dim)

    def write(self, patterns: Tensor) -> None:
        """Add patterns (N, dim) of +1 and -1, by Hebb's rule."""
        patterns = self._bipolar("patterns", patterns)
        self.weights += patterns.T @ patterns / self.dim
        self.weights.fill_diagonal_(0)

    def read(self, states: Tensor, *, steps: int = 20) -> Tensor:
        """States (M, dim) of +1 and -1 after at most so many updates of all units at once."""
        states = self._bipolar("states", states)
        for _ in range(check_integer("steps", steps, minimum=1)):
            fields = states @ self.weights
            following = torch.where(fields == 0, states, fields.sign())
            if following.equal(states):
                break
            states = following
        return states

    def _bipolar(self, name: str, values: Tensor) -> Tensor:
        values = as_keys(name, values, self.dim, "dot")
        if not (values.abs() == 1).all():
            row = int((values.abs() != 1).any(dim=1).nonzero()[0])
            raise ValueError(f"{name}: expected +1 and -1, got other numbers in row {row}")
        return values
