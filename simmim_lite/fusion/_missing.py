"""Modalities left out in training."""

import torch
from torch import Tensor

from simmim_lite._arguments import check_number


def drop_modalities(
    present: Tensor, probability: float, *, generator: torch.Generator | None = None
) -> Tensor:
    """Each present modality left out with this probability, for training; one a row remains.

    A fusion that has seen modalities missing in training does without them later (Neverova et al.
    2016, arXiv 1501.00102). Where all of a row would go, one of them, drawn uniformly, stays.

    Args:
        present: (N, M) bool, at least one a row.
        probability: in [0, 1].

    Returns:
        (N, M) bool.
    """
    check_number("probability", probability, minimum=0.0, maximum=1.0)
    draws = torch.rand(present.shape, generator=generator).to(present.device).where(present, -1)
    kept = present & (draws >= probability)
    spared = draws == draws.amax(
        dim=1, keepdim=True
    )  # also in rows that keep some: the first to stay
    return kept | (spared & present)
