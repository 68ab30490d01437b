"""The slides: complete, short, with figures, links and numbers of their notebooks, and offline."""

import base64
import math
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from document_links import LINK, anchor, headings
from nbformat import NotebookNode
from stated_numbers import Stated, from_results, is_in_code, stated

import reproduction
from notebooks.tools import builder, pages, slides

CLONE = Path(__file__).resolve().parents[2]
FOLDER = builder.FOLDER / "slides"
DECKS = sorted(path.stem for path in FOLDER.glob("*.md"))
PARTS = ("Idea: ", "Formula: ", "For the room: ", "The number and its truth", "Recap")
LAST = "In the notebook"
FIGURE = re.compile(r"!\[(Figure \d+)\]\((\S+)\)")
DECIMAL = re.compile(r"(?<![\w.])\d[\d,]*\.\d+(?![\d ]*%)")
WORDS = 60  # of a slide, at most: it is read aloud, not read

decks = pytest.mark.parametrize("name", DECKS)


def deck(name: str) -> list[slides.Slide]:
    return slides.read((FOLDER / f"{name}.md").read_text(encoding="utf-8"))


@cache
def notebook(name: str) -> NotebookNode:
    return nbformat.read(builder.FOLDER / f"{name}.ipynb", as_version=4)


def titles(name: str) -> list[str]:
    return [slide.body.splitlines()[0].lstrip("# ") for slide in deck(name)]


def test_each_notebook_of_the_one_day_schedule_has_a_deck():
    text = (CLONE / "docs" / "TEACHING.md").read_text(encoding="utf-8")
    day = text.partition("\n### One day")[2].partition("\n### ")[0]
    column = [line.split("|")[3] for line in day.splitlines() if line.startswith("|")]
    assert sorted(set(re.findall(r"\d\d", " ".join(column)))) == [name[:2] for name in DECKS]


@decks
def test_a_deck_has_its_parts(name: str):
    found, parts = titles(name), deck(name)
    assert 6 <= len(found) <= 12
    assert found[0] == f"{name[:2]} · {builder.lesson(name, notebook(name)).title}"
    assert "**Question.**" in parts[0].body
    assert found[-1] == LAST
    assert [part for part in PARTS if sum(title.startswith(part) for title in found) != 1] == []
    formula = next(s.body for s in parts if s.body.startswith("## Formula: "))
    assert formula.count("$$") == 2
    assert len(re.findall(r"^- ", formula, re.MULTILINE)) >= 3, "each symbol is explained"
    room = next(s for s in parts if s.body.startswith("## For the room: "))
    assert "\nAnswer: " in room.notes
    assert 1 <= sum(len(FIGURE.findall(slide.body)) for slide in parts) <= 3


@decks
def test_each_slide_has_a_title_few_words_and_notes(name: str):
    for number, slide in enumerate(deck(name), start=1):
        assert re.match(r"# " if number == 1 else r"## ", slide.body), number
        assert len(slide.notes.split()) >= 10, f"slide {number} has no notes"
        prose = re.sub(r"\]\(\S+\)|\$[^$]*\$", " ", slide.body)
        assert len(re.findall(r"\w{2,}", prose)) <= WORDS, f"slide {number} is too long"


def faulty_links(name: str, text: str) -> Iterator[str]:
    """Links to what is not there, or under another name than the section has."""
    for label, link in LINK.findall(text):
        location, _, fragment = link.partition("#")
        target = FOLDER / location
        if not target.is_file():
            yield f"{link}: there is no such file"
        elif FIGURE.match(f"![{label}]({link})"):
            if target.stem != name or label not in slides.figures(notebook(target.stem)):
                yield f"{link}: there is no {label}"
        elif fragment and fragment != anchor(label):
            yield f"{link}: the label is {label!r}"
        elif fragment and label not in headings(target):
            yield f"{link}: there is no such section"


@decks
def test_figures_and_sections_exist(name: str):
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert list(faulty_links(name, text)) == []
    sections = LINK.findall(deck(name)[-1].body)
    assert len(sections) >= 3
    assert all(link.startswith(f"../{name}.ipynb#") for _, link in sections)


def test_faulty_links_are_found():
    notebook = "../00_start_here.ipynb"
    text = f"""
    ![Figure 99]({notebook}) [1. What is SimMIM?]({notebook}#2-what) [No]({notebook}#no)
    [gone](gone.md) ![Figure 1](../01_entropy.ipynb)"""
    assert len(list(faulty_links("00_start_here", text))) == 5


def numbers(text: str) -> Iterator[Stated]:
    """Numbers with a unit, and all decimals, outside of formulas and links."""
    plain = re.sub(r"\$\$.*?\$\$|\$[^$\n]*\$|\]\(\S+\)", " ", text, flags=re.DOTALL)
    yield from stated(plain)
    for found in DECIMAL.finditer(plain):
        yield Stated(0, found[0], "", 1.0, plain[max(0, found.start() - 60) : found.end() + 20])


