"""Public doors of the package that take arrays, and what may happen when one is called.

A door is a public function, or a public method or constructor of a public class, with a parameter
that can hold an array. `walk` finds all of them by their annotations. Each needs a recipe
(`recipes.py`): how to call it with small data, and which changes of the data change nothing. A door
without a recipe stands in `EXEMPT`, with the reason.

The rule of all tests here: where a result must not change, it doesn't change; where it can't be
had, ValueError or TypeError names the argument.
"""

import collections.abc
import dataclasses
import fnmatch
import importlib
import inspect
import pkgutil
import re
import types
import typing
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy import sparse

import simmim_lite

ARRAYS = (np.ndarray, torch.Tensor, pd.DataFrame, sparse.csr_array)
ANYTHING = (Any, npt.ArrayLike)

# Parameters that hold choices or names rather than data.
OPTIONS = {
    *("args", "batch_sizes", "device", "functions", "generator", "given", "header", "ks"),
    *("lengths", "levels", "methods", "modalities", "names", "scale", "search", "shape"),
}

EXEMPT = {
    # Records that the package fills itself.
    "datasets.Captions": "a result",
    "datasets.Emoji": "a result",
    "datasets.Glosses": "a result",
    "datasets.Images": "a result",
    "datasets.PairedSample": "a result",
    "datasets.Population": "a result",
    "datasets.Speech": "a result",
    "datasets.Table": "a result",
    "datasets.Tweets": "a result",
    "datasets.VisualQuestions": "a result",
    "entropy.PairCounts": "a result of PairCounts.of",
    "evaluation.Attribution": "a result",
    "generation.Generated": "a result",
    "generation.FoundItems*": "made and used by CrossModalGenerator",
    "manifold.Stage": "a result",
    "memory.ReadResult": "a result",
    "training.History": "a result",
    "evaluation.LabeledSplit": "four arrays without a check; transfer_table checks them",
    # Called by another door, which has checked the arrays.
    "*.encode": "hook of an encoder, called by forward with prepared items",
    "*.fuse": "hook of a fusion, called by forward",
    "encoders.Encoder.augment": "changes nothing",
    "encoders.Encoder.prepare": "abstract",
    "generation.Generator.sample": "an interface",
    "training.Batches.transformed": "hook of Batches",
    "memory.Backend.*": "storage behind SimulatedMemory, which checks",
    "memory.KeyTables.*": "storage behind SimulatedMemory, which checks",
    "memory.Milvus.*": "storage behind SimulatedMemory, which checks",
    "memory.Ram.*": "storage behind SimulatedMemory, which checks",
    "memory.SQLite.*": "storage behind SimulatedMemory, which checks",
    # No numbers of the user.
    "exercises.Case": "the answer of an exercise, written by its author",
    "exercises.Exercise": "the texts of an exercise, written by its author",
    "exercises.check": "the answer of a learner, of any type: a wrong one is explained",
    "exercises.verify": "a condition of a notebook",
    "masked.random_masks": "sizes",
    "training.load_trained": "modules and arrays to fill",
    "training.save_trained": "modules and arrays as they are",
    # No numbers come back.
    "evaluation.deployment_table": "seconds and bytes",
    "figures.*": "draws what it is given",
    "storage.pack": "a tree of anything that can be stored",
    # What comes in goes out, unread.
    "fusion.Fusion.presence": "asks only which names are there; forward checks",
    "fusion.FusedClassifier.augment": "calls the encoders' augment",
    "memory.SumMemory.read": "a sum for each query, whatever the query",
    "training.gather_rows": "changes nothing in one process",
}
# `*.encode` is a hook of encoders only.
NO_HOOKS = {
    "encoders.Tokenizer.encode",
    "generation.ConditionalVAE.encode",
    "generation.LatentSpace.encode",
    "masked.MaskedModel.encode",
    "multimodal.MultimodalInfoMax.encode",
}


def takes_array(annotation: Any, inside: bool = False) -> bool:
    """Whether a parameter can hold an array, a table, or a sequence or mapping of data."""
    if annotation in ANYTHING or annotation in ARRAYS:
        return True
    if isinstance(annotation, str):
        return any(kind.__name__ in annotation for kind in ARRAYS)
    if isinstance(annotation, typing.TypeVar):
        return any(takes_array(kind) for kind in annotation.__constraints__)
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(takes_array(part) for part in parts)
    if origin in (collections.abc.Mapping, dict):
        return takes_array(parts[1], True)
    if origin in (collections.abc.Sequence, collections.abc.Iterable, list, tuple):
        return any(takes_array(part, True) for part in parts)
    return inside and annotation in (str, int, float)


