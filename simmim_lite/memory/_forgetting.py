"""Which items go when some must."""

import numpy as np

POLICIES = ("oldest", "least_read", "reservoir")


def choose(
    policy: str, n: int, ids: np.ndarray, groups: np.ndarray, reads: np.ndarray, seed: int
) -> np.ndarray:
    """Ids (n,) of the items to forget, by one of `POLICIES`.

    - "oldest": the first written.
    - "least_read": those found least often; of these the oldest.
    - "reservoir": a balanced random sample stays. One after the other, the item of least priority
      goes from the largest group; a priority is a random number that hangs on the id alone. So
      each group, while it is among the largest, keeps a uniform sample of all that was ever written
      of it, be it long ago or just now (reservoir sampling, Vitter 1985, balanced by class as by
      Chrysakis and Moens 2020, with priorities in the place of counts, as in bottom-k sampling,
      Cohen and Kaplan 2007: nothing has to be remembered of items that are gone).

    Args:
        ids, groups, reads: (N,) of all items, N >= n.
        seed: of the priorities.
    """
    if not n:
        return ids[:0]
    if policy == "oldest":
        return np.sort(ids)[:n]
    if policy == "least_read":
        return ids[np.lexsort([ids, reads])[:n]]
    # The r-th best of a group goes before any (r-1)-th best: largest groups first, worst first.
    chance = priorities(ids, seed)
    order = np.lexsort([-chance, groups])
    starts = np.flatnonzero(np.diff(groups[order], prepend=groups[order][:1] - 1))
    sizes = np.diff(starts, append=len(ids))
    rank = np.empty(len(ids), np.int64)
    rank[order] = np.arange(len(ids)) - np.repeat(starts, sizes)
    return ids[np.lexsort([chance, -rank])[:n]]


def priorities(ids: np.ndarray, seed: int) -> np.ndarray:
    """A random number in [0, 1) for each id, always the same (SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        x = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x += np.uint64(seed) * np.uint64(0xD1B54A32D192ED03) + np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
        x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)) * 2.0**-53
