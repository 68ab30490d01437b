"""The same data in other forms, and data that are wrong, for each kind of argument."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from doors import Argument, Door
from recipes import RECIPES

Variant = tuple[str, Any]


def often(door: Door) -> bool:
    return not door.rare


def doors(kind: int, pick: Callable[[Door], Any] = often) -> list[Any]:
    """Parameters of a test: the doors that ``pick`` takes, by default all that take no seconds.

    `make check` sees a seventh of the doors for each ``kind`` of test, another seventh for the
    next, and so each door in some kinds and each kind at some doors. The rest is marked slow.
    """
    found = []
    for number, door in enumerate(RECIPES):
        slow = door.slow or (number + kind) % 7 != 0
        if pick(door):
            found.append(pytest.param(door, id=repr(door), marks=[pytest.mark.slow] * slow))
    return found


def arrays(door: Door) -> list[tuple[str, Argument]]:
    """The arguments that are arrays or tensors of numbers."""
    other = ("texts", "graph", "frame")
    return [(name, a) for name, a in door.arguments.items() if a.kind not in other]


def objects(array: np.ndarray, kind: Callable[[Any], Any]) -> np.ndarray:
    """An object array of the same numbers as another type."""
    found = np.empty(array.shape, object)
    found.ravel()[:] = [kind(value) for value in array.ravel().tolist()]
    return found


def other_types(a: Argument) -> list[tuple[str, Any, np.ndarray]]:
    """Name, value of another type, and the same numbers in the documented type."""
    array = a.value
    plain: list[tuple[str, Any, np.ndarray]] = []
    if array.dtype.kind == "f":
        half = array.astype(np.float16)
        plain += [
            ("float64", array, array),
            ("float32", array.astype(np.float32), array),
            ("float16", half, half.astype(np.float64)),
            ("long double", array.astype(np.longdouble), array),
            ("floats as objects", objects(array, float), array),
            ("Decimal", objects(array, Decimal), array),
            ("Fraction", objects(array, Fraction), array),
        ]
        if a.kind == "numbers" and array.ndim:
            whole, sign = np.round(4 * array), (array > 0).astype(float)
            plain += [
                ("int64", whole.astype(np.int64), whole),
                ("int8", whole.astype(np.int8), whole),
                ("int as objects", objects(whole.astype(int), int), whole),
                ("uint8", np.abs(whole).astype(np.uint8), np.abs(whole)),
                ("bool", sign.astype(bool), sign),
            ]
    elif array.dtype.kind in "iu" and a.kind != "pixels":
        for kind in ("int8", "uint8", "int16", "uint64", "float64", "float32"):
            plain.append((kind, array.astype(kind), array))
        plain.append(("int as objects", objects(array, int), array))
        plain.append(("Decimal", objects(array, Decimal), array))
    elif array.dtype.kind == "b":
        plain.append(("int64", array.astype(np.int64), array))
        plain.append(("bool as objects", objects(array, bool), array))
    if a.tensor:
        for name, value, same in [*plain]:
            if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.itemsize <= 8:
                plain.append((f"tensor of {name}", tensor(value), same))
        if array.dtype.kind == "f":
            rounded = tensor(array).bfloat16()
            plain.append(("tensor of bfloat16", rounded, rounded.double().numpy()))
    elif array.dtype.kind == "f" and array.ndim:
        rounded = tensor(array).bfloat16()
        plain.append(("tensor of bfloat16", rounded, rounded.double().numpy()))
    return plain


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array).copy())


def array_layouts(array: np.ndarray) -> list[Variant]:
    """The same array in memory in other ways."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    tall = np.repeat(array, 2, axis=0)
    fixed = array.copy()
    fixed.setflags(write=False)
    back = np.ascontiguousarray(np.flip(array))
    swapped = array.astype(array.dtype.newbyteorder()) if array.itemsize > 1 else array
    padded = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    padded[...] = array
    return [
        ("foreign byte order", swapped),
        ("read-only", fixed),
        ("negative strides", np.flip(back)),
        ("Fortran order", np.asfortranarray(array)),
        ("every second column", wide[..., ::2]),
        ("every second row", tall[::2]),
        ("not aligned", padded),
        ("broadcast", np.broadcast_to(array, array.shape)),
        ("subclass", array.view(type("Other", (np.ndarray,), {}))),
    ]


def tensor_layouts(value: torch.Tensor) -> list[Variant]:
    """The same tensor in memory, or in the graph, in other ways."""
    wide = torch.zeros(*value.shape[:-1], 2 * value.shape[-1], dtype=value.dtype)
    wide[..., ::2] = value
    permuted = value.movedim(0, -1).contiguous().movedim(-1, 0)
    found = [
        ("every second column", wide[..., ::2]),
        ("permuted", permuted),
        ("every second row", value.repeat_interleave(2, dim=0)[::2]),
        ("expanded", value[None].expand(2, *value.shape)[1]),
    ]
    if value.is_floating_point():
        found.append(("requires grad", value.clone().requires_grad_()))
        found.append(("within a graph", value.clone().requires_grad_() * 1))
        found.append(("parameter", torch.nn.Parameter(value.clone())))
    with torch.inference_mode():
        found.append(("made in inference mode", value.clone()))
    return found


