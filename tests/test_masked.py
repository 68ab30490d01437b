"""Masked image modeling: masks, densities and predictions against definitions and exact truths."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.nn import functional as F

from simmim_lite.ground_truth import GaussianField
from simmim_lite.masked import (
    MaskedModel,
    head_log_density,
    head_mean,
    masked_loss,
    patchify,
    random_masks,
    unpatchify,
)
from simmim_lite.masked._heads import BINS, HEADS

SHAPE, PATCH, GRID = (3, 8, 12), 4, (2, 3)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(n=6, seed=1):
    return torch.rand(n, *SHAPE, generator=generator(seed))


def masks_of(n=6, ratio=0.5, seed=2):
    return random_masks(n, GRID, ratio, generator=generator(seed))


def with_other_hidden_pixels(images, masks, change):
    """The images with changed pixels in hidden patches."""
    patches = patchify(images, PATCH)
    patches = torch.where(masks[..., None], change(patches), patches)
    return unpatchify(patches, SHAPE, PATCH)


def small(**options):
    return MaskedModel(SHAPE, PATCH, **{"dim": 16, "depth": 2} | options)


# --- patches and masks ---------------------------------------------------------------------


def test_patches_are_the_squares_of_the_image():
    images = pictures()
    patches = patchify(images, PATCH)
    assert patches.shape == (6, 6, 3 * 16)
    corner = images[2, :, 4:8, 8:12]  # second row, third column of the grid
    assert torch.equal(patches[2, 5], corner.flatten())
    assert torch.equal(unpatchify(patches, SHAPE, PATCH), images)


@pytest.mark.parametrize("kind", ["random", "square", "block"])
@pytest.mark.parametrize("unit", [1, 2, 3])
@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.6, 0.9, 1.0])
def test_every_mask_hides_exactly_the_ratio(kind, unit, ratio):
    masks = random_masks(40, (7, 6), ratio, kind=kind, unit=unit, generator=generator())
    hidden = min(max(round(ratio * 42), 1), 41)
    assert (masks.sum(dim=1) == hidden).all()
    assert len(masks.unique(dim=0)) > 1 or ratio in (0.9, 1.0)
    again = random_masks(40, (7, 6), ratio, kind=kind, unit=unit, generator=generator())
    assert torch.equal(masks, again)


def test_random_masks_hide_every_patch_equally_often():
    masks = random_masks(6000, (5, 5), 0.4, generator=generator()).float()
    error = math.sqrt(0.4 * 0.6 / 6000)
    assert (masks.mean(dim=0) - 0.4).abs().max() < 4.5 * error


def test_units_are_hidden_as_a_whole_except_for_the_last():
    masks = random_masks(50, (6, 6), 0.5, unit=2, generator=generator()).view(50, 6, 6)
    counts = F.avg_pool2d(masks[:, None].float(), 2)[:, 0] * 4
    partly = ((counts > 0) & (counts < 4)).flatten(1).sum(dim=1)
    assert (partly <= 1).all()


def test_a_square_is_a_square():
    for mask in random_masks(20, (8, 8), 0.25, kind="square", generator=generator()).view(20, 8, 8):
        rows, columns = mask.any(dim=1).nonzero(), mask.any(dim=0).nonzero()
        assert len(rows) == len(columns) == rows[-1] - rows[0] + 1 == 4
        assert mask.sum() == 16


# --- heads ---------------------------------------------------------------------------------


def test_densities_are_those_of_scipy():
    target = torch.rand(2, 3, 5, generator=generator())
    output = torch.randn(2, 3, 10, generator=generator(1))
    mean, scale = output[..., :5].numpy(), output[..., 5:].exp().numpy()
    gaussian = stats.norm.logpdf(target.numpy(), mean, scale)
    laplace = stats.laplace.logpdf(target.numpy(), mean, scale)
    np.testing.assert_allclose(head_log_density(output, target, "gaussian"), gaussian, rtol=1e-4)
    np.testing.assert_allclose(head_log_density(output, target, "laplace"), laplace, rtol=1e-4)
    bits = (target > 0.5).float()
    one = stats.bernoulli.logpmf(bits.numpy(), output[..., :5].sigmoid().numpy())
    np.testing.assert_allclose(head_log_density(output[..., :5], bits, "bernoulli"), one, rtol=1e-4)
    assert torch.equal(head_mean(output, "gaussian"), output[..., :5])


def test_bins_are_a_density_with_the_predicted_mean():
    output = torch.randn(1, 1, BINS, generator=generator())
    at = (torch.arange(8000) + 0.5) / 8000
    density = torch.stack([head_log_density(output, x.view(1, 1, 1), "bins") for x in at]).exp()
    assert density.mean() == pytest.approx(1, abs=1e-4)
    expected = (density.flatten() * at).mean()
    assert head_mean(output, "bins").item() == pytest.approx(expected.item(), abs=1e-4)
    with pytest.raises(ValueError, match=r'head: expected one of .* got "linear"'):
        head_log_density(output, output, "linear")


def test_loss_by_hand():
    batch = {"image": pictures(), "mask": masks_of()}
    output = torch.randn(6, 6, 48, generator=generator(3))
    difference = output - patchify(batch["image"], PATCH)
    hidden = difference[batch["mask"]]
    for kind, errors in {"l1": torch.abs, "l2": torch.square}.items():
        loss = masked_loss(output, batch, patch=PATCH, kind=kind)
        assert loss.item() == pytest.approx(errors(hidden).mean().item(), rel=1e-5)
        loss = masked_loss(output, batch, patch=PATCH, kind=kind, hidden_only=False)
        assert loss.item() == pytest.approx(errors(difference).mean().item(), rel=1e-5)
    both = torch.cat([output, torch.zeros_like(output)], dim=2)
    loss = masked_loss(both, batch, patch=PATCH, head="gaussian", kind="likelihood")
    expected = 0.5 * hidden.square().mean() + 0.5 * math.log(2 * math.pi)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


# --- nothing leaks -------------------------------------------------------------------------


def leak(model, images, masks):
    """Largest change of the predictions if hidden pixels change."""
    others = with_other_hidden_pixels(images, masks, lambda patches: 5 - 3 * patches)
    with torch.no_grad():
        before, after = (model({"image": x, "mask": masks}) for x in (images, others))
    return (before - after).abs().max().item()


@pytest.mark.parametrize("hide", ["token", "drop"])
@pytest.mark.parametrize("head", HEADS)
def test_predictions_do_not_depend_on_hidden_pixels(hide, head):
    assert leak(small(hide=hide, head=head), pictures(), masks_of()) == 0


class WithConvolution(nn.Module):
    """A leak: a convolution mixes hidden pixels into visible patches before masking."""

    def __init__(self, model):
        super().__init__()
        self.model, self.stem = model, nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, batch):
        return self.model(batch | {"image": self.stem(batch["image"])})


class WithNormalization(nn.Module):
    """A leak: the mean and deviation of an image count its hidden pixels."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, batch):
        images = batch["image"]
        mean, deviation = (f(images, dim=(1, 2, 3), keepdim=True) for f in (torch.mean, torch.std))
        return self.model(batch | {"image": (images - mean) / deviation})


