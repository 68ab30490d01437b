"""Fusion: vectors of several modalities into one, also where some are missing.

``fusion({name: (N, dim)}, present=None) -> (N, dim)``. A modality that is not in the dictionary is
missing in all rows; ``present`` says it row by row. What stands in a missing row, NaN for example,
changes nothing and gets no gradient.

| class | what it computes of the present modalities | can it tell a XOR b |
|---|---|---|
| `AverageFusion` | the mean | no |
| `WeightedFusion` | a mean with learned weights, the same for all rows | no |
| `GatedFusion` | a mean with weights that the rows themselves decide, feature by feature | yes |
| `ConcatenationFusion` | a layer over all of them side by side | yes |
| `BilinearFusion` | products of learned projections | yes |
| `AttentionFusion` | modalities look at each other, then the mean | yes |
| `ProductOfExperts` | of log-probabilities: what Bayes' rule says | no |

"a XOR b" stands for synergy: what both modalities know together and none alone. With a linear layer
behind it, the mean can only add up what each one says.

All are made by ``Fusion(names, dim)``. After a call, ``weights`` (N, M) are the shares that the M
modalities, in the order of ``names``, had in each row; None where there is no such thing.

`FusedClassifier` puts a linear layer behind a fusion; `BayesClassifier` needs no joint training.
"""

from simmim_lite.fusion._classifiers import (
    BayesClassifier as BayesClassifier,
    FusedClassifier as FusedClassifier,
    fit_temperature as fit_temperature,
)
from simmim_lite.fusion._kinds import (
    FUSIONS as FUSIONS,
    AttentionFusion as AttentionFusion,
    AverageFusion as AverageFusion,
    BilinearFusion as BilinearFusion,
    ConcatenationFusion as ConcatenationFusion,
    Fusion as Fusion,
    GatedFusion as GatedFusion,
    ProductOfExperts as ProductOfExperts,
    WeightedFusion as WeightedFusion,
)
from simmim_lite.fusion._missing import drop_modalities as drop_modalities
