"""What to maximize: a lower bound on the information that a code keeps along the manifold.

Y is a code of x, drawn from p(y | x) = softmax(logits), and X' a point that x can move to on its
manifold. For any q, I(Y; X') >= H(Y) + E log q(y | x') (Barber & Agakov 2003): the error is a mean
KL divergence. With the network itself as q, `information_bound` needs nothing but logits; it is at
most ln K, and reaches it when codes are certain, equally frequent, and kept by the move.

Each function takes ``logits`` and ``moved_logits`` (N, K), of points and of what they moved to, and
gives a scalar tensor to be maximized.
"""

import torch
from torch import Tensor, nn

_TINY = 1e-12


def information_bound(logits: Tensor, moved_logits: Tensor) -> Tensor:
    """H(Y) + mean_x sum_y p(y|x) log p(y|x') in nats, a lower bound on I(Y; X').

    H(Y) is that of the mean of p(y|x) over these rows: of few rows it is too small by about
    (K - 1) / 2N, and the bound with it.
    """
    p = logits.softmax(dim=1)
    return _entropy(p.mean(dim=0)) + (p * moved_logits.log_softmax(dim=1)).sum(dim=1).mean()


def both_ways(logits: Tensor, moved_logits: Tensor) -> Tensor:
    """The mean of `information_bound` from x to x' and back: what is trained on."""
    return (information_bound(logits, moved_logits) + information_bound(moved_logits, logits)) / 2


def rim(logits: Tensor, moved_logits: Tensor | None = None) -> Tensor:
    """I(Y; X) = H(Y) - H(Y|X), no moves (Krause, Perona & Gomes 2010, their eq. 3).

    Nothing holds a boundary back from running through the densest place; theirs decays weights.
    """
    p = logits.softmax(dim=1)
    return _entropy(p.mean(dim=0)) + (p * logits.log_softmax(dim=1)).sum(dim=1).mean()


def imsat(
    logits: Tensor, moved_logits: Tensor, *, weight: float = 0.1, balance: float = 4.0
) -> Tensor:
    """-KL(p(y|x) || p(y|x')) + weight (balance H(Y) - H(Y|X)) (Hu et al. 2017, arXiv 1702.08720).

    p(y|x) of the divergence is held fixed, as theirs. With weights of one it is
    `information_bound`, of which this counts the divergence ten times.
    """
    log_p = logits.log_softmax(dim=1)
    p, fixed = log_p.exp(), log_p.detach()
    divergence = (fixed.exp() * (fixed - moved_logits.log_softmax(dim=1))).sum(dim=1).mean()
    conditional = -(p * log_p).sum(dim=1).mean()
    return weight * (balance * _entropy(p.mean(dim=0)) - conditional) - divergence


def iic(logits: Tensor, moved_logits: Tensor) -> Tensor:
    """I(Y; Y') of the two codes, from their joint table over these rows (Ji et al. 2019, eq. 3).

    arXiv 1807.06653. The table is made symmetric, as theirs.
    """
    joint = logits.softmax(dim=1).T @ moved_logits.softmax(dim=1) / len(logits)
    joint = (joint + joint.T) / 2
    return 2 * _entropy(joint.sum(dim=0)) - _entropy(joint)


CLUSTERING_OBJECTIVES = {"bound": both_ways, "rim": rim, "imsat": imsat, "iic": iic}


def virtual_adversarial_step(
    network: nn.Module, x: Tensor, radius: Tensor | float, *, probe: float | None = None
) -> Tensor:
    """Where, within ``radius`` of x, p(y | x') differs most: x' = x + radius * direction.

    The direction is that of the gradient of KL(p(y|x) || p(y|x + probe * r)) for a random unit r,
    one step of a power iteration (Miyato et al. 2018, arXiv 1704.03976, algorithm 1). It needs no
    label. The random direction is from torch's global random numbers.

    Args:
        network: x -> logits (N, K).
        x: (N, ...) floating point.
        radius: one length for all, or (N,).
        probe: length of the trial step; None takes ``radius``.

    Returns:
        x' of the shape of x, without gradient.
    """
    radius = torch.as_tensor(radius, dtype=x.dtype, device=x.device)
    radius = radius.reshape(-1, *[1] * (x.ndim - 1))
    direction = _unit(torch.randn_like(x)).requires_grad_()
    trial = radius if probe is None else probe
    with torch.enable_grad():
        log_p = network(x).log_softmax(dim=1).detach()
        log_q = network(x + trial * direction).log_softmax(dim=1)
        divergence = (log_p.exp() * (log_p - log_q)).sum()
        (gradient,) = torch.autograd.grad(divergence, direction)
    return x + radius * _unit(gradient)


def _unit(x: Tensor) -> Tensor:
    length = x.flatten(1).norm(dim=1).reshape(-1, *[1] * (x.ndim - 1))
    return x / length.clamp(min=_TINY)


def _entropy(p: Tensor) -> Tensor:
    return -(p * p.clamp(min=_TINY).log()).sum()
