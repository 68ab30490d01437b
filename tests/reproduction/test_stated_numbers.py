"""Generated tables show the stored results, and every stated number has an origin."""

import re
from pathlib import Path

import nbformat
import pytest
from stated_numbers import (
    complaint,
    from_results,
    is_cited,
    is_in_code,
    script_markdown,
    stated,
)

import reproduction
from reproduction import Claim, Results, Run
from reproduction.experiments import EXPERIMENTS

CLONE = Path(__file__).resolve().parents[2]
PROSE = [CLONE / "README.md", CLONE / "docs" / "RESULTS.md"]
SCRIPTS = sorted((CLONE / "notebooks" / "scripts").glob("[0-9][0-9]_*.py"))


def kept_results() -> list[Results]:
    found = (reproduction.kept(CLONE, full=full) for full in (False, True))
    return [results for results in found if results]


PAGES = reproduction.pages(CLONE)


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_pages_show_the_stored_results(page):
    text = page.read_text(encoding="utf-8")
    assert reproduction.with_tables(text, CLONE) == text, (
        "its tables are not those of reproduction/results/reproduction*.json; "
        "`python -m reproduction --measured FILE --keep` writes them"
    )


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_pages_select_claims_of_today(page):
    blocks = re.findall(r"<!-- results( full)?\n(.*?)-->", page.read_text("utf-8"), re.DOTALL)
    for full, lines in blocks:
        today = {e.name: e.claims for e in EXPERIMENTS if e.full in (None, bool(full))}
        known = {f"{name}: {claim.id}" for name, claims in today.items() for claim in claims}
        assert set(lines.splitlines()) <= known | set(today)


@pytest.mark.parametrize("full", [False, True], ids=["embedded", "full"])
def test_stored_results_are_of_the_claims_of_today(full):
    """Words and bounds of a claim may have changed since the measurement."""
    results = reproduction.kept(CLONE, full=full)
    if results is None:
        pytest.skip("no stored results")
    today = {e.name: e.claims for e in EXPERIMENTS if e.full in (None, full)}
    for name, claims in results.claims.items():
        assert today[name] == claims, (
            f"{name}: `python -m reproduction --measured FILE --keep` stores new words and bounds; "
            f"`python -m reproduction --only {name} --keep` measures new claims"
        )
    if not full:
        assert set(today) == set(results.claims)


@pytest.mark.parametrize("page", PROSE, ids=[page.name for page in PROSE])
def test_numbers_of_page(page):
    results = kept_results()
    numbers = stated(page.read_text(encoding="utf-8"))
    lost = [n for n in numbers if not (is_cited(n, CLONE) or from_results(n, results))]
    path = page.relative_to(CLONE)
    assert not lost, "\n".join(complaint(path, number) for number in lost)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_numbers_of_notebook(script):
    lost = list(unfounded(script, kept_results()))
    path = script.relative_to(CLONE)
    assert not lost, "\n".join(complaint(path, number) for number in lost)


def unfounded(script: Path, results: list[Results]):
    """Stated numbers of a notebook's prose without an origin."""
    notebook = nbformat.read(script.parents[1] / f"{script.stem}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number in stated(script_markdown(script.read_text(encoding="utf-8"))):
        known = is_cited(number, CLONE) or is_in_code(number, cells)
        if not known and not from_results(number, results, script.stem[:2]):
            yield number


IN_NOTEBOOK = {
    "auto": "auto",
    "KSG": "npeet",
    "CCA": "bmi:cca",
    "SMILE": "torch-mist:smile",
    "InfoNCE": "bmi:infonce",
    "MINE": "bmi:mine",
}


def rows_of_table(markdown: str, first: str) -> list[list[str]]:
    """Cells of the rows of the table whose header begins with ``first``, the header included."""
    lines = markdown.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return [rows[0], *rows[2:]]


def test_the_table_of_estimators_in_notebook_03_is_the_measured_one():
    (script,) = (path for path in SCRIPTS if path.stem.startswith("03"))
    measured = (CLONE / "reproduction" / "results" / "mutual_information.md").read_text("utf-8")
    families, *found = rows_of_table(measured, "estimator")
    errors = {row[0]: dict(zip(families, row, strict=True)) for row in found}
    header, *rows = rows_of_table(script_markdown(script.read_text("utf-8")), "family")
    assert header == ["family", *IN_NOTEBOOK]
    assert len(rows) == 12
    for name, *cells in rows:
        family = "null" if name == "independent" else name
        expected = [errors[estimator][family] for estimator in IN_NOTEBOOK.values()]
        assert [cell.strip("–-") for cell in cells] == expected


def test_the_tables_of_notebook_14_are_the_measured_ones():
    (script,) = (path for path in SCRIPTS if path.stem.startswith("14"))
    measured = (CLONE / "reproduction" / "results" / "masked.md").read_text("utf-8")
    text = script_markdown(script.read_text("utf-8"))
    marker = "<!-- from reproduction/results/masked.md -->"
    tables = [part.split("\n\n")[1] for part in text.split(marker)[1:]]
    assert len(tables) == text.count(marker) >= 4
    for table in tables:
        assert table.startswith("| ")
        assert table in measured, table


# --- the tester, tested --------------------------------------------------------------------

CLAIM = Claim(
    "accuracy", "accuracy", "IMSAT: 98.4 %", "Hu et al. 2017", "%", at_least=0.975, notebook="07"
)
NATS = Claim("nats", "I(x; y)", "ln 10 = 2.303 nats", "formula", "nats", notebook="06")


def measured() -> Results:
    values = [0.98123, 0.97891, 0.99]
    runs = [
        Run("clusters", seed, {"accuracy": (value,)}, "", 1, 1, 1, "", {})
        for seed, value in enumerate(values)
    ]
    runs.append(Run("bounds", 0, {"nats": (2.266, 2.25, 2.28)}, "", 1, 1, 1, "", {}))
    return Results({"clusters": (CLAIM,), "bounds": (NATS,)}, runs)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("right on 98.2 % of all", [("98.2", "%", 98.2)]),
        (
            "10, 20 and 55.5 % of the pixels",
            [("10", "%", 10), ("20", "%", 20), ("55.5", "%", 55.5)],
        ),
        ("from 63 to 98 %, 85 % in the mean", [("63", "%", 63), ("98", "%", 98), ("85", "%", 85)]),
        ("off by 0.015 nats (or .3 nat)", [("0.015", "nats", 0.015), (".3", "nats", 0.3)]),
        ("between 94.6 % and 95.7 %", [("94.6", "%", 94.6), ("95.7", "%", 95.7)]),
        ("takes 10 CPU seconds, 29 s at most", [("10", "s", 10), ("29", "s", 29)]),
        ("in 3 minutes, 5 ms or 2 hours", [("3", "s", 180), ("5", "s", 0.005), ("2", "s", 7200)]),
        ("1,200 s on\na **57**", [("1,200", "s", 1200)]),
        (r"an accuracy of $97\,\%$", [("97", "%", 97)]),
        ("share ln 10 nats, or $\\ln 10$ nats", []),
        ("10 items, 3 samples, 2 speakers, $x_2 s$", []),
        ("```\nwait 5 s\n```\n", []),
        ("<!-- map -->\n5 s\n<!-- /map -->\n<!-- results full a -->\n5 %\n<!-- /results -->", []),
    ],
)
def test_numbers_are_found(text, found):
    assert [(n.number, n.unit, pytest.approx(n.value)) for n in stated(text)] == found


