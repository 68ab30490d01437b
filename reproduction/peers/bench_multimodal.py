"""Images and speech in one space: `MultimodalInfoMax` beside losses of other packages and CCA.

    python -m reproduction.peers.bench_multimodal  embedded digits and voices, 150 steps
    python -m reproduction.peers.bench_multimodal --full  MNIST and FSDD (SIMMIM_DATA), 600 steps
    python -m reproduction.peers.bench_multimodal --steps 300 --seeds 3

One thread. All methods except CCA train the same encoders (`ImageEncoder`, `AudioEncoder`) from the
same initial weights on the training split. A positive pair is any image and any recording of the
same digit, so the true value is known: I(image; speech) = ln 10 = 2.303 nats. The rows, with the
CPU seconds of training:

- ours: `MultimodalInfoMax.fit`: new pairs and augmented items in each step, cosine schedule,
  learned temperature;
- open_clip: its ClipLoss and a learned logit scale in the loop of a tutorial: fixed pairs, as in a
  Dataset, no augmentation, Adam at 1e-3; for the CPU seconds of our method;
- open_clip, our data: the same loss with our pairs, augmentation and schedule, for the same number
  of steps; the difference to the row above shows their effect;
- lightly, our data: its NTXentLoss (temperature 0.1), otherwise the same;
- CCA: scikit-learn, 9 components, on the 50 leading principal components of pixels and of log-mel
  spectrograms.

Scores on the test split: linear probes of the encoders, precision@1 of the class in both
directions, and the InfoNCE bound of cosine / temperature on the whole test population, exactly. For
all methods, the temperature is the best one for training pairs, because some methods do not learn a
temperature. Peers that are not installed are left out (``pip install -e ".[bench]"`` installs
them). The exit code is 1 if the bound of a peer is above ours by more than 0.005 plus twice the
standard error of the difference over seeds.
"""

import argparse
import importlib.util
import math
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.cross_decomposition import CCA
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn.functional import normalize

from simmim_lite.datasets import load_digits, load_speech
from simmim_lite.encoders import AudioEncoder, ImageEncoder
from simmim_lite.multimodal import MultimodalInfoMax, Pairing, exact_bound
from simmim_lite.training import Batches, fit

BATCH = 256
NAMES = ("image", "speech")
TEMPERATURES = np.geomspace(0.01, 1, 25)
Vectors = dict[str, Tensor]


def pairs_of(split: str, full: bool) -> tuple[Pairing, dict[str, np.ndarray]]:
    digits, speech = load_digits(split, full=full), load_speech(split, full=full)
    labels = {"image": digits.labels, "speech": speech.labels}
    return Pairing({"image": digits.images, "speech": speech.waveforms}, labels), labels


def new_model(seed: int) -> MultimodalInfoMax:
    encoders = {"image": ImageEncoder(seed=seed), "speech": AudioEncoder(seed=seed)}
    return MultimodalInfoMax(encoders, seed=seed)


def train_ours(pairs: Pairing, steps: int, seed: int) -> MultimodalInfoMax:
    model = new_model(seed)
    model.fit(pairs, steps=steps, batch_size=BATCH, seed=seed, progress=False)
    return model


class PeerLoss(nn.Module):
    """Loss of a peer for two batches of unit vectors, with a logit scale if it is learned."""

    def __init__(self, kind: str):
        super().__init__()
        if kind == "open_clip":
            from open_clip.loss import ClipLoss

            self.loss = ClipLoss()
            self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        else:
            from lightly.loss import NTXentLoss

            self.loss = NTXentLoss(temperature=0.1)
            self.logit_scale = None

    def forward(self, outputs: Vectors, batch: object = None) -> Tensor:
        vectors = [outputs[name] for name in NAMES]
        if self.logit_scale is None:
            return self.loss(*vectors)
        return self.loss(*vectors, self.logit_scale.exp())


