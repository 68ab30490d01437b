"""I(numbers; numbers): learned densities, held against a learned ratio and nearest neighbors.

Each method fails in its own way, and the others show it. Densities claim too much if the columns of
a variable determine one another: then these columns share much information. They find too little of
a dependence in many thin pieces: then the held-out score of critics, a lower bound in expectation,
or the estimate by neighbors is higher. Critics need many pairs and end at a ceiling. Neighbors find
too little, and with more neighbors still less: estimates with 3 and with 10 differ.
"""

import math
import time
from dataclasses import replace

import numpy as np

from simmim_lite.mutual_information._critics import CEILING, by_critics
from simmim_lite.mutual_information._densities import MOST_OWN, by_densities
from simmim_lite.mutual_information._estimate import Estimate
from simmim_lite.mutual_information._learned import Gain
from simmim_lite.mutual_information._neighbors import extrapolated_ksg

_FEWEST = 500  # samples that critics need
_MOST_COLUMNS = 6  # of x and y together: with more, neighbors are far away
_MOST_OF_ONE = 8  # columns of a variable: with more, critics are behind densities
_MOST_NEIGHBORS = 10_000  # samples among which neighbors are counted
_DOUBT = 0.1  # share of the difference between critics and densities in the error
_SHARES = 0.5, 0.6, 0.95  # of the time limit: ends of densities, of a trial of critics, of critics


def by_networks(
    x: np.ndarray,
    y: np.ndarray,
    order: np.ndarray,
    folds: np.ndarray,
    distinct: np.ndarray,
    *,
    limit: float,
    seed: int,
    **options,
) -> Estimate:
    """Estimate I from normal scores x (N, dim_x) and y (N, dim_y).

    ``distinct`` are the indices of rows without their copies; the others are as in `by_densities`.
    """
    start = time.monotonic()
    found, own = by_densities(x, y, order, folds, limit=_SHARES[0] * limit, seed=seed, **options)
    determined = own > MOST_OWN
    if len(distinct) >= _FEWEST and (determined or max(x.shape[1], y.shape[1]) <= _MOST_OF_ONE):
        options |= {"seed": seed}
        samples = x[order], y[order], folds[order]
        if not determined:
            deadline = start + _SHARES[1] * limit
            trial = by_critics(*samples, trained=range(1), epochs=12, deadline=deadline, **options)
            doubtful = trial.held_out > 0 and trial.held_out + _error(trial) > found.nats
        if determined or doubtful:
            critics = by_critics(*samples, deadline=start + _SHARES[2] * limit, **options)
            usable = critics.held_out > 0 and critics.seen < CEILING
            if (determined and usable) or critics.held_out > max(0, found.nats):
                nats = (critics.held_out + critics.seen) / 2
                doubt = _DOUBT if limit == math.inf else 1.0
                error = math.hypot(
                    _error(critics),
                    (critics.seen - critics.held_out) / 2,
                    doubt * (nats - found.nats),
                )
                why = "columns determine one another" if determined else "many thin pieces"
                reason = f"{why}: {nats:.3f} by critics, {found.nats:.3f} by densities"
                found = Estimate(nats, error, "learned", reason, history=tuple(critics.history))
            elif determined:
                error = math.hypot(found.standard_error, found.nats - critics.held_out)
                reason = f"columns determine one another, and critics find {critics.held_out:.3f}"
                reason = f"{found.reason}; {reason}"
                found = replace(found, standard_error=error, reason=reason)
    if x.shape[1] + y.shape[1] <= _MOST_COLUMNS:
        found = _with_neighbors(x[distinct], y[distinct], found, determined, seed)
    elif determined and len(distinct) < _FEWEST:
        note = "columns determine one another: probably too large"
        found = replace(found, reason=f"{found.reason}; {note}")
    return found


def _error(gain: Gain) -> float:
    return float(gain.samples.std() / math.sqrt(len(gain.samples)))


def _with_neighbors(
    x: np.ndarray, y: np.ndarray, found: Estimate, determined: bool, seed: int
) -> Estimate:
    """Return ``found``, the estimate by neighbors, or a mean, with an error that includes both."""
    near, raw = extrapolated_ksg(x[:_MOST_NEIGHBORS], y[:_MOST_NEIGHBORS], seed=seed)
    apart = found.nats - raw.nats
    allowed = 2 * math.hypot(raw.standard_error, found.standard_error)
    share, error, note = 0.0, found.standard_error, ""
    if apart < -allowed:  # neighbors find too little, not too much
        share, error, note = 1.0, near.standard_error, ", which are taken"
    elif determined:
        errors = found.standard_error, near.standard_error
        share = errors[0] ** 2 / (errors[0] ** 2 + errors[1] ** 2)
        error = max(math.prod(errors) / math.hypot(*errors), abs(found.nats - near.nats) / 2)
        note = ", a weighted mean is taken"
    elif apart > allowed and near.nats == raw.nats:  # the neighbors seem near enough
        error = math.hypot(error, apart / 2)
    else:
        return found
    return replace(
        found,
        nats=found.nats + share * (near.nats - found.nats),
        standard_error=error,
        reason=f"{found.reason}; {near.nats:.3f} by neighbors{note}",
    )
