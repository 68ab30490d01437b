"""Each check accepts its solution, rejects wrong answers, and lets an untouched stub pass by."""

import re
import runpy
from pathlib import Path

import pytest
from wrong_answers import WRONG
from wrong_answers._common import plain_entropy

from simmim_lite import exercises

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SCRIPTS = sorted((NOTEBOOKS / "scripts").glob("*.py"))
CHECKED = re.compile(r'^exercises\.check\("([^"]+)", (\w+)\)', re.MULTILINE)


def test_every_exercise_of_the_notebooks_has_a_check_a_solution_and_wrong_answers():
    asked = [name for script in SCRIPTS for name, _ in CHECKED.findall(script.read_text("utf-8"))]
    assert sorted(asked) == sorted(exercises.EXERCISES) == sorted(WRONG)
    assert all(len(wrong) >= 3 for wrong in WRONG.values())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_solutions_pass_the_checks_of_their_notebook(script, capsys):
    asked = [name for name, _ in CHECKED.findall(script.read_text("utf-8"))]
    assert 3 <= len(asked) <= 4
    runpy.run_path(str(NOTEBOOKS / "solutions" / script.name))
    assert re.findall(r"^(.+): correct, ", capsys.readouterr().out, re.MULTILINE) == asked


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value", "ignore:overflow")
@pytest.mark.parametrize(
    ("name", "mistake"), [(name, mistake) for name, wrong in WRONG.items() for mistake in wrong]
)
def test_a_wrong_answer_is_rejected_with_the_reason(name, mistake):
    with pytest.raises(AssertionError, match=f"^{name}: on .* (should be .*because|It should)"):
        exercises.check(name, WRONG[name][mistake])


@pytest.mark.parametrize("name", exercises.EXERCISES)
@pytest.mark.parametrize("stub", [lambda *_: None, lambda *_: ..., lambda *_: NotImplemented])
def test_an_untouched_stub_is_not_done_yet(name, stub, capsys):
    exercises.check(name, stub)
    assert capsys.readouterr().out.startswith(f"{name}: not done yet. It should ")


def test_a_stub_may_raise_not_implemented(capsys):
    def stub(p):
        raise NotImplementedError

    exercises.check("entropy", stub)
    assert "not done yet" in capsys.readouterr().out


def test_a_function_that_fails_is_named_with_its_error():
    with pytest.raises(AssertionError, match=r"entropy: on a fair coin .* IndexError: too far"):
        exercises.check("entropy", lambda p: (_ for _ in ()).throw(IndexError("too far")))


def test_a_function_that_changes_its_argument_cannot_spoil_the_next_check():
    def greedy(p):
        answer = plain_entropy(p)
        p[:] = 0
        return answer

    exercises.check("entropy", greedy)
    exercises.check("entropy", plain_entropy)


def test_unknown_name_and_non_function():
    with pytest.raises(
        ValueError, match="name: expected one of 'joint table', 'mutual information'"
    ):
        exercises.check("entropie", plain_entropy)
    with pytest.raises(TypeError, match="function: expected a function, got 3"):
        exercises.check("entropy", 3)
