"""Encoders: items of one modality in, vectors out, ``encoder(batch)`` of shape (N, dim).

| class | input | network |
|---|---|---|
| `ImageEncoder`, `resnet18_encoder` | images of any size and number of channels | convolutions |
| `AudioEncoder` | waveforms of any length and rate | log-mel spectrogram, convolutions, GRU |
| `TextEncoder` | sentences | word vectors, GRU |
| `TabularEncoder` | rows of numbers | two linear layers |

``dim`` is the number of columns of the output; the initial weights depend on ``seed`` alone. To
write an encoder of your own, subclass `Encoder`.

Examples:
    >>> import numpy as np
    >>> from simmim_lite.encoders import ImageEncoder, TextEncoder, Tokenizer
    >>> images = np.zeros((5, 28, 28), np.uint8)
    >>> ImageEncoder(dim=64)(images).shape
    torch.Size([5, 64])
    >>> texts = ["a thick nine", "a thin seven"]
    >>> tokenizer = Tokenizer.from_texts(texts)
    >>> tokenizer.encode(texts)
    tensor([[2, 5, 3],
            [2, 6, 4]])
    >>> TextEncoder(tokenizer, dim=64, seed=1)(texts).shape
    torch.Size([2, 64])
"""

from simmim_lite._random import seeded as seeded
from simmim_lite.encoders._audio import (
    FLOOR as FLOOR,
    AudioEncoder as AudioEncoder,
    log_mel as log_mel,
    mel_filters as mel_filters,
    power_spectrogram as power_spectrogram,
)
from simmim_lite.encoders._base import (
    Encoder as Encoder,
    ImageEncoder as ImageEncoder,
    TabularEncoder as TabularEncoder,
    resnet18_encoder as resnet18_encoder,
)
from simmim_lite.encoders._text import TextEncoder as TextEncoder, Tokenizer as Tokenizer
