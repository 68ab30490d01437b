"""Results beside their truth, as tidy tables: one row a measurement."""

from collections.abc import Hashable, Mapping, Sequence

import pandas as pd

from simmim_lite._arguments import check_integer
from simmim_lite.ground_truth import GroundTruth
from simmim_lite.mutual_information import estimate


def compare_estimators(
    sources: Mapping[Hashable, GroundTruth], methods: Sequence[str], *, n: int, seeds: int
) -> pd.DataFrame:
    """Estimates of the mutual information of each source by each method, on the same samples.

    Args:
        sources: distributions with a known truth, by the name that they have in the table.
        methods: names for `mutual_information.estimate`.
        n: samples in each estimate.
        seeds: repetitions; seed 0, 1, ... draws the samples.

    Returns:
        One row an estimate with the columns source, method, seed, nats, standard_error, truth and
        error (nats less truth), all but the first three in nats.
    """
    seeds = check_integer("seeds", seeds, minimum=1)
    rows = []
    for name, source in sources.items():
        for seed in range(seeds):
            x, y = source.sample(n, seed)
            for method in methods:
                found = estimate(x, y, method, seed=seed)
                rows.append((name, method, seed, found.nats, found.standard_error))
    frame = pd.DataFrame(rows, columns=["source", "method", "seed", "nats", "standard_error"])
    frame["truth"] = frame["source"].map({k: v.mutual_information for k, v in sources.items()})
    frame["error"] = frame["nats"] - frame["truth"]
    return frame
