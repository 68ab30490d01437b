"""Sentences: a tokenizer, word vectors, and a recurrent network that reads them in order."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from simmim_lite._arguments import as_array, as_class_numbers, check_integer
from simmim_lite._random import seeded
from simmim_lite.encoders._base import Encoder

_PADDING, _UNKNOWN = 0, 1
_EMBEDDING = 64  # size of a word vector
# Words in the letters of `_kind`: letters with marks, joined by ' or -; a symbol, such as an emoji;
# a flag; punctuation that a mark or a variation selector makes a symbol (a keycap, for example).
_WORD = re.compile("[lm][lmzvi]*(?:j[lm][lmzvi]*)*|[st][mvt]*(?:z[st][mvt]*)*|rr?|o[mvt]+")
_NON_JOINER = "\u200c"
_SPECIAL = {"'": "j", "’": "j", "-": "j", _NON_JOINER: "z", "\u200d": "z", "\u200b": " "}
_MONGOLIAN = (0x180B, 0x180C, 0x180D, 0x180F)  # variation selectors
_CATEGORIES = {"L": "l", "N": "l", "Cn": "l", "Co": "l", "M": "m", "Cf": "i", "P": "o", "S": "o"}


class Tokenizer:
    """Map words to numbers, in any language that separates words by spaces.

    A word is a run of letters, their combining marks and digits, and may contain ' and -; an emoji
    is a word, too. Case does not count (by Unicode's case folding), nor does the way in which a
    letter is encoded (Unicode's canonical equivalence). Number 0 is padding after shorter
    sentences; 1 is any word that is not in the vocabulary.

    Args:
        vocabulary: the words with the numbers 2, 3, ..., each once.
    """

    def __init__(self, vocabulary: Sequence[str]):
        words_in_rows = list(words_of("vocabulary", vocabulary))
        self.vocabulary = tuple(vocabulary)
        self._numbers = {}
        for row, words in enumerate(words_in_rows):
            if len(words) != 1:
                got = f"{self.vocabulary[row]!r} in row {row}"
                raise ValueError(f"vocabulary: expected one word in each row, got {got}")
            self._numbers[words[0]] = 2 + row
        if len(self._numbers) != len(self.vocabulary) or not self.vocabulary:
            raise ValueError("vocabulary: expected at least one word, and each only once")

    @classmethod
    def from_texts(cls, texts: Iterable[str], *, minimum: int = 1) -> "Tokenizer":
        """Take all words that occur at least ``minimum`` times, the most frequent first."""
        minimum = check_integer("minimum", minimum, minimum=1)
        counts = Counter(word for sentence in words_of("texts", texts) for word in sentence)
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls([word for word in ranked if counts[word] >= minimum])

    def __len__(self) -> int:
        """Return the number of different numbers, including 0 and 1."""
        return 2 + len(self.vocabulary)

    def fingerprint(self) -> str:
        """Return a hash of the vocabulary, because weights belong to one vocabulary."""
        return hashlib.sha256("\n".join(self.vocabulary).encode()).hexdigest()[:16]

    def encode(self, texts: Iterable[str]) -> Tensor:
        """Return the word numbers (N, longest) int64 of sentences with words, padded with 0."""
        rows = []
        for row, words in enumerate(words_of("texts", texts)):
            if not words:
                raise ValueError(f"texts: expected a word in each, got none in row {row}")
            numbers = [self._numbers.get(word, _UNKNOWN) for word in words]
            rows.append(torch.tensor(numbers, device="cpu"))
        if not rows:
            raise ValueError("texts: expected at least one sentence, got none")
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=_PADDING)

    def decode(self, numbers: Tensor) -> list[str]:
        """Return sentences of word numbers (N, length), with ? for unknown words."""
        words, rows = ("", "?", *self.vocabulary), as_array("numbers", numbers)
        if rows.ndim != 2:
            raise ValueError(f"numbers: expected shape (N, length), got {rows.shape}")
        rows = as_class_numbers("numbers", rows.ravel(), len(self)).reshape(rows.shape)
        return [" ".join(words[i] for i in row if i != _PADDING) for row in rows]


class TextEncoder(Encoder):
    """Encode sentences, -> (N, dim): word vectors, a bidirectional GRU, the mean over the words.

    Args:
        tokenizer: maps words to numbers; sets the vocabulary.
        hidden: size of the GRU in each direction.
    """

    def __init__(self, tokenizer: Tokenizer, dim: int = 128, *, hidden: int = 64, seed: int = 0):
        super().__init__()
        self.tokenizer = tokenizer
        self.dim = check_integer("dim", dim, minimum=1)
        hidden = check_integer("hidden", hidden, minimum=1)
        with seeded(seed):
            self.embedding = nn.Embedding(len(tokenizer), _EMBEDDING, padding_idx=_PADDING)
            self.gru = nn.GRU(_EMBEDDING, hidden, batch_first=True, bidirectional=True)
            self.head = nn.Sequential(nn.Linear(2 * hidden, dim), nn.ReLU())

    def prepare(self, texts: Any) -> Tensor:
        """Return word numbers (N, length) int64 of sentences; word numbers pass through."""
        if not isinstance(texts, Tensor):
            return self.tokenizer.encode(texts)
        if texts.dtype != torch.int64:
            raise TypeError(f"texts: expected sentences or int64 numbers, got {texts.dtype}")
        if texts.ndim != 2 or 0 in texts.shape:
            raise ValueError(f"texts: expected shape (N, length), got {tuple(texts.shape)}")
        wrong = (texts < 0) | (texts >= len(self.tokenizer))
        padding = texts == _PADDING
        wrong[:, 0] |= padding[:, 0]  # a sentence without a word
        wrong[:, 1:] |= padding[:, :-1] & ~padding[:, 1:]  # a word after the end
        if wrong.any():
            row = int(wrong.any(dim=1).nonzero()[0])
            expected, got = f"1..{len(self.tokenizer) - 1}, then zeros", texts[row].tolist()
            raise ValueError(f"texts: expected numbers {expected}, got {got} in row {row}")
        return texts

    def extra_repr(self) -> str:
        return f"vocabulary {self.tokenizer.fingerprint()}"

    def encode(self, prepared: Tensor) -> Tensor:
        words = prepared != _PADDING
        lengths = words.sum(dim=1)
        rows = self.embedding(prepared), lengths.cpu()
        packed = pack_padded_sequence(*rows, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True)
        return self.head(states.sum(dim=1) / lengths[:, None])  # states of padding are 0


def as_texts(name: str, texts: Iterable[str]) -> list[str]:
    """Return texts as a list; refuse one string, and what is not a string."""
    if isinstance(texts, str):
        raise TypeError(f"{name}: expected a list of strings, got one string, {texts!r}")
    try:
        found = list(texts)
    except TypeError as error:
        raise TypeError(f"{name}: expected strings, got {type(texts).__name__}") from error
    for row, text in enumerate(found):
        if not isinstance(text, str):
            raise TypeError(f"{name}: expected strings, got {type(text).__name__} in row {row}")
    return found


def words_of(name: str, texts: Iterable[str]) -> Iterable[list[str]]:
    """Yield the words of each text, case-folded and in Unicode's composed form (NFC)."""
    for text in as_texts(name, texts):
        folded = unicodedata.normalize("NFD", text).casefold()
        kinds = "".join(map(_kind, folded))
        yield [_compose(folded[slice(*found.span())]) for found in _WORD.finditer(kinds)]


def _compose(word: str) -> str:
    """The word without characters that change nothing but its display, composed."""
    if word.isascii():
        return word
    if _kind(word[0]) != "o":
        word = "".join(character for character in word if _kind(character) not in "vi")
    return unicodedata.normalize("NFC", word).rstrip(_NON_JOINER)


@cache
def _kind(character: str) -> str:
    """Class of a character, for `_WORD`.

    j joins words; z joins characters (Persian, Indic, emoji); v is a variation selector; r is half
    a flag; t is a skin tone or tag; s is a symbol; l is a letter or digit; m is a combining mark;
    i is ignored in a word; o is punctuation; anything else separates words.
    """
    code, category = ord(character), unicodedata.category(character)
    if character in _SPECIAL:
        return _SPECIAL[character]
    if 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or code in _MONGOLIAN:
        return "v"
    if 0x1F1E6 <= code <= 0x1F1FF:
        return "r"
    if 0x1F3FB <= code <= 0x1F3FF or 0xE0020 <= code <= 0xE007F:
        return "t"
    # By range, as the newest emoji are unassigned in older versions of Python.
    if 0x1F000 <= code <= 0x1FAFF or (code >= 0x2100 and category in ("So", "Sm")):
        return "s"
    return _CATEGORIES.get(category, _CATEGORIES.get(category[0], " "))
