"""Codes of an autoencoder as a place to generate in, and samples drawn around remembered ones."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from simmim_lite._arguments import check_integer, check_number
from simmim_lite.generation._vae import ConditionalVAE
from simmim_lite.multimodal import Pairing
from simmim_lite.training import Batches


class LatentSpace(nn.Module):
    """The codes of an autoencoder without condition, each column with mean 0 and variance 1.

    A generator of a few standardized columns is far smaller and faster than one of pixels; what all
    items have in common is the decoder's business (Rombach et al. 2022, arXiv 2112.10752).

    Args:
        vae: trained, without a condition.
        items: (N, ...) that say what mean and variance are.
    """

    def __init__(self, vae: ConditionalVAE, items: Tensor):
        super().__init__()
        self.vae, self.dim = vae, vae.latent_dim
        means, deviations = vae.encode(items)
        variance = means.var(dim=0) + (deviations**2).mean(dim=0)  # of the aggregate posterior
        self.register_buffer("mean", means.mean(dim=0))
        self.register_buffer("deviation", variance.sqrt())
        self.low, self.high = float(items.min()), float(items.max())

    def encode(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z | x), standardized, each (N, dim), on the CPU."""
        means, deviations = self.vae.encode(items)
        mean, deviation = self.mean.cpu(), self.deviation.cpu()
        return (means - mean) / deviation, deviations / deviation

    def decode(self, codes: Tensor) -> Tensor:
        """(N, dim) on the CPU -> items."""
        return self.vae.expand(codes * self.deviation.cpu() + self.mean.cpu())

    def vary(self, items: Tensor, codes: Tensor, *, detail: float = 0.5) -> Tensor:
        """Items changed to other codes (N, dim), with a share of what their own codes lost of them.

        decode(codes) + detail (items - decode(their codes)): an autoencoder draws badly what it was
        never trained on, but remembered items know what it gets wrong. A detail of 1 with their own
        codes gives the items themselves.
        """
        check_number("detail", detail, minimum=0.0, maximum=1.0)
        lost = items - self.decode(self.encode(items)[0])
        return (self.decode(codes) + detail * lost).clamp(self.low, self.high)


def make_condition(queries: Tensor, codes: Tensor | None = None) -> Tensor:
    """What a generator is told: unit vectors (N, dim) at the scale of 1, and remembered codes.

    Args:
        queries: embeddings of queries, or retrieved keys.
        codes: (N, code dim), for generators that are told of retrieved items; zeros say nothing.
    """
    scaled = queries * math.sqrt(queries.shape[1])
    return scaled if codes is None else torch.cat([scaled, codes], dim=1)


