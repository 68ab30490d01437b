"""Augmentation: each change matches its definition and depends on its generator alone."""

import math

import pytest
import torch
import torch.nn.functional as F

from simmim_lite import datasets
from simmim_lite.augment import (
    RandomWarp,
    as_float,
    random_crop,
    random_rotation,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(N=64, size=8):
    return torch.randint(1, 256, (N, 3, size, size + 2), generator=generator(9), dtype=torch.uint8)


def test_crops_are_moved_images():
    images = pictures()
    cropped = random_crop(images, generator(), padding=2)
    assert cropped.dtype == torch.uint8
    seen = set()
    for image, crop in zip(images, cropped, strict=True):
        moves = [
            (dy, dx)
            for dy in range(-2, 3)
            for dx in range(-2, 3)
            if torch.equal(crop, F.pad(image, (2,) * 4)[:, 2 + dy : 10 + dy, 2 + dx : 12 + dx])
        ]
        assert len(moves) == 1
        seen.update(moves)
    assert len(seen) > 15  # of 25
    for moves in zip(*seen, strict=True):
        assert set(moves) == set(range(-2, 3))  # both ends included
    assert torch.equal(random_crop(images, generator(), padding=0), images)


def centers(images):
    """Center of mass (N, 2), row and column, relative to the middle of the image."""
    mass = images[:, 0] / images.sum(dim=(1, 2, 3))[:, None, None]
    rows, columns = (torch.arange(size) - (size - 1) / 2 for size in mass.shape[1:])
    return torch.stack([mass.sum(2) @ rows, mass.sum(1) @ columns], dim=1)


def dots(row, column, N=300):
    """Squares of 3 x 3 pixels at this offset from the middle of an image that is not square."""
    images = torch.zeros(N, 1, 41, 61)
    images[:, :, 19 + row : 22 + row, 29 + column : 32 + column] = 1
    return images


def test_bytes_and_bits_are_images():
    assert torch.equal(as_float(pictures()), pictures().float() / 255)
    assert torch.equal(as_float(pictures() > 9), (pictures() > 9).float())
    for change in (RandomWarp(), lambda x, g: random_rotation(x, g, degrees=20)):
        torch.testing.assert_close(
            change(pictures(), generator()), change(pictures() / 255, generator())
        )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, g: as_float(x.long()), TypeError, "images: expected uint8 .* got torch.int64"),
        (lambda x, g: random_crop(x[0], g, padding=2), ValueError, r"images: .*\(3, 8, 10\)"),
        (lambda x, g: random_crop(x, g, padding=-1), ValueError, "padding: "),
        (lambda x, g: random_rotation(x, g, degrees=-1), ValueError, "degrees: "),
        (lambda x, g: random_rotation(x, g, degrees=58), ValueError, "degrees: "),
    ],
)
def test_bad_images_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call(pictures(), generator())


@pytest.mark.parametrize(("row", "column"), [(0, 9), (9, 0)])
def test_rotation_turns_in_pixels_and_resizes(row, column):
    turned = centers(random_rotation(dots(row, column), generator(), degrees=30))
    away = turned.norm(dim=1) / 9  # on a circle, not on an ellipse
    assert 1 / (1 + math.pi / 6) - 0.03 < away.min() < 0.7
    assert 1.9 < away.max() < 1 / (1 - math.pi / 6) + 0.03
    angle = torch.atan2(*turned.T).rad2deg() - (90 if row else 0)
    assert -30.5 < angle.min() < -27
    assert 27 < angle.max() < 30.5


def test_strength_zero_is_no_change():
    images = torch.rand(3, 1, 28, 28, generator=torch.manual_seed(0))
    same = RandomWarp()(images, torch.Generator().manual_seed(0), strength=0.0)
    torch.testing.assert_close(same, images, atol=1e-5, rtol=0)


def test_warps_are_small_different_and_repeatable():
    images = torch.from_numpy(datasets.load_digits("test", full=False).images[::100, None] / 255)
    images = images.float()
    first, second = (RandomWarp()(images, torch.Generator().manual_seed(s)) for s in (0, 0))
    assert torch.equal(first, second)
    ink = first.sum(dim=(1, 2, 3)) / images.sum(dim=(1, 2, 3))
    assert ((ink > 0.5) & (ink < 1.7)).all()  # areas change by at most e^0.4, and nothing is lost
    assert (first - images).abs().mean() > 0.01


def test_shift_moves_by_pixels():
    images = torch.zeros(200, 1, 28, 28)
    images[:, :, 14, 14] = 1
    warp = RandomWarp(degrees=0, scale=0, stretch=0, shear=0, shift=0.1, elastic=0)
    moved = warp(images, torch.Generator().manual_seed(0))
    column = (moved.sum(dim=(1, 2)) * torch.arange(28.0)).sum(dim=1)
    assert column.min() == pytest.approx(14 - 2.8, abs=0.15)
    assert column.max() == pytest.approx(14 + 2.8, abs=0.15)
