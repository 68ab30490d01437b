"""Every claim of the kit, measured again by one command: ``python -m simmim_lite reproduce``.

Each system has a file of `Experiment`s with the `Claim`s that they measure; `_registry` lists
them. `reproduce` runs each (experiment, seed) in a process of its own, `Results` holds what came
out, beside what it is held to, and `write_report` makes of it one page that reads offline.
"""

from reproduction.claims import Claim, Experiment, Interval, Outcome, Results, Run, Setting
from reproduction.report import write_report
from reproduction.runner import judged_again, reproduce
from reproduction.tables import keep, kept, pages, with_tables

__all__ = [
    "Claim",
    "Experiment",
    "Interval",
    "Outcome",
    "Results",
    "Run",
    "Setting",
    "judged_again",
    "keep",
    "kept",
    "pages",
    "reproduce",
    "with_tables",
    "write_report",
]
