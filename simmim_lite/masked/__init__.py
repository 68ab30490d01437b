"""Masked image modeling: hide patches of an image, and predict them from the visible ones.

This is the published SimMIM (Xie et al. 2022, arXiv 2111.09886), at a size for a laptop. With a
likelihood as the loss it maximizes a lower bound on the mutual information of hidden and visible
pixels (Barber & Agakov 2003): H(hidden) + E log q(hidden | visible).

Examples:
    >>> import torch
    >>> from simmim_lite.masked import MaskedModel, random_masks
    >>> model = MaskedModel((1, 8, 8), 2, dim=16, depth=1)
    >>> masks = random_masks(5, model.grid, 0.5, generator=torch.Generator().manual_seed(0))
    >>> masks.shape, masks.sum(dim=1).tolist()
    (torch.Size([5, 16]), [8, 8, 8, 8, 8])
    >>> model.predict(torch.zeros(5, 1, 8, 8), masks).shape
    torch.Size([5, 1, 8, 8])
"""

from simmim_lite.masked._heads import (
    head_log_density as head_log_density,
    head_mean as head_mean,
    masked_loss as masked_loss,
)
from simmim_lite.masked._masks import (
    patchify as patchify,
    random_masks as random_masks,
    unpatchify as unpatchify,
)
from simmim_lite.masked._model import MaskedModel as MaskedModel
