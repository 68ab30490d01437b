"""The exact gradient of one batch: in one pass, or with the encoder in chunks.

A contrastive loss needs all embeddings of a batch together, but not all activations of the encoder.
Gradient caching (Gao et al. 2021, arXiv 2101.06983) therefore works in three steps: embed the batch
in chunks without a graph; compute the loss of all embeddings and its gradient by the embeddings;
embed each chunk again with a graph, and propagate its part of that gradient. The encoder needs the
memory of one chunk, and the result is the gradient of the whole batch, for one more forward pass.
Both passes use the same random numbers, which are seeded by the number of the chunk.

BatchNorm is an exception, because it normalizes by the statistics of its input, a chunk. The
gradient is then exact for a network that normalizes each chunk on its own: a different network.
"""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from simmim_lite.training._batches import Tree, leaves, map_tree, part_of, rows_of
from simmim_lite.training._processes import this_process

Loss = Callable[[Any, Any], Tensor | Mapping[str, Tensor]]
Scale = Callable[[Tensor], Tensor]
Seed = Callable[[int], None]


class OutOfTimeError(Exception):
    """The time limit was reached within a step."""


def check_time(deadline: float) -> None:
    """Raise OutOfTimeError after ``deadline`` of `time.perf_counter`, in a single process.

    Several processes would stop in different places, and wait for each other.
    """
    if time.perf_counter() > deadline and this_process()[1] == 1:
        raise OutOfTimeError


class System(nn.Module):
    """Model and loss as one module with all parameters, for the optimizer and for DDP."""

    def __init__(self, model: nn.Module, loss: Loss):
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, batch: Tree, *, embed_only: bool = False) -> Any:
        outputs = self.model(batch)
        if not embed_only:
            return self.terms(outputs, batch)
        # DDP waits for a gradient of every parameter: 0 for the loss, which had its gradient.
        of_loss = self.loss.parameters() if isinstance(self.loss, nn.Module) else ()
        return outputs, [p.sum() * 0 for p in of_loss if p.requires_grad]

    def terms(self, outputs: Tree, batch: Tree) -> dict[str, Tensor]:
        """Return the result of the loss as a dict of scalars with "loss" among them."""
        value = self.loss(outputs, batch)
        terms = dict(value) if isinstance(value, Mapping) else {"loss": value}
        if "loss" not in terms:
            raise ValueError(f'loss: expected a dict with "loss" in it, got {sorted(terms)}')
        loss = terms["loss"]
        if not isinstance(loss, Tensor) or not loss.requires_grad:
            raise ValueError("loss: expected a loss that depends on parameters, got a constant")
        for name, term in terms.items():
            terms[name] = term = torch.as_tensor(term, device=loss.device)
            if term.numel() != 1:
                raise ValueError(f"loss: expected one number, got {name} {tuple(term.shape)}")
        return terms


class Gradients:
    """Adds the gradient of a batch to the gradients of the parameters.

    ``autocast`` is the context of all forward passes. ``scale`` multiplies the loss, for the
    gradients of float16. A pass has at most ``chunk`` rows; None takes the batch at once.
    """

    def __init__(self, system: System, autocast: torch.autocast, scale: Scale, chunk: int | None):
        self.system, self.autocast, self.scale, self.chunk = system, autocast, scale, chunk
        self.parallel = system if this_process()[1] == 1 else DistributedDataParallel(system)

    def add(
        self, batch: Tree, *, share: float, seed: Seed, last: bool, deadline: float = math.inf
    ) -> dict[str, Tensor]:
        """Add the gradient of ``share`` times the loss; return the terms of the loss, detached.

        ``seed(j)`` seeds the random numbers of chunk j. With ``last``, the processes exchange all
        gradients that were added since the last exchange. After ``deadline``, OutOfTimeError.
        """
        rows = rows_of(batch)
        size = rows if self.chunk is None else min(rows, self.chunk)
        parts = [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
        if len(parts) == 1:
            with self._exchange(last):
                seed(0)
                with self.autocast:
                    terms = self.parallel(batch)
                self.scale(terms["loss"] * share).backward()
            return {name: term.detach() for name, term in terms.items()}

        chunks = [part_of(batch, part, rows) for part in parts]
        buffers = [(buffer, buffer.clone()) for buffer in self.system.model.buffers()]
        embedded = []
        for j, chunk in enumerate(chunks):
            check_time(deadline)
            seed(j)
            with torch.no_grad(), self.autocast:
                embedded.append(self.system.model(chunk))
        for buffer, before in buffers:  # running statistics count the batch once
            buffer.copy_(before)
        outputs = _joined(embedded, parts)
        seed(len(parts))
        with self.autocast:
            terms = self.system.terms(outputs, batch)
        self.scale(terms["loss"] * share).backward()
        upstream = [leaf.grad for leaf in leaves(outputs)]
        for j, (part, chunk) in enumerate(zip(parts, chunks, strict=True)):
            check_time(deadline)
            with self._exchange(last and j == len(parts) - 1):
                seed(j)
                with self.autocast:
                    replayed, zeros = self.parallel(chunk, embed_only=True)
                pairs = [
                    (leaf, gradient[part])
                    for leaf, gradient in zip(leaves(replayed), upstream, strict=True)
                    if gradient is not None and leaf.requires_grad
                ]
                tensors, gradients = zip(*pairs, *((zero, None) for zero in zeros), strict=True)
                torch.autograd.backward(tensors, gradients)
        return {name: term.detach() for name, term in terms.items()}

    def _exchange(self, now: bool) -> AbstractContextManager:
        if isinstance(self.parallel, DistributedDataParallel) and not now:
            return self.parallel.no_sync()
        return nullcontext()


def _joined(embedded: list[Tree], parts: list[slice]) -> Tree:
    """The outputs of all chunks as outputs of one batch: the leaves of a new graph."""
    joined = []
    for column in zip(*map(leaves, embedded), strict=True):
        for leaf, part in zip(column, parts, strict=True):
            if not isinstance(leaf, Tensor) or leaf.shape[:1] != (part.stop - part.start,):
                got = tuple(leaf.shape) if isinstance(leaf, Tensor) else leaf
                expected = "outputs with one row for each sample"
                raise ValueError(f"chunk: expected {expected}, got {got!r:.200}")
        whole = torch.cat(column)
        joined.append(whole.requires_grad_(whole.is_floating_point()))
    values = iter(joined)
    return map_tree(lambda _: next(values), embedded[0])
