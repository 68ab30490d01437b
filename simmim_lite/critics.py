"""A critic: networks that score pairs (x, y), for the bounds in `simmim_lite.bounds`.

``critic(x, y)`` takes x (N, dim_x) and y (M, dim_y) and returns scores (N, M), with the observed
pairs on the diagonal. The optimal score is the log density ratio log p(x, y) / (p(x) p(y)) in nats,
up to the offset that a bound allows.

The cost of N x M scores is N + M passes through the networks, and one product.

Examples:
    >>> import torch
    >>> from simmim_lite import bounds
    >>> from simmim_lite.ground_truth import CorrelatedGaussian
    >>> x, y = map(torch.tensor, CorrelatedGaussian(2, nats=1.0).sample(64))
    >>> scores = SeparableCritic(2, 2)(x, y)  # (64, 64)
    >>> abs(bounds.info_nce(scores).item()) < 0.1  # nothing, before training
    True
"""

from torch import Tensor, nn

from simmim_lite._arguments import check_integer
from simmim_lite._random import seeded
from simmim_lite._torch_state import like_parameters


class SeparableCritic(nn.Module):
    """g(x) . h(y) with two networks (van den Oord et al. 2018, arXiv 1807.03748).

    The rank of a score matrix is at most 32, the size of an embedding: a limit of the sharpness.
    """

    def __init__(self, dim_x: int, dim_y: int, *, hidden: int = 128, seed: int = 0):
        super().__init__()
        self.dims = (
            check_integer("dim_x", dim_x, minimum=1),
            check_integer("dim_y", dim_y, minimum=1),
        )
        with seeded(seed):
            self.embed_x = _network(dim_x, hidden)
            self.embed_y = _network(dim_y, hidden)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        for name, values, dim in (("x", x, self.dims[0]), ("y", y, self.dims[1])):
            if values.ndim != 2 or values.shape[1] != dim:
                raise ValueError(f"{name}: expected shape (N, {dim}), got {tuple(values.shape)}")
        embedded = self.embed_x(like_parameters(self, x)), self.embed_y(like_parameters(self, y))
        return embedded[0] @ embedded[1].T


def _network(dim: int, hidden: int) -> nn.Sequential:
    hidden = check_integer("hidden", hidden, minimum=1)
    first, second = nn.Linear(dim, hidden), nn.Linear(hidden, hidden)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Linear(hidden, 32))
