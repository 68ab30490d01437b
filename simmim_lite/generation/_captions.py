"""Sentences, word by word."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from simmim_lite._arguments import check_integer, check_number
from simmim_lite._random import seeded
from simmim_lite.encoders import Tokenizer
from simmim_lite.training import Batches, History, fit

_END = 0  # the tokenizer's padding: it begins a sentence, ends it, and fills it up


class CaptionDecoder(nn.Module):
    """p(words | c) = product of p(word | words before, c), by a GRU.

    Args:
        tokenizer: whose words it says.
        condition_dim: columns of c, which starts the GRU and comes with each word.
        embedding: size of a word vector.
        hidden: size of the GRU.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        condition_dim: int,
        *,
        embedding: int = 32,
        hidden: int = 128,
        seed: int = 0,
    ):
        super().__init__()
        self.tokenizer = tokenizer
        self.condition_dim = check_integer("condition_dim", condition_dim, minimum=1)
        with seeded(seed):
            self.embedding = nn.Embedding(len(tokenizer), embedding)
            self.start = nn.Linear(condition_dim, hidden)
            self.gru = nn.GRU(embedding + condition_dim, hidden, batch_first=True)
            self.head = nn.Linear(hidden, len(tokenizer))

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of "x", word numbers (N, length), given "condition": -log p of each sentence, (N,)."""
        words, condition = batch["x"], batch["condition"]
        before, after = pad(words, (1, 0), value=_END), pad(words, (0, 1), value=_END)
        logits, _ = self._step(before, condition, self.start(condition).tanh()[None])
        nats = cross_entropy(logits.transpose(1, 2), after, reduction="none")
        ended = (after == _END).cumsum(dim=1) > 1  # what fills up after the end was not said
        return {"nats": nats.masked_fill(ended, 0).sum(dim=1)}

    @torch.no_grad()
    def sample(
        self, condition: Tensor, *, temperature: float = 0.5, longest: int = 12, seed: int = 0
    ) -> list[str]:
        """One sentence for each row of the condition.

        Args:
            temperature: 1 draws from p itself; less says likely words more often, which makes the
                class right more often and changes style little; 0 says the likeliest.
            longest: words at most.
        """
        check_number("temperature", temperature, minimum=0.0)
        generator = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
        condition = condition.to(self.start.weight.device)
        word = torch.full((len(condition), 1), _END)
        state = self.start(condition).tanh()[None]
        said, going = [], torch.ones(len(condition), dtype=torch.bool)
        for _ in range(check_integer("longest", longest, minimum=1)):
            logits, state = self._step(word.to(condition.device), condition, state)
            logits = logits[:, 0].cpu()
            if temperature:
                p = (logits / temperature).softmax(dim=1)
                word = torch.multinomial(p, 1, generator=generator)
            else:
                word = logits.argmax(dim=1, keepdim=True)
            going = going & (word[:, 0] != _END)
            word = word.where(going[:, None], torch.tensor(_END))
            said.append(word)
        return self.tokenizer.decode(torch.cat(said, dim=1))

    def fit(
        self, batches: Batches, *, steps: int, learning_rate: float = 4e-3, **options: Any
    ) -> History:
        """Minimize -log p in place, with `simmim_lite.training.fit`.

        Args:
            batches: of "x", word numbers filled up with 0, and "condition".
        """
        return fit(
            self,
            lambda outputs, _: outputs["nats"].mean(),
            batches,
            steps=steps,
            learning_rate=learning_rate,
            **options,
        )

    def _step(self, words: Tensor, condition: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the next words (N, length, vocabulary), and the GRU's state."""
        context = condition[:, None].expand(-1, words.shape[1], -1)
        states, state = self.gru(torch.cat([self.embedding(words), context], dim=2), state)
        return self.head(states), state
