"""Numbers as they are printed, generated tables, the report and its pictures."""

import math
import re
from html.parser import HTMLParser

import pytest
from example_results import ACCURACY, accuracies, accuracy, outcome, run_of, some_results

import reproduction
from reproduction import Results, charts, tables, write_report


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.97498, "%", "97.50 %"),
        (-0.0155, "points", "-1.55 points"),
        (2.3025, "nats", "2.303 nats"),
        (1e-12, "nats", "1e-12 nats"),
        (0.0, "nats", "0.000 nats"),
        (46.04, "s", "46.0 s"),
        (512.3, "s", "512 s"),
        (3e-16, "", "3e-16"),
        (1234567.0, "", "1,234,567"),
        (0.9975, "", "0.998"),
        (17.0, "rows", "17 rows"),
        (math.nan, "%", "–"),
    ],
)
def test_number(value, unit, text):
    assert tables.number(value, unit) == text


def test_markdown_table():
    table = tables.markdown_table(some_results().outcomes).splitlines()
    assert table[2] == (
        "| clustering accuracy | published: 98 % | 97.50 % [91.15, 100.00] | 97.00 % "
        "| ≥ 97 %, each seed ≥ 95 % | holds |"
    )
    assert table[3].endswith("| **FAILS** |")
    assert table[6].endswith("| **NOT MEASURED** |")
    assert len(table) == 7


README = """a
<!-- results
sorting
telling: information
-->
former
<!-- /results -->
b
<!-- results -->
<!-- /results -->
"""


def test_results_are_kept_in_a_clone(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(README, encoding="utf-8")
    others = [tmp_path / "docs" / "RESULTS.md", tmp_path / "reproduction" / "results" / "note.md"]
    for page in others:
        page.parent.mkdir(parents=True)
        page.write_text(README, encoding="utf-8")
    reproduction.keep(some_results(), tmp_path)
    first, second = readme.read_text(encoding="utf-8").split("\nb\n")
    assert first.startswith("a\n<!-- results\nsorting\ntelling: information\n-->\n\n|  | refer")
    assert first.endswith(" |\n\n<!-- /results -->")
    names = [line.split(" | ")[0] for line in first.splitlines() if line.startswith("| ")]
    assert names[2:] == ["| clustering accuracy", "| CPU seconds", "| I(x; y)"]
    assert "former" not in first
    assert "| a hope |" in second
    for page in others:
        assert page.read_text(encoding="utf-8") == readme.read_text(encoding="utf-8")
    newer = Results({"sorting": (ACCURACY,)}, accuracies(0.5))
    reproduction.keep(newer, tmp_path)
    assert "| 50.00 % |" in readme.read_text(encoding="utf-8")
    assert list(reproduction.kept(tmp_path, full=False).claims) == ["sorting", "telling", "hanging"]
    again = readme.read_text(encoding="utf-8")
    assert reproduction.with_tables(again, tmp_path) == again
    assert reproduction.kept(tmp_path, full=True) is None


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("<!-- results\nsorted\n-->\n<!-- /results -->", "got 'sorted'"),
        ("<!-- results\nsorting: hope\n-->\n<!-- /results -->", "got 'sorting: hope'"),
    ],
)
def test_a_table_of_what_was_not_measured_is_refused(tmp_path, block, message):
    some_results().save(tmp_path / "reproduction" / "results" / "reproduction.json")
    with pytest.raises(ValueError, match=message):
        reproduction.with_tables(block, tmp_path)


def test_a_table_of_no_results_is_empty(tmp_path):
    made_up = "<!-- results full -->\n| 99 % |\n<!-- /results -->"
    empty = "<!-- results full -->\n<!-- /results -->"
    assert reproduction.with_tables(made_up, tmp_path) == empty


class Page(HTMLParser):
    """Text of a page, and all that it would load or link to."""

    def __init__(self, text):
        super().__init__()
        self.text, self.loaded, self.links, self.open = "", [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.loaded += [attrs[name] for name in ("src", "data") if name in attrs]
        self.loaded += [attrs["href"]] if tag == "link" else []
        self.links += [attrs["href"]] if tag == "a" else []
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_report_stands_alone_and_hides_nothing(tmp_path):
    path = tmp_path / "report" / "index.html"
    write_report(some_results(), path)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert all(each.startswith("data:") for each in page.loaded)
    assert sum(each.startswith("data:image/svg+xml;base64,") for each in page.loaded) == 2
    assert text.count('<svg class="picture pass"') == 3
    assert not re.search(r"url\((?!data:)", text)
    assert page.links == ["https://arxiv.org/abs/2001.00001"]
    said = " ".join(page.text.split())
    assert "5 claims on the embedded data: 3 hold, 1 fails, 1 not measured" in said
    assert "hanging: a hope: seed 0: RuntimeError: <b> & no luck" in said
    for part in ("largest <error>", "97.50 % [91.15, 100.00]", "abacus", "0123456789ab", "c0de"):
        assert part in said
    first = path.read_bytes()
    write_report(some_results(), path)
    assert path.read_bytes() == first


def positions(svg, kind):
    """Where the parts of a row's picture stand, from left to right."""
    return sorted(map(float, re.findall(rf'class="{kind}" (?:cx|x1?|d)="M?([\d.-]+)', svg)))


def test_picture_of_a_row_is_to_scale():
    claim = accuracy(at_least=0.9, target=1.0)
    svg = charts.row_picture(outcome(claim, *accuracies(0.95, 0.975)))
    (bound,), (truth,), seeds = (positions(svg, kind) for kind in ("bound", "truth", "seed"))
    (shaded,) = positions(svg, "allowed")
    low, high = outcome(claim, *accuracies(0.95, 0.975)).interval
    assert shaded == bound
    assert len(seeds) == 2
    scale = (seeds[1] - seeds[0]) / 0.025
    assert seeds[0] - bound == pytest.approx(0.05 * scale, abs=0.3)
    assert truth + 5 - seeds[1] == pytest.approx(0.025 * scale, abs=0.3)
    assert positions(svg, "interval")[0] == pytest.approx(bound + (low - 0.9) * scale, abs=0.3)
    assert high > 1


def test_picture_of_a_row_is_logarithmic_over_decades():
    claim = accuracy(at_most=1e-12)
    svg = charts.row_picture(outcome(claim, *accuracies(1e-16, 1e-14)))
    first, second = positions(svg, "seed")
    assert second - first == pytest.approx(positions(svg, "bound")[0] - second, abs=0.3)


def test_no_picture_of_one_number_or_of_none():
    assert charts.row_picture(outcome(accuracy(), *accuracies(1))) == ""
    assert charts.row_picture(outcome(ACCURACY, run_of(error="no luck"))) == ""
    assert charts.row_picture(outcome(ACCURACY, *accuracies(math.nan))) == ""
