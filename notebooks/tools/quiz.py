"""Quizzes: five questions a notebook, with a reason for each answer.

``notebooks/scripts/quizzes/NN_name.toml`` is what is edited:

    [[question]]
    text = "A fair die has six faces. What is the entropy of one throw?"
    answer = "b"
    a = ["ln 2 = 0.69 nats", "This is the entropy of a fair coin."]
    b = ["ln 6 = 1.79 nats", "All six faces are equally likely, so the entropy is the log of 6."]
    c = ["6 nats", "The entropy is the logarithm of the number of faces."]
    computed = "math.log(6)"  # optional: the number in the answer; a test computes it

The builder puts the questions into the notebook (`markdown`): each answer unfolds its reason, which
works in JupyterLab, in Colab and on the pages, without a kernel. `form` makes one page of all quizzes,
which counts the correct answers.
"""

import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from html import escape
from pathlib import Path

LETTERS = "abcd"
TITLE = "## Quiz"
OPENING = "Five questions. Decide first, then open your answer to read whether it is correct."


@dataclass(frozen=True)
class Question:
    """A question, its options (text and reason by letter), and the letter of the answer."""

    text: str
    options: dict[str, tuple[str, str]]
    answer: str
    computed: str = ""

    def verdict(self, letter: str) -> str:
        """What a reader who chose this letter learns."""
        start = "Correct." if letter == self.answer else "Not correct."
        return f"{start} {self.options[letter][1]}"


def read(folder: Path, name: str) -> list[Question]:
    """Questions of the notebook with this name; an empty list if it has no quiz."""
    path = folder / "scripts" / "quizzes" / f"{name}.toml"
    if not path.is_file():
        return []
    questions = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["question"]:
        options = {letter: tuple(entry[letter]) for letter in LETTERS if letter in entry}
        computed = entry.get("computed", "")
        questions.append(Question(entry["text"], options, entry["answer"], computed))
    return questions


def markdown(questions: Collection[Question]) -> str:
    """The section of a notebook with these questions."""
    parts = [TITLE, OPENING]
    for number, question in enumerate(questions, start=1):
        parts += ["---"] * (number > 1)
        parts.append(f"**{number}.** {question.text}")
        for letter, (text, _) in question.options.items():
            parts.append(f"<details><summary>{letter}) {escape(text, quote=False)}</summary>")
            parts.append(question.verdict(letter))
            parts.append("</details>")
    return "\n\n".join(parts)


def form(quizzes: Collection[tuple[str, str, Collection[Question]]]) -> str:
    """HTML of one page with all questions, from (title, page, questions) of each notebook."""
    parts = [
        "<h1>Quiz</h1>",
        '<p class="score" role="status">Choose an answer to each question.</p>',
    ]
    for place, (title, page, questions) in enumerate(quizzes):
        parts.append(f'<h2><a href="{page}">{escape(title)}</a></h2>')
        for number, question in enumerate(questions):
            name = f"q{place}-{number}"
            parts.append(f'<fieldset class="question"><legend>{_html(question.text)}</legend>')
            for letter, (text, _) in question.options.items():
                key, right = f"{name}-{letter}", letter == question.answer
                parts.append(
                    f'<p><input type="radio" name="{name}" id="{key}" data-right="{int(right)}">'
                    f'<label for="{key}">{escape(text)}</label></p>'
                    f'<p class="verdict" hidden>{_html(question.verdict(letter))}</p>'
                )
            parts.append("</fieldset>")
    return "\n".join([*parts, f"<script>{_SCRIPT}</script>"])


def _html(text: str) -> str:
    """Plain text with code between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


_SCRIPT = """
addEventListener("change", ({target}) => {
  const verdicts = target.closest("fieldset").querySelectorAll(".verdict");
  for (const verdict of verdicts) verdict.hidden = true;
  target.closest("p").nextElementSibling.hidden = false;
  const chosen = [...document.querySelectorAll("input:checked")];
  const right = chosen.filter(input => input.dataset.right === "1").length;
  document.querySelector(".score").textContent = `${right} of ${chosen.length} correct`;
});
"""
