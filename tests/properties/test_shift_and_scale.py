"""Origin and unit of the data: 1e-12 to 1e12 of anything, without an effect where there is none."""

import numpy as np
import pytest
import torch
from doors import Door, Refused, outcome
from hypothesis import given, settings, strategies as st
from variants import doors

EXAMPLES = 4
POWERS = st.integers(-40, 40).map(lambda power: 2.0**power)


def differences(door: Door, group: str, change, c: float, undo=None) -> list[str]:
    """What is wrong after a change of some arguments: float64, and for tensors float32."""
    named = group.split()
    values = {name: change(door.arguments[name].value, name) for name in named}
    forms = [{n: torch.from_numpy(v) if door.arguments[n].tensor else v for n, v in values.items()}]
    if any(door.arguments[name].tensor for name in named) and (undo or not door.layer):
        exact = all(np.array_equal(v.astype(np.float32).astype(float), v) for v in values.values())
        forms = forms + [{n: door.arguments[n].given(v) for n, v in values.items()}] * exact
    wrong = []
    for form in forms[1:] if door.draws else forms:
        arguments = door.natives(**form)
        if undo is None:
            found = outcome(door, arguments)
        else:
            found = outcome(
                Door(door.name, lambda **a: undo(door.call(**a), c), door.arguments), arguments
            )
        if isinstance(found, Refused) and any(door.names(found.message, n) for n in named):
            continue
        complaint = door.complaint(named[0], found, door.expected, loud=True)
        if complaint:
            kinds = {str(getattr(v, "dtype", "")) for v in form.values()}
            wrong.append(f"{group} ({', '.join(kinds)}), c = {c:g}: {complaint}")
    return wrong


def scaled(door: Door, group: str, c: float) -> list[str]:
    symbols = all(door.arguments[n].kind == "labels" for n in group.split())
    return differences(door, group, lambda v, _: v * c, c, None if symbols else door.undo)


@pytest.mark.parametrize("door", doors(7, lambda d: d.shift and not d.slow))
def test_an_origin_far_away_changes_nothing(door: Door):
    """f(x + c) = f(x): the sums are exact, so nothing is lost before the door."""

    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None)
    @given(st.integers(10, 40), st.sampled_from([-1, 1]))
    def check(power, sign):
        c = sign * min(2.0**power, door.far)
        found = []
        for group in door.shift:
            whole = all(door.arguments[n].value.dtype.kind in "iu" for n in group.split())
            shift = int(c) if whole else c
            found += differences(door, group, lambda value, _, s=shift: value + s, c)
        assert not found, "\n".join(found)

    check()


@pytest.mark.parametrize("door", doors(8, lambda d: d.shift))
def test_an_origin_at_the_end_of_the_range_changes_nothing(door: Door):
    """The extremes, which hypothesis needn't find."""
    wrong = []
    for c in (2.0**40,) if door.slow else (2.0**10, 2.0**20, -(2.0**30), 2.0**40):
        if abs(c) > door.far:
            continue
        for group in door.shift:
            whole = all(door.arguments[n].value.dtype.kind in "iu" for n in group.split())
            shift = int(c) if whole else c
            wrong += differences(door, group, lambda value, _, s=shift: value + s, c)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("door", doors(9, lambda d: d.scale))
def test_the_unit_changes_nothing(door: Door):
    """f(c x) = f(x), or that times a power of c."""
    powers = (40,) if door.rare else (-40, 40) if door.slow else (-40, -20, -7, 1, 15, 40)
    wrong = []
    for power in powers:
        c = 2.0**power
        for group in door.scale:
            wrong += scaled(door, group, c)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("door", doors(10, lambda d: d.scale and not d.slow))
@settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None)
@given(c=POWERS)
def test_any_unit_changes_nothing(door: Door, c: float):
    wrong = []
    for group in door.scale:
        wrong += scaled(door, group, c)
    assert not wrong, "\n".join(wrong)
