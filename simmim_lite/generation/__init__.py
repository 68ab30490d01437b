"""Generators: new images, speech and sentences from a query in any modality, and from memory.

    space = LatentSpace(vae, images)  # codes of a trained autoencoder
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

from simmim_lite.generation._captions import CaptionDecoder as CaptionDecoder
from simmim_lite.generation._codes import (
    LatentSpace as LatentSpace,
    condition_batches as condition_batches,
    make_condition as make_condition,
    neighbor_means as neighbor_means,
    sample_around as sample_around,
)
from simmim_lite.generation._cross_modal import (
    CONDITIONS as CONDITIONS,
    CrossModalGenerator as CrossModalGenerator,
    Generated as Generated,
    LatentGenerator as LatentGenerator,
)
from simmim_lite.generation._flow import RectifiedFlow as RectifiedFlow
from simmim_lite.generation._gan import (
    GAN_OBJECTIVES as GAN_OBJECTIVES,
    ConditionalGAN as ConditionalGAN,
)
from simmim_lite.generation._keys import WhitenedKeys as WhitenedKeys
from simmim_lite.generation._speech import (
    griffin_lim as griffin_lim,
    power_from_mel as power_from_mel,
    to_waveforms as to_waveforms,
)
from simmim_lite.generation._vae import (
    LIKELIHOODS as LIKELIHOODS,
    ConditionalVAE as ConditionalVAE,
    Elbo as Elbo,
    bits_per_dimension as bits_per_dimension,
    image_vae as image_vae,
    speech_vae as speech_vae,
)
