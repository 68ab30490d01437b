"""Sentences: a tokenizer, word vectors, and a recurrent network that reads them in order."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from simmim_lite._arguments import check_integer
from simmim_lite._random import seeded
from simmim_lite.encoders._base import Encoder

_PADDING, _UNKNOWN = 0, 1
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


class Tokenizer:
    """Map words to numbers, in any language that separates words by spaces.

    A word is a run of letters and digits, in lower case, and may contain ' and -. Number 0 is
    padding after shorter sentences; 1 is any word that is not in the vocabulary.

    Args:
        vocabulary: the words with the numbers 2, 3, ..., each once.
    """

    def __init__(self, vocabulary: Sequence[str]):
        if isinstance(vocabulary, str):
            raise TypeError(f"vocabulary: expected words, got one string, {vocabulary!r}")
        self.vocabulary = tuple(vocabulary)
        if len(set(self.vocabulary)) != len(self.vocabulary) or not self.vocabulary:
            raise ValueError("vocabulary: expected at least one word, and each only once")
        self._numbers = {word: 2 + i for i, word in enumerate(self.vocabulary)}

    @classmethod
    def from_texts(cls, texts: Iterable[str], *, minimum: int = 1) -> "Tokenizer":
        """Take all words that occur at least ``minimum`` times, the most frequent first."""
        minimum = check_integer("minimum", minimum, minimum=1)
        counts = Counter(word for sentence in _words(texts) for word in sentence)
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
        for row, words in enumerate(_words(texts)):
            if not words:
                raise ValueError(f"texts: expected a word in each, got none in row {row}")
            rows.append(torch.tensor([self._numbers.get(word, _UNKNOWN) for word in words]))
        if not rows:
            raise ValueError("texts: expected at least one sentence, got none")
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=_PADDING)

    def decode(self, numbers: Tensor) -> list[str]:
        """Return sentences of word numbers (N, length), with ? for unknown words."""
        words = ("", "?", *self.vocabulary)
        return [" ".join(words[i] for i in row if i != _PADDING) for row in numbers.tolist()]


class TextEncoder(Encoder):
    """Encode sentences, -> (N, dim): word vectors, a bidirectional GRU, the mean over the words.

    Args:
        tokenizer: maps words to numbers; sets the vocabulary.
        embedding: size of a word vector.
        hidden: size of the GRU in each direction.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        dim: int = 128,
        *,
        embedding: int = 64,
        hidden: int = 64,
        seed: int = 0,
    ):
        super().__init__()
        self.tokenizer = tokenizer
        self.dim = check_integer("dim", dim, minimum=1)
        embedding = check_integer("embedding", embedding, minimum=1)
        hidden = check_integer("hidden", hidden, minimum=1)
        with seeded(seed):
            self.embedding = nn.Embedding(len(tokenizer), embedding, padding_idx=_PADDING)
            self.gru = nn.GRU(embedding, hidden, batch_first=True, bidirectional=True)
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
            raise ValueError(
                f"texts: expected numbers 1..{len(self.tokenizer) - 1}, then zeros, "
                f"got {texts[row].tolist()} in row {row}"
            )
        return texts

    def extra_repr(self) -> str:
        return f"vocabulary {self.tokenizer.fingerprint()}"

    def encode(self, prepared: Tensor) -> Tensor:
        words = prepared != _PADDING
        lengths = words.sum(dim=1)
        packed = pack_padded_sequence(
            self.embedding(prepared), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True)
        return self.head(states.sum(dim=1) / lengths[:, None])  # states of padding are 0


def _words(texts: Iterable[str]) -> Iterable[list[str]]:
    if isinstance(texts, str):
        raise TypeError(f"texts: expected sentences, got one string, {texts!r}")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts: expected strings, got {type(text).__name__} in row {row}")
        yield _WORD.findall(text.lower())
