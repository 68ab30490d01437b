"""Variational bounds on mutual information, as pure functions of a matrix of critic scores.

``scores[i, j] = critic(x_i, y_j)`` has the K positive pairs of a sample on its diagonal and
negative pairs elsewhere. Every function returns a differentiable scalar in nats. Scores of any
finite size give finite values and gradients; half precision is computed in float32.

`BOUNDS` is the registry of the bounds of such a matrix: the objectives of
`simmim_lite.multimodal`, `exact_bound` and `bound_table` read it. Three more need a conditional
likelihood: `barber_agakov` (lower bound) and `club`, `leave_one_out` (upper bounds, if it is true).

"Log-ratio" is log p(x, y) / p(x) p(y). Poole et al. (2019, arXiv 1905.06922) give the family.

With ``joint`` (n, m), the probabilities of the pairs of a finite population, the means over
positives and over negatives are expectations over ``joint`` and the product of its marginals.

Examples:
    >>> import torch
    >>> scores = torch.tensor([[5.0, 0.0], [0.0, 5.0]])
    >>> round(info_nce(scores).item(), 3)  # the ceiling is ln 2 = 0.693
    0.686
    >>> print(bound_table(K=64).round(2))
                      lower bound  ceiling  offset               best critic
    info_nce                 True     4.16   False      log-ratio + any c(x)
    mine                    False      inf   False  log-ratio + any constant
    donsker_varadhan        False      inf   False  log-ratio + any constant
    nwj                      True      inf    True             1 + log-ratio
    interpolated             True     5.84    True                 log-ratio
    smile                   False      inf    True                 log-ratio
    jensen_shannon           True     1.39    True                 log-ratio
"""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import binom
from torch import Tensor
from torch.nn.functional import logsigmoid

from simmim_lite._arguments import (
    as_probabilities,
    as_tensor,
    check_choice,
    check_integer,
    check_number,
)

_LARGEST_EXPONENT = 60.0  # e^60 squared still fits float32's range as a gradient times a score
_STEP = 0.25  # of the trapezoidal rule in log t; its error falls like e^(-pi^2 / step), here e^-39
_SMALL = 1e-10  # nats that are left out at either end of the integral


def barber_agakov(log_likelihood: Tensor, entropy: float) -> Tensor:
    """H(X) + E log q(x | y) <= I(X; Y), for any conditional density q; tight for the true one.

    Barber & Agakov (2003). The (K,) log-likelihoods, log q(x_i | y_i), are those of the positives;
    the entropy H(X) is known or fixed; all in nats.
    """
    log_likelihood = _widen(log_likelihood, "log_likelihood")
    shape = tuple(log_likelihood.shape)
    if len(shape) != 1 or shape == (0,):
        raise ValueError(f"log_likelihood: expected shape (K,) with K >= 1, got {shape}")
    return check_number("entropy", entropy, minimum=-math.inf) + log_likelihood.mean()


def donsker_varadhan(scores: Tensor, *, joint: Tensor | None = None) -> Tensor:
    """E_joint f - log E_product e^f.

    Donsker & Varadhan (1983); as an estimator Belghazi et al. (2018, arXiv 1801.04062). As the
    logarithm is concave, the expected value at finite K is above its limit, and can be above I.
    """
    positives, log_negatives = _means(scores, joint)
    return positives - log_negatives


def mine(scores: Tensor, log_mean: Tensor) -> Tensor:
    """`donsker_varadhan` with the gradient of MINE, whose denominator is a moving average.

    In a small batch the gradient of log(mean e^f) is biased; an average over many batches removes
    the bias in the limit (Belghazi et al. 2018). ``log_mean`` is the scalar of `moving_log_mean`.
    """
    positives, log_negatives = _means(scores)
    ratio = (log_negatives - log_mean).clamp(max=_LARGEST_EXPONENT).exp().detach()
    return positives - log_negatives.detach() - ratio * (log_negatives - log_negatives.detach())


def moving_log_mean(scores: Tensor, log_mean: Tensor | None, *, momentum: float = 0.99) -> Tensor:
    """Logarithm of the exponential moving average of the mean of e^f over the negatives.

    ``log_mean`` is the previous value, a scalar without gradient, and ``momentum`` its weight, in
    [0, 1]; None starts with this batch.
    """
    check_number("momentum", momentum, minimum=0.0, maximum=1.0)
    current = _means(scores)[1].detach()
    if log_mean is None or momentum == 0:
        return current
    if momentum == 1:
        return log_mean
    return torch.logaddexp(log_mean + math.log(momentum), current + math.log1p(-momentum))


