"""Estimators and bounds beside the truth, and the cost of a model, as tidy tables.

Operations are those of `torch.utils.flop_counter`: two per multiplication and addition in matrix
products and convolutions, none for the rest. Seconds are wall-clock time, the minimum of
``repetitions`` runs, on an idle machine.
"""

import math
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from copy import deepcopy
from io import BytesIO
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization
from torch.utils.flop_counter import FlopCounterMode

from simmim_lite._arguments import check_choice, check_integer
from simmim_lite._torch_state import cpu_by_default, like_parameters, ordinary_torch
from simmim_lite.bounds import BOUNDS
from simmim_lite.environment import measure_seconds
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
                numbers = found.nats, found.standard_error, truth, found.nats - truth
                rows.append((name, method, seed, *numbers))
    columns = ["source", "method", "seed", "nats", "standard_error", "truth", "error"]
    return pd.DataFrame(rows, columns=columns)


@ordinary_torch()
def staircase(
    critic: nn.Module,
    objective: str | Function,
    functions: Mapping[str, Function],
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
        functions: of the scores, by name; one column each, beside the level, one row per step.
        levels: true nats, one after another, each for ``steps`` batches.
        cubed: take the cube of each y, which does not change the mutual information.
    """
    steps = check_integer("steps", steps, minimum=1)
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


# Largest difference of the outputs, relative to the largest output. An exported model does the same
# operations, perhaps in another order. An 8-bit weight is off by at most 1/254 of the largest
# weight of its row; the tolerance leaves room for several such layers.
TOLERANCES = {"float32": 0.0, "int8 weights": 0.02, "exported": 1e-5}


def deployment_table(
    model: nn.Module, batch: Tensor, score: Callable[[Tensor], float], *, repetitions: int = 5
) -> pd.DataFrame:
    """Quality and cost of a model, of its copy with 8-bit weights, and of its exported version.

    The exported version is written by `torch.export` and read again: a graph of operations and the
    weights, without the class of the model.

    Args:
        model: maps (N, ...) to a tensor, on the CPU. A copy is measured in eval mode.
        batch: items (N, ...), 2 or more.
        score: outputs of the batch -> a number, such as the accuracy.

    Bytes are those of the weights, or of the file of the exported version. The difference is the
    largest from the outputs of float32, relative to the largest output, beside its tolerance.
    """
    model = deepcopy(model).eval()
    small = with_int8_weights(model)
    versions = {
        "float32": (model, weight_bytes(model)),
        "int8 weights": (small, weight_bytes(small)),
        "exported": _exported(model, batch),
    }
    truth, rows = _inference(model, batch)(), {}
    for name, (version, size) in versions.items():
        infer = _inference(version, batch)
        outputs = infer()
        rows[name] = {
            "bytes": size,
            "samples_per_second": len(batch) / measure_seconds(infer, repetitions=repetitions),
            "difference": ((outputs - truth).abs().max() / truth.abs().max()).item(),
            "tolerance": TOLERANCES[name],
            "score": float(score(outputs)),
        }
    return pd.DataFrame(rows).T.rename_axis("version")


def flops(action: Callable[[], object]) -> int:
    """Return the operations of the matrix products and convolutions in an action."""
    with FlopCounterMode(display=False) as counter:
        action()
    return counter.get_total_flops()


def weight_bytes(model: nn.Module) -> int:
    """Return the bytes of all parameters and buffers."""
    return sum(tensor.nbytes for tensor in [*model.parameters(), *model.buffers()])


def with_int8_weights(model: nn.Module) -> nn.Module:
    """Return a copy whose linear and convolutional layers store their weights in 8 bits.

    Symmetric quantization with one scale per output: w is about q * scale, q in -127..127 (Jacob et
    al. 2018, arXiv 1712.05877, without its 8-bit arithmetic). Each call converts the weights to
    float again, which saves memory but no time. Biases, normalization and recurrent layers stay
    float. For 8-bit arithmetic see the package torchao; `torch.ao.quantization` is deprecated.
    """
    model = deepcopy(model).eval().requires_grad_(False)
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d)]
    for layer in layers:
        register_parametrization(layer, "weight", _Int8())
    return model


class _Int8(nn.Module):
    """Weights as 8-bit integers and one scale per row."""

    def forward(self, quantized: Tensor, scales: Tensor) -> Tensor:
        return quantized * scales

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        scales = weight.abs().flatten(1).amax(dim=1).div(127).clamp(min=1e-12)
        scales = scales.reshape(-1, *[1] * (weight.ndim - 1))
        return (weight / scales).round().to(torch.int8), scales


def _exported(model: nn.Module, batch: Tensor) -> tuple[nn.Module, int]:
    """A model in eval mode, exported for batches of any size and read again; bytes of the file."""
    if len(batch) < 2:  # torch.export takes a size of 1 for a constant
        raise ValueError(f"batch: expected 2 items or more, got {len(batch)}")
    with warnings.catch_warnings(), torch.no_grad():
        # Each recurrent layer sets its list of weights anew and warns; the outputs are compared.
        warnings.filterwarnings("ignore", message="The tensor attributes? self.*_flat_weights")
        Dim: Any = torch.export.Dim  # torch 2.6 declares it as a function
        any_size = ({0: Dim.AUTO},)
        two = batch[:2].clone()  # a view would write the whole batch into the file
        program = torch.export.export(model, (two,), dynamic_shapes=any_size)
    file = BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    with cpu_by_default():
        return torch.export.load(file).module(), len(file.getvalue())


def _inference(model: nn.Module, items: Tensor) -> Callable[[], Tensor]:
    return torch.no_grad()(lambda: model(items))
