"""Texts and cases of the exercises, and the check of a learner's answer."""

import tomllib
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from simmim_lite._arguments import as_array, check_choice, check_integer


@dataclass(frozen=True)
class Case:
    """A call of the learner's function and its answer; ``why`` is the reason for the answer.

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
    """The texts of an exercise; those without ``answer`` ask for a function and have cases.

    ``reasons`` explains each option, or else the "right" answer and all others ("otherwise").
    """

    task: str
    hints: tuple[str, ...] = ()
    answer: str | float | None = None
    tolerance: float = 0.0
    reasons: Mapping[str, str] = field(default_factory=dict)


class WrongAnswerError(AssertionError):
    """The answer of a learner is wrong; notebooks show the message without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


EXERCISES = {
    name: Exercise(**entry | {"hints": tuple(entry.get("hints", ()))})
    for path in sorted(Path(__file__).parent.glob("*.toml"))
    for name, entry in tomllib.loads(path.read_text(encoding="utf-8")).items()
}
CASES: dict[str, Callable[[], Cases]] = {}


def cases(name: str) -> Callable[[Callable[[], Cases]], Callable[[], Cases]]:
    """Register the cases of the decorated function for the exercise ``name``."""

    def register(function: Callable[[], Cases]) -> Callable[[], Cases]:
        CASES[name] = function
        return function

    return register


def check(name: str, answer: Any, *, hint: int = 0) -> None:
    """Check the ``answer`` to the exercise ``name``, and print whether it is correct.

    The answer is a function, a letter or a number; ``None``, or a function that returns nothing,
    is not done yet. ``hint=1`` also prints the first hint, ``hint=2`` the second.

    Raises:
        ValueError: ``name`` is not an exercise.
        TypeError: the exercise asks for a function, and ``answer`` is something else.
        WrongAnswerError: the function fails or the answer is wrong.
    """
    check_choice("name", name, EXERCISES)
    exercise = EXERCISES[name]
    check_integer("hint", hint, minimum=0)
    if hint and exercise.hints:
        number = min(hint, len(exercise.hints))
        print(f"Hint {number} of {len(exercise.hints)}: {exercise.hints[number - 1]}")
    if exercise.answer is None:
        done = _check_function(name, exercise, answer)
    else:
        done = _check_answer(name, exercise, answer)
    if not done:
        print(f"{name}: not done yet. It should {exercise.task}.")


def verify(sentence: str, condition: Any) -> None:
    """Print that the ``sentence`` holds; AssertionError if the ``condition`` is false."""
    assert bool(condition), f"not true: {sentence}"
    print(f"verified: {sentence}")


def _check_answer(name: str, exercise: Exercise, answer: Any) -> bool:
    """Return False if there is no answer yet; raise WrongAnswerError if it is wrong."""
    if answer is None or answer is Ellipsis or str(answer).strip() == "":
        return False
    if isinstance(exercise.answer, str):
        answer = str(answer).strip().lower()
        correct = answer == exercise.answer
    else:
        number = isinstance(answer, int | float | np.number) and not isinstance(answer, bool)
        correct = number and abs(answer - exercise.answer) <= exercise.tolerance
    reason = exercise.reasons.get("right" if correct else "otherwise", "")
    reason = exercise.reasons.get(str(answer), reason)
    if not correct:
        expected = f"The answer should {exercise.task}."
        raise WrongAnswerError(f"{name}: {answer!r} is not correct.\n{reason}\n{expected}")
    print(f"{name}: correct. {reason}")
    return True


def _check_function(name: str, exercise: Exercise, function: Any) -> bool:
    """Return False for a stub; raise WrongAnswerError if one of the cases fails."""
    if function is None or function is Ellipsis:
        return False
    if not callable(function):
        raise TypeError(f"answer: expected a function, got {function!r}")
    known = list(CASES[name]())
    for case in known:
        # Copies, because the learner's function may change its arguments.
        arguments = [np.array(a) if isinstance(a, np.ndarray | list) else a for a in case.arguments]
        try:
            answer = function(*arguments)
        except NotImplementedError:
            return False
        except Exception as error:
            line = traceback.extract_tb(error.__traceback__)[-1]
            first = f"{name}: the function fails on {case.situation}."
            second = f"{type(error).__name__}: {error} (in {line.name}, line {line.lineno})"
            third = f"It should {exercise.task}."
            raise WrongAnswerError(f"{first}\n{second}\n{third}") from error
        if answer is None or answer is Ellipsis or answer is NotImplemented:
            return False
        if not _agrees(answer, case.expected, case.tolerance):
            expected = f"Expected {_show(case.expected)}, got {_show(answer)}."
            first = f"{name}: not correct on {case.situation}."
            raise WrongAnswerError(f"{first}\n{expected}\nReason: {case.why}.")
    print(f"{name}: correct, {len(known)} cases of {len(known)}.")
    return True


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
