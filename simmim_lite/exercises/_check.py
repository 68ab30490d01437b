"""Cases, the registry of exercises, and the check of a learner's function."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from simmim_lite._arguments import check_choice


@dataclass(frozen=True)
class Case:
    """A call and its answer; ``why`` completes the sentence "it should be ..., because ..."."""

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
    print(f"{name}: correct, {len(cases)} cases of {len(cases)}.")


def _agrees(answer: Any, expected: Any, tolerance: float) -> bool:
    """Return whether the shapes are equal and the numbers agree within the tolerance."""
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
