"""What the kit claims, and the experiments that measure it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from simmim_lite.evaluation import Interval


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
