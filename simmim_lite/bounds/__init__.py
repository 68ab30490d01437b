"""Variational bounds on mutual information, as pure functions of a matrix of critic scores.

``scores[i, j] = critic(x_i, y_j)`` has the K positive pairs of a sample on its diagonal and
negative pairs elsewhere. Every function returns a differentiable scalar in nats; a critic is
trained to maximize a lower bound. Half precision is computed in float32. Scores of any finite size
give finite values, and finite gradients in float32, bfloat16 and float64. Other shapes and values
out of range raise ValueError, other types TypeError.

`BOUNDS` is the registry of the bounds of such a matrix: the objectives of
`simmim_lite.multimodal`, `exact_bound` and `bound_table` read it. Three more need a conditional
likelihood: `barber_agakov` (lower bound) and `club`, `leave_one_out` (upper bounds, if the
likelihood is the true one).

"Log-ratio" is log p(x, y) / p(x) p(y). Poole et al. (2019, arXiv 1905.06922) give the family; the
functions name the other sources.

Examples:
    >>> import torch
    >>> from simmim_lite.bounds import bound_table, info_nce
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

from simmim_lite.bounds._functions import (
    barber_agakov as barber_agakov,
    class_paired_ceiling as class_paired_ceiling,
    club as club,
    donsker_varadhan as donsker_varadhan,
    info_nce as info_nce,
    interpolated as interpolated,
    jensen_shannon as jensen_shannon,
    leave_one_out as leave_one_out,
    mine as mine,
    moving_log_mean as moving_log_mean,
    nwj as nwj,
    smile as smile,
)
from simmim_lite.bounds._registry import (
    BOUNDS as BOUNDS,
    Bound as Bound,
    bound_table as bound_table,
    exact_bound as exact_bound,
)
