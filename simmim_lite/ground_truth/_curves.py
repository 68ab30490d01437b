"""A column plus noise: sharp edges, and curves that correlation does not see."""

import math
from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp

from simmim_lite._arguments import check_choice, check_number
from simmim_lite.ground_truth._base import GroundTruth, MonteCarloTruth


class AdditiveNoise(GroundTruth):
    """X uniform on (0, 1) and Y = X + uniform noise on (-width, width).

    I = h(Y) - h(Y|X), and h(Y|X) = log(2 width). Y has a trapezoid density, whose plateau carries
    no or constant -log p and whose two ramps integrate to h(Y) = width if 2 width <= 1 and
    h(Y) = log(2 width) + 1 / (4 width) if not. So I = width - log(2 width), or 1 / (4 width).
    """

    def __init__(self, width: float):
        self.width = check_number("width", width, minimum=0)
        if width == 0:
            raise ValueError("width: expected a width > 0, got 0 (without noise I is infinite)")
        self.mutual_information = width - math.log(2 * width) if 2 * width <= 1 else 1 / (4 * width)

    def _draw(self, n, generator):
        x = generator.uniform(0, 1, (n, 1))
        return x, x + generator.uniform(-self.width, self.width, (n, 1))


def _circle(turns: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], axis=1)


# From X (n,) in 0..1 to the columns of Y without noise.
CURVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "parabola": lambda x: (2 * x[:, None] - 1) ** 2,
    "sine": lambda x: np.sin(4 * np.pi * x)[:, None],
    "fast_sine": lambda x: np.sin(10 * np.pi * x)[:, None],
    "zigzag": lambda x: np.abs(4 * (3 * x % 1) - 2)[:, None] - 1,
    "circle": _circle,
    "figure_eight": lambda x: np.hstack([_circle(x)[:, 1:], _circle(2 * x)[:, 1:]]),
    "spiral": lambda x: 2 * x[:, None] * _circle(2 * x),
    "helix": lambda x: np.hstack([_circle(3 * x), 2 * x[:, None] - 1]),
}


class NoisyCurve(MonteCarloTruth):
    """X uniform on (0, 1) and Y a point of a curve plus normal noise in every column.

    The curves are named in `CURVES`; ``noise`` is the deviation. p(y) is the mean density over
    1,000 points of the curve, which is exact unless the noise is far smaller than their distance.
    """

    _draws, _parts = 2500, 60

    def __init__(self, curve: str, noise: float):
        check_choice("curve", curve, CURVES)
        self.curve, self.noise = curve, check_number("noise", noise, minimum=0.02)
        self.dim_y = CURVES[curve](np.zeros(1)).shape[1]

    def log_density_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """log p(y | x) / p(y) in nats, of shape (n,); its mean is I."""
        points = CURVES[self.curve]((np.arange(1000) + 0.5) / 1000) / self.noise
        y = y / self.noise
        own = ((y - CURVES[self.curve](x[:, 0]) / self.noise) ** 2).sum(axis=1)
        terms = (y**2).sum(axis=1)[:, None] + (points**2).sum(axis=1) - 2 * y @ points.T
        return -own / 2 - logsumexp(-terms / 2, axis=1) + math.log(1000)

    def _draw(self, n, generator):
        x = generator.random((n, 1))
        return x, CURVES[self.curve](x[:, 0]) + self.noise * generator.standard_normal(
            (n, self.dim_y)
        )
