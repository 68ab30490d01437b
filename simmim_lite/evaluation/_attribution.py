"""Which parts of an input an answer rests on, and whether such a map deserves to be believed.

A map that looks right is no evidence: edges look right, whatever the model. So each one comes with
a test that it can fail: do the parts add up to the whole (`integrated_gradients`), does the map
change when the weights do (`randomization_table`), does the answer go when the parts do that it
names (`deletion_curve`)?
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from simmim_lite._arguments import check_integer, check_number
from simmim_lite._random import random_generator, seeded

Score = Callable[[Tensor], Tensor]  # items (N, ...) -> one number for each, (N,)


class Attribution(NamedTuple):
    """Parts (N, ...) of a score, and by how much they miss its change: gap (N,), >= 0."""

    values: Tensor
    gap: Tensor


def integrated_gradients(
    score: Score, items: Tensor, baseline: Tensor | float = 0.0, *, steps: int = 64
) -> Attribution:
    """Mean gradient on the way from a baseline, times the way: (N, ...).

    Sundararajan et al. (2017, arXiv 1703.01365), section 3. Completeness (their proposition 1):
    the values of an item sum to score(item) - score(baseline). Here the integral is a sum at the
    nodes of Gauss and Legendre, exact for a score that is a polynomial of a degree up to 2
    ``steps``; ``gap`` tells what is missing of completeness, for other scores.

    Args:
        score: differentiable, (N, ...) -> (N,), each number of its own item alone: a model in eval
            mode.
        items: (N, ...), floating point.
        baseline: what "nothing" is, broadcast to the items: 0 is black, or silence.
        steps: gradients that are computed.
    """
    steps = check_integer("steps", steps, minimum=1)
    start = torch.as_tensor(baseline, dtype=items.dtype, device=items.device).expand_as(items)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    mean = torch.zeros_like(items)
    for place, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        mean += weight * _gradient(score, start + place * (items - start))
    values = (items - start) * mean
    with torch.no_grad():
        change = _scores(score, items) - _scores(score, start)
    return Attribution(values, (values.flatten(1).sum(dim=1) - change).abs())


def gradient_times_input(score: Score, items: Tensor) -> Tensor:
    """The plainest relative: the gradient at the item, times the item (N, ...)."""
    return items * _gradient(score, items)


def occlusion(score: Score, images: Tensor, *, window: int = 4, value: float = 0.0) -> Tensor:
    """By how much a score falls when a square of an image is covered: (N, 1, height, width).

    Zeiler & Fergus (2014, arXiv 1311.2901). The squares tile the image; no gradient
    is needed.

    Args:
        score: (N, ...) -> (N,).
        images: (N, channels, height, width).
        window: side of the square in pixels, a divisor of height and width.
        value: what covers it.
    """
    if images.ndim != 4:
        raise ValueError(f"images: expected 4 dimensions, got shape {tuple(images.shape)}")
    height, width = images.shape[2:]
    window = check_integer("window", window, minimum=1, maximum=min(height, width))
    if height % window or width % window:
        raise ValueError(f"window: expected a divisor of {height} and {width}, got {window}")
    falls = torch.zeros_like(images[:, :1])
    with torch.no_grad():
        whole = _scores(score, images)
        for top in range(0, height, window):
            for left in range(0, width, window):
                square = (..., slice(top, top + window), slice(left, left + window))
                covered = images.clone()
                covered[square] = value
                falls[square] = (whole - _scores(score, covered))[:, None, None, None]
    return falls


def randomization_table(
    model: nn.Module,
    attribute: Callable[[nn.Module, Tensor], Tensor],
    items: Tensor,
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """Are the maps still the same when nothing is left of what the model learned?

    The cascading randomization of Adebayo et al. (2018, arXiv 1810.03292): from the
    output to the input, layer after layer gets fresh weights, and stays so. Maps that keep a high
    rank correlation with the first ones show the input, and not the model.

    Args:
        model: layers with a method ``reset_parameters``, registered in their order, as torch's
            are. It stays as it is: a copy is randomized.
        attribute: ``attribute(model, items)`` -> (N, ...).
        items: (N, ...).

    Returns:
        A row a layer, from the output: layer, and the `rank_correlation` of the maps with those
        of the model itself, signed and absolute (of the maps' absolute values). Row "none" comes
        first, with 1 and 1.
    """
    model = deepcopy(model).eval()
    first = attribute(model, items)
    rows = [{"layer": "none", "signed": 1.0, "absolute": 1.0}]
    with seeded(seed):
        for name, layer in reversed(list(model.named_modules())):
            if hasattr(layer, "reset_parameters") and next(layer.parameters(), None) is not None:
                layer.reset_parameters()
                maps = attribute(model, items)
                signed = rank_correlation(first, maps)
                absolute = rank_correlation(first.abs(), maps.abs())
                rows.append({"layer": name, "signed": signed, "absolute": absolute})
    return pd.DataFrame(rows)


def rank_correlation(first: Tensor, second: Tensor) -> float:
    """Spearman's, of the maps (N, ...) item by item, and the mean of them: -1..1.

    Places that are 0 in both are left out: the black of a digit, which the gradient is multiplied
    by, would make any two maps agree. Where nothing is left to order, the correlation is 0.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"second: expected the shape of first, {tuple(first.shape)}, got {tuple(second.shape)}"
        )
    pairs = (x.flatten(1).detach().cpu().numpy() for x in (first, second))
    return float(np.mean([_rank_correlation(a, b) for a, b in zip(*pairs, strict=True)]))


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    there = (first != 0) | (second != 0)
    a, b = first[there], second[there]
    if len(a) < 2 or not np.ptp(a) or not np.ptp(b):
        return 0.0
    return float(spearmanr(a, b).statistic)


