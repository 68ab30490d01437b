"""Can one tell what a model was trained on? Attacks by a threshold, and how well they do.

An attack is a score for each item, higher for those that it takes for members: minus their loss,
or how alike a model finds their variations. A mean over all items hides the danger: an attack that
is certain of one member in twenty, and guesses for the rest, has an AUC near one half. So the share
of members that are found with almost no false alarm stands beside it, as Carlini et al. (2022,
arXiv 2112.03570) ask for.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata
from torch.nn.functional import normalize

from simmim_lite._arguments import as_array, as_samples, check_integer, check_number
from simmim_lite._random import random_generator
from simmim_lite.encoders import Encoder

_ROWS = 1024  # at a time


def membership_score(
    members: Any,
    outsiders: Any,
    *,
    false_positives: float = 0.01,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """How well a score tells items of the training set from new ones of the same kind.

    Both groups must come from one source, split at random: a difference between them that is not
    of the model's making would pass for a leak.

    Args:
        members, outsiders: (N,) and (M,), the higher the more like a member; M of at least
            1 / ``false_positives``, else no threshold has so few false alarms.
        false_positives: the share of the outsiders that may be taken for members.
        resamples: of both groups, for the intervals (bootstrap, percentiles).

    Returns:
        Rows "AUC", the chance that a member scores above an outsider (equal scores count half),
        and "TPR at 1 % FPR", the share of members above the lowest threshold that at most
        ``false_positives`` of the outsiders pass; columns value, low, high (95 %), chance.
    """
    inside, outside = _scores("members", members), _scores("outsiders", outsiders)
    share = check_number("false_positives", false_positives, minimum=1e-9, maximum=1.0)
    resamples = check_integer("resamples", resamples, minimum=1)
    if not _whole(share * len(outside)):
        raise ValueError(
            f"outsiders: expected enough scores for a share of {share:g} to be one of them, "
            f"got {len(outside)}"
        )
    measures = {
        "AUC": (_area, 0.5),
        f"TPR at {100 * share:g} % FPR": (lambda a, b: _found(a, b, share), share),
    }
    generator = random_generator(seed, "membership")
    drawn = [
        (generator.choice(inside, len(inside)), generator.choice(outside, len(outside)))
        for _ in range(resamples)
    ]
    rows = {}
    for name, (measure, chance) in measures.items():
        low, high = np.quantile([measure(a, b) for a, b in drawn], (0.025, 0.975))
        rows[name] = {"value": measure(inside, outside), "low": low, "high": high, "chance": chance}
    return pd.DataFrame(rows).T.rename_axis("measure")


@torch.no_grad()
def augmentation_consistency(
    encoder: Encoder, items: Any, *, copies: int = 8, seed: int = 0
) -> np.ndarray:
    """How alike an encoder finds variations of an item, (N,): a score for `membership_score`.

    Mean cosine over the pairs of ``copies`` augmented versions, in eval mode. An encoder that
    learned to bring the variations of its training items together does so less for others: the
    attack EncoderMI of Liu et al. (2021, arXiv 2108.11023), with a threshold for a classifier.
    """
    copies = check_integer("copies", copies, minimum=2)
    prepared = encoder.prepare(items)
    generator = torch.Generator(prepared.device).manual_seed(seed)
    training = encoder.training
    encoder.eval()
    try:
        total = sum(
            torch.cat([normalize(encoder(part)).cpu() for part in augmented.split(_ROWS)])
            for augmented in (encoder.augment(prepared, generator) for _ in range(copies))
        )
    finally:
        encoder.train(training)
    # |u1 + ... + un|^2 is n and twice the cosine of each pair.
    pairs = copies * (copies - 1)
    return ((total.double().square().sum(dim=1) - copies) / pairs).numpy()


def _area(members: np.ndarray, outsiders: np.ndarray) -> float:
    """Area under the ROC curve by the rank sum of Mann and Whitney."""
    N, M = len(members), len(outsiders)
    ranks = rankdata(np.concatenate([members, outsiders]))[:N]
    return float((ranks.sum() - N * (N + 1) / 2) / (N * M))


def _found(members: np.ndarray, outsiders: np.ndarray, share: float) -> float:
    """Share of the members above all outsiders but so many."""
    allowed = _whole(share * len(outsiders))
    if allowed >= len(outsiders):
        return 1.0
    return float((members > np.sort(outsiders)[-1 - allowed]).mean())


def _whole(number: float) -> int:
    """Rounded down, but not for an error in the last digit."""
    return math.floor(number + 1e-9)


def _scores(name: str, value: Any) -> np.ndarray:
    scores = as_array(name, value)
    if scores.ndim != 1:
        raise ValueError(f"{name}: expected one number an item, got shape {scores.shape}")
    return as_samples(name, scores)[:, 0]
