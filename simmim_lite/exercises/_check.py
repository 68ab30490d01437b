"""Cases, the registry of exercises, and the check of a learner's function."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from simmim_lite._arguments import as_array, check_choice


@dataclass(frozen=True)
class Case:
    """A call and its answer; ``why`` completes the sentence "it should be ..., because ...".

    The learner's function gets lists among the ``arguments`` as arrays.
    """

    situation: str
    arguments: tuple
    expected: Any
    why: str
    tolerance: float = 1e-9


Cases = Iterable[Case]


@dataclass(frozen=True)
class Exercise:
    """What the function should do, and a function that yields new cases for each check."""

    task: str
    cases: Callable[[], Cases]


EXERCISES: dict[str, Exercise] = {}


def exercise(name: str, task: str) -> Callable[[Callable[[], Cases]], Exercise]:
    """Register the cases of the decorated function as the exercise ``name``."""

    def register(cases: Callable[[], Cases]) -> Exercise:
        EXERCISES[name] = Exercise(task, cases)
        return EXERCISES[name]

    return register


def check(name: str, function: Callable) -> None:
    """Run the learner's ``function`` on the cases of the exercise ``name`` and print the result.

    Raises:
        ValueError: ``name`` is not an exercise.
        TypeError: ``function`` is not callable.
        AssertionError: the function fails or gives a wrong answer; the message has the case, the
            expected answer and the reason.
    """
    check_choice("name", name, EXERCISES)
    if not callable(function):
        raise TypeError(f"function: expected a function, got {function!r}")
    task, cases = EXERCISES[name].task, list(EXERCISES[name].cases())
    for case in cases:
        # Copies, because the learner's function may change its arguments.
        arguments = [np.array(a) if isinstance(a, np.ndarray | list) else a for a in case.arguments]
        try:
            answer = function(*arguments)
        except NotImplementedError:
            answer = None
        except Exception as error:
            failed = f"the function failed with {type(error).__name__}: {error}. It should {task}."
            raise AssertionError(f"{name}: on {case.situation} {failed}") from error
        if answer is None or answer is Ellipsis or answer is NotImplemented:
            print(f"{name}: not done yet. It should {task}.")
            return
        if not _agrees(answer, case.expected, case.tolerance):
            reason = f"because {case.why}; got {_show(answer)}."
            expected = f"the answer should be {_show(case.expected)}"
            raise AssertionError(f"{name}: on {case.situation} {expected}, {reason}")
    print(f"{name}: correct, {len(cases)} cases of {len(cases)}.")


def _agrees(answer: Any, expected: Any, tolerance: float) -> bool:
    """Return whether the shapes are equal and the numbers agree within the tolerance."""
    try:
        answer = as_array("answer", answer)
    except (TypeError, ValueError):
        return False
    expected = np.asarray(expected, dtype=float)
    if answer.dtype.kind not in "biuf" or answer.shape != expected.shape:
        return False
    return np.allclose(answer, expected, rtol=tolerance, atol=1e-9)


def _show(value: Any) -> str:
    try:
        array = as_array("value", value).astype(float)
        return " ".join(np.array2string(array, precision=4, threshold=12).split())
    except (TypeError, ValueError):
        return repr(value)[:80]
