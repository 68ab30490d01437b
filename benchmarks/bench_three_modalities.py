"""Images, speech and captions: what the system reaches on test data, beside truth and publication.

    python benchmarks/bench_three_modalities.py              embedded digits and voices
    python benchmarks/bench_three_modalities.py --full       MNIST and FSDD (SIMMIM_DATA)
    python benchmarks/bench_three_modalities.py --full --speakers
                                                  FSDD, each of its six speakers held out in turn

One thread. Rows are seeds, or speakers, with the CPU seconds of training. Images are paired with
recordings within the digit, and each with the caption computed from it, so the truths are counted:
I(image; speech) is the entropy of the test set's digits, I(image; text) that of its captions.

- image, speech: linear probes of the encoders, fitted on at most 20,000 training items;
- i -> s, s -> i: precision@1 of the digit, from images to recordings and back;
- k-means: ten clusters of both modalities' test embeddings, found without labels, each modality of
  the same weight; share of images and of recordings that are then called right (Hungarian);
- R@1: of an image's caption among all that occur;
- nats: what the critic shows of the whole test population, exactly (InfoNCE, K to infinity).

Nothing was chosen by these test splits; settings come from a part of the training data.
"""

import argparse
import sys
import time

import numpy as np
import torch
from sklearn.cluster import KMeans

from simmim_lite.datasets import load_captions, load_digits, load_speech
from simmim_lite.encoders import AudioEncoder, ImageEncoder, TextEncoder, Tokenizer
from simmim_lite.evaluation import cluster_accuracy, linear_probe, precision_at_k, recall_at_k
from simmim_lite.multimodal import MultimodalInfoMax, Pairing

COLUMNS = ("image", "speech", "i -> s", "s -> i", "k-means i", "k-means s", "R@1")
NATS = ("I(i;s)", "I(i;t)")
PUBLISHED = {"k-means i": 95.6, "k-means s": 100.0}  # README of decoupled-multimodal-learning


def pairing(images: tuple, speech: tuple, texts: list[str]) -> Pairing:
    (pixels, digits), (waveforms, words) = images, speech
    items = {"image": pixels, "speech": waveforms, "text": texts}
    return Pairing(items, {"image": digits, "speech": words})


def splits(full: bool, speaker: str | None) -> tuple[tuple, tuple]:
    """(images, speech, texts) of the training and of the test half."""
    halves = []
    for split in ("train", "test"):
        digits = load_digits(split, full=full)
        recordings = load_speech("all" if speaker else split, full=full)
        chosen = np.arange(len(recordings))
        if speaker:
            chosen = np.flatnonzero((recordings.speakers == speaker) == (split == "test"))
        speech = [recordings.waveforms[i] for i in chosen], recordings.labels[chosen]
        texts = load_captions(split, full=full).texts
        halves.append(((digits.images, digits.labels), speech, texts))
    return halves[0], halves[1]


def train(half: tuple, steps: int, width: int, seed: int) -> MultimodalInfoMax:
    encoders = {
        "image": ImageEncoder(width=width, seed=seed),
        "speech": AudioEncoder(seed=seed),
        "text": TextEncoder(Tokenizer.from_texts(half[2]), seed=seed),
    }
    model = MultimodalInfoMax(encoders, seed=seed)
    model.fit(pairing(*half), steps=steps, seed=seed, progress=False)
    return model


def score(model: MultimodalInfoMax, trained: tuple, test: tuple) -> tuple[list[float], list[float]]:
    """Percentages, nats."""
    chosen = np.random.default_rng(0).permutation(len(trained[0][0]))[:20_000]
    known = {"image": (trained[0][0][chosen], trained[0][1][chosen]), "speech": trained[1]}
    asked = {"image": test[0], "speech": test[1]}
    features = {name: model.encode({name: items})[name] for name, (items, _) in known.items()}
    encoded = model.encode({name: items for name, (items, _) in asked.items()})
    pairs = pairing(*test)
    unit = model.project(pairs.items)
    (_, digits), (_, words) = asked.values()
    scores = model.scores(unit, "image", "speech")

    both = torch.cat([unit["image"], unit["speech"]]).numpy()
    sizes = [len(digits), len(words)]
    weights = np.repeat(len(both) / 2 / np.array(sizes), sizes)
    clusters = KMeans(10, n_init=10, random_state=0).fit(both, sample_weight=weights).labels_
    captions = pairs.population("image", "text")
    own = captions.joint.argmax(axis=1)
    to_text = model.scores({**unit, "text": unit["text"][captions.second]}, "image", "text")
    found = [
        *(
            linear_probe(features[name], known[name][1], encoded[name], asked[name][1])
            for name in ("image", "speech")
        ),
        precision_at_k(scores, digits, words).value,
        precision_at_k(scores.T, words, digits).value,
        cluster_accuracy(digits, clusters[: len(digits)]),
        cluster_accuracy(words, clusters[len(digits) :]),
        recall_at_k(to_text, own, np.arange(len(captions.second))).value,
    ]
    nats = model.exact_information(pairs)
    return [100 * value for value in found], [nats["image", "speech"], nats["image", "text"]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="MNIST and FSDD")
    parser.add_argument("--speakers", action="store_true", help="each speaker held out in turn")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, help="of training")
    options = parser.parse_args()
    torch.set_num_threads(1)
    steps = options.steps or (3600 if options.full else 500)
    width = 24 if options.full else 16
    runs = [(f"seed {seed}", None, seed) for seed in options.seeds]
    if options.speakers:
        speakers = np.unique(load_speech("all", full=options.full).speakers)
        runs = [(name, name, seed) for name in speakers for seed in options.seeds[:1]]

    print("".join([f"{'':12}", *(f"{name:>11}" for name in (*COLUMNS, *NATS, "CPU s"))]))
    cells = "".join(f"{PUBLISHED[c]:11.1f}" if c in PUBLISHED else f"{'':11}" for c in COLUMNS)
    print(f"{'published':12}{cells}")
    rows = []
    for name, speaker, seed in runs:
        trained, test = splits(options.full, speaker)
        truth = pairing(*test).mutual_information
        truths = [truth["image", "speech"], truth["image", "text"]]
        if not rows:
            show("truth", [100.0] * len(COLUMNS), truths, "")
        start = time.process_time()
        model = train(trained, steps, width, seed)
        seconds = time.process_time() - start
        percent, nats = score(model, trained, test)
        show(name, percent, nats, f"{seconds:11.0f}")
        rows.append([*percent, *nats])
    for label, value in (("mean", np.mean(rows, axis=0)), ("worst", np.min(rows, axis=0))):
        show(label, value[: len(COLUMNS)], value[len(COLUMNS) :], "")
    return 0


def show(name: str, percent: list[float], nats: list[float], seconds: str) -> None:
    cells = "".join(f"{value:11.2f}" for value in percent)
    print(f"{name:12}{cells}{''.join(f'{value:11.3f}' for value in nats)}{seconds}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
