"""What the negatives of other processes do to the gradient, gathered in four ways."""

import json
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from simmim_lite._arguments import check_integer
from simmim_lite.contrastive import info_nce_loss
from simmim_lite.training._processes import gather_rows, gathered_info_nce_loss


def compare_gathers(
    processes: int = 2, *, rows: int = 32, dim: int = 16, seed: int = 0
) -> list[dict[str, float | str]]:
    """Gradients of InfoNCE in several processes, beside that of one process with all the rows.

    Starts ``processes`` on this machine (gloo, float64), each with ``rows`` pairs, a linear encoder
    for queries and keys and a temperature of 0.2; their gradients are averaged, as
    DistributedDataParallel does.

    Returns:
        For each way to gather, "gather": its name; "loss": in nats; "encoder_error": relative to
        the norm of the true gradient; "encoder_ratio": of the norms; "encoder_cosine": between
        the two; "temperature_ratio": of the derivatives by the temperature.
    """
    check_integer("processes", processes, minimum=1)
    check_integer("rows", rows, minimum=1)
    check_integer("dim", dim, minimum=1)
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(
            _process, (processes, folder, rows, dim, seed), nprocs=processes
        )
        return json.loads(Path(folder, "result.json").read_text(encoding="utf-8"))


def _kept(queries: Tensor, keys: Tensor, temperature: Tensor) -> Tensor:
    return gathered_info_nce_loss(queries, keys, temperature)


def _whole_loss(queries: Tensor, keys: Tensor, temperature: Tensor) -> Tensor:
    def gathered(values: Tensor) -> Tensor:
        return torch.cat([values, gather_rows(values).detach()[len(values) :]])

    return info_nce_loss(gathered(queries), gathered(keys), temperature)


def _own_rows(queries: Tensor, keys: Tensor, temperature: Tensor) -> Tensor:
    there = info_nce_loss(queries, gather_rows(keys).detach(), temperature, symmetric=False)
    back = info_nce_loss(keys, gather_rows(queries).detach(), temperature, symmetric=False)
    return (there + back) / 2


# The second and third are what open_clip's ClipLoss does with gather_with_grad=False.
_WAYS = {
    "with gradient": _kept,
    "without, loss of all rows": _whole_loss,
    "without, loss of own rows": _own_rows,
    "no gathering": info_nce_loss,
}


def _process(rank: int, processes: int, folder: str, rows: int, dim: int, seed: int) -> None:
    torch.set_num_threads(1)
    store = dist.FileStore(str(Path(folder, "store")), processes)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=processes)
    try:
        generator = torch.Generator().manual_seed(seed)
        inputs = torch.randn(2, processes * rows, dim, generator=generator, dtype=torch.float64)
        inputs[1] += inputs[0]
        weights = torch.randn(2, dim, dim, generator=generator, dtype=torch.float64)
        true = _gradient(info_nce_loss, inputs, weights)
        own = inputs[:, rank * rows : (rank + 1) * rows]
        result = []
        for name, loss in _WAYS.items():
            found = _gradient(loss, own, weights)
            for value in found:
                dist.all_reduce(value)
                value /= processes
            result.append({"gather": name} | _compared(found, true))
        if rank == 0:
            Path(folder, "result.json").write_text(json.dumps(result), encoding="utf-8")
    finally:
        dist.destroy_process_group()


def _gradient(loss, inputs: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, and its derivatives by the encoders' weights and by the temperature."""
    weights = nn.Parameter(weights)
    temperature = nn.Parameter(torch.tensor(0.2, dtype=torch.float64))
    value = loss(*F.normalize(inputs @ weights, dim=-1), temperature)
    return value.detach(), *torch.autograd.grad(value, [weights, temperature])


def _compared(found: tuple[Tensor, ...], true: tuple[Tensor, ...]) -> dict[str, float]:
    size = true[1].norm()
    return {
        "loss": found[0].item(),
        "encoder_error": ((found[1] - true[1]).norm() / size).item(),
        "encoder_ratio": (found[1].norm() / size).item(),
        "encoder_cosine": F.cosine_similarity(found[1].ravel(), true[1].ravel(), dim=0).item(),
        "temperature_ratio": (found[2] / true[2]).item(),
    }
