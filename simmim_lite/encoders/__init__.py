"""Encoders: one modality in, vectors out, ``encoder(batch)`` of shape (N, dim).

| class | what it takes | how it reads it |
|---|---|---|
| `ImageEncoder`, `resnet18_encoder` | images of any size and number of channels | convolutions |
| `AudioEncoder` | waveforms of any length and rate | log-mel spectrogram, convolutions, GRU |
| `TextEncoder` | sentences | word vectors, GRU |
| `TabularEncoder` | rows of numbers | a small network |

Each takes what the loaders of `simmim_lite.datasets` give. `Encoder` says what an encoder of your
own would need. Weights are drawn from ``seed`` alone.
"""

from simmim_lite._random import seeded as seeded
from simmim_lite.encoders._audio import (
    AudioEncoder as AudioEncoder,
    log_mel as log_mel,
    mel_filters as mel_filters,
    power_spectrogram as power_spectrogram,
)
from simmim_lite.encoders._base import Encoder as Encoder
from simmim_lite.encoders._images import (
    ImageEncoder as ImageEncoder,
    resnet18_encoder as resnet18_encoder,
)
from simmim_lite.encoders._tabular import TabularEncoder as TabularEncoder
from simmim_lite.encoders._text import TextEncoder as TextEncoder, Tokenizer as Tokenizer
