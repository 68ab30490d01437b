"""Measure every claim of the kit again: ``python -m simmim_lite reproduce``.

To add a claim, edit the file of its system in `reproduction/experiments`: put a `Claim` with an id
into the claims of an `Experiment`, and return its value under that id from the measuring function.
Measure it with ``python -m reproduction --only EXPERIMENT --keep``. To show it, add the line
``EXPERIMENT: ID`` to a ``<!-- results -->`` block of README.md, docs/RESULTS.md or a page of
`reproduction/results`. New words need no new measurement: ``--measured FILE --keep`` shows them.

`runner.reproduce` runs each (experiment, seed) in a process of its own, `Results` stores the
measured values beside their bounds, `write_report` makes one page that reads offline, and `tables`
writes the generated tables. `reproduction.peers` compares this kit with other packages.
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
from reproduction.runner import reproduce as reproduce, with_current_claims as with_current_claims
from reproduction.tables import (
    keep as keep,
    kept as kept,
    pages as pages,
    with_tables as with_tables,
)