@pytest.mark.parametrize("planted", [WithConvolution, WithNormalization])
def test_planted_leaks_are_found(planted):
    assert leak(planted(small()), pictures(), masks_of()) > 1e-3


def test_dropping_tokens_is_attention_to_the_visible_ones():
    model, images, masks = small(hide="drop").eval(), pictures(), masks_of()
    with torch.no_grad():
        tokens = model.embedding(patchify(images, PATCH)) + model.positions
        for block in model.blocks:
            attention = block.attention
            normal = block.first(tokens)
            split = lambda layer: layer(normal).view(6, 6, 4, 4).transpose(1, 2)  # noqa: E731, B023
            scores = split(attention.query) @ split(attention.key).transpose(2, 3) / 2
            scores = scores + attention.bias.flatten(1)[:, attention.index]
            scores = scores.masked_fill(masks[:, None, None], -math.inf)
            mixed = (scores.softmax(dim=3) @ split(attention.value)).transpose(1, 2)
            tokens = tokens + attention.output(mixed.reshape(6, 6, 16))
            tokens = tokens + block.mlp(block.second(tokens))
        found = model.encode(images, masks)
    visible = ~masks
    assert (found[visible] - model.norm(tokens)[visible]).abs().max() < 1e-5
    empty = (model.token + model.positions).expand(6, -1, -1)
    assert torch.equal(found[masks], empty[masks])


# --- predictions ---------------------------------------------------------------------------


def test_predict_keeps_visible_pixels_and_the_mode():
    model, images, masks = small(), pictures(), masks_of()
    filled = model.predict(images, masks)
    assert torch.equal(patchify(filled, PATCH)[~masks], patchify(images, PATCH)[~masks])
    with torch.no_grad():
        output = model({"image": images, "mask": masks})
    assert torch.allclose(patchify(filled, PATCH)[masks], output[masks], atol=1e-6)
    assert model.training
    assert model.predict(images[:0], masks[:0]).shape == (0, *SHAPE)


def test_features_are_means_of_tokens():
    model, images = MaskedModel((1, 8, 8), 2, dim=16, depth=1), torch.rand(3, 1, 8, 8)
    with torch.no_grad():
        tokens = model.encode(images)
    maps = model.features(images, side=2).view(3, 16, 2, 2)
    quarter = tokens.view(3, 4, 4, 16)[:, :2, 2:].mean(dim=(1, 2))
    assert torch.allclose(maps[:, :, 0, 1], quarter, atol=1e-5)