def array_parameters(function: Callable[..., Any]) -> list[str]:
    """Names of the parameters of a function or class that can hold arrays."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # an exception
        return []
    return [
        parameter.name
        for parameter in parameters
        if parameter.kind is not parameter.VAR_KEYWORD
        and parameter.name not in OPTIONS
        and takes_array(parameter.annotation)
    ]


def walk() -> dict[str, list[str]]:
    """Names of all doors, such as "memory.SimulatedMemory.write", with their array parameters."""
    found: dict[str, list[str]] = {}
    for module_info in pkgutil.iter_modules(simmim_lite.__path__):
        if module_info.name.startswith("_"):
            continue
        module = importlib.import_module(f"simmim_lite.{module_info.name}")
        for name, value in vars(module).items():
            if not name.startswith("_") and getattr(value, "__module__", "").startswith(
                module.__name__
            ):
                for path, function in _callables(name, value):
                    if array_parameters(function):
                        found[f"{module_info.name}.{path}"] = array_parameters(function)
    return found


def _callables(name: str, value: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """A function, or a class with its public methods, inherited ones by the name of their class."""
    if inspect.isfunction(value):
        yield name, value
    elif inspect.isclass(value):
        yield name, value
        for method_name, method in inspect.getmembers(value):
            method = getattr(method, "__func__", method)
            if not inspect.isfunction(method) or not method.__module__.startswith("simmim_lite"):
                continue
            if not method_name.startswith("_") or method_name == "__call__":
                yield method.__qualname__, method


def exempt(name: str) -> bool:
    if name in NO_HOOKS:
        return False
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in EXEMPT)


# --- recipes -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Argument:
    """Ordinary data of one argument.

    Attributes:
        value: an array; of kind "texts" a list of strings, of kind "graph" a sparse matrix.
        kind: "numbers", "recordings" (of any lengths), "images" (0..1), "pixels" (uint8),
            "probabilities", "whole" (numbers that count or index), "labels" (symbols of any type),
            "classes" (symbols that may have to be 0..K-1), "mask", "texts", "graph", "frame".
        rows: arguments of one door with the same letter have the same length.
        tensor: the door is written for tensors.
    """

    value: Any
    kind: str = "numbers"
    rows: str = ""
    tensor: bool = False

    @property
    def native(self) -> Any:
        """The value as the door documents it: float32 or int64 tensors, or the value itself."""
        return self.given(self.value)

    def given(self, array: Any) -> Any:
        """An array of this argument's kind as the door documents it."""
        if not self.tensor or self.kind in ("texts", "graph"):
            return array.astype(np.float32) if self.kind == "images" else array.copy()
        tensor = torch.from_numpy(np.ascontiguousarray(array).copy())
        return tensor.float() if tensor.is_floating_point() else tensor


@dataclass(frozen=True, eq=False)
class Door:
    """How to call a door, and what doesn't change its result.

    Attributes:
        name: as in `walk`; `label` tells several recipes of one door apart.
        call: takes the arguments by name.
        shift, scale: groups of arguments, "x" or "x y" for several together, to which a constant
            may be added, or which may be multiplied by a positive number.
        far: the largest constant of a shift: beyond, the sums of scores lose digits.
        undo: (result, c) -> result without the factor c, for results that scale.
        layer: the door is a layer or a loss, called with tensors in a training loop, which must
            not wait for a check on a GPU: NaN may give a result that is visibly not finite, and
            an error of torch about shapes and dtypes is enough.
        rowwise: rows of the result depend on rows of the first argument only, so none gives none.
        foreign: arguments are checked by another library, whose words don't name the argument.
        draws: random numbers, in the dtype of its data, so that another one gives other draws.
        builds: a module, which is on torch's default device.
        slow: takes more than some milliseconds, so that fewer variants are tried.
        rare: takes seconds, so that only its origin, its unit and wrong data are tried.
    """

    name: str
    call: Callable[..., Any]
    arguments: dict[str, Argument]
    label: str = ""
    tolerance: float = 1e-6
    shift: Sequence[str] = ()
    scale: Sequence[str] = ()
    far: float = 2.0**40
    undo: Callable[[Any, float], Any] = lambda result, c: result
    layer: bool = False
    rowwise: bool = False
    foreign: bool = False
    draws: bool = False
    builds: bool = False
    slow: bool = False
    rare: bool = False
    also: Sequence[str] = ()  # parameters that the call fills, such as a dict of the arguments

    def few(self, variants: Sequence[Any]) -> Sequence[Any]:
        """All variants, or some of them where the door is slow."""
        return variants[:1] if self.rare else variants[::3] if self.slow else variants

    def __repr__(self) -> str:
        return f"{self.name}[{self.label}]" if self.label else self.name

    @cached_property
    def expected(self) -> dict[str, np.ndarray]:
        """Result for the ordinary data."""
        return as_arrays(self.call(**self.natives()))

    def natives(self, **changed: Any) -> dict[str, Any]:
        return {name: a.native for name, a in self.arguments.items()} | changed

    def of(self, **changed: Any) -> "Outcome":
        """What the door does with some other arguments."""
        return outcome(self, self.natives(**changed))

    def names(self, message: str, name: str) -> bool:
        """Whether a message begins with an argument, or with the one that contains it."""
        return any(names_argument(message, one) for one in (name, *self.also))

    def complaint(
        self,
        name: str,
        found: "Outcome",
        expected: Mapping[str, np.ndarray] | None,
        *,
        tolerance: float | None = None,
        loud: bool = False,
    ) -> str | None:
        """What is wrong with an outcome: neither the expected result nor an error with the name.

        Without an ``expected`` result only an error is right; with ``loud``, any error of a layer.
        """
        if self.layer and loud and isinstance(found, Broken | Refused):
            return None
        if isinstance(found, Refused):
            named = self.foreign or self.names(found.message, name)
            return None if named else f"the error doesn't name it: {found.message:.150}"
        if isinstance(found, Broken):
            return f"strange error: {found.message:.150}"
        if expected is None:
            return f"no error: {short(found)}"
        difference = differ(found, expected, tolerance or self.tolerance)
        return difference and f"another result: {difference}"


