"""The losses, the learned temperature, and the checks of their arguments."""

import math

import torch
from torch import Tensor, nn

from simmim_lite._arguments import check_number
from simmim_lite.contrastive._tiles import Contrast

_COLDEST = 0.01  # temperature


class LearnedTemperature(nn.Module):
    """A positive temperature whose logarithm is learned, as in CLIP.

    Radford et al. (2021, arXiv 2103.00020), section 2.5, keep the temperature at 0.01 or above.
    Each call sets a lower parameter back to this minimum, where its gradient is the true one and
    can raise the temperature again. (A clamp of the value alone has the gradient 0 below the
    minimum: a temperature that falls below would never return.)

    Args:
        initial: temperature at the start, at least 0.01.
        learned: False keeps the temperature fixed.

    Attributes:
        log_temperature: the parameter, a scalar.
    """

    def __init__(self, initial: float = 0.07, *, learned: bool = True):
        super().__init__()
        start = math.log(check_number("temperature", initial, minimum=_COLDEST))
        self.log_temperature = nn.Parameter(torch.tensor(start), requires_grad=learned)

    def forward(self) -> Tensor:
        """Return the temperature, a positive scalar."""
        with torch.no_grad():
            self.log_temperature.clamp_(min=math.log(_COLDEST))
        return self.log_temperature.exp()


def info_nce_loss(
    queries: Tensor,
    keys: Tensor,
    temperature: Tensor | float,
    *,
    symmetric: bool = True,
    tile: int | None = None,
) -> Tensor:
    """InfoNCE: cross-entropy of finding each query's positive, the key of its row, among all keys.

    van den Oord et al. (2018, arXiv 1807.03748); symmetric as in Radford et al. (2021, arXiv
    2103.00020).

    Args:
        queries: (N, dim).
        keys: (M, dim), M >= N; keys beyond N (a queue, a memory) are negatives of all queries.
        temperature: positive scalar; a tensor of one number may be learned.
        symmetric: take the mean with the other direction, in which the first N keys are queries.
        tile: number of queries whose scores are held at a time, with 8 times as many keys, or with
            all keys if the loss is one-way; None chooses.

    Returns:
        The loss in nats, a scalar; float32 for half precision, else of the embeddings' type.
    """
    queries, keys, scale = _check(queries, keys, temperature)
    return Contrast.apply(queries, keys, scale, symmetric, False, tile)


def nt_xent_loss(
    first: Tensor, second: Tensor, temperature: Tensor | float, *, tile: int | None = None
) -> Tensor:
    """NT-Xent: cross-entropy of finding each view's positive among the 2N - 1 other views.

    Chen et al. (2020, arXiv 2002.05709), equation 1, without the normalization.

    Args:
        first, second: (N, dim), two views of the same N samples.
        temperature, tile: as in `info_nce_loss`, and so is the result.
    """
    first, second, scale = _check(first, second, temperature)
    if first.shape != second.shape:
        got = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise ValueError(f"first, second: expected equal shapes, got {got}")
    views = torch.cat([first, second])
    return Contrast.apply(views, views, scale, True, True, tile)


def _check(queries: Tensor, keys: Tensor, temperature: Tensor | float) -> tuple[Tensor, ...]:
    """Embeddings of one type, at least float32, and 1 / temperature as a tensor."""
    for name, values in (("queries", queries), ("keys", keys)):
        if not isinstance(values, Tensor) or not values.is_floating_point():
            kind = values.dtype if isinstance(values, Tensor) else type(values).__name__
            raise TypeError(f"{name}: expected a floating point tensor, got {kind}")
        if values.ndim != 2 or 0 in values.shape:
            raise ValueError(f"{name}: expected shape (N, dim), got {tuple(values.shape)}")
        bad = ~values.detach().isfinite().all(dim=1)
        if bad.any():
            row = int(bad.nonzero()[0])
            raise ValueError(f"{name}: expected finite numbers, got others in row {row}")
    if len(keys) < len(queries) or keys.shape[1] != queries.shape[1]:
        raise ValueError(
            f"keys: expected at least {len(queries)} rows of {queries.shape[1]} columns, as "
            f"queries has, got {tuple(keys.shape)}"
        )
    dtype = torch.promote_types(torch.promote_types(queries.dtype, keys.dtype), torch.float32)
    temperature = torch.as_tensor(temperature, device=queries.device)
    if temperature.numel() != 1 or not 0 < temperature.item() < math.inf:
        raise ValueError(f"temperature: expected one positive number, got {temperature.tolist()}")
    queries, keys = (values.to(dtype).contiguous() for values in (queries, keys))
    return queries, keys, 1 / temperature.to(dtype).reshape(())