def test_likelihood_of_one_patch_is_the_same_by_the_chain():
    model, images = small(head="gaussian"), pictures()
    masks = torch.zeros(6, 6, dtype=torch.bool)
    masks[torch.arange(6), torch.arange(6)] = True
    product, chain = model.log_likelihood(images, masks), model.chain_log_likelihood(images, masks)
    assert torch.allclose(product, chain, atol=1e-4)


def test_the_chain_adds_what_each_new_patch_has_given_the_earlier_ones():
    model, images = small(head="bernoulli"), (pictures() > 0.5).float()
    masks = masks_of()
    order = torch.rand(masks.shape, generator=generator(7)).masked_fill(~masks, 2.0).argsort(dim=1)
    total, hidden = torch.zeros(6), masks.clone()
    for step in range(3):
        for row in range(6):
            place = order[row, step]
            with torch.no_grad():
                one = {"image": images[row : row + 1], "mask": hidden[row : row + 1]}
                output = model(one)
            target = patchify(one["image"], PATCH)
            nats = -F.binary_cross_entropy_with_logits(output, target, reduction="none")
            total[row] += nats[0, place].sum()
            hidden[row, place] = False
    assert torch.allclose(model.chain_log_likelihood(images, masks, seed=7), total, atol=1e-3)


# --- training ------------------------------------------------------------------------------


def test_fit_is_deterministic_and_learns():
    images = pictures(32)
    runs = []
    for _ in range(2):
        model = small()
        history = model.fit(images, loss="l2", steps=60, batch_size=16, seed=3, progress=False)
        runs.append((history["loss"], model.head.weight.detach().clone()))
    assert runs[0][0] == runs[1][0]
    assert torch.equal(runs[0][1], runs[1][1])
    assert history["loss"][-1] < 0.7 * history["loss"][0]


@pytest.mark.slow
def test_a_field_is_predicted_almost_as_well_as_possible():
    """Excess over the smallest possible error, which no linear map for all masks comes near."""
    field = GaussianField(6, 6, length=3.0)
    fields = torch.from_numpy(field.sample(64 * 400, seed=1)).float()[:, None]
    model = MaskedModel((1, 6, 6), 1, dim=32, depth=2)
    model.fit(fields, ratio=0.5, loss="l2", steps=400, warmup=20, progress=False)
    test = torch.from_numpy(field.sample(200, seed=2)).float()[:, None]
    excess, smallest = [], []
    for mask in random_masks(20, (6, 6), 0.5, generator=generator(9)):
        filled = model.predict(test, mask.expand(200, -1))[:, 0].double().numpy()
        pixels = mask.view(6, 6).numpy()
        best = field.conditional_mean(test[:, 0].double().numpy(), pixels)
        excess.append(((filled - best)[:, pixels] ** 2).mean())
        smallest.append(field.bayes_errors(pixels)[0])
    assert np.mean(excess) < 0.06 * np.mean(smallest)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MaskedModel((1, 9, 8), 4), "patch: expected a divisor of 9 and 8"),
        (lambda: MaskedModel((1, 8, 8), 8), "that makes at least two patches, got 8"),
        (lambda: MaskedModel((1, 8, 8), 4, dim=30), "dim: expected a multiple of 4"),
        (lambda: MaskedModel((1, 8, 8), 4, hide="cover"), "hide: expected one of"),
        (lambda: small().encode(pictures()[:, :1]), r"images: expected shape \(N, 3"),
        (lambda: small().encode(pictures(), masks_of().int()), "masks: expected torch.bool"),
        (lambda: small().predict(pictures(), masks_of(5)), r"masks: expected torch.bool of shape"),
        (lambda: small().features(pictures(), side=3), "side: expected"),
        (lambda: small().fit(pictures(), ratio=(0.7, 0.2), steps=1), "ratio: expected"),
        (lambda: random_masks(2, (1, 1), 0.5, generator=generator()), "grid: expected at least"),
        (lambda: patchify(pictures(), 5), "images: expected shape"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_images_of_bytes_are_brightness():
    model, images = small(), (255 * pictures()).byte()
    assert torch.equal(model.features(images, 2), model.features(images.float() / 255, 2))
    with pytest.raises(TypeError, match="images: expected uint8 or floating point"):
        model.encode(images.int())


def test_dropping_needs_masks_of_one_number():
    masks = masks_of()
    masks[0] = True
    masks[0, 0] = False
    with pytest.raises(ValueError, match="masks: expected as many hidden patches in each row"):
        small(hide="drop").encode(pictures(), masks)
