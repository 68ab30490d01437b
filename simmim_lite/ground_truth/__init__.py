"""Distributions whose mutual information is known: the yardsticks for every estimator.

Each has ``sample(n, seed) -> x (n, dim_x), y (n, dim_y)``, the truth ``mutual_information`` in
nats, and ``mutual_information_error``, its standard error: 0 where a formula gives the truth.
"""

from simmim_lite.ground_truth._base import GroundTruth as GroundTruth
from simmim_lite.ground_truth._curves import (
    CURVES as CURVES,
    AdditiveNoise as AdditiveNoise,
    NoisyCurve as NoisyCurve,
)
from simmim_lite.ground_truth._maps import (
    MIXING_MAPS as MIXING_MAPS,
    MONOTONE_MAPS as MONOTONE_MAPS,
    Joined as Joined,
    MixingTransform as MixingTransform,
    MonotoneTransform as MonotoneTransform,
    WithNoiseDimensions as WithNoiseDimensions,
)
from simmim_lite.ground_truth._normal import (
    CorrelatedGaussian as CorrelatedGaussian,
    Gaussian as Gaussian,
    GaussianMixture as GaussianMixture,
    Independent as Independent,
    StudentT as StudentT,
)
from simmim_lite.ground_truth._symbols import (
    ClassAndFeature as ClassAndFeature,
    ClassAndNormal as ClassAndNormal,
    DiscreteTable as DiscreteTable,
)
