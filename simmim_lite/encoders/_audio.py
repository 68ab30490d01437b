"""Speech and other sound: waveform, power spectrogram, log-mel spectrogram, network."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from scipy.signal import resample_poly
from torch import Tensor, nn

from simmim_lite._arguments import as_array, as_tensor, check_integer, check_number, count_rows
from simmim_lite._numerics import center_and_scale
from simmim_lite._random import seeded
from simmim_lite._torch_state import ordinary_torch
from simmim_lite.encoders._base import Encoder, normalized_layer

# Added to the mel energies of a waveform of peak 1. With less, synthetic and recorded silence would
# differ, which carries no meaning.
FLOOR = 1e-2
_LOWEST = 50  # Hz, where the first mel filter begins
_STRETCH, _WARP = 0.15, 0.1  # largest relative changes of speed and of the mel scale
_SHIFT = 0.25  # largest shift in time, as a fraction of half the clip
_BANDS = 2.0  # largest shift in frequency, in mel bands
_KNOTS = 6  # bands at which the curves of a microphone are drawn
_CHUNK = 512  # waveforms at a time, to limit the memory of spectrograms


def power_spectrogram(waveforms: Tensor, *, window: int = 256, hop: int = 80) -> Tensor:
    """Return the squared absolute value of the short-time Fourier transform (periodic Hann window).

    (N, samples) -> (N, window // 2 + 1, frames), frames = (samples - window) // hop + 1. Frame t
    has the ``window`` samples from t * hop on, and frequency k is k * rate / window Hz. Over both
    halves of the spectrum, powers sum to ``window`` times the windowed energy (Parseval).
    """
    window = check_integer("window", window, minimum=2)
    hop = check_integer("hop", hop, minimum=1)
    waveforms = as_tensor("waveforms", waveforms)
    waveforms = waveforms.float() if waveforms.dtype.itemsize < 4 else waveforms
    if waveforms.ndim != 2 or waveforms.shape[1] < window:
        got = tuple(waveforms.shape)
        raise ValueError(f"waveforms: expected shape (N, samples >= {window}), got {got}")
    hann = torch.hann_window(window, dtype=waveforms.dtype, device=waveforms.device)
    spectrum = torch.stft(
        waveforms, window, hop, window=hann, center=False, onesided=True, return_complex=True
    )
    return spectrum.real**2 + spectrum.imag**2


def mel_filters(rate: int, *, window: int = 256, mels: int = 40) -> Tensor:
    """Return triangular filters (mels, window // 2 + 1) of height 1, evenly spaced in mel.

    mel(f) = 2595 log10(1 + f / 700), after O'Shaughnessy (1987). Each triangle begins and ends at
    the peaks of its neighbors; the first begins at 50 Hz, the last ends at half the rate.
    ``filters @ power_spectrogram(...)`` are the mel energies.

    Args:
        rate, window: samples per second, from 101 on, and per frame of the spectrogram.
        mels: number of filters, few enough that each contains a frequency of the spectrogram.
    """
    rate = check_integer("rate", rate, minimum=2 * _LOWEST + 1)
    mels = check_integer("mels", mels, minimum=1)
    start, end = 2595 * np.log10(1 + np.array([_LOWEST, rate / 2]) / 700)
    corners = 700 * (10 ** (np.linspace(start, end, mels + 2) / 2595) - 1)
    frequencies = np.arange(window // 2 + 1) * rate / window
    left, peak, right = (corners[i : i + mels, None] for i in range(3))
    rise, fall = (frequencies - left) / (peak - left), (right - frequencies) / (right - peak)
    filters = np.minimum(rise, fall).clip(min=0)
    if not filters.any(axis=1).all():
        expected = f"filters wide enough for frequencies {rate / window:g} Hz apart"
        raise ValueError(f"mels: expected {expected}, got {mels}; take fewer or a longer window")
    return torch.from_numpy(filters).float()


@ordinary_torch()
def log_mel(waveforms: Tensor, filters: Tensor, *, window: int = 256, hop: int = 80) -> Tensor:
    """Return the log-mel spectrogram, ln(mel energies + 0.01): (N, samples) -> (N, mels, frames).

    See `power_spectrogram`, and `mel_filters` for the ``filters``.
    """
    power = power_spectrogram(waveforms, window=window, hop=hop)
    return (filters.to(power) @ power + FLOOR).log()


class AudioEncoder(Encoder):
    """Encode waveforms, -> (N, dim): log-mel spectrogram, two convolutions, bidirectional GRU.

    Waveforms are resampled to ``rate``, divided by their peak, and cut or filled with silence to
    ``seconds``. An offset larger than the sound itself is subtracted before. A frame of the
    spectrogram begins every 10 milliseconds and has 32. The output uses mean and maximum over time,
    so the position of the sound within the clip matters little.

    Args:
        mels: number of mel bands, from 50 Hz to half the rate.
        width, hidden: channels of the convolutions, and size of the GRU in each direction.
        microphones: `augment` also changes the microphone and adds noise, for new speakers.
    """

    filters: Tensor

    def __init__(
        self,
        rate: int = 8000,
        seconds: float = 0.7,
        dim: int = 128,
        *,
        mels: int = 40,
        width: int = 96,
        hidden: int = 64,
        microphones: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        self.microphones = microphones
        self.rate = check_integer("rate", rate, minimum=2 * _LOWEST + 1)
        self.window, self.hop = round(0.032 * rate), round(0.010 * rate)
        self.samples = round(check_number("seconds", seconds, minimum=0.0) * rate)
        self.samples = max(self.samples, self.window)
        self.mels = check_integer("mels", mels, minimum=1)
        self.dim = check_integer("dim", dim, minimum=1)
        self.frames = (self.samples - self.window) // self.hop + 1
        filters = mel_filters(rate, window=self.window, mels=mels)
        self.register_buffer("filters", filters, persistent=False)
        width = check_integer("width", width, minimum=1)
        hidden = check_integer("hidden", hidden, minimum=1)
        with seeded(seed):
            self.standardize = nn.BatchNorm2d(1, affine=False)
            self.convolutions = nn.Sequential(
                *normalized_layer(nn.Conv1d(mels, width, 5, stride=2, padding=2, bias=False)),
                *normalized_layer(nn.Conv1d(width, width, 3, stride=2, padding=1, bias=False)),
            )
            self.gru = nn.GRU(width, hidden, batch_first=True, bidirectional=True)
            self.head = nn.Sequential(*normalized_layer(nn.Linear(4 * hidden, dim, bias=False)))

    def prepare(self, waveforms: Any, *, rate: int | None = None) -> Tensor:
        """Return log-mel spectrograms (N, mels, frames) float32; spectrograms pass through.

        Waveforms are a sequence of arrays (T,) of any lengths, or one array (N, T), with ``rate``
        samples per second; None takes that of the encoder.
        """
        if isinstance(waveforms, Tensor) and waveforms.ndim == 3:
            if waveforms.shape[1] != self.mels or 0 in waveforms.shape:
                expected = f"shape (N, samples), or spectrograms (N, {self.mels}, frames)"
                raise ValueError(f"waveforms: expected {expected}, got {tuple(waveforms.shape)}")
            return waveforms
        rate = self.rate if rate is None else check_integer("rate", rate, minimum=1)
        known = isinstance(waveforms, Sequence | np.ndarray | Tensor)
        if not known or not count_rows("waveforms", waveforms):
            got = "nothing" if known else type(waveforms).__name__
            raise ValueError(f"waveforms: expected a sequence of arrays, got {got}")
        clips = np.zeros((len(waveforms), self.samples), np.float32)
        for row, (clip, waveform) in enumerate(zip(clips, waveforms, strict=True)):
            sound = _normalized(waveform, rate, self.rate, row)[: self.samples]
            clip[: len(sound)] = sound
        options = {"window": self.window, "hop": self.hop}
        parts = torch.from_numpy(clips).split(_CHUNK)
        return torch.cat([log_mel(part, self.filters, **options) for part in parts])

    def extra_repr(self) -> str:
        return f"{self.rate} Hz, {self.samples} samples, window {self.window}, hop {self.hop}"

    def encode(self, prepared: Tensor) -> Tensor:
        features = self.convolutions(self.standardize(prepared[:, None])[:, 0])
        states, _ = self.gru(features.transpose(1, 2))
        return self.head(torch.cat([states.mean(dim=1), states.amax(dim=1)], dim=1))

    def augment(self, prepared: Tensor, generator: torch.Generator) -> Tensor:
        """Return spectrograms of another voice, speed, position and loudness, with noise and gaps.

        Time and frequency are stretched and shifted. Gain has a standard deviation of 4 dB, noise
        of 0.3 nats. Then SpecAugment (Park et al. 2019, arXiv 1904.08779) sets a run of up to a
        seventh of the bands, and of the frames, to the lowest value of the clip.
        """
        N, mels, frames = prepared.shape
        new: dict[str, Any] = {"device": prepared.device, "dtype": prepared.dtype}
        if self.microphones:
            prepared = _other_microphone(prepared, generator)
        lowest = prepared.amin(dim=(1, 2), keepdim=True)
        draws = 2 * torch.rand(4, N, generator=generator, **new) - 1
        largest = torch.tensor([_STRETCH, _SHIFT, _WARP, 2 * _BANDS / mels], **new)
        stretch, shift, warp, move = draws * largest[:, None]
        zero = torch.zeros_like(shift)
        theta = torch.stack([1 + stretch, zero, shift, zero, 1 + warp, move], 1).view(N, 2, 3)
        grid = nn.functional.affine_grid(theta, [N, 1, mels, frames], align_corners=False)
        above = (prepared - lowest)[:, None]
        read = nn.functional.grid_sample(above, grid, align_corners=False)[:, 0] + lowest
        gain = torch.randn(N, 1, 1, generator=generator, **new) * (4 * math.log(10) / 10)
        noise = 0.3 * torch.randn(prepared.shape, generator=generator, **new)
        kept = _kept(N, mels, generator)[:, :, None] & _kept(N, frames, generator)[:, None]
        return (read + gain + noise).where(kept, lowest)


def _other_microphone(spectrograms: Tensor, generator: torch.Generator) -> Tensor:
    """Add a smooth gain over the bands and, to four of five clips, stationary noise.

    The gain has a standard deviation of 0.8 nats, the noise 1 nat around a level in -5..0 nats.
    """
    N, mels, _ = spectrograms.shape
    new: dict[str, Any] = {"device": spectrograms.device, "dtype": spectrograms.dtype}
    gain, curve = torch.randn(2, N, 1, _KNOTS, generator=generator, **new)
    level, chosen = torch.rand(2, N, 1, 1, generator=generator, **new)
    curves = torch.cat([0.8 * gain, curve + 5 * level - 5], dim=1)
    curves = nn.functional.interpolate(curves, mels, mode="linear", align_corners=True)
    ripple = 0.5 * torch.randn(spectrograms.shape, generator=generator, **new)
    clean = spectrograms + curves[:, 0, :, None]
    noisy = torch.logaddexp(clean, curves[:, 1, :, None] + ripple)
    return torch.where(chosen < 0.8, noisy, clean)


def _kept(N: int, length: int, generator: torch.Generator) -> Tensor:
    """Mask (N, length), False in a random run of up to a seventh of each row."""
    new: dict[str, Any] = {"generator": generator, "device": generator.device}
    sizes = torch.randint(length // 7 + 1, (N, 1), **new)
    starts = (torch.rand(N, 1, dtype=torch.float32, **new) * (length - sizes + 1)).long()
    places = torch.arange(length, device=generator.device)
    return (places < starts) | (places >= starts + sizes)


def _normalized(waveform: Any, rate: int, wanted: int, row: int) -> np.ndarray:
    """One waveform, resampled from ``rate`` to ``wanted``, with peak 1; silence stays silence."""
    sound = as_array(f"waveforms[{row}]", waveform)
    if sound.ndim != 1 or not sound.size or sound.dtype.kind not in "if":
        got = f"{sound.dtype} of shape {sound.shape}"
        raise ValueError(f"waveforms: expected numbers of shape (T,), got {got} in row {row}")
    if sound.dtype.kind == "f" and not np.isfinite(sound).all():
        raise ValueError(f"waveforms: expected finite samples, got others in row {row}")
    mean, deviation = center_and_scale(sound)
    if abs(mean) > deviation or not 1e-30 < deviation < 1e30:
        sound = (sound - mean) / deviation  # 0 if the sound is constant
    sound = sound.astype(np.float32)
    if rate != wanted:
        ratio = Fraction(wanted, rate)
        sound = resample_poly(sound, ratio.numerator, ratio.denominator)
    return sound / max(np.abs(sound).max(), np.finfo(np.float32).tiny)
