"""The committed notebooks keep the rules, the rules find planted faults, and the builder builds."""

import dataclasses
import itertools
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import nbformat
import notebook_rules as rules
import pytest
from nbformat import NotebookNode
from notebook_rules import RULES, Lesson

from notebooks.tools import builder

FOLDER = rules.CLONE / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("[0-9][0-9]_*.ipynb"))
OTHER_SOURCES = sorted([*rules.CLONE.glob("*.md"), *rules.CLONE.glob("data/*.md")])

OPENING = """\
# 00 · Start

[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](\
https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/00_start.ipynb)

*What one learns here.*

**What you will learn**

- one thing

**Prerequisites**: probability.

**In the package**: `entropy`, `bounds`.

<!-- measured -->
About 5 minutes to work through.
Measured: 3 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
<!-- /measured -->"""


# The committed notebooks


def test_there_are_notebooks_and_each_has_its_script():
    assert NAMES
    assert builder.names(FOLDER) == NAMES
    numbers = [name[:2] for name in NAMES]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == "00"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_notebook_keeps_the_rule(name: str, rule: Callable):
    assert list(rule(Lesson(FOLDER, name))) == []


def test_each_notebook_has_solutions():
    assert sorted(path.stem for path in FOLDER.glob("scripts/solutions/*.py")) == NAMES
    assert sorted(path.stem for path in FOLDER.glob("solutions/*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_solutions_ran_in_one_go_and_say_what_is_correct(name: str):
    lesson = Lesson(FOLDER / "solutions", name)
    for rule in (rules.metadata_is_plain, rules.ran_in_one_go, rules.no_errors, rules.links_hold):
        assert list(rule(lesson)) == []
    code = lesson.cells("code")
    assert code[0].source == builder.SETUP_OF_SOLUTIONS
    checks = [cell for cell in code if "exercises.check(" in cell.source]
    assert len(checks) == sum(
        "exercises.check(" in c.source for c in Lesson(FOLDER, name).cells("code")
    )
    assert all(": correct" in cell.outputs[-1].text for cell in checks)
    badge = f"blob/main/notebooks/solutions/{name}.ipynb)"
    assert badge in lesson.markdown
    assert f"](solutions/{name}.ipynb)" in Lesson(FOLDER, name).markdown


def test_the_graph_of_notebooks_shows_their_prerequisites():
    lessons = [builder.lesson(name, Lesson(FOLDER, name).notebook) for name in NAMES]
    path = rules.CLONE / "simmim_lite" / "figures" / "diagrams" / "notebooks.toml"
    graph = tomllib.loads(path.read_text(encoding="utf-8"))
    drawn = sorted((arrow["from"], arrow["to"]) for arrow in graph["arrow"])
    assert drawn == sorted((n, lesson.number) for lesson in lessons for n in lesson.prerequisites)
    assert [box["id"] for box in graph["box"]] == [lesson.number for lesson in lessons]


def test_nothing_is_stale():
    assert builder.stale(FOLDER) == []


@pytest.mark.parametrize("path", OTHER_SOURCES, ids=lambda path: path.name)
def test_links_of_other_texts_hold(path: Path):
    assert list(rules.broken_links(path.read_text(encoding="utf-8"), path.parent)) == []


# The rules, each on a notebook that breaks it


def good_cells() -> list[NotebookNode]:
    """A notebook that keeps every rule."""
    markdown, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    exercises = [
        cell
        for number, kind in enumerate(sorted(rules.KINDS), start=1)
        for cell in (
            markdown(f"### Exercise {number} · ★★ · 1 minute · {kind}"),
            code("def f(x): ...\n\n\nexercises.check('f', f)", metadata={"tags": ["exercise"]}),
        )
    ]
    metadata = {"image/png": {"alt": "A curve that falls from one to zero."}}
    figure = nbformat.v4.new_output("display_data", {"image/png": "AAAA"}, metadata=metadata)
    return [
        markdown(OPENING),
        code(builder.SETUP),
        markdown("## 1. A question?\n\nIts idea."),
        *[code(f"x = {number}\nassert x == {number}") for number in range(8)],
        code('figures.show("Figure 1. A curve.", alt="falls")', outputs=[figure]),
        *exercises[:4],
        markdown("## What the article gets wrong\n\nThis."),
        code("print(1)", outputs=[nbformat.v4.new_output("stream", name="stdout", text="1\n")]),
        markdown("## Appendix: more\n\nMore of it."),
        markdown("## Recap\n\nWe saw it."),
        markdown("## Exercises\n\nDo them."),
        *exercises[4:],
        markdown("## What to try next\n\nThat."),
        markdown(
            "## References\n\n- https://doi.org/10.1000/1\n\n"
            "[the aims](https://example.org) · Next: [01](01_next.ipynb)"
        ),
    ]


def write_lesson(folder: Path, cells: list[NotebookNode]) -> Lesson:
    """The notebook 00 with these cells, executed so to speak, its script, and a neighbor."""
    (folder / "scripts").mkdir(exist_ok=True)
    source = "\n\n".join(percent(cell) for cell in cells) + "\n"
    (folder / "scripts" / "00_start.py").write_text(source, encoding="utf-8")
    (folder / "01_next.ipynb").write_text("{}", encoding="utf-8")
    count = 0
    for index, cell in enumerate(cells):
        cell.id = f"00-{index:02d}"
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": builder.KERNEL})
    (folder / "00_start.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
    return Lesson(folder, "00_start")


def percent(cell: NotebookNode) -> str:
    if cell.cell_type == "markdown":
        return "\n".join(["# %% [markdown]", *[f"# {s}".rstrip() for s in cell.source.split("\n")]])
    tags = cell.metadata.get("tags")
    return "\n".join(["# %%" + (f' tags=["{tags[0]}"]' if tags else ""), cell.source])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_good_notebook_keeps_the_rule(tmp_path: Path, rule: Callable):
    assert list(rule(write_lesson(tmp_path, good_cells()))) == []


def replaced(old: str, new: str) -> Callable[[list[NotebookNode]], None]:
    """A fault: one text instead of another in the first cell that has it."""

    def plant(cells: list[NotebookNode]) -> None:
        cell = next(cell for cell in cells if old in cell.source)
        cell.source = cell.source.replace(old, new)

    return plant


def printed(text: str, name: str = "stdout") -> Callable[[list[NotebookNode]], None]:
    """A fault: this output under the last code cell."""

    def plant(cells: list[NotebookNode]) -> None:
        output = nbformat.v4.new_output("stream", name=name, text=text)
        next(c for c in reversed(cells) if c.cell_type == "code").outputs = [output]

    return plant


def tagged(cells: list[NotebookNode]) -> None:
    cells[3].metadata["tags"] = ["nbval-skip"]


def without_second_half(cells: list[NotebookNode]) -> None:
    del cells[4:12]


def without_alt(cells: list[NotebookNode]) -> None:
    next(c for c in cells if "figures.show" in c.source).outputs[0].metadata = NotebookNode()


def exercises_at_the_end(cells: list[NotebookNode]) -> None:
    """A fault: the exercises of the lesson stand after the heading "Exercises"."""
    place = next(i for i, cell in enumerate(cells) if cell.source.startswith("## Exercises"))
    cells[12 : place + 1] = [*cells[16 : place + 1], *cells[12:16]]


FAULTS = [
    (rules.opening_is_complete, "no title", replaced("# 00 ·", "# 01 ·")),
    (rules.opening_is_complete, "no badge", replaced("00_start.ipynb)\n", "01_next.ipynb)\n")),
    (rules.opening_is_complete, "no badge", replaced("simmim-lite/blob", "elsewhere/blob")),
    (rules.opening_is_complete, "no one line", replaced("*What one learns here.*", "Text.")),
    (rules.opening_is_complete, "no aims", replaced("**What you", "**How you")),
    (rules.opening_is_complete, "no prerequisites", replaced("**Prerequisites**", "**Needs**")),
    (rules.opening_is_complete, "no modules", replaced("`bounds`.", "bounds.")),
    (rules.opening_is_complete, "no measured", replaced("3 s on", "some seconds on")),
    (rules.setup_comes_first, "SETUP", replaced("import sys", "import sys  # mine")),
    (rules.sections_are_in_order, "numbered", replaced("## 1. A", "## 2. A")),
    (rules.sections_are_in_order, "after", replaced("## Recap", "## Summary")),
    (rules.prose_comes_before_code, "'## 1. A", replaced("\n\nIts idea.", "")),
    (rules.cells_are_short, "code cells", without_second_half),
    (rules.cells_are_short, "21 lines", replaced("x = 0", "x = 0\n" * 20)),
    (rules.fits_a_session, "at most", replaced("1 minute ·", "60 minutes ·")),
    (rules.figures_have_numbers_and_texts, "[2]", replaced("Figure 1.", "Figure 2.")),
    (rules.figures_have_numbers_and_texts, "without a text", without_alt),
    (rules.no_walrus, "(x := 0)", replaced("x = 0", "print(x := 0)")),
    (rules.comparisons_are_asserted, "x == 3", replaced("assert x == 3", "x == 3")),
    (rules.comparisons_are_asserted, "x == 3", replaced("assert x == 3", "not (x == 3 or 2 < x)")),
    (rules.exercises_are_checked, "without", replaced("exercises.check('f', f)", "f(1)")),
    (rules.exercises_have_levels_and_minutes, "headers", replaced("Exercise 1 ·", "Exercise ·")),
    (rules.exercises_have_levels_and_minutes, "'choose'", replaced("· choose", "· predict")),
    (rules.exercises_have_levels_and_minutes, "'sing'", replaced("· choose", "· sing")),
    (rules.exercises_have_levels_and_minutes, "into the lesson", exercises_at_the_end),
    (rules.tags_are_known, "nbval-skip", tagged),
    (rules.imports_are_declared, "numpi", replaced("x = 3", "from numpi import x")),
    (rules.imports_are_declared, "pytest", replaced("x = 3", "import pytest as x")),
    (rules.links_hold, "gone.md", replaced("Its idea.", "[there](gone.md)")),
    (rules.links_hold, "scripts", replaced("Its idea.", "[a folder](scripts)")),
    (rules.links_hold, "#nowhere", replaced("Its idea.", "[there](#nowhere)")),
    (rules.references_are_linked, "no DOI", replaced("https://doi.org/", "https://example.org/")),
    (rules.neighbors_are_linked, "last line", replaced("Next: [01](01_next.ipynb)", "The end")),
    (rules.no_errors, "stderr", printed("a warning", "stderr")),
    (rules.no_machine_paths, "/ho" + "me/", printed("/ho" + "me/ada/data")),
    (rules.no_machine_paths, "C:", printed("C:\\Users\\ada")),
    (rules.is_small, "bytes", printed("x" * 2**20)),
]


@pytest.mark.parametrize(("rule", "complaint", "plant"), FAULTS)
def test_rule_finds_the_fault(tmp_path: Path, rule: Callable, complaint: str, plant: Callable):
    cells = good_cells()
    plant(cells)
    assert complaint in "; ".join(rule(write_lesson(tmp_path, cells)))


def test_rule_finds_a_notebook_that_asserts_nothing(tmp_path: Path):
    cells = good_cells()
    for cell in cells:
        cell.source = cell.source.replace("assert ", "y = ")
    assert list(rules.something_is_asserted(write_lesson(tmp_path, cells)))


def edit(lesson: Lesson, change: Callable[[NotebookNode], None]) -> None:
    notebook = lesson.notebook
    change(notebook)
    lesson.path.write_text(nbformat.writes(notebook), encoding="utf-8")


FILE_FAULTS = [
    (rules.twin_is_equal, lambda notebook: notebook.cells[3].update(source="x = 9")),
    (rules.twin_is_equal, lambda notebook: notebook.cells[3].metadata.update(tags=["exercise"])),
    (rules.metadata_is_plain, lambda notebook: notebook.cells[3].update(id="other")),
    (rules.metadata_is_plain, lambda notebook: notebook.cells[3].metadata.update(execution={})),
    (rules.metadata_is_plain, lambda notebook: notebook.metadata.update(author="ada")),
    (rules.ran_in_one_go, lambda notebook: notebook.cells[3].update(execution_count=7)),
    (rules.ran_in_one_go, lambda notebook: notebook.cells[3].update(execution_count=None)),
]


@pytest.mark.parametrize(("rule", "change"), FILE_FAULTS)
def test_rule_finds_the_fault_of_the_file(tmp_path: Path, rule: Callable, change: Callable):
    lesson = write_lesson(tmp_path, good_cells())
    edit(lesson, change)
    assert list(rule(lesson))


def test_every_rule_has_a_planted_fault():
    found = {rule for rule, *_ in FAULTS + FILE_FAULTS} | {rules.something_is_asserted}
    assert found == set(RULES)


# The builder

SCRIPT = """\
# %% [markdown]
# # {number} · Title {number}
#
# *What {number} teaches.*
#
# **What you will learn**
#
# **In the package**: `entropy`.
#
# <!-- measured -->
# <!-- /measured -->
{map}
# %%
{code}

# %% tags=["exercise"]
print("b")
"""


def write_script(folder: Path, name: str, code: str = "print('a')") -> Path:
    number = name[:2]
    table = "#\n# <!-- map -->\n# <!-- /map -->\n" if number == "00" else ""
    path = folder / "scripts" / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SCRIPT.format(number=number, map=table, code=code), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two scripts, and a README with a place for the map."""
    (tmp_path / "README.md").write_text("before\n\n<!-- map -->\n<!-- /map -->\nafter\n")
    write_script(tmp_path / "notebooks", "00_start")
    write_script(tmp_path / "notebooks", "01_next")
    return tmp_path / "notebooks"


def silent(_: str) -> None:
    pass


def test_build_executes_measures_and_maps(folder: Path):
    before = (folder / "scripts" / "01_next.py").read_text()
    assert builder.build(folder, say=silent) == 0
    lesson = Lesson(folder, "01_next")
    code = lesson.cells("code")
    assert [cell.outputs[0].text for cell in code] == ["a\n", "b\n"]
    assert [cell.metadata for cell in code] == [{}, {"tags": ["exercise"]}]
    for rule in (rules.twin_is_equal, rules.metadata_is_plain, rules.ran_in_one_go):
        assert list(rule(lesson)) == []
    after = (folder / "scripts" / "01_next.py").read_text()
    assert re.search(r"^# Measured: \d+ s on .*Python.*torch.* \(generated\)$", after, re.MULTILINE)
    assert re.sub("# (About 2 minutes|Measured: ).*\n", "", after) == before
    title = r"\| 01 \| \[Title 01\]\({}01_next.ipynb\)"
    row = title + r" \| `entropy` \| What 01 teaches. \| 2 \| \d+ s \|"
    assert re.search(row.format("notebooks/"), (folder.parent / "README.md").read_text())
    assert re.search(row.format(""), Lesson(folder, "00_start").markdown)
    assert (folder.parent / "README.md").read_text().endswith("<!-- /map -->\nafter\n")
    assert builder.stale(folder) == []


def test_the_cover_is_the_first_figure_of_notebook_00(folder: Path):
    draw = "from IPython.display import Image\nImage(data={!r})"
    pictures = [b"\x89PNG\r\n\x1a\nfirst", b"\x89PNG\r\n\x1a\nother"]
    for picture in pictures:
        write_script(folder, "00_start", draw.format(picture))
        assert builder.build(folder, ["00"], say=silent) == 0
        assert (folder / "images" / "cover.png").read_bytes() == picture
    (folder / "images" / "cover.png").write_bytes(pictures[0])
    assert builder.stale(folder, ["00"]) == ["cover.png: the map or figure in it is out of date"]


def test_second_build_changes_no_byte(folder: Path, monkeypatch: pytest.MonkeyPatch):
    times = itertools.cycle([2.0, 4.0])  # a busy machine: different, but not enough to be written

    def timed(*arguments, execute=builder.execute, **options):
        return dataclasses.replace(execute(*arguments, **options), seconds=next(times))

    monkeypatch.setattr(builder, "execute", timed)
    builder.build(folder, say=silent)
    before = {path: path.read_bytes() for path in folder.parent.rglob("*.*") if path.is_file()}
    builder.build(folder, say=silent)
    assert {path: path.read_bytes() for path in before} == before
    assert {p for p in folder.parent.rglob("*.*") if p.is_file()} == set(before)


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("x = 1\n1 / 0", "cell 1 ('x = 1'): ZeroDivisionError: division by zero"),
        ("import warnings\nwarnings.warn('old')", "cell 1 writes to stderr"),
        ("import os\nos._exit(1)", "the kernel died"),
        ("import time\ntime.sleep(60)", "no answer after 3 s"),
    ],
)
def test_failing_notebook_is_refused_and_the_old_one_stays(folder: Path, code: str, complaint: str):
    builder.build(folder, ["01"], say=silent)
    old = (folder / "01_next.ipynb").read_bytes()
    script = write_script(folder, "01_next", code)
    source = script.read_text()
    said: list[str] = []
    assert builder.build(folder, ["1"], timeout=3, say=said.append) == 1
    assert complaint in said[0]
    assert (folder / "01_next.ipynb").read_bytes() == old
    assert script.read_text() == source
    assert builder.stale(folder, ["01"])[0].startswith("01_next")


def test_kernel_is_this_python_and_stands_in_the_folder(folder: Path):
    write_script(folder, "01_next", "import os, sys\nprint(sys.executable, os.getcwd())")
    run = builder.execute(builder.read_script(folder / "scripts" / "01_next.py"), folder)
    assert run.executed[0].outputs[0].text.split() == [sys.executable, str(folder)]


def test_pieces_of_a_stream_are_joined_but_not_across_a_figure(folder: Path):
    code = "print('a', flush=True)\nprint('b', flush=True)\ndisplay(1)\nprint('c')"
    write_script(folder, "01_next", code)
    run = builder.execute(builder.read_script(folder / "scripts" / "01_next.py"), folder)
    outputs = run.executed[0].outputs
    assert [out.get("text") for out in outputs] == ["a\nb\n", None, "c\n"]


@pytest.mark.parametrize(
    ("seconds", "expected"), [(10.4, 10), (12.4, 10), (13.1, 13), (6.8, 7), (0.2, 1)]
)
def test_measured_line_is_kept_while_the_time_is_about_the_same(seconds: float, expected: int):
    old = builder.measured_line(10)
    assert builder.measured_line(seconds, old).startswith(f"Measured: {expected} s on ")


def test_working_minutes_are_words_cells_and_exercises():
    markdown, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    exercise = {"metadata": {"tags": ["exercise"]}}
    cells = [
        code(builder.SETUP),
        markdown("word " * 300),
        *[code("x = 1") for _ in range(3)],
        markdown("### Exercise 1 · ★ · 4 minutes · predict"),
        code("y = 1", **exercise),
        markdown("## Appendix: more\n\n" + "word " * 3000),
        code("x = 1"),
        markdown("## Recap"),
        markdown("### Exercise 2 · ★★★ · 10 minutes · derive"),
        code("y = 1", **exercise),
        markdown("## References\n\n" + "word " * 3000),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    assert builder.working_minutes(notebook) == 2 + 3 * 2 + 4 + 10


def test_controls_are_not_stored(folder: Path):
    code = "from ipywidgets import IntSlider\ndisplay(IntSlider(3))\nprint('after')"
    write_script(folder, "01_next", code)
    run = builder.execute(builder.read_script(folder / "scripts" / "01_next.py"), folder)
    assert [output.get("text") for output in run.executed[0].outputs] == ["after\n"]


def test_solutions_are_built_beside_the_notebook_and_noticed_when_stale(folder: Path):
    solutions = folder / "scripts" / "solutions" / "01_next.py"
    solutions.parent.mkdir()
    solutions.write_text("# %%\nprint('solved')\n")
    assert builder.build(folder, ["01"], say=silent) == 0
    built = folder / "solutions" / "01_next.ipynb"
    assert nbformat.read(built, as_version=4).cells[0].outputs[0].text == "solved\n"
    solutions.write_text("# %%\nprint('solved again')\n")
    assert builder.stale(folder, ["01"]) == [
        "solutions/01_next: the notebook does not hold the cells of its script"
    ]
    solutions.write_text("# %%\n1 / 0\n")
    said: list[str] = []
    assert builder.build(folder, ["01"], say=said.append) == 1
    assert "solutions/01_next: cell 0 ('1 / 0'): ZeroDivisionError" in said[0]


def test_measured_line_of_another_machine_is_replaced():
    line = builder.measured_line(10, "Measured: 10 s on 64 CPU cores, H100 (generated)")
    assert line == builder.measured_line(10)


@pytest.mark.parametrize("text", ["", "<!-- a -->", "<!-- a -->\n<!-- /a -->\n" * 2])
def test_block_must_be_there_once(text: str):
    with pytest.raises(ValueError, match="expected one block"):
        builder.replace_block(text, "a", "body")


def test_block_takes_any_text():
    text = "<!-- a -->\n\\1 old\n<!-- /a -->\nrest \\1"
    expected = "<!-- a -->\n\\g<0>\n<!-- /a -->\nrest \\1"
    assert builder.replace_block(text, "a", r"\g<0>") == expected


@pytest.mark.parametrize(
    ("old", "missing"), [("# # 01 ·", "Title"), ("# *What", "italics"), ("<!-- /m", "block")]
)
def test_script_without_its_parts_is_refused_before_it_runs(folder: Path, old: str, missing: str):
    script = write_script(folder, "01_next", "open('ran', 'w')")
    script.write_text(script.read_text().replace(old, "# -"))
    with pytest.raises(builder.BuildError, match=missing):
        builder.build_one("01_next", folder)
    assert not (folder / "ran").exists()


def test_unknown_number_is_refused(folder: Path):
    with pytest.raises(ValueError, match="no notebook '07' among 00_start, 01_next"):
        builder.build(folder, ["07"], say=silent)
