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
from simmim_lite.fusion import Fusion, drop_modalities
from simmim_lite.multimodal._objective import InformationObjective, Objective
from simmim_lite.multimodal._pairing import Pairing
from simmim_lite.multimodal._population import exact_bound
from simmim_lite.storage import CheckpointError, pack, unpack, write_atomically
from simmim_lite.training import Batches, History, fit

Augment = Callable[[Tensor, torch.Generator], Tensor]

_ROWS = 1024  # embedded at a time


class MultimodalInfoMax(nn.Module):
    """Maximizes a lower bound on the information between each two modalities.

    Each modality has an encoder (N, ...) -> (N, its dim), a linear projection to ``dim`` columns,
    and the unit sphere; each pair of modalities a temperature of its own, learned. The loss is
    minus the sum over pairs of the bound (van den Oord et al. 2018, arXiv 1807.03748; several
    views: Tian et al. 2020, arXiv 1906.05849, "full graph"; symmetric with a learned temperature:
    Radford et al. 2021, arXiv 2103.00020). No label enters it, but what belongs together is said
    by whoever made the pairs.

    With ``fusion`` there are more terms: of each modality with the fusion of all others. They see
    what pairs cannot, synergy: a third modality may tell nothing about the first nor the second,
    and all about both together.

    Args:
        encoders: by the name of the modality; `simmim_lite.encoders.Encoder`, or any module with
            ``dim`` that maps (N, ...) to (N, dim).
        dim: of the shared space.
        fusion: for three modalities or more, whose encoders have the same ``dim``.
        drop: in training, probability that a fusion does without one of its modalities.
        objective: the bound, one of `OBJECTIVES`, or a function of scores (K, K).
        temperature: where those of the pairs begin.
        seed: of the projections.
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
        for name, encoder in encoders.items():
            if not isinstance(getattr(encoder, "dim", None), int):
                raise TypeError(f"encoders: expected a module with a number dim for {name!r}")
        self.dim = check_integer("dim", dim, minimum=1)
        self.drop = check_number("drop", drop, minimum=0.0, maximum=1.0)
        self.names = tuple(encoders)
        self.encoders = nn.ModuleDict(encoders)
        pairs = list(combinations(self.names, 2))
        if fusion is not None:
            _check_fusion(fusion, encoders)
            pairs += [(name, _others(name)) for name in self.names]
        with seeded(seed):
            self.projections = nn.ModuleDict(
                {
                    name: nn.Linear(encoder.dim, dim, bias=False)
                    for name, encoder in encoders.items()
                }
            )
            self.fusion = fusion
            if fusion is not None:
                self.joint_projection = nn.Linear(fusion.dim, dim, bias=False)
        self.information = InformationObjective(pairs, objective, temperature)

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Unit vectors (N, dim) of each modality and, with fusion, of all but each."""
        encoded = {name: self.encoders[name](items) for name, items in batch.items()}
        outputs = {name: self._unit(name, values) for name, values in encoded.items()}
        if self.fusion is not None:
            for left_out in self.names:
                outputs[_others(left_out)] = self._joint(encoded, self._rest(encoded, left_out))
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
            pairs: a `Pairing`, or items that belong together row by row.
            augment: vary the items by their encoders' ``augment``, or by functions of your own,
                ``function(prepared batch, generator) -> batch`` for each modality that has one.
            options: further ones of `simmim_lite.training.fit`; unless ``warmup`` is given, it is a
                twentieth of the steps.

        Returns:
            The history, with the nats of each pair by its name ("image-speech").
        """
        pairs = pairs if isinstance(pairs, Pairing) else Pairing(pairs)
        if set(pairs.items) != set(self.names):
            got = ", ".join(pairs.items)
            raise ValueError(f"pairs: expected the modalities {', '.join(self.names)}, got {got}")
        if not isinstance(augment, Mapping):
            own = {name: getattr(self.encoders[name], "augment", None) for name in self.names}
            augment = {name: vary for name, vary in own.items() if augment and vary}
        draw = _Draw(pairs, dict(self.encoders), augment)
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
        """What the encoders make of some or all modalities: (N, their dim), on the CPU.

        The number of items may differ between modalities.
        """
        return self._in_parts(items, lambda name, batch: self.encoders[name](batch))

    def project(self, items: Mapping[str, Any]) -> dict[str, Tensor]:
        """Unit vectors in the shared space: (N, dim) for each modality, on the CPU."""
        return self._in_parts(
            items, lambda name, batch: self._unit(name, self.encoders[name](batch))
        )

    def fuse(self, items: Mapping[str, Any], present: Tensor | None = None) -> Tensor:
        """Unit vectors (N, dim) of the present modalities together, on the CPU.

        Args:
            items: some or all modalities, N items each; what stands in a missing place does not
                matter, but for its shape.
            present: (N, modalities) bool; None is all that are given.
        """
        if self.fusion is None:
            raise ValueError("fuse: expected a model that was made with a fusion, got none")
        encoded = self.encode(items)
        with torch.no_grad():
            device = self.joint_projection.weight.device
            encoded = {name: values.to(device) for name, values in encoded.items()}
            return self._joint(encoded, present).cpu()

    def scores(self, projected: Mapping[str, Tensor], first: str, second: str) -> Tensor:
        """What the critic of two modalities says of all pairs: (N, M).

        Args:
            projected: from `project`, with N and M rows.
        """
        names = f"{first}-{second}"
        check_choice("first, second", names, tuple(self.information.critics))
        with torch.no_grad():
            critic = self.information.critics[names]
            device = critic.log_temperature.device
            return critic(projected[first].to(device), projected[second].to(device)).cpu()

    def exact_information(
        self, pairs: Pairing, bound: str = "info_nce", **options: Any
    ) -> dict[tuple[str, str], float]:
        """Nats that the critics show of a whole population, as `exact_bound` counts them.

        Args:
            pairs: best of a test split, to be compared with their ``mutual_information``.
            bound, options: as for `exact_bound`.
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
        """Write the weights to a file: whole or not at all, with a checksum, without code."""
        state = {"model": str(self), "weights": dict(self.state_dict())}
        write_atomically(Path(path), pack(state))

    def load(self, path: str | Path) -> "MultimodalInfoMax":
        """Read weights that a model made in the same way has saved; returns the model.

        Raises:
            CheckpointError: a damaged file, or one of another model.
        """
        path = Path(path)
        state = unpack(path.read_bytes(), path.name)
        if not isinstance(state, dict) or set(state) != {"model", "weights"}:
            raise CheckpointError(f"{path.name}: expected what MultimodalInfoMax.save wrote")
        for there, here in zip(state["model"].splitlines(), str(self).splitlines(), strict=False):
            if there != here:
                raise CheckpointError(
                    f"{path.name}: of another model: {there.strip()} there, {here.strip()} here"
                )
        self.load_state_dict(state["weights"])
        return self

    def _unit(self, name: str, encoded: Tensor) -> Tensor:
        return normalize(self.projections[name](encoded), dim=1)

    def _joint(self, encoded: Mapping[str, Tensor], present: Tensor | None = None) -> Tensor:
        return normalize(self.joint_projection(self.fusion(encoded, present)), dim=1)

    def _rest(self, encoded: Mapping[str, Tensor], left_out: str) -> Tensor:
        """Which modalities are fused: not this one, and in training some others neither."""
        here = torch.tensor([name != left_out for name in self.fusion.names])
        present = here.expand(len(encoded[left_out]), -1)
        return drop_modalities(present, self.drop) if self.training and self.drop else present

    def _in_parts(self, items: Mapping[str, Any], embed: Any) -> dict[str, Tensor]:
        unknown = set(items) - set(self.names)
        if unknown:
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


class _Draw:
    """From row numbers (B,) to a batch: partners drawn, items varied; labels stay out of it."""

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
    return encoder.prepare(items) if hasattr(encoder, "prepare") else torch.as_tensor(items)


def _others(name: str) -> str:
    return f"all but {name}"


def _check_fusion(fusion: Fusion, encoders: Mapping[str, nn.Module]) -> None:
    dims = {name: encoder.dim for name, encoder in encoders.items()}
    if len(encoders) < 3:
        raise ValueError(
            "fusion: expected three modalities or more, of which two are fused to meet the third, "
            f"got {len(encoders)}"
        )
    if set(fusion.names) != set(encoders) or set(dims.values()) != {fusion.dim}:
        raise ValueError(
            f"fusion: expected one of the encoders' names and dims, {dims}, got "
            f"{list(fusion.names)} of {fusion.dim}"
        )
