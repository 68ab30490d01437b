"""Several processes: the group that torchrun starts, and the rows of all processes in one loss.

Each process embeds its own rows and needs the rows of the others as negatives. A gather without
gradient loses the gradient that the negatives of one process have for the encoder of another;
`gather_rows` keeps it, and `compare_gathers` measures the difference.
"""

import functools
import json
import math
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from simmim_lite._arguments import as_tensor, check_integer, check_same_length
from simmim_lite.contrastive import LearnedTemperature, info_nce_loss


@contextmanager
def process_group() -> Iterator[tuple[int, int]]:
    """Give (process, processes): the number of this process, and of all; (0, 1) without torchrun.

    Under torchrun the processes are connected inside the context (NCCL between GPUs, else gloo).
    With one process, or with processes that are connected already, the context does nothing.
    """
    if dist.is_initialized() or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield this_process()
    else:
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        try:
            with warnings.catch_warnings():
                # About the speed of a copy of 16 x 1 x 5 x 5 numbers, from each process.
                warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
                yield this_process()
        finally:
            dist.destroy_process_group()


def this_process() -> tuple[int, int]:
    """Return (process, processes); (0, 1) if no processes are connected."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def any_process(condition: bool) -> bool:
    """Return whether ``condition`` holds in any process; all processes must call this together."""
    if not dist.is_initialized():
        return condition
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"  # gloo exchanges CPU tensors
    flag = torch.tensor(float(condition), device=device)
    dist.all_reduce(flag, dist.ReduceOp.MAX)
    return bool(flag)


def gather_rows(values: Tensor) -> Tensor:
    """Return the rows of all processes, with gradients that reach every process.

    From (N, ...), the same shape in all processes, to (processes x N, ...): the rows of this
    process first, then those of the next process, and so on in a circle. The processes must call
    this together, and run the backward pass together.
    """
    return _Gather.apply(values) if dist.is_initialized() else values


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values):
        values = values.contiguous()
        parts = [torch.empty_like(values) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, values)
        rank = dist.get_rank()
        return torch.cat(parts[rank:] + parts[:rank])

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        # Every process has gradients for the rows of all; each needs the sum for its own rows.
        rank, processes = dist.get_rank(), dist.get_world_size()
        parts = upstream.chunk(processes)
        total = torch.stack(parts[processes - rank :] + parts[: processes - rank])
        dist.all_reduce(total)
        return total[rank]


def gathered_info_nce_loss(queries: Tensor, keys: Tensor, temperature: Tensor | float) -> Tensor:
    """Symmetric InfoNCE of the N rows of this process among those of all processes, in nats.

    DistributedDataParallel averages the gradients over the processes. That average is the gradient
    of the whole batch in one process, for the encoder and for the temperature.

    Arguments and result as for `simmim_lite.contrastive.info_nce_loss`; keys (N, dim).
    """
    check_same_length(queries=queries, keys=keys)
    if not dist.is_initialized():
        return info_nce_loss(queries, keys, temperature)
    return _both_ways(queries, keys, temperature, gather_rows)


def _both_ways(
    queries: Tensor, keys: Tensor, temperature: Tensor | float, gather: Callable[[Tensor], Tensor]
) -> Tensor:
    one_way = functools.partial(info_nce_loss, temperature=temperature, symmetric=False)
    return (one_way(queries, gather(keys)) + one_way(keys, gather(queries))) / 2


class ContrastiveLoss(nn.Module):
    """InfoNCE of normalized pairs in the whole batch of all processes: a loss for `fit`.

    The temperature stays constant if not ``learned`` (`contrastive.LearnedTemperature`).
    """

    def __init__(self, temperature: float = 0.07, *, learned: bool = True):
        super().__init__()
        self.temperature = LearnedTemperature(temperature, learned=learned)

    def forward(
        self, outputs: tuple[Tensor, Tensor] | dict[str, Tensor], batch: object = None
    ) -> dict[str, Tensor]:
        """Return "loss", "nats" and "temperature" of two embeddings (N, dim), one pair in each row.

        nats = log(rows of all processes) - loss: a lower bound on the mutual information.
        """
        named = outputs.items() if isinstance(outputs, dict) else enumerate(outputs)
        given = {f"outputs[{key!r}]": values for key, values in named}
        rows = {name: F.normalize(as_tensor(name, values)) for name, values in given.items()}
        check_same_length(**rows)
        (queries, keys), temperature = rows.values(), self.temperature()
        loss = gathered_info_nce_loss(queries, keys, temperature)
        nats = math.log(len(queries) * this_process()[1]) - loss
        return {"loss": loss, "nats": nats, "temperature": temperature}


def compare_gathers(processes: int = 2, *, seed: int = 0) -> list[dict[str, float | str]]:
    """Compare gradients of InfoNCE in several processes with those of one process with all rows.

    Starts ``processes`` on this machine (gloo, float64), each with 32 pairs, linear encoders
    (16, 16) of queries and keys and a temperature of 0.2. Their gradients are averaged, as
    DistributedDataParallel does.

    For each way to gather, the result has the loss in nats; "encoder_error", the norm of the error
    of the encoder's gradient over the norm of the true gradient; "encoder_ratio", the ratio of the
    two norms; "encoder_cosine", the cosine between the two gradients; and "temperature_ratio", the
    ratio of the derivatives by the temperature.
    """
    check_integer("processes", processes, minimum=1)
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(_compare, (processes, folder, seed), nprocs=processes)
        return json.loads(Path(folder, "result.json").read_text(encoding="utf-8"))


def _constant(values: Tensor) -> Tensor:
    return gather_rows(values).detach()


def _mixed(values: Tensor) -> Tensor:
    """The rows of all processes, with a gradient for those of this process only."""
    return torch.cat([values, _constant(values)[len(values) :]])


# The second and third are what open_clip's ClipLoss does with gather_with_grad=False.
_WAYS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "with gradient": gathered_info_nce_loss,
    "without, loss of all rows": lambda q, k, t: info_nce_loss(_mixed(q), _mixed(k), t),
    "without, loss of own rows": lambda q, k, t: _both_ways(q, k, t, _constant),
    "no gathering": info_nce_loss,
}


def _compare(rank: int, processes: int, folder: str, seed: int) -> None:
    torch.set_num_threads(1)
    store = dist.FileStore(str(Path(folder, "store")), processes)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=processes)
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(2, processes * 32, 16, generator=generator, dtype=torch.float64)
    inputs[1] += inputs[0]
    weights = torch.randn(2, 16, 16, generator=generator, dtype=torch.float64)
    _, true, true_slope = _gradient(info_nce_loss, inputs, weights)
    result: list[dict[str, float | str]] = []
    for name, function in _WAYS.items():
        found = _gradient(function, inputs.chunk(processes, dim=1)[rank], weights)
        for value in found:
            dist.all_reduce(value)
            value /= processes
        loss, encoder, slope = found
        numbers = {
            "loss": loss,
            "encoder_error": (encoder - true).norm() / true.norm(),
            "encoder_ratio": encoder.norm() / true.norm(),
            "encoder_cosine": F.cosine_similarity(encoder.ravel(), true.ravel(), dim=0),
            "temperature_ratio": slope / true_slope,
        }
        result.append({"gather": name} | {name: value.item() for name, value in numbers.items()})
    if rank == 0:
        Path(folder, "result.json").write_text(json.dumps(result), encoding="utf-8")
    dist.destroy_process_group()


def _gradient(loss: Callable, inputs: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
    """The loss, and its derivatives by the weights of the encoders and by the temperature."""
    weights = nn.Parameter(weights)
    temperature = nn.Parameter(torch.tensor(0.2, dtype=torch.float64))
    value = loss(*F.normalize(inputs @ weights, dim=-1), temperature)
    return value.detach(), *torch.autograd.grad(value, [weights, temperature])
