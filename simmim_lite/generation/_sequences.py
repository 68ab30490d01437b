"""Sequences: sentences, word by word, and waveforms from log-mel spectrograms."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, fold, pad

from simmim_lite._arguments import check_integer, check_number
from simmim_lite._random import seeded
from simmim_lite._torch_state import like_parameters, ordinary_torch
from simmim_lite.encoders import FLOOR, AudioEncoder, Tokenizer
from simmim_lite.generation._latents import FoundItems, as_condition
from simmim_lite.training import Batches, History, fit

_END = 0  # padding of the tokenizer: starts a sentence, ends it and fills it up
_EMBEDDING = 32  # columns of a word vector

_TINY = 1e-8  # least denominator, least temperature
_UPDATES = 100  # of the powers within mel bands
_MOMENTUM = 0.99  # 0 is the algorithm of 1984


class CaptionDecoder(nn.Module):
    """Generator of sentences: p(words | c) = product of p(word | earlier words, c), by a GRU.

    c (N, condition_dim) determines the initial state of the GRU, and is an input at each word.
    ``hidden`` is the number of units of the GRU.
    """

    condition = "query"

    def __init__(
        self, tokenizer: Tokenizer, condition_dim: int, *, hidden: int = 128, seed: int = 0
    ):
        super().__init__()
        self.tokenizer = tokenizer
        condition_dim = check_integer("condition_dim", condition_dim, minimum=1)
        check_integer("hidden", hidden, minimum=1)
        with seeded(seed):
            self.embedding = nn.Embedding(len(tokenizer), _EMBEDDING)
            self.start = nn.Linear(condition_dim, hidden)
            self.gru = nn.GRU(_EMBEDDING + condition_dim, hidden, batch_first=True)
            self.head = nn.Linear(hidden, len(tokenizer))

    def extra_repr(self) -> str:
        return f"vocabulary {self.tokenizer.fingerprint()}"

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return "nats" (N,), -log p of each sentence "x": word numbers, padded with 0."""
        words, condition = (like_parameters(self, batch[name]) for name in ("x", "condition"))
        before, after = pad(words, (1, 0), value=_END), pad(words, (0, 1), value=_END)
        logits, _ = self._step(before, condition, self.start(condition).tanh()[None])
        nats = cross_entropy(logits.transpose(1, 2), after, reduction="none")
        padding = (after == _END).cumsum(dim=1) > 1  # after the end of the sentence
        return {"nats": nats.masked_fill(padding, 0).sum(dim=1)}

    @torch.no_grad()
    def sample(
        self, condition: Tensor, *, temperature: float = 0.5, longest: int = 12, seed: int = 0
    ) -> list[str]:
        """Draw one sentence of at most ``longest`` words for each row of the condition.

        Words are drawn on the CPU, so that a seed gives the same sentences on all devices. With
        ``temperature`` 1 they are drawn from p; less prefers likely words, which raises the
        accuracy of the class and hardly changes the style; 0 (below 1e-8) takes the likeliest.
        """
        check_number("temperature", temperature, minimum=0.0)
        generator = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
        condition = as_condition(self, condition, self.start.in_features)
        word = torch.full((len(condition), 1), _END, device=condition.device)
        state = self.start(condition).tanh()[None]
        words = []
        for _ in range(check_integer("longest", longest, minimum=1)):
            logits, state = self._step(word.to(condition.device), condition, state)
            logits = logits[:, 0].cpu()
            if temperature > _TINY:
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
        """Minimize -log p of "x", see `forward`, given "condition", with `training.fit`."""
        options |= {"steps": steps, "learning_rate": learning_rate}
        return fit(self, lambda outputs, _: outputs["nats"].mean(), batches, **options)

    def _step(self, words: Tensor, condition: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, length, vocabulary) of the next words, and the state of the GRU."""
        context = condition[:, None].expand(-1, words.shape[1], -1)
        states, state = self.gru(torch.cat([self.embedding(words), context], dim=2), state)
        return self.head(states), state


@ordinary_torch()
def power_from_mel(spectrograms: Tensor, filters: Tensor) -> Tensor:
    """Return power spectrograms (N, frequencies, frames) with the given mel energies, nearly.

    Spectrograms (N, mels, frames) are those of `log_mel`, filters those of
    `mel_filters`. There are fewer mel bands than frequencies, so many solutions exist. The updates
    of Lee & Seung (2001, NeurIPS, eq. 4) keep the powers positive and reduce the squared error.
    """
    if spectrograms.ndim != 3 or spectrograms.shape[1] != len(filters):
        expected, got = f"(N, {len(filters)}, frames)", tuple(spectrograms.shape)
        raise ValueError(f"spectrograms: expected shape {expected}, got {got}")
    filters = filters.to(spectrograms)
    wanted = filters.T @ (spectrograms.exp() - FLOOR).clamp(min=0)
    square = filters.T @ filters
    power = wanted / square.sum(dim=1, keepdim=True).clamp(min=_TINY)
    for _ in range(_UPDATES):
        power = power * wanted / (square @ power).clamp(min=_TINY)
    return power


def griffin_lim(
    power: Tensor, *, window: int = 256, hop: int = 80, iterations: int = 32, seed: int = 0
) -> Tensor:
    """Return waveforms (N, (frames - 1) * hop + window) with the given power spectrogram, nearly.

    The power (N, window // 2 + 1, frames) of `power_spectrogram` has no phases, and overlapping
    frames must agree. Each iteration goes to a waveform and back, keeps the phases and restores the
    magnitudes (Griffin & Lim 1984), with momentum (Perraudin, Balazs & Sondergaard 2013).
    """
    if power.ndim != 3 or power.shape[1] != window // 2 + 1:
        raise ValueError(f"power: expected (N, {window // 2 + 1}, T), got {tuple(power.shape)}")
    hann = torch.hann_window(window, dtype=power.dtype, device=power.device)
    magnitude = power.clamp(min=0).sqrt()
    generator = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
    draws = torch.rand(power.shape, generator=generator, dtype=power.dtype, device="cpu")
    phases = torch.polar(torch.ones_like(magnitude), 2 * torch.pi * draws.to(power.device))
    before = torch.zeros_like(phases)
    for _ in range(check_integer("iterations", iterations, minimum=0)):
        waveforms = _overlap_add(magnitude * phases, hann, hop)
        now = torch.stft(
            waveforms, window, hop, window=hann, center=False, onesided=True, return_complex=True
        )
        phases = now - _MOMENTUM / (1 + _MOMENTUM) * before
        phases = phases / phases.abs().clamp(min=_TINY)
        before = now
    return _overlap_add(magnitude * phases, hann, hop)


def to_waveforms(spectrograms: Tensor, encoder: AudioEncoder, *, seed: int = 0) -> Tensor:
    """Return waveforms (N, samples) of peak 1 for spectrograms (N, mels, frames) of the encoder."""
    power = power_from_mel(spectrograms, encoder.filters)
    waveforms = griffin_lim(power, window=encoder.window, hop=encoder.hop, seed=seed)
    return waveforms / waveforms.abs().amax(dim=1, keepdim=True).clamp(min=_TINY)


def _overlap_add(spectrum: Tensor, hann: Tensor, hop: int) -> Tensor:
    """Waveform whose frames are nearest to a spectrum in squared error (1984, eq. 6).

    `torch.istft` refuses frames wholly within the waveform: it would divide by 0 at the ends.
    """
    window, frames = len(hann), spectrum.shape[-1]
    parts = torch.fft.irfft(spectrum, window, dim=1) * hann[:, None]
    weights = (hann**2)[None, :, None].expand(1, -1, frames)
    total, weight = (
        fold(frame, (1, (frames - 1) * hop + window), (1, window), stride=(1, hop))
        for frame in (parts, weights)
    )
    return total[:, 0, 0] / weight[:, 0, 0].clamp(min=1e-3)
