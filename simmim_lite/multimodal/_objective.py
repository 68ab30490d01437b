"""What is maximized: bounds on the information between pairs of embeddings."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from simmim_lite import bounds
from simmim_lite._arguments import check_number
from simmim_lite.training import gather_rows, gathered_info_nce_loss

Objective = str | Callable[[Tensor], Tensor]

_SMALLEST_TEMPERATURE = 0.01  # Radford et al. (2021, arXiv 2103.00020), section 2.5


def _symmetric_interpolation(scores: Tensor) -> Tensor:
    ways = [bounds.interpolated(matrix, alpha=0.5) for matrix in (scores, scores.T)]
    return (ways[0] + ways[1]) / 2


def _smile(scores: Tensor) -> Tensor:
    """The value of SMILE with the gradient of Jensen-Shannon, as Song & Ermon (2020) train it."""
    trained = bounds.jensen_shannon(scores)
    return trained + (bounds.smile(scores) - trained).detach()


def _nwj(scores: Tensor) -> Tensor:
    return bounds.nwj(scores + 1)  # so that here, too, the log-ratio is the best critic


_OF_SCORES = {
    "donsker_varadhan": bounds.donsker_varadhan,
    "nwj": _nwj,
    "interpolated": _symmetric_interpolation,
    "smile": _smile,
    "jensen_shannon": bounds.jensen_shannon,
}
# These are the same for scores + c: an offset would get no gradient.
_WITHOUT_OFFSET = ("info_nce", "donsker_varadhan", "mine")
OBJECTIVES = ("info_nce", "mine", *_OF_SCORES)


class Critic(nn.Module):
    """How well two unit vectors go together: cosine / temperature + offset.

    Args:
        temperature: where it begins; its logarithm is learned, and never falls below log 0.01.
        with_offset: learn one too, for bounds whose best critic is the log-ratio itself. It begins
            where e^score of strangers in the first batch has the mean 1, as e^log-ratio has; from
            0 the first steps of NWJ do nothing but undo e^20, and what they destroy stays so.
    """

    def __init__(self, temperature: float = 0.07, *, with_offset: bool = False):
        super().__init__()
        temperature = check_number("temperature", temperature, minimum=_SMALLEST_TEMPERATURE)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))
        self.offset = nn.Parameter(torch.tensor(0.0)) if with_offset else None
        if with_offset:
            self.register_buffer("begun", torch.tensor(False))

    @property
    def temperature(self) -> Tensor:
        return self.log_temperature.clamp(min=math.log(_SMALLEST_TEMPERATURE)).exp()

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """(N, dim) and (M, dim) -> scores (N, M)."""
        scores = first @ second.T / self.temperature
        if self.offset is None:
            return scores
        if self.training and not self.begun:
            with torch.no_grad():
                self.offset.copy_(bounds.donsker_varadhan(scores) - scores.diagonal().mean())
                self.begun.fill_(True)
        return scores + self.offset


class InformationObjective(nn.Module):
    """Less the sum over pairs of a bound on what they share: the loss.

    Args:
        pairs: of names of embeddings.
        objective: one of `OBJECTIVES`, or a function of a matrix of scores (K, K), partners on the
            diagonal, that returns nats.
        temperature: where that of each pair begins.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[str, str]],
        objective: Objective = "info_nce",
        temperature: float = 0.07,
    ):
        super().__init__()
        if not callable(objective) and objective not in OBJECTIVES:
            raise ValueError(
                f"objective: expected one of {', '.join(OBJECTIVES)} or a function of scores, got "
                f"{objective!r} (upper bounds, and those that need a likelihood, are not maximized "
                "over a critic)"
            )
        self.objective = objective
        self.pairs = {f"{a}-{b}": (a, b) for a, b in pairs}
        self.critics = nn.ModuleDict(
            {
                name: Critic(temperature, with_offset=objective not in _WITHOUT_OFFSET)
                for name in self.pairs
            }
        )
        if objective == "mine":  # what its gradient divides by, an average over batches
            for name in self.pairs:
                self.register_buffer(f"log_mean {name}", torch.tensor(math.nan))

    def extra_repr(self) -> str:
        return f"objective {getattr(self.objective, '__qualname__', self.objective)}"

    def forward(self, outputs: Mapping[str, Tensor], batch: object = None) -> dict[str, Tensor]:
        """Unit vectors (K, dim) by name, partners in the same row -> "loss", and nats by pair."""
        nats = {
            name: self._nats(name, outputs[a], outputs[b]) for name, (a, b) in self.pairs.items()
        }
        return {"loss": -sum(nats.values())} | nats

    def _nats(self, name: str, first: Tensor, second: Tensor) -> Tensor:
        critic = self.critics[name]
        if self.objective == "info_nce":
            loss = gathered_info_nce_loss(first, second, critic.temperature)
            return math.log(len(first) * _processes()) - loss
        scores = critic(gather_rows(first), gather_rows(second))
        if callable(self.objective):
            return self.objective(scores)
        if self.objective == "mine":
            return self._mine(name, scores)
        return _OF_SCORES[self.objective](scores)

    def _mine(self, name: str, scores: Tensor) -> Tensor:
        kept = getattr(self, f"log_mean {name}")
        log_mean = bounds.moving_log_mean(scores, None if kept.isnan() else kept, momentum=0.9)
        if self.training:
            kept.copy_(log_mean)
        return bounds.mine(scores, log_mean)


def minus_log(nats: Tensor) -> Tensor:
    """-log I, a loss that is sometimes proposed; here to be looked at, not to be trained with.

    Its gradient is that of -I divided by I: for I < 0, where every estimate may be at first, the
    sign is turned and the descent *minimizes* the information, without any error. So this refuses
    I <= 0. And -log of two informations do not add up to anything.

    Raises:
        ValueError: I <= 0.
    """
    if not (nats > 0).all():
        raise ValueError(
            f"nats: expected information above 0 for its logarithm, got {nats.min().item():g}; "
            "maximize the information itself"
        )
    return -nats.log()


def _processes() -> int:
    import torch.distributed as dist

    return dist.get_world_size() if dist.is_initialized() else 1
