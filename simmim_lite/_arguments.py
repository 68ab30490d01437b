"""Checks of public arguments: errors name the argument, what was expected and what came."""

from collections.abc import Collection, Sized
from typing import Any

import numpy as np


def as_array(name: str, value: Any) -> np.ndarray:
    """Return a NumPy view or copy of an array, list or tensor (CPU or GPU), not of ragged rows."""
    if hasattr(value, "detach"):  # only a tensor has it; isinstance would import torch
        value = value.detach().cpu()
        if "bfloat16" in str(value.dtype):  # NumPy has no bfloat16; torch.bfloat16 needs torch
            value = value.float()
        value = value.numpy()
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name}: expected an array, got rows of unequal length") from error


def as_samples(name: str, value: Any, *, minimum: int = 2) -> np.ndarray:
    """Return finite real samples as a float64 copy (N, d); a vector (N,) becomes (N, 1)."""
    array = as_array(name, value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected real numbers, got dtype {array.dtype}")
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"{name}: expected shape (N,) or (N, d) with d >= 1, got {array.shape}")
    if len(array) < minimum:
        raise ValueError(f"{name}: expected at least {minimum} samples, got {len(array)}")
    array = array.astype(np.float64)
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"{name}: expected finite numbers, got {array[row].tolist()} in row {row} "
            f"({int(bad.sum())} bad rows)"
        )
    return array


def as_labels(name: str, value: Any, *, minimum: int = 2) -> np.ndarray:
    """Return discrete samples of any sortable type as integers 0..K-1 of shape (N,).

    Each row of an (N, d) array is one symbol.
    """
    array = as_array(name, value)
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] == 0):
        raise ValueError(f"{name}: expected shape (N,) or (N, d) of symbols, got {array.shape}")
    if len(array) < minimum:
        raise ValueError(f"{name}: expected at least {minimum} samples, got {len(array)}")
    if array.dtype.kind in "fc" and not np.isfinite(array).all():
        row = int(np.argmax(~np.isfinite(array).reshape(len(array), -1).all(axis=1)))
        got = array[row].tolist()
        raise ValueError(f"{name}: expected finite symbols, got {got} in row {row}")
    if array.dtype.kind == "O":
        array = array.astype(str)
    if array.size == len(array):  # far faster than comparing rows
        return np.unique(array.ravel(), return_inverse=True)[1]
    return np.unique(array, axis=0, return_inverse=True)[1].reshape(-1)


def as_probabilities(name: str, value: Any, *, tolerance: float = 1e-9) -> np.ndarray:
    """Return a probability table of any shape as float64: finite, non-negative, with sum 1."""
    table = as_array(name, value)
    if table.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected probabilities, got dtype {table.dtype}")
    table = table.astype(np.float64)
    if table.size == 0 or table.ndim == 0:
        raise ValueError(f"{name}: expected a non-empty table of probabilities, got {table.shape}")
    infinite = ~np.isfinite(table)
    for bad, kind in ((infinite, "finite probabilities"), (table < 0, "probabilities >= 0")):
        if bad.any():
            index = tuple(np.argwhere(bad)[0].tolist())
            raise ValueError(f"{name}: expected {kind}, got {table[index]:g} at {index}")
    if abs(table.sum() - 1) > tolerance:
        raise ValueError(f"{name}: expected probabilities that sum to 1, got sum {table.sum():g}")
    return table


def check_same_length(**arrays: Sized) -> None:
    """Raise ValueError if arguments that describe the same samples differ in length."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        got = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"{' and '.join(lengths)}: expected the same number of samples, {got}")


def check_choice(name: str, value: Any, choices: Collection) -> None:
    """Raise ValueError if ``value`` is not one of ``choices``."""
    if value not in choices:
        options = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name}: expected one of {options}, got {value!r}")


def check_integer(name: str, value: Any, *, minimum: int, maximum: int | None = None) -> int:
    """Return a whole number within bounds as a Python int; True and 2.0 are refused."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name}: expected a whole number, got {value!r}")
    if value < minimum or (maximum is not None and value > maximum):
        bound = f">= {minimum}" if maximum is None else f"in {minimum}..{maximum}"
        raise ValueError(f"{name}: expected a whole number {bound}, got {value}")
    return int(value)


def check_number(name: str, value: Any, *, minimum: float, maximum: float = np.inf) -> float:
    """Return a finite real number in [minimum, maximum] as a Python float; True is refused."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    if not (np.isfinite(value) and minimum <= value <= maximum):
        raise ValueError(f"{name}: expected a number in [{minimum:g}, {maximum:g}], got {value}")
    return float(value)
