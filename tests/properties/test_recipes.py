"""Every door has a recipe or a reason, and the recipes work."""

import fnmatch

import pytest
from doors import EXEMPT, NO_HOOKS, Door, exempt, finite, walk
from recipes import RECIPES
from variants import doors


def test_every_door_has_a_recipe_or_a_reason():
    """A new public name that takes arrays cannot be forgotten."""
    told = {door.name for door in RECIPES}
    assert sorted(name for name in walk() if name not in told and not exempt(name)) == []


def test_recipes_and_reasons_are_of_doors_that_exist():
    found = walk()
    unknown = {door.name for door in RECIPES} - set(found)
    assert unknown <= {"evaluation.transfer_table"}  # arrays within named tuples
    unused = [p for p in EXEMPT if not any(fnmatch.fnmatchcase(name, p) for name in found)]
    assert unused == []
    assert set(found) >= NO_HOOKS


def test_every_array_of_a_door_is_varied_or_named():
    found = walk()
    varied: dict[str, set[str]] = {}
    for door in RECIPES:
        varied.setdefault(door.name, set()).update(door.arguments, door.also)
    missing = {
        name: sorted(set(found.get(name, ())) - names)
        for name, names in varied.items()
        if set(found.get(name, ())) - names
    }
    assert missing == {}


@pytest.mark.parametrize("door", doors(0))
def test_recipe_gives_finite_numbers(door: Door):
    assert door.expected
    assert finite(door.expected)
    again = door.of()
    assert door.complaint("", again, door.expected) is None
