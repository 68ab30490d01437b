"""Generation: our generators beside published multimodal VAEs, same pairs, same CPU seconds.

    python -m reproduction.peers.bench_generation                 embedded digits and voices
    python -m reproduction.peers.bench_generation --full          MNIST and FSDD (SIMMIM_DATA)
    python -m reproduction.peers.bench_generation --seeds 3 --json results.json

One thread. The task: generate images for recordings of the test split, and for a written word. Our
method is an embedder (`MultimodalInfoMax`), an autoencoder of images and a `RectifiedFlow` of its
latents; the training time of all three is the budget of each peer. Peers come from the package
multivae (Senellart et al. 2023, ``pip install multivae``): JMVAE (Suzuki et al. 2016), MVTCAE
(Hwang et al. 2021) and MMVAE+ (Palumbo et al. 2023), with the settings of its examples, our
convolutional networks, new pairs in each step, Adam with one cycle, and likelihoods rescaled by
size. They get the image, the log-mel spectrogram and the digit as one of ten words; our method gets
captions instead of words.

The authors of the peers train for hundreds of epochs. So the benchmark compares results after
minutes on a CPU, not the best results of each method. Controls: a retrieved image, the mean of four
retrieved images, and real images. The exit code is 1 if a peer has a higher coherence than our
method for recordings.
"""

import argparse
import importlib.util
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from simmim_lite.datasets import load_captions, load_digits, load_speech
from simmim_lite.encoders import AudioEncoder, ImageEncoder, TextEncoder, Tokenizer
from simmim_lite.evaluation import EvaluationClassifier, RealItems
from simmim_lite.generation import (
    ConvolutionalDecoder,
    ConvolutionalEncoder,
    LatentGenerator,
    LatentSpace,
    RectifiedFlow,
    condition_batches,
    image_vae,
    make_condition,
)
from simmim_lite.memory import SimulatedMemory
from simmim_lite.multimodal import MultimodalInfoMax, Pairing
from simmim_lite.training import Batches

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PEERS = ("JMVAE", "MVTCAE", "MMVAEPlus")
LATENT = 32
BATCH = 128
# Chosen on voices and images held out of the training split.
SAMPLER = {"guide_from": 0.5, "noise": 1.35}
SIZES = {  # steps of embedder, autoencoder, flow; widths of the last two; guidance
    False: {"steps": (300, 1000, 1600), "widths": (16, 256), "guidance": 2.0},
    True: {"steps": (400, 1000, 2500), "widths": (24, 320), "guidance": 3.0},
}
Draw = Callable[[str, int], tuple[Tensor, np.ndarray]]


class Data:
    """Images, recordings and captions of one split, and their digits."""

    def __init__(self, split: str, full: bool):
        digits, speech = load_digits(split, full=full), load_speech(split, full=full)
        self.images, self.waves = digits.images, speech.waveforms
        self.image_labels, self.speech_labels = digits.labels, speech.labels
        self.captions = load_captions(split, full=full).texts
        labels = {"image": digits.labels, "speech": speech.labels}
        items = {"image": self.images, "speech": self.waves, "text": self.captions}
        self.pairs = Pairing(items, labels)
        self.x = ImageEncoder().prepare(self.images)
        self.sound = AudioEncoder().prepare(self.waves)


