"""Linear probes of untrained and trained encoders, the measurements of notebook 04."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy import signal
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from reproduction.claims import Claim, Experiment, Setting
from simmim_lite.datasets import load_digits, load_speech
from simmim_lite.encoders import AudioEncoder, ImageEncoder, power_spectrogram, seeded
from simmim_lite.evaluation import linear_probe
from simmim_lite.training import Batches

_STEPS, _PROBED = 250, 10_000  # training steps; highest number of training items of a probe


def _probe_claim(claim: str, input_name: str, truth: str, at_least: float | None = None) -> Claim:
    name = f"linear probe accuracy, {input_name}"
    return Claim(claim, name, truth, "the same run", "%", at_least, notebook="04")


_CHANCE = "chance level: 10 %"
_CLAIMS = (
    _probe_claim("pixel-probe", "784 pixels", _CHANCE),
    _probe_claim("untrained-probe", "untrained image encoder, 128 columns", _CHANCE, 0.8),
    _probe_claim(
        "trained-probe", "image encoder trained with labels, 128 columns", "784 pixels", 0.97
    ),
    _probe_claim("waveform-probe", "waveform", _CHANCE),
    _probe_claim("spectrogram-probe", "log-mel spectrogram, nothing learned", "waveform", 0.9),
    Claim(
        id="spectrogram-error",
        name="power spectrogram against SciPy, largest relative difference",
        truth="SciPy in float64: 0",
        source="the same run",
        at_most=1e-10,
        notebook="04",
    ),
)


def _measure(setting: Setting) -> dict[str, float]:
    images = [load_digits(split, full=setting.full) for split in ("train", "test")]
    speech = [load_speech(split, full=setting.full) for split in ("train", "test")]
    encoder, audio = ImageEncoder(seed=setting.seed), AudioEncoder()
    chosen = np.random.default_rng(setting.seed).permutation(len(images[0].images))[:_PROBED]
    digits = [torch.tensor(images[0].labels[chosen]), torch.tensor(images[1].labels)]
    pictures = [encoder.prepare(images[0].images[chosen]), encoder.prepare(images[1].images)]
    words = [torch.tensor(part.labels) for part in speech]
    heard = [audio.prepare(part.waveforms) for part in speech]
    waves = [torch.from_numpy(part.padded(0.7)) for part in speech]
    return {
        "pixel-probe": _probe(nn.Flatten(), pictures, digits),
        "untrained-probe": _probe(encoder, pictures, digits),
        "trained-probe": _probe(
            _trained(encoder, pictures[0], digits[0], setting.seed), pictures, digits
        ),
        "waveform-probe": _probe(nn.Flatten(), waves, words),
        "spectrogram-probe": _probe(nn.Flatten(), heard, words),
        "spectrogram-error": _spectrogram_error(speech[0].waveforms[setting.seed], speech[0].rate),
    }


def _probe(encoder: nn.Module, items: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    encoder.eval()
    with torch.no_grad():
        train, test = (torch.cat([encoder(rows) for rows in part.split(500)]) for part in items)
    return linear_probe(train, labels[0], test, labels[1])


def _trained(encoder: ImageEncoder, items: Tensor, labels: Tensor, seed: int) -> ImageEncoder:
    """Return the encoder after training with labels on augmented items."""
    with seeded(seed):
        head = nn.Linear(encoder.dim, 10)
    batches = Batches(
        (items, labels), 128, seed=seed, transform=lambda b, g: (encoder.augment(b[0], g), b[1])
    )
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=2e-3)
    encoder.train()
    for x, y in map(batches.__getitem__, range(_STEPS)):
        optimizer.zero_grad()
        cross_entropy(head(encoder(x)), y).backward()
        optimizer.step()
    return encoder


def _spectrogram_error(waveform: np.ndarray, rate: int) -> float:
    window, hop = 256, 80
    clip = waveform.astype(np.float64)
    ours = power_spectrogram(torch.from_numpy(clip)[None], window=window, hop=hop)[0].numpy()
    options = {"nperseg": window, "noverlap": window - hop, "detrend": False}
    spectra = signal.spectrogram(clip, rate, "hann", mode="complex", scaling="spectrum", **options)[
        2
    ]
    theirs = np.abs(spectra * signal.get_window("hann", window).sum()) ** 2
    return float(np.abs(ours - theirs).max() / theirs.max())


EXPERIMENTS = (Experiment("encoders", _CLAIMS, _measure, seeds=2),)
