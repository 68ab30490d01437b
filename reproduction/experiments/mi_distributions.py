"""Distributions of `mi_tasks` whose columns determine one another, or with many thin pieces."""

import math
from typing import Any

import numpy as np
from scipy.special import gammaln, ive
from scipy.stats import vonmises_fisher

from simmim_lite.ground_truth import ClassAndFeature, ClassAndNormal, DiscreteTable, GroundTruth


class UniformCells(GroundTruth):
    """X and Y in (0, 1), with a joint density that is constant in each cell of a grid.

    ``table`` (K_x, K_y) holds the probabilities of the cells, and I is that of the table.
    """

    def __init__(self, table: Any):
        self._cells = DiscreteTable(table)
        self._nats = self._cells.mutual_information

    def _draw(self, n, generator):
        x, y = self._cells._draw(n, generator)
        place = generator.random((2, n, 1))
        K_x, K_y = self._cells.table.shape
        return (x + place[0]) / K_x, (y + place[1]) / K_y


class NoisyDirection(GroundTruth):
    """X uniform on the unit sphere of ``dim`` columns, Y from von Mises & Fisher around X.

    Circle: ``dim`` = 2. With concentration c, h(Y|X) = -log C(c) - c A(c), where C is the constant
    of the density, c^(d/2-1) / ((2 pi)^(d/2) I_{d/2-1}(c)), and A = I_{d/2} / I_{d/2-1}, with
    modified Bessel functions (Mardia & Jupp, *Directional Statistics*, 2000, section 9.3). Y is
    uniform, so I = log(area) + log C(c) + c A(c).
    """

    def __init__(self, dim: int, concentration: float):
        self.dim_x = self.dim_y = d = dim
        self.concentration = c = concentration
        bessel = ive(d / 2 - 1, c)  # times exp(-c)
        constant = (d / 2 - 1) * math.log(c) - d / 2 * math.log(2 * math.pi) - math.log(bessel) - c
        area = math.log(2) + d / 2 * math.log(math.pi) - gammaln(d / 2)
        self._nats = float(area + constant + c * ive(d / 2, c) / bessel)

    def _draw(self, n, generator):
        x = generator.standard_normal((n, self.dim_x))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        pole = np.eye(self.dim_x)[0]
        y = vonmises_fisher(pole, self.concentration).rvs(n, random_state=generator)
        axis = x - pole  # the reflection that takes the pole to x
        axis /= np.linalg.norm(axis, axis=1, keepdims=True)
        return x, y - 2 * axis * (axis * y).sum(axis=1, keepdims=True)


class OneHotClass(GroundTruth):
    """``base`` with its class X (integer) as K one-hot columns; I is that of ``base``."""

    def __init__(self, base: ClassAndFeature | ClassAndNormal):
        self.base, self.dim_x, self.dim_y = base, base.K, base.dim_y

    def _information(self):
        return self.base._information()

    def _draw(self, n, generator):
        x, y = self.base._draw(n, generator)
        return np.eye(self.dim_x)[x[:, 0]], y
