"""Examples in docstrings: every module has one, and each gives what it says."""

import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest

import simmim_lite

NAMES = [m.name for m in pkgutil.iter_modules(simmim_lite.__path__) if not m.name.startswith("_")]


def examples(module: ModuleType) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder(recurse=False).find(module)
    return [test for test in found if test.examples]


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_a_module_gives_what_it_says(name: str):
    module = importlib.import_module(f"simmim_lite.{name}")
    tests = examples(module)
    assert tests, "expected an `Examples:` block with >>> in the module's docstring"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        runner.run(test)
    assert runner.failures == 0
