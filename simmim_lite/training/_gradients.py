"""The gradient of one batch: at once, or with the encoder in chunks and nothing lost.

A contrastive loss needs all embeddings of a batch together, but not all that the encoder computed
on the way to them. So (gradient caching: Gao et al. 2021, arXiv 2101.06983): embed the batch in
chunks without keeping anything; take the loss of all embeddings, and its gradient by them; embed
each chunk again, now for the gradient, and hand it its part. The encoder needs the memory of one
chunk, and the result is that of the whole batch, for one more forward pass. Random numbers are the
same both times, as they are seeded by the number of the chunk.

BatchNorm is the exception: it normalizes by what it sees, which is a chunk. The gradient is then
exact for a network that normalizes each chunk on its own, which is another network.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from simmim_lite.training._batches import Tree, leaves, map_tree

Loss = Callable[[Any, Any], Tensor | Mapping[str, Tensor]]


class System(nn.Module):
    """Model and loss as one module: all that is learned, for the optimizer and for DDP."""

    def __init__(self, model: nn.Module, loss: Loss):
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, batch: Tree, *, embed_only: bool = False) -> Any:
        outputs = self.model(batch)
        if not embed_only:
            return self.terms(outputs, batch)
        # DDP waits for a gradient of every parameter: those of the loss, which had theirs, get 0.
        of_loss = self.loss.parameters() if isinstance(self.loss, nn.Module) else ()
        return outputs, [p.sum() * 0 for p in of_loss if p.requires_grad]

    def terms(self, outputs: Tree, batch: Tree) -> dict[str, Tensor]:
        """What the loss returns, as a dict of scalars with "loss" among them."""
        value = self.loss(outputs, batch)
        terms = dict(value) if isinstance(value, Mapping) else {"loss": value}
        if "loss" not in terms:
            raise ValueError(f'loss: expected a dict with "loss" in it, got {sorted(terms)}')
        loss = terms["loss"]
        if not isinstance(loss, Tensor) or not loss.requires_grad:
            raise ValueError("loss: expected one that depends on what is learned, got a constant")
        for name, term in terms.items():
            terms[name] = term = torch.as_tensor(term, device=loss.device)
            if term.numel() != 1:
                raise ValueError(f"loss: expected one number, got {name} {tuple(term.shape)}")
        return terms


class Gradients:
    """Adds the gradient of a batch to that of the parameters.

    Args:
        system: model and loss.
        parallel: the same, wrapped by DistributedDataParallel where there are several processes.
        autocast: makes the context in which all forward passes run.
        scale: of the loss, for the gradients of float16.
        chunk: rows of a pass through the model; None takes the batch at once.
    """

    def __init__(
        self,
        system: System,
        parallel: nn.Module,
        *,
        autocast: Callable[[], Any],
        scale: Callable[[Tensor], Tensor],
        chunk: int | None,
    ):
        self.system, self.parallel, self.chunk = system, parallel, chunk
        self.autocast, self.scale = autocast, scale

    def add(
        self, batch: Tree, *, share: float, seed: Callable[[int], None], last: bool
    ) -> dict[str, Tensor]:
        """The terms of the loss, detached, after their gradient was added.

        Args:
            share: of the gradient in that of the step.
            seed: ``seed(j)`` seeds the random numbers of chunk j.
            last: processes exchange gradients now, all they added since the last time.
        """
        rows = len(leaves(batch)[0])
        if self.chunk is None or self.chunk >= rows:
            with self._exchange(last):
                seed(0)
                with self.autocast():
                    terms = self.parallel(batch)
                self.scale(terms["loss"] * share).backward()
        else:
            terms = self._in_chunks(batch, rows, share, seed, last)
        return {name: term.detach() for name, term in terms.items()}

    def _in_chunks(self, batch, rows, share, seed, last):
        lengths = [len(leaf) for leaf in leaves(batch)]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"chunk: expected a batch with as many rows in each part, got {lengths}"
            )
        parts = [slice(start, start + self.chunk) for start in range(0, rows, self.chunk)]
        chunks = [map_tree(lambda leaf, part=part: leaf[part], batch) for part in parts]
        buffers = [(buffer, buffer.clone()) for buffer in self.system.model.buffers()]
        embedded = []
        for j, chunk in enumerate(chunks):
            seed(j)
            with torch.no_grad(), self.autocast():
                embedded.append(self.system.model(chunk))
        for buffer, before in buffers:  # running statistics are to see the batch once
            buffer.copy_(before)
        outputs = _joined(embedded, parts, rows)
        seed(len(parts))
        with self.autocast():
            terms = self.system.terms(outputs, batch)
        self.scale(terms["loss"] * share).backward()
        upstream = [leaf.grad for leaf in leaves(outputs)]
        for j, (part, chunk) in enumerate(zip(parts, chunks, strict=True)):
            with self._exchange(last and j == len(parts) - 1):
                seed(j)
                with self.autocast():
                    replayed, zeros = self.parallel(chunk, embed_only=True)
                pairs = [
                    (leaf, grad[part])
                    for leaf, grad in zip(leaves(replayed), upstream, strict=True)
                    if grad is not None and leaf.requires_grad
                ]
                pairs += [(zero, None) for zero in zeros]
                torch.autograd.backward(*map(list, zip(*pairs, strict=True)))
        return terms

    def _exchange(self, now: bool):
        if now or self.parallel is self.system:
            return nullcontext()
        return self.parallel.no_sync()


def _joined(embedded: list[Tree], parts: list[slice], rows: int) -> Tree:
    """The outputs of all chunks as those of one batch, as the leaves of a new graph."""
    columns = zip(*(leaves(tree) for tree in embedded), strict=True)
    joined = []
    for column in columns:
        for leaf, part in zip(column, parts, strict=True):
            wanted = min(part.stop, rows) - part.start
            if not isinstance(leaf, Tensor) or leaf.ndim == 0 or len(leaf) != wanted:
                got = tuple(leaf.shape) if isinstance(leaf, Tensor) else leaf
                raise ValueError(f"chunk: expected outputs with a row a sample, got {got!r:.200}")
        whole = torch.cat(column)
        joined.append(whole.requires_grad_(whole.is_floating_point()))
    values = iter(joined)
    return map_tree(lambda _: next(values), embedded[0])
