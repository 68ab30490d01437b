"""Rehearse the one-day workshop of docs/TEACHING.md: ``python tests/rehearsal.py``.

A script plays a learner. It runs the cells of each notebook of the day, in order, up to the last
section of each row of the schedule. It answers each exercise wrongly (which must be refused with a
reason), then as the solutions do (which must be accepted). Printed are the seconds that the room
waits for the machine, for each row and each hour; more than 5 minutes an hour are a failure.
"""

import re
import sys
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

CLONE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CLONE))

import test_teaching as teaching  # noqa: E402

from notebooks.tools import builder, quiz  # noqa: E402
from simmim_lite.exercises._check import EXERCISES  # noqa: E402

DAY = "One day (7 hours with coffee breaks, and lunch)"
WAITING = 300  # seconds an hour
CHECK = re.compile(r'exercises\.check\("([^"]+)"')
REFUSED = """\
try:
    exercises.check({name!r}, {wrong})
except AssertionError as error:
    assert len(str(error).split()) > 8, "a refusal without a reason"
else:
    raise RuntimeError("a wrong answer was accepted")"""


def wrong_answer(name: str) -> str:
    """Source of an answer that is not correct."""
    answer = EXERCISES[name].answer
    if answer is None:
        return "lambda *arguments: 12345.678"
    if isinstance(answer, str):
        others = [option for option in (*quiz.LETTERS, *"123456") if option != answer]
        return repr(others[0] if len(answer) == 1 else answer[::-1])
    return repr(answer + 1000)


def right_answers(name: str) -> dict[str, str]:
    """The cell of the solutions for each exercise, after the imports of the solutions."""
    notebook = builder.read_script(builder.FOLDER / "scripts" / "solutions" / f"{name}.py")
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    checks = [(CHECK.search(source), source) for source in code]
    return {check[1]: f"{code[1]}\n\n{source}" for check, source in checks if check}


def with_answers(name: str) -> NotebookNode:
    """The notebook with a wrong and a right answer after each exercise, and with stored weights."""
    notebook = builder.read_script(builder.FOLDER / "scripts" / f"{name}.py")
    solutions, cells = right_answers(name), []
    for cell in notebook.cells:
        cell.source = cell.source.replace("\nFAST = False", "\nFAST = True")
        cells.append(cell)
        exercise = CHECK.search(cell.source) if cell.cell_type == "code" else None
        if exercise:
            wrong = REFUSED.format(name=exercise[1], wrong=wrong_answer(exercise[1]))
            for source in (wrong, solutions[exercise[1]]):
                cells.append(nbformat.v4.new_code_cell(source))
    notebook.cells = cells
    return notebook


def seconds_of_sections(notebook: NotebookNode) -> dict[str, float]:
    """Seconds of the cells below each heading "## ..." in order; "" for what comes before."""
    found: dict[str, float] = {"": 0.0}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for heading in re.findall(r"^## (.+)$", cell.source, re.MULTILINE):
                found[heading] = 0.0
        elif "execution" in cell.metadata:
            times = cell.metadata["execution"]
            start, end = times["iopub.execute_input"], times["shell.execute_reply"]
            elapsed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
            found[list(found)[-1]] += elapsed.total_seconds()
    return found


def run(number: str) -> dict[str, float]:
    """Execute a notebook with its answers; the seconds of its sections."""
    name = teaching.NAMES[number]
    notebook = with_answers(name)
    resources = {"metadata": {"path": str(builder.FOLDER)}}
    settings = {"timeout": builder.CELL_TIMEOUT, "extra_arguments": ["--log-level=ERROR"]}
    NotebookClient(notebook, resources=resources, **settings).execute()
    return seconds_of_sections(notebook)


def main() -> int:
    text = teaching.PAGE.read_text(encoding="utf-8")
    (rows,) = teaching.slots(teaching.part(text, f"### {DAY}"))
    numbers = sorted({number for row in rows for number, *_ in teaching.choices(row)})
    times = {}
    for number in numbers:
        times[number] = run(number)
        exercises = len(right_answers(teaching.NAMES[number]))
        print(f"{number}: {sum(times[number].values()):.0f} s, {exercises} exercises", flush=True)
    done: dict[str, int] = defaultdict(int)  # sections of each notebook that were run
    hours: dict[int, float] = defaultdict(float)
    for row in rows:
        waits = []
        for number, sections, _ in teaching.choices(row):
            headings = list(times[number])
            last = done[number]
            for section in sections:
                start = teaching.ARTICLE if section == "article" else f"{section}. "
                place = next(i for i, title in enumerate(headings) if title.startswith(start))
                last = max(last, place + 1)
            waits.append(sum(times[number][title] for title in headings[done[number] : last]))
            done[number] = last
        if waits:
            hours[row.start // 60] += max(waits)
            print(f"{teaching.clock(row)}  {row.notebook:8} {max(waits):5.0f} s")
    for hour, seconds in sorted(hours.items()):
        print(f"{hour:02d} h: {seconds / 60:.1f} minutes of waiting")
    return max(hours.values()) > WAITING


if __name__ == "__main__":
    sys.exit(main())
