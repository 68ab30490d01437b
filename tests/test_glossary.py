"""`docs/GLOSSARY.md`: every term that a notebook introduces, once, and symbols with one meaning."""

import re

import pytest
from document_links import links_hold, markdown
from glossary_rules import (
    PAGE,
    Entry,
    early_uses,
    entries,
    first_links_are_first,
    italics,
    italics_are_terms,
    lessons,
    not_said,
    terms_are_complete,
    terms_are_sorted,
    terms_occur,
    terms_wait,
)
from notation_rules import (
    definitions,
    meanings_occur,
    notation,
    symbols_keep_their_meaning,
)

# Words in italics that are no terms, by the reason. `not_said` finds what is no longer said.
STRESSED = """
above; after training; All; all; and; another; any; are; around these new items; at least;
before; below; both; cannot; combination; complete; could; delete; difference; different;
direction; each image; easy to use; every; everything; exact; exactly; finds; for a density; for
few labels; for that digit; generates; given; given the outcome; good; independent; independent
pairs; is; known; large; largest; learn; learned; long; lowest; method; multimodal; name; new;
no bound; not; nothing; one; one trained network; other images of the batch; pair; paired;
pairs; perfect; person; pixels; proportional to; query's own; real; recordings; report;
requested; rises; runs; same; see; size; small; text; twice; two; uncut; uniform; untrained; up;
wait; where; which; with; with labels; within; within its digit; without; without the target
itself
"""
NO_TERMS = {
    "all": STRESSED,
    "01": "Step 1: the coverage",  # the title of a step; coverage is a term
    "04": "sequences; neighbor",  # everyday English
    "05": "not a number",  # what NaN stands for
    "06": "initializes; extracts; extract; fuses; fuse; bound; step",  # the steps of the loop
    "07": "Asked; asked",  # which labels: columns of a table
    "08": "familiar; graphs; index",  # everyday English, and a word of a theory of the brain
    "09": "units of real training images",  # in the entry of the Fréchet distance
    "10": "retrieved; pixel mean; units of real training images; waveform",  # rows of a table
    "11": (  # menus, switches, ways to feed a GPU
        "Runtime; Change runtime type; in place; A `DataLoader`; Data on the device;"
        " A smaller batch; arithmetic; last batch; Threads; Layout; No gradients; Compilation"
    ),
    "13": "classifier; area; Difference",  # a model of the notebook, columns of tables
    "14": "median; mean",  # everyday English
    "15": (  # the data, and rows and columns of tables
        "emoji; designs; family; majority; Majority; twin; seed 0; low; high; by item; threshold"
    ),
    "16": (  # the data, parts of a model, rows of tables
        "glosses; variants; text vector; signal; noise; Style; groups; New design;"
        " New families; central; nearest; generate"
    ),
    "17": "group; redundancy minus synergy",  # a column of the data; a difference of two terms
    "18": (  # rows and columns of tables, and names of tests
        "exactly 0 nats; always up; return of today; reversal; meeting; tone; too early; Up; after;"
        " Historical; Filtered; independence; After one; loan; gain; error; baseline_95; Refused;"
        " failure; p"
    ),
    "19": (  # rows of tables, an answer, a letter
        "blue; t; low; high; hidden; popularity; Popularity; Item kNN; question-only prior;"
        " image alone; adaptive learning; capacity; which digit; by which angle;"
        " Equal weights; Learned weights"
    ),
}
FORMS = {  # other forms of a term
    "adaptive": "expected calibration error",
    "augmented": "augmentation",
    "calibration error": "expected calibration error",
    "bounds": "lower bound",
    "deskews": "deskew",
    "equal size": "expected calibration error",
    "equal width": "expected calibration error",
    "overfits": "overfit",
    "precision@1": "precision@k",
    "recall@10": "recall@k",
    "skip-gram with negative samples": "skip-gram with negative sampling",
    "synergistic": "synergy",
}


EARLIER = {  # terms that notebooks use before their introduction: in "all", or in some
    # everyday English, or another sense
    **dict.fromkeys(["block", "confidence", "excess", "head", "item", "overlap", "prior"], "all"),
    **dict.fromkeys(["return", "sample", "score", "value"], "all"),
    # part of a name that notebook 00 explains
    **dict.fromkeys(["masked image modeling", "memory", "simulated"], "00"),
    "episode": "08",  # of a life
    "encoder": "00 02",
    "manifold": "00 03",
    # explained where it is used
    "broadcasting": "00 11",
    "cca": "03",
    "decoder": "07",
    "kernel": "13",  # centered kernel alignment
    "temperature": "05",
    "variational autoencoder": "07",
    # known from the prerequisites
    "chance level": "05",
    "optimizer": "04",
    "test set": "03",
}