def nwj(scores: Tensor, *, joint: Tensor | None = None) -> Tensor:
    """E_joint f - E_product e^(f - 1), a lower bound without a logarithm outside the mean.

    Nguyen, Wainwright & Jordan (2010); "MINE-f" in Belghazi et al. (2018). Unbiased, with a
    variance that grows like e^I (McAllester & Stratos, 2020).
    """
    positives, log_negatives = _means(scores, joint)
    return positives - _bounded_exp(log_negatives - 1)


def info_nce(scores: Tensor) -> Tensor:
    """log K + E log softmax of the positive among K candidates: a lower bound, at most log K.

    van den Oord et al. (2018, arXiv 1807.03748), Poole et al. (2019). Row i of (N, K) scores holds
    the candidates of x_i, with K >= N. The positive is in column i; the other columns, also those
    beyond N (a queue, a memory), are independent of x_i.
    """
    scores = _widen(scores)
    if scores.ndim != 2 or not 1 <= scores.shape[0] <= scores.shape[1]:
        raise ValueError(f"scores: expected shape (N, K) with K >= N, got {tuple(scores.shape)}")
    return math.log(scores.shape[1]) + (scores.diagonal() - scores.logsumexp(dim=1)).mean()


def interpolated(scores: Tensor, alpha: float) -> Tensor:
    """Lower bound between `nwj` (alpha = 0) and InfoNCE (alpha = 1): bias against variance.

    Poole et al. (2019): NWJ with the critic 1 + f - log(alpha m + (1 - alpha) q), where m is the
    mean of e^f over n candidates of x_i, the positive among them, and the baseline q is 1. The
    second term of NWJ needs n candidates that are all negatives of x_i, and a batch holds K - 1 of
    those. So n = K - 1, and the first term is averaged over the negative that is left out. At
    alpha = 0 this is `nwj` of 1 + f, at alpha = 1 InfoNCE with n candidates, at most log(K - 1).
    Row i of the scores holds the candidates of x_i; K >= 3, and alpha is in [0, 1].
    """
    check_number("alpha", alpha, minimum=0.0, maximum=1.0)
    scores = _square(scores, minimum=3)
    left_out = _log_mean_without(scores)  # [i, j]: over row i without column j
    log_alpha = math.log(alpha) if alpha > 0 else -math.inf
    log_rest = math.log1p(-alpha) if alpha < 1 else -math.inf
    log_mix = torch.logaddexp(left_out + log_alpha, torch.full_like(left_out, log_rest))
    negatives = ~torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    first = (scores.diagonal()[:, None] - log_mix)[negatives].mean()
    second = _bounded_exp(left_out.diagonal() - log_mix.diagonal()).mean()
    return 1 + first - second


def smile(scores: Tensor, clip: float = 5.0, *, joint: Tensor | None = None) -> Tensor:
    """Donsker-Varadhan with e^f clipped to [e^-clip, e^clip] in the second term: not a bound.

    Song & Ermon (2020, arXiv 1910.06222), who train the critic by `jensen_shannon` and evaluate it
    by this. Clipping lowers the variance and adds a bias, which can exceed I; ``clip`` is 0..inf.
    """
    clip = math.inf if clip == math.inf else check_number("clip", clip, minimum=0.0)
    positives, _ = _means(scores, joint)
    return positives - _means(scores.clamp(-clip, clip), joint)[1]


def jensen_shannon(scores: Tensor, *, joint: Tensor | None = None) -> Tensor:
    """Lower bound on twice the Jensen-Shannon divergence of joint and product: at most ln 4.

    E_joint log sigmoid(f) + E_product log(1 - sigmoid(f)) + ln 4, minus the loss of a classifier
    of positive and negative pairs (Nowozin et al. 2016; Hjelm et al. 2019, arXiv 1808.06670).
    Twice the divergence is at most I, and far below a large I; but the best critic is the
    log-ratio, which another bound can evaluate.
    """
    if joint is not None:
        scores, joint = _of_population(scores, joint)
        negatives = joint.sum(dim=1) @ logsigmoid(-scores) @ joint.sum(dim=0)
        return math.log(4) + (joint * logsigmoid(scores)).sum() + negatives
    scores = _square(scores)
    negatives = logsigmoid(-scores).sum() - logsigmoid(-scores.diagonal()).sum()
    K = len(scores)
    return math.log(4) + logsigmoid(scores.diagonal()).mean() + negatives / (K * (K - 1))


