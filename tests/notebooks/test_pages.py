"""The pages of executed notebooks: complete, linked among themselves, and readable offline."""

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit
from xml.etree import ElementTree

import nbformat
import pytest
from bs4 import BeautifulSoup

from notebooks.tools import builder, mathml, pages, search

LOADED = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src"}


class Tags(HTMLParser):
    """All start tags of a page with their attributes, and its text."""

    def __init__(self, page: Path):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    @property
    def ids(self) -> set[str]:
        return {attributes["id"] for _, attributes in self.tags if "id" in attributes}

    def values(self, tag: str, attribute: str) -> list[str]:
        return [found[attribute] for name, found in self.tags if name == tag and attribute in found]


def complaints(site: Path) -> list[str]:
    """What a reader without a network would stumble over."""
    found = []
    ids = cache(lambda page: Tags(page).ids)
    for page in site.glob("*.html"):
        tags = Tags(page)
        if "$$" in tags.text or r"\frac" in tags.text:
            found.append(f"{page.name}: raw formula")
        if any("tex" in (attributes.get("class") or "").split() for _, attributes in tags.tags):
            found.append(f"{page.name}: a formula that latex2mathml cannot translate")
        for tag, attribute in LOADED.items():
            for value in tags.values(tag, attribute):
                if urlsplit(value).scheme not in ("", "data"):
                    found.append(f"{page.name}: loads {value}")
        for tag, attribute in {**LOADED, "a": "href"}.items():
            for value in tags.values(tag, attribute):
                location, fragment = urldefrag(value)
                if urlsplit(value).scheme:
                    continue
                if not (site / unquote(location or page.name)).is_file():
                    found.append(f"{page.name}: {value} is not there")
                elif fragment and fragment not in ids(site / (location or page.name)):
                    found.append(f"{page.name}: no {value}")
    return found


def write_notebook(folder: Path, name: str, *cells: tuple[str, str]) -> None:
    number, title = name[:2], name[3:].title()
    opening = f"# {number} · {title}\n\n*What {number} teaches.*"
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    made = [make[kind](source) for kind, source in (("markdown", opening), *cells)]
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=made), folder / f"{name}.ipynb")


PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nassert True"
SHOW = """\
import matplotlib.pyplot as plt
from simmim_lite import figures
plt.plot([1, 2])
figures.show("Figure 1. A line.", alt="A line that rises from 1 to 2.")"""
TEXT = r"""
## 1. Formulas and links

Inline $I(X;Y) \le H(X)$, and

$$
\hat I = \sum_{i=1}^N p(x_i) \log \frac{p(x_i)}{q(x_i)}
$$

[here](00_first.ipynb#1-formulas-and-links),
[next](01_second.ipynb), [solution](solutions/00.ipynb), [readme](../README.md), [gone](gone.md),
[outside](../../secret.txt), [DOI](https://doi.org/10.1000/1),
[![Open in Colab](https://example.org/badge.svg)](https://example.org/00)
![a local picture](images/dot.png)
"""


QUESTION = """\
[[question]]
text = "How many states has a bit?"
answer = "b"
a = ["one", "One state carries no information."]
b = ["two", "A bit is either 0 or 1."]
"""
GLOSSARY = """\
| term | Chinese | meaning | first use |
|---|---|---|---|
| entropy | 熵 | mean surprise | [00, section 1](../notebooks/00_first.ipynb#1-formulas-and-links) |
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of three notebooks, the second of which fails."""
    root = tmp_path_factory.mktemp("clone")
    folder = root / "repository" / "notebooks"
    write_notebook(folder, "00_first", ("markdown", TEXT), ("code", PLOT), ("code", "assert 1"))
    write_notebook(
        folder,
        "01_second",
        ("code", "assert True\nassert 1 == 1"),
        ("code", "assert 1 == 2, 'one is <not> two'"),
        ("code", "assert True"),
    )
    write_notebook(folder, "02_third", ("markdown", "[back](00_first.ipynb)"), ("code", SHOW))
    write_notebook(
        folder / "solutions", "00", ("markdown", "$x$"), ("code", "def f(x):\n    return x < 1")
    )
    (folder / "scripts" / "quizzes").mkdir(parents=True)
    (folder / "scripts" / "quizzes" / "00_first.toml").write_text(QUESTION)
    (folder.parent / "docs").mkdir()
    (folder.parent / "docs" / "GLOSSARY.md").write_text(GLOSSARY)
    (folder / "images").mkdir()
    (folder / "images" / "dot.png").write_bytes(b"\x89PNG")
    readme = "# Read me\n\n[first](notebooks/00_first.ipynb) [license](LICENSE) $x$"
    (folder.parent / "README.md").write_text(readme)
    (folder.parent / "LICENSE").write_text("MIT")
    (root / "secret.txt").write_text("secret")
    before = {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}
    output = root / "site"
    said: list[str] = []
    failures = pages.run(folder, output, say=said.append)
    (root / "said").write_text("\n".join(said))
    assert failures == 1
    assert {p: p.read_bytes() for p in folder.parent.rglob("*") if p.is_file()} == before
    return output


