"""Membership inference: does a model betray what it was trained on?"""

from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import auc, roc_curve
from torch.nn.functional import normalize

from simmim_lite._random import random_generator
from simmim_lite.encoders import Encoder
from simmim_lite.evaluation._intervals import as_column

_FPR = 0.01  # the false positive rate at which the true positive rate is reported
_RESAMPLES = 1000  # of both groups, for the intervals (bootstrap, percentiles)
_COPIES = 8  # augmented versions of an item
_ROWS = 1024  # at a time


def membership_score(members: Any, non_members: Any, *, seed: int = 0) -> pd.DataFrame:
    """AUC and TPR at 1 % FPR of an attack that identifies training items by a threshold.

    A mean over all items hides the risk: an attack that is certain of one member in twenty and
    guesses for the rest has an AUC near one half. So the true positive rate at a very low false
    positive rate is reported too (Carlini et al. 2022, arXiv 2112.03570). Members and non-members
    must be a random split of one source: any other difference would pass for a leak of the model.

    Args:
        members, non_members: (N,) and (M,) scores, higher for suspected members, such as the
            negative loss; M at least 100, as no threshold gives an FPR between 0 and 1 / M.

    Returns:
        Rows "AUC", the probability that a member scores above a non-member (equal scores count
        half), and "TPR at 1 % FPR", the highest true positive rate of a threshold with at most
        this false positive rate; columns value, low, high (95 %), chance.
    """
    inside = as_column("members", members, "item")
    outside = as_column("non_members", non_members, "item", minimum=round(1 / _FPR))
    generator = random_generator(seed, "membership")
    drawn = [
        _auc_and_tpr(*(generator.choice(group, len(group)) for group in (inside, outside)))
        for _ in range(_RESAMPLES)
    ]
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    value, chance = _auc_and_tpr(inside, outside), (0.5, _FPR)
    return pd.DataFrame(
        {"value": value, "low": low, "high": high, "chance": chance},
        index=pd.Index(["AUC", "TPR at 1 % FPR"], name="metric"),
    )


@torch.no_grad()
def augmentation_consistency(encoder: Encoder, items: Any, *, seed: int = 0) -> np.ndarray:
    """Similarity of the augmented versions of each item, as a score for `membership_score`.

    Mean cosine, (N,) in -1..1, over the pairs of eight augmented versions, in eval mode. An encoder
    that learned to align the augmentations of its training items aligns those of other items less:
    the attack EncoderMI (Liu et al. 2021, arXiv 2108.11023), with a threshold as its classifier.

    Args:
        encoder: with an ``augment`` method; its mode and weights stay as they are.
        items: N items that the encoder can prepare.
    """
    prepared = encoder.prepare(items)
    generator = torch.Generator(prepared.device).manual_seed(seed)
    training = encoder.training
    encoder.eval()
    total = torch.zeros(())
    try:
        for _ in range(_COPIES):
            parts = encoder.augment(prepared, generator).split(_ROWS)
            total = total + torch.cat([normalize(encoder(part)).cpu() for part in parts])
    finally:
        encoder.train(training)
    # |u1 + ... + un|^2 is n plus twice the sum of the cosines of all pairs.
    pairs = _COPIES * (_COPIES - 1)
    return ((total.double().square().sum(dim=1) - _COPIES) / pairs).numpy()


def _auc_and_tpr(members: np.ndarray, non_members: np.ndarray) -> tuple[float, float]:
    labels = np.repeat([1, 0], [len(members), len(non_members)])
    scores = np.concatenate([members, non_members])
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    return float(auc(fpr, tpr)), float(tpr[fpr <= _FPR + 1e-9 / len(non_members)].max())
