"""Every claim of the kit, measured again by one command: ``python -m simmim_lite reproduce``.

Each system has a file of `Experiment`s with the `Claim`s that they measure; `_registry` lists
them. `reproduce` runs each (experiment, seed) in a process of its own, `Results` holds what came
out, beside what it is held to, and `write_report` makes of it one page that reads offline.
"""

from simmim_lite.reproduction._claims import Claim, Experiment, Interval, Setting
from simmim_lite.reproduction._kept import keep, kept, pages, with_tables
from simmim_lite.reproduction._report import write_report
from simmim_lite.reproduction._results import Outcome, Results, Run
from simmim_lite.reproduction._runner import judged_again, reproduce

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
