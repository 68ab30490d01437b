"""The same numbers in another dtype, layout or container give the same result, or are refused."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from doors import Broken, Door, Refused
from variants import array_layouts, arrays, containers, doors, other_types, tensor_layouts


@pytest.mark.parametrize("door", doors(1))
def test_other_dtype_of_the_same_numbers(door: Door):
    wrong = []
    for name, argument in arrays(door):
        for kind, value, same in door.few(other_types(argument)):
            right = door.of(**{name: argument.given(same)})
            found = door.of(**{name: value})
            if isinstance(right, Broken | Refused):
                if isinstance(found, dict):
                    wrong.append(f"{name} as {kind}: accepted, but not as documented")
                continue
            loose = {"float16": 2e-2, "bfloat16": 5e-2}
            tolerance = next((t for k, t in loose.items() if k in kind), 1e-4)
            tolerance = max(tolerance, door.tolerance)
            if isinstance(found, dict) and (door.draws or (door.layer and "float16" in kind)):
                continue  # draws of another dtype; sums of half precision
            complaint = door.complaint(name, found, right, tolerance=tolerance, loud=True)
            if complaint:
                wrong.append(f"{name} as {kind}: {complaint}")
    assert not wrong, "\n".join(wrong)


def unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, torch.Tensor):
        return torch.equal(before, after.detach())
    return np.array_equal(np.asarray(before), np.asarray(after), equal_nan=True)


@pytest.mark.parametrize("door", doors(2))
def test_other_layout_of_the_same_numbers(door: Door):
    """Layouts are never a reason to refuse: they don't show in Python."""
    wrong = []
    for name, argument in arrays(door):
        base = argument.native
        if base.ndim == 0:
            continue
        layouts = tensor_layouts(base) if argument.tensor else array_layouts(base)
        for kind, value in door.few(layouts):
            before = value.detach().clone() if argument.tensor else value.copy()
            found = door.of(**{name: value})
            loud = kind == "made in inference mode"  # torch refuses it where gradients flow
            complaint = door.complaint(name, found, door.expected, loud=loud)
            if isinstance(found, Refused):
                complaint = f"refused: {found.message:.100}"
            if not complaint and not unchanged(before, value):
                complaint = "the caller's array changed"
            if complaint:
                wrong.append(f"{name}, {kind}: {complaint}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("door", doors(3))
def test_the_arrays_of_the_caller_stay_as_they_are(door: Door):
    given = door.natives()
    before = {name: copy.deepcopy(given[name]) for name, _ in arrays(door)}
    door.call(**given)
    assert [name for name in before if not unchanged(before[name], given[name])] == []


@pytest.mark.parametrize("door", doors(4))
def test_other_container_of_the_same_numbers(door: Door):
    wrong = []
    for name, argument in arrays(door):
        if argument.value.ndim == 0:
            continue
        array = argument.native.numpy() if argument.tensor else argument.native
        for kind, value in door.few(containers(array)):
            if argument.kind == "pixels" and kind in ("list", "tuple"):
                continue  # a list of whole numbers has lost that they are bytes
            found = door.of(**{name: value})
            if isinstance(found, dict) and door.draws:
                continue  # a list has lost its dtype, and the draws depend on it
            complaint = door.complaint(name, found, door.expected, loud=True)
            if complaint:
                wrong.append(f"{name} as {kind}: {complaint}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "door", doors(5, lambda d: not any(a.tensor for a in d.arguments.values()))
)
def test_lists_frames_and_tensors_are_taken(door: Door):
    """A door for arrays takes the usual containers, instead of refusing all of them."""
    usual = ("list", "tensor", "Series", "DataFrame", "tensor that requires grad")
    refused = []
    for name, argument in arrays(door):
        if door.name == "training.Batches":  # a list is a tree of arrays
            continue
        other = ("pixels", "images", "whole", "recordings")
        if argument.kind in other or argument.value.ndim not in (1, 2):
            continue
        variants = [v for v in containers(argument.native) if v[0] in usual]
        for kind, value in door.few(variants):
            found = door.of(**{name: value})
            if isinstance(found, Refused):
                refused.append(f"{name} as {kind}: {found.message:.100}")
    assert not refused, "\n".join(refused)


@pytest.mark.parametrize(
    "door", doors(6, lambda d: any(a.kind == "texts" for a in d.arguments.values()))
)
def test_texts_in_other_containers(door: Door):
    import pandas as pd

    wrong = []
    for name, argument in door.arguments.items():
        if argument.kind != "texts":
            continue
        words = argument.value
        for kind, value in [
            ("tuple", tuple(words)),
            ("array", np.array(words)),
            ("objects", np.array(words, object)),
            ("Series", pd.Series(words, index=range(7, 7 + len(words)))),
            ("string Series", pd.Series(words, dtype="string")),
            ("category", pd.Series(words, dtype="category")),
            ("Index", pd.Index(words)),
        ]:
            complaint = door.complaint(name, door.of(**{name: value}), door.expected)
            if complaint:
                wrong.append(f"{name} as {kind}: {complaint}")
    assert not wrong, "\n".join(wrong)
