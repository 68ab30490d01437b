"""Bounds on a whole population: expectations as sums over all pairs, without a sample."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from simmim_lite._arguments import as_probabilities, check_choice, check_integer, check_number

_STEP = 0.25  # of the trapezoidal rule in log t; its error falls like e^(-pi^2 / step), here e^-39
_SMALL = 1e-10  # of what is left out at either end of it, in nats


def exact_bound(
    scores: Tensor,
    joint: np.ndarray,
    bound: str = "info_nce",
    *,
    K: int | None = None,
    clip: float = 5.0,
) -> float:
    """The expectation of a bound of `simmim_lite.bounds` over all pairs of a finite population.

    Args:
        scores: (n, m), what the critic says of each pair.
        joint: (n, m), the probability of each pair (as in a `Population`).
        bound: "info_nce", "donsker_varadhan", "nwj", "smile" or "jensen_shannon".
        K: candidates of "info_nce", the partner among them; the others are drawn from the
            population. None is the limit of infinitely many.
        clip: of "smile".

    Returns:
        Nats. All but "smile" are at most the mutual information of ``joint``, whatever the scores.
        "donsker_varadhan" is the bound itself, the limit of many pairs: that of K pairs lies above
        it in the mean.

    Raises:
        ValueError: shapes that do not fit, no probabilities, another bound.
    """
    check_choice("bound", bound, ("info_nce", *_BOUNDS))
    if K is not None and bound != "info_nce":
        raise ValueError(f"K: expected None for {bound!r}, got {K}")
    joint = torch.from_numpy(as_probabilities("joint", joint, tolerance=1e-6))
    scores = scores.detach().cpu().double()
    if scores.shape != joint.shape or scores.ndim != 2:
        got = f"{tuple(scores.shape)} and {tuple(joint.shape)}"
        raise ValueError(f"scores, joint: expected one shape (n, m), got {got}")
    if bound == "info_nce":
        return _info_nce(scores, joint, K)
    clip = check_number("clip", clip, minimum=0.0)
    return float(_BOUNDS[bound](scores, joint, _log_product(joint), clip))


def _info_nce(scores: Tensor, joint: Tensor, K: int | None) -> float:
    """E s(x, y) - E log mean of e^s over y and K - 1 strangers.

    The mean of a logarithm is an integral of Laplace transforms: log u is the integral of
    (e^-t - e^(-t u)) / t over t > 0, and E e^(-t u) of a sum of independent terms is the product
    of theirs. So all draws of K - 1 strangers are summed over at once.
    """
    p_y = joint.sum(dim=0)
    top = scores.amax(dim=1, keepdim=True)
    value = (joint * (scores - top)).sum()
    if K is None:
        p_x = joint.sum(dim=1)
        return float(value - p_x @ (scores - top + p_y.log()).logsumexp(dim=1))
    K = check_integer("K", K, minimum=1)
    u = (scores - top).exp()
    # The integrand is about t K at the lower end; at the upper one e^(-t u) has to be over.
    low = math.log(_SMALL / K)
    high = math.log(-math.log(_SMALL)) - float((scores - top)[joint > 0].min())
    log_of_sum = 0.0
    for log_t in np.arange(low, high + _STEP, _STEP):
        transform = (-math.exp(log_t) * u).exp()
        strangers = (transform @ p_y) ** (K - 1)
        together = strangers @ (joint * transform).sum(dim=1)
        log_of_sum += _STEP * (math.exp(-math.exp(log_t)) - together)
    return float(value - log_of_sum + math.log(K))


def _log_product(joint: Tensor) -> Tensor:
    """Logarithm of the probability of each pair if the two were independent."""
    return joint.sum(dim=1, keepdim=True).log() + joint.sum(dim=0).log()


def _donsker_varadhan(scores: Tensor, joint: Tensor, log_product: Tensor, _: float) -> Tensor:
    return (joint * scores).sum() - (scores + log_product).flatten().logsumexp(dim=0)


def _nwj(scores: Tensor, joint: Tensor, log_product: Tensor, _: float) -> Tensor:
    return (joint * scores).sum() - (scores - 1 + log_product).flatten().logsumexp(dim=0).exp()


def _smile(scores: Tensor, joint: Tensor, log_product: Tensor, clip: float) -> Tensor:
    clipped = scores.clamp(-clip, clip) + log_product
    return (joint * scores).sum() - clipped.flatten().logsumexp(dim=0)


def _jensen_shannon(scores: Tensor, joint: Tensor, log_product: Tensor, _: float) -> Tensor:
    apart = (log_product.exp() * logsigmoid(-scores)).sum()
    return math.log(4) + (joint * logsigmoid(scores)).sum() + apart


_BOUNDS = {
    "donsker_varadhan": _donsker_varadhan,
    "nwj": _nwj,
    "smile": _smile,
    "jensen_shannon": _jensen_shannon,
}
