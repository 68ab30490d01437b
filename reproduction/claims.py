"""Claims, experiments that measure them, and measured results, stored as JSON."""

import json
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simmim_lite.evaluation import Interval, seed_interval
from simmim_lite.storage import write_atomically


@dataclass(frozen=True)
class Claim:
    """A stated number, its reference value, and the bounds that the number must keep.

    Attributes:
        id: short name, unique within its experiment: lower-case words joined by "-",
            "image-probe". Stored results, tables and measuring functions refer to it.
        name: what the number is, in plain English, "linear probe accuracy, images". Only shown.
        truth: reference value in words and numbers, "published: 98.4 % (IMSAT)".
        source: where the reference value comes from: a paper, a formula, "the same run".
        unit: "%" or "points" (both measured as a fraction, 0..1), "nats", "s", another short
            unit, or "" for a plain number.
        at_least, at_most: bounds of the mean over seeds.
        worst_at_least, worst_at_most: bounds of every single seed.
        notebook: number of the notebook that teaches the subject, "07".
        target: the reference value as a number, if the measured value should equal it; figures
            show it.
    """

    id: str
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
    """How one run of an experiment is done.

    Attributes:
        seed: 0, 1, ...
        full: use the full data sets instead of the embedded ones.
        folder: where an experiment leaves trained models for other experiments of the same run.
    """

    seed: int
    full: bool
    folder: Path


@dataclass(frozen=True)
class Experiment:
    """Claims that are measured together: one process with one thread for each seed.

    Attributes:
        name: "manifold"; on the command line, ``reproduce --only manifold``.
        claims: the claims that the experiment measures.
        measure: function from a `Setting` to a dict: id of each claim, and its measured value (a
            number or an `Interval`).
        seeds: number of seeds.
        full: True for the full data sets only, False for the embedded ones only, None for both.
        needs: names of experiments whose models (of the same seed) this one loads.
    """

    name: str
    claims: tuple[Claim, ...]
    measure: Callable[[Setting], dict[str, float | Interval]]
    seeds: int = 1
    full: bool | None = None
    needs: tuple[str, ...] = ()


_FORMAT = 2
_DIGITS = 6  # significant digits of a stored value: more than any measurement has


