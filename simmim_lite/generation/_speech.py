"""From log-mel spectrograms back to something that can be heard."""

import torch
from torch import Tensor
from torch.nn.functional import fold

from simmim_lite._arguments import check_integer, check_number
from simmim_lite.encoders import AudioEncoder
from simmim_lite.encoders._audio import FLOOR

_TINY = 1e-8  # of a power, or of a sum of squared windows, that must not be 0


def power_from_mel(
    spectrograms: Tensor, filters: Tensor, *, floor: float = FLOOR, iterations: int = 100
) -> Tensor:
    """A power spectrogram whose mel energies are those given, as nearly as can be.

    There are fewer mel bands than frequencies, so many would do. Of non-negative ones, multiplying
    by ratios of what is wanted to what is there goes downhill in squared error (Lee & Seung 2001,
    NeurIPS, eq. 4, for one factor).

    Args:
        spectrograms: (N, mels, frames), natural logarithms of (energy + floor).
        filters: (mels, frequencies), as `mel_filters` gives them.

    Returns:
        (N, frequencies, frames).
    """
    if spectrograms.ndim != 3 or spectrograms.shape[1] != len(filters):
        expected, got = f"(N, {len(filters)}, frames)", tuple(spectrograms.shape)
        raise ValueError(f"spectrograms: expected shape {expected}, got {got}")
    energies = (spectrograms.exp() - floor).clamp(min=0)
    wanted = filters.T @ energies
    square = filters.T @ filters
    power = wanted / square.sum(dim=1, keepdim=True).clamp(min=_TINY)
    for _ in range(check_integer("iterations", iterations, minimum=0)):
        power = power * wanted / (square @ power).clamp(min=_TINY)
    return power


def griffin_lim(
    power: Tensor,
    *,
    window: int = 256,
    hop: int = 80,
    iterations: int = 32,
    momentum: float = 0.99,
    seed: int = 0,
) -> Tensor:
    """Waveforms whose spectrogram has these magnitudes, as nearly as can be.

    A power spectrogram has no phases, and most phases fit no waveform: frames overlap and must
    agree. So to a waveform and back, again and again, keeping the phases and setting the magnitudes
    right (Griffin & Lim 1984); with momentum (Perraudin, Balazs & Sondergaard 2013) it is faster.

    Args:
        power: (N, window // 2 + 1, frames), as `power_spectrogram` gives it.
        window, hop: those of the spectrogram.
        momentum: 0 is the algorithm of 1984.
        seed: of the first phases.

    Returns:
        (N, (frames - 1) * hop + window).
    """
    if power.ndim != 3 or power.shape[1] != window // 2 + 1:
        expected, got = f"(N, {window // 2 + 1}, frames)", tuple(power.shape)
        raise ValueError(f"power: expected shape {expected}, got {got}")
    momentum = check_number("momentum", momentum, minimum=0.0, maximum=1.0)
    hann = torch.hann_window(window, dtype=power.dtype, device=power.device)
    magnitude = power.clamp(min=0).sqrt()
    generator = torch.Generator().manual_seed(check_integer("seed", seed, minimum=0))
    angles = 2 * torch.pi * torch.rand(power.shape, generator=generator, dtype=power.dtype)
    phases = torch.polar(torch.ones_like(magnitude), angles.to(power.device))
    before = torch.zeros_like(phases)
    for _ in range(check_integer("iterations", iterations, minimum=0)):
        waveforms = _overlap_add(magnitude * phases, hann, hop)
        now = torch.stft(
            waveforms, window, hop, window=hann, center=False, onesided=True, return_complex=True
        )
        phases = now - momentum / (1 + momentum) * before
        phases = phases / phases.abs().clamp(min=_TINY)
        before = now
    return _overlap_add(magnitude * phases, hann, hop)


def to_waveforms(
    spectrograms: Tensor, encoder: AudioEncoder, *, iterations: int = 32, seed: int = 0
) -> Tensor:
    """Log-mel spectrograms (N, mels, frames) of `AudioEncoder.prepare` -> waveforms (N, samples).

    What it cannot know is made up: the phases, and how energy is spread within a mel band. The
    waveforms are divided by their peaks.
    """
    power = power_from_mel(spectrograms, encoder.filters.to(spectrograms.device))
    waveforms = griffin_lim(
        power, window=encoder.window, hop=encoder.hop, iterations=iterations, seed=seed
    )
    return waveforms / waveforms.abs().amax(dim=1, keepdim=True).clamp(min=_TINY)


def _overlap_add(spectrum: Tensor, hann: Tensor, hop: int) -> Tensor:
    """The waveform whose frames are nearest to those of a spectrum, in squares (1984, eq. 6).

    `torch.istft` refuses frames that lie wholly within the waveform, as its ends are divided by 0.
    """
    window, frames = len(hann), spectrum.shape[-1]
    samples = (frames - 1) * hop + window
    options = {"output_size": (1, samples), "kernel_size": (1, window), "stride": (1, hop)}
    parts = torch.fft.irfft(spectrum, window, dim=1) * hann[:, None]
    weights = (hann**2)[None, :, None].expand(1, -1, frames)
    total, weight = fold(parts, **options), fold(weights, **options)
    return total[:, 0, 0] / weight[:, 0, 0].clamp(min=1e-3)
