"""Lightness and color, the two views of the CIFAR-10 benchmark."""

import numpy as np
import pytest
import torch

from reproduction.peers.bench_cifar10 import lightness_and_color


def test_lightness_and_color_are_those_of_the_standard():
    """Values of scikit-image 0.26.0's rgb2lab."""
    colors = np.array([[0, 0, 0], [255] * 3, [255, 0, 0], [0, 255, 0], [0, 0, 255], [3, 128, 200]])
    views = lightness_and_color(colors.astype("u1").reshape(2, 1, 3, 3))
    assert views["lightness"].shape == (2, 1, 1, 3)
    assert views["color"].shape == (2, 2, 1, 3)
    found = torch.cat([views["lightness"], views["color"]], dim=1).permute(0, 2, 3, 1).reshape(6, 3)
    wanted = [
        [0, 0, 0],
        [100, 0, 0],
        [53.2406, 80.0923, 67.2028],
        [87.7351, -86.1830, 83.1797],
        [32.2957, 79.1856, -107.8573],
        [51.4108, -2.4928, -45.3939],
    ]
    torch.testing.assert_close(100 * found, torch.tensor(wanted), atol=0.01, rtol=0)
    for wrong in (colors, np.zeros((2, 3, 3), np.uint8), np.zeros((1, 4, 4, 3))):
        with pytest.raises(ValueError, match="images: expected uint8"):
            lightness_and_color(wrong)
