"""Multimodal information maximization: embeddings of positive pairs that share information.

A `Pairing` (of `simmim_lite.datasets`) defines the positive pairs, and knows exactly how much
information they share. `MultimodalInfoMax` learns embeddings by a lower bound on this information.
`exact_bound` (of `simmim_lite.bounds`) is the expectation of a bound over a population of pairs.

Examples:
    >>> import numpy as np
    >>> from simmim_lite.encoders import TabularEncoder
    >>> from simmim_lite.multimodal import MultimodalInfoMax, Pairing
    >>> classes = np.arange(200) % 4
    >>> rng = np.random.default_rng(0)
    >>> items = {name: np.eye(4)[classes] + 0.1 * rng.normal(size=(200, 4)) for name in ("a", "b")}
    >>> pairs = Pairing(items, {"a": classes, "b": classes})
    >>> pairs.mutual_information  # H(class) = ln 4 nats
    {('a', 'b'): 1.386...}
    >>> model = MultimodalInfoMax({name: TabularEncoder(4, 16, hidden=16) for name in items}, 8)
    >>> history = model.fit(pairs, steps=40, batch_size=64, progress=False)
    >>> 1.2 < model.exact_information(pairs)["a", "b"] < 1.387  # a lower bound
    True
    >>> {name: tuple(z.shape) for name, z in model.project(items).items()}
    {'a': (200, 8), 'b': (200, 8)}
"""

from simmim_lite.bounds import exact_bound as exact_bound
from simmim_lite.datasets import BlindPairing as BlindPairing, Pairing as Pairing
from simmim_lite.multimodal._model import MultimodalInfoMax as MultimodalInfoMax
from simmim_lite.multimodal._objective import (
    Critic as Critic,
    InformationObjective as InformationObjective,
    LearnedOffset as LearnedOffset,
    minus_log as minus_log,
)
