"""Optimizers and schedules of the learning rate, by name."""

import math
from collections.abc import Callable, Iterable

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from simmim_lite._arguments import check_choice, check_integer, check_number

MakeOptimizer = Callable[[list[dict]], Optimizer]

_OPTIMIZERS = {"adam": Adam, "adamw": AdamW, "rmsprop": RMSprop, "sgd": SGD}
_SCHEDULES = ("constant", "cosine", "one_cycle")


def make_optimizer(
    optimizer: str | MakeOptimizer,
    parameters: Iterable[nn.Parameter],
    *,
    learning_rate: float,
    weight_decay: float = 0.0,
) -> Optimizer:
    """An optimizer of two groups of parameters: only matrices (and kernels) decay.

    To pull biases, gains and a temperature to zero is no regularization.

    Args:
        optimizer: "adam", "adamw", "rmsprop", "sgd" (momentum 0.9), or a function of the groups.
    """
    learning_rate = check_number("learning_rate", learning_rate, minimum=0)
    weight_decay = check_number("weight_decay", weight_decay, minimum=0)
    learned = [p for p in parameters if p.requires_grad]
    if not learned:
        raise ValueError("model: expected parameters to learn, got none")
    groups = [
        {"params": [p for p in learned if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in learned if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group | {"lr": learning_rate} for group in groups if group["params"]]
    if callable(optimizer):
        return optimizer(groups)
    check_choice("optimizer", optimizer, _OPTIMIZERS)
    options = {"momentum": 0.9} if optimizer == "sgd" else {}
    return _OPTIMIZERS[optimizer](groups, **options)


def make_schedule(
    schedule: str, optimizer: Optimizer, *, steps: int, warmup: int = 0
) -> LRScheduler:
    """The learning rate over ``steps`` steps, as a factor of that of the optimizer.

    - "constant", after ``warmup`` steps in which it grows in proportion to the step;
    - "cosine", the same, then half a period of a cosine down to 0 (Loshchilov & Hutter 2017,
      arXiv 1608.03983, without restarts);
    - "one_cycle": up from 1/25 in ``warmup`` steps, or 30 % of all if that is 0, then down to
      almost nothing (Smith & Topin 2019, arXiv 1708.07120; momentum stays).
    """
    check_choice("schedule", schedule, _SCHEDULES)
    steps = check_integer("steps", steps, minimum=1)
    warmup = check_integer("warmup", warmup, minimum=0, maximum=steps)
    if schedule == "one_cycle":
        # torch divides by the length of each half, which has to be a step at least.
        rising = min(max(warmup, 2), steps - 1) / steps if warmup and steps > 2 else 0.3
        return OneCycleLR(
            optimizer,
            [group["lr"] for group in optimizer.param_groups],
            total_steps=steps,
            pct_start=rising,
            cycle_momentum=False,
        )

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        if schedule == "constant":
            return 1.0
        return (1 + math.cos(math.pi * min(1.0, (step - warmup) / (steps - warmup or 1)))) / 2

    return LambdaLR(optimizer, factor)
