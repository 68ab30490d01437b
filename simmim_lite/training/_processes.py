"""Several processes: what torchrun started, and the rows of all of them in one loss.

Each process embeds its own rows, and needs those of the others as negatives. If they come without
their gradient, what the negatives of one process would teach the encoder of another is lost:
`simmim_lite.training.compare_gathers` shows how much. `gather_rows` keeps it.
"""

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from simmim_lite._arguments import check_number
from simmim_lite.contrastive import info_nce_loss


@contextmanager
def process_group() -> Iterator[tuple[int, int]]:
    """Number of this process and of all, as (process, processes); (0, 1) without torchrun.

    Under torchrun the processes are connected while the context lasts (NCCL between GPUs, else
    gloo); where they are already, or there is just one, nothing happens.
    """
    if dist.is_initialized():
        yield dist.get_rank(), dist.get_world_size()
    elif int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield 0, 1
    else:
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        try:
            with warnings.catch_warnings():
                # About the speed of a copy of 16 x 1 x 5 x 5 numbers, from each process.
                warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
                yield dist.get_rank(), dist.get_world_size()
        finally:
            dist.destroy_process_group()


def any_process(condition: bool) -> bool:
    """Whether it holds in any of the processes; all must ask."""
    if not dist.is_initialized():
        return condition
    on = "cuda" if dist.get_backend() == "nccl" else "cpu"
    flag = torch.tensor(float(condition), device=on)
    dist.all_reduce(flag, dist.ReduceOp.MAX)
    return bool(flag)


def gather_rows(values: Tensor) -> Tensor:
    """Rows (N, ...) of all processes, (processes x N, ...), with gradients that reach them all.

    This process's rows come first, then those of the next, and so on in a circle. All processes
    must have the same shape, and call it together, backward too.
    """
    if not dist.is_initialized():
        return values
    return _Gather.apply(values)


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
        # Every process has gradients for the rows of all: each needs the sum of those for its own.
        rank, processes = dist.get_rank(), dist.get_world_size()
        parts = upstream.chunk(processes)
        total = torch.stack(parts[processes - rank :] + parts[: processes - rank])
        dist.all_reduce(total)
        return total[rank]


def gathered_info_nce_loss(
    queries: Tensor,
    keys: Tensor,
    temperature: Tensor | float,
    *,
    symmetric: bool = True,
    groups: Tensor | None = None,
    tile: int | None = None,
) -> Tensor:
    """`info_nce_loss` of this process's N rows among those of all processes.

    The mean over the processes, which is what DistributedDataParallel takes of the gradient, is
    the loss of the whole batch in one process, and so are all its gradients: encoder, temperature.
    Arguments as for `simmim_lite.contrastive.info_nce_loss`; keys have N rows here.
    """
    if not dist.is_initialized():
        return info_nce_loss(
            queries, keys, temperature, symmetric=symmetric, groups=groups, tile=tile
        )
    if groups is not None:
        groups = gather_rows(torch.as_tensor(groups, device=queries.device))
    options = {"symmetric": False, "groups": groups, "tile": tile}
    loss = info_nce_loss(queries, gather_rows(keys), temperature, **options)
    if not symmetric:
        return loss
    return (loss + info_nce_loss(keys, gather_rows(queries), temperature, **options)) / 2


class ContrastiveLoss(nn.Module):
    """InfoNCE of pairs (queries, keys) in the whole batch of all processes, for `fit`.

    Args:
        temperature: where it begins; the embeddings are normalized.
        learned: train it (its logarithm, never below 0.01, as Radford et al. 2021, arXiv
            2103.00020, section 2.5).
        symmetric, tile: as in `simmim_lite.contrastive.info_nce_loss`.
    """

    def __init__(
        self,
        temperature: float = 0.07,
        *,
        learned: bool = True,
        symmetric: bool = True,
        tile: int | None = None,
    ):
        super().__init__()
        start = math.log(check_number("temperature", temperature, minimum=0.01))
        self.log_temperature = nn.Parameter(torch.tensor(start), requires_grad=learned)
        self.symmetric, self.tile = symmetric, tile

    def forward(
        self, outputs: tuple[Tensor, Tensor] | dict[str, Tensor], batch: object = None
    ) -> dict[str, Tensor]:
        """Two embeddings (N, dim), a pair a row: "loss", "nats" and "temperature".

        nats = log(rows of all processes) - loss, the bound on what the two share.
        """
        queries, keys = outputs.values() if isinstance(outputs, dict) else outputs
        with torch.no_grad():
            self.log_temperature.clamp_(min=math.log(0.01))
        temperature = self.log_temperature.exp()
        loss = gathered_info_nce_loss(
            F.normalize(queries, dim=1),
            F.normalize(keys, dim=1),
            temperature,
            symmetric=self.symmetric,
            tile=self.tile,
        )
        candidates = len(queries) * (dist.get_world_size() if dist.is_initialized() else 1)
        return {"loss": loss, "nats": math.log(candidates) - loss, "temperature": temperature}
