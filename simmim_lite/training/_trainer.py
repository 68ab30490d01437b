"""The exact gradient of a batch, one step of training, and the state that the next step depends on.

A contrastive loss needs all embeddings of a batch together, but not all activations of the encoder.
Gradient caching (Gao et al. 2021, arXiv 2101.06983) embeds the batch in chunks without a graph,
computes the gradient of the loss by the embeddings, and embeds each chunk again with a graph, with
the same random numbers. The result is the gradient of the whole batch, but for BatchNorm, which
normalizes by the statistics of a chunk.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from simmim_lite._arguments import check_choice, check_integer, check_number
from simmim_lite._random import seed_device
from simmim_lite._torch_state import cpu_by_default
from simmim_lite.training._batches import Data, Stream, Tree, leaves, map_tree, part_of, rows_of
from simmim_lite.training._optimizers import Muon
from simmim_lite.training._processes import this_process

Loss = Callable[[Any, Any], Tensor | Mapping[str, Tensor]]
Scale = Callable[[Tensor], Tensor]
Seed = Callable[[int], None]


class OutOfTimeError(Exception):
    """The time limit was reached within a step."""


@contextmanager
def checking_time(deadline: float, system: nn.Module) -> Iterator[None]:
    """A context that checks the time before each pass of a module, and after each gradient.

    OutOfTimeError comes after ``deadline`` of `time.perf_counter`. Several processes have no check:
    they would stop in different places, and wait for each other.
    """

    def check(*_: Any) -> None:
        if not torch.compiler.is_compiling() and time.perf_counter() > deadline:
            raise OutOfTimeError

    limited = deadline < math.inf and this_process()[1] == 1
    modules = [m for m in system.modules() if limited and not isinstance(m, torch.jit.ScriptModule)]
    hooks = [module.register_forward_pre_hook(check) for module in modules]
    learned = [p for p in system.parameters() if limited and p.requires_grad and p.ndim > 1]
    hooks += [p.register_post_accumulate_grad_hook(check) for p in learned]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


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

    def add(self, batch: Tree, seed: Seed) -> dict[str, Tensor]:
        """Add the gradient of the loss, in all processes; return the terms of the loss, detached.

        ``seed(j)`` seeds the random numbers of chunk j.
        """
        rows = rows_of(batch)
        size = rows if self.chunk is None else min(rows, self.chunk)
        parts = [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
        if len(parts) == 1:
            seed(0)
            with self.autocast:
                terms = self.parallel(batch)
            self.scale(terms["loss"]).backward()
            return {name: term.detach() for name, term in terms.items()}

        chunks = [part_of(batch, part, rows) for part in parts]
        buffers = [(buffer, buffer.clone()) for buffer in self.system.model.buffers()]
        embedded = []
        for j, chunk in enumerate(chunks):
            seed(j)
            with torch.no_grad(), self.autocast:
                embedded.append(self.system.model(chunk))
        for buffer, before in buffers:  # running statistics count the batch once
            buffer.copy_(before)
        outputs = _joined(embedded, parts)
        seed(len(parts))
        with self.autocast:
            terms = self.system.terms(outputs, batch)
        self.scale(terms["loss"]).backward()
        upstream = [leaf.grad for leaf in leaves(outputs)]
        for j, (part, chunk) in enumerate(zip(parts, chunks, strict=True)):
            with self._exchange(j == len(parts) - 1):
                seed(j)
                with self.autocast:
                    replayed, zeros = self.parallel(chunk, embed_only=True)
                pairs = [(zero, None) for zero in zeros]
                for leaf, gradient in zip(leaves(replayed), upstream, strict=True):
                    if gradient is not None and leaf.requires_grad:
                        pairs.append((leaf, gradient[part]))
                tensors, gradients = zip(*pairs, strict=True)
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


MakeOptimizer = Callable[[list[dict]], Optimizer]

_OPTIMIZERS: dict[str, MakeOptimizer] = {"adam": Adam, "adamw": AdamW, "rmsprop": RMSprop}
_OPTIMIZERS |= {"sgd": partial(SGD, momentum=0.9), "muon": Muon}
_AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16, None: None}


@dataclass(frozen=True)
class Plan:
    """The settings of a run that change its weights; `simmim_lite.training.fit` explains them."""

    optimizer: str | MakeOptimizer
    learning_rate: float
    weight_decay: float
    schedule: str
    warmup: int
    clip_norm: float | None
    chunk: int | None
    autocast: str | None
    seed: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, np.generic):  # checkpoints hold numbers of Python only
                object.__setattr__(self, name, value.item())
        if not callable(self.optimizer):
            check_choice("optimizer", self.optimizer, _OPTIMIZERS)
        check_number("learning_rate", self.learning_rate, minimum=0)
        check_number("weight_decay", self.weight_decay, minimum=0)
        check_choice("schedule", self.schedule, ("constant", "cosine", "one_cycle"))
        if self.clip_norm is not None:
            check_number("clip_norm", self.clip_norm, minimum=0)
        if self.chunk is not None:
            check_integer("chunk", self.chunk, minimum=1)
        check_choice("autocast", self.autocast, ("auto", *_AUTOCAST))
        check_integer("seed", self.seed, minimum=0)


class Trainer:
    """Takes the steps of `simmim_lite.training.fit`.

    All random numbers of a step are seeded by ``plan.seed`` and the numbers of step, chunk and
    process. So no state of a random generator is saved: a step does the same whether this
    process took the steps before it, or a process that was killed.
    """

    overtime = 1.5  # seconds that a step may take beyond the time limit

    def __init__(self, system: System, batches: Data, plan: Plan, steps: int, device: torch.device):
        self.system, self.batches, self.plan = system.to(device), batches, plan
        self.steps, self.device = steps, device
        self.process, self.processes = this_process()
        self.learned = [p for p in system.parameters() if p.requires_grad]
        if not self.learned:
            raise ValueError("model: expected parameters to learn, got none")
        if any(p.is_inference() for p in self.learned):
            got = "parameters that were made within torch.inference_mode"
            raise ValueError(f"model: expected parameters that can learn, got {got}")
        self.optimizer = _make_optimizer(plan, self.learned)
        self.schedule = _make_schedule(plan, self.optimizer, steps)
        precision = _precision(plan.autocast, device)
        autocast = torch.autocast(device.type, precision, enabled=precision is not None)
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision is torch.float16)
        self.gradients = Gradients(system, autocast, self.scaler.scale, plan.chunk)
        self.stream = Stream(batches, device, plan.seed)

    def step(self, step: int, deadline: float = math.inf) -> tuple[dict[str, float], int]:
        """Update the weights by batch number ``step``; return the values to record, and samples.

        The step is broken off when the overtime after ``deadline`` of `time.perf_counter` ends, but
        not in its first second: OutOfTimeError leaves weights and buffers as they were.
        """
        least = time.perf_counter() + 1
        limited = self.system.buffers() if deadline < math.inf else ()
        buffers = [(buffer, buffer.clone()) for buffer in limited]
        self.optimizer.zero_grad()
        where = f"step {step}, epoch {step // len(self.batches)}"
        try:
            batch = self.stream[step]
            with checking_time(max(deadline + self.overtime, least), self.system):
                terms = self.gradients.add(batch, partial(self._seed, step))
        except OutOfTimeError:
            for buffer, before in buffers:
                buffer.copy_(before)
            raise
        except Exception as error:
            error.add_note(f"in {where}")
            raise
        values = self._means(terms)
        if not math.isfinite(values["loss"]):
            raise FloatingPointError(f"loss: {values['loss']} in {where}")
        values["learning_rate"] = self.optimizer.param_groups[0]["lr"]

        self.scaler.unscale_(self.optimizer)
        norm = get_total_norm([p.grad for p in self.learned if p.grad is not None])
        if norm.isfinite():
            values["gradient_norm"] = norm.item()
        elif not self.scaler.is_enabled():  # a scaler skips the step and lowers its scale
            raise FloatingPointError(f"gradient: norm {norm.item()} in {where}")
        if self.plan.clip_norm is not None:
            clip_grads_with_norm_(self.learned, self.plan.clip_norm, norm)
        scale = self.scaler.get_scale()
        with cpu_by_default():  # some optimizers name no device for their state
            self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.scaler.get_scale() >= scale:  # else the scaler skipped the step
            self.schedule.step()
        return values, rows_of(batch) * self.processes

    def state(self) -> dict[str, Any]:
        """Return everything that the next step depends on, except its number."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def restore(self, state: dict[str, Any]) -> None:
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        # Checkpoints hold contiguous tensors; the parameters may be channels_last.
        for parameter, values in self.optimizer.state.items():
            for name, value in values.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape != ():
                    values[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)

    def _parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("system", "optimizer", "schedule", "scaler")}

    def _seed(self, i: int, chunk: int) -> None:
        purpose = f"forward of batch {i}, chunk {chunk}, process {self.process}"
        seed_device(self.device, self.plan.seed, purpose)

    def _means(self, terms: dict[str, Tensor]) -> dict[str, float]:
        """Means of the terms of the loss over the processes."""
        values = torch.stack([term.reshape(()) for term in terms.values()])
        if self.processes > 1:
            dist.all_reduce(values)
            values /= self.processes
        return dict(zip(terms, values.tolist(), strict=True))


