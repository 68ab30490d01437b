"""Fusion: one vector from the vectors of several modalities, some of which may be missing.

``fusion({name: (N, dim)}, present=None) -> (N, dim)``. A modality that is not in the dictionary is
missing in all rows; ``present`` (N, M) bool marks the modalities of each row. The values of a
missing modality, for example NaN, change nothing and receive no gradient.

| class | output, computed from the present modalities | can represent XOR |
|---|---|---|
| `AverageFusion` | mean | no |
| `WeightedFusion` | mean with learned weights, the same for all rows | no |
| `GatedFusion` | mean with weights computed from the row, feature by feature | yes |
| `ConcatenationFusion` | hidden layer of the concatenated vectors | yes |
| `BilinearFusion` | product of learned projections | yes |
| `AttentionFusion` | mean after self-attention between modalities | yes |
| `ProductOfExperts` | Bayes' rule for log-probabilities | no |

XOR stands for synergy, information that the modalities carry together and none carries alone. The
constructor is ``Fusion(names, dim, *, seed=0)``. After a call, ``fusion.weights`` (N, M) holds the
weights of the modalities in each row, or None. `FusedClassifier` adds a linear layer to a fusion;
`BayesClassifier` combines classifiers of single modalities without joint training.

Examples:
    >>> import torch
    >>> features = {"image": torch.tensor([[1.0, 0.0]]), "speech": torch.tensor([[3.0, 2.0]])}
    >>> average = AverageFusion(["image", "speech"], dim=2)
    >>> average(features)
    tensor([[2., 1.]])
    >>> average({"image": features["image"]})  # without speech
    tensor([[1., 0.]])
    >>> bayes = ProductOfExperts(["image", "speech"], dim=2)  # two experts that agree
    >>> bayes({name: torch.tensor([[0.8, 0.2]]).log() for name in bayes.names}).exp()
    tensor([[0.9412, 0.0588]])
"""

from simmim_lite.fusion._fusions import (
    FUSIONS as FUSIONS,
    AttentionFusion as AttentionFusion,
    AverageFusion as AverageFusion,
    BayesClassifier as BayesClassifier,
    BilinearFusion as BilinearFusion,
    ConcatenationFusion as ConcatenationFusion,
    FusedClassifier as FusedClassifier,
    Fusion as Fusion,
    GatedFusion as GatedFusion,
    ProductOfExperts as ProductOfExperts,
    WeightedFusion as WeightedFusion,
    drop_modalities as drop_modalities,
    fit_temperature as fit_temperature,
)
