"""Distance of hidden pixels, a column of the benchmark of masked image modeling."""

import pytest
import torch

from reproduction.peers.bench_masked import average_distance


def test_average_distance_by_hand():
    mask = torch.zeros(1, 9, dtype=torch.bool)
    mask[0, 4] = True  # the patch in the middle, 2 x 2 pixels, all next to a visible pixel
    assert average_distance(mask, (3, 3), 2) == 1
    mask[0] = torch.tensor([True, True, True, True, True, True, False, False, False])
    assert average_distance(mask, (3, 3), 1) == pytest.approx(1.5)