def club(log_likelihoods: Tensor) -> Tensor:
    """E_joint log p(y | x) - E_product log p(y | x) >= I, if p is the true conditional.

    Cheng et al. (2020, arXiv 2006.12013). With a learned conditional the value can be on either
    side of I. Entry [i, j] of the (K, K) log-likelihoods is log p(y_j | x_i).
    """
    matrix = _square(log_likelihoods, name="log_likelihoods")
    K, positives = len(matrix), matrix.diagonal()
    return positives.mean() - (matrix.sum() - positives.sum()) / (K * (K - 1))


def leave_one_out(log_likelihoods: Tensor) -> Tensor:
    """E log p(y_i | x_i) / mean over j != i of p(y_i | x_j) >= I, if p is the true conditional.

    Poole et al. (2019); the argument is that of `club`.
    """
    matrix = _square(log_likelihoods, name="log_likelihoods")
    negatives = _without_diagonal(matrix).logsumexp(dim=0) - math.log(len(matrix) - 1)
    return (matrix.diagonal() - negatives).mean()


def class_paired_ceiling(K: int, class_probabilities: Sequence[float]) -> float:
    """InfoNCE with K candidates and the ideal critic, when pairs share only a class.

    Of the K - 1 negatives in a row, Binomial(K - 1, p(c)) belong to the class c of the positive and
    cannot be distinguished from it: E log K / (1 + Binomial(K - 1, p(c))) nats, averaged over
    classes. The value rises with K to H(class), which is the mutual information.
    """
    negatives = np.arange(check_integer("K", K, minimum=1))
    p = as_probabilities("class_probabilities", class_probabilities).ravel()
    nats = math.log(K) - np.log1p(negatives)
    return float(sum(share * (binom.pmf(negatives, K - 1, share) @ nats) for share in p[p > 0]))


def _widen(scores: Tensor, name: str = "scores") -> Tensor:
    """Half precision as float32, the rest unchanged."""
    if not isinstance(scores, Tensor):
        raise TypeError(f"{name}: expected a tensor, got {type(scores).__name__}")
    if not torch.is_floating_point(scores):
        raise TypeError(f"{name}: expected floating point numbers, got dtype {scores.dtype}")
    return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores


def _square(scores: Tensor, minimum: int = 2, name: str = "scores") -> Tensor:
    scores = _widen(scores, name)
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1] or len(scores) < minimum:
        shape = tuple(scores.shape)
        raise ValueError(f"{name}: expected shape (K, K) with K >= {minimum}, got {shape}")
    return scores


def _of_population(scores: Tensor, joint: Any) -> tuple[Tensor, Tensor]:
    """Scores (n, m) and the probability of each pair (n, m), of their dtype."""
    scores = _widen(scores)
    joint = as_tensor("joint", joint, dtype=scores.dtype, device=scores.device)
    if scores.shape != joint.shape or scores.ndim != 2:
        got = f"{tuple(scores.shape)} and {tuple(joint.shape)}"
        raise ValueError(f"scores, joint: expected one shape (n, m), got {got}")
    if not (joint >= 0).all() or abs(float(joint.detach().sum()) - 1) > 1e-5:
        raise ValueError(f"joint: expected probabilities with sum 1, got sum {joint.sum():g}")
    return scores, joint


def _without_diagonal(scores: Tensor) -> Tensor:
    diagonal = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    return scores.masked_fill(diagonal, -torch.inf)


