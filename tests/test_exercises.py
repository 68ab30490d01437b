"""Each check accepts its solution, rejects wrong answers, and lets an untouched stub pass by."""

import re
import runpy
from pathlib import Path

import pytest
from wrong_answers import WRONG
from wrong_answers._common import plain_entropy

from simmim_lite import exercises
from simmim_lite.exercises import CASES, EXERCISES, WrongAnswerError

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SCRIPTS = sorted((NOTEBOOKS / "scripts").glob("*.py"))
CHECKED = re.compile(r'^exercises\.check\("([^"]+)", (\w+)\)', re.MULTILINE)
QUESTIONS = [name for name, exercise in EXERCISES.items() if exercise.answer is not None]


def asked(script: Path) -> list[str]:
    return [name for name, _ in CHECKED.findall(script.read_text("utf-8"))]


def test_every_exercise_of_the_notebooks_has_a_check_a_solution_and_wrong_answers():
    names = [name for script in SCRIPTS for name in asked(script)]
    assert sorted(names) == sorted(EXERCISES)
    assert sorted(CASES) == sorted(WRONG) == sorted(set(names) - set(QUESTIONS))
    assert all(len(wrong) >= 3 for wrong in WRONG.values())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_solutions_pass_the_checks_of_their_notebook(script, capsys):
    runpy.run_path(str(NOTEBOOKS / "scripts" / "solutions" / script.name))
    passed = re.findall(r"^(.+?): correct[,.]", capsys.readouterr().out, re.MULTILINE)
    assert passed == asked(script)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_lesson_has_five_to_eight_exercises(script):
    assert 5 <= len(asked(script)) <= 8


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value", "ignore:overflow")
@pytest.mark.parametrize(
    ("name", "mistake"), [(name, mistake) for name, wrong in WRONG.items() for mistake in wrong]
)
def test_a_wrong_function_is_rejected_in_three_lines_with_the_reason(name, mistake):
    with pytest.raises(WrongAnswerError) as caught:
        exercises.check(name, WRONG[name][mistake])
    first, second, third = caught.value._render_traceback_()
    assert first.startswith((f"{name}: not correct on ", f"{name}: the function fails on "))
    assert second.startswith("Expected ") == third.startswith("Reason: ")
    assert third.startswith(("Reason: ", "It should "))
    assert third.endswith(".")


@pytest.mark.parametrize("name", QUESTIONS)
def test_exactly_the_stated_answer_is_correct_and_every_option_has_its_reason(name, capsys):
    exercise = EXERCISES[name]
    exercises.check(name, exercise.answer)
    assert capsys.readouterr().out.startswith(f"{name}: correct. ")
    options = {option for option in exercise.reasons if option not in ("right", "otherwise")}
    assert options or {"right", "otherwise"} <= set(exercise.reasons)
    assert not options or exercise.answer in options
    others = (options or {"zz", "0.123456", "a, b"}) - {exercise.answer}
    assert others
    for option in others:
        with pytest.raises(WrongAnswerError) as caught:
            exercises.check(name, option)
        first, reason, third = caught.value._render_traceback_()
        assert first == f"{name}: {option!r} is not correct."
        assert len(reason) > 20
        assert third.startswith("The answer should ")
    assert all(reason.endswith((".", ")")) for reason in exercise.reasons.values())


@pytest.mark.parametrize("name", EXERCISES)
def test_hints_are_shown_on_request_and_do_not_give_the_answer(name, capsys):
    hints = EXERCISES[name].hints
    assert hints
    for number, hint in enumerate(hints, start=1):
        exercises.check(name, None, hint=number)
        assert capsys.readouterr().out.splitlines()[0] == f"Hint {number} of {len(hints)}: {hint}"
        assert hint.endswith((".", "?"))
    exercises.check(name, None, hint=99)
    assert "not done yet" in capsys.readouterr().out


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("stub", [lambda *_: None, lambda *_: ..., lambda *_: NotImplemented])
def test_an_untouched_stub_is_not_done_yet(name, stub, capsys):
    exercises.check(name, stub)
    assert capsys.readouterr().out.startswith(f"{name}: not done yet. It should ")


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("nothing", [None, ...])
def test_a_missing_answer_is_not_done_yet(name, nothing, capsys):
    exercises.check(name, nothing)
    assert capsys.readouterr().out.startswith(f"{name}: not done yet. It should ")


def test_a_stub_may_raise_not_implemented(capsys):
    def stub(p):
        raise NotImplementedError

    exercises.check("entropy", stub)
    assert "not done yet" in capsys.readouterr().out


def test_a_function_that_fails_is_named_with_its_error_and_line():
    def broken(p):
        raise IndexError("too far")

    with pytest.raises(WrongAnswerError, match=r"IndexError: too far \(in broken, line \d+\)"):
        exercises.check("entropy", broken)


def test_a_function_that_changes_its_argument_cannot_spoil_the_next_check():
    def greedy(p):
        answer = plain_entropy(p)
        p[:] = 0
        return answer

    exercises.check("entropy", greedy)
    exercises.check("entropy", plain_entropy)


def test_unknown_name_and_non_function():
    with pytest.raises(ValueError, match=r"name: expected one of .*'entropy'"):
        exercises.check("entropie", plain_entropy)
    with pytest.raises(TypeError, match="answer: expected a function, got 3"):
        exercises.check("entropy", 3)


def test_verify_says_what_holds_and_raises_if_it_does_not(capsys):
    exercises.verify("one is less than two", 1 < 2)
    assert capsys.readouterr().out == "verified: one is less than two\n"
    with pytest.raises(AssertionError, match="not true: two is less than one"):
        exercises.verify("two is less than one", 2 < 1)