def test_lines_and_paragraphs():
    text = "# Title\n\nfirst 1 %\nthen 2 %\n\n| a | 3 % |\n| [b](https://x.org) | 4 % |\n\n5 %"
    numbers = list(stated(text))
    assert [n.line for n in numbers] == [3, 4, 6, 7, 9]
    assert [is_cited(n, CLONE) for n in numbers] == [False, False, False, True, False]
    script = "# %% [markdown]\n# a\n# 7 %\n\n# %%\nx = 8  # 8 %\n\n# %% [markdown]\n# 9 %\n"
    numbers = list(stated(script_markdown(script)))
    assert [(n.line, n.number) for n in numbers] == [(3, "7"), (9, "9")]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("98.34 %", True),  # mean
        ("98.3 %", True),
        ("98 %", True),
        ("98.35 %", False),
        ("97.89 %", True),  # worst
        ("97.88 %", False),
        ("98.12 %", True),  # a seed
        ("97.5 %", True),  # bound
        ("98.4 %", True),  # truth beside it
        ("96.4 %", False),
        ("98.34 nats", False),
        ("2.27 nats", True),
        ("2.25 nats", True),  # end of the interval
        ("2.303 nats", True),
        ("2.26 nats", False),
    ],
)
def test_a_number_is_a_result_as_it_is_rounded(text, right):
    (number,) = stated(text)
    assert from_results(number, [measured()]) is right


def test_a_notebook_states_the_claims_that_it_teaches():
    (number,) = stated("98.34 %")
    assert from_results(number, [measured()], "07")
    assert not from_results(number, [measured()], "06")


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("95.6 % ([DML](https://github.com/x/y))", True),
        ("95.6 % (Hu et al. 2017)", True),
        ("Bennett and Smith (1999) have 95.6 %", True),
        ("97.7 % ([figures](reproduction/results/manifold.md))", True),
        ("95.6 % ([figures](../reproduction/results/manifold.md))", False),  # is not in it
        ("In [figures](reproduction/results/manifold.md):\n\n| a | 97.7 % |", True),
        ("In [figures](reproduction/results/manifold.md):\n\nsome\n\n| a | 97.7 % |", False),
        ("95.6 % (see [notebook](07_manifold.ipynb))", False),
        ("95.6 % with `reproduction/peers/bench_manifold.py`", False),
        ("In 2017 it had 95.6 %", False),
    ],
)
def test_citation(text, right):
    (number,) = stated(text)
    assert is_cited(number, CLONE) is right


def test_a_planted_number_is_flagged(tmp_path):
    """A notebook whose code has some of the numbers; other numbers of its prose have no origin."""
    prose = (
        "It takes 7 nats and 5 %.\n\nRight: 97.3 %, 88.8 %.\n\n40 s.\n\n12.3 % (Hu et al. 2017)."
    )
    code = nbformat.v4.new_code_cell("nats = 7.0\nshare = 0.05\nprint(right)")
    code.outputs = [nbformat.v4.new_output("stream", text="right: 0.9731\n")]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(prose), code])
    nbformat.write(notebook, tmp_path / "07_x.ipynb")
    script = tmp_path / "scripts" / "07_x.py"
    script.parent.mkdir()
    lines = "".join(f"# {line}\n" for line in prose.splitlines())
    script.write_text(f"# %% [markdown]\n{lines}", encoding="utf-8")
    found = list(unfounded(script, [measured()]))
    assert [(n.line, n.number, n.unit) for n in found] == [(4, "88.8", "%"), (6, "40", "s")]
    assert complaint(script, found[0]).startswith(f"{script}:4: 88.8 (%) is no stored result")
