"""lightly's SimMIM and MAE as models that `bench_masked` trains like ours."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reproduction.experiments.masked import RATIO, Digits
from simmim_lite.encoders import seeded
from simmim_lite.masked import masked_loss, patchify, random_masks, unpatchify
from simmim_lite.training import Batches, fit

STEPS = 300


class Lightly(nn.Module):
    """lightly's SimMIM or MAE (transformer of torchvision) of the size of ours, as one model."""

    def __init__(self, kind: str, seed: int, dim: int, depth: int):
        from lightly.models.modules import (
            MAEDecoderTIMM,
            MaskedVisionTransformerTorchvision,
        )
        from torchvision.models import VisionTransformer

        super().__init__()
        self.kind, self.dim = kind, dim
        with seeded(seed):
            transformer = VisionTransformer(28, 4, depth, 4, dim, 2 * dim)
            transformer.conv_proj = nn.Conv2d(1, dim, 4, 4)
            self.backbone = MaskedVisionTransformerTorchvision(vit=transformer)
            self.head = nn.Linear(dim, 16)
            if kind == "mae":
                sizes = {"embed_dim": dim, "decoder_embed_dim": dim, "decoder_depth": 1}
                heads = {"decoder_num_heads": 4, "mlp_ratio": 2.0}
                self.head = MAEDecoderTIMM(
                    in_chans=1, num_patches=49, patch_size=4, **sizes, **heads
                )

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        images, masks = batch["image"], batch["mask"]
        hidden = masks.nonzero()[:, 1].view(len(images), -1) + 1  # place 0 is the class token
        if self.kind == "simmim":
            return self.head(self.backbone.encode(images=images, idx_mask=hidden)[:, 1:])
        from lightly.models.utils import repeat_token, set_at_index

        shown = torch.cat(
            [hidden.new_zeros(len(images), 1), (~masks).nonzero()[:, 1].view(len(images), -1) + 1],
            dim=1,
        )
        kept = self.head.embed(self.backbone.encode(images=images, idx_keep=shown))
        tokens = repeat_token(self.head.mask_token, (len(images), 50))
        tokens = set_at_index(tokens, shown, kept.type_as(tokens))
        return self.head.predict(self.head.decode(tokens))[:, 1:]

    def encode(self, images: Tensor) -> Tensor:
        return self.backbone.encode(images=images)[:, 1:]

    def features(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            maps = self.encode(images).transpose(1, 2).unflatten(2, (7, 7))
        return F.adaptive_avg_pool2d(maps, 4).flatten(1)

    def predict(self, images: Tensor, masks: Tensor) -> Tensor:
        with torch.no_grad():
            output = self({"image": images, "mask": masks})
        patches = torch.where(masks[..., None], output, patchify(images, 4))
        return unpatchify(patches, (1, 28, 28), 4)


def _with_masks(images: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    masks = random_masks(len(images), (7, 7), RATIO, generator=generator)
    return {"image": images, "mask": masks}


def lightly_model(digits: Digits, seed: int, kind: str, rate: float) -> Lightly:
    model = Lightly(kind, seed, dim=64, depth=3)
    batches = Batches(digits.images, 64, seed=seed, transform=_with_masks)
    settings = {"steps": STEPS, "warmup": 20, "schedule": "constant"}
    settings |= {"optimizer": "adamw", "learning_rate": rate}
    loss = partial(masked_loss, patch=4, kind="l2")
    fit(model, loss, batches, **settings, seed=seed, progress=False)
    return model
