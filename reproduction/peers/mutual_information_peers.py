"""Estimators of other packages, each in an environment of its own.

``python mutual_information_peers.py NAME FOLDER`` reads arrays x (N, dim_x) and y (N, dim_y) from
the files 0.npz, 1.npz, ..., one file for each seed. For each file it prints a line of JSON,
{"nats": ..., "cpu_seconds": ..., "note": ...}. The script needs nothing but NumPy and the package.
`bench_mutual_information` calls it with the Python that has the package.

Packages that need other names or versions (found in November 2026):

    bmi           benchmark-mi "jax==0.4.26" "jaxlib==0.4.26"
    dmi           diffusion-mi "numpy<2", and torch and torchvision of matching releases
    gmm-mi        gmm-mi "scikit-learn<1.6" "numpy<2.3"
    torch-mist    torch-mist "numpy<2" "pandas<3" matplotlib seaborn
    npeet         npeet-plus

Networks have a budget of about 10 CPU seconds at N = 10,000, the time of our estimator. They are
not stopped earlier, except for `bmi`, whose early stopping cannot be switched off. `torch-mist` and
`dmi` score pairs that were not used for training. Columns are not scaled; symbols are one-hot.
`mist-statinf` is absent, because its package has no trained weights.
"""

import argparse
import contextlib
import importlib
import json
import math
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Peer(NamedTuple):
    """An estimator, the kinds of samples that it accepts, and its highest number of columns."""

    module: str  # imported before the clock starts
    estimate: Callable[[np.ndarray, np.ndarray, int], float]  # x, y, seed -> nats
    kinds: tuple[str, ...] = ("numbers",)
    columns: float = math.inf

    def refusal(self, x: np.ndarray, y: np.ndarray) -> str:
        """Return the reason why it cannot use these samples, or an empty text."""
        kind = ("numbers", "mixed", "symbols")[is_discrete(x) + is_discrete(y)]
        if kind not in self.kinds:
            return f"cannot do {kind}"
        if max(x.shape[1], y.shape[1]) > self.columns:
            return f"cannot do more than {self.columns} column"
        return ""


def is_discrete(values: np.ndarray) -> bool:
    return values.dtype.kind in "iu"


def one_hot(values: np.ndarray) -> np.ndarray:
    """Return symbols (N, 1) as unit vectors (N, K), and numbers unchanged."""
    return np.eye(values.max() + 1)[values[:, 0]] if is_discrete(values) else values


