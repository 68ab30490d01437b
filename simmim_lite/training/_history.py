"""What happened in a run, epoch by epoch."""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass
class History:
    """Means of epochs, not of their last batches.

    Attributes:
        epochs: for each epoch its number, "epoch", its "steps", and the means over them of "loss",
            of what else the loss reports, of "gradient_norm" and "learning_rate";
            "samples_per_second"; what ``evaluate`` returned. The last can be a part of an epoch.
        steps: updates of the weights.
        seconds: of training, checkpoints among it, in all parts of a resumed run.
        stop_reason: "finished", "seconds" or "plateau".
    """

    epochs: list[dict[str, float]] = dataclasses.field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    stop_reason: str = ""

    def __getitem__(self, name: str) -> list[float]:
        """One value of all epochs."""
        return [epoch[name] for epoch in self.epochs]

    def epochs_since_best(self, name: str) -> int:
        """Epochs since the one with the least value; 0 if there are none."""
        if self.epochs and name not in self.epochs[0]:
            raise ValueError(f"watch: expected one of {sorted(self.epochs[0])}, got {name!r}")
        values = self[name]
        return len(values) - 1 - values.index(min(values)) if values else 0


class EpochMeans:
    """Sums over the steps of the epoch that goes on."""

    def __init__(self, state: Mapping[str, Any] | None = None):
        self.sums: dict[str, list[float]] = {}  # of each value: its sum and how many there were
        self.steps, self.samples, self.seconds = 0, 0, 0.0
        vars(self).update(state or {})

    def state(self) -> dict[str, Any]:
        return dict(vars(self))

    def add(self, values: Mapping[str, float], samples: int, seconds: float) -> None:
        for name, value in values.items():
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = [total + value, count + 1]
        self.steps += 1
        self.samples += samples
        self.seconds += seconds

    def record(self, epoch: int) -> dict[str, float]:
        means = {name: total / count for name, (total, count) in self.sums.items()}
        rate = self.samples / self.seconds
        return {"epoch": epoch, "steps": self.steps} | means | {"samples_per_second": rate}
