"""Batches of tensors in memory; a seed and a number determine their order and their transform."""

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from simmim_lite._arguments import as_array, check_integer
from simmim_lite._random import random_generator, seed_device, seed_for
from simmim_lite._torch_state import cpu_by_default
from simmim_lite.training._processes import this_process

Tree = Any  # a tensor, or a tuple, list or dict of trees
Transform = Callable[[Tree, torch.Generator], Tree]  # transform(batch, generator) -> batch


class Batches:
    """Shuffled batches: ``batches[i]`` is batch number i of an endless stream.

    An epoch has ``len(batches)`` batches; a loop over ``batches`` runs over the first epoch.
    Batch i is a function of the data, ``seed`` and i alone. So a resumed run needs only the number
    of the next batch. The rows of an epoch that do not fill a batch are left out, so that every
    batch has the same number of negatives; each epoch leaves out other rows.

    Args:
        data: a tensor or array (N, ...), or a tuple, list or dict of them, all with N rows. Batches
            have the same form, as tensors of the same type (uint8 images stay uint8). `fit` moves
            the data to its device; a CPU reads memory-mapped arrays batch by batch. For data that
            do not fit on a GPU, take a DataLoader.
        batch_size: rows of a batch, at most N.
        transform: ``transform(batch, generator) -> batch``, for example an augmentation. Its input
            is the whole batch, on the device that trains; it draws from ``generator`` only.
    """

    def __init__(
        self, data: Tree, batch_size: int, *, seed: int = 0, transform: Transform | None = None
    ):
        self.data = map_tree(_as_tensor, data)
        lengths = [len(leaf) for leaf in leaves(self.data)]
        if not lengths or len(set(lengths)) > 1:
            raise ValueError(f"data: expected tensors with the same number of rows, got {lengths}")
        self.rows = lengths[0]
        self.batch_size = check_integer("batch_size", batch_size, minimum=1, maximum=self.rows)
        self.seed = check_integer("seed", seed, minimum=0)
        self.transform = transform
        self._epoch, self._order = -1, torch.empty(0)

    def __len__(self) -> int:
        return self.rows // self.batch_size

    def __getitem__(self, i: int) -> Tree:
        return self.part(i)

    def __iter__(self) -> Iterator[Tree]:
        return map(self.part, range(len(self)))

    def to(self, device: torch.device | str) -> "Batches":
        """Move the data to ``device``, where the batches will be; return ``self``."""
        self.data = map_tree(lambda leaf: leaf.to(device), self.data)
        return self

    def part(self, i: int, *, process: int = 0, processes: int = 1) -> Tree:
        """Return the rows of batch ``i`` that belong to one of several processes.

        The parts of all processes make up the batch. Each process transforms its own part.
        """
        i = check_integer("i", i, minimum=0)
        size, left = divmod(self.batch_size, processes)
        if left:
            expected = f"a multiple of {processes}, the number of processes"
            raise ValueError(f"batch_size: expected {expected}, got {self.batch_size}")
        epoch, within = divmod(i, len(self))
        start = within * self.batch_size + process * size
        if epoch != self._epoch:
            order = random_generator(self.seed, f"order of epoch {epoch}").permutation(self.rows)
            self._epoch, self._order = epoch, torch.from_numpy(order)
        chosen = self._order[start : start + size]
        batch = map_tree(lambda leaf: leaf[chosen.to(leaf.device)], self.data)
        generator = torch.Generator(leaves(batch)[0].device)
        generator.manual_seed(seed_for(self.seed, f"augment batch {i} in process {process}"))
        return self.transformed(batch, i, generator)

    def transformed(self, batch: Tree, i: int, generator: torch.Generator) -> Tree:
        """Return ``self.transform(batch, generator)`` for batch number ``i``.

        A subclass may override this method if its transform depends on the number of the batch.
        """
        return batch if self.transform is None else self.transform(batch, generator)


Data = Batches | DataLoader