def sklearn(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """3 nearest neighbors, or counts."""
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression
    from sklearn.metrics import mutual_info_score

    x, y = x[:, 0], y[:, 0]
    if is_discrete(x) and is_discrete(y):
        return mutual_info_score(x, y)
    if is_discrete(x):
        return mutual_info_classif(y[:, None], x, random_state=seed)[0]
    return mutual_info_regression(x[:, None], y, random_state=seed)[0]


def ennemi(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """3 nearest neighbors, or counts."""
    from ennemi import estimate_mi

    kinds = {"discrete_x": is_discrete(x), "discrete_y": is_discrete(y)}
    return estimate_mi(y[:, 0], x[:, 0], **kinds, max_threads=1)[0, 0]


def npeet(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """3 nearest neighbors in any number of columns, or counts."""
    from npeet_plus import mi, micd, midd

    if is_discrete(x) and is_discrete(y):
        return midd(x, y, base=math.e)
    return micd(y, x, base=math.e) if is_discrete(x) else mi(x, y, base=math.e)


def mutual_info(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """Three entropies, each from 3 nearest neighbors."""
    from mutual_info.mutual_info import mutual_information

    return mutual_information((x, y), k=3)


def gmm_mi(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """A mixture of normal distributions, with more patience (10, not 1) in adding components."""
    from gmm_mi.mi import EstimateMI
    from gmm_mi.param_holders import MIDistParamHolder, SelectComponentsParamHolder

    estimator = EstimateMI(select_components_params=SelectComponentsParamHolder(patience=10))
    bootstrap = MIDistParamHolder(n_bootstrap=3)
    if is_discrete(x):
        return estimator.fit_estimate_categorical(y, x[:, 0], mi_dist_params=bootstrap)[0]
    return estimator.fit_estimate(x, y, mi_dist_params=bootstrap)[0]


def infomeasure(approach: str, x: np.ndarray, y: np.ndarray, seed: int) -> float:
    import infomeasure

    return infomeasure.mutual_information(x[:, 0], y[:, 0], approach=approach)


def clustering_mi(variation: str, x: np.ndarray, y: np.ndarray, seed: int) -> float:
    from clustering_mi import mutual_information

    bits = mutual_information(x[:, 0], y[:, 0], variation=variation)  # for all pairs together
    return bits * math.log(2) / len(x)


def bmi_cca(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    from bmi.estimators import CCAMutualInformationEstimator

    return CCAMutualInformationEstimator().estimate(x, y)


def bmi_ksg(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """10 nearest neighbors."""
    from bmi.estimators import KSGEnsembleFirstEstimator

    return KSGEnsembleFirstEstimator(neighborhoods=(10,)).estimate(x, y)


def bmi(name: str, steps: int, x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """A critic of its default shape and rate, half of the pairs being kept for the estimate."""
    from bmi import estimators

    critic = getattr(estimators, name)(max_n_steps=steps, seed=seed, verbose=False)
    return critic.estimate(one_hot(x), one_hot(y))


def torch_mist(name: str, steps: int, x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """Two layers of 128; best weights chosen on 10 % of the pairs, estimate from another 20 %."""
    import torch
    from torch_mist.utils.estimation import estimate_mi

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    x, y = (torch.tensor(one_hot(values), dtype=torch.float32) for values in (x, y))
    cut = len(x) * 4 // 5
    return estimate_mi(
        {"x": x[:cut], "y": y[:cut]},
        estimator=name,
        test_data={"x": x[cut:], "y": y[cut:]},
        max_iterations=steps,
        patience=steps,  # without patience, the best weights are not kept
        hidden_dims=[128, 128],
        evaluation_batch_size=1000,
        verbose=False,
        logger=False,
    )


def latentmi(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """8 epochs instead of the default 300, which take about ten CPU minutes."""
    import torch
    from latentmi import lmi

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    pointwise, _, _ = lmi.estimate(one_hot(x), one_hot(y), epochs=8, device="cpu")
    return np.nanmean(pointwise)


def dmi(name: str, epochs: int, x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """At rate 1e-3, the estimate from 20 % of the pairs that it was not trained on."""
    import torch
    from dmi import estimators

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    x, y = one_hot(x), one_hot(y)
    cut = len(x) * 4 // 5
    estimator = getattr(estimators, name)(learning_rate=1e-3, batch_size=256, max_epochs=epochs)
    estimator.fit(x[:cut], y[:cut])
    return estimator.estimate(x[cut:], y[cut:])


ALL_KINDS = ("numbers", "mixed", "symbols")

# The package to install stands before the colon.
PEERS = {
    "sklearn": Peer("sklearn.feature_selection", sklearn, ALL_KINDS, columns=1),
    "ennemi": Peer("ennemi", ennemi, ALL_KINDS, columns=1),
    "npeet": Peer("npeet_plus", npeet, ALL_KINDS),
    "mutual-info": Peer("mutual_info.mutual_info", mutual_info),
    "gmm-mi": Peer("gmm_mi.mi", gmm_mi, ("numbers", "mixed"), columns=1),
    **{
        f"infomeasure:{approach}": Peer("infomeasure", partial(infomeasure, approach), ("symbols",))
        for approach in ("chao_shen", "miller_madow", "shrink", "zhang")
    },
    **{
        f"clustering-mi:{which}": Peer("clustering_mi", partial(clustering_mi, which), ("symbols",))
        for which in ("adjusted", "reduced")
    },
    "bmi:cca": Peer("bmi.estimators", bmi_cca),
    "bmi:ksg": Peer("bmi.estimators", bmi_ksg),
    **{
        f"bmi:{name}": Peer("bmi.estimators", partial(bmi, f"{critic}Estimator", steps), ALL_KINDS)
        for name, critic, steps in (
            ("infonce", "InfoNCE", 700),
            ("nwj", "NWJ", 800),
            ("dv", "DonskerVaradhan", 800),
            ("mine", "MINE", 2000),
        )
    },
    **{
        f"torch-mist:{name}": Peer("torch_mist", partial(torch_mist, name, steps), kinds)
        for name, steps, kinds in (
            ("smile", 4000, ALL_KINDS),
            ("nwj", 4000, ALL_KINDS),
            ("mine", 4000, ALL_KINDS),
            ("infonce", 500, ALL_KINDS),
            ("doe", 3000, ("numbers", "mixed")),  # it models a density of Y
        )
    },
    "latentmi": Peer("latentmi.lmi", latentmi, ALL_KINDS),
    "dmi:minde": Peer("dmi", partial(dmi, "MINDEEstimator", 50)),
    "dmi:dime": Peer("dmi", partial(dmi, "DIMEEstimator", 30), ALL_KINDS),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=PEERS)
    parser.add_argument("folder", type=Path, help="with 0.npz, 1.npz, ...")
    options = parser.parse_args()
    peer = PEERS[options.name]
    importlib.import_module(peer.module)
    for path in sorted(options.folder.glob("*.npz"), key=lambda path: int(path.stem)):
        with np.load(path) as samples:
            x, y = samples["x"], samples["y"]
        seed, nats, note = int(path.stem), math.nan, ""
        np.random.seed(seed)  # noqa: NPY002, several peers draw from it
        start = time.process_time()
        with contextlib.redirect_stdout(sys.stderr):  # some peers print progress
            try:
                nats = float(peer.estimate(x, y, seed))
            except Exception as error:  # an error of the peer is a result, too
                note = f"{type(error).__name__}: {error}"[:200]
        seconds = time.process_time() - start
        if not math.isfinite(nats) and not note:
            nats, note = math.nan, f"gave {nats}"
        print(json.dumps({"nats": nats, "cpu_seconds": seconds, "note": note}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
