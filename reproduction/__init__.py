"""Every claim of the kit, measured again by one command: ``python -m simmim_lite reproduce``.

Each system has a file of `Experiment`s with the `Claim`s that they measure; `experiments` lists
them. `reproduce` runs each (experiment, seed) in a process of its own, `Results` holds what came
out, beside what it is held to, and `write_report` makes of it one page that reads offline.
"""

from reproduction.claims import (
    Claim as Claim,
    Experiment as Experiment,
    Interval as Interval,
    Outcome as Outcome,
    Results as Results,
    Run as Run,
    Setting as Setting,
)
from reproduction.report import write_report as write_report
from reproduction.runner import judged_again as judged_again, reproduce as reproduce
from reproduction.tables import (
    keep as keep,
    kept as kept,
    pages as pages,
    with_tables as with_tables,
)
