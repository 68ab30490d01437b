"""Multimodal information maximization: what belongs together shall know of each other.

    pairs = Pairing({"image": images, "speech": waveforms}, {"image": digits, "speech": words})
    model = MultimodalInfoMax({"image": ImageEncoder(), "speech": AudioEncoder()})
    history = model.fit(pairs, steps=500)
    z = model.project({"image": test_images, "speech": test_waveforms})
    scores = model.scores(z, "image", "speech")

A `Pairing` says which items belong together, and knows exactly how much information that makes
them share; `MultimodalInfoMax` learns embeddings by a lower bound on it; `exact_bound` gives any
bound on a whole population of pairs, without sampling.
"""

from simmim_lite.multimodal._model import MultimodalInfoMax as MultimodalInfoMax
from simmim_lite.multimodal._objective import (
    OBJECTIVES as OBJECTIVES,
    Critic as Critic,
    InformationObjective as InformationObjective,
    minus_log as minus_log,
)
from simmim_lite.multimodal._pairing import (
    BlindPairing as BlindPairing,
    Pairing as Pairing,
    Population as Population,
)
from simmim_lite.multimodal._population import exact_bound as exact_bound
from simmim_lite.multimodal._views import lightness_and_color as lightness_and_color
