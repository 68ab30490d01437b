"""Caption decoder: sentences, word by word."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from simmim_lite._arguments import check_integer, check_number
from simmim_lite._random import seeded
from simmim_lite.encoders import Tokenizer
from simmim_lite.generation._latents import FoundItems
from simmim_lite.training import Batches, History, fit

_END = 0  # padding of the tokenizer: starts a sentence, ends it and fills it up
_EMBEDDING = 32  # columns of a word vector


class CaptionDecoder(nn.Module):
    """Generator of sentences: p(words | c) = product of p(word | earlier words, c), by a GRU.

    Args:
        tokenizer: vocabulary of the sentences.
        condition_dim: columns of c, the initial state of the GRU and an input at each word.
        hidden: units of the GRU.
    """

    condition = "query"

    def __init__(
        self, tokenizer: Tokenizer, condition_dim: int, *, hidden: int = 128, seed: int = 0
    ):
        super().__init__()
        self.tokenizer = tokenizer
        condition_dim = check_integer("condition_dim", condition_dim, minimum=1)
        with seeded(seed):
            self.embedding = nn.Embedding(len(tokenizer), _EMBEDDING)
            self.start = nn.Linear(condition_dim, hidden)
            self.gru = nn.GRU(_EMBEDDING + condition_dim, hidden, batch_first=True)
            self.head = nn.Linear(hidden, len(tokenizer))

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return "nats" (N,), -log p of each sentence "x": word numbers, padded with 0."""
        words, condition = batch["x"], batch["condition"]
        before, after = pad(words, (1, 0), value=_END), pad(words, (0, 1), value=_END)
        logits, _ = self._step(before, condition, self.start(condition).tanh()[None])
        nats = cross_entropy(logits.transpose(1, 2), after, reduction="none")
        padding = (after == _END).cumsum(dim=1) > 1  # after the end of the sentence
        return {"nats": nats.masked_fill(padding, 0).sum(dim=1)}

    @torch.no_grad()
    def sample(
        self, condition: Tensor, *, temperature: float = 0.5, longest: int = 12, seed: int = 0
    ) -> list[str]:
        """Draw one sentence for each row of the condition.

        Words are drawn on the CPU, so that a seed gives the same sentences on all devices.

        Args:
            temperature: 1 draws from p; a lower temperature prefers likely words, which raises the
                accuracy of the class and hardly changes the style; 0 takes the likeliest word.
            longest: largest number of words.
        """
        check_number("temperature", temperature, minimum=0.0)
        generator = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
        condition = condition.to(self.start.weight.device)
        word = torch.full((len(condition), 1), _END)
        state = self.start(condition).tanh()[None]
        words = []
        for _ in range(check_integer("longest", longest, minimum=1)):
            logits, state = self._step(word.to(condition.device), condition, state)
            logits = logits[:, 0].cpu()
            if temperature:
                p = (logits / temperature).softmax(dim=1)
                word = torch.multinomial(p, 1, generator=generator)
            else:
                word = logits.argmax(dim=1, keepdim=True)
            words.append(word)
        numbers = torch.cat(words, dim=1)
        return self.tokenizer.decode(numbers * (numbers != _END).cumprod(dim=1))  # until the end

    def around(self, found: FoundItems, *, generator: torch.Generator) -> tuple[list[str], Tensor]:
        """Return one of the found captions for each row, drawn by weight, and its id (N, 1)."""
        ids = found.at(torch.multinomial(found.weights, 1, generator=generator))
        return found.memory.values(ids[:, 0], found.modality), ids

    def fit(
        self, batches: Batches, *, steps: int, learning_rate: float = 4e-3, **options: Any
    ) -> History:
        """Minimize -log p in place, with `simmim_lite.training.fit` and its ``options``.

        Batches hold "x" as `forward` takes it, and "condition".
        """
        options |= {"steps": steps, "learning_rate": learning_rate}
        return fit(self, lambda outputs, _: outputs["nats"].mean(), batches, **options)

    def _step(self, words: Tensor, condition: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, length, vocabulary) of the next words, and the state of the GRU."""
        context = condition[:, None].expand(-1, words.shape[1], -1)
        states, state = self.gru(torch.cat([self.embedding(words), context], dim=2), state)
        return self.head(states), state