def listed(no_terms: dict[str, str]) -> dict[str, set[str]]:
    return {
        name: {" ".join(term.split()) for term in text.split(";")}
        for name, text in no_terms.items()
    }


def italics_hold(page, notebooks):
    return italics_are_terms(page, notebooks, FORMS, listed(NO_TERMS))


def terms_hold(page, notebooks):
    return terms_wait(page, notebooks, {term: set(text.split()) for term, text in EARLIER.items()})


CHECKS = [
    terms_are_sorted,
    terms_are_complete,
    terms_occur,
    first_links_are_first,
    terms_hold,
    italics_hold,
    meanings_occur,
    symbols_keep_their_meaning,
]


def page() -> str:
    return PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("check", CHECKS)
def test_glossary_and_notebooks_agree(check):
    assert list(check(page(), lessons())) == []


def test_links_hold():
    assert list(links_hold(PAGE, markdown(PAGE))) == []


def test_the_glossary_has_a_reasonable_size():
    own = [entry for entry in entries(page()) if entry.other is None]
    assert 120 <= len(own) <= 260
    assert len(notation(page())) >= 40


def test_an_early_use_that_is_allowed_occurs():
    found = {
        (term, where)
        for name, term, _ in early_uses(page(), lessons())
        for where in (name[:2], "all")
    }
    assert {(term, where) for term, names in EARLIER.items() for where in names.split()} <= found


def test_words_that_are_no_terms_occur():
    assert list(not_said(lessons(), listed(NO_TERMS))) == []
    assert list(not_said({"01_x.ipynb": {"1-a": "*bias*"}}, {"01": {"bias", "old"}})) == [
        "01: nothing says *old*"
    ]


ON_THE_PAGE = {
    "two rows changed places": (terms_are_sorted, r"^(\| bias .*\n)(.*\n)", r"\2\1"),
    "a term twice": (terms_are_sorted, r"^(\| bias .*\n)", r"\1\1"),
    "a term under another letter": (terms_are_sorted, r"^\| accuracy ", "| baccuracy "),
    "a letter is not in the list": (terms_are_sorted, r"^### Z$", "### Y"),
    "a term without a Chinese term": (terms_are_complete, r"^(\| critic) \| .+? \|", r"\1 | |"),
    "a Chinese term in Latin letters": (terms_are_complete, r"^(\| critic) \| .+? \|", r"\1 | x |"),
    "a term without a link": (terms_are_complete, r"^(\| critic .+) \| \[.+$", r"\1 | |"),
    "a term without a meaning": (
        terms_are_complete,
        r"^(\| critic .+ \|) .+? (\| \[.+)$",
        r"\1 \2",
    ),
    "a reference to nothing": (terms_are_complete, r"see \[nat\]", "see [gnat]"),
    "a reference to a reference": (terms_are_complete, r"see \[nat\]\(#n\)", "see [AUC](#a)"),
    "a reference to another letter": (terms_are_complete, r"see \[nat\]\(#n\)", "see [nat](#m)"),
    "another term": (terms_occur, r"^\| critic ", "| critique "),
    "another section": (terms_occur, r"(\| critic .+)#2-what-can-a-critic-learn", r"\1#6-none"),
    "a later section": (
        first_links_are_first,
        r"^(\| entropy .+) \| \[00, section 3\]\(.+?\), ",
        r"\1 | ",
    ),
    "links in another order": (
        first_links_are_first,
        r"(\[00, section 3\]\S+), (\[01.+?) \|",
        r"\2, \1 |",
    ),
    "a term is gone": (italics_hold, r"^\| critic .+\n", ""),
    "a meaning is gone": (symbols_keep_their_meaning, r"^\| \$K\$ .+ 00, 01, 02, 07 \|\n", ""),
    "another meaning": (
        symbols_keep_their_meaning,
        r"temperature, by which",
        "bandwidth, by which",
    ),
    "a meaning in a notebook without it": (
        meanings_occur,
        r"^(\| \$\\rho\$ .+) \| 04 \|",
        r"\1 | 11 |",
    ),
    "a symbol that no notebook uses": (meanings_occur, r"^\| \$\\tau\$ ", r"| $\\kappa_9$ "),
}