def ours(train: Data, test: Data, full: bool, seed: int) -> tuple[Draw, Tensor]:
    """Train our method; return a function that draws, and four retrieved images per recording."""
    (first, second, third), (width, flow_width), guidance = SIZES[full].values()
    encoders = {
        "image": ImageEncoder(seed=seed),
        "speech": AudioEncoder(seed=seed),
        "text": TextEncoder(Tokenizer.from_texts(train.captions), seed=seed),
    }
    embedder = MultimodalInfoMax(encoders, 64, seed=seed)
    embedder.fit(train.pairs, steps=first, batch_size=BATCH, seed=seed, progress=False)
    vae = image_vae(LATENT, width=width, seed=seed)
    batches = Batches({"x": train.x}, BATCH, seed=seed)
    vae.fit(batches, steps=second, beta=0.05, seed=seed, progress=False)
    space = LatentSpace(vae, train.x)
    flow = RectifiedFlow(space.dim, 64, width=flow_width, seed=seed)
    embeddings = embedder.project(train.pairs.items)
    latents = space.encode(train.x)
    batches = condition_batches(train.pairs, embeddings, latents, 256, seed=seed)
    flow.fit(batches, steps=third, seed=seed, progress=False)
    maker = LatentGenerator(space, flow, guidance=guidance, **SAMPLER)

    def draw(source: str, n: int) -> tuple[Tensor, np.ndarray]:
        if source == "speech":
            queries, labels = test.waves, test.speech_labels
        else:
            queries, labels = [f"a {word}" for word in WORDS], np.arange(10)
        z = embedder.project({source: queries})[source].repeat_interleave(n, dim=0)
        return maker.sample(make_condition(z), seed=seed), np.repeat(labels, n)

    own = train.pairs.indices(torch.arange(len(train.pairs)), torch.Generator().manual_seed(seed))
    memory = SimulatedMemory(64)
    memory.write(
        {"speech": embeddings["speech"][own["speech"]]},
        {"image": train.images},
        instance={"image": latents[0]},
    )
    hits = memory.read(embedder.project({"speech": test.waves})["speech"], "speech", 64)
    near = memory.style_neighbors(hits, "image", 4, generator=torch.Generator().manual_seed(seed))
    return draw, torch.tensor(np.array(near.values("image")))[:, :, None] / 255


def peer(name: str, train: Data, test: Data, seconds: float, seed: int) -> tuple[Draw, int]:
    """Train a model of multivae for some CPU seconds; return a function that draws, and steps."""
    from multivae import models
    from multivae.data.datasets.base import MultimodalBaseDataset

    torch.distributions.Distribution.set_default_validate_args(
        False
    )  # gray pixels are neither 0 nor 1
    torch.manual_seed(seed)
    shapes = {"image": (1, 28, 28), "speech": (1, *train.sound.shape[1:]), "word": (1, 10)}
    style = LATENT if name == "MMVAEPlus" else 0
    options = {
        "n_modalities": 3,
        "latent_dim": LATENT,
        "input_dims": shapes,
        "uses_likelihood_rescaling": True,
        "decoders_dist": {"image": "bernoulli", "speech": "normal", "word": "categorical"},
    }
    own = {
        "JMVAE": {"alpha": 0.1},
        "MVTCAE": {"alpha": 5 / 6, "beta": 2.5},
        "MMVAEPlus": {
            "K": 1,
            "beta": 2.5,
            "modalities_specific_dim": style,
            "loss": "iwae_looser",
        },
    }
    model = getattr(models, name)(
        getattr(models, f"{name}Config")(**options, **own[name]),
        encoders={n: _encoder(shape, style) for n, shape in shapes.items()},
        decoders={n: _decoder(shape, style) for n, shape in shapes.items()},
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    words = torch.eye(10)[torch.from_numpy(train.image_labels)][:, None]
    start, step, model = time.process_time(), 0, model.train()
    while (part := (time.process_time() - start) / seconds) < 1:
        # One cycle: the learning rate grows in the first 30 % of the time, then it falls to 0.
        scale = part / 0.3 if part < 0.3 else (1 + np.cos(np.pi * (part - 0.3) / 0.7)) / 2
        optimizer.param_groups[0]["lr"] = 2e-3 * max(scale, 0.04)
        rows = torch.from_numpy(rng.integers(len(train.x), size=BATCH))
        chosen = train.pairs.indices(rows, generator)
        sound = train.sound[chosen["speech"]][:, None]
        batch = {"image": train.x[rows], "speech": sound, "word": words[rows]}
        loss = model(MultimodalBaseDataset(batch), epoch=1 + int(10 * part / 0.2)).loss
        loss = loss / BATCH if name == "MMVAEPlus" else loss  # the others give the mean
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 100.0)
        optimizer.step()
        step += 1
    model.eval()

    @torch.no_grad()
    def draw(source: str, n: int) -> tuple[Tensor, np.ndarray]:
        if source == "speech":
            given, labels = {"speech": test.sound[:, None]}, test.speech_labels
        else:
            given, labels = {"word": torch.eye(10)[:, None]}, np.arange(10)
        given = {k: v.repeat_interleave(n, dim=0) for k, v in given.items()}
        made = model.predict(MultimodalBaseDataset(given), cond_mod=[*given], gen_mod=["image"])
        return made["image"].reshape(-1, 1, 28, 28).sigmoid(), np.repeat(labels, n)

    return draw, step