def unfounded(name: str, parts: list[slides.Slide]) -> list[str]:
    """Numbers that neither the notebook nor a stored result has; exercises have their own."""
    results = [found for full in (0, 1) if (found := reproduction.kept(CLONE, full=bool(full)))]
    cells = [cell for cell in notebook(name).cells if cell.cell_type == "code"]
    text = "\n\n".join(
        f"{slide.body}\n\n{slide.notes}"
        for slide in parts
        if not slide.body.startswith("## For the room: ")
    )
    text = re.sub(r"[^.]*\bminutes?\b[^.]*\.", " ", text)  # of the lecture
    exact = [math.log(int(whole)) for whole in re.findall(r"\bln (\d+)", text)]
    return [
        f"{number.number} {number.unit}: ...{number.paragraph}"
        for number in numbers(text)
        if not is_in_code(number, cells)
        and not from_results(number, results, name[:2])
        and not any(abs(value - number.value) <= number.rounding for value in exact)
    ]


@decks
def test_numbers_are_those_of_the_notebook(name: str):
    assert unfounded(name, deck(name)) == []


def test_a_planted_number_is_found():
    planted = [slides.Slide("## A\n\n77.7 % and 2.3026 nats", "| a | 0.4321 |")]
    found = unfounded("00_start_here", planted)
    assert {line.split(" ")[0] for line in found} == {"77.7", "0.4321"}


def entropy(counts: list[float]) -> float:
    return -sum(n / sum(counts) * math.log(n / sum(counts)) for n in counts)


