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

from simmim_lite.multimodal._model import MultimodalInfoMax
from simmim_lite.multimodal._objective import OBJECTIVES, Critic, Information, minus_log
from simmim_lite.multimodal._pairing import BlindPairing, Pairing, Population
from simmim_lite.multimodal._population import exact_bound
from simmim_lite.multimodal._views import lightness_and_colour

__all__ = [
    "OBJECTIVES",
    "BlindPairing",
    "Critic",
    "Information",
    "MultimodalInfoMax",
    "Pairing",
    "Population",
    "exact_bound",
    "lightness_and_colour",
    "minus_log",
]
