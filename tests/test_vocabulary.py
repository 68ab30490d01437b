"""Texts use the field's words and American spelling, so that a reader can look terms up."""

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parents[1]

# What a text should not say, and the word of the field.
WORDS = {
    r"partners?": "positive, positive pair",
    r"strangers?": "negative, negative pair",
    r"heaps?": "cluster",
    r"rulers?": "metric, distance",
    r"margins": "marginals",
    r"(?<!np\.)floors?": "baseline, chance level",
    r"found first": "precision@1",
    r"told": "condition, query, target, or: X contains information about Y",
    r"judg(?:e|es|ed|ing)": "evaluate; evaluation classifier",
    r"read-?outs?": "probe",
    r"(?:percent|share|proportion) right": "accuracy",
    r"share intervals?": "Wilson interval",
    r"neighbor votes?": "kNN accuracy",
    r"spectral maps?": "spectral embedding",
    r"straighten(?:s|ed|ing)?": "deskew",
    r"colours?|greys?|centres?|behaviours?|neighbours?|favour\w*|whilst": "American spelling",
    r"(?:un)?labell(?:ed|ing)|modell(?:ed|ing)|travell\w+": "American spelling",
    r"(?:normal|optim|general|recogn|initial|regular|minim|maxim)is(?:e|es|ed|ing|ation)": (
        "American spelling"
    ),
}
PATTERN = re.compile(rf"\b(?:{'|'.join(WORDS)})\b", re.IGNORECASE)

# Where such a word has another meaning.
HONEST = {
    ("simmim_lite/encoders/_audio.py", "floor"): "the parameter of `log_mel`",
    ("simmim_lite/generation/_sequences.py", "floor"): "the parameter of `log_mel`",
    ("simmim_lite/evaluation/_representations.py", "labelled"): "names a stream of random numbers",
}

PAGES = sorted([*CLONE.glob("*.md"), *CLONE.glob("docs/*.md"), CLONE / "data" / "README.md"])
MODULES = sorted(
    path
    for folder in ("simmim_lite", "reproduction", "notebooks/tools")
    for path in (CLONE / folder).rglob("*.py")
)
TEXTS = ("simmim_lite", "notebooks/scripts")  # exercises, diagrams and quizzes
EXERCISES = sorted(path for folder in TEXTS for path in (CLONE / folder).rglob("*.toml"))
NOTEBOOKS = sorted((CLONE / "notebooks" / "scripts").rglob("*.py"))
SLIDES = sorted((CLONE / "notebooks" / "slides").glob("*.md"))


def found(text: str) -> list[str]:
    """The words that a text should not use."""
    plain = re.sub(r"https?://\S+|\\[lr]floor", "", text)
    return sorted({match.lower() for match in PATTERN.findall(plain)})


def prose(path: Path) -> Iterator[str]:
    """Comments and texts of a program."""
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type in (tokenize.COMMENT, tokenize.STRING):
                yield token.string


def name_of(path: Path) -> str:
    return str(path.relative_to(CLONE))


@pytest.mark.parametrize("path", [*PAGES, *EXERCISES, *NOTEBOOKS, *SLIDES], ids=name_of)
def test_a_text_uses_the_words_of_the_field(path: Path):
    if path.name == "CHANGELOG.md":
        pytest.skip("history is not rewritten")
    assert found(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_docstrings_and_comments_use_the_words_of_the_field(path: Path):
    words = found("\n".join(prose(path)))
    assert [word for word in words if (name_of(path), word) not in HONEST] == []


def test_a_private_word_is_found_in_any_spelling_and_others_are_not():
    text = "Strangers, a heap; colour. ExP.ruler https://x.org/partner $\\lfloor x \\rfloor$"
    assert found(text) == ["colour", "heap", "ruler", "strangers"]
    assert found("marginal, ceiling of InfoNCE, clusters, foretold, untold") == []
