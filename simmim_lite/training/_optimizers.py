"""Muon: orthogonalized momentum for the matrices of hidden layers."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

_NEWTON_SCHULZ = 3.4445, -4.7750, 2.0315  # coefficients of a x + b x^3 + c x^5
_ITERATIONS = 5
_MOMENTUM = 0.95  # of the matrices
_OTHERS = 0.3  # learning rate of AdamW, as a fraction of that of the matrices
_BETAS, _EPS = (0.9, 0.95), 1e-8  # of AdamW


class Muon(Optimizer):
    """Orthogonalized momentum for matrices and kernels, AdamW for all other parameters.

    Jordan et al. (2024, "Muon: an optimizer for hidden layers in neural networks"). The update of
    a matrix is its Nesterov momentum with all singular values moved close to 1. So directions with
    small gradients learn as fast as the others. A kernel (out, in, height, width) counts as a
    matrix (out, in height width). Parameters of 1 or 3 dimensions have AdamW with 0.3 times the
    learning rate.
    """

    def __init__(self, params: Iterable[Any], lr: float = 0.02, *, weight_decay: float = 0.0):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                update = self._matrix if parameter.ndim in (2, 4) else self._other
                change, rate = update(parameter.grad, self.state[parameter], group)
                parameter.mul_(1 - rate * group["weight_decay"]).sub_(change, alpha=rate)
        return loss

    def _matrix(self, gradient: Tensor, state: dict, group: dict) -> tuple[Tensor, float]:
        momentum = state.setdefault("momentum", torch.zeros_like(gradient))
        momentum.lerp_(gradient, 1 - _MOMENTUM)
        nesterov = gradient.lerp(momentum, _MOMENTUM).flatten(1)
        scale = max(1.0, len(nesterov) / nesterov.shape[1]) ** 0.5
        return scale * orthogonalized(nesterov).view_as(gradient), group["lr"]

    def _other(self, gradient: Tensor, state: dict, group: dict) -> tuple[Tensor, float]:
        first = state.setdefault("first", torch.zeros_like(gradient))
        second = state.setdefault("second", torch.zeros_like(gradient))
        state["steps"] = state.get("steps", 0) + 1
        beta_1, beta_2 = _BETAS
        first.lerp_(gradient, 1 - beta_1)
        second.lerp_(gradient.square(), 1 - beta_2)
        mean = first / (1 - beta_1 ** state["steps"])
        square = second / (1 - beta_2 ** state["steps"])
        return mean / (square.sqrt() + _EPS), _OTHERS * group["lr"]


def orthogonalized(matrix: Tensor) -> Tensor:
    """Return the matrix (n, m) with its singular values moved to about 1, between 0.7 and 1.2.

    Five iterations of a polynomial of fifth degree (Newton-Schulz), in float32.
    """
    a, b, c = _NEWTON_SCHULZ
    wide = len(matrix) <= matrix.shape[1]
    x = matrix.float() if wide else matrix.float().T
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(_ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x if wide else x.T).to(matrix.dtype)