@dataclass(frozen=True)
class Run:
    """One experiment with one seed.

    Attributes:
        values: by id of the claim: (value,) or (value, low, high); empty after an error.
        error: the error in one line; empty if the run succeeded.
        provenance: code, data, versions and machine, as `provenance.provenance` returns them.
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
    """A claim and the runs that measured it."""

    experiment: str
    claim: Claim
    runs: tuple[Run, ...]

    @property
    def values(self) -> list[float]:
        """One value for each seed, without the seeds that ended in an error."""
        return [run.values[self.claim.id][0] for run in self.runs if not run.error]

    @property
    def mean(self) -> float:
        return float(np.mean(self.values)) if self.values else math.nan

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval: Student's t over the seeds, or the interval that a single run measured.

        The interval of a fraction is clipped to 0..1.
        """
        values = self.values
        if not all(map(math.isfinite, values)):
            return None
        if len(values) > 1:
            _, low, high = seed_interval(values)
            is_fraction = self.claim.unit == "%" and 0 <= min(values) <= max(values) <= 1
            return (max(low, 0.0), min(high, 1.0)) if is_fraction else (low, high)
        own = [run.values[self.claim.id] for run in self.runs if not run.error]
        return own[0][1:] if own and len(own[0]) == 3 else None

    @property
    def worst(self) -> float:
        """Value of the seed that is closest to its bounds; nan without bounds or values."""
        bounded = [(self._room(value), value) for value in self.values]
        return min(bounded)[1] if bounded and self.has_bounds else math.nan

    def _room(self, value: float) -> float:
        claim = self.claim
        rooms = [value - low for low in (claim.at_least, claim.worst_at_least) if low is not None]
        rooms += [high - value for high in (claim.at_most, claim.worst_at_most) if high is not None]
        return min(rooms, default=math.inf)

    @property
    def bounds(self) -> tuple[float, float]:
        """Bounds of the mean, or else of every seed; infinite where there is none."""
        c = self.claim
        low = c.worst_at_least if c.at_least is None else c.at_least
        high = c.worst_at_most if c.at_most is None else c.at_most
        return -math.inf if low is None else low, math.inf if high is None else high

    @property
    def has_bounds(self) -> bool:
        """Whether there is any bound; a number without bounds is only reported."""
        return any(map(math.isfinite, self.bounds))

    @property
    def verdict(self) -> str:
        """Return "pass", "fail", "error" (a seed did not finish) or "reported" (no bound)."""
        claim = self.claim
        if not self.runs or any(run.error for run in self.runs):
            return "error"
        if not all(map(math.isfinite, self.values)):
            return "fail"
        if not self.has_bounds:
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

    Args:
        claims: by name of the experiment.
        runs: in any order.

    Raises:
        ValueError: a run has other ids than the claims of its experiment.
    """

    def __init__(self, claims: dict[str, tuple[Claim, ...]], runs: Iterable[Run]):
        self.runs = sorted(runs, key=lambda run: (list(claims).index(run.experiment), run.seed))
        self.claims = claims
        for run in self.runs:
            expected = {claim.id for claim in claims[run.experiment]}
            if not run.error and set(run.values) != expected:
                different = ", ".join(sorted(set(run.values) ^ expected))
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
        """Whether the results are of the full data sets."""
        return any(run.provenance["full"] for run in self.runs)

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.verdict in ("fail", "error")]

    def updated(self, newer: "Results") -> "Results":
        """Return these results with the experiments of ``newer`` replaced or appended."""
        kept = [run for run in self.runs if run.experiment not in newer.claims]
        return Results(self.claims | newer.claims, [*kept, *newer.runs])

    def save(self, path: Path) -> None:
        """Write JSON, one line for each claim and run; verdicts included, for other readers."""
        provenances: list[dict] = []
        for run in self.runs:
            if run.provenance not in provenances:
                provenances.append(run.provenance)
        parts = {
            "claims": [_described(outcome) for outcome in self.outcomes],
            "runs": [
                run_to_dict(run) | {"provenance": provenances.index(run.provenance)}
                for run in self.runs
            ],
            "provenances": provenances,
        }
        lists = [f'"{name}": [\n{_lines(items)}\n]' for name, items in parts.items()]
        text = ",\n".join([f'"format": {_FORMAT}', *lists])
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, f"{{\n{text}\n}}\n".encode())

    @classmethod
    def load(cls, path: Path) -> "Results":
        """Read a file that `save` wrote.

        Raises:
            ValueError: the file has another format.
        """
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.get("format") != _FORMAT:
            raise ValueError(
                f"{path}: expected results of format {_FORMAT}, got {content.get('format')}"
            )
        claims: dict[str, tuple[Claim, ...]] = {}
        for described in content["claims"]:
            fields = Claim.__dataclass_fields__
            known = {name: value for name, value in described.items() if name in fields}
            name = described["experiment"]
            claims[name] = (*claims.get(name, ()), Claim(**known))
        provenances = content["provenances"]
        runs = (run | {"provenance": provenances[run["provenance"]]} for run in content["runs"])
        return cls(claims, map(run_from_dict, runs))


def run_to_dict(run: Run) -> dict:
    """Return plain JSON; nan and infinity become null."""
    values = {claim: list(map(_plain, each)) for claim, each in run.values.items()}
    seconds = {name: round(getattr(run, name), 2) for name in ("cpu_seconds", "wall_seconds")}
    return asdict(run) | {"values": values} | seconds


def run_from_dict(plain: dict) -> Run:
    values = {
        claim: tuple(math.nan if value is None else value for value in each)
        for claim, each in plain["values"].items()
    }
    return Run(**plain | {"values": values})


def checked_values(
    experiment: Experiment, measured: dict[str, float | Interval]
) -> dict[str, tuple[float, ...]]:
    """Return the measured values as tuples, in the order of the claims.

    Raises:
        ValueError: the ids that were measured are not those of the claims.
    """
    ids = [claim.id for claim in experiment.claims]
    if set(measured) != set(ids):
        different = ", ".join(sorted(set(measured) ^ set(ids)))
        raise ValueError(f"{experiment.name}: measured and claimed ids differ: {different}")
    return {
        claim: tuple(map(float, value if isinstance(value := measured[claim], tuple) else (value,)))
        for claim in ids
    }


def _lines(items: list[dict]) -> str:
    """JSON with one line for each item, so that two versions of a file can be compared."""
    return ",\n".join(json.dumps(item, ensure_ascii=False, allow_nan=False) for item in items)


def _plain(value: float) -> float | None:
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


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
