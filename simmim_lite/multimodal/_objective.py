"""The training loss: bounds on the mutual information of pairs of embeddings."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from simmim_lite import bounds
from simmim_lite.contrastive import LearnedTemperature
from simmim_lite.encoders._base import ByName
from simmim_lite.training import gather_rows, gathered_info_nce_loss
from simmim_lite.training._processes import this_process

Objective = str | Callable[[Tensor], Tensor]


class Critic(nn.Module):
    """Score of two unit vectors: cosine / temperature, with initial value ``temperature``.

    ``with_offset`` adds a `LearnedOffset`, for bounds whose best critic is the log-ratio itself.
    """

    def __init__(self, temperature: float = 0.07, *, with_offset: bool = False):
        super().__init__()
        self.temperature = LearnedTemperature(temperature)
        self.offset = LearnedOffset() if with_offset else None

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """(N, dim) and (M, dim) -> scores (N, M)."""
        if first.ndim != 2 or second.ndim != 2:
            got = f"{tuple(first.shape)} and {tuple(second.shape)}"
            raise ValueError(f"first, second: expected shapes (N, dim) and (M, dim), got {got}")
        scores = first @ second.T / self.temperature()
        return scores if self.offset is None else self.offset(scores)


class LearnedOffset(nn.Module):
    """Scores (K, K) plus a learned constant.

    The first training batch sets the constant so that the mean of e^score over the negatives is 1,
    as that of e^log-ratio is. From 0, NWJ has terms like e^20, and embeddings do not recover.
    """

    begun: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(0.0))
        self.register_buffer("begun", torch.tensor(False))

    def forward(self, scores: Tensor) -> Tensor:
        if self.training and not self.begun:
            with torch.no_grad():
                self.value.copy_(bounds.donsker_varadhan(scores) - scores.diagonal().mean())
                self.begun.fill_(True)
        return scores + self.value


class InformationObjective(nn.Module):
    """Training loss: the negative sum, over pairs, of a lower bound on their mutual information.

    Args:
        pairs: pairs of names of embeddings, of which each has a `Critic`.
        objective: a name in `simmim_lite.bounds.BOUNDS`, or a function of a matrix of scores
            (K, K), positives on the diagonal, that returns nats.
        temperature: initial value for each critic.

    Attributes:
        pairs: the pairs by name: "a-b", or "'a'-'b'" where another pair would have the same name.
    """

    def __init__(
        self, pairs: Sequence[tuple], objective: Objective = "info_nce", temperature: float = 0.07
    ):
        super().__init__()
        self.objective = objective
        if callable(objective):
            self._bound, needs_offset = objective, True
        elif objective in bounds.BOUNDS:
            entry = bounds.BOUNDS[objective]
            self._bound, needs_offset = entry.objective or entry.function, entry.needs_offset
        else:
            expected = f"one of {', '.join(bounds.BOUNDS)} or a function of scores"
            reason = "a critic cannot maximize an upper bound or a bound of a likelihood"
            raise ValueError(f"objective: expected {expected}, got {objective!r} ({reason})")
        plain = [f"{a}-{b}" for a, b in pairs]
        quoted = (f"{a!r}-{b!r}" for a, b in pairs)
        names = [p if plain.count(p) == 1 else q for p, q in zip(plain, quoted, strict=True)]
        self.pairs = dict(zip(names, pairs, strict=True))
        if len(self.pairs) < len(pairs):
            raise ValueError(f"pairs: expected different pairs, got {list(pairs)}")
        critics = {name: Critic(temperature, with_offset=needs_offset) for name in self.pairs}
        if objective == "mine":  # an average over batches, which its gradient divides by
            for critic in critics.values():
                critic.register_buffer("log_mean", torch.tensor(math.nan))
        self.critics = ByName(critics, "pairs")

    def extra_repr(self) -> str:
        return f"objective {getattr(self.objective, '__qualname__', self.objective)}"

    def critic(self, name: str) -> Critic:
        """Critic of a pair ("a-b")."""
        critic = self.critics[name]
        assert isinstance(critic, Critic)
        return critic

    def forward(self, outputs: Mapping[str, Tensor], batch: object = None) -> dict[str, Tensor]:
        """Unit vectors (K, dim) by name, positives in the same row -> "loss", and nats by pair."""
        pairs = self.pairs.items()
        nats = {name: self._nats(name, outputs[a], outputs[b]) for name, (a, b) in pairs}
        return {"loss": -reduce(torch.add, nats.values())} | nats

    def _nats(self, name: str, first: Tensor, second: Tensor) -> Tensor:
        critic = self.critic(name)
        if self.objective == "info_nce":  # in tiles, without the matrix of scores
            loss = gathered_info_nce_loss(first, second, critic.temperature())
            return math.log(len(first) * this_process()[1]) - loss
        scores = critic(gather_rows(first), gather_rows(second))
        return self._mine(name, scores) if self.objective == "mine" else self._bound(scores)

    def _mine(self, name: str, scores: Tensor) -> Tensor:
        kept = self.critic(name).get_buffer("log_mean")
        log_mean = bounds.moving_log_mean(scores, None if kept.isnan() else kept, momentum=0.9)
        if self.training:
            kept.copy_(log_mean)
        return bounds.mine(scores, log_mean)


def minus_log(nats: Tensor) -> Tensor:
    """-log I, a loss that some articles propose; shown here, not recommended for training.

    Its gradient is that of -I divided by I. Estimates are often below 0 at first, where the sign
    flips and descent *minimizes* the information, without an error. So I <= 0 is a ValueError here.
    A sum of -log I over pairs bounds nothing.
    """
    if not (nats > 0).all():
        got = f"{nats.min().item():g}; maximize the information itself"
        raise ValueError(f"nats: expected information above 0 for its logarithm, got {got}")
    return -nats.log()
