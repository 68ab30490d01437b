"""The registry of bounds on a critic, and their exact expectations over a finite population."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from simmim_lite._arguments import as_probabilities, as_tensor, check_choice, check_integer
from simmim_lite.bounds._functions import (
    donsker_varadhan,
    info_nce,
    interpolated,
    jensen_shannon,
    mine,
    moving_log_mean,
    nwj,
    of_population,
    smile,
)

if TYPE_CHECKING:
    import pandas as pd

_STEP = 0.25  # of the trapezoidal rule in log t; its error falls like e^(-pi^2 / step), here e^-39
_SMALL = 1e-10  # nats that are left out at either end of the integral


@dataclass(frozen=True)
class Bound:
    """A bound that evaluates a critic, and that can train one.

    Attributes:
        name: key in `BOUNDS`.
        function: scores (K, K) -> value, a scalar in nats.
        is_lower_bound: whether the expected value is at most I for any critic and any K.
        needs_offset: whether the objective has a gradient for a constant that is added to all
            scores, so that the critic has to learn this constant.
        best_critic: scores with the largest expected value, in words.
        ceiling: K -> largest possible value in nats; None: there is no ceiling.
        expectation: scores (n, m), ``joint=`` (n, m) and options by keyword -> expected value in
            nats over a finite population; None: unknown.
        objective: scores (K, K) -> scalar that training maximizes; None: ``function``.
    """

    name: str
    function: Callable[[Tensor], Tensor]
    is_lower_bound: bool = False
    needs_offset: bool = False
    best_critic: str = "log-ratio"
    ceiling: Callable[[int], float] | None = None
    expectation: Callable[..., Tensor] | None = None
    objective: Callable[[Tensor], Tensor] | None = None


def bound_table(K: int = 64) -> "pd.DataFrame":
    """Properties of all `BOUNDS`, one row each; the ceilings are nats with K candidates."""
    import pandas as pd

    rows = {
        name: {
            "lower bound": bound.is_lower_bound,
            "ceiling": bound.ceiling(K) if bound.ceiling else math.inf,
            "offset": bound.needs_offset,
            "best critic": bound.best_critic,
        }
        for name, bound in BOUNDS.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def exact_bound(
    scores: Tensor, joint: np.ndarray, bound: str = "info_nce", **options: float | None
) -> float:
    """Expectation of a bound over all pairs of a finite population, as a sum without sampling.

    Args:
        scores: (n, m), the score of each pair.
        joint: (n, m), the probability of each pair (as in `simmim_lite.datasets.Population`).
        bound: a name in `BOUNDS` whose entry has an ``expectation``.
        options: of that expectation. "info_nce" takes ``K``, the number of candidates with the
            positive; None (the default) is the limit of infinitely many. "smile" takes ``clip``.

    All but "smile" are at most the mutual information of ``joint``, for any scores, in nats.
    "donsker_varadhan" is the limit of many pairs: its expected value at K pairs is larger.
    """
    exact = {name: entry.expectation for name, entry in BOUNDS.items() if entry.expectation}
    check_choice("bound", bound, tuple(exact))
    for name, value in options.items():
        if name not in inspect.signature(exact[bound]).parameters:
            raise ValueError(f"{name}: expected no such option of {bound!r}, got {value}")
    table = torch.from_numpy(as_probabilities("joint", joint, tolerance=1e-6))
    scores = as_tensor("scores", scores, dtype=torch.float64, device="cpu").detach()
    return float(exact[bound](of_population(scores, table), joint=table, **options))


def _exact_info_nce(scores: Tensor, *, joint: Tensor, K: int | None = None) -> Tensor:
    """E s(x, y) - E log mean of e^s over y and K - 1 negatives.

    The expectation of a logarithm is an integral of Laplace transforms: log u is the integral of
    (e^-t - e^(-t u)) / t over t > 0, and E e^(-t u) of a sum of independent terms is the product of
    theirs. So all draws of K - 1 negatives are summed at once.
    """
    p_y = joint.sum(dim=0)
    top = scores.amax(dim=1, keepdim=True)
    value = (joint * (scores - top)).sum()
    if K is None:
        return value - joint.sum(dim=1) @ (scores - top + p_y.log()).logsumexp(dim=1)
    K = check_integer("K", K, minimum=1)
    u = (scores - top).exp()
    # The integrand is about t K at the lower end; at the upper end e^(-t u) has to vanish.
    low = math.log(_SMALL / K)
    high = math.log(-math.log(_SMALL)) - float((scores - top)[joint > 0].min())
    log_of_sum = torch.zeros_like(value)
    for log_t in np.arange(low, high + _STEP, _STEP):
        transform = (-math.exp(log_t) * u).exp()
        negatives = (transform @ p_y) ** (K - 1)
        product = negatives @ (joint * transform).sum(dim=1)
        log_of_sum = log_of_sum + _STEP * (math.exp(-math.exp(log_t)) - product)
    return value - log_of_sum + math.log(K)


def _half_way(scores: Tensor) -> Tensor:
    """`interpolated` with alpha = 1/2, mean of both directions."""
    return (interpolated(scores, alpha=0.5) + interpolated(scores.T, alpha=0.5)) / 2


def _smile_by_jensen_shannon(scores: Tensor) -> Tensor:
    """Value of SMILE with the gradient of Jensen-Shannon, as Song & Ermon (2020) train a critic."""
    trained = jensen_shannon(scores)
    return trained + (smile(scores) - trained).detach()


def _mine(scores: Tensor) -> Tensor:
    return mine(scores, moving_log_mean(scores, None))


_LN_4, _RATIO, _SHIFTED = math.log(4), "log-ratio", "log-ratio + any constant"
_ALL = (  # name, function, is a lower bound, needs an offset, best critic, ceiling, expectation
    Bound("info_nce", info_nce, True, False, "log-ratio + any c(x)", math.log, _exact_info_nce),
    Bound("mine", _mine, False, False, _SHIFTED, None, donsker_varadhan),
    Bound("donsker_varadhan", donsker_varadhan, False, False, _SHIFTED, None, donsker_varadhan),
    # The critic that NWJ trains here is the log-ratio.
    Bound("nwj", nwj, True, True, "1 + log-ratio", None, nwj, lambda scores: nwj(scores + 1)),
    Bound("interpolated", _half_way, True, True, _RATIO, lambda K: 1 + math.log(2 * K - 2)),
    Bound("smile", smile, False, True, _RATIO, None, smile, _smile_by_jensen_shannon),
    Bound("jensen_shannon", jensen_shannon, True, True, _RATIO, lambda K: _LN_4, jensen_shannon),
)
BOUNDS: dict[str, Bound] = {bound.name: bound for bound in _ALL}
