"""Critics: networks that score pairs (x, y), for the bounds in `simmim_lite.bounds`.

``critic(x, y)`` takes x (N, dim_x) and y (M, dim_y) and returns scores (N, M), with the observed
pairs on the diagonal. The optimal score is the log density ratio log p(x, y) / (p(x) p(y)) in nats,
up to the offset that a bound allows.

| critic | a score is | cost of N x M scores |
|---|---|---|
| `SeparableCritic` | an inner product of two embeddings | N + M network passes, one product |
| `ConcatCritic` | a network of the concatenated pair | N x M network passes |
| `GaussianBase` | the log ratio of normal densities | one product |

Examples:
    >>> import torch
    >>> from simmim_lite import bounds
    >>> from simmim_lite.ground_truth import CorrelatedGaussian
    >>> x, y = map(torch.tensor, CorrelatedGaussian(2, nats=1.0).sample(1000))
    >>> scores = GaussianBase(x, y)(x[:256], y[:256])  # (256, 256)
    >>> print(f"InfoNCE {bounds.info_nce(scores).item():.1f} nats of 1.0")
    InfoNCE 1.0 nats of 1.0
"""

from typing import Any

import torch
from torch import Tensor, nn

from simmim_lite._arguments import as_tensor, check_integer
from simmim_lite._random import seeded
from simmim_lite._torch_state import like_parameters


class SeparableCritic(nn.Module):
    """g(x) . h(y) with two networks (van den Oord et al. 2018, arXiv 1807.03748).

    The rank of a score matrix is at most 32, the size of an embedding: a limit of the sharpness.
    """

    def __init__(self, dim_x: int, dim_y: int, *, hidden: int = 128, seed: int = 0):
        super().__init__()
        self.dims = _dims(dim_x, dim_y)
        with seeded(seed):
            self.embed_x = _network(dim_x, hidden, 32)
            self.embed_y = _network(dim_y, hidden, 32)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = _checked(self, x, y)
        return self.embed_x(x) @ self.embed_y(y).T


class ConcatCritic(nn.Module):
    """One network of the concatenated pair (Belghazi et al. 2018, arXiv 1801.04062)."""

    def __init__(self, dim_x: int, dim_y: int, *, hidden: int = 128, seed: int = 0):
        super().__init__()
        self.dims = _dims(dim_x, dim_y)
        with seeded(seed):
            self.network = _network(dim_x + dim_y, hidden, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = _checked(self, x, y)
        # The first layer is linear in the pair: apply it to x and to y once, then add.
        weight, bias = self.network[0].parameters()
        weight_x, weight_y = weight.split(self.dims, dim=1)
        pairs = (x @ weight_x.T)[:, None] + (y @ weight_y.T)[None] + bias
        return self.network[1:](pairs)[:, :, 0]


class GaussianBase(nn.Module):
    """Log density ratio of normal X and Y with the means and covariances of the given samples.

    x (N, dim_x) and y (N, dim_y), N > dim_x + dim_y; columns that depend linearly on others raise
    ValueError. Nothing is trained. Estimators for high information learn only what this base omits:
    vector copulas (arXiv 2510.20968), multinomial estimators (arXiv 2408.09377).
    """

    def __init__(self, x: Tensor, y: Tensor):
        super().__init__()
        dtypes = [None if isinstance(values, Tensor) else torch.float64 for values in (x, y)]
        x, y = as_tensor("x", x, dtype=dtypes[0]), as_tensor("y", y, dtype=dtypes[1])
        x, y = (z.detach().to(torch.promote_types(x.dtype, y.dtype)) for z in (x, y))
        if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or len(x) <= x.shape[1] + y.shape[1]:
            expected = "the same number of samples, larger than dim_x + dim_y"
            got = f"shapes {tuple(x.shape)} and {tuple(y.shape)}"
            raise ValueError(f"x and y: expected {expected}, got {got}")
        self.dims = _dims(x.shape[1], y.shape[1])
        (white_x, root_x), (white_y, root_y) = _whitened("x", x), _whitened("y", y)
        covariance = white_x.T @ white_y / len(x)
        left, correlation, right = torch.linalg.svd(covariance, full_matrices=False)
        if (largest := correlation.max()) >= 1 - 1e-12:
            expected = "no column to be a linear function of the other variable"
            raise ValueError(f"x, y: expected {expected}, got canonical correlation {largest:g}")
        self.mean_x, self.rest_x = map(nn.Buffer, _mean(x))
        self.mean_y, self.rest_y = map(nn.Buffer, _mean(y))
        self.rotation_x = nn.Buffer((root_x @ left).to(x.dtype))
        self.rotation_y = nn.Buffer((root_y @ right.T).to(x.dtype))
        self.correlation = nn.Buffer(correlation.to(x.dtype))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = (values.to(self.mean_x) for values in _checked(self, x, y))
        u = (x - self.mean_x - self.rest_x) @ self.rotation_x
        v = (y - self.mean_y - self.rest_y) @ self.rotation_y
        rho = self.correlation
        rest = 1 - rho**2
        own = rho**2 / rest / 2
        scores = (u * (rho / rest)) @ v.T - (u**2 @ own)[:, None] - (v**2 @ own)
        return scores - rest.log().sum() / 2


def _mean(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of columns and its rounding error: an offset would make the error large."""
    mean = values.double().mean(0)
    return mean.to(values.dtype), (mean - mean.to(values.dtype)).to(values.dtype)


def _whitened(name: str, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return columns (N, dim) of unit covariance, and the matrix that maps the centered columns."""
    centered = values.double() - values.double().mean(0)
    root, failed = torch.linalg.cholesky_ex(centered.T @ centered / len(values))
    if failed:
        raise ValueError(f"{name}: expected independent columns, got a singular covariance")
    whiten = torch.linalg.inv(root).T
    return centered @ whiten, whiten


def _network(dim: int, hidden: int, out: int) -> nn.Sequential:
    hidden = check_integer("hidden", hidden, minimum=1)
    first, second = nn.Linear(dim, hidden), nn.Linear(hidden, hidden)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Linear(hidden, out))


def _dims(dim_x: int, dim_y: int) -> tuple[int, int]:
    return check_integer("dim_x", dim_x, minimum=1), check_integer("dim_y", dim_y, minimum=1)


def _checked(critic: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    for name, values, dim in (("x", x, critic.dims[0]), ("y", y, critic.dims[1])):
        if values.ndim != 2 or values.shape[1] != dim:
            raise ValueError(f"{name}: expected shape (N, {dim}), got {tuple(values.shape)}")
    return like_parameters(critic, x), like_parameters(critic, y)