class Stream:
    """Batch number i of `Batches` or of a `DataLoader`: the rows of this process, on a device.

    A DataLoader can only be read in order, and draws from torch's global random numbers. They are
    seeded by the number of the batch. A resumed run reads over the batches that were seen before
    and so gets the same batches. Several processes need a DistributedSampler in the DataLoader.
    Leaves that are no tensors, such as captions, are passed on as they are.
    """

    def __init__(self, batches: Data, device: torch.device, seed: int):
        self.batches, self.device, self.seed = batches, device, seed
        self.process, self.processes = this_process()
        self._loader: Iterator[Tree] = iter(())
        self._next: int | None = None
        if isinstance(batches, Batches):
            batches.to(device)

    def __getitem__(self, i: int) -> Tree:
        if isinstance(self.batches, Batches):
            return self.batches.part(i, process=self.process, processes=self.processes)
        epoch, within = divmod(i, len(self.batches))
        if self._next is None or within == 0:
            self._next = i - within
            self._seed(self._next)
            if hasattr(self.batches.sampler, "set_epoch"):
                self.batches.sampler.set_epoch(epoch)
            with cpu_by_default():
                self._loader = iter(self.batches)
        while self._next <= i:
            self._seed(self._next)
            with cpu_by_default():
                batch = next(self._loader, self)
            if batch is self:
                expected, got = len(self.batches), self._next - (i - within)
                raise ValueError(f"batches: expected {expected} in an epoch, its length, got {got}")
            self._next += 1
        return map_tree(self._moved, batch)

    def _moved(self, leaf: Any) -> Any:
        return leaf.to(self.device, non_blocking=True) if isinstance(leaf, Tensor) else leaf

    def _seed(self, i: int) -> None:
        seed_device(self.device, self.seed, f"load batch {i} in process {self.process}")


def map_tree(
    function: Callable[[Any], Any], tree: Tree, whole: Callable[[Tree], bool] = lambda _: False
) -> Tree:
    """Apply ``function`` to each leaf; a tree of which ``whole(tree)`` holds is a leaf, too."""
    if whole(tree):
        return function(tree)
    if isinstance(tree, Mapping):
        named = {name: map_tree(function, value, whole) for name, value in tree.items()}
        if type(tree) is dict or not isinstance(tree, MutableMapping):
            return named
        changed = copy.copy(tree)  # a subclass may hold more than its items
        changed.update(named)
        return changed
    if isinstance(tree, tuple | list):
        values = [map_tree(function, value, whole) for value in tree]
        return type(tree)(*values) if hasattr(tree, "_fields") else type(tree)(values)
    return function(tree)


def leaves(tree: Tree) -> list[Any]:
    """Return the leaves of a tree, in the order in which `map_tree` visits them."""
    found: list[Any] = []
    map_tree(found.append, tree)
    return found


def part_of(batch: Tree, part: slice, rows: int) -> Tree:
    """Return some rows of a batch: of tensors, arrays and lists of texts; the rest stays whole."""
    lengths = [len(leaf) for leaf in leaves(batch) if _has_rows(leaf)]
    if len(set(lengths)) > 1:
        raise ValueError(f"chunk: expected parts of a batch with equal rows, got {lengths}")

    def is_column(tree: Tree) -> bool:
        items = isinstance(tree, tuple | list) and len(tree) == rows
        return items and not any(map(_has_rows, leaves(tree)))

    def cut(leaf: Any) -> Any:
        return leaf[part] if _has_rows(leaf) or isinstance(leaf, tuple | list) else leaf

    return map_tree(cut, batch, is_column)


def _has_rows(leaf: Any) -> bool:
    return isinstance(leaf, Tensor | np.ndarray) and leaf.ndim > 0


def rows_of(batch: Tree) -> int:
    """Return the number of rows of a batch: that of its first tensor."""
    for leaf in leaves(batch):
        if isinstance(leaf, Tensor) and leaf.ndim > 0:
            return len(leaf)
    raise TypeError(f"batches: expected tensors with a row for each sample, got {batch!r:.200}")


def check_batches(batches: Any) -> int:
    """Return the number of batches in an epoch; refuse data that cannot be read repeatedly."""
    if not isinstance(batches, Batches | DataLoader):
        raise TypeError(f"batches: expected Batches or a DataLoader, got {batches!r:.200}")
    try:
        number = len(batches)
    except TypeError as error:
        raise TypeError("batches: expected a DataLoader with a length, got one without") from error
    if number == 0:
        raise ValueError("batches: expected at least one batch in an epoch, got none")
    return number


def _is_plain(value: Any) -> bool:
    """Whether torch can read the values where they are, such as those of a memory map."""
    if isinstance(value, Tensor):
        return value.layout == torch.strided
    if type(value) not in (np.ndarray, np.memmap) or value.dtype.itemsize > 8:
        return False
    return value.dtype.isnative and min(value.strides, default=0) >= 0


def _as_tensor(value: Any) -> Tensor:
    columns = isinstance(value, np.ndarray) or hasattr(value, "to_numpy")  # pandas
    if (columns or isinstance(value, Tensor)) and not _is_plain(value):
        value = as_array("data", value)
    is_array = isinstance(value, np.ndarray)
    if is_array and value.dtype.kind in "biuf":
        with warnings.catch_warnings():  # read-only arrays are fine: no code writes to the data
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            value = torch.from_numpy(value)
    if not isinstance(value, Tensor):
        got = f"an array of {value.dtype}" if is_array else repr(value)
        raise TypeError(f"data: expected tensors or arrays of numbers, got {got:.200}")
    if value.ndim == 0:
        raise ValueError("data: expected tensors with a row for each sample, got a single number")
    return value.detach()