@pytest.mark.parametrize(("check", "pattern", "fault"), ON_THE_PAGE.values(), ids=ON_THE_PAGE)
def test_a_fault_on_the_page_is_found(check, pattern: str, fault: str):
    broken, places = re.subn(pattern, fault, page(), count=1, flags=re.MULTILINE)
    assert places == 1
    assert len(list(check(broken, lessons()))) >= 1


def test_a_wrong_link_is_found():
    broken = page().replace("#2-what-can-a-critic-learn", "#2-what-can-a-critic-do")
    assert any("no such heading" in fault for fault in links_hold(PAGE, broken))
    broken = page().replace("[03, section 2]", "[03, section 4]")
    assert any("the label is" in fault for fault in links_hold(PAGE, broken))


IN_A_NOTEBOOK = {
    "a term is introduced too early": (first_links_are_first, "02", "A *critic* gives scores."),
    "a term is used too early": (terms_hold, "02", "The critics give scores."),
    "a new term": (italics_hold, "05", "This is called the *kernel trick*."),
    "K is a size of a batch, then a depth": (
        symbols_keep_their_meaning,
        "03",
        "Let $K$ be the depth of the network.",
    ),
    "K is a number of layers": (
        symbols_keep_their_meaning,
        "03",
        "A network with $K$ layers learns.",
    ),
    "a temperature is a learning rate": (
        symbols_keep_their_meaning,
        "06",
        "where $\\tau$ is the learning rate.",
    ),
    "d is a distance": (symbols_keep_their_meaning, "12", "The distance $d$ of two keys is small."),
    "q is a query and a family": (
        symbols_keep_their_meaning,
        "08",
        "A predictor $q(y \\mid x)$ is",
    ),
    "a symbol of one notebook has two meanings": (
        symbols_keep_their_meaning,
        "13",
        "Let $\\lambda$ be the penalty. The wavelength and the cluster $\\lambda$ are known.",
    ),
    "a symbol in a list": (symbols_keep_their_meaning, "11", "- $B$: the bandwidth of the memory."),
}


@pytest.mark.parametrize(("check", "number", "text"), IN_A_NOTEBOOK.values(), ids=IN_A_NOTEBOOK)
def test_a_fault_in_a_notebook_is_found(check, number: str, text: str):
    assert list(check(page(), lessons())) == []
    broken = {
        name: {
            part: f"{text}\n\n{old}" if name[:2] == number else old for part, old in parts.items()
        }
        for name, parts in lessons().items()
    }
    assert len(list(check(page(), broken))) >= 1


def test_italics_are_read_without_formulas_and_code():
    text = "a *term*, **bold**, $a * b * c$, `*args`, *two\nwords*, 2 * 3 * 4, **bold *not* bold**"
    assert italics(text) == ["term", "two words", "not"]


def test_a_term_with_a_note_is_looked_up_without_it():
    row = Entry("C", "coverage (of an interval)", "区间覆盖率", "", "A sentence.", "")
    assert row.plain == "coverage"


def test_definitions_are_read():
    text = (
        "The temperature $\\tau$ is small. Let $K$ be the number of cells, with $N$ pairs. Here\n"
        "$Z$ is the mean of $e^f$, and $W$ a matrix. Cells of length $d$ are a product.\n\n"
        "$$K = 3$$\n\n- $k_i$: the key of item $i$;\n- all $K(K - 1)$ cells: $f(x)$ is a score;\n"
        "- at most $K$ images of class $c$."
    )
    stated = {("Z", "mean of"), ("f", "score"), ("K", "the number of cells, with")}
    stated |= {("W", "matrix"), ("k_i", "key of item")}
    named = {
        (r"\tau", "temperature"),
        ("N", "pairs"),
        ("d", "length"),
        ("i", "item"),
        ("c", "class"),
    }
    found = list(definitions({"01_x.ipynb": {"1-a": text}}))
    assert {(found.symbol, found.phrase) for found, sure in found if sure} == stated
    assert named <= {(found.symbol, found.phrase) for found, sure in found if not sure}
    assert ("K", "images") not in {(found.symbol, found.phrase) for found, _ in found}