@dataclass(frozen=True)
class Refused:
    """The door raised ValueError or TypeError."""

    message: str


@dataclass(frozen=True)
class Broken:
    """The door raised something else, or warned."""

    message: str


Outcome = Refused | Broken | dict[str, np.ndarray]


def outcome(door: Door, arguments: dict[str, Any]) -> Outcome:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return as_arrays(door.call(**arguments))
    except (ValueError, TypeError) as error:
        return Refused(str(error))
    except Exception as error:
        return Broken(f"{type(error).__name__}: {error}")


def names_argument(message: str, name: str) -> bool:
    """Whether a message begins with this argument: "x: expected ...", "keys['a']: expected ..."."""
    head, colon, _ = message.partition(": expected")
    return bool(colon) and bool(re.search(rf"\b{re.escape(name)}\b", head))


def as_arrays(result: Any, path: str = "result") -> dict[str, np.ndarray]:
    """The numbers and words of any result, as arrays by the place where they stand."""
    if result is None:
        return {}
    if isinstance(result, torch.Tensor):
        return {path: result.detach().cpu().to_dense().double().numpy()}
    if sparse.issparse(result):
        return {path: result.toarray()}
    if isinstance(result, pd.DataFrame):
        return {f"{path}.{c}": _plain(result[c].to_numpy()) for c in result.columns}
    if isinstance(result, Mapping):
        return _merged((f"{path}[{key}]", value) for key, value in result.items())
    if dataclasses.is_dataclass(result):
        fields = dataclasses.fields(result)
        return _merged((f"{path}.{f.name}", getattr(result, f.name)) for f in fields)
    if isinstance(result, list | tuple) and not _flat(result):
        return _merged((f"{path}[{i}]", value) for i, value in enumerate(result))
    return {path: _plain(np.asarray(result))}


def _flat(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str | int | float | bool | np.generic) for value in values)


def _plain(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64) if array.dtype.kind in "biuf" else array.astype(str)


def _merged(parts: Any) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for path, value in parts:
        found |= as_arrays(value, path)
    return found


def differ(
    found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], tolerance: float
) -> str | None:
    """Where two results differ by more than the tolerance, relative to the largest number."""
    if set(found) != set(expected):
        return f"{sorted(set(found) ^ set(expected))} in one of them"
    for path, right in expected.items():
        left = found[path]
        if left.shape != right.shape:
            return f"{path} of shape {left.shape} instead of {right.shape}"
        if left.dtype.kind != right.dtype.kind:
            return f"{path} of another type"
        if left.dtype.kind == "U":
            if not (left == right).all():
                return f"{path} is {left.ravel()[:3]} instead of {right.ravel()[:3]}"
            continue
        finite = right[np.isfinite(right)]
        size = np.abs(finite).max(initial=1e-300)
        same = np.isclose(left, right, rtol=tolerance, atol=tolerance * size, equal_nan=True)
        if not same.all():
            i = np.unravel_index(int((~same).argmax()), same.shape) if same.ndim else ()
            return f"{path} is {left[i]} instead of {right[i]}"
    return None


def short(result: Mapping[str, np.ndarray]) -> str:
    return ", ".join(f"{path} {array.ravel()[:3]}" for path, array in list(result.items())[:3])


def finite(result: Mapping[str, np.ndarray]) -> bool:
    return all(np.isfinite(a).all() for a in result.values() if a.dtype.kind != "U")
