"""What a head predicts of a pixel: a value or a density; and the loss of the hidden pixels."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from simmim_lite._arguments import check_choice
from simmim_lite.masked._masks import as_masks, patchify

BINS = 8  # of the brightness between 0 and 1
HEADS = {"linear": 1, "gaussian": 2, "laplace": 2, "bernoulli": 1, "bins": BINS}  # numbers a pixel
LOSSES = ("l1", "l2", "likelihood")
_SMALLEST, _LARGEST = -5.0, 3.0  # logarithm of a standard deviation or scale


def head_mean(output: Tensor, head: str) -> Tensor:
    """Return the predicted mean (N, T, pixels) of each pixel from ``output`` (N, T, numbers)."""
    _check_pixels("output", output)
    if head == "bernoulli":
        return output.sigmoid()
    if head == "bins":
        centers = (torch.arange(BINS, device=output.device) + 0.5) / BINS
        return output.unflatten(-1, (-1, BINS)).softmax(dim=-1) @ centers.to(output.dtype)
    return output.chunk(HEADS[head], dim=-1)[0]


def head_log_density(output: Tensor, target: Tensor, head: str) -> Tensor:
    """Return log q (N, T, pixels) in nats of each pixel of ``target`` (N, T, pixels).

    "bernoulli" is a probability of the pixel being 1 and "bins" a density on 0..1 that is constant
    within each of 8 bins.
    """
    _check_pixels("output", output)
    _check_pixels("target", target)
    if head == "bernoulli":
        return -F.binary_cross_entropy_with_logits(output, target, reduction="none")
    if head == "bins":
        bins = (target * BINS).long().clamp(0, BINS - 1)
        log_q = output.unflatten(-1, (-1, BINS)).log_softmax(dim=-1)
        return log_q.gather(-1, bins[..., None])[..., 0] + math.log(BINS)
    if head == "linear":
        expected = sorted(HEADS.keys() - {"linear"})
        raise ValueError(f'head: expected one of {expected} for a likelihood, got "linear"')
    mean, log_scale = output.chunk(2, dim=-1)
    log_scale = log_scale.clamp(_SMALLEST, _LARGEST)
    scaled = (target - mean) * (-log_scale).exp()
    if head == "laplace":
        return -scaled.abs() - log_scale - math.log(2)
    return -0.5 * scaled.square() - log_scale - 0.5 * math.log(2 * math.pi)


def masked_loss(
    output: Tensor,
    batch: Mapping[str, Tensor],
    *,
    patch: int,
    head: str = "linear",
    kind: str = "l1",
    hidden_only: bool = True,
) -> Tensor:
    """Return the mean loss of the hidden pixels, or of all pixels with ``hidden_only=False``.

    Args:
        output: what a `MaskedModel` with this ``patch`` and ``head`` predicts, (N, T, numbers).
        batch: "image" (N, C, height, width) and "mask" (N, T), true where a patch is hidden.
        kind: "l1", the absolute error (Xie et al. 2022, arXiv 2111.09886, equation 1): up to
            constants the negative log-likelihood of a Laplace density of fixed scale; "l2", the
            squared error: that of a Gaussian density of fixed variance; "likelihood", the negative
            log-likelihood of the density of the head, in nats a pixel.
    """
    check_choice("kind", kind, LOSSES)
    target = patchify(batch["image"], patch)
    if kind == "likelihood":
        losses = -head_log_density(output, target, head)
    else:
        difference = head_mean(output, head) - target
        losses = difference.abs() if kind == "l1" else difference.square()
    if not hidden_only:
        return losses.mean()
    weights = as_masks(batch["mask"], losses.shape[:2])[..., None].to(losses)
    return (losses * weights).sum() / (weights.sum() * losses.shape[-1])


def _check_pixels(name: str, values: Tensor) -> None:
    if values.ndim != 3:
        raise ValueError(f"{name}: expected shape (N, T, numbers), got {tuple(values.shape)}")
