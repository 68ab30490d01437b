"""Critics: networks that score how well x and y go together, for the bounds of `bounds`.

``critic(x, y)`` takes x (N, dim_x) and y (M, dim_y) and gives scores (N, M), the pairs of the
sample on the diagonal. The ideal score is the log-ratio log p(x, y) / p(x) p(y), up to what the
bound leaves open.

| critic | a score is | cost of N x M scores |
|---|---|---|
| `SeparableCritic` | an inner product of two embeddings | N + M networks, one product |
| `BilinearCritic` | x' W y, of the inputs themselves | one product |
| `ConcatCritic` | a network of the joined pair | N x M networks |
| `GaussianBase` | the log-ratio of normal variables, plus another critic if given | that critic's |

Weights are drawn from ``seed`` alone; the global random state is neither read nor changed.
"""

import math

import torch
from torch import Tensor, nn

from simmim_lite._arguments import check_integer


class SeparableCritic(nn.Module):
    """g(x) . h(y) with two networks (van den Oord et al. 2018, arXiv 1807.03748).

    A matrix of scores has at most rank ``embedding``, which limits how sharp it can be.
    """

    def __init__(
        self, dim_x: int, dim_y: int, *, hidden: int = 128, embedding: int = 32, seed: int = 0
    ):
        super().__init__()
        generator = _generator(seed)
        self.dims = _dims(dim_x, dim_y)
        self.embed_x = _network(dim_x, hidden, embedding, generator)
        self.embed_y = _network(dim_y, hidden, embedding, generator)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        _check(x, y, self.dims)
        return self.embed_x(x) @ self.embed_y(y).T


class BilinearCritic(nn.Module):
    """x' W y (as the predictions of van den Oord et al. 2018); W begins at 0."""

    def __init__(self, dim_x: int, dim_y: int):
        super().__init__()
        self.dims = _dims(dim_x, dim_y)
        self.weight = nn.Parameter(torch.zeros(dim_x, dim_y))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        _check(x, y, self.dims)
        return x @ self.weight @ y.T


class ConcatCritic(nn.Module):
    """One network of (x, y) joined (Belghazi et al. 2018, arXiv 1801.04062), on all N M pairs."""

    def __init__(self, dim_x: int, dim_y: int, *, hidden: int = 128, seed: int = 0):
        super().__init__()
        self.dims = _dims(dim_x, dim_y)
        generator = _generator(seed)
        self.first = _linear(dim_x + dim_y, hidden, generator)
        self.rest = nn.Sequential(
            nn.ReLU(), _linear(hidden, hidden, generator), nn.ReLU(), _linear(hidden, 1, generator)
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        _check(x, y, self.dims)
        # The first layer is linear in the joined pair, so that it need not be applied to each.
        of_x, of_y = self.first.weight.split(self.dims, dim=1)
        joined = (x @ of_x.T)[:, None] + (y @ of_y.T)[None] + self.first.bias
        return self.rest(joined)[:, :, 0]


class GaussianBase(nn.Module):
    """The log-ratio of normal X and Y of the given samples' means and covariances.

    ``correction``, another critic, is added to it, and only that is trained: it need not learn what
    correlation explains, which is most of what is hard at high information. (Vector copulas,
    arXiv 2510.20968, and multinomial estimators, 2408.09377, build on a Gaussian base too.)

    Args:
        x, y: (N, dim_x) and (N, dim_y), the samples to take means and covariances of, N larger
            than dim_x + dim_y.
    """

    def __init__(self, x: Tensor, y: Tensor, correction: nn.Module | None = None):
        super().__init__()
        if len(x) != len(y) or len(x) <= x.shape[1] + y.shape[1]:
            raise ValueError(
                "x and y: expected the same number of samples, more than columns in all, "
                f"got shapes {tuple(x.shape)} and {tuple(y.shape)}"
            )
        self.dims = _dims(x.shape[1], y.shape[1])
        self.correction = correction
        whitened, roots = [], []
        for name, values in (("x", x), ("y", y)):
            centered = (values - values.mean(0)).double()
            root, failed = torch.linalg.cholesky_ex(centered.T @ centered / len(values))
            if failed:
                raise ValueError(f"{name}: expected linearly independent columns that vary")
            roots.append(torch.linalg.inv(root).T)
            whitened.append(centered @ roots[-1])
        left, correlation, right = torch.linalg.svd(
            whitened[0].T @ whitened[1] / len(x), full_matrices=False
        )
        if correlation.max() >= 1 - 1e-12:
            raise ValueError("x, y: expected no column to be a linear function of the other's")
        for name, values in (
            ("mean_x", x.mean(0)),
            ("mean_y", y.mean(0)),
            ("rotation_x", roots[0] @ left),
            ("rotation_y", roots[1] @ right.T),
            ("correlation", correlation),
        ):
            self.register_buffer(name, values.to(x.dtype))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        _check(x, y, self.dims)
        u = (x - self.mean_x) @ self.rotation_x
        v = (y - self.mean_y) @ self.rotation_y
        rho = self.correlation
        rest = 1 - rho**2
        own = rho**2 / rest / 2
        scores = (u * (rho / rest)) @ v.T - (u**2 @ own)[:, None] - (v**2 @ own)
        scores = scores - rest.log().sum() / 2
        return scores if self.correction is None else scores + self.correction(x, y)


def _network(dim: int, hidden: int, out: int, generator: torch.Generator) -> nn.Sequential:
    return nn.Sequential(
        _linear(dim, hidden, generator),
        nn.ReLU(),
        _linear(hidden, hidden, generator),
        nn.ReLU(),
        _linear(hidden, out, generator),
    )


def _linear(dim: int, out: int, generator: torch.Generator) -> nn.Linear:
    """With PyTorch's own uniform distribution, drawn from ``generator``."""
    layer = torch.nn.utils.skip_init(nn.Linear, check_integer("dim", dim, minimum=1), out)
    bound = 1 / math.sqrt(dim)
    nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    return layer


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))


def _dims(dim_x: int, dim_y: int) -> tuple[int, int]:
    return check_integer("dim_x", dim_x, minimum=1), check_integer("dim_y", dim_y, minimum=1)


def _check(x: Tensor, y: Tensor, dims: tuple[int, int]) -> None:
    for name, values, dim in (("x", x, dims[0]), ("y", y, dims[1])):
        if values.ndim != 2 or values.shape[1] != dim:
            raise ValueError(f"{name}: expected shape (N, {dim}), got {tuple(values.shape)}")
