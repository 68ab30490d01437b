"""Variational bounds on mutual information, as pure functions of a matrix of critic scores.

``scores[i, j] = critic(x_i, y_j)`` has the K pairs of the sample on its diagonal and shuffled pairs
elsewhere. Every function returns a differentiable scalar in nats; the lower bounds are to be
maximized over the critic. Half precision is computed in float32. Scores of any finite size give
finite values, and finite gradients in float32, bfloat16 and float64.

| function | in the mean over samples of K pairs, for any critic | its best critic |
|---|---|---|
| `barber_agakov` | lower bound | the true p(x given y) |
| `nwj` | lower bound, of a variance that grows like e^I | 1 + log-ratio |
| `info_nce` | lower bound, never above log K | log-ratio + any shift c(x) |
| `interpolated` | lower bound between the two | log-ratio, and a baseline |
| `donsker_varadhan`, `mine` | lower bound only as K grows | log-ratio + any shift |
| `smile` | no bound: clipping takes variance away and adds bias | log-ratio |
| `jensen_shannon` | none of I (it is at most ln 4), but trains a critic well | log-ratio |
| `club`, `leave_one_out` | upper bounds, given the true conditional likelihood | - |

"Log-ratio" is log p(x, y) / p(x) p(y). Poole et al. (2019, arXiv 1905.06922) give the family; the
other sources stand with the functions.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import binom
from torch import Tensor
from torch.nn.functional import logsigmoid

from simmim_lite._arguments import as_probabilities, check_integer, check_number

_LARGEST_EXPONENT = 60.0  # e^60 squared still fits float32's range as a gradient times a score


def barber_agakov(log_likelihood: Tensor, entropy: float) -> Tensor:
    """H(X) + E log q(x | y) <= I(X; Y), for any conditional density q.

    Barber & Agakov (2003).

    Args:
        log_likelihood: (K,), log q(x_i | y_i) of the pairs, nats.
        entropy: H(X) in nats, known or fixed.
    """
    if log_likelihood.ndim != 1 or len(log_likelihood) == 0:
        raise ValueError(
            f"log_likelihood: expected shape (K,) with K >= 1, got {tuple(log_likelihood.shape)}"
        )
    return check_number("entropy", entropy, minimum=-math.inf) + _widen(log_likelihood).mean()


def donsker_varadhan(scores: Tensor) -> Tensor:
    """E_joint f - log E_product e^f, the mean over shuffled pairs taken off the diagonal.

    Donsker & Varadhan (1983); as an estimator Belghazi et al. (2018, arXiv 1801.04062). The
    logarithm of a sample mean lies below that of the mean, on average, so at finite K this lies
    above its limit, and may lie above I.
    """
    joint, log_product = _joint_and_product(scores)
    return joint - log_product


def mine(scores: Tensor, log_mean: Tensor) -> Tensor:
    """`donsker_varadhan`, with the gradient of MINE, whose denominator is a moving average.

    In a small batch the gradient of log(mean e^f) is biased; dividing by an average over many
    batches, ``log_mean`` (from `moving_log_mean`), removes the bias in the limit (Belghazi et al.
    2018). The value is that of Donsker and Varadhan on this batch.
    """
    joint, log_product = _joint_and_product(scores)
    ratio = (log_product - log_mean).clamp(max=_LARGEST_EXPONENT).exp().detach()
    return joint - log_product.detach() - ratio * (log_product - log_product.detach())


def moving_log_mean(scores: Tensor, log_mean: Tensor | None, *, momentum: float = 0.99) -> Tensor:
    """Logarithm of the exponential moving average of the mean of e^f over shuffled pairs.

    ``log_mean`` is the previous value; None starts with this batch. Carries no gradient.
    """
    check_number("momentum", momentum, minimum=0.0, maximum=1.0)
    current = _joint_and_product(scores)[1].detach()
    if log_mean is None or momentum == 0:
        return current
    if momentum == 1:
        return log_mean
    return torch.logaddexp(log_mean + math.log(momentum), current + math.log1p(-momentum))


def nwj(scores: Tensor) -> Tensor:
    """E_joint f - E_product e^(f - 1), a lower bound without a logarithm outside the mean.

    Nguyen, Wainwright & Jordan (2010); "MINE-f" in Belghazi et al. (2018). Unbiased, and its
    variance grows like e^I (McAllester & Stratos, 2020).
    """
    joint, log_product = _joint_and_product(scores)
    return joint - _bounded_exp(log_product - 1)


def info_nce(scores: Tensor) -> Tensor:
    """log K + E log softmax of the pair among K candidates: at most log K.

    van den Oord et al. (2018, arXiv 1807.03748), Poole et al. (2019). The candidates of x_i stand
    in row i.

    Args:
        scores: (N, K) with K >= N; row i's partner stands in column i, and the other columns,
            also those beyond N (a queue, a memory), are independent of x_i.
    """
    scores = _widen(scores)
    if scores.ndim != 2 or not 1 <= scores.shape[0] <= scores.shape[1]:
        raise ValueError(f"scores: expected shape (N, K) with K >= N, got {tuple(scores.shape)}")
    return math.log(scores.shape[1]) + (scores.diagonal() - scores.logsumexp(dim=1)).mean()


def interpolated(scores: Tensor, alpha: float, log_baseline: Tensor | float = 0.0) -> Tensor:
    """Lower bound between `nwj` (alpha = 0) and InfoNCE (alpha = 1): bias against variance.

    Poole et al. (2019): NWJ with the critic 1 + f - log(alpha m + (1 - alpha) q), where m is the
    mean of e^f over n candidates of x_i, its partner among them, and q a baseline. The second term
    of NWJ wants n candidates that are all strangers to x_i, and a batch holds K - 1 of those, so
    n = K - 1, and the first term is averaged over the stranger that is left out. At alpha = 1 this
    is InfoNCE with n candidates, at most log(K - 1).

    Args:
        scores: (K, K), row i the candidates of x_i, K >= 3.
        alpha: in [0, 1].
        log_baseline: log q(x_i), a scalar or (K,); at alpha = 0 this is `nwj` of the scores
            1 + f - log q.
    """
    check_number("alpha", alpha, minimum=0.0, maximum=1.0)
    scores = _square(scores, minimum=3)
    K = len(scores)
    left_out = _log_mean_without(scores)  # [i, j]: over row i but for column j
    baseline = torch.as_tensor(log_baseline, dtype=scores.dtype, device=scores.device)
    baseline = baseline.expand(K)[:, None].expand(K, K)
    if alpha == 0:
        log_mix = baseline
    elif alpha == 1:
        log_mix = left_out
    else:
        log_mix = torch.logaddexp(left_out + math.log(alpha), baseline + math.log1p(-alpha))
    strangers = ~torch.eye(K, dtype=torch.bool, device=scores.device)
    joint = (scores.diagonal()[:, None] - log_mix)[strangers].mean()
    product = _bounded_exp(left_out.diagonal() - log_mix.diagonal()).mean()
    return 1 + joint - product


def smile(scores: Tensor, clip: float = 5.0) -> Tensor:
    """Donsker-Varadhan with e^f clipped to [e^-clip, e^clip] in the second term: not a bound.

    Song & Ermon (2020, arXiv 1910.06222), who train the critic by `jensen_shannon` and evaluate it
    by this. Clipping trades variance for a bias that may overshoot; ``math.inf`` does not clip.
    """
    clip = math.inf if clip == math.inf else check_number("clip", clip, minimum=0.0)
    joint, _ = _joint_and_product(scores)
    return joint - _joint_and_product(scores.clamp(-clip, clip))[1]


def jensen_shannon(scores: Tensor) -> Tensor:
    """Twice the Jensen-Shannon divergence of joint and product, bounded from below: at most ln 4.

    E_joint log sigmoid(f) + E_product log(1 - sigmoid(f)) + ln 4, the loss of a classifier that
    tells pairs from shuffled pairs (Nowozin et al. 2016; Hjelm et al. 2019, arXiv 1808.06670). Its
    value is no mutual information; its best critic, the log-ratio, may be put into a bound.
    """
    scores = _square(scores)
    strangers = logsigmoid(-scores).sum() - logsigmoid(-scores.diagonal()).sum()
    K = len(scores)
    return math.log(4) + logsigmoid(scores.diagonal()).mean() + strangers / (K * (K - 1))


def club(log_likelihoods: Tensor) -> Tensor:
    """E_joint log p(y | x) - E_product log p(y | x) >= I, if p is the true conditional.

    Cheng et al. (2020, arXiv 2006.12013). With a learned conditional it may lie on either side.

    Args:
        log_likelihoods: (K, K), entry [i, j] = log p(y_j | x_i).
    """
    matrix = _square(log_likelihoods)
    K = len(matrix)
    strangers = (matrix.sum() - matrix.diagonal().sum()) / (K * (K - 1))
    return matrix.diagonal().mean() - strangers


def leave_one_out(log_likelihoods: Tensor) -> Tensor:
    """E log p(y_i | x_i) / mean over j != i of p(y_i | x_j) >= I, if p is the true conditional.

    Poole et al. (2019): the other x stand in for p(y).

    Args:
        log_likelihoods: (K, K), entry [i, j] = log p(y_j | x_i).
    """
    matrix = _square(log_likelihoods)
    strangers = _without_diagonal(matrix).logsumexp(dim=0) - math.log(len(matrix) - 1)
    return (matrix.diagonal() - strangers).mean()


def class_paired_ceiling(K: int, class_probabilities: Sequence[float]) -> float:
    """What InfoNCE reaches with K candidates and the ideal critic, when pairs share just a class.

    Of the K - 1 strangers in a row, Binomial(K - 1, p) belong to the same class c of probability
    p(c) and are as good as the partner: E log K / (1 + Binomial(K - 1, p(c))), nats, averaged over
    classes. It rises to H(class) as K grows, which is the mutual information.

    Args:
        K: number of candidates, the partner included.
        class_probabilities: p(c), any number of classes.
    """
    K = check_integer("K", K, minimum=1)
    p = as_probabilities("class_probabilities", class_probabilities).ravel()
    strangers = np.arange(K)
    return float(
        sum(
            share * (binom.pmf(strangers, K - 1, share) @ (math.log(K) - np.log1p(strangers)))
            for share in p[p > 0]
        )
    )


def _widen(scores: Tensor) -> Tensor:
    """Half precision as float32, the rest as it is."""
    if not torch.is_floating_point(scores):
        raise TypeError(f"scores: expected floating point numbers, got dtype {scores.dtype}")
    return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores


def _square(scores: Tensor, minimum: int = 2) -> Tensor:
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1] or len(scores) < minimum:
        shape = tuple(scores.shape)
        raise ValueError(f"scores: expected shape (K, K) with K >= {minimum}, got {shape}")
    return _widen(scores)


def _without_diagonal(scores: Tensor) -> Tensor:
    diagonal = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    return scores.masked_fill(diagonal, -torch.inf)


def _joint_and_product(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Mean score of the pairs, and log of the mean of e^score over the shuffled pairs."""
    scores = _square(scores)
    K = len(scores)
    log_product = _without_diagonal(scores).flatten().logsumexp(dim=0) - math.log(K * (K - 1))
    return scores.diagonal().mean(), log_product


def _log_mean_without(scores: Tensor) -> Tensor:
    """[i, j]: log of the mean of e^score over row i but for column j.

    Taking e^score off the row's sum loses digits where it is most of the sum, so the largest entry
    of a row is left out by summing the others.
    """
    K = len(scores)
    largest = torch.nn.functional.one_hot(scores.argmax(dim=1), K).bool()
    others = scores.masked_fill(largest, -torch.inf).logsumexp(dim=1, keepdim=True)
    total = scores.logsumexp(dim=1, keepdim=True)
    share = (scores - total).masked_fill(largest, -torch.inf).exp()
    return torch.where(largest, others, total + torch.log1p(-share)) - math.log(K - 1)


def _bounded_exp(exponent: Tensor) -> Tensor:
    """e^x, continued by its tangent where it would overflow: finite, with a gradient that pulls."""
    inside = exponent.clamp(max=_LARGEST_EXPONENT)
    return inside.exp() * (1 + exponent - inside)
