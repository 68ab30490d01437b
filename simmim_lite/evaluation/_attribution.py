"""Attribution of a prediction to parts of the input, and tests whether the map shows the model.

A plausible map is no evidence: edges look plausible for any model. Two tests can fail: do the parts
sum to the whole (`integrated_gradients`), and does the map change with the weights
(`randomization_table`)?
"""

from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from simmim_lite._arguments import check_integer
from simmim_lite._random import seeded

Score = Callable[[Tensor], Tensor]  # items (N, ...) -> one number per item, (N,)


class Attribution(NamedTuple):
    """Attributions of a score to the parts of its items.

    Attributes:
        values: (N, ...), of the shape of the items.
        gap: (N,), >= 0, the error of completeness: |sum of the values - change of the score|.
    """

    values: Tensor
    gap: Tensor


def integrated_gradients(
    score: Score, items: Tensor, baseline: Tensor | float = 0.0, *, steps: int = 64
) -> Attribution:
    """Integrated gradients: mean gradient on the line from a baseline to the item, times the way.

    Sundararajan et al. (2017, arXiv 1703.01365), section 3. Completeness (their proposition 1): the
    values of an item sum to score(item) - score(baseline). The integral is a Gauss-Legendre sum,
    exact for polynomial scores of degree up to 2 ``steps``; ``gap`` measures the error for others.

    Args:
        score: differentiable, (N, ...) -> (N,), where each number depends on its own item only
            (a model with batch normalization must be in evaluation mode).
        items: (N, ...), floating point.
        baseline: the absence of a signal, broadcast to the items: 0 is black, or silence.
    """
    steps = check_integer("steps", steps, minimum=1)
    start = torch.as_tensor(baseline, dtype=items.dtype, device=items.device).expand_as(items)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    mean = torch.zeros_like(items)
    for place, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        point = (start + place * (items - start)).detach().requires_grad_()
        mean += weight * torch.autograd.grad(_scores(score, point).sum(), point)[0]
    values = (items - start) * mean
    with torch.no_grad():
        change = _scores(score, items) - _scores(score, start)
    return Attribution(values, (values.flatten(1).sum(dim=1) - change).abs())


def randomization_table(
    model: nn.Module,
    attribute: Callable[[nn.Module, Tensor], Tensor],
    items: Tensor,
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """Similarity of attribution maps to themselves while the weights are randomized.

    Cascading randomization (Adebayo et al. 2018, arXiv 1810.03292): from the output to the input,
    one layer after another gets new random weights and keeps them. Maps that stay similar to the
    original ones show the input rather than the model.

    Args:
        model: layers with a method ``reset_parameters``, registered in their order, as in torch.
            A copy is randomized.
        attribute: ``attribute(model, items)`` -> (N, ...).

    Returns:
        First row "none", then one row per layer, from the output: layer, and the `rank_correlation`
        of the maps with those of the model, signed and absolute (of the absolute values).
    """
    model = deepcopy(model).eval()
    original = attribute(model, items)
    rows = [("none", 1.0, 1.0)]
    with seeded(seed):
        for name, layer in reversed(list(model.named_modules())):
            if hasattr(layer, "reset_parameters") and next(layer.parameters(), None) is not None:
                layer.reset_parameters()
                maps = attribute(model, items)
                signed = rank_correlation(original, maps)
                rows.append((name, signed, rank_correlation(original.abs(), maps.abs())))
    return pd.DataFrame(rows, columns=["layer", "signed", "absolute"])


def rank_correlation(first: Tensor, second: Tensor) -> float:
    """Spearman's rank correlation of maps (N, ...), mean over items, -1..1.

    Places with 0 in both maps are left out: the gradient is multiplied by the black pixels of a
    digit, which would make any two maps agree. The correlation of constant maps is 0.
    """
    shapes = tuple(first.shape), tuple(second.shape)
    if shapes[0] != shapes[1]:
        raise ValueError(f"second: expected the shape of first, {shapes[0]}, got {shapes[1]}")
    correlations = []
    for a, b in zip(*(x.flatten(1).detach().cpu().numpy() for x in (first, second)), strict=True):
        nonzero = (a != 0) | (b != 0)
        a, b = a[nonzero], b[nonzero]
        constant = len(a) < 2 or not np.ptp(a) or not np.ptp(b)
        correlations.append(0.0 if constant else float(spearmanr(a, b).statistic))
    return float(np.mean(correlations))


def _scores(score: Score, items: Tensor) -> Tensor:
    scores, N = score(items), len(items)
    if scores.shape != (N,):
        got = tuple(scores.shape)
        raise ValueError(f"score: expected one number for each of {N} items, got shape {got}")
    return scores
