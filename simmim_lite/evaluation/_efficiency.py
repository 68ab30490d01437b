"""What a model costs: weights, operations, memory and time; and cheaper versions of it.

Operations are those of `torch.utils.flop_counter`: two for each multiplication with its addition,
in matrix products and convolutions, nothing for the rest. Bytes are counted allocation by
allocation, not read off the process; see `training.measure_bytes`. Seconds are the least of several
runs, of a clock on the wall: they are a machine's, and a quiet one's at best.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from io import BytesIO
from itertools import pairwise
from zipfile import ZipFile

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization
from torch.utils.flop_counter import FlopCounterMode

from simmim_lite._arguments import check_integer
from simmim_lite.training import measure_bytes, measure_seconds

# Largest difference of the outputs, over the largest output. An exported model does the same
# operations, perhaps in another order. A weight of 8 bits is off by 1/254 of the largest of its
# row, at most; the tolerance leaves room for several layers of such.
TOLERANCES = {"float32": 0.0, "int8 weights": 0.02, "exported": 1e-5}


def efficiency_table(
    model: nn.Module,
    batch: Tensor,
    *,
    batch_sizes: Sequence[int] = (8, 64, 256),
    loss: Callable[[Tensor], Tensor] | None = None,
    repetitions: int = 5,
) -> pd.DataFrame:
    """What inference and training take, for batches of several sizes; on the GPU, if there is one.

    Training is the forward pass, the loss and the gradient of each weight; an optimizer comes on
    top (Adam: two numbers a weight). The model itself is left as it is: a copy is measured.

    Args:
        model: called with (N, ...) gives a tensor.
        batch: items (M, ...), repeated until they fill a batch.
        batch_sizes: 2 or more each, for models with batch normalization.
        loss: outputs -> scalar; None takes the mean of their squares.

    Returns:
        A row for inference and training at each batch size: mode, batch_size, device, parameters,
        weight_bytes (parameters and buffers), flops (of one item), peak_bytes (beside weights and
        batch), samples_per_second.
    """
    sizes = [check_integer("batch_sizes", size, minimum=1) for size in batch_sizes]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, batch = deepcopy(model).to(device), batch.to(device)
    loss = loss or (lambda outputs: outputs.square().mean())
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    rows = []
    for mode in ("inference", "training"):
        for size in sizes:
            items = batch[torch.arange(size, device=device) % len(batch)]
            action = _inference(model, items) if mode == "inference" else _step(model, items, loss)
            rows.append(
                {
                    "mode": mode,
                    "batch_size": size,
                    "device": name,
                    "parameters": sum(weights.numel() for weights in model.parameters()),
                    "weight_bytes": weight_bytes(model),
                    "flops": flops(action) // size,
                    "peak_bytes": measure_bytes(action),
                    "samples_per_second": size / measure_seconds(action, repetitions=repetitions),
                }
            )
    return pd.DataFrame(rows)


def deployment_table(
    model: nn.Module,
    batch: Tensor,
    score: Callable[[Tensor], float],
    *,
    repetitions: int = 5,
) -> pd.DataFrame:
    """The model as it is, with weights of 8 bits, and exported: as good, and how much cheaper?

    Args:
        model: called with (N, ...) gives a tensor; on the CPU. It is put into eval mode here, in
            a copy.
        batch: items (N, ...), 2 or more.
        score: outputs of the batch -> a number, such as its accuracy with the labels at hand.

    Returns:
        A row a version, float32, int8 weights and exported (see `with_int8_weights`, `exported`):
        bytes (of weights; of the file, for the exported one), samples_per_second, difference (the
        largest of the outputs to those of float32, over the largest output), tolerance (what it
        may be), score.
    """
    model = deepcopy(model).eval()
    archive = _archive(model, batch)
    versions = {
        "float32": (model, weight_bytes(model)),
        "int8 weights": (small := with_int8_weights(model), weight_bytes(small)),
        "exported": (_from_archive(archive), len(archive)),
    }
    truth = _inference(model, batch)()
    rows = {}
    for name, (version, size) in versions.items():
        infer = _inference(version, batch, change_mode=name != "exported")
        outputs = infer()
        rows[name] = {
            "bytes": size,
            "samples_per_second": len(batch) / measure_seconds(infer, repetitions=repetitions),
            "difference": ((outputs - truth).abs().max() / truth.abs().max()).item(),
            "tolerance": TOLERANCES[name],
            "score": float(score(outputs)),
        }
    return pd.DataFrame(rows).T.rename_axis("version")


def scaling_table(
    action: Callable[[int], object], sizes: Sequence[int], *, repetitions: int = 3
) -> pd.DataFrame:
    """How the time of an action grows with the size of what it is given: batch, data, memory.

    Args:
        action: ``action(size)``; what need not be timed should be there before.
        sizes: ascending.

    Returns:
        A row a size: size, seconds, per_second, and exponent, the slope of log seconds over log
        size since the row before: 0 for a fixed cost, 1 for one that is proportional.
    """
    sizes = [check_integer("sizes", size, minimum=1) for size in sizes]
    if any(b <= a for a, b in pairwise(sizes)):
        raise ValueError(f"sizes: expected ascending numbers, got {sizes}")
    seconds = [measure_seconds(lambda n=n: action(n), repetitions=repetitions) for n in sizes]
    rows = list(zip(sizes, seconds, strict=True))
    exponents = [math.log(s / s0) / math.log(n / n0) for (n0, s0), (n, s) in pairwise(rows)]
    return pd.DataFrame(
        {
            "size": sizes,
            "seconds": seconds,
            "per_second": [n / s for n, s in rows],
            "exponent": [math.nan, *exponents][: len(sizes)],
        }
    )


def flops(action: Callable[[], object]) -> int:
    """Operations of the matrix products and convolutions in an action, 2 a multiplication."""
    with FlopCounterMode(display=False) as counter:
        action()
    return counter.get_total_flops()


def weight_bytes(model: nn.Module) -> int:
    """Of all parameters and buffers."""
    return sum(tensor.nbytes for tensor in [*model.parameters(), *model.buffers()])


def with_int8_weights(model: nn.Module) -> nn.Module:
    """A copy whose linear layers and convolutions keep their weights in 8 bits.

    One scale for each output, symmetric: w is about code * scale, code in -127..127 (Jacob et al.
    2018, arXiv 1712.05877, without its 8-bit arithmetic). The weights are made float again at
    each call, so that this saves memory and no time. Biases, normalization and recurrent layers
    stay float. For 8-bit arithmetic torch refers to the package torchao; its own
    `torch.ao.quantization` is on its way out, and warns.
    """
    model = deepcopy(model).eval().requires_grad_(False)
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d)]
    for layer in layers:
        register_parametrization(layer, "weight", _Int8())
    return model


class _Int8(nn.Module):
    """Codes and scales for weights, the outputs in the rows."""

    def forward(self, codes: Tensor, scales: Tensor) -> Tensor:
        return codes * scales

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        scales = weight.abs().flatten(1).amax(dim=1).div(127).clamp(min=1e-12)
        scales = scales.reshape(-1, *[1] * (weight.ndim - 1))
        return (weight / scales).round().to(torch.int8), scales


def exported(model: nn.Module, batch: Tensor) -> nn.Module:
    """The model as `torch.export` writes it and reads it again, for batches of any size.

    A graph of operations and the weights; the class of the model is not needed any more. What
    was written is looked through before it is read: nothing in it may ask for pickled code.

    Args:
        model: in eval mode; a module in training mode is refused.
        batch: items (N, ...), of which 2 trace the model, and stay in the file.

    Raises:
        ValueError: in training mode, fewer than 2 items, or a model that holds more than tensors.
    """
    return _from_archive(_archive(model, batch))


def _archive(model: nn.Module, batch: Tensor) -> bytes:
    if model.training:
        raise ValueError("model: expected eval mode, got training mode")
    if len(batch) < 2:  # torch.export takes a size of 1 for a constant
        raise ValueError(f"batch: expected 2 items or more, got {len(batch)}")
    with warnings.catch_warnings(), torch.no_grad():
        # Of each recurrent layer, whose list of its weights is set anew; the outputs are compared.
        warnings.filterwarnings("ignore", message="The tensor attributes? self.*_flat_weights")
        any_size = ({0: torch.export.Dim.AUTO},)
        two = batch[:2].clone()  # a view would take the whole batch into the file
        program = torch.export.export(model, (two,), dynamic_shapes=any_size)
    file = BytesIO()
    torch.export.save(program, file)
    return file.getvalue()


def _from_archive(archive: bytes) -> nn.Module:
    with ZipFile(BytesIO(archive)) as parts:
        for name in parts.namelist():
            content = parts.read(name)
            if name.endswith(".pt") and content:
                torch.load(BytesIO(content), weights_only=True)  # raises for all but tensors
            if name.endswith("_config.json") and b'"use_pickle": true' in content:
                raise ValueError(f"model: expected weights that are plain tensors, got {name}")
    return torch.export.load(BytesIO(archive)).module()


def _inference(
    model: nn.Module, items: Tensor, *, change_mode: bool = True
) -> Callable[[], Tensor]:
    if change_mode:  # an exported graph has no modes
        model.eval()

    @torch.no_grad()
    def action() -> Tensor:
        return model(items)

    return action


def _step(model: nn.Module, items: Tensor, loss: Callable[[Tensor], Tensor]) -> Callable[[], None]:
    model.train()

    def action() -> None:
        loss(model(items)).backward()
        model.zero_grad(set_to_none=True)

    return action
