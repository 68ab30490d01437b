"""Latent space of an autoencoder, conditions of generators, and samples around remembered items."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from simmim_lite._arguments import as_tensor, check_choice, check_integer, check_number
from simmim_lite._numerics import center_and_scale
from simmim_lite._torch_state import like_parameters
from simmim_lite.augment import as_images
from simmim_lite.generation._vae import ConditionalVAE, as_items
from simmim_lite.manifold import nearest_neighbors
from simmim_lite.memory import SimulatedMemory
from simmim_lite.multimodal import MultimodalInfoMax, Pairing
from simmim_lite.training import Batches

_FAR = 100.0  # mean or standard deviation that no standardized batch has
_NOISE = 1e-3  # of the largest standard deviation: narrower directions count as noise


class LatentSpace(nn.Module):
    """Latents of an autoencoder, standardized: each column has mean 0 and variance 1.

    A generator of a few standardized columns is far smaller and faster than a generator of pixels;
    the decoder adds what all items have in common (Rombach et al. 2022, arXiv 2112.10752). ``vae``
    is trained, without a condition; mean and variance are those of the aggregate posterior of
    ``items`` (N, ...). Results are on the CPU.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, vae: ConditionalVAE, items: Tensor):
        super().__init__()
        self.vae, self.dim = vae, vae.latent_dim
        items = as_items("items", items).detach()
        if not items.numel():
            raise ValueError("items: expected at least one, got none")
        means, deviations = vae.encode(items)
        spread = means.var(dim=0, correction=min(1, len(means) - 1))  # 0 of a single item
        variance = spread + (deviations**2).mean(dim=0)
        self.register_buffer("mean", means.mean(dim=0))
        self.register_buffer("deviation", variance.sqrt())
        self.low, self.high = float(items.min()), float(items.max())

    def extra_repr(self) -> str:
        return f"items {self.low} to {self.high}"

    def encode(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of q(z | x), standardized, each (N, dim)."""
        means, deviations = self.vae.encode(items)
        mean, deviation = self.mean.cpu(), self.deviation.cpu()
        return (means - mean) / deviation, deviations / deviation

    def decode(self, latents: Tensor) -> Tensor:
        """Return items (N, ...) for standardized latents (N, dim)."""
        return self.vae.expand(latents.to(self.mean.device) * self.deviation + self.mean)

    def vary(self, items: Tensor, latents: Tensor, *, detail: float = 0.8) -> Tensor:
        """Move items (N, ...) to other latents (N, dim) and keep a share of the residual.

        decode(latents) + detail (items - decode(latents of the items)), detail in 0..1. An
        autoencoder reconstructs poorly the kinds of items that were absent from its training; the
        residual of a remembered item corrects the error.
        """
        check_number("detail", detail, minimum=0.0, maximum=1.0)
        residual = as_items("items", items).cpu() - self.decode(self.encode(items)[0])
        return (self.decode(latents) + detail * residual).clamp(self.low, self.high)


def make_condition(queries: Tensor, latents: Tensor | None = None) -> Tensor:
    """Return the condition of a generator: (N, dim) or (N, dim + latent dim).

    ``queries`` (N, dim) are unit vectors of queries or of retrieved keys; times sqrt(dim), their
    entries are of order 1. ``latents`` (N, latent dim) are means of retrieved items, 0 for none.
    """
    for name, rows in {"queries": queries, "latents": latents}.items():
        if rows is not None and (rows.shape[:-1] != queries.shape[:1] or not rows.shape[-1]):
            got = tuple(rows.shape)
            raise ValueError(f"{name}: expected one row for each query, (N, columns), got {got}")
    scaled = queries * math.sqrt(queries.shape[1])
    return scaled if latents is None else torch.cat([scaled, latents], dim=1)


def condition_batches(
    pairs: Pairing,
    embeddings: Mapping[str, Tensor],
    targets: Tensor | tuple[Tensor, Tensor],
    batch_size: int,
    *,
    latents: Tensor | None = None,
    seed: int = 0,
) -> Batches:
    """Return batches of "x" and "condition" for training a generator of the first modality.

    The condition is the embedding of a paired item of a modality drawn anew each time, so that a
    single generator accepts queries of all modalities.

    Args:
        pairs: N pairs; the first modality is the target.
        embeddings: of the items of ``pairs``, from `MultimodalInfoMax.project`.
        targets: (N, ...) targets x, or means and standard deviations (N, latent dim) of their
            latents, from which x is drawn. Whole numbers x, of words and pixels, stay whole.
        latents: (N, latent dim) mean latents of remembered items, see `make_condition`.
    """
    if not embeddings or not set(embeddings) <= set(pairs.items):
        expected, got = ", ".join(pairs.items), ", ".join(embeddings) or "none"
        raise ValueError(f"embeddings: expected some of {expected}, got {got}")
    embeddings = {m: as_tensor(f"embeddings[{m!r}]", z) for m, z in embeddings.items()}
    means, deviations = targets if isinstance(targets, tuple) else (targets, None)
    columns = {"targets": means, "deviations": deviations, "latents": latents}
    data = {name: as_tensor(name, rows) for name, rows in columns.items() if rows is not None}
    whole = as_images("targets", means)
    if deviations is None and not whole.is_floating_point():
        data["targets"] = whole if whole.dtype == torch.uint8 else whole.long()
    checks: list[Any] = [(name, rows, (len(pairs),)) for name, rows in data.items()]
    checks += [(f"embeddings[{m!r}]", z, (len(pairs.items[m]),)) for m, z in embeddings.items()]
    if deviations is not None:
        checks.append(("deviations", data["deviations"], tuple(data["targets"].shape)))
    for name, rows, shape in checks:
        if rows.shape[: len(shape)] != shape:
            expected = ", ".join(map(str, shape))
            raise ValueError(f"{name}: expected ({expected}, ...), got {tuple(rows.shape)}")

    @cache
    def embeddings_on(device: torch.device) -> dict[str, Tensor]:
        return {name: vectors.to(device) for name, vectors in embeddings.items()}

    def draw(batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        rows, x = batch["row"], batch["targets"]
        chosen = pairs.indices(rows, generator)
        paired = torch.stack([z[chosen[name]] for name, z in embeddings_on(rows.device).items()])
        modality = torch.randint(len(paired), rows.shape, generator=generator, device=rows.device)
        queries = paired[modality, torch.arange(len(rows), device=rows.device)]
        if "deviations" in batch:
            noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
            x = x + batch["deviations"] * noise
        return {"x": x, "condition": make_condition(queries, batch.get("latents"))}

    data["row"] = torch.arange(len(pairs), device="cpu")
    return Batches(data, batch_size, seed=seed, transform=draw)


def neighbor_means(latents: Tensor, k: int) -> Tensor:
    """Return the mean of the k nearest other rows, for each row of latents: (N, dim), on the CPU.

    In training, this mean takes the place of the mean latents of k retrieved items. A row and its
    copies are left out: otherwise a generator would learn to copy.
    """
    own = as_images("latents", latents).dtype
    dtype = own if own.is_floating_point else None
    latents = as_tensor("latents", latents, dtype=dtype).detach().cpu()
    if latents.ndim != 2 or not latents.shape[1]:
        raise ValueError(f"latents: expected shape (N, dim), got {tuple(latents.shape)}")
    distinct, copy_of = torch.unique(latents, dim=0, return_inverse=True)
    if len(distinct) == len(latents):  # in their order
        distinct, copy_of = latents, torch.arange(len(latents), device="cpu")
    k = check_integer("k", k, minimum=1, maximum=len(distinct) - 1)
    return distinct[torch.from_numpy(nearest_neighbors(distinct, k)[1])].mean(dim=1)[copy_of]


def sample_around(
    latents: Tensor,
    weights: Tensor,
    *,
    n_neighbors: int = 4,
    spread: float = 0.3,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Draw new latents around remembered latents, without training.

    An anchor is drawn by weight from the K candidates of a row. With m the mean of its n nearest
    candidates z_j (itself too), the sample is m + spread * sum_j e_j (z_j - m) / sqrt(n - 1),
    e_j ~ N(0, 1): in the plane that the z_j span. A single candidate is unchanged.

    Args:
        latents, weights: (N, K, dim) candidates; (N, K), >= 0, where 0 leaves candidates out.
        n_neighbors: n, the number of candidates of a sample.
        spread: size of the random part, 0 for none.

    Returns latents (N, dim), and columns (N, min(n_neighbors, K)) of the candidates, the anchor
    first, then by distance; -1 where a row has fewer.
    """
    latents, weights = as_tensor("latents", latents), as_tensor("weights", weights)
    if latents.ndim != 3 or not latents.shape[2]:
        raise ValueError(f"latents: expected shape (N, K, dim), got {tuple(latents.shape)}")
    N, K, _ = latents.shape
    if weights.shape != (N, K):
        raise ValueError(f"weights: expected shape {(N, K)}, got {tuple(weights.shape)}")
    wrong = (weights < 0).any(dim=1) | ~(weights > 0).any(dim=1)
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise ValueError(f"weights: expected numbers >= 0, some above 0, got others in row {row}")
    n = min(check_integer("n_neighbors", n_neighbors, minimum=1), K)
    check_number("spread", spread, minimum=0.0)
    rows = torch.arange(N, device=latents.device)
    first = torch.multinomial(weights.contiguous(), 1, generator=generator)[:, 0]
    anchors = latents[rows, first]
    distances = (latents - anchors[:, None]).norm(dim=2).masked_fill(weights <= 0, math.inf)
    distances[rows, first] = -1
    nearest = distances.topk(n, dim=1, largest=False)
    used = nearest.values < math.inf
    count = used.sum(dim=1, keepdim=True)
    chosen = latents[rows[:, None], nearest.indices]
    mean = (chosen * used[:, :, None]).sum(dim=1) / count
    new: dict[str, Any] = {"device": latents.device, "dtype": latents.dtype}
    scales = torch.randn(N, n, generator=generator, **new) * used * spread
    scales = scales / (count - 1).to(latents).clamp(min=1).sqrt()
    moved = (scales[:, :, None] * (chosen - mean[:, None])).sum(dim=1)
    return mean + moved, nearest.indices.where(used, -1)


def as_condition(network: nn.Module, condition: Any, columns: int) -> Tensor:
    """Return a condition (N, columns) on the device and in the dtype of a network."""
    condition = as_tensor("condition", condition)
    if condition.ndim != 2 or condition.shape[1] != columns:
        raise ValueError(f"condition: expected shape (N, {columns}), got {tuple(condition.shape)}")
    return like_parameters(network, condition)


def check_scale(batches: Any) -> None:
    """Raise ValueError if "x" is far from mean 0 and variance 1, the noise that samplers move."""
    if not isinstance(batches, Batches):
        return
    center, scale = center_and_scale(batches[0]["x"].detach().cpu().double().numpy())
    mean, deviation = np.abs(center).max(), scale[np.isfinite(scale)].max(initial=0)
    if mean > _FAR or deviation > _FAR or 0 < deviation < 1 / _FAR:
        got = f"means up to {mean:.3g} and standard deviations up to {deviation:.3g}"
        raise ValueError(f'batches: expected a standardized "x", as of `LatentSpace`, got {got}')


@dataclass(frozen=True, eq=False)
class FoundItems:
    """Remembered items of one modality: K candidates for each of N queries.

    Items have ``ids`` (N, K) int64 in the memory and ``weights`` (N, K) >= 0; items of weight 0 are
    not used. The ``encoder`` is that of the modality.
    """

    memory: SimulatedMemory
    encoder: Any
    modality: str
    ids: Tensor
    weights: Tensor

    def at(self, columns: Tensor) -> Tensor:
        """Return the ids (N, n) in the given columns (N, n), and -1 for column -1."""
        return self.ids.gather(1, columns.clamp(min=0)).where(columns >= 0, -1)

    def latents(self) -> Tensor:
        """Return the latents (N, K, dim) of all candidates: their instance keys."""
        return self.memory.keys(self.ids, self.modality, by="instance")

    def prepared(self, ids: Tensor) -> Tensor:
        """Return the values of the items with these ids (N,), prepared by the encoder: (N, ...)."""
        values: Any = self.memory.values(ids, self.modality)
        if len({np.shape(value) for value in values}) == 1:
            values = np.stack(values)  # images; recordings differ in length
        return self.encoder.prepare(values)


class WhitenedKeys:
    """Whitened encoder features: every principal direction scaled to unit variance.

    Features are taken before the projection to the shared space. Training widens the directions
    that separate the training classes. A class that was absent from training also differs in narrow
    directions; after whitening, a search finds it (Su et al. 2021, arXiv 2103.15316). But keys of
    different modalities cannot be compared: a query searches keys of its own modality only.

        keys = WhitenedKeys(embedder, pairs.items)
        memory.write(keys(new), new)

    N > dim training ``items`` of each modality determine the ``dim`` directions of the keys.
    ``features`` replaces the encoder of a modality by a function from N items to (N, columns). One
    that was not learned favors no training class.
    """

    def __init__(
        self,
        embedder: MultimodalInfoMax,
        items: Mapping[str, Any],
        dim: int = 64,
        *,
        features: Mapping[str, Callable[[Any], Tensor]] | None = None,
    ):
        self.embedder, self._functions = embedder, dict(features or {})
        for name in self._functions:
            check_choice("features", name, tuple(items))
        self._maps: dict[str, tuple[Tensor, Tensor]] = {}
        for name, x in self._features(items).items():
            check_integer("dim", dim, minimum=1, maximum=min(x.shape[1], len(x) - 1))
            mean = x.mean(dim=0)
            _, lengths, directions = torch.linalg.svd(x - mean, full_matrices=False)
            deviations = lengths[:dim] / (len(x) - 1) ** 0.5
            self._maps[name] = mean, directions[:dim].T / (deviations + _NOISE * deviations[0])

    def __call__(self, items: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return unit vectors (N, dim) for each modality, on the CPU."""
        for name in items:
            check_choice("items", name, tuple(self._maps))
        maps = {name: (x, *self._maps[name]) for name, x in self._features(items).items()}
        return {name: normalize((x - mean) @ by, dim=1) for name, (x, mean, by) in maps.items()}

    def _features(self, items: Mapping[str, Any]) -> dict[str, Tensor]:
        learned = {name: each for name, each in items.items() if name not in self._functions}
        own = {name: of(items[name]) for name, of in self._functions.items() if name in items}
        return (self.embedder.encode(learned) if learned else {}) | own
