"""Encoders of several modalities, trained so that their embeddings share information."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from simmim_lite._arguments import check_choice, check_integer, check_number
from simmim_lite._random import seeded
from simmim_lite.bounds import exact_bound
from simmim_lite.datasets import Pairing
from simmim_lite.fusion import Fusion, drop_modalities
from simmim_lite.multimodal._objective import InformationObjective, Objective
from simmim_lite.storage import CheckpointError, pack, unpack, write_atomically
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
        encoders: by name of the modality; a `simmim_lite.encoders.Encoder`, or any module with
            ``dim`` that maps (N, ...) to (N, dim).
        dim: of the shared space.
        fusion: for three or more modalities, whose encoders all have the ``dim`` of the fusion.
        drop: in training, probability that a fusion drops a modality.
        objective, temperature: as for `InformationObjective`.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        dim: int = 64,
        *,
        fusion: Fusion | None = None,
        drop: float = 0.0,
        objective: Objective = "info_nce",
        temperature: float = 0.07,
        seed: int = 0,
    ):
        super().__init__()
        if len(encoders) < 2:
            raise ValueError(f"encoders: expected at least two, got {list(encoders)}")
        dims: dict[str, Any] = {
            name: getattr(encoder, "dim", None) for name, encoder in encoders.items()
        }
        for name, columns in dims.items():
            if not isinstance(columns, int):
                raise TypeError(f"encoders: expected a module with a number dim for {name!r}")
        self.dim = check_integer("dim", dim, minimum=1)
        self.drop = check_number("drop", drop, minimum=0.0, maximum=1.0)
        self.names = tuple(encoders)
        self.encoders = nn.ModuleDict(encoders)
        pairs = list(combinations(self.names, 2))
        if fusion is not None:
            _check_fusion(fusion, dims)
            pairs += [(name, _others(name)) for name in self.names]
        with seeded(seed):
            self.projections = nn.ModuleDict(
                {name: nn.Linear(columns, dim, bias=False) for name, columns in dims.items()}
            )
            self.fusion = fusion
            if fusion is not None:
                self.joint_projection = nn.Linear(fusion.dim, dim, bias=False)
        self.information = InformationObjective(pairs, objective, temperature)

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Unit vectors (N, dim) of each modality and, with fusion, of all but each modality."""
        encoded = {name: self.encoders[name](items) for name, items in batch.items()}
        outputs = {name: self._unit(name, values) for name, values in encoded.items()}
        if self.fusion is not None:
            for left_out in self.names:
                others = torch.tensor([name != left_out for name in self.fusion.names])
                present = others.expand(len(encoded[left_out]), -1)
                if self.training and self.drop:
                    present = drop_modalities(present, self.drop)
                outputs[_others(left_out)] = self._joint(self.fusion(encoded, present))
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
        """Train in place, with `simmim_lite.training.fit`.

        Args:
            pairs: a `Pairing`, or items whose rows are positive pairs.
            augment: augment the items by their encoders' ``augment``, or by functions of your own,
                ``function(prepared batch, generator) -> batch`` for each modality that has one.
            options: of `simmim_lite.training.fit`; by default ``warmup`` is a 20th of the steps.

        Returns:
            The history, with the nats of each pair by its name ("image-speech").
        """
        pairs = pairs if isinstance(pairs, Pairing) else Pairing(pairs)
        if set(pairs.items) != set(self.names):
            got = ", ".join(pairs.items)
            raise ValueError(f"pairs: expected the modalities {', '.join(self.names)}, got {got}")
        if not isinstance(augment, Mapping):
            own = {name: getattr(self.encoders[name], "augment", None) for name in self.names}
            augment = {name: function for name, function in own.items() if augment and function}
        draw = _DrawPositives(pairs, dict(self.encoders), augment)
        batches = Batches(torch.arange(len(pairs)), batch_size, seed=seed, transform=draw)
        length = steps if epochs is None else epochs * len(batches)
        options = {"warmup": (length or 0) // 20} | options
        return fit(
            self,
            self.information,
            batches,
            steps=steps,
            epochs=epochs,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            seed=seed,
            **options,
        )

    def encode(self, items: Mapping[str, Any]) -> dict[str, Tensor]:
        """Outputs of the encoders for some or all modalities: (N, their dim), on the CPU.

        The number of items may differ between modalities.
        """
        return self._in_parts(items, lambda name, x: self.encoders[name](x))

    def project(self, items: Mapping[str, Any]) -> dict[str, Tensor]:
        """Unit vectors in the shared space: (N, dim) for each modality, on the CPU."""
        return self._in_parts(items, lambda name, x: self._unit(name, self.encoders[name](x)))

    def fuse(self, items: Mapping[str, Any], present: Tensor | None = None) -> Tensor:
        """Unit vectors (N, dim) of the fused modalities, on the CPU; ValueError without a fusion.

        Args:
            items: some or all modalities, N items each. Missing items need the right shape; their
                values have no effect.
            present: (N, modalities) bool; None: all modalities that ``items`` holds.
        """
        if self.fusion is None:
            raise ValueError("fuse: expected a model that was made with a fusion, got none")
        encoded = self.encode(items)
        with torch.no_grad():
            device = self.joint_projection.weight.device
            encoded = {name: values.to(device) for name, values in encoded.items()}
            return self._joint(self.fusion(encoded, present)).cpu()

    def scores(self, projected: Mapping[str, Tensor], first: str, second: str) -> Tensor:
        """Scores (N, M) of the critic of two modalities, for all pairs of items.

        ``projected`` is from `project`, and the modalities are in the order of the encoders.
        """
        names = f"{first}-{second}"
        check_choice("first, second", names, tuple(self.information.pairs))
        with torch.no_grad():
            critic = self.information.critic(names)
            device = next(critic.parameters()).device
            return critic(projected[first].to(device), projected[second].to(device)).cpu()

    def exact_information(
        self, pairs: Pairing, bound: str = "info_nce", **options: Any
    ) -> dict[tuple[str, str], float]:
        """Expectation of a bound over the whole population of pairs, in nats, for each critic.

        Args:
            pairs: preferably of a test split; compare with their ``mutual_information``.
            bound, options: as for `simmim_lite.bounds.exact_bound`.
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
        state = {"model": str(self), "weights": dict(self.state_dict())}
        write_atomically(Path(path), pack(state))

    def load(self, path: str | Path) -> "MultimodalInfoMax":
        """Read weights that a model of the same arguments has saved; return the model.

        Raises:
            CheckpointError: a damaged file, or a file of another model.
        """
        path = Path(path)
        state = unpack(path.read_bytes(), path.name)
        if not isinstance(state, dict) or set(state) != {"model", "weights"}:
            raise CheckpointError(f"{path.name}: expected a file of MultimodalInfoMax.save")
        for there, here in zip(state["model"].splitlines(), str(self).splitlines(), strict=False):
            if there != here:
                difference = f"{there.strip()} there, {here.strip()} here"
                raise CheckpointError(f"{path.name}: of another model: {difference}")
        self.load_state_dict(state["weights"])
        return self

    def _unit(self, name: str, encoded: Tensor) -> Tensor:
        return normalize(self.projections[name](encoded), dim=1)

    def _joint(self, fused: Tensor) -> Tensor:
        return normalize(self.joint_projection(fused), dim=1)

    def _in_parts(
        self, items: Mapping[str, Any], embed: Callable[[str, Tensor], Tensor]
    ) -> dict[str, Tensor]:
        if not set(items) <= set(self.names):
            expected = ", ".join(self.names)
            raise ValueError(f"items: expected some of {expected}, got {', '.join(items)}")
        device = next(self.projections.parameters()).device
        was_training = self.training
        self.eval()
        try:
            with torch.no_grad():
                parts = {
                    name: _prepare(self.encoders[name], values).split(_ROWS)
                    for name, values in items.items()
                }
                return {
                    name: torch.cat([embed(name, part.to(device)).cpu() for part in column])
                    for name, column in parts.items()
                }
        finally:
            self.train(was_training)


class _DrawPositives:
    """Transform of row numbers (B,) into a batch of augmented positives, without labels."""

    def __init__(
        self, pairs: Pairing, encoders: Mapping[str, nn.Module], augment: Mapping[str, Augment]
    ):
        self.pairs, self.augment = pairs, augment
        self.prepared = {name: _prepare(encoders[name], pairs.items[name]) for name in encoders}

    def __call__(self, rows: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        batch = {}
        for name, chosen in self.pairs.indices(rows, generator).items():
            self.prepared[name] = self.prepared[name].to(rows.device)
            batch[name] = self.prepared[name][chosen]
            if name in self.augment:
                batch[name] = self.augment[name](batch[name], generator)
        return batch


def _prepare(encoder: nn.Module, items: Any) -> Tensor:
    prepare = getattr(encoder, "prepare", torch.as_tensor)
    return prepare(items)


def _others(name: str) -> str:
    return f"all but {name}"


def _check_fusion(fusion: Fusion, dims: Mapping[str, int]) -> None:
    if len(dims) < 3:
        expected = "three or more modalities, so that each has two others to fuse"
        raise ValueError(f"fusion: expected {expected}, got {len(dims)}")
    if set(fusion.names) != set(dims) or set(dims.values()) != {fusion.dim}:
        expected = f"the names and dims of the encoders, {dict(dims)}"
        got = f"{list(fusion.names)} of {fusion.dim}"
        raise ValueError(f"fusion: expected {expected}, got {got}")
