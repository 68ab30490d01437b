"""Mutual information from samples: one door, `estimate`, and the estimators behind it.

Bad input (not finite, unequal lengths, too few samples, an unknown option) raises ValueError or
TypeError, naming the argument and what came. No estimate is clipped at 0: estimates of nothing
scatter around 0, and to cut off their lower half would make their mean too large. So values below
0 are normal; never take their log.

| method | for | its limit |
|---|---|---|
| plug_in, miller_madow, jackknife | symbols x symbols | too large unless N >> Kx Ky |
| chao_shen, shuffle_corrected | symbols x symbols, large alphabets | rough: compare the two |
| ross | symbols x numbers | few samples a symbol, many columns |
| gaussian, rank_gaussian | numbers x numbers, many columns, high values | sees correlation only |
| ksg | numbers x numbers, any shape of dependence | too small beyond about 3 + 3 columns |
| learned | numbers x numbers, symbols x numbers | seconds instead of milliseconds |
| auto | anything | chooses among shuffle_corrected, ross and learned |
"""

import inspect
from collections.abc import Callable
from typing import Any

from simmim_lite._arguments import check_choice
from simmim_lite.mutual_information._auto import auto as auto, learned as learned
from simmim_lite.mutual_information._discrete import (
    chao_shen as chao_shen,
    jackknife as jackknife,
    miller_madow as miller_madow,
    plug_in as plug_in,
    shuffle_corrected as shuffle_corrected,
)
from simmim_lite.mutual_information._estimate import Estimate as Estimate
from simmim_lite.mutual_information._gaussian import (
    gaussian as gaussian,
    rank_gaussian as rank_gaussian,
)
from simmim_lite.mutual_information._neighbors import ksg as ksg, ross as ross

ESTIMATORS: dict[str, Callable[..., Estimate]] = {
    function.__name__: function
    for function in (
        plug_in,
        miller_madow,
        chao_shen,
        jackknife,
        shuffle_corrected,
        ross,
        gaussian,
        rank_gaussian,
        ksg,
        learned,
    )
}


def estimate(x: Any, y: Any, method: str = "auto", *, seed: int = 0, **options: Any) -> Estimate:
    """I(X;Y) from N pairs: x (N,) or (N, dim_x), y (N,) or (N, dim_y), arrays or tensors.

    ``method`` is "auto", or one of `ESTIMATORS`; both are functions of this module, and
    ``options`` are theirs.
    ``seed`` is for what the method draws at random, if anything.
    """
    check_choice("method", method, ["auto", *ESTIMATORS])
    function = auto if method == "auto" else ESTIMATORS[method]
    known = list(inspect.signature(function).parameters)[2:]
    for name, value in options.items():
        if name not in known:
            listed = ", ".join(known) or "none"
            raise TypeError(f"{name}: expected an option of {method!r} ({listed}), got {value!r}")
    if "seed" in known:
        options["seed"] = seed
    return function(x, y, **options)
