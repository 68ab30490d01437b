"""Log-mel spectrograms to waveforms."""

import torch
from torch import Tensor
from torch.nn.functional import fold

from simmim_lite._arguments import check_integer
from simmim_lite.encoders import FLOOR, AudioEncoder

_TINY = 1e-8  # least denominator
_UPDATES = 100  # of the powers within mel bands
_MOMENTUM = 0.99  # 0 is the algorithm of 1984


def power_from_mel(spectrograms: Tensor, filters: Tensor) -> Tensor:
    """Return power spectrograms (N, frequencies, frames) with the given mel energies, nearly.

    Spectrograms (N, mels, frames) are those of `log_mel` with its default floor, filters those of
    `mel_filters`. There are fewer mel bands than frequencies, so many solutions exist.
    Multiplicative updates keep the powers non-negative and reduce the squared error (Lee & Seung
    2001, NeurIPS, eq. 4, for one factor).
    """
    if spectrograms.ndim != 3 or spectrograms.shape[1] != len(filters):
        expected, got = f"(N, {len(filters)}, frames)", tuple(spectrograms.shape)
        raise ValueError(f"spectrograms: expected shape {expected}, got {got}")
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

    The power (N, window // 2 + 1, frames) of `power_spectrogram` has no phases, and most phases
    match no waveform, because overlapping frames must agree. Each iteration goes to a waveform and
    back, keeps the phases and restores the magnitudes (Griffin & Lim 1984); momentum makes the
    method faster (Perraudin, Balazs & Sondergaard 2013).
    """
    if power.ndim != 3 or power.shape[1] != window // 2 + 1:
        expected, got = f"(N, {window // 2 + 1}, frames)", tuple(power.shape)
        raise ValueError(f"power: expected shape {expected}, got {got}")
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
        phases = now - _MOMENTUM / (1 + _MOMENTUM) * before
        phases = phases / phases.abs().clamp(min=_TINY)
        before = now
    return _overlap_add(magnitude * phases, hann, hop)


def to_waveforms(spectrograms: Tensor, encoder: AudioEncoder, *, seed: int = 0) -> Tensor:
    """Return waveforms (N, samples) of peak 1 for spectrograms (N, mels, frames) of the encoder.

    A spectrogram lacks phases, and the distribution of energy within a mel band; `griffin_lim` and
    `power_from_mel` fill them in.
    """
    power = power_from_mel(spectrograms, encoder.filters.to(spectrograms.device))
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
