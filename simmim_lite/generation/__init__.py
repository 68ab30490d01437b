"""Generators: new images, speech and sentences from a query in any modality, and from memory.

    space = CodeSpace(vae, images)  # codes of a trained autoencoder
    flow = RectifiedFlow(space.dim, embedder.dim)
    told = embedder.project(pairs.items)
    flow.fit(condition_batches(pairs, told, space.encode(images), 256), steps=2500)
    generator = CrossModalGenerator(embedder, {"image": LatentGenerator(space, flow)}, memory)
    made = generator.generate(recordings, "speech", "image", n=4)  # .samples, .ids, .remembered

| class | draws | how it is learned |
|---|---|---|
| `ConditionalVAE` (`image_vae`, `speech_vae`) | images, spectrograms | a bound on log p |
| `ConditionalGAN` | codes of a VAE | a game with a discriminator |
| `RectifiedFlow` | codes of a VAE | regression of a velocity |
| `sample_around` | codes near remembered ones | not at all |
| `CaptionDecoder` | sentences | log p(word given those before, c) |

`WhitenedKeys` let a memory find classes that the embedder never saw. `griffin_lim` and
`to_waveforms` make spectrograms audible.
"""

from simmim_lite.generation._captions import CaptionDecoder
from simmim_lite.generation._codes import (
    CodeSpace,
    condition_batches,
    make_condition,
    neighbour_means,
    sample_around,
)
from simmim_lite.generation._cross_modal import (
    CONDITIONS,
    CrossModalGenerator,
    Generated,
    LatentGenerator,
)
from simmim_lite.generation._flow import RectifiedFlow
from simmim_lite.generation._gan import OBJECTIVES, ConditionalGAN
from simmim_lite.generation._keys import WhitenedKeys
from simmim_lite.generation._speech import griffin_lim, power_from_mel, to_waveforms
from simmim_lite.generation._vae import (
    LIKELIHOODS,
    ConditionalVAE,
    Elbo,
    bits_per_dimension,
    image_vae,
    speech_vae,
)

__all__ = [
    "CONDITIONS",
    "LIKELIHOODS",
    "OBJECTIVES",
    "CaptionDecoder",
    "CodeSpace",
    "ConditionalGAN",
    "ConditionalVAE",
    "CrossModalGenerator",
    "Elbo",
    "Generated",
    "LatentGenerator",
    "RectifiedFlow",
    "WhitenedKeys",
    "bits_per_dimension",
    "condition_batches",
    "griffin_lim",
    "image_vae",
    "make_condition",
    "neighbour_means",
    "power_from_mel",
    "sample_around",
    "speech_vae",
    "to_waveforms",
]