def _encoder(shape: tuple[int, ...], style: int) -> nn.Module:
    from multivae.models.nn.base_architectures import BaseMultilatentEncoder
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseEncoder

    class Encoder(BaseMultilatentEncoder if style else BaseEncoder):
        def __init__(self):
            super().__init__()
            self.latent_dim, self.style_dim = LATENT, style
            dim = 2 * (LATENT + style)
            if shape[-2] > 1:
                self.network = ConvolutionalEncoder(shape, dim, width=16)
            else:
                self.network = nn.Sequential(
                    nn.Flatten(), nn.Linear(shape[-1], 64), nn.SiLU(), nn.Linear(64, dim)
                )

        def forward(self, x):
            names = ["embedding", "log_covariance", "style_embedding", "style_log_covariance"]
            sizes = [LATENT, LATENT, style, style] if style else [LATENT, LATENT]
            return ModelOutput(
                **dict(zip(names, self.network(x).split(sizes, dim=1), strict=False))
            )

    return Encoder()


def _decoder(shape: tuple[int, ...], style: int) -> nn.Module:
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            dim = LATENT + style
            if shape[-2] > 1:
                self.network = ConvolutionalDecoder(shape, dim, width=16)
            else:
                self.network = nn.Sequential(
                    nn.Linear(dim, 64), nn.SiLU(), nn.Linear(64, 10), nn.Unflatten(1, shape)
                )

        def forward(self, z):
            return ModelOutput(reconstruction=self.network(z))

    return Decoder()


def run(full: bool, seed: int, n: int) -> pd.DataFrame:
    """Return one row for each method and control, all with the same metrics."""
    train, test = Data("train", full), Data("test", full)
    classifier = EvaluationClassifier(ImageEncoder(width=24, turn=8.0, seed=1000), seed=1001)
    classifier.fit(train.x, train.image_labels, steps=800 if full else 300, progress=False)
    print(f"classifier: {classifier.coherence(test.x, test.image_labels):.4f} on real test images")
    start = time.process_time()
    draws = {}
    draws["ours"], retrieved = ours(train, test, full, seed)
    seconds = {"ours": time.process_time() - start}
    steps = {}
    for name in PEERS if importlib.util.find_spec("multivae") else ():
        draws[name], steps[name] = peer(name, train, test, seconds["ours"], seed)
        seconds[name] = seconds["ours"]
    labels = test.speech_labels
    real = RealItems(classifier, test.x[:2000], test.image_labels[:2000], train.x[:5000])
    rows = {name: draw("speech", n) for name, draw in draws.items()}
    rows |= {  # controls that need no generator; the halves of the real items are compared
        "retrieval": (retrieved[:, 0], labels),
        "pixel mean": (retrieved.mean(dim=1), labels),
        "real": (real.items[real.halves[0]], real.labels[real.halves[0]]),
    }
    measured = {name: real.measure(*row) for name, row in rows.items()}
    table = pd.DataFrame(measured).T.rename_axis("row")
    table.insert(
        1,
        "from word",
        pd.Series({k: classifier.coherence(*d("text", 40)) for k, d in draws.items()}),
    )
    table["CPU s"], table["steps"] = pd.Series(seconds), pd.Series(steps)
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--full", action="store_true", help="MNIST and FSDD")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--samples", type=int, default=4, help="images for each recording")
    parser.add_argument("--json", type=Path, help="file for all numbers")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    tables = []
    for seed in range(options.seeds):
        tables.append(run(options.full, seed, options.samples))
        print(f"seed {seed}\n{tables[-1].round(3).to_string()}", flush=True)
    mean = pd.concat(tables).groupby(level=0, sort=False).mean()
    if options.seeds > 1:
        print(f"mean of {options.seeds} seeds\n{mean.round(3).to_string()}")
    if options.json:
        options.json.write_text(json.dumps([json.loads(t.to_json()) for t in tables]))
    peers = [name for name in PEERS if name in mean.index]
    if not peers:
        print("multivae is not installed: no peers")
        return 0
    return int(mean.loc[peers, "coherence"].max() > mean.loc["ours", "coherence"])


if __name__ == "__main__":
    sys.exit(main())