SUMS = [[a + b for a in range(1, 7) for b in range(1, 7)].count(total) for total in range(2, 13)]
ANSWERS = {  # what the notes of an exercise state, computed
    "00_start_here": {"0.1": (5 - 1) * (4 - 1) / (2 * 60)},
    "01_entropy": {
        "3.58": math.log(36),
        "2.40": math.log(11),
        "2.27": entropy(SUMS),
        "1.31": math.log(36) - entropy(SUMS),
    },
    "02_mutual_information": {"0.69": entropy([3, 3])},
    "03_variational_bounds": {"6.24": math.log(512)},
    "07_manifold_infomax": {"2.303": math.log(10)},
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_of_exercises_are_computed(name: str):
    notes = next(s.notes for s in deck(name) if s.body.startswith("## For the room: "))
    for text, value in ANSWERS[name].items():
        assert re.search(rf"(?<![\d.]){re.escape(text)}(?!\d)", notes), text
        assert abs(float(text) - value) <= 0.5 * 10 ** -len(text.partition(".")[2]), text


def test_numbers_in_answers_are_in_the_notebook_or_computed():
    for name in DECKS:
        room = next(s for s in deck(name) if s.body.startswith("## For the room: "))
        cells = [cell for cell in notebook(name).cells if cell.cell_type == "code"]
        asked = {number.value for number in numbers(room.body)}
        for number in numbers(room.notes):
            known = number.number in ANSWERS.get(name, {}) or number.value in asked
            assert known or number.unit == "s" or is_in_code(number, cells), (name, number.number)


# The pages


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All decks, with the figures of the stored notebooks."""
    output = tmp_path_factory.mktemp("site")
    lessons = [builder.lesson(name, notebook(name)) for name in DECKS]
    made = pages.Site(output, builder.FOLDER, lessons)
    made.write_style()
    for lesson in lessons:
        made.write_slides(lesson, notebook(lesson.name))
    return output


def test_there_is_a_page_for_each_deck(site: Path):
    assert sorted(path.stem for path in site.glob("*.html")) == [f"slides_{d}" for d in DECKS]


@decks
def test_a_page_needs_no_other_file(site: Path, name: str):
    text = (site / f"slides_{name}.html").read_text(encoding="utf-8")
    assert external(text) == []
    found = {link["href"].partition("#")[0] for link in BeautifulSoup(text, "html.parser")("a")}
    assert found == {"index.html", f"{name}.html"}


def external(text: str) -> list[str]:
    """What a page would load: all but the links that a reader clicks."""
    soup = BeautifulSoup(text, "html.parser")
    loaded = [tag["src"] for tag in soup.select("[src]")]
    loaded += [tag["href"] for tag in soup.select("[href]") if tag.name != "a"]
    loaded += [url.strip("'\"") for url in re.findall(r"url\(([^)]*)\)", text)]
    loaded += re.findall(r"@import[^;]*|\bfetch\([^)]*|\bimport\([^)]*", text)
    return [url for url in loaded if not url.startswith("data:")]


def test_external_requests_are_found():
    text = (
        '<img src="https://x.org/a.png"><link href="a.css"><script src="b.js"></script>'
        '<style>a { background: url("c.png") } @import "d.css";</style><a href="https://x.org">x</a>'
    )
    assert len(external(text)) == 5


@decks
def test_a_page_is_accessible_and_all_formulas_are_translated(site: Path, name: str):
    soup = BeautifulSoup((site / f"slides_{name}.html").read_text("utf-8"), "html.parser")
    assert soup.html["lang"] == "en"
    assert soup.title.get_text().startswith(name[:2])
    assert len(soup("h1")) == 1
    assert soup.select_one('meta[name="viewport"]')
    assert [image for image in soup("img") if len(image.get("alt", "")) < 40] == []
    shown = soup.select(".slide")
    assert [slide["id"] for slide in shown] == [str(n + 1) for n in range(len(deck(name)))]
    assert all(slide.select_one(".notes").get_text(strip=True) for slide in shown)
    assert soup.select(".tex") == []
    assert "$" not in soup.main.get_text()
    assert {button.get_text() for button in soup("button")} == {"←", "→", "Notes"}


def test_a_notebook_and_the_index_link_to_the_slides(tmp_path: Path):
    """Of two small notebooks one has slides, with a figure that is taken from its outputs."""
    folder, output = tmp_path / "clone" / "notebooks", tmp_path / "site"
    (folder / "slides").mkdir(parents=True)
    png = base64.b64encode(base64.b64decode(PIXEL)).decode()
    drawn = [
        nbformat.v4.new_output(
            "display_data", {"image/png": png}, metadata={"image/png": {"alt": "A black dot."}}
        ),
        nbformat.v4.new_output("display_data", {"text/markdown": "**Figure 1.** A dot."}),
    ]
    for name in ("00_first", "01_second"):
        opening = nbformat.v4.new_markdown_cell(f"# {name[:2]} · {name}\n\n*What it teaches.*")
        cells = [opening, nbformat.v4.new_code_cell("plot()", outputs=drawn)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")
    text = "# 00 · first\n\n![Figure 1](../00_first.ipynb)\n\nNotes:\n\nSay $x$.\n\n---\n\n## End\n"
    (folder / "slides" / "00_first.md").write_text(text)
    assert pages.run(folder, output, stored=True, say=lambda line: None) == 0
    links = {
        page: [
            a["href"] for a in BeautifulSoup((output / page).read_text("utf-8"), "html.parser")("a")
        ]
        for page in ("index.html", "00_first.html", "01_second.html", "slides_00_first.html")
    }
    assert "slides_00_first.html" in links["index.html"]
    assert "slides_00_first.html" in links["00_first.html"]
    assert "slides_00_first.html" not in links["01_second.html"]
    assert "00_first.html" in links["slides_00_first.html"]
    assert not (output / "slides_01_second.html").exists()
    soup = BeautifulSoup((output / "slides_00_first.html").read_text("utf-8"), "html.parser")
    assert soup.img["alt"] == "A black dot."
    assert soup.img["src"] == f"data:image/png;base64,{png}"
    assert (soup.img["width"], soup.img["height"]) == ("1", "1")
    assert soup.figcaption.get_text().strip() == "Figure 1. A dot."
    assert soup.select_one(".notes math")
    (folder / "slides" / "00_first.md").write_text(text.replace("Figure 1", "Figure 2"))
    with pytest.raises(ValueError, match=r"00_first.ipynb has no Figure 2"):
        pages.run(folder, output, stored=True, say=lambda line: None)


PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


def test_slides_are_read():
    text = "# A\n\n| a |\n|---|\n\nNotes:\n\nfirst\n\n---\n\n## B\n\n- b ---\n"
    assert slides.read(text) == [("# A\n\n| a |\n|---|", "first"), ("## B\n\n- b ---", "")]


def test_without_a_browser_a_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []
    assert slides.write_pdfs(tmp_path, said.append) == []
    assert said == []
    (tmp_path / "slides_00_first.html").write_text("x")
    assert slides.write_pdfs(tmp_path, said.append) == []
    assert said == [slides.NO_PDF]


@pytest.mark.slow
@pytest.mark.skipif(slides.chromium() is None, reason="Chromium is not installed")
def test_a_deck_is_printed_one_slide_a_page_without_paths(site: Path, tmp_path: Path):
    name = DECKS[0]
    page = tmp_path / f"slides_{name}.html"
    page.write_bytes((site / page.name).read_bytes())
    said: list[str] = []
    (target,) = slides.write_pdfs(tmp_path, said.append)
    content = target.read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", content)) == len(deck(name))
    assert b"/URI" not in content
    assert str(tmp_path).encode() not in content
    assert said == [f"slides: {target}"]
