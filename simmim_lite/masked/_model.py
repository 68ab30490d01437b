"""A small vision transformer that predicts the hidden patches of an image from the visible ones."""

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from simmim_lite._arguments import as_tensor, check_choice, check_integer, check_number
from simmim_lite._random import seeded
from simmim_lite._torch_state import like_parameters
from simmim_lite.augment import as_float
from simmim_lite.encoders._base import evaluating
from simmim_lite.masked._heads import HEADS, head_log_density, head_mean, masked_loss
from simmim_lite.masked._masks import as_masks, patchify, random_masks, unpatchify
from simmim_lite.training import Batches, History, fit
from simmim_lite.training._trainer import MakeOptimizer

_ROWS = 256  # images of a pass


class _Attention(nn.Module):
    """Self-attention with a learned bias for each head and each difference of two places.

    The bias starts at -2^-head times the distance (Press et al. 2022, arXiv 2108.12409).
    """

    index: Tensor

    def __init__(self, dim: int, heads: int, grid: tuple[int, int]):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (
            nn.Linear(dim, dim, bias=False) for _ in range(4)
        )
        rows, columns = grid
        places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).view(-1, 2)
        difference = places[:, None] - places + torch.tensor([rows - 1, columns - 1])
        self.register_buffer("index", difference[..., 0] * (2 * columns - 1) + difference[..., 1])
        down = torch.arange(1 - rows, rows)[:, None].expand(-1, 2 * columns - 1)
        right = torch.arange(1 - columns, columns).expand(2 * rows - 1, -1)
        slopes = 2.0 ** -torch.arange(1, heads + 1)
        self.bias = nn.Parameter(-slopes[:, None, None] * torch.hypot(down.float(), right.float()))

    def forward(self, tokens: Tensor, places: Tensor | None) -> Tensor:
        """Tokens (N, T, dim) at ``places`` (N, T) of the grid; None: one at each place."""
        n, count, dim = tokens.shape
        split = (n, count, self.heads, dim // self.heads)
        queries, keys, values = (
            layer(tokens).view(split).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        if places is None:
            bias = self.bias.flatten(1)[:, self.index]
        else:
            index = self.index[places[:, :, None], places[:, None]]
            bias = self.bias.flatten(1)[:, index].transpose(0, 1)
        mixed = F.scaled_dot_product_attention(queries, keys, values, bias.to(queries.dtype))
        return self.output(mixed.transpose(1, 2).reshape(n, count, dim))


class _Block(nn.Module):
    """A transformer block with normalization before each part."""

    def __init__(self, dim: int, heads: int, grid: tuple[int, int]):
        super().__init__()
        self.attention = _Attention(dim, heads, grid)
        self.first, self.second = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, tokens: Tensor, places: Tensor | None) -> Tensor:
        tokens = tokens + self.attention(self.first(tokens), places)
        return tokens + self.mlp(self.second(tokens))


class MaskedModel(nn.Module):
    """Predict hidden patches from visible ones: masked image modeling.

    A mask (N, T) is true where one of the T patches is hidden. With ``hide="token"`` a learned
    token replaces each hidden patch before the encoder (SimMIM: Xie et al. 2022, arXiv 2111.09886).
    With ``hide="drop"`` the encoder sees the visible patches only, and one more block, the decoder,
    sees all places (MAE: He et al. 2022, arXiv 2111.06377). Places enter as fixed sines and cosines
    and as a bias of the attention that depends on the difference of two places.

    Args:
        shape: of the images, (channels, height, width). A spectrogram is an image of one channel.
        patch: side of a patch in pixels, a divisor of height and width.
        dim, depth, heads: of the transformer: columns of a token, blocks, attention heads.
        head: what a linear layer predicts of each pixel: "linear", its value; "gaussian" and
            "laplace", mean and logarithm of the scale; "bernoulli", the logit of its probability to
            be 1; "bins", probabilities of 8 bins between 0 and 1.
        seed: of the initial weights.
    """

    positions: Tensor

    def __init__(
        self,
        shape: tuple[int, int, int],
        patch: int = 4,
        *,
        dim: int = 64,
        depth: int = 3,
        heads: int = 4,
        hide: str = "token",
        head: str = "linear",
        seed: int = 0,
    ):
        super().__init__()
        channels, height, width = (check_integer("shape", side, minimum=1) for side in shape)
        self.shape, self.patch = (channels, height, width), check_integer("patch", patch, minimum=1)
        if height % patch or width % patch or height * width == patch**2:
            expected = f"a divisor of {height} and {width} that makes at least two patches"
            raise ValueError(f"patch: expected {expected}, got {patch}")
        self.dim = check_integer("dim", dim, minimum=4)
        if dim % check_integer("heads", heads, minimum=1) or dim % 4:
            expected = f"a multiple of 4 and of heads = {heads}"
            raise ValueError(f"dim: expected {expected}, got {dim}")
        check_integer("depth", depth, minimum=1)
        check_choice("hide", hide, ("token", "drop"))
        check_choice("head", head, HEADS)
        self.hide, self.head_kind = hide, head
        self.grid = height // patch, width // patch
        pixels = channels * patch**2
        with seeded(seed):
            self.embedding = nn.Linear(pixels, dim)
            self.token = nn.Parameter(0.02 * torch.randn(dim))
            self.blocks = nn.ModuleList(_Block(dim, heads, self.grid) for _ in range(depth))
            self.norm = nn.LayerNorm(dim)
            self.decoder = _Block(dim, heads, self.grid) if hide == "drop" else None
            self.head = nn.Linear(dim, HEADS[head] * pixels)
        self.register_buffer("positions", _positions(self.grid, dim), persistent=False)

    def extra_repr(self) -> str:
        return (
            f"shape={self.shape}, patch={self.patch}, hide={self.hide!r}, head={self.head_kind!r}"
        )

    def encode(self, images: Tensor, masks: Tensor | None = None) -> Tensor:
        """Return tokens (N, T, dim) of images (N, C, height, width); without masks, all visible.

        With ``hide="drop"`` hidden places have the learned token, and each mask of a batch must
        hide as many patches.
        """
        images, masks = self._checked(images, masks)
        tokens = self.embedding(patchify(images, self.patch))
        if masks is not None and self.hide == "token":
            tokens = torch.where(masks[..., None], self.token.to(tokens.dtype), tokens)
        tokens = tokens + self.positions.to(tokens.dtype)
        if masks is None or self.hide == "token":
            return self.norm(self._through(tokens, None))
        places = _visible_places(masks)
        index = places[..., None].expand(-1, -1, self.dim)
        kept = self.norm(self._through(tokens.gather(1, index), places))
        empty = (self.token + self.positions).to(kept.dtype).expand(tokens.shape)
        return empty.scatter(1, index, kept)

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return predictions (N, T, numbers) for a batch of an "image" and a "mask"."""
        tokens = self.encode(batch["image"], batch["mask"])
        return self.head(tokens if self.decoder is None else self.decoder(tokens, None))

    def fit(
        self,
        images: Tensor,
        *,
        ratio: float | tuple[float, float] = 0.6,
        kind: str = "random",
        unit: int = 1,
        loss: str = "l1",
        hidden_only: bool = True,
        batch_size: int = 64,
        optimizer: str | MakeOptimizer = "muon",
        learning_rate: float = 0.02,
        seed: int = 0,
        **options: Any,
    ) -> History:
        """Train on images (N, C, height, width), with new masks in each batch.

        Args:
            ratio: fraction of hidden patches; (low, high): drawn uniformly for each batch.
            kind, unit: shape of the masks, see `random_masks`.
            loss, hidden_only: "l1", "l2" or "likelihood", see `masked_loss`.
            options: of `simmim_lite.training.fit`, as are batch_size to seed: "steps" or "epochs",
                "warmup", "checkpoints", "device", ...
        """
        images, _ = self._checked(images)
        low, high = ratio if isinstance(ratio, tuple) else (ratio, ratio)
        check_number("ratio", low, minimum=0.0, maximum=1.0)
        check_number("ratio", high, minimum=low, maximum=1.0)
        draw = partial(_with_masks, grid=self.grid, low=low, high=high, kind=kind, unit=unit)
        objective = partial(
            masked_loss, patch=self.patch, head=self.head_kind, kind=loss, hidden_only=hidden_only
        )
        batches = Batches(images, batch_size, seed=seed, transform=draw)
        options |= {"optimizer": optimizer, "learning_rate": learning_rate, "seed": seed}
        return fit(self, objective, batches, **options)

    def predict(self, images: Tensor, masks: Tensor) -> Tensor:
        """Return the images with hidden pixels replaced by their predicted means, on the CPU."""
        parts = []
        for image, mask in self._parts(images, masks):
            mean = head_mean(self({"image": image, "mask": mask}), self.head_kind)
            patches = torch.where(mask[..., None], mean, patchify(image, self.patch))
            parts.append(unpatchify(patches, self.shape, self.patch).cpu())
        return torch.cat(parts)

    def features(self, images: Tensor, side: int = 4) -> Tensor:
        """Return the tokens averaged to ``side`` x ``side`` places, (N, side^2 dim), on the CPU."""
        check_integer("side", side, minimum=1, maximum=min(self.grid))
        parts = []
        for (image,) in self._parts(images):
            maps = self.encode(image).transpose(1, 2).unflatten(2, self.grid)
            parts.append(F.adaptive_avg_pool2d(maps, side).flatten(1).cpu())
        return torch.cat(parts)

    def log_likelihood(self, images: Tensor, masks: Tensor) -> Tensor:
        """Return log q (N,) in nats of the hidden pixels given the visible ones, on the CPU.

        Pixels count as independent given the visible ones: the sum of their log densities.
        """
        return self._log_density(images, masks, masks)

    def chain_log_likelihood(self, images: Tensor, masks: Tensor, *, seed: int = 0) -> Tensor:
        """Return log q (N,) in nats of the hidden pixels given the visible ones, by the chain rule.

        Hidden patches become visible one after another, in a random order for each image. Each is
        predicted from all that is visible before it. With patches of one pixel no independence is
        assumed. Each mask must hide as many patches.
        """
        images, masks = self._checked(images, masks)
        generator = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
        order = torch.rand(masks.shape, generator=generator, dtype=torch.float32, device="cpu")
        order = order.masked_fill(~masks.cpu(), 2.0).argsort(dim=1).to(masks.device)
        hidden, total = masks.clone(), torch.zeros(len(images), dtype=images.dtype, device="cpu")
        for step in range(masks.shape[1] - _visible_places(masks).shape[1]):
            next_patch = torch.zeros_like(masks).scatter(1, order[:, step : step + 1], True)
            total = total + self._log_density(images, hidden, next_patch)
            hidden &= ~next_patch
        return total

    def _log_density(self, images: Tensor, masks: Tensor, counted: Tensor) -> Tensor:
        """Sum of the log densities of the pixels of ``counted`` patches, (N,)."""
        parts = []
        for image, mask, of_patch in self._parts(images, masks, counted):
            output = self({"image": image, "mask": mask})
            nats = head_log_density(output, patchify(image, self.patch), self.head_kind)
            parts.append((nats.sum(dim=2) * of_patch).sum(dim=1).cpu())
        return torch.cat(parts)

    def _through(self, tokens: Tensor, places: Tensor | None) -> Tensor:
        for block in self.blocks:
            tokens = block(tokens, places)
        return tokens

    def _checked(self, images: Any, masks: Any = None) -> tuple[Tensor, Any]:
        """Images of this shape, uint8 as 0..1, and masks (N, T)."""
        images = as_tensor("images", as_float(images))
        if images.shape[1:] != self.shape:
            expected = f"shape (N, {', '.join(map(str, self.shape))})"
            raise ValueError(f"images: expected {expected}, got {tuple(images.shape)}")
        if masks is None:
            return images, None
        return images, as_masks(masks, (len(images), math.prod(self.grid)))

    def _parts(self, images: Any, *others: Any) -> Iterator[list[Tensor]]:
        """Parts of images and masks on the device of the weights, in evaluation mode."""
        images, masks = self._checked(images, *others[:1])
        others = () if masks is None else (masks, *others[1:])
        device = self.token.device
        with evaluating(self):
            for start in range(0, max(1, len(images)), _ROWS):
                rows = slice(start, start + _ROWS)
                part = like_parameters(self, images[rows])
                yield [part, *(other[rows].to(device) for other in others)]


def _with_masks(
    images: Tensor,
    generator: torch.Generator,
    *,
    grid: tuple[int, int],
    low: float,
    high: float,
    kind: str,
    unit: int,
) -> dict[str, Tensor]:
    """A batch of images and random masks of one ratio."""
    draw = torch.rand((), generator=generator, device=images.device, dtype=torch.float32).item()
    ratio = low + (high - low) * draw
    masks = random_masks(len(images), grid, ratio, kind=kind, unit=unit, generator=generator)
    return {"image": images, "mask": masks}


def _visible_places(masks: Tensor) -> Tensor:
    """Places (N, visible patches) of the visible patches, in order."""
    counts = (~masks).sum(dim=1)
    if len(counts) and (counts != counts[0]).any():
        raise ValueError("masks: expected as many hidden patches in each row, got other numbers")
    visible = int(counts[0]) if len(counts) else 0
    return masks.int().argsort(dim=1, stable=True)[:, :visible]


def _positions(grid: tuple[int, int], dim: int) -> Tensor:
    """Sines and cosines (T, dim) of the row and the column of each place of a grid."""
    quarter = dim // 4
    frequencies = 10_000.0 ** -(torch.arange(quarter) / quarter)
    rows, columns = (torch.arange(side)[:, None] * frequencies for side in grid)
    waves = [torch.cat([angle.sin(), angle.cos()], dim=1) for angle in (rows, columns)]
    rows, columns = (wave.flatten(1) for wave in waves)
    shape = *grid, 2 * quarter
    both = [rows[:, None].expand(shape), columns[None].expand(shape)]
    return torch.cat(both, dim=2).flatten(0, 1)
