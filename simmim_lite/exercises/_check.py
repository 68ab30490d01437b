"""Cases, the registry of exercises, and the check of a learner's function."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from simmim_lite._arguments import check_choice


@dataclass(frozen=True)
class Case:
    """One call and its answer; ``why`` completes the sentence "it should be ..., because ..."."""

    situation: str
    arguments: tuple
    expected: Any
    why: str
    tolerance: float = 1e-9


@dataclass(frozen=True)
class Exercise:
    """What the function should do, and the cases that show it (made anew for each check)."""

    task: str
    cases: Callable[[], Iterable[Case]]


EXERCISES: dict[str, Exercise] = {}


def exercise(name: str, task: str) -> Callable[[Callable[[], Iterable[Case]]], Exercise]:
    """Register the decorated function's cases as the exercise ``name``."""

    def register(cases: Callable[[], Iterable[Case]]) -> Exercise:
        EXERCISES[name] = Exercise(task, cases)
        return EXERCISES[name]

    return register


def check(name: str, function: Callable) -> None:
    """Run the learner's ``function`` on the cases of the exercise ``name`` and print the verdict.

    Raises:
        ValueError: ``name`` is no exercise.
        TypeError: ``function`` cannot be called.
        AssertionError: the function gives a wrong answer, or fails; the message says on what,
            what the answer should be and why.
    """
    check_choice("name", name, EXERCISES)
    if not callable(function):
        raise TypeError(f"function: expected a function, got {function!r}")
    task, cases = EXERCISES[name].task, list(EXERCISES[name].cases())
    for case in cases:
        # The learner's function may change its arguments; the next check must not notice.
        arguments = tuple(np.copy(a) if isinstance(a, np.ndarray) else a for a in case.arguments)
        try:
            answer = function(*arguments)
        except NotImplementedError:
            answer = None
        except Exception as error:
            raise AssertionError(
                f"{name}: on {case.situation} the function failed with "
                f"{type(error).__name__}: {error}. It should {task}."
            ) from error
        if answer is None or answer is Ellipsis or answer is NotImplemented:
            print(f"{name}: not done yet. It should {task}.")
            return
        if not _agrees(answer, case.expected, case.tolerance):
            raise AssertionError(
                f"{name}: on {case.situation} the answer should be {_show(case.expected)}, "
                f"because {case.why}; got {_show(answer)}."
            )
    print(f"{name}: right, {len(cases)} cases of {len(cases)}.")


def _agrees(answer: Any, expected: Any, tolerance: float) -> bool:
    """Same shape and, within the relative tolerance, same numbers."""
    try:
        answer = np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        return False
    expected = np.asarray(expected, dtype=float)
    return answer.shape == expected.shape and np.allclose(
        answer, expected, rtol=tolerance, atol=1e-9
    )


def _show(value: Any) -> str:
    try:
        text = np.array2string(np.asarray(value, dtype=float), precision=4, threshold=12)
        return " ".join(text.split())
    except (TypeError, ValueError):
        return repr(value)[:80]
