"""Distributions with a known mutual information, to test estimators on.

Each has ``sample(n, seed) -> x (n, dim_x), y (n, dim_y)``, the true ``mutual_information`` in nats,
and ``mutual_information_error``, the standard error of that truth: 0 where a formula gives it.

Examples:
    >>> truth = CorrelatedGaussian(2, nats=1.5)
    >>> x, y = truth.sample(1000, seed=0)
    >>> x.shape, y.shape
    ((1000, 2), (1000, 2))
    >>> harder = WithNoiseDimensions(MonotoneTransform(truth, "cube", "exp"), 3)
    >>> harder.dim_x, harder.mutual_information
    (5, 1.5)
    >>> AdditiveNoise(width=0.5).mutual_information
    0.5
"""

from simmim_lite.ground_truth._base import (
    CorrelatedGaussian as CorrelatedGaussian,
    Gaussian as Gaussian,
    GaussianMixture as GaussianMixture,
    GroundTruth as GroundTruth,
    Independent as Independent,
    MonteCarloTruth as MonteCarloTruth,
    StudentT as StudentT,
)
from simmim_lite.ground_truth._derived import (
    MONOTONE_MAPS as MONOTONE_MAPS,
    AdditiveNoise as AdditiveNoise,
    ClassAndFeature as ClassAndFeature,
    DiscreteTable as DiscreteTable,
    MonotoneTransform as MonotoneTransform,
    WithNoiseDimensions as WithNoiseDimensions,
)
