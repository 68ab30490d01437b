"""Distributions whose mutual information is known: the yardsticks for every estimator.

Each has ``sample(n, seed) -> x (n, dim_x), y (n, dim_y)``, the truth ``mutual_information`` in
nats, and ``mutual_information_error``, its standard error: 0 where a formula gives the truth.
"""

from simmim_lite.ground_truth._base import GroundTruth
from simmim_lite.ground_truth._curves import CURVES, AdditiveNoise, NoisyCurve
from simmim_lite.ground_truth._maps import (
    MIXING_MAPS,
    MONOTONE_MAPS,
    Joined,
    MixingTransform,
    MonotoneTransform,
    WithNoiseDimensions,
)
from simmim_lite.ground_truth._normal import (
    CorrelatedGaussian,
    Gaussian,
    GaussianMixture,
    Independent,
    StudentT,
)
from simmim_lite.ground_truth._symbols import ClassAndFeature, ClassAndNormal, DiscreteTable

__all__ = [
    "CURVES",
    "MIXING_MAPS",
    "MONOTONE_MAPS",
    "AdditiveNoise",
    "ClassAndFeature",
    "ClassAndNormal",
    "CorrelatedGaussian",
    "DiscreteTable",
    "Gaussian",
    "GaussianMixture",
    "GroundTruth",
    "Independent",
    "Joined",
    "MixingTransform",
    "MonotoneTransform",
    "NoisyCurve",
    "StudentT",
    "WithNoiseDimensions",
]
