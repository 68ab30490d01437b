"""Encoders of several modalities, trained so that their embeddings share information."""

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from simmim_lite import storage
from simmim_lite._arguments import as_array, check_choice, check_integer, check_number
from simmim_lite._random import seeded
from simmim_lite._torch_state import like_parameters
from simmim_lite.bounds import exact_bound
from simmim_lite.datasets import Pairing
from simmim_lite.encoders._base import ByName, encoded, evaluating, on_device
from simmim_lite.fusion import Fusion
from simmim_lite.multimodal._objective import InformationObjective, Objective
from simmim_lite.training import Batches, History, fit

Augment = Callable[[Tensor, torch.Generator], Tensor]

_ROWS = 1024  # embedded at a time


class MultimodalInfoMax(nn.Module):
    """Encoders that maximize a lower bound on the information between each two modalities.

    Each modality has an encoder (N, ...) -> (N, its dim), a linear projection to ``dim`` columns
    and a normalization to unit length; each pair of modalities has its own learned temperature. The
    loss is the negative sum of the bound over the pairs (van den Oord et al. 2018, arXiv
    1807.03748; several views: Tian et al. 2020, arXiv 1906.05849, "full graph"; symmetric with a
    learned temperature: Radford et al. 2021, arXiv 2103.00020). The loss uses no label, but a
    `Pairing` can use labels to form the positives.

    With ``fusion`` the loss has one more term for each modality: the bound for this modality and
    the fusion of all others. These terms measure synergy, which pairs cannot: a third modality can
    share nothing with the first and nothing with the second, but much with both together.

    Args:
        encoders: by modality; an `encoders.Encoder`, or any module with ``dim`` -> (N, dim).
        dim: of the shared space.
        fusion: for three or more modalities, whose encoders all have the ``dim`` of the fusion.
        objective, temperature: as for `InformationObjective`.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        dim: int = 64,
        *,
        fusion: Fusion | None = None,
        objective: Objective = "info_nce",
        temperature: float = 0.07,
        seed: int = 0,
    ):
        super().__init__()
        if len(encoders) < 2:
            raise ValueError(f"encoders: expected at least two, got {list(encoders)}")
        dims: dict[str, Any] = {name: getattr(x, "dim", None) for name, x in encoders.items()}
        for name, columns in dims.items():
            if not isinstance(columns, int):
                raise TypeError(f"encoders: expected a module with a number dim for {name!r}")
        self.dim = check_integer("dim", dim, minimum=1)
        self.names = tuple(encoders)
        self.encoders = ByName(encoders, "encoders")
        pairs = list(combinations(self.names, 2))
        if fusion is not None:
            _check_fusion(fusion, dims)
            pairs += [(name, _others(name)) for name in self.names]
            if taken := set(map(_others, self.names)) & set(self.names):
                raise ValueError(f"encoders: expected other names than {taken.pop()!r}, a fusion")
        with seeded(seed):
            projections = {name: nn.Linear(n, dim, bias=False) for name, n in dims.items()}
            self.projections = ByName(projections, "encoders")
            self.fusion = fusion
            if fusion is not None:
                self.joint_projection = nn.Linear(fusion.dim, dim, bias=False)
        self.information = InformationObjective(pairs, objective, temperature)

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Unit vectors (N, dim) of each modality and, with fusion, of all but each modality."""
        vectors = {name: encoded(self.encoders[name], items) for name, items in batch.items()}
        outputs = {name: _unit(self.projections[name], values) for name, values in vectors.items()}
        if self.fusion is not None:
            for left_out in self.names:
                others = [name != left_out for name in self.fusion.names]
                first = vectors[left_out]
                present = torch.tensor(others, device=first.device).expand(len(first), -1)
                fused = self.fusion(vectors, present)
                outputs[_others(left_out)] = _unit(self.joint_projection, fused)
        return outputs

    def fit(
        self,
        pairs: Pairing | Mapping[str, Sequence[Any]],
        *,
        batch_size: int = 256,
        steps: int | None = None,
        epochs: int | None = None,
        learning_rate: float = 4e-3,
        weight_decay: float = 1e-4,
        augment: bool | Mapping[str, Augment] = True,
        seed: int = 0,
        **options: Any,
    ) -> History:
        """Train in place; return the history, with the nats of each pair by its name ("a-b").

        Args:
            pairs: a `Pairing`, or items whose rows are positive pairs.
            augment: augment the items by their encoders' ``augment``, or by functions of your own,
                ``function(prepared batch, generator) -> batch`` for each modality that has one.
            options: of `simmim_lite.training.fit`; by default ``warmup`` is a 20th of the steps.
        """
        started = time.monotonic()
        pairs = pairs if isinstance(pairs, Pairing) else Pairing(pairs)
        if set(pairs.items) != set(self.names):
            got = ", ".join(pairs.items)
            raise ValueError(f"pairs: expected the modalities {', '.join(self.names)}, got {got}")
        if not isinstance(augment, Mapping):
            own = {name: getattr(self.encoders[name], "augment", None) for name in self.names}
            augment = {name: function for name, function in own.items() if augment and function}
        for name in augment:
            check_choice("augment", name, self.names)
        draw = _DrawPositives(pairs, self.encoders, augment)
        batches = Batches(np.arange(len(pairs)), batch_size, seed=seed, transform=draw)
        if options.get("seconds") is not None:  # the time to prepare the items counts
            limit = check_number("seconds", options["seconds"], minimum=0)
            options["seconds"] = max(0.0, limit - (time.monotonic() - started))
        length = steps if epochs is None else epochs * len(batches)
        options = {"warmup": (length or 0) // 20} | options
        options |= {"learning_rate": learning_rate, "weight_decay": weight_decay}
        options |= {"steps": steps, "epochs": epochs, "seed": seed}
        return fit(self, self.information, batches, **options)

    def encode(self, items: Mapping[str, Any]) -> dict[str, Tensor]:
        """Outputs (N, dim) of some or all encoders, on the CPU; N and dim may differ."""
        return self._in_parts(items, lambda name, vectors: vectors)

    def project(self, items: Mapping[str, Any]) -> dict[str, Tensor]:
        """Unit vectors in the shared space: (N, dim) for each modality, on the CPU."""
        return self._in_parts(items, lambda name, x: _unit(self.projections[name], x))

    def fuse(self, items: Mapping[str, Any], present: Tensor | None = None) -> Tensor:
        """Unit vectors (N, dim) of the fused modalities, on the CPU; ValueError without a fusion.

        ``items`` are N of some or all modalities. Those that are not ``present`` (N, modalities)
        need the right shape, and have no effect.
        """
        if self.fusion is None:
            raise ValueError("fuse: expected a model that was made with a fusion, got none")
        with evaluating(self):
            return _unit(self.joint_projection, self.fusion(self.encode(items), present)).cpu()

    def scores(self, projected: Mapping[str, Tensor], first: str, second: str) -> Tensor:
        """Scores (N, M) of all pairs of items of `project`, modalities in the encoders' order."""
        pairs = {pair: name for name, pair in self.information.pairs.items()}
        check_choice("first, second", (first, second), pairs)
        critic = self.information.critic(pairs[first, second])
        with evaluating(critic):
            return critic(*(like_parameters(critic, projected[n]) for n in (first, second))).cpu()

    def exact_information(
        self, pairs: Pairing, bound: str = "info_nce", **options: Any
    ) -> dict[tuple[str, str], float]:
        """Expectation of a bound over the whole population of pairs, in nats, for each critic.

        The pairs are preferably of a test split; compare with their ``mutual_information``. The
        ``bound`` and ``options`` are those of `simmim_lite.bounds.exact_bound`.
        """
        projected = self.project(pairs.items)
        found = {}
        for first, second in combinations(self.names, 2):
            population = pairs.population(first, second)
            z = {first: projected[first][population.first]}
            z[second] = projected[second][population.second]
            scores = self.scores(z, first, second)
            found[first, second] = exact_bound(scores, population.joint, bound, **options)
        return found

    def save(self, path: str | Path) -> None:
        """Write the weights to a file, complete or not at all, with a checksum, without code."""
        state = {"model": storage.description(self), "weights": dict(self.state_dict())}
        storage.write_atomically(Path(path), storage.pack(state))

    def load(self, path: str | Path) -> "MultimodalInfoMax":
        """Read weights that a model of the same arguments has saved; return the model.

        A damaged file, or a file of another model, raises CheckpointError.
        """
        path = Path(path)
        state = storage.unpack(path.read_bytes(), path.name)
        if not isinstance(state, dict) or set(state) != {"model", "weights"}:
            raise storage.CheckpointError(f"{path.name}: expected a file of MultimodalInfoMax.save")
        with storage.expecting(path.name, "weights of this model"):
            own = storage.description(self).splitlines()
            for there, here in zip(state["model"].splitlines(), own, strict=False):
                if there != here:
                    got = f"of another model: {there.strip()} there, {here.strip()} here"
                    raise storage.CheckpointError(f"{path.name}: {got}")
            self.load_state_dict(state["weights"])
        return self

    def _in_parts(
        self, items: Mapping[str, Any], embed: Callable[[str, Tensor], Tensor]
    ) -> dict[str, Tensor]:
        for name in items:
            check_choice("items", name, self.names)
        device = next(self.projections.parameters()).device
        found = {}
        with evaluating(self):
            for name, values in items.items():
                encoder = self.encoders[name]
                parts = _prepare(encoder, values).split(_ROWS)
                vectors = [embed(name, encoded(encoder, part.to(device))) for part in parts]
                found[name] = torch.cat([part.cpu() for part in vectors])
        return found


class _DrawPositives:
    """Transform of row numbers (B,) into a batch of augmented positives, without labels."""

    def __init__(self, pairs: Pairing, encoders: ByName, augment: Mapping[str, Augment]):
        self.pairs, self.augment = pairs, augment
        self.prepared = {name: _prepare(encoders[name], pairs.items[name]) for name in encoders}

    def __call__(self, rows: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        batch = {}
        for name, chosen in self.pairs.indices(rows, generator).items():
            self.prepared[name] = on_device(self.prepared[name], rows.device)
            batch[name] = self.prepared[name][chosen]
            if name in self.augment:
                batch[name] = self.augment[name](batch[name], generator)
        return batch


def _prepare(encoder: nn.Module, items: Any) -> Tensor:
    prepare: Any = getattr(encoder, "prepare", None)
    if prepare is not None:
        return prepare(items)
    return items if isinstance(items, Tensor) else torch.from_numpy(as_array("items", items))


def _unit(layer: nn.Module, vectors: Tensor) -> Tensor:
    """Unit vectors (N, dim) in the shared space."""
    return normalize(layer(like_parameters(layer, vectors)), dim=1)


def _others(name: str) -> str:
    return f"all but {name}"


def _check_fusion(fusion: Fusion, dims: Mapping[str, int]) -> None:
    if len(dims) < 3:
        expected = "three or more modalities, so that each has two others to fuse"
        raise ValueError(f"fusion: expected {expected}, got {len(dims)}")
    if set(fusion.names) != set(dims) or set(dims.values()) != {fusion.dim}:
        expected = f"the names and dims of the encoders, {dict(dims)}"
        raise ValueError(f"fusion: expected {expected}, got {list(fusion.names)} of {fusion.dim}")
