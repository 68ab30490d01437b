"""One step of training, and the state that the next depends on."""

import functools
import math
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.utils.data import DataLoader

from simmim_lite._arguments import check_choice
from simmim_lite._random import seed_device
from simmim_lite.training._batches import Batches, Stream, leaves
from simmim_lite.training._gradients import Gradients, Loss, System
from simmim_lite.training._optimizers import MakeOptimizer, make_optimizer, make_schedule

_AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16, None: None}


class Trainer:
    """Takes the steps of `fit`; arguments as there.

    All that is random in a step is seeded by ``seed``, the numbers of step, batch, chunk and
    process. So there are no states of random generators to be kept: a step does the same whether
    those before it were taken by this process or by one that was killed.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        batches: Batches | DataLoader,
        *,
        steps: int,
        optimizer: str | MakeOptimizer,
        learning_rate: float,
        weight_decay: float,
        schedule: str,
        warmup: int,
        clip_norm: float | None,
        accumulate: int,
        chunk: int | None,
        device: torch.device,
        autocast: str | None,
        seed: int,
        process: int,
        processes: int,
    ):
        self.accumulate, self.clip_norm, self.seed = accumulate, clip_norm, seed
        self.device, self.process, self.processes = device, process, processes
        self.in_epoch = len(batches)
        self.steps_of_epoch = self.in_epoch // accumulate
        self.system = System(model, loss).to(device)
        self.learned = [p for p in self.system.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(
            optimizer, self.learned, learning_rate=learning_rate, weight_decay=weight_decay
        )
        self.schedule = make_schedule(schedule, self.optimizer, steps=steps, warmup=warmup)
        precision = _precision(autocast, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision is torch.float16)
        self.gradients = Gradients(
            self.system,
            self.system if processes == 1 else DistributedDataParallel(self.system),
            autocast=functools.partial(
                torch.autocast, device.type, precision, enabled=precision is not None
            ),
            scale=self.scaler.scale,
            chunk=chunk,
        )
        self.stream = Stream(batches, device, seed=seed, process=process, processes=processes)

    def step(self, step: int) -> tuple[dict[str, float], int]:
        """Update the weights; the values of the step, means over its batches, and its samples.

        Raises FloatingPointError, the weights as they were, if loss or gradient is not finite.
        """
        self.optimizer.zero_grad()
        epoch, within = divmod(step, self.steps_of_epoch)
        first = epoch * self.in_epoch + within * self.accumulate
        numbers = range(first, first + self.accumulate)
        terms, samples = [], 0
        for i in numbers:
            try:
                batch = self.stream[i]
                seed = functools.partial(self._seed, i)
                last = i == numbers[-1]
                terms.append(
                    self.gradients.add(batch, share=1 / self.accumulate, seed=seed, last=last)
                )
            except Exception as error:
                error.add_note(f"in step {step}, epoch {epoch}, batch {i}")
                raise
            samples += len(leaves(batch)[0]) * self.processes
        values = {name: column.tolist() for name, column in self._columns(terms).items()}
        for i, value in zip(numbers, values["loss"], strict=True):
            if not math.isfinite(value):
                raise FloatingPointError(f"loss: {value} in step {step}, epoch {epoch}, batch {i}")
        means = {name: sum(column) / len(column) for name, column in values.items()}
        means["learning_rate"] = self.optimizer.param_groups[0]["lr"]

        self.scaler.unscale_(self.optimizer)
        gradients = [p.grad for p in self.learned if p.grad is not None]
        norm = get_total_norm(gradients)
        if norm.isfinite():
            means["gradient_norm"] = norm.item()
        elif not self.scaler.is_enabled():  # that one skips the step and scales less
            batch = ", ".join(map(str, numbers))
            raise FloatingPointError(
                f"gradient: norm {norm.item()} in step {step}, epoch {epoch}, batch {batch}"
            )
        if self.clip_norm is not None:
            clip_grads_with_norm_(self.learned, self.clip_norm, norm)
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.scaler.get_scale() >= scale:  # else the step was skipped
            self.schedule.step()
        return means, samples

    def state(self) -> dict[str, Any]:
        """All that the next step depends on but its number, as tensors, numbers and text."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        # Like the parameters, which may be channels_last; a checkpoint has them contiguous.
        for parameter, values in self.optimizer.state.items():
            for name, value in values.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape != ():
                    values[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)

    def _parts(self) -> dict[str, Any]:
        return {
            "system": self.system,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "scaler": self.scaler,
        }

    def _seed(self, i: int, chunk: int) -> None:
        purpose = f"forward of batch {i}, chunk {chunk}, process {self.process}"
        seed_device(self.device, self.seed, purpose)

    def _columns(self, terms: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Each term of the loss for all batches of the step, means over the processes."""
        names = list(terms[0])
        table = torch.stack([term[name].reshape(()) for name in names for term in terms])
        if self.processes > 1:
            dist.all_reduce(table)
            table /= self.processes
        return dict(zip(names, table.reshape(len(names), -1), strict=True))


def _precision(autocast: str | None, device: torch.device) -> torch.dtype | None:
    check_choice("autocast", autocast, ("auto", *_AUTOCAST))
    if autocast != "auto":
        return _AUTOCAST[autocast]
    if device.type != "cuda":
        return None  # few CPUs are faster in half precision, and most are far slower
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float16