def train_peer_on_our_data(kind: str, pairs: Pairing, steps: int, seed: int) -> MultimodalInfoMax:
    """Train with the loss of a peer, and our encoders, pairs, augmentation and schedule."""
    model = new_model(seed)
    prepared = {name: model.encoders[name].prepare(pairs.items[name]) for name in NAMES}

    def draw(chosen: Tensor, generator: torch.Generator) -> Vectors:
        return {
            name: model.encoders[name].augment(prepared[name][index], generator)
            for name, index in pairs.indices(chosen, generator).items()
        }

    fit(
        model,
        PeerLoss(kind),
        Batches(torch.arange(len(pairs)), BATCH, seed=seed, transform=draw),
        steps=steps,
        learning_rate=4e-3,
        weight_decay=1e-4,
        warmup=steps // 20,
        seed=seed,
        progress=False,
    )
    return model


def train_plain_loop(pairs: Pairing, seconds: float, seed: int) -> MultimodalInfoMax:
    """Train as a tutorial does, for some seconds: TensorDataset of pairs, DataLoader, Adam."""
    model, loss = new_model(seed), PeerLoss("open_clip")
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    indices = pairs.indices(torch.arange(len(pairs)), generator)
    prepared = {name: model.encoders[name].prepare(pairs.items[name]) for name in NAMES}
    data = torch.utils.data.TensorDataset(*(prepared[name][indices[name]] for name in NAMES))
    loader = torch.utils.data.DataLoader(data, BATCH, shuffle=True, drop_last=True)
    optimizer = torch.optim.Adam([*model.parameters(), *loss.parameters()], lr=1e-3)
    stop = time.process_time() + seconds
    model.train()
    while time.process_time() < stop:
        for images, speech in loader:
            optimizer.zero_grad()
            loss(model({"image": images, "speech": speech})).backward()
            optimizer.step()
            if time.process_time() > stop:
                break
    return model.eval()


def train_cca(pairs: Pairing, seed: int) -> Callable[[dict], tuple[Vectors, Vectors]]:
    encoder = AudioEncoder()

    def flat(items: dict) -> dict[str, np.ndarray]:
        images = np.asarray(items["image"], np.float32).reshape(len(items["image"]), -1)
        return {"image": images, "speech": encoder.prepare(items["speech"]).flatten(1).numpy()}

    rows = flat(pairs.items)
    reduce = {name: PCA(50, random_state=seed).fit(rows[name]) for name in NAMES}
    indices = pairs.indices(torch.arange(len(pairs)), torch.Generator().manual_seed(seed))
    drawn = {name: reduce[name].transform(rows[name])[indices[name]] for name in NAMES}
    cca = CCA(9, max_iter=2000).fit(drawn["image"], drawn["speech"])

    def embed(items: dict) -> tuple[Vectors, Vectors]:
        reduced = {name: reduce[name].transform(values) for name, values in flat(items).items()}
        dummy = np.zeros((len(reduced["speech"]), 50))
        images = cca.transform(reduced["image"])
        speech = cca.transform(dummy, reduced["speech"])[1]
        found = {
            "image": torch.from_numpy(images).float(),
            "speech": torch.from_numpy(speech).float(),
        }
        return found, {name: normalize(values, dim=1) for name, values in found.items()}

    return embed


def embed_with(model: MultimodalInfoMax) -> Callable[[dict], tuple[Vectors, Vectors]]:
    return lambda items: (model.encode(items), model.project(items))


def best_temperature(unit: Vectors, pairs: Pairing) -> float:
    """Return the temperature with the highest bound on a part of the training pairs."""
    population = pairs.population("image", "speech")
    chosen = np.random.default_rng(0).permutation(len(population.first))[:2000]
    joint = population.joint[chosen] / population.joint[chosen].sum()
    cosines = unit["image"][chosen] @ unit["speech"].T
    nats = [exact_bound(cosines / t, joint) for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmax(nats))])


