"""Generators of images, speech and sentences, conditioned on queries of any modality and on memory.

    space = LatentSpace(vae, images)  # of a trained autoencoder
    flow = RectifiedFlow(space.dim, embedder.dim)
    queries = embedder.project(pairs.items)
    flow.fit(condition_batches(pairs, queries, space.encode(images), 256), steps=2500)
    generator = CrossModalGenerator(embedder, {"image": LatentGenerator(space, flow)}, memory)
    made = generator.generate(recordings, "speech", "image", n=4)  # .samples, .ids, .remembered

| class or function | samples | training |
|---|---|---|
| `ConditionalVAE` (`image_vae`, `speech_vae`) | images, spectrograms | bound on log p(x given c) |
| `ConditionalGAN` | latents of a VAE | game with a discriminator |
| `RectifiedFlow` | latents of a VAE | regression of a velocity |
| `sample_around` | latents near remembered latents | none |
| `CaptionDecoder` | sentences | log p(word given earlier words and c) |

`Generator` is the interface of a generator of your own. With `WhitenedKeys`, a memory finds classes
that were absent from the embedder's training. `to_waveforms` makes spectrograms audible.

Examples:
    >>> import torch
    >>> from simmim_lite.generation import RectifiedFlow, make_condition
    >>> flow = RectifiedFlow(dim=2, condition_dim=3, width=8)
    >>> flow.sample(make_condition(queries=torch.eye(3)), seed=0).shape
    torch.Size([3, 2])
"""

from simmim_lite.generation._cross_modal import (
    CrossModalGenerator as CrossModalGenerator,
    Generated as Generated,
    Generator as Generator,
    LatentGenerator as LatentGenerator,
)
from simmim_lite.generation._latents import (
    FoundItems as FoundItems,
    LatentSpace as LatentSpace,
    WhitenedKeys as WhitenedKeys,
    condition_batches as condition_batches,
    make_condition as make_condition,
    neighbor_means as neighbor_means,
    sample_around as sample_around,
)
from simmim_lite.generation._samplers import (
    ConditionalGAN as ConditionalGAN,
    RectifiedFlow as RectifiedFlow,
)
from simmim_lite.generation._sequences import (
    CaptionDecoder as CaptionDecoder,
    griffin_lim as griffin_lim,
    power_from_mel as power_from_mel,
    to_waveforms as to_waveforms,
)
from simmim_lite.generation._vae import (
    ConditionalVAE as ConditionalVAE,
    ConvolutionalDecoder as ConvolutionalDecoder,
    ConvolutionalEncoder as ConvolutionalEncoder,
    bits_per_dimension as bits_per_dimension,
    image_vae as image_vae,
    speech_vae as speech_vae,
)
