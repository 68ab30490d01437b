"""What a memory gave back, and attention over keys."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

if TYPE_CHECKING:
    from simmim_lite.memory._memory import SimulatedMemory


@dataclass(frozen=True, eq=False)
class ReadResult:
    """For each of M queries, k items of a memory.

    Attributes:
        ids: (M, k) int64.
        scores: (M, k), the best first (samples as they were drawn): cosine, or minus half the
            squared distance.
        weights: (M, k), each row of sum one: those of the attention, else 1 / k.
        key: (M, dim) weighted mean of the keys, differentiable in the query; None unless read with
            ``mode="attend"``.
    """

    ids: Tensor
    scores: Tensor
    weights: Tensor
    memory: "SimulatedMemory"
    key: Tensor | None = None

    def __repr__(self) -> str:
        return f"ReadResult({self.ids.shape[0]} queries, {self.ids.shape[1]} items each)"

    def values(self, modality: str) -> list[list]:
        """M lists of k values, None for an item without one of this modality."""
        flat = iter(self.memory.values(self.ids.flatten(), modality))
        return [[next(flat) for _ in row] for row in self.ids]

    @property
    def entropy(self) -> Tensor:
        """Of the weights, in nats, (M,): 0 for one item, ln k for k equal ones."""
        return torch.special.entr(self.weights).sum(dim=1)


def score(queries: Tensor, keys: Tensor, metric: str) -> Tensor:
    """Scores (M, k) of queries (M, dim) with keys (M, k, dim) of their own, differentiable."""
    if metric == "cosine":
        return torch.einsum("md,mkd->mk", queries, keys)
    return -(queries[:, None] - keys).square().sum(dim=2) / 2


def attend_to_all(queries: Tensor, keys: Tensor, beta: float, metric: str) -> Tensor:
    """softmax(beta * scores) @ keys, (M, dim), without the table of M x N scores.

    One update of a modern Hopfield network (Ramsauer et al. 2021, arXiv 2008.02217, equation 3),
    which is the attention of a transformer with keys for values.
    """
    if metric == "euclidean":  # -|q - k|^2 / 2 = q k - |k|^2 / 2 and a part that softmax ignores
        queries = torch.cat([queries, torch.ones_like(queries[:, :1])], dim=1)
        keys = torch.cat([keys, -keys.square().sum(dim=1, keepdim=True) / 2], dim=1)
    stacked = queries[None, None], keys[None, None], keys[None, None]
    attended = scaled_dot_product_attention(*stacked, scale=beta)[0, 0]
    return attended[:, :-1] if metric == "euclidean" else attended


def draw(logits: Tensor, k: int, generator: torch.Generator | None) -> Tensor:
    """k columns of each row, without replacement, with probabilities softmax(logits): (M, k).

    Gumbel top-k (Vieira 2014; Kool et al. 2019, arXiv 1903.06059).
    """
    noise = torch.rand(logits.shape, generator=generator, dtype=torch.float64)
    return (logits.double() - (-noise.log()).log()).topk(k).indices
