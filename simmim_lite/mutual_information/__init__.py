"""Mutual information from samples: `estimate`, and the estimators that it chooses from.

Invalid input (not finite, unequal lengths, too few samples, an unknown option) raises ValueError or
TypeError with the name of the argument. No estimate is clipped at 0: estimates for independent
variables scatter around 0, and clipping would make their mean too large. So negative values are
normal.

| method | for | limits |
|---|---|---|
| plug_in, miller_madow, jackknife | symbols x symbols | too large unless N >> Kx Ky |
| chao_shen, shuffle_corrected | symbols x symbols, large alphabets | rough: compare the two |
| ross | symbols x numbers | few samples of a symbol, many columns |
| gaussian, rank_gaussian | numbers x numbers, many columns, high values | correlation only |
| ksg | numbers x numbers, any dependence | too small beyond about 3 + 3 columns |
| learned | numbers x numbers, symbols x numbers | seconds instead of milliseconds |
| auto | all | chooses among shuffle_corrected, ross and learned |

Examples:
    >>> import numpy as np
    >>> from simmim_lite.ground_truth import CorrelatedGaussian
    >>> symbols = np.arange(2000) % 4
    >>> numbers = symbols + np.random.default_rng(0).uniform(0, 2, 2000)  # truth: 0.866 nats
    >>> print(estimate(symbols, numbers))
    0.854 ± 0.015 nats (ross)
    >>> x, y = CorrelatedGaussian(nats=1.0).sample(2000)
    >>> print(estimate(x, y, "ksg", n_neighbors=5))
    1.038 ± 0.026 nats (ksg)
"""

import inspect
from collections.abc import Callable
from typing import Any

from simmim_lite._arguments import check_choice
from simmim_lite.mutual_information._auto import auto as auto, learned as learned
from simmim_lite.mutual_information._estimate import Estimate as Estimate
from simmim_lite.mutual_information._formulas import (
    chao_shen as chao_shen,
    gaussian as gaussian,
    jackknife as jackknife,
    miller_madow as miller_madow,
    plug_in as plug_in,
    rank_gaussian as rank_gaussian,
    shuffle_corrected as shuffle_corrected,
)
from simmim_lite.mutual_information._neighbors import ksg as ksg, ross as ross

_FUNCTIONS: tuple[Callable[..., Estimate], ...] = (
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
ESTIMATORS = {function.__name__: function for function in _FUNCTIONS}


def estimate(x: Any, y: Any, method: str = "auto", *, seed: int = 0, **options: Any) -> Estimate:
    """Estimate I(X;Y) in nats from N pairs of samples.

    Args:
        x, y: (N,) or (N, dim_x), and (N,) or (N, dim_y), arrays or tensors.
        method: "auto" or a name in `ESTIMATORS`, a function of this module.
        seed: of the random draws of the method, if it draws any.
        options: keyword arguments of that function.
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
