"""Estimators and bounds beside the truth, as tidy tables: one row a measurement."""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from simmim_lite._arguments import check_integer
from simmim_lite.ground_truth import GroundTruth
from simmim_lite.mutual_information import estimate


def compare_estimators(
    sources: Mapping[Hashable, GroundTruth], methods: Sequence[str], *, n: int, seeds: int
) -> pd.DataFrame:
    """Estimates of the mutual information of each source by each method, on the same samples.

    Args:
        sources: distributions with a known truth, by the name that they have in the table.
        methods: names for `mutual_information.estimate`.
        n: samples in each estimate.
        seeds: repetitions; seed 0, 1, ... draws the samples.

    Returns:
        One row an estimate with the columns source, method, seed, nats, standard_error, truth and
        error (nats less truth), all but the first three in nats.
    """
    seeds = check_integer("seeds", seeds, minimum=1)
    rows = []
    for name, source in sources.items():
        for seed in range(seeds):
            x, y = source.sample(n, seed)
            for method in methods:
                found = estimate(x, y, method, seed=seed)
                rows.append((name, method, seed, found.nats, found.standard_error))
    frame = pd.DataFrame(rows, columns=["source", "method", "seed", "nats", "standard_error"])
    frame["truth"] = frame["source"].map({k: v.mutual_information for k, v in sources.items()})
    frame["error"] = frame["nats"] - frame["truth"]
    return frame


def evaluate_bounds(
    critic: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    objectives: Mapping[str, Callable[[Tensor], Tensor]],
) -> pd.DataFrame:
    """What each objective makes of a critic's scores: a row a batch, a column an objective.

    Args:
        critic: x (K, dim_x), y (K, dim_y) -> scores (K, K).
        batches: pairs (x, y); all objectives see the same ones.
        objectives: functions of the scores, those of `bounds` for example, by name.

    Returns:
        Nats, in the order of the batches.
    """
    with torch.no_grad():
        scores = (critic(x, y) for x, y in batches)
        return pd.DataFrame([{name: f(s).item() for name, f in objectives.items()} for s in scores])


def staircase(
    critic: nn.Module,
    objective: Callable[[Tensor], Tensor],
    measures: Mapping[str, Callable[[Tensor], Tensor]],
    *,
    levels: Sequence[float],
    steps: int,
    cubed: bool = False,
    learning_rate: float = 2e-3,
    seed: int = 0,
) -> pd.DataFrame:
    """Train one critic while the truth climbs: the experiment of Poole et al. (2019), section 4.

    Fresh batches of 64 Gaussian pairs in 20 dimensions; ``cubed`` takes the cube of each y, which
    leaves the mutual information as it is.

    Args:
        critic: for 20 and 20 columns; it is trained in place, by Adam.
        objective: what is maximized.
        measures: what is written down at each step, of the same scores, by name.
        levels: the true nats, one after the other.
        steps: batches at each level.

    Returns:
        A row a step: level, and a column for each measure.
    """
    steps = check_integer("steps", steps, minimum=1)
    generator = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
    optimizer = torch.optim.Adam(critic.parameters(), lr=learning_rate)
    rows = []
    for level in levels:
        correlation = math.sqrt(-math.expm1(-2 * level / 20))
        for _ in range(steps):
            x, noise = torch.randn(2, 64, 20, generator=generator)
            y = correlation * x + math.exp(-level / 20) * noise
            scores = critic(x, y**3 if cubed else y)
            optimizer.zero_grad()
            (-objective(scores)).backward()
            optimizer.step()
            values = {name: f(scores.detach()).item() for name, f in measures.items()}
            rows.append({"level": level} | values)
    return pd.DataFrame(rows)
