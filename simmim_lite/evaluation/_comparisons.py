"""Estimators and bounds of mutual information beside the truth, as tidy tables."""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from simmim_lite._arguments import check_choice, check_integer
from simmim_lite._torch_state import like_parameters, ordinary_torch
from simmim_lite.bounds import BOUNDS
from simmim_lite.ground_truth import GroundTruth
from simmim_lite.mutual_information import estimate

Function = Callable[[Tensor], Tensor]  # scores (K, K) -> scalar


def compare_estimators(
    sources: Mapping[Hashable, GroundTruth], methods: Sequence[str], *, n: int, seeds: int
) -> pd.DataFrame:
    """Estimates of the mutual information of each source by each method, from the same samples.

    Seeds 0, 1, ... draw n samples each, for all ``methods`` of `mutual_information.estimate`. The
    table has one row per estimate; its column "error" is nats - truth.
    """
    rows = []
    for name, source in sources.items():
        for seed in range(check_integer("seeds", seeds, minimum=1)):
            x, y = source.sample(n, seed)
            for method in methods:
                found, truth = estimate(x, y, method, seed=seed), source.mutual_information
                rows.append((name, method, seed, found.nats, found.standard_error, truth))
    columns = ["source", "method", "seed", "nats", "standard_error", "truth"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(error=frame["nats"] - frame["truth"])


@ordinary_torch()
def evaluate_bounds(
    critic: nn.Module | Callable[[Tensor, Tensor], Tensor],
    batches: Iterable[tuple[Tensor, Tensor]],
    functions: Mapping[str, Function] | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Values of bounds in nats, one row per batch, one column per bound.

    Args:
        critic: x (K, dim_x), y (K, dim_y) -> scores (K, K).
        batches: pairs (x, y), the same for all bounds.
        functions: names in `bounds.BOUNDS` (None: all of them), or functions of the scores by name.
    """
    functions = _functions(tuple(BOUNDS) if functions is None else functions)
    with torch.no_grad():
        scores = (critic(x, y) for x, y in batches)
        return pd.DataFrame([{name: f(s).item() for name, f in functions.items()} for s in scores])


@ordinary_torch()
def staircase(
    critic: nn.Module,
    objective: str | Function,
    functions: Mapping[str, Function] | Sequence[str],
    *,
    levels: Sequence[float],
    steps: int,
    cubed: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Train one critic while the true mutual information rises in steps.

    The experiment of Poole et al. (2019, arXiv 1905.06922), section 4: new batches of 64 Gaussian
    pairs in 20 dimensions.

    Args:
        critic: for 20 and 20 columns, trained in place by Adam with learning rate 0.002.
        objective: a name in `bounds.BOUNDS`, or a function of the scores, to be maximized.
        functions: as for `evaluate_bounds`; one column each, beside the level, one row per step.
        levels: true nats, one after another, each for ``steps`` batches.
        cubed: take the cube of each y, which does not change the mutual information.
    """
    steps = check_integer("steps", steps, minimum=1)
    functions = _functions(functions)
    if isinstance(objective, str):
        check_choice("objective", objective, BOUNDS)
        objective = BOUNDS[objective].objective or BOUNDS[objective].function
    generator = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
    optimizer = torch.optim.Adam(critic.parameters(), lr=2e-3)
    rows = []
    for level in levels:
        correlation = math.sqrt(-math.expm1(-2 * level / 20))
        for _ in range(steps):
            x, noise = torch.randn(2, 64, 20, generator=generator, dtype=torch.float32)
            y = correlation * x + math.exp(-level / 20) * noise
            y = y**3 if cubed else y
            scores = critic(like_parameters(critic, x), like_parameters(critic, y))
            optimizer.zero_grad()
            (-objective(scores)).backward()
            optimizer.step()
            values = {name: f(scores.detach()).item() for name, f in functions.items()}
            rows.append({"level": level} | values)
    return pd.DataFrame(rows)


def _functions(functions: Mapping[str, Function] | Sequence[str]) -> Mapping[str, Function]:
    if isinstance(functions, Mapping):
        return functions
    for name in functions:
        check_choice("functions", name, BOUNDS)
    return {name: BOUNDS[name].function for name in functions}