def probe(train: Tensor, labels: np.ndarray, test: Tensor, truth: np.ndarray) -> float:
    """Accuracy of a linear classifier in percent, with at most 20,000 training rows."""
    chosen = np.random.default_rng(0).permutation(len(train))[:20_000]
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=100, tol=1e-3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 100 steps of L-BFGS are enough for a tenth of a percent
        linear.fit(train[chosen].numpy(), labels[chosen])
    return 100 * linear.score(test.numpy(), truth)


def score(embed: Callable, train: tuple, test: tuple) -> list[float]:
    (train_pairs, train_labels), (pairs, labels) = train, test
    encoded, unit = embed(train_pairs.items)
    temperature = best_temperature(unit, train_pairs)
    probes = {}
    test_encoded, test_unit = embed(pairs.items)
    for name in NAMES:
        probes[name] = probe(encoded[name], train_labels[name], test_encoded[name], labels[name])
    cosines = test_unit["image"] @ test_unit["speech"].T
    found = labels["speech"][cosines.argmax(dim=1)] == labels["image"]
    back = labels["image"][cosines.argmax(dim=0)] == labels["speech"]
    nats = exact_bound(cosines / temperature, pairs.population("image", "speech").joint)
    return [probes["image"], probes["speech"], 100 * found.mean(), 100 * back.mean(), nats]


def methods(pairs: Pairing, steps: int) -> dict[str, Callable]:
    """Methods by name of the row: ``method(seed, seconds of ours)`` returns a function of items."""
    found = {"ours": lambda seed, _: embed_with(train_ours(pairs, steps, seed))}
    for kind in ("open_clip", "lightly"):
        if importlib.util.find_spec(kind):
            found[f"{kind}, our data"] = lambda seed, _, kind=kind: embed_with(
                train_peer_on_our_data(kind, pairs, steps, seed)
            )
    if importlib.util.find_spec("open_clip"):
        found["open_clip"] = lambda seed, seconds: embed_with(
            train_plain_loop(pairs, seconds, seed)
        )
    found["CCA"] = lambda seed, _: train_cca(pairs, seed)
    return found


def ahead(peer: np.ndarray, ours: np.ndarray) -> bool:
    """Whether a peer has more nats, seed by seed, than chance and rounding explain."""
    gap = peer - ours
    error = gap.std(ddof=1) / math.sqrt(len(gap)) if len(gap) > 1 else 0.0
    return gap.mean() > 0.005 + 2 * error


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="MNIST and FSDD")
    parser.add_argument("--steps", type=int, help="of training")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    steps = options.steps or (600 if options.full else 150)
    torch.set_num_threads(1)
    train, test = (pairs_of(split, options.full) for split in ("train", "test"))
    truth = test[0].mutual_information["image", "speech"]
    print(f"{steps} steps; mean over {options.seeds} seeds")
    columns = ("image", "speech", "i -> s", "s -> i", "nats", "CPU s")
    print("".join([f"{'':22}", *(f"{name:>8}" for name in columns)]))
    print(f"{'true value':22}{100:8.1f}{100:8.1f}{100:8.1f}{100:8.1f}{truth:8.3f}")
    shown, seconds = {}, np.zeros(options.seeds)
    for name, method in methods(train[0], steps).items():
        rows = []
        for seed in range(options.seeds):
            start = time.process_time()
            embed = method(seed, seconds[seed])
            took = time.process_time() - start
            rows.append([*score(embed, train, test), took])
        table = np.array(rows)
        if name == "ours":
            seconds = table[:, 5]
        shown[name] = table[:, 4]
        line = "".join(
            f"{value:8.3f}" if column == "nats" else f"{value:8.1f}"
            for column, value in zip(columns, table.mean(axis=0), strict=True)
        )
        print(f"{name:22}{line}", flush=True)
    return int(any(ahead(nats, shown["ours"]) for nats in shown.values()))


if __name__ == "__main__":
    sys.exit(main())