def containers(array: np.ndarray) -> list[Variant]:
    """The same array as lists, of pandas, as a tensor, with a mask of nothing."""
    found: list[Variant] = [
        ("list", array.tolist()),
        ("tuple", tuple(tuple(r) if isinstance(r, list) else r for r in array.tolist())),
        ("list of arrays", list(array)),
        ("masked array without a mask", np.ma.masked_array(array)),
        ("masked array, nothing masked", np.ma.masked_array(array, np.zeros(array.shape, bool))),
        ("tensor", tensor(array)),
    ]
    if array.dtype.kind == "f":
        found.append(("tensor that requires grad", tensor(array).requires_grad_()))
    if array.ndim == 1:
        series = pd.Series(array, index=np.arange(len(array))[::-1] + 7)
        found += [("Series", series), ("Index", pd.Index(array))]
        found.append(("nullable Series", series.convert_dtypes()))
    if array.ndim == 2:
        frame = pd.DataFrame(array, index=np.arange(len(array))[::-1] + 7)
        frame.columns = [f"c{i}" for i in range(array.shape[1])]
        found += [("DataFrame", frame), ("nullable DataFrame", frame.convert_dtypes())]
        if array.shape[1] == 1:
            found.append(("Series", frame.iloc[:, 0]))
    return found


def with_gaps(array: np.ndarray) -> list[Variant]:
    """The array with its first number missing, in every way in which data say so."""
    first = (0,) * array.ndim
    found: list[Variant] = []
    values = array.astype(float)
    for gap in (np.nan, np.inf, -np.inf):
        with_gap = values.copy()
        with_gap[first] = gap
        found.append((str(gap), with_gap))
        if gap is np.nan:
            found += [("nan in a tensor", tensor(with_gap)), ("nan in a list", with_gap.tolist())]
            found.append(("nan in float32", with_gap.astype(np.float32)))
    masked = np.ma.masked_array(array.copy(), np.zeros(array.shape, bool))
    masked[first] = np.ma.masked
    found.append(("masked", masked))
    for gap in (None, pd.NA, np.nan, pd.NaT, Decimal("NaN")):
        with_gap = objects(array, lambda value: value)
        with_gap[first] = gap
        found += [(f"{gap!r} in objects", with_gap)]
        if gap is None or gap is pd.NA:
            found.append((f"{gap!r} in a list", with_gap.tolist()))
    if array.ndim == 1:
        series = pd.Series(array).convert_dtypes()
        series.iloc[0] = pd.NA
        found.append(("NA in a nullable Series", series))
        found.append(
            ("NA in a category", pd.Series(array).astype("category").where(lambda s: s.index > 0))
        )
        times = pd.Series(pd.to_datetime(np.arange(len(array)), unit="D"))
        times.iloc[0] = pd.NaT
        found.append(("NaT", times.to_numpy()))
    if array.ndim == 2:
        frame = pd.DataFrame(array).convert_dtypes()
        frame.iloc[0, 0] = pd.NA
        found.append(("NA in a nullable DataFrame", frame))
    return found


def words_with_gaps(values: np.ndarray) -> list[Variant]:
    """Labels as words, with the first one missing."""
    words = [f"class {v}" for v in values]
    found: list[Variant] = []
    for gap in (None, pd.NA, np.nan):
        found.append((f"{gap!r} among words", np.array([gap, *words[1:]], object)))
        found.append((f"{gap!r} in a list of words", [gap, *words[1:]]))
    found.append(("NA in a string Series", pd.Series([pd.NA, *words[1:]], dtype="string")))
    found.append(("NA in a category of words", pd.Series([None, *words[1:]], dtype="category")))
    return found


def symbols(values: np.ndarray) -> list[Variant]:
    """The same symbols of other types, in the same order."""
    words = np.array([f"class {v}" for v in values])
    found: list[Variant] = [
        ("float", values.astype(float)),
        ("str", words),
        ("str in a list", words.tolist()),
        ("str as objects", words.astype(object)),
        ("category", pd.Series(words, dtype="category")),
        ("category of ints", pd.Series(values, dtype="category")),
        ("Categorical", pd.Categorical(words)),
        ("string Series", pd.Series(words, dtype="string")),
        ("bytes", words.astype("S")),
        ("ints as objects", objects(values, int)),
        ("Decimal", objects(values, Decimal)),
        ("tensor", torch.from_numpy(values.copy())),
        ("float tensor", torch.from_numpy(values.astype(float))),
        ("nullable ints", pd.Series(values, dtype="Int64")),
        ("dates", np.datetime64("2026-01-01") + values.astype("timedelta64[D]")),
        ("large ints", values + 2**62),
    ]
    if values.max() == 1:
        found += [
            ("bool", values.astype(bool)),
            ("nullable bool", pd.Series(values, dtype="boolean")),
        ]
    return found


def wrong_types() -> list[Variant]:
    return [
        ("str", "words"),
        ("bytes", b"words"),
        ("dict", {"a": [1.0, 2.0]}),
        ("generator", (float(i) for i in range(3))),
        ("set", {1.0, 2.0}),
        ("object", object()),
        ("a function", len),
        ("list of objects", [object(), object()]),
        ("array of words", np.array(["a", "b", "c"])),
        ("complex", np.array([[1j, 2.0], [0.0, 1.0], [1.0, 1.0]])),
        ("dates", np.array(["2026-01-01", "2026-01-02"], "datetime64[D]")),
    ]


def wrong_shapes(array: np.ndarray) -> list[Variant]:
    """No rows, no columns, no dimension, ragged rows, three more dimensions."""
    found: list[Variant] = [
        ("no rows", array[:0]),
        ("an empty list", []),
        ("one number", array.ravel()[:1].reshape(())),
        ("three more dimensions", array[..., None, None, None]),
    ]
    if array.ndim > 1:
        found.append(("no columns", array[..., :0]))
        rows = [row.tolist() for row in array]
        found.append(("ragged", [rows[0][:-1], *rows[1:]]))
    return found