def test_site_reads_offline(site: Path):
    assert complaints(site) == []


def test_style_uses_files_of_the_site_only(site: Path):
    used = re.findall(r"url\(\"?([^)\"]+)", (site / "style.css").read_text())
    assert used == ["STIXTwoMath-Regular.ttf"]
    assert (site / used[0]).is_file()


def test_complaints_are_found(tmp_path: Path):
    body = (
        '<img src="https://example.org/a.png"><a href="gone.html">x</a><a href="#gone">x</a>'
        '<a href="a.html#gone">x</a>'
        '$$x$$<code class="tex">x</code><script src="https://example.org/a.js"></script>'
    )
    (tmp_path / "a.html").write_text(body)
    assert len(complaints(tmp_path)) == 7


def test_pages_of_all_notebooks_lead_to_each_other(site: Path):
    index, first, second, third = (
        Tags(site / f"{name}.html").values("a", "href")
        for name in ("index", "00_first", "01_second", "02_third")
    )
    lessons = [target for target in index if re.match(r"\d\d_", target)]
    assert lessons == ["00_first.html", "01_second.html", "02_third.html"]
    assert {"index.html", "01_second.html"} <= set(first)
    assert "00_first.html" in second
    assert "02_third.html" in second
    assert {"01_second.html", "00_first.html", "index.html"} <= set(third)


def test_linked_files_become_pages(site: Path):
    solution = Tags(site / "notebooks-solutions-00.ipynb.html")
    assert "return" in solution.text
    assert solution.values("math", "xmlns")
    readme = Tags(site / "README.md.html")
    assert {"00_first.html", "LICENSE.html"} <= set(readme.values("a", "href"))
    assert readme.values("math", "xmlns")
    assert (site / "notebooks-images-dot.png").is_file()
    assert not [path for path in site.iterdir() if "secret" in path.name]


def test_page_shows_formulas_figures_and_code(site: Path):
    page = Tags(site / "00_first.html")
    assert page.values("math", "display") == ["inline", "block"]
    figure = next(
        found for tag, found in page.tags if found.get("src", "").startswith("data:image")
    )
    assert figure["alt"] == "Figure 1 of First"
    assert "import matplotlib.pyplot" in page.text
    texts = Tags(site / "02_third.html").values("img", "alt")
    assert texts == ["A line that rises from 1 to 2."]
    assert "Figure 1. A line." in Tags(site / "02_third.html").text
    assert "Open in Colab" in page.text


def test_failing_notebook_is_shown_and_named_and_the_others_run(site: Path):
    text = Tags(site / "01_second.html").text
    assert "stopped in cell 2: AssertionError: one is <not> two" in text
    assert "AssertionError: one is <not> two" in Tags(site / "index.html").text
    assert "stopped" not in Tags(site / "02_third.html").text
    said = (site.parent / "said").read_text()
    assert "failed: 01_second, cell 2: AssertionError: one is <not> two" in said


def test_table_counts_what_ran(site: Path):
    said = (site.parent / "said").read_text().splitlines()
    rows = {line.split()[0]: line.split()[2:] for line in said if line[:2].isdigit()}
    assert rows == {"00_first": ["2", "1"], "01_second": ["2", "0"], "02_third": ["0", "1"]}


def test_card_says_what_a_notebook_needs_and_what_comes_next(site: Path):
    card = BeautifulSoup((site / "00_first.html").read_text(), "html.parser").select_one(".card")
    assert card["aria-label"] == "This notebook"
    assert [key.text for key in card.select("dt")] == ["You will know", "Time", "Needs", "Next"]
    assert "What 00 teaches." in card.text
    assert card.select_one("a[href]")["href"] == "01_second.html"
    last = BeautifulSoup((site / "02_third.html").read_text(), "html.parser").select_one(".card")
    assert "Next" not in last.text


def test_quiz_page_has_the_questions_with_a_link_to_their_notebook(site: Path):
    page = Tags(site / "quiz.html")
    assert "How many states has a bit?" in page.text
    assert "00_first.html" in page.values("a", "href")
    assert page.values("input", "data-right") == ["0", "1"]


