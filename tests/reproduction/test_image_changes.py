"""Changes of photographs: what they change, by how much, and from which generator."""

import pytest
import torch

from reproduction.image_changes import random_brightness_contrast, random_flip, random_part


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(N=64, size=8):
    return torch.randint(1, 256, (N, 3, size, size + 2), generator=generator(9), dtype=torch.uint8)


def test_flips_half_of_the_images():
    images = pictures(1000)
    flipped = random_flip(images, generator())
    changed = (flipped != images).flatten(1).any(dim=1)
    assert 430 < changed.sum() < 570  # 4.4 standard deviations
    assert torch.equal(flipped[changed], images[changed].flip(-1))


def test_parts_are_resized_and_shifted():
    images = torch.zeros(300, 1, 41, 61)
    images[:, :, 19:22, 29:32] = 1
    options = {"scale": (1.0, 1.0), "shift": 0.0}
    assert torch.allclose(random_part(images, generator(), **options), images, atol=1e-5)
    options = {"scale": (1.0, 3.0), "shift": 0.0}
    larger = random_part(images, generator(), **options).sum(dim=(1, 2, 3))
    assert 8.5 < larger.min() < 12  # 9 pixels
    assert 70 < larger.max() < 85  # 81 pixels
    moved = random_part(images, generator(), scale=(1.0, 1.0), shift=0.25)[:, 0]
    moved = moved / moved.sum(dim=(1, 2), keepdim=True)
    rows, columns = (torch.arange(size) - (size - 1) / 2 for size in (41, 61))
    moved = torch.stack([moved.sum(2) @ rows, moved.sum(1) @ columns], dim=1)
    for axis, length in enumerate((41, 61)):
        assert -0.25 * length - 0.3 < moved[:, axis].min() < -0.22 * length
        assert 0.22 * length < moved[:, axis].max() < 0.25 * length + 0.3


def test_brightness_and_contrast():
    images = torch.full((500, 1, 2, 2), 0.5)
    images[:, :, 0] = 0.6
    same = random_brightness_contrast(images, generator(), brightness=0, contrast=0)
    assert torch.allclose(same, images)
    changed = random_brightness_contrast(images, generator(), brightness=0.1, contrast=0.5)
    means = changed.mean(dim=(1, 2, 3))
    assert 0.44 < means.min() < 0.46 < 0.64 < means.max() < 0.66
    contrast = (changed[:, 0, 0] - changed[:, 0, 1]).mean(dim=1)
    assert 0.05 <= contrast.min() < 0.06
    assert 0.14 < contrast.max() <= 0.15001
    assert random_brightness_contrast(pictures(), generator()).max() <= 1


@pytest.mark.parametrize("augment", [random_flip, random_brightness_contrast])
def test_a_change_is_a_function_of_its_generator(augment):
    assert torch.equal(augment(pictures(), generator(4)), augment(pictures(), generator(4)))
    assert not torch.equal(augment(pictures(), generator(4)), augment(pictures(), generator(5)))
