"""Keys that also find what the embedder never learned."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from simmim_lite._arguments import check_integer
from simmim_lite.multimodal import MultimodalInfoMax

_FLOOR = 1e-3  # of the largest deviation: directions below it are noise


class WhitenedKeys:
    """What the encoders make of items, before the shared space, with all directions as wide.

    Training makes wide what tells the classes of training apart, and narrow what does not. A class
    that it never saw differs from others in the narrow directions too, and there it is found, if
    they count as much (whitening of embeddings: Su et al. 2021, arXiv 2103.15316). The price: keys
    of different modalities do not meet, so a query can search the keys of its own one only.

        keys = WhitenedKeys(embedder, pairs.items)
        memory.write(keys(new), new)

    Args:
        embedder: trained.
        items: by modality, N training items each, more than ``dim``, that say what is wide.
        dim: of the keys, at most the encoders'.
    """

    def __init__(self, embedder: MultimodalInfoMax, items: Mapping[str, Any], dim: int = 64):
        self.embedder, self._maps = embedder, {}
        for name, features in embedder.encode(items).items():
            most = min(features.shape[1], len(features) - 1)
            check_integer("dim", dim, minimum=1, maximum=most)
            mean = features.mean(dim=0)
            _, lengths, directions = torch.linalg.svd(features - mean, full_matrices=False)
            deviations = lengths[:dim] / (len(features) - 1) ** 0.5
            self._maps[name] = mean, directions[:dim].T / (deviations + _FLOOR * deviations[0])

    def __call__(self, items: Mapping[str, Any]) -> dict[str, Tensor]:
        """Unit vectors (N, dim) for each modality, on the CPU."""
        unknown = set(items) - set(self._maps)
        if unknown:
            raise ValueError(f"items: expected some of {list(self._maps)}, got {sorted(unknown)}")
        found = {}
        for name, features in self.embedder.encode(items).items():
            mean, scaled = self._maps[name]
            found[name] = normalize((features - mean) @ scaled, dim=1)
        return found
