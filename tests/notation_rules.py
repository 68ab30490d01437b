"""Symbols of the notebooks: what the text says they are, and what the notation table allows."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from glossary_rules import Lessons, entries, order

GREEK = (
    "alpha beta gamma delta epsilon varepsilon eta theta kappa lambda mu nu pi rho sigma tau phi"
    " psi ell Gamma Delta Theta Lambda Sigma Phi Psi Omega"
)
SYMBOL = rf"(?:\\(?:{GREEK.replace(' ', '|')})|[A-Za-z])(?:_(?:\{{\w+\}}|\w))?'?"
ARGUMENTS = r"(?:\([^$()+-]*(?:\([^$()+-]*\)[^$()+-]*)?\))?"
FORMULA = rf"\$({SYMBOL}){ARGUMENTS}\$"  # $f$ and also $f(x_i, y)$, but not $K(K - 1)$
ROW = re.compile(r"^\| (\$.+?) \| (.+) \| ([\d, ]+|all) \|$", re.MULTILINE)
BEGIN = r"(?:^|[.;:,(] |- |\b(?:where|let|here|and|that|so|then|if|with|but) )"
IS = r"(?:is|are|denotes?|means?) (?:again |here )?(?:the|an?|one|its)"
STATED = [  # the text says that this is a definition
    re.compile(rf"{BEGIN}{FORMULA}(?: \([^)]*\))? {IS} ([^.;:$]+)", re.IGNORECASE),
    re.compile(rf"\blet {FORMULA} be ([^.;:$]+)", re.IGNORECASE),
    re.compile(rf"\b(?:with|where|and) {FORMULA} (?:the|an?) ([^.;:$]+)", re.IGNORECASE),
    re.compile(rf"(?:^|[.;(|] |- ){FORMULA}: (?:the|an?) ([^.;:$]+)"),
]
NAMED = re.compile(rf"\b([a-z][a-z-]+) {FORMULA}")  # "the temperature $\tau$"
NO_NOUN = "and|at|by|does|in|is|of|that|to|under|what|which"
COUNTED = re.compile(  # "$K$ negative pairs", but not "at most $K$ pairs"
    rf"(?<!at most )(?<!at least ){FORMULA} (?!(?:{NO_NOUN}) )(?:[a-z-]*[a-rt-z] )?([a-z-]+s)\b"
)
INDICES = {"i", "j"}
COMMON = """
above average below best contain draw first form fraction half large largest make map mean new
number other part random same second set size small sum value
"""  # words that tell no meaning from another
NOUNS = """
angle area axis bandwidth bit byte candidate caption center channel class code constant copy cosine
covariance curve degree depth deviation digit distance edge energy epoch error event exponent factor
feature filter fold force frequency function gap gradient group hop image integral iteration kernel
layer letter line load loss memory message model neuron node noise operation parameter path penalty
person pixel place plane position power process product projection radius range rate reading region
row scale sensor sequence shift side sign signal slope speaker speed state step store stroke symbol
target threshold topic tree unit user variance velocity voice volume wavelength window word
"""  # beside the words of the table and of the terms
FUNCTION_WORDS = """
all also among and are before between both counts each every from for gives into its more not one
only other over than that the their these this those two what which with within
"""


class Meaning(NamedTuple):
    """A row of the notation table."""

    symbols: tuple[str, ...]
    text: str
    notebooks: frozenset[str]  # numbers of notebooks; empty: all


class Definition(NamedTuple):
    notebook: str
    symbol: str
    phrase: str


def stem(word: str) -> str:
    word = word.casefold()
    for ending, short in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("xes", "x"), ("s", "")):
        if word.endswith(ending) and not word.endswith(("ss", "us", "is")):
            return word[: -len(ending)] + short
    return word


def words(text: str) -> set[str]:
    """Nouns and other words that can tell one meaning from another."""
    plain = re.sub(r"\$[^$]*\$", " ", text)
    return {stem(word) for word in re.findall(r"[A-Za-z-]{3,}", plain)} - set(COMMON.split())


def notation(page: str) -> list[Meaning]:
    found = []
    for symbols, text, notebooks in ROW.findall(page.partition("## Terms")[0]):
        names = tuple(dict.fromkeys(re.findall(FORMULA, symbols)))
        numbers = frozenset(re.findall(r"\d\d", notebooks))
        found.append(Meaning(names, text, numbers))
    return found


def lexicon(page: str) -> set[str]:
    """Words by which a phrase is recognized: those of the table and of the terms."""
    meanings = set().union(*(words(meaning.text) for meaning in notation(page)))
    terms = {stem(order(row.plain)[-1]) for row in entries(page)}
    return (meanings | terms | set(NOUNS.split())) - STOP


STOP = {stem(word) for word in FUNCTION_WORDS.split()}


def definitions(notebooks: Lessons) -> Iterator[tuple[Definition, bool]]:
    """What the notebooks call each symbol, and whether the text says so in a sentence."""
    for name, parts in notebooks.items():
        for text in parts.values():
            prose = re.sub(r"\$\$.*?\$\$", " . ", text, flags=re.S)
            prose = re.sub(r"^#+ .*$", " . ", prose, flags=re.M)
            prose = re.sub(r"\s+", " ", re.sub(r"\*+", "", prose))
            for pattern in STATED:
                for symbol, phrase in pattern.findall(prose):
                    yield Definition(name[:2], symbol, phrase.strip()), True
            for word, symbol in NAMED.findall(prose):
                yield Definition(name[:2], symbol, word), False
            for symbol, word in COUNTED.findall(prose):
                yield Definition(name[:2], symbol, word), False


def symbols_keep_their_meaning(page: str, notebooks: Lessons) -> Iterator[str]:
    """A symbol of the table means what its row says; any other has one meaning in a notebook."""
    table = notation(page)
    known = lexicon(page)
    other: dict[tuple[str, str], list[str]] = defaultdict(list)
    for definition, stated in definitions(notebooks):
        if definition.symbol in INDICES:
            continue
        nouns = words(definition.phrase)
        if not stated:
            nouns &= known
        if not nouns - STOP:
            continue
        rows = [meaning for meaning in table if definition.symbol in meaning.symbols]
        own = [row for row in rows if definition.notebook in row.notebooks]
        own = own or [row for row in rows if not row.notebooks]
        if own and not any((nouns - STOP) & words(row.text) for row in own):
            yield f"{definition.notebook}: {definition.symbol} is {definition.phrase!r}"
        elif not own:
            other[definition.notebook, definition.symbol].append(definition.phrase)
    for (notebook, symbol), phrases in other.items():
        nouns = [words(phrase) & known for phrase in phrases]
        nouns = [found for found in nouns if found]
        if len(nouns) > 1 and not set.intersection(*nouns):
            yield f"{notebook}: {symbol} is {' and '.join(map(repr, dict.fromkeys(phrases)))}"


def meanings_occur(page: str, notebooks: Lessons) -> Iterator[str]:
    """Each row of the table has a symbol that its notebooks use, and no row stands twice."""
    seen: set[tuple[str, str]] = set()
    formulas = {
        name[:2]: " ".join(re.findall(r"\$\$.+?\$\$|\$[^$]+\$", " ".join(parts.values()), re.S))
        for name, parts in notebooks.items()
    }
    for row in notation(page):
        for symbol in row.symbols:
            for number in row.notebooks or {"all"}:
                if (symbol, number) in seen:
                    yield f"{symbol} has two meanings in {number}"
                seen.add((symbol, number))
                texts = formulas.values() if number == "all" else [formulas.get(number, "")]
                pattern = re.escape(symbol).replace(r"_i", r"_\{?\w*")
                if not any(re.search(rf"(?<![A-Za-z\\]){pattern}", text) for text in texts):
                    yield f"{symbol} does not stand in {number}"
