"""Quizzes: five questions a notebook, one answer each, a reason for every option."""

import math
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import simmim_lite.entropy
from notebooks.tools import builder, quiz

FOLDER = builder.FOLDER
NAMES = builder.names(FOLDER)
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?")


def questions(name: str) -> list[quiz.Question]:
    return quiz.read(FOLDER, name)


def complaints(found: list[quiz.Question]) -> list[str]:
    """What is wrong with a quiz as a text."""
    lines = [] if len(found) == 5 else [f"{len(found)} questions"]
    for number, question in enumerate(found, start=1):
        letters = list(question.options)
        texts = [text for text, _ in question.options.values()]
        if not 3 <= len(letters) <= 4 or letters != list(quiz.LETTERS[: len(letters)]):
            lines.append(f"{number}: options {letters}")
        if question.answer not in letters:
            lines.append(f"{number}: the answer {question.answer!r} is no option")
        if len(set(texts)) < len(texts):
            lines.append(f"{number}: two equal options")
        reasons = [reason for _, reason in question.options.values()]
        if len(set(reasons)) < len(reasons) or any(len(r.split()) < 5 for r in reasons):
            lines.append(f"{number}: an option without a reason of its own")
        if any(reason.startswith(("Correct", "Not correct", "Wrong")) for reason in reasons):
            lines.append(f"{number}: the verdict is put before the reason by the builder")
        if any("$" in text for text in texts):
            lines.append(f"{number}: a formula in an option, where nothing sets it")
    if len({question.answer for question in found}) == 1:
        lines.append("each answer has the same letter")
    return lines


def agrees(text: str, value: float) -> bool:
    """Whether the last number in a text is ``value``, rounded as it is written there."""
    written = NUMBER.findall(text)[-1].replace(",", "")
    decimals = len(written.partition(".")[2])
    return abs(float(written) - value) <= 0.5000001 * 10**-decimals


@pytest.mark.parametrize("name", NAMES)
def test_quiz_is_complete(name: str):
    assert complaints(questions(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_only_the_answer_has_the_number_that_is_computed(name: str):
    for question in questions(name):
        if question.computed:
            names = {"math": math, "np": np, "simmim_lite": simmim_lite}
            value = float(eval(question.computed, names))  # our own files
            agreeing = [
                letter for letter, (text, _) in question.options.items() if agrees(text, value)
            ]
            assert agreeing == [question.answer], (question.text, value)


def test_a_sample_of_answers_is_computed():
    computed = [question for name in NAMES for question in questions(name) if question.computed]
    assert len(computed) >= len(NAMES)


def test_each_quiz_belongs_to_a_notebook():
    found = {path.stem for path in (FOLDER / "scripts" / "quizzes").glob("*.toml")}
    assert found <= set(NAMES)


GOOD = """\
[[question]]
text = "How many bits?"
answer = "b"
a = ["1 bit", "One bit has two states only."]
b = ["3 bits", "Eight states need three bits, as two to the third is eight."]
c = ["8 bits & more", "This is the number of states, not of bits."]
computed = "math.log2(8)"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scripts" / "quizzes").mkdir(parents=True)
    (tmp_path / "scripts" / "quizzes" / "01_bits.toml").write_text(GOOD)
    return tmp_path


def test_notebook_shows_each_option_with_its_reason(folder: Path):
    text = quiz.markdown(quiz.read(folder, "01_bits"))
    assert text.startswith("## Quiz\n\n")
    assert "**1.** How many bits?" in text
    assert "<details><summary>c) 8 bits &amp; more</summary>\n\nNot correct. This is the" in text
    assert "<details><summary>b) 3 bits</summary>\n\nCorrect. Eight states" in text
    assert text.count("<details>") == text.count("</details>") == 3


def test_builder_puts_the_quiz_before_the_exercises(folder: Path):
    script = folder / "scripts" / "01_bits.py"
    cells = "# %% [markdown]\n# # 01 · Bits\n\n# %%\nx = 1\n\n# %% [markdown]\n# ## Exercises\n"
    script.write_text(cells)
    notebook = builder.read_script(script)
    assert [cell.source.split("\n")[0] for cell in notebook.cells] == [
        "# 01 · Bits", "x = 1", "## Quiz", "## Exercises",
    ]  # fmt: skip
    assert builder.working_minutes(notebook) == 2  # a quiz takes no time of the lesson


def test_notebook_without_a_quiz_stays_as_it_is(folder: Path):
    assert quiz.read(folder, "02_other") == []


def test_form_marks_the_answer_and_names_each_button(folder: Path):
    page = quiz.form([("01 · Bits", "01_bits.html", quiz.read(folder, "01_bits"))])
    buttons = re.findall(r'<input type="radio" name="(.+?)" id="(.+?)" data-right="(.)">', page)
    assert [right for *_, right in buttons] == ["0", "1", "0"]
    assert len({name for name, *_ in buttons}) == 1
    assert re.findall(r'<label for="(.+?)">', page) == [key for _, key, _ in buttons]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('answer = "b"', 'answer = "d"', "the answer 'd' is no option"),
        ("8 bits & more", "1 bit", "two equal options"),
        ("One bit has two states only.", "No.", "without a reason"),
        ("One bit has", "Not correct. One bit has", "the verdict"),
        ("8 bits & more", "$8$ bits", "a formula"),
    ],
)
def test_faults_are_found(folder: Path, old: str, new: str, complaint: str):
    path = folder / "scripts" / "quizzes" / "01_bits.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    tomllib.loads(path.read_text())
    assert any(complaint in line for line in complaints(quiz.read(folder, "01_bits")))


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [("ln 6 = 1.79 nats", math.log(6), True), ("1.80", math.log(6), False), ("2", 1.6, True)],
)
def test_a_number_agrees_as_far_as_it_is_written(text: str, value: float, expected: bool):
    assert agrees(text, value) == expected
