"""Claims, the experiments that measure them, and what was measured, as JSON."""

import json
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from simmim_lite.evaluation import Interval
from simmim_lite.storage import write_atomically


@dataclass(frozen=True)
class Claim:
    """One number that is stated, and what it is held to.

    Attributes:
        name: short and unique, "MNIST sorted without labels, held out".
        truth: what stands beside it, in words with its number, "IMSAT, published: 98.4 %".
        source: where that is from: a paper, a formula, "the same run".
        unit: "%" or "points" (both measured as a share, 0..1), "nats", "s", or "" for a plain
            number.
        at_least, at_most: the claim holds if the mean over seeds lies within them.
        worst_at_least, worst_at_most: and every single seed within these.
        notebook: number of the notebook that teaches it, "07".
        target: the truth as a number, where it is one that ours should equal: the figures show it.
    """

    name: str
    truth: str
    source: str
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    worst_at_least: float | None = None
    worst_at_most: float | None = None
    notebook: str = ""
    target: float | None = None


class Setting(NamedTuple):
    """How an experiment is run.

    Attributes:
        seed: 0, 1, ...
        full: the full data sets, else the embedded ones.
        folder: where one experiment leaves trained models for another of the same run.
    """

    seed: int
    full: bool
    folder: Path


@dataclass(frozen=True)
class Experiment:
    """Claims that one run measures, for each seed in a process of its own with one thread.

    Attributes:
        name: "manifold"; on the command line, ``reproduce --only manifold``.
        claims: what it measures.
        measure: for a `Setting`, the measured value (or `Interval`) of each claim by its name.
        seeds: how many.
        full: claims of the full data sets, of the embedded ones, or None, of both.
        needs: names of experiments whose models (same seed) it loads.
    """

    name: str
    claims: tuple[Claim, ...]
    measure: Callable[[Setting], dict[str, float | Interval]]
    seeds: int = 1
    full: bool | None = None
    needs: tuple[str, ...] = ()


_FORMAT = 1
_DIGITS = 6  # that are kept of a measured value: more than any of them is worth


@dataclass(frozen=True)
class Run:
    """One experiment with one seed.

    Attributes:
        values: of each claim by its name: (value,) or (value, low, high); empty after an error.
        error: why nothing was measured, in a line; empty if all was.
        provenance: what it was measured with, as `_provenance.provenance` gives it.
    """

    experiment: str
    seed: int
    values: dict[str, tuple[float, ...]]
    error: str
    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int
    date: str
    provenance: dict = field(repr=False)


