"""The network of the CIFAR-10 benchmark, and its views: lightness and color."""

import numpy as np
import pytest
import torch

from reproduction.peers.bench_cifar10 import ResNet18, lightness_and_color


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


def test_resnet_is_an_encoder_with_weights_from_its_seed():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    encoder = ResNet18(3, 7, seed=1).eval()
    with torch.no_grad():
        assert encoder(pixels).shape == (3, 7)
        assert torch.equal(encoder(pixels), ResNet18(3, 7, seed=1).eval()(pixels))
        assert not torch.equal(encoder(pixels), ResNet18(3, 7, seed=2).eval()(pixels))
    # torchvision's own count, without its first and last layers and with ours
    count = sum(weights.numel() for weights in encoder.parameters())
    assert count == 11_689_512 - 513_000 + 513 * 7 - 64 * 3 * (7**2 - 3**2)
