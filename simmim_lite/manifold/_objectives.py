"""Objectives: lower bounds on the information that a cluster keeps along the manifold.

Y is the cluster of x, drawn from p(y | x) = softmax(logits), and X' a transform of x: a point that
is close to x on the manifold. For any q, I(Y; X') >= H(Y) + E log q(y | x') (Barber & Agakov 2003);
the gap is a mean KL divergence. With the network itself as q, `information_bound` needs only
logits. The bound is at most ln K, and reaches ln K if assignments are certain, equally frequent and
kept by the transform.

Each function takes ``logits`` and ``moved_logits`` (N, K), of points and of their transforms, and
returns a scalar tensor to be maximized.
"""

import torch
from torch import Tensor, nn

_WEIGHT, _BALANCE = 0.1, 4.0  # of IMSAT
_TINY = 1e-12


def information_bound(logits: Tensor, moved_logits: Tensor) -> Tensor:
    """Return H(Y) + mean_x sum_y p(y|x) log p(y|x') in nats, a lower bound on I(Y; X').

    H(Y) is the entropy of the mean of p(y|x) over these N rows. In expectation H(Y), and with H(Y)
    the bound, is too small by about (K - 1) / 2N.
    """
    p = logits.softmax(dim=1)
    return _entropy(p.mean(dim=0)) + (p * moved_logits.log_softmax(dim=1)).sum(dim=1).mean()


def symmetric_bound(logits: Tensor, moved_logits: Tensor) -> Tensor:
    """Return the mean of `information_bound` from x to x' and from x' to x, in nats."""
    return (information_bound(logits, moved_logits) + information_bound(moved_logits, logits)) / 2


def rim(logits: Tensor, moved_logits: Tensor | None = None) -> Tensor:
    """Return I(Y; X) = H(Y) - H(Y|X) in nats, without a transform (Krause et al. 2010, eq. 3).

    Nothing keeps a boundary out of dense regions; Krause, Perona & Gomes add weight decay.
    """
    return information_bound(logits, logits)


def imsat(logits: Tensor, moved_logits: Tensor) -> Tensor:
    """Return 0.1 (4 H(Y) - H(Y|X)) - KL(p(y|x) || p(y|x')) (Hu et al. 2017, arXiv 1702.08720).

    As in the paper, the divergence has no gradient through p(y|x). With 1 in the place of 0.1 and 4
    the value equals `information_bound`.
    """
    log_p = logits.log_softmax(dim=1)
    p, fixed = log_p.exp(), log_p.detach()
    divergence = (fixed.exp() * (fixed - moved_logits.log_softmax(dim=1))).sum(dim=1).mean()
    conditional = -(p * log_p).sum(dim=1).mean()
    return _WEIGHT * (_BALANCE * _entropy(p.mean(dim=0)) - conditional) - divergence


def iic(logits: Tensor, moved_logits: Tensor) -> Tensor:
    """Return I(Y; Y') in nats of the two clusters, from their joint table over these rows.

    Ji et al. 2019, eq. 3, arXiv 1807.06653. As in the paper, the table is made symmetric.
    """
    joint = logits.softmax(dim=1).T @ moved_logits.softmax(dim=1) / len(logits)
    joint = (joint + joint.T) / 2
    return 2 * _entropy(joint.sum(dim=0)) - _entropy(joint)


CLUSTERING_OBJECTIVES = {"bound": symmetric_bound, "rim": rim, "imsat": imsat, "iic": iic}


def virtual_adversarial_step(network: nn.Module, x: Tensor, radius: Tensor | float) -> Tensor:
    """Return x' = x + radius * direction, where p(y | x') differs most from p(y | x).

    The direction is the gradient of KL(p(y|x) || p(y|x + radius * r)) with respect to r, at a
    random unit vector r: one step of a power iteration (Miyato et al. 2018, arXiv 1704.03976,
    algorithm 1). No label is needed. r is drawn from torch's global random numbers.
    x' has no gradient.

    Args:
        network: x -> logits (N, K).
        x: (N, ...) floating point, on the device of the network.
        radius: length of the step, one number or (N,).
    """
    radius = torch.as_tensor(radius, dtype=x.dtype, device=x.device)
    radius = radius.reshape(-1, *[1] * (x.ndim - 1))
    direction = _unit(torch.randn_like(x)).requires_grad_()
    with torch.enable_grad():
        log_p = network(x).log_softmax(dim=1).detach()
        log_q = network(x + radius * direction).log_softmax(dim=1)
        divergence = (log_p.exp() * (log_p - log_q)).sum()
        (gradient,) = torch.autograd.grad(divergence, direction)
    return x + radius * _unit(gradient)


def _unit(x: Tensor) -> Tensor:
    length = x.flatten(1).norm(dim=1).reshape(-1, *[1] * (x.ndim - 1))
    return x / length.clamp(min=_TINY)


def _entropy(p: Tensor) -> Tensor:
    return -(p * p.clamp(min=_TINY).log()).sum()