@dataclass(frozen=True)
class Outcome:
    """A claim, with the runs that measured it."""

    experiment: str
    claim: Claim
    runs: tuple[Run, ...]

    @property
    def values(self) -> list[float]:
        """One a seed, but for seeds that ended in an error."""
        return [run.values[self.claim.name][0] for run in self.runs if not run.error]

    @property
    def mean(self) -> float:
        return float(np.mean(self.values)) if self.values else math.nan

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 %: of Student's t over the seeds, or the one that a single run measured itself.

        That of shares, which lie in 0..1, stays there.
        """
        values = self.values
        if not all(map(math.isfinite, values)):
            return None
        if len(values) > 1:
            half = stdtrit(len(values) - 1, 0.975) * np.std(values, ddof=1) / math.sqrt(len(values))
            ends = self.mean - float(half), self.mean + float(half)
            shares = self.claim.unit == "%" and 0 <= min(values) <= max(values) <= 1
            return tuple(np.clip(ends, 0, 1).tolist()) if shares else ends
        own = [run.values[self.claim.name] for run in self.runs if not run.error]
        return own[0][1:] if own and len(own[0]) == 3 else None

    @property
    def worst(self) -> float:
        """The seed with the least room to its bounds; nan without bounds or values."""
        bounded = [(self._room(value), value) for value in self.values]
        return min(bounded)[1] if bounded and self.is_held else math.nan

    def _room(self, value: float) -> float:
        claim = self.claim
        rooms = [value - low for low in (claim.at_least, claim.worst_at_least) if low is not None]
        rooms += [high - value for high in (claim.at_most, claim.worst_at_most) if high is not None]
        return min(rooms, default=math.inf)

    @property
    def bounds(self) -> tuple[float, float]:
        """Of the mean, or where it has none, of every seed; infinite if there is none at all."""
        c = self.claim
        low = c.worst_at_least if c.at_least is None else c.at_least
        high = c.worst_at_most if c.at_most is None else c.at_most
        return -math.inf if low is None else low, math.inf if high is None else high

    @property
    def is_held(self) -> bool:
        """Whether there is a bound at all; a number without one is only reported."""
        return any(map(math.isfinite, self.bounds))

    @property
    def verdict(self) -> str:
        """ "pass", "fail", "error" (a seed did not come to its end) or "reported" (no bound)."""
        claim = self.claim
        if not self.runs or any(run.error for run in self.runs):
            return "error"
        if not all(map(math.isfinite, self.values)):
            return "fail"
        if not self.is_held:
            return "reported"
        good = _within(self.mean, claim.at_least, claim.at_most)
        good &= all(
            _within(value, claim.worst_at_least, claim.worst_at_most) for value in self.values
        )
        return "pass" if good else "fail"


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


class Results:
    """Outcomes of some experiments, in order, and the runs behind them.

    Raises ValueError if a run measured other claims than those of its experiment.
    """

    def __init__(self, claims: dict[str, tuple[Claim, ...]], runs: Iterable[Run]):
        self.runs = sorted(runs, key=lambda run: (list(claims).index(run.experiment), run.seed))
        self.claims = claims
        for run in self.runs:
            wanted = {claim.name for claim in claims[run.experiment]}
            if not run.error and set(run.values) != wanted:
                different = ", ".join(sorted(set(run.values) ^ wanted))
                raise ValueError(f"{run.experiment}: measured other claims: {different}")

    @classmethod
    def of(cls, experiments: Collection[Experiment], runs: Iterable[Run]) -> "Results":
        return cls({experiment.name: experiment.claims for experiment in experiments}, runs)

    def runs_of(self, experiment: str) -> tuple[Run, ...]:
        return tuple(run for run in self.runs if run.experiment == experiment)

    @property
    def outcomes(self) -> list[Outcome]:
        return [
            Outcome(name, claim, self.runs_of(name))
            for name, claims in self.claims.items()
            for claim in claims
        ]

    @property
    def full(self) -> bool:
        """Whether they are of the full data sets."""
        return any(run.provenance["full"] for run in self.runs)

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.verdict in ("fail", "error")]

    def updated(self, newer: "Results") -> "Results":
        """These, with the experiments of ``newer`` in place of the old or after them."""
        kept = [run for run in self.runs if run.experiment not in newer.claims]
        return Results(self.claims | newer.claims, [*kept, *newer.runs])

    def save(self, path: Path) -> None:
        """As JSON, a line each claim and run; with verdicts, for readers without this package."""
        provenances: list[dict] = []
        for run in self.runs:
            if run.provenance not in provenances:
                provenances.append(run.provenance)
        parts = {
            "claims": [_described(outcome) for outcome in self.outcomes],
            "runs": [run_to_dict(run) | _index(run, provenances) for run in self.runs],
            "provenances": provenances,
        }
        lists = [f'"{name}": [\n{_lines(items)}\n]' for name, items in parts.items()]
        text = ",\n".join([f'"format": {_FORMAT}', *lists])
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, f"{{\n{text}\n}}\n".encode())

    @classmethod
    def load(cls, path: Path) -> "Results":
        """What `save` wrote. ValueError if it is of another format."""
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.get("format") != _FORMAT:
            raise ValueError(f"{path}: expected results of format {_FORMAT}")
        claims: dict[str, tuple[Claim, ...]] = {}
        for described in content["claims"]:
            fields = Claim.__dataclass_fields__
            known = {name: value for name, value in described.items() if name in fields}
            name = described["experiment"]
            claims[name] = (*claims.get(name, ()), Claim(**known))
        provenances = content["provenances"]
        return cls(
            claims,
            [
                run_from_dict(r | {"provenance": provenances[r["provenance"]]})
                for r in content["runs"]
            ],
        )


def run_to_dict(run: Run) -> dict:
    """Plain JSON: nan and infinity are null."""
    values = {name: list(map(_plain, each)) for name, each in run.values.items()}
    seconds = {name: round(getattr(run, name), 2) for name in ("cpu_seconds", "wall_seconds")}
    return asdict(run) | {"values": values} | seconds


def run_from_dict(plain: dict) -> Run:
    values = {
        name: tuple(math.nan if value is None else value for value in each)
        for name, each in plain["values"].items()
    }
    return Run(**plain | {"values": values})


def checked_values(
    experiment: Experiment, measured: dict[str, float | Interval]
) -> dict[str, tuple[float, ...]]:
    """What an experiment returned. ValueError unless it is a number for each of its claims."""
    wanted = [claim.name for claim in experiment.claims]
    if set(measured) != set(wanted):
        different = ", ".join(sorted(set(measured) ^ set(wanted)))
        raise ValueError(f"{experiment.name}: measured and claimed differ: {different}")
    return {
        name: tuple(map(float, value if isinstance(value := measured[name], tuple) else (value,)))
        for name in wanted
    }


def _lines(items: list[dict]) -> str:
    """JSON with a line for each item, so that two versions of a file can be compared."""
    return ",\n".join(json.dumps(item, ensure_ascii=False, allow_nan=False) for item in items)


def _plain(value: float) -> float | None:
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def _index(run: Run, provenances: list[dict]) -> dict[str, int]:
    return {"provenance": provenances.index(run.provenance)}


def _described(outcome: Outcome) -> dict:
    low, high = outcome.interval or (math.nan, math.nan)
    numbers = {"mean": outcome.mean, "low": low, "high": high, "worst": outcome.worst}
    claim = asdict(outcome.claim).items()
    return {
        "experiment": outcome.experiment,
        **{name: value for name, value in claim if value is not None},
        "verdict": outcome.verdict,
        "values": list(map(_plain, outcome.values)),
        **{name: _plain(value) for name, value in numbers.items()},
    }
