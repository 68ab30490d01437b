"""How keys are spread."""

import numpy as np
import torch
from scipy.stats import skew
from torch import Tensor

from simmim_lite.memory._backend import Backend
from simmim_lite.memory._batch import metric_of

_NEIGHBOURS = 10


def describe_keys(keys: Tensor, metric: str) -> dict[str, float]:
    """Effective rank and hubness of keys (n, dim).

    - ``effective_rank``: exp of the entropy of the normalized singular values (Roy and Vetterli
      2007): dim for keys that are spread evenly, 1 for keys on a line. Not centered.
    - ``hubness``: skewness of how often each key is among the 10 nearest of the others
      (Radovanovic et al. 2010): near 0 where all are found alike, large where a few are found
      in the place of many.
    """
    keys = keys.double()
    weights = torch.linalg.svdvals(keys)
    weights = weights / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
    found = {"effective_rank": float(torch.special.entr(weights).sum().exp())}
    if len(keys) > _NEIGHBOURS:
        scores = keys @ keys.T if metric == "cosine" else -torch.cdist(keys, keys)
        nearest = scores.fill_diagonal_(-torch.inf).topk(_NEIGHBOURS).indices
        times = np.bincount(nearest.flatten().cpu().numpy(), minlength=len(keys))
        found["hubness"] = float(skew(times)) if times.std() else 0.0
    return found


def describe_kinds(
    backend: Backend, metric: str, sample: int, generator: torch.Generator
) -> dict[str, dict[str, float]]:
    """By kind of key: how many items have one, and what `describe_keys` says of a sample."""
    found: dict[str, dict[str, float]] = {}
    for kind in backend.kinds():
        count = backend.count(kind)
        found[kind] = {"items": count}
        if count:
            chosen = torch.randperm(count, generator=generator)[:sample]
            keys = backend.keys(kind, backend.owners(kind)[chosen])
            found[kind] |= describe_keys(keys, metric_of(kind, metric))
    return found