def _means(scores: Tensor, joint: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean score of the positives, and log of the mean of e^score over the negatives."""
    if joint is not None:
        scores, joint = _of_population(scores, joint)
        product = joint.sum(dim=1, keepdim=True).log() + joint.sum(dim=0).log()
        log_negatives = (scores + product).flatten().logsumexp(dim=0)
        return (joint * scores).sum(), log_negatives
    scores = _square(scores)
    K = len(scores)
    log_negatives = _without_diagonal(scores).flatten().logsumexp(dim=0) - math.log(K * (K - 1))
    return scores.diagonal().mean(), log_negatives


def _log_mean_without(scores: Tensor) -> Tensor:
    """[i, j]: log of the mean of e^score over row i without column j.

    Where one term is most of the sum of a row, subtracting it would lose digits.
    """
    K = len(scores)
    largest = torch.nn.functional.one_hot(scores.argmax(dim=1), K).bool()
    others = scores.masked_fill(largest, -torch.inf).logsumexp(dim=1, keepdim=True)
    total = scores.logsumexp(dim=1, keepdim=True)
    share = (scores - total).masked_fill(largest, -torch.inf).exp()
    return torch.where(largest, others, total + torch.log1p(-share)) - math.log(K - 1)


def _bounded_exp(exponent: Tensor) -> Tensor:
    """e^x, continued by its tangent where e^x would overflow: finite, with a nonzero gradient."""
    inside = exponent.clamp(max=_LARGEST_EXPONENT)
    return inside.exp() * (1 + exponent - inside)


@dataclass(frozen=True)
class Bound:
    """A bound that evaluates a critic, and that can train one.

    Attributes:
        name: key in `BOUNDS`.
        function: scores (K, K) -> value, a scalar in nats.
        is_lower_bound: whether the expected value is at most I for any critic and any K.
        needs_offset: whether the critic has to learn the constant that is added to all scores.
        best_critic: scores with the largest expected value, in words.
        ceiling: K -> largest possible value in nats, if there is one.
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


def bound_table(K: int = 64) -> pd.DataFrame:
    """Properties of all `BOUNDS`, one row each; the ceilings are nats with K candidates."""
    columns = ["lower bound", "ceiling", "offset", "best critic"]
    rows = [
        (b.is_lower_bound, b.ceiling(K) if b.ceiling else math.inf, b.needs_offset, b.best_critic)
        for b in BOUNDS.values()
    ]
    return pd.DataFrame(rows, list(BOUNDS), columns)


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

    All but "smile" are at most the mutual information of ``joint`` in nats, for any scores.
    "donsker_varadhan" is the limit of many pairs, and larger at K pairs.
    """
    exact = {name: entry.expectation for name, entry in BOUNDS.items() if entry.expectation}
    check_choice("bound", bound, tuple(exact))
    for name, value in options.items():
        if name not in inspect.signature(exact[bound]).parameters:
            raise ValueError(f"{name}: expected no such option of {bound!r}, got {value}")
    table = torch.from_numpy(as_probabilities("joint", joint, tolerance=1e-6))
    scores = as_tensor("scores", scores, dtype=torch.float64, device="cpu").detach()
    return float(exact[bound](scores, joint=table, **options))


def _exact_info_nce(scores: Tensor, *, joint: Tensor, K: int | None = None) -> Tensor:
    """E s(x, y) - E log mean of e^s over y and K - 1 negatives.

    log u is the integral of (e^-t - e^(-t u)) / t over t > 0, and E e^(-t u) of a sum of
    independent terms is the product of theirs: all draws of K - 1 negatives are summed at once.
    """
    scores, joint = _of_population(scores, joint)
    p_y = joint.sum(dim=0)
    log_u = scores - scores.amax(dim=1, keepdim=True)
    value = (joint * log_u).sum()
    if K is None:
        return value - joint.sum(dim=1) @ (log_u + p_y.log()).logsumexp(dim=1)
    K = check_integer("K", K, minimum=1)
    # The integrand is about t K at the lower end; at the upper end e^(-t u) has to vanish.
    low = math.log(_SMALL / K)
    high = math.log(-math.log(_SMALL)) - float(log_u[joint > 0].min())
    # Where each e^(-t u) is 1 or 0 up to rounding, the integrand is constant: long steps.
    falls = np.unique(-(log_u.detach().cpu().numpy() // _STEP))[:, None]
    steps = np.unique(falls + np.arange((low - 20) // _STEP, 4 / _STEP))
    log_t = _STEP * steps[(steps >= low // _STEP) & (steps <= high // _STEP + 1)]
    log_of_sum = torch.zeros_like(value)
    for place, width in zip(torch.from_numpy(log_t), np.gradient(log_t), strict=True):
        transform = (-(place + log_u).exp()).exp()
        negatives = (transform @ p_y) ** (K - 1)
        product = negatives @ (joint * transform).sum(dim=1)
        log_of_sum = log_of_sum + width * ((-place.exp()).exp() - product)
    return value - log_of_sum + math.log(K)


def _half_way(scores: Tensor) -> Tensor:
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
