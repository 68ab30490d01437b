"""The losses, and the checks of what they are given."""

import math

import torch
from torch import Tensor

from simmim_lite.contrastive._functions import Contrast, SumSoftplus


def info_nce_loss(
    queries: Tensor,
    keys: Tensor,
    temperature: Tensor | float,
    *,
    symmetric: bool = True,
    groups: Tensor | None = None,
    tile: int | None = None,
) -> Tensor:
    """InfoNCE: tell each query's partner, the key of the same row, from all other keys.

    van den Oord et al. (2018, arXiv 1807.03748); symmetric as in Radford et al. (2021, arXiv
    2103.00020); several positives as in Khosla et al. (2020, arXiv 2004.11362).

    Args:
        queries: (N, dim).
        keys: (M, dim), M >= N; keys beyond N (a queue, a memory) are negatives for all queries.
        temperature: positive scalar; a tensor of one number may be learned.
        symmetric: take the mean with the other way round, where the first N keys look for their
            query.
        groups: (M,) whole numbers, the group of each key; query i is in the group of key i. All
            keys of its group are partners of a query, and the loss is the mean over them: for
            pairs that share just a class, whose other members are no negatives.
        tile: number of queries whose scores with 8 times as many keys, or one-way with all keys,
            are held at a time; None chooses.

    Returns:
        The loss in nats, a scalar; float32 for half precision, else of the embeddings' type.

    Raises:
        TypeError, ValueError: shapes that do not fit, a NaN or infinite row, a temperature that is
            not positive.
    """
    queries, keys, scale = _check(queries, keys, temperature)
    N, pairs = len(queries), groups is None
    loss = Contrast.apply(queries, keys, scale, pairs, symmetric, False, tile)
    if pairs:
        return loss
    groups = _check_groups(groups, len(keys))
    partners = (queries * _group_means(keys, groups)[:N]).sum(dim=1).mean()
    if symmetric:
        back = (keys[:N] * _group_means(queries, groups[:N])).sum(dim=1).mean()
        partners = (partners + back) / 2
    return loss - scale * partners


def nt_xent_loss(
    first: Tensor, second: Tensor, temperature: Tensor | float, *, tile: int | None = None
) -> Tensor:
    """NT-Xent: each of the 2N views looks for the other view of its sample among the 2N - 1 others.

    Chen et al. (2020, arXiv 2002.05709), equation 1, without the normalization.

    Args:
        first, second: (N, dim), two views of the same N samples.
        temperature, tile: as in `info_nce_loss`.
    """
    first, second, scale = _check(first, second, temperature)
    if first.shape != second.shape:
        got = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise ValueError(f"first, second: expected equal shapes, got {got}")
    views = torch.cat([first, second])
    return Contrast.apply(views, views, scale, True, True, True, tile)


def sigmoid_loss(
    queries: Tensor,
    keys: Tensor,
    temperature: Tensor | float,
    bias: Tensor | float,
    *,
    tile: int | None = None,
) -> Tensor:
    """Pairwise sigmoid loss: is this a pair or not, for each query and each key on its own.

    Zhai et al. (2023, arXiv 2303.15343): the sum over all pairs divided by N. No softmax and so no
    log K ceiling, but no bound on mutual information of that form either.

    Args:
        queries, keys, temperature, tile: as in `info_nce_loss`.
        bias: added to every score, a scalar; a tensor may be learned.
    """
    queries, keys, scale = _check(queries, keys, temperature)
    N = len(queries)
    bias = torch.as_tensor(bias, dtype=queries.dtype, device=queries.device)
    total = SumSoftplus.apply(queries, keys, scale, bias, tile)
    # A pair counts softplus(-score) where the sum has softplus(score); they differ by the score.
    return total / N - (scale * (queries * keys[:N]).sum(dim=1) + bias).mean()


def _check(
    queries: Tensor, keys: Tensor, temperature: Tensor | float
) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings of one type, not half precision, and 1 / temperature as a tensor."""
    for name, values in (("queries", queries), ("keys", keys)):
        if not isinstance(values, Tensor) or not values.is_floating_point():
            kind = values.dtype if isinstance(values, Tensor) else type(values).__name__
            raise TypeError(f"{name}: expected a floating point tensor, got {kind}")
        if values.ndim != 2 or 0 in values.shape:
            raise ValueError(f"{name}: expected shape (N, dim), got {tuple(values.shape)}")
        if not values.detach().sum().isfinite():  # or finite numbers with a sum that is not
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


def _check_groups(groups: Tensor, M: int) -> Tensor:
    """Groups as codes 0..G-1."""
    groups = torch.as_tensor(groups)
    if groups.is_floating_point() or groups.shape != (M,):
        got = f"{groups.dtype} of shape {tuple(groups.shape)}"
        raise ValueError(f"groups: expected {M} whole numbers, one for each key, got {got}")
    return groups.unique(return_inverse=True)[1]


def _group_means(values: Tensor, groups: Tensor) -> Tensor:
    """Each row (M, dim) replaced by the mean of the rows of its group."""
    G = int(groups.max()) + 1
    groups = groups.to(values.device)
    sums = values.new_zeros(G, values.shape[1]).index_add(0, groups, values)
    sizes = torch.bincount(groups, minlength=G).to(values.dtype)
    return (sums / sizes[:, None].clamp(min=1))[groups]