def _make_optimizer(plan: Plan, learned: list[nn.Parameter]) -> Optimizer:
    """An optimizer that decays matrices and kernels only.

    Weight decay of biases, gains or a temperature regularizes nothing.
    """
    groups = [
        {"params": [p for p in learned if p.ndim >= 2], "weight_decay": plan.weight_decay},
        {"params": [p for p in learned if p.ndim < 2], "weight_decay": 0.0},
    ]
    make = plan.optimizer if callable(plan.optimizer) else _OPTIMIZERS[plan.optimizer]
    return make([group | {"lr": plan.learning_rate} for group in groups if group["params"]])


def _make_schedule(plan: Plan, optimizer: Optimizer, steps: int) -> LRScheduler:
    warmup = check_integer("warmup", plan.warmup, minimum=0, maximum=steps)
    if plan.schedule == "one_cycle":
        # torch divides by the length of each half, which must be at least one step.
        rising = min(max(warmup, 2), steps - 1) / steps if warmup and steps > 2 else 0.3
        rates = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(optimizer, rates, steps, pct_start=rising, cycle_momentum=False)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        if plan.schedule == "constant":
            return 1.0
        return (1 + math.cos(math.pi * min(1.0, (step - warmup) / (steps - warmup or 1)))) / 2

    return LambdaLR(optimizer, factor)


def _precision(autocast: str | None, device: torch.device) -> torch.dtype | None:
    if autocast != "auto":
        return _AUTOCAST[autocast]
    if device.type != "cuda":
        return None  # few CPUs are faster in half precision, and most are far slower
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float16
