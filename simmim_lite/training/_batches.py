"""Batches from tensors in memory: their order and augmentation follow from a seed and a number."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from simmim_lite._arguments import check_integer
from simmim_lite._random import random_generator, seed_device, seed_for

Tree = Any  # a tensor, or a tuple, list or dict of trees
Transform = Callable[[Tree, torch.Generator], Tree]


class Batches:
    """Shuffled batches: ``batches[i]`` is number i of a stream that has no end.

    ``len(batches)`` of them are an epoch, and a loop over ``batches`` is the first.
    Batch i is a function of the data, ``seed`` and i alone, so a run that was killed goes on where
    it was with nothing but a number to remember. What an epoch leaves over, less than a batch, is
    left out: every batch has the same number of negatives. Each epoch leaves out others.

    Args:
        data: a tensor or array (N, ...), or a tuple or dict of them, all with N rows; batches come
            in the same form, as tensors of the same type (uint8 images stay uint8). Memory-mapped
            arrays are read a batch at a time, if not ``resident``.
        batch_size: rows of a batch, at most N.
        seed: of the order and of the augmentation.
        transform: ``transform(batch, generator) -> batch``, for the whole batch at once, on the
            device that trains; it draws from ``generator`` only.
        resident: `fit` moves all data to its device once, and not each batch anew.
    """

    def __init__(
        self,
        data: Tree,
        batch_size: int,
        *,
        seed: int = 0,
        transform: Transform | None = None,
        resident: bool = True,
    ):
        self.data = map_tree(_as_tensor, data)
        lengths = [len(leaf) for leaf in leaves(self.data)]
        if not lengths or len(set(lengths)) > 1:
            raise ValueError(f"data: expected tensors with the same number of rows, got {lengths}")
        self.rows = lengths[0]
        self.batch_size = check_integer("batch_size", batch_size, minimum=1, maximum=self.rows)
        self.seed = check_integer("seed", seed, minimum=0)
        self.transform, self.resident = transform, resident
        self.device = torch.device("cpu")
        self._epoch, self._order = -1, torch.empty(0)

    def __len__(self) -> int:
        return self.rows // self.batch_size

    def __getitem__(self, i: int) -> Tree:
        return self.part(i)

    def __iter__(self) -> Iterator[Tree]:
        return map(self.part, range(len(self)))

    def to(self, device: torch.device | str) -> "Batches":
        """Batches come on this device from now on; resident data are moved."""
        self.device = torch.device(device)
        if self.resident:
            self.data = map_tree(lambda leaf: leaf.to(self.device), self.data)
        return self

    def part(self, i: int, *, process: int = 0, processes: int = 1) -> Tree:
        """The rows of batch i that belong to one of several processes.

        The rows of all of them make up the batch; each draws its own augmentation.
        """
        i = check_integer("i", i, minimum=0)
        if self.batch_size % processes:
            raise ValueError(
                f"batch_size: expected a multiple of {processes}, the number of processes, got "
                f"{self.batch_size}"
            )
        epoch, within = divmod(i, len(self))
        size = self.batch_size // processes
        start = within * self.batch_size + process * size
        chosen = self._order_of(epoch)[start : start + size]
        batch = map_tree(lambda leaf: leaf[chosen.to(leaf.device)].to(self.device), self.data)
        if self.transform is None:
            return batch
        generator = torch.Generator(self.device)
        generator.manual_seed(seed_for(self.seed, f"augment batch {i} in process {process}"))
        return self.transform(batch, generator)

    def _order_of(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            order = random_generator(self.seed, f"order of epoch {epoch}").permutation(self.rows)
            self._epoch, self._order = epoch, torch.from_numpy(order)
        return self._order


class Stream:
    """Batch number i of `Batches` or of a `DataLoader`, the rows of this process, on a device.

    A DataLoader is asked in order only. Its own random numbers are torch's global ones: they are
    seeded by the number of the batch, so that a resumed run, which reads over the batches that it
    has seen, gets the same ones. Several processes need a DistributedSampler in it.
    """

    def __init__(
        self,
        batches: Batches | DataLoader,
        device: torch.device,
        *,
        seed: int,
        process: int,
        processes: int,
    ):
        self.batches, self.device, self.seed = batches, device, seed
        self.process, self.processes = process, processes
        self._loader: Iterator | None = None
        self._next = -1
        if isinstance(batches, Batches):
            batches.to(device)

    def __getitem__(self, i: int) -> Tree:
        if isinstance(self.batches, Batches):
            return self.batches.part(i, process=self.process, processes=self.processes)
        epoch, within = divmod(i, len(self.batches))
        if self._loader is None or within == 0:
            self._next = i - within
            self._seed(self._next)
            sampler = getattr(self.batches, "sampler", None)
            if hasattr(sampler, "set_epoch"):
                sampler.set_epoch(epoch)
            self._loader = iter(self.batches)
        while True:
            self._seed(self._next)
            batch = next(self._loader)
            self._next += 1
            if self._next > i:
                return map_tree(lambda leaf: leaf.to(self.device, non_blocking=True), batch)

    def _seed(self, i: int) -> None:
        seed_device(self.device, self.seed, f"load batch {i} in process {self.process}")


def map_tree(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """The same tuple, list or dict with ``function`` applied to all its leaves."""
    if isinstance(tree, Mapping):
        return {name: map_tree(function, value) for name, value in tree.items()}
    if isinstance(tree, tuple | list):
        values = [map_tree(function, value) for value in tree]
        return type(tree)(*values) if hasattr(tree, "_fields") else type(tree)(values)
    return function(tree)


def leaves(tree: Tree) -> list[Any]:
    """The leaves of a tree, in the order in which `map_tree` visits them."""
    found: list[Any] = []
    map_tree(found.append, tree)
    return found


def _as_tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        tensor = value
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        with warnings.catch_warnings():  # a read-only array is as good: it is never written to
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            tensor = torch.from_numpy(value)
    else:
        got = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else repr(value)
        raise TypeError(f"data: expected tensors or arrays of numbers, got {got:.200}")
    if tensor.ndim == 0:
        raise ValueError("data: expected tensors with a row for each sample, got a single number")
    return tensor


def length_of_epoch(batches: Any) -> int:
    """Batches of an epoch; refuses what can't be trained on again and again."""
    if not isinstance(batches, Batches | DataLoader):
        raise TypeError(f"batches: expected Batches or a DataLoader, got {batches!r:.200}")
    if len(batches) == 0:
        raise ValueError("batches: expected at least one batch an epoch, got none")
    return len(batches)