def deletion_curve(
    score: Score,
    items: Tensor,
    values: Tensor,
    *,
    shares: Sequence[float] = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8),
    baseline: float = 0.0,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean score as the parts with the highest values are taken away, and as random parts are.

    The deletion metric of Petsiuk et al. (2018, arXiv 1806.07421). A map that knows more than
    chance falls faster than the random order; only their difference counts, as any damage makes a
    score fall.

    Args:
        score: (N, ...) -> (N,).
        items: (N, ...).
        values: of the shape of the items, `Attribution.values` for instance; (N, 1, ...) takes
            away all channels at a place.
        shares: of the parts that are gone.
        baseline: what they become.

    Returns:
        A row a share: columns "highest first" and "random order".
    """
    try:
        places = torch.broadcast_shapes(values.shape, items.shape)
    except RuntimeError:
        places = None
    if places != items.shape or values.ndim != items.ndim:
        raise ValueError(
            f"values: expected the shape of items, {tuple(items.shape)}, got {tuple(values.shape)}"
        )
    draws = torch.from_numpy(random_generator(seed, "deletion").random(tuple(values.shape)))
    orders = {"highest first": values, "random order": draws.to(items.device)}
    # Rank 0 is the part that goes first.
    ranks = {
        name: order.flatten(1).argsort(dim=1, descending=True).argsort(dim=1).view(values.shape)
        for name, order in orders.items()
    }
    parts = values[0].numel()
    rows = []
    for share in shares:
        gone = round(check_number("shares", share, minimum=0.0, maximum=1.0) * parts)
        with torch.no_grad():
            left = {
                name: _scores(score, torch.where(rank < gone, baseline, items)).mean().item()
                for name, rank in ranks.items()
            }
        rows.append({"share": share} | left)
    return pd.DataFrame(rows)


def _scores(score: Score, items: Tensor) -> Tensor:
    scores = score(items)
    if scores.shape != (len(items),):
        raise ValueError(
            f"score: expected one number for each of {len(items)} items, "
            f"got shape {tuple(scores.shape)}"
        )
    return scores


def _gradient(score: Score, items: Tensor) -> Tensor:
    items = items.detach().requires_grad_()
    return torch.autograd.grad(_scores(score, items).sum(), items)[0]