def test_search_finds_titles_sections_terms_and_functions(site: Path):
    found = {entry.name: entry for entry in search.functions("reference/index.html")}
    target = "reference/simmim_lite/bounds.html#info_nce"
    assert found["bounds.info_nce"].page == target
    assert found["bounds.info_nce"].note
    page = Tags(site / "search.html")
    targets = page.values("a", "href")
    assert targets.count("00_first.html#1-formulas-and-links") == 2  # the section, and the term
    assert {"01_second.html", "02_third.html"} <= set(targets)
    assert "entropy term熵 · mean surprise" in " ".join(page.text.split())
    assert "1. Formulas and links section" in " ".join(page.text.split())


def test_index_leads_to_quiz_search_and_glossary(site: Path):
    targets = set(Tags(site / "index.html").values("a", "href"))
    assert {"quiz.html", "search.html", "docs-GLOSSARY.md.html"} <= targets


def test_stored_outputs_are_shown_without_execution(tmp_path: Path):
    write_notebook(tmp_path, "00_first", ("code", "assert False, 'executed'"))
    assert pages.run(tmp_path, tmp_path / "site", stored=True, say=str) == 0
    assert "executed" in Tags(tmp_path / "site" / "00_first.html").text  # its source


def test_no_notebook_is_an_error(tmp_path: Path):
    with pytest.raises(ValueError, match="no notebooks"):
        pages.run(tmp_path, tmp_path / "site")


def test_aligned_columns():
    assert pages.aligned([("a", "b"), ("long", "12")]) == "a      b\nlong  12"


FORMULAS = [
    r"\mathbb{E}_{p(x,y)}\big[f\big]",
    r"\begin{aligned} a &= b \\ &= c \end{aligned}",
    r"\begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}",
    r"\underbrace{H(X)}_{\text{ceiling}}",
    r"\operatorname{argmax}_x f(x) \;\le\; \max_x \log_2 K",
    r"\hat I, \widehat{I}_N, \tilde x, \bar x",
    r"\left( \frac{a}{b} \right) \sqrt{1-\rho^2}",
    r"D_{\mathrm{KL}}(p \,\|\, q) = \int p(x) \log \frac{p(x)}{q(x)} \, dx",
    r"X \sim \mathcal{N}(0, \Sigma), \quad X \perp Y \iff I(X;Y) = 0",
    r"\psi(k) - \langle \psi(n_x + 1) + \psi(n_y + 1) \rangle + \psi(N)",
    r"\big\langle x \big\rangle + \big\| x \big\| + \Big\{ x \Big\}",
    r"\begin{pmatrix} 1 & \rho \\ \rho & 1 \end{pmatrix} \ge -\tfrac12 \log \det R",
    r"\lVert x \rVert^2, \; \mathbf{x}^\top y, \; \prod_i \mathbb{1}[x_i = y_i], \ldots",
]


@pytest.mark.parametrize("latex", FORMULAS)
@pytest.mark.parametrize("display", [False, True])
def test_formula_is_translated(latex: str, display: bool):
    tree = ElementTree.fromstring(mathml.to_mathml(latex, display=display))
    assert not [text for text in tree.itertext() if "\\" in text or "&" in text]
    assert tree.get("display") == ("block" if display else "inline")


@pytest.mark.parametrize(
    "latex", [r"\unheardof{x}", r"\frac{1}", r"\left( x", "a & b", r"\begin{gone} x \end{gone}"]
)
def test_formula_that_is_not_understood_is_shown_as_source(latex: str):
    with pytest.raises(mathml.FormulaError):
        mathml.to_mathml(latex)
    assert mathml.to_html(latex).startswith('<code class="tex">')


def test_spacing_follows_tex():
    tree = ElementTree.fromstring(mathml.to_mathml(r"p \log p + \log(q) + I(X;Y)"))
    operators = list(tree.iter(f"{{{mathml.NAMESPACE}}}mo"))
    first, second = (element for element in operators if element.text == "log")
    assert (first.get("lspace"), first.get("rspace")) == (mathml.THIN, mathml.THIN)
    assert (second.get("lspace"), second.get("rspace")) == ("0", "0")
    assert ";" in [element.text for element in operators]


def test_limits_stand_below_in_display_only():
    assert "munder" in mathml.to_mathml(r"\max_x f", display=True)
    assert "munder" not in mathml.to_mathml(r"\max_x f")


@pytest.mark.slow
def test_formulas_of_the_notebooks_are_translated():
    """Every committed notebook as a page: no formula is left as source."""
    names = builder.names(builder.FOLDER)
    assert names
    for name in names:
        notebook = builder.read_script(builder.FOLDER / "scripts" / f"{name}.py")
        html = pages.notebook_to_html(notebook)
        assert 'class="tex"' not in html, name
        assert "$$" not in html, name
