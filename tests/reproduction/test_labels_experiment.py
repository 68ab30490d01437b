"""Parts of the experiments with labels: recall, scenes, and choices of components."""

import numpy as np
import pytest
import torch

from reproduction.experiments import labels, new_kinds


def test_both_losses_differ_by_a_constant_and_have_one_gradient():
    images = torch.rand(300, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    y = torch.arange(300) % 3
    loss, gradient = labels.differences(images, y, seed=0)
    assert loss < 1e-5
    assert gradient < 1e-4


def test_rate_counts_ties_as_misses():
    scores = torch.tensor([[3.0, 1.0, 2.0], [5.0, 5.0, 0.0], [0.0, 2.0, 1.0]])
    assert new_kinds.rate(scores, 1) == pytest.approx(1 / 3)
    assert new_kinds.rate(scores, 2) == 1


def test_correction_of_hubs():
    hub = torch.tensor([[0.7, 0.1, 0.8], [0.1, 0.75, 0.8], [0.0, 0.1, 0.95]])
    assert new_kinds.rate(hub, 1) == pytest.approx(1 / 3)
    assert new_kinds.rate(new_kinds.without_hubs(hub, k=1), 1) == 1


def test_whitened_differences_have_equal_size():
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 5000, 3, generator=generator)
    sizes = torch.tensor([0.1, 1.0, 10.0])
    white = new_kinds.whitening(first * sizes, second * sizes, ridge=1e-6)
    differences = (first - second) * sizes @ white
    assert torch.allclose(differences.T @ differences / 5000, torch.eye(3), atol=0.02)


def test_scenes_have_the_digit_where_the_mask_is():
    digits = np.zeros((20, 28, 28), np.uint8)
    digits[:, 6:22, 9:19] = 255
    scenes, masks = labels.scenes(digits, np.arange(5), seed=0)
    assert scenes.shape == (5, 1, 48, 48)
    assert (masks.sum(axis=(1, 2)) == 16 * 10).all()
    assert (scenes[:, 0].numpy()[masks] == 1).all()


def test_components():
    bright = np.zeros((2, 6, 6), bool)
    bright[:, :2, :2] = True
    bright[:, 3:, 3:] = True
    assert labels.best_components(bright, bright).sum() == 2 * 9
    small = np.where(np.arange(6)[:, None] < 3, 1.0, 0.1) * np.ones((2, 6, 6))
    assert labels.best_components(bright, small).sum() == 2 * 4
    mask = np.zeros((6, 6), bool)
    mask[:2, :3] = True
    best = labels._best_component(bright[0], mask)
    assert labels.iou(best[None], mask[None]) == pytest.approx(4 / 6)
