"""Words: equal ones in every way of writing them, different ones in every script."""

import re
from itertools import product
from unicodedata import normalize

import pytest
from hypothesis import given, strategies as st

from simmim_lite.datasets import describe
from simmim_lite.encoders import Tokenizer
from simmim_lite.encoders._text import words_of
from simmim_lite.evaluation import caption_match


def words(text: str) -> list[str]:
    return next(iter(words_of("texts", [text])))


FAMILY, FAMILY_OF_TWO = "👨\u200d👩\u200d👧", "👨\u200d👧"
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"

SPLIT = {
    "English": ("Don't — a well-known, 2nd_nine!", ["don't", "a", "well-known", "2nd", "nine"]),
    "loose joiners": ("'tis -a- b--c", ["tis", "a", "b", "c"]),
    "Hindi": ("हिन्दी भाषा।", ["हिन्दी", "भाषा"]),
    "Tamil": ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
    "Bengali": ("বাংলা ভাষা", ["বাংলা", "ভাষা"]),
    "Thai has no spaces": ("ภาษาไทย ง่าย", ["ภาษาไทย", "ง่าย"]),
    "Japanese has no spaces": ("日本語、漢字", ["日本語", "漢字"]),
    "Arabic with vowels": ("كَتَبَ، كتب", ["كَتَبَ", "كتب"]),
    "Hebrew with points": ("שָׁלוֹם שלום", [normalize("NFC", "שָׁלוֹם"), "שלום"]),
    "Persian, joined by ZWNJ": ("می\u200cخواهم", ["می\u200cخواهم"]),
    "Khmer, separated by ZWSP": ("ខ្ញុំ\u200bស្រលាញ់", ["ខ្ញុំ", "ស្រលាញ់"]),
    "emoji": ("a cat🐱🐶", ["a", "cat", "🐱", "🐶"]),
    "emoji of several": (f"{FAMILY}{ENGLAND}🇩🇪🇫🇷", [FAMILY, ENGLAND, "🇩🇪", "🇫🇷"]),
    "skin tones": ("👍🏽👍", ["👍🏽", "👍"]),
    "keycaps": ("1\ufe0f\u20e3 #\ufe0f\u20e3", ["1\u20e3", "#\ufe0f\u20e3"]),
    "an emoji of tomorrow": ("\U0001fadf", ["\U0001fadf"]),
    "symbols of English texts": ("20 °C © $5 + 3", ["20", "c", "5", "3"]),
    "no words": ("?! \ud800 -", []),
}


@pytest.mark.parametrize(("text", "expected"), SPLIT.values(), ids=SPLIT.keys())
def test_texts_are_split_into_words(text, expected):
    assert words(text) == expected
    if expected:  # a vocabulary of these words finds them again
        tokenizer = Tokenizer.from_texts([text])
        assert sorted(tokenizer.vocabulary) == sorted(set(expected))
        assert tokenizer.encode([text]).min() >= 2


EQUAL = [
    ("café", "cafe\u0301"),
    ("한국어", normalize("NFD", "한국어")),
    ("क़", "क\u093c"),
    ("Straße", "STRASSE"),
    ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ("ЁЛКА", "ёлка"),
    ("co\u00adoperate", "cooperate"),
    ("❤\ufe0f", "❤"),
    ("\ufeffnine", "nine"),
    ("کتاب\u200c", "کتاب"),
]
DIFFERENT = [
    ("का", "की"),
    ("கா", "கீ"),
    ("কা", "কি"),
    ("ก่า", "ก้า"),
    ("كَتَبَ", "كُتُب"),
    ("ısı", "isi"),
    ("resume", "résumé"),
    ("🐱", "🐶"),
    ("👍🏽", "👍🏿"),
    (FAMILY, FAMILY_OF_TWO),
    ("🇩🇪", "🇫🇷"),
    ("1\ufe0f\u20e3", "1"),
    ("#\ufe0f\u20e3", "*\ufe0f\u20e3"),
    ("≠", "≮"),
    ("അവന്\u200d", "അവന്"),
]


@pytest.mark.parametrize(
    ("a", "b", "same"), [(*p, True) for p in EQUAL] + [(*p, False) for p in DIFFERENT]
)
def test_equal_words_are_equal_and_different_ones_differ(a, b, same):
    assert caption_match([f"the {a}, old"], [f"The {b} old"]).tolist() == [same]
    known = Tokenizer([a]).encode([b]).tolist() == [[2]]
    assert known == same
    assert len(Tokenizer.from_texts([a, b]).vocabulary) == 2 - same


def test_english_keeps_its_words():
    """As by the rule before: runs of letters and digits, joined by ' and -, in lower case."""
    texts = describe(list(product(range(10), *[range(3)] * 3)))
    texts += ["It's \"50% off\": (e.g.) rock-'n'-roll, o’clock; a_b C3PO / naïve Ü2 — £3.50"]
    rule = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
    assert list(words_of("texts", texts)) == [rule.findall(text.lower()) for text in texts]


_CHARACTERS = st.characters(codec="utf-8", exclude_characters="\u0345")  # folds to a letter
_RARE = st.sampled_from("e\u0301\u200d\u200c\u00ad\ufe0f🏽🇩🐱क\u0940'-#\u0338=")


@given(st.text(st.one_of(_CHARACTERS, _RARE), max_size=12))
def test_words_of_any_text(text):
    found = words(text)
    assert words(" ".join(found)) == found
    decomposed = normalize("NFD", text)
    assert words(decomposed) == found or "\u0345" in decomposed
    for word in found:
        assert words(word) == [word]
        assert word == normalize("NFC", word)


def test_a_vocabulary_is_read_as_texts_are():
    tokenizer = Tokenizer(["Straße", "CAFÉ"])
    assert tokenizer.encode(["strasse cafe\u0301"]).tolist() == [[2, 3]]
    assert tokenizer.decode(tokenizer.encode(["STRASSE"])) == ["Straße"]
    for wrong in (["two words"], ["a", "!"], ["a", "A"]):
        with pytest.raises(ValueError, match=r"vocabulary: expected .*(one word|only once)"):
            Tokenizer(wrong)
    with pytest.raises(TypeError, match="vocabulary: expected strings, got NoneType in row 1"):
        Tokenizer(["a", None])


def test_captions_compare_words_only():
    made = ["A well-known, nine_one", "don’t", "dont", "!"]
    assert caption_match(made, ["a well known nine one", "don't", "don't", "?"]).tolist() == [
        True, True, False, True,
    ]  # fmt: skip
    assert caption_match([], []).dtype == bool
    with pytest.raises(TypeError, match="references: expected strings, got NoneType in row 0"):
        caption_match(["a"], [None])
    with pytest.raises(TypeError, match="made: expected a list of strings, got one string"):
        caption_match("a", ["b"])


@pytest.mark.parametrize("selector", ["\U000e0100", "\U000e01ef", "\u180b", "\u180f", "\ufe00"])
def test_a_variation_selector_splits_no_word(selector):
    tokenizer = Tokenizer(["ᠠᠡ"])
    assert tokenizer.encode([f"ᠠ{selector}ᠡ"]).tolist() == [[2]]