def condition_batches(
    pairs: Pairing,
    embeddings: Mapping[str, Tensor],
    targets: Tensor | tuple[Tensor, Tensor],
    batch_size: int,
    *,
    codes: Tensor | None = None,
    seed: int = 0,
) -> Batches:
    """Batches of "x" and "condition" to train a generator of the first modality on.

    Each row's condition is the embedding of an item that belongs to it, of a modality that is drawn
    anew each time, so that one generator answers queries in all of them.

    Args:
        pairs: whose first modality is the target.
        embeddings: by modality, of the pairs' items, as `MultimodalInfoMax.project` gives them.
        targets: (N, ...) of the first modality, or means and standard deviations of their codes,
            from which x is drawn.
        codes: (N, code dim) of remembered items, see `make_condition`.
    """
    if len(embeddings) == 0 or not set(embeddings) <= set(pairs.items):
        expected, got = ", ".join(pairs.items), ", ".join(embeddings) or "none"
        raise ValueError(f"embeddings: expected some of {expected}, got {got}")
    for name, vectors in embeddings.items():
        if len(vectors) != len(pairs.items[name]):
            expected = f"{len(pairs.items[name])} rows of {name!r}"
            raise ValueError(f"embeddings: expected {expected}, got {len(vectors)}")
    means, deviations = targets if isinstance(targets, tuple) else (targets, None)
    if len(means) != len(pairs):
        raise ValueError(f"targets: expected {len(pairs)} rows, got {len(means)}")

    def draw(rows: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        device = rows.device
        chosen = pairs.indices(rows, generator)
        columns = [embeddings[name].to(device)[chosen[name]] for name in embeddings]
        which = torch.randint(len(columns), rows.shape, generator=generator, device=device)
        queries = torch.stack(columns)[which, torch.arange(len(rows), device=device)]
        x = means.to(device)[rows]
        if deviations is not None:
            noise = torch.randn(x.shape, generator=generator, device=device)
            x = x + deviations.to(device)[rows] * noise
        remembered = None if codes is None else codes.to(device)[rows]
        return {"x": x, "condition": make_condition(queries, remembered)}

    return Batches(torch.arange(len(pairs)), batch_size, seed=seed, transform=draw)


def neighbor_means(codes: Tensor, k: int) -> Tensor:
    """For each row (N, dim) the mean of its k nearest other rows: what training is told of memory.

    Without the row itself: told of it, a generator would learn to copy.
    """
    k = check_integer("k", k, minimum=1, maximum=len(codes) - 1)
    means = []
    for start in range(0, len(codes), 1024):
        distances = torch.cdist(codes[start : start + 1024], codes)
        rows = torch.arange(len(distances))
        distances[rows, start + rows] = math.inf
        means.append(codes[distances.topk(k, largest=False).indices].mean(dim=1))
    return torch.cat(means)


def sample_around(
    codes: Tensor,
    weights: Tensor,
    *,
    n_neighbors: int = 16,
    spread: float = 0.5,
    pull: float = 0.5,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """New codes from remembered ones, without training: normally distributed around one of them.

    Of each row's codes one, the anchor a, is drawn by weight, and its nearest are found among those
    of the row. With m the mean of these n, the sample is
    z = a + pull (m - a) + spread * sum_j e_j (z_j - m) / sqrt(n - 1), e_j ~ N(0, 1):
    the random part has spread^2 times their covariance, so it stays in the plane that they span.
    Of one code alone, that code comes out.

    Args:
        codes: (N, K, dim).
        weights: (N, K), >= 0; codes of weight 0 play no part.
        n_neighbors: how many, the anchor among them.
        spread: 0 for no random part.
        pull: how far the center is from the anchor (0) to the mean (1). A mean is sharper in its
            class and poorer in variety.

    Returns:
        Codes (N, dim), and which ones they were made of: (N, n_neighbors) numbers of columns, the
        anchor first, with -1 where a row had fewer.
    """
    N, K, _ = codes.shape
    if weights.shape != (N, K):
        raise ValueError(f"weights: expected shape {(N, K)}, got {tuple(weights.shape)}")
    empty = ~(weights > 0).any(dim=1)
    if empty.any():
        row = int(empty.nonzero()[0])
        raise ValueError(f"weights: expected one above 0 in each row, got none in row {row}")
    n = min(check_integer("n_neighbors", n_neighbors, minimum=1), K)
    check_number("spread", spread, minimum=0.0)
    check_number("pull", pull, minimum=0.0, maximum=1.0)
    rows = torch.arange(N)
    first = torch.multinomial(weights, 1, generator=generator)[:, 0]
    anchors = codes[rows, first]
    distances = (codes - anchors[:, None]).norm(dim=2).masked_fill(weights <= 0, math.inf)
    distances[rows, first] = -1
    nearest = distances.topk(n, dim=1, largest=False)
    used = nearest.values < math.inf
    count = used.sum(dim=1, keepdim=True)
    chosen = codes[rows[:, None], nearest.indices]
    mean = (chosen * used[:, :, None]).sum(dim=1) / count
    scales = torch.randn(N, n, generator=generator) * used * spread
    scales = scales / (count - 1).clamp(min=1).sqrt()
    moved = (scales[:, :, None] * (chosen - mean[:, None])).sum(dim=1)
    return anchors + pull * (mean - anchors) + moved, nearest.indices.where(used, -1)
