"""Images, speech and captions: test scores of `MultimodalInfoMax` beside true and published values.

    python -m reproduction.peers.bench_three_modalities              embedded digits and voices
    python -m reproduction.peers.bench_three_modalities --full       MNIST and FSDD (SIMMIM_DATA)
    python -m reproduction.peers.bench_three_modalities --full --speakers [--voices]
                    FSDD, each of its six speakers held out in turn [training also uses the
                    embedded synthetic voices]

One thread. Rows are seeds or speakers; the last column is the CPU time of training. Images are
paired with recordings of the same digit, and each image with its own caption. The true information
is counted: I(image; speech) is the entropy of the digits of the test set, and I(image; text) is the
entropy of its captions.

- image, speech: accuracy of linear probes of the encoders, fitted on at most 20,000 training items;
- i -> s, s -> i: precision@1 of the digit, from images to recordings and back;
- k-means: clustering accuracy (Hungarian) of images and of recordings, for ten clusters of the test
  embeddings of both modalities, with the same total weight for each modality;
- R@1: recall@1 of an image's caption among all captions of the test set;
- I: InfoNCE bound of the critic on the whole test population, exactly (K to infinity).

Settings were chosen on a part of the training data, never on the official test splits. Synthetic
voices were added because of results on four of the six speakers, without george and nicolas.
"""

import argparse
import sys
import time

import numpy as np
import torch

from reproduction.experiments.multimodal import load, score, train
from simmim_lite.datasets import load_speech

COLUMNS = ("image", "speech", "i -> s", "s -> i", "k-means i", "k-means s", "R@1")
NATS = ("I(i;s)", "I(i;t)")
PUBLISHED = {"k-means i": 95.6, "k-means s": 100.0}  # README of decoupled-multimodal-learning


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="MNIST and FSDD")
    parser.add_argument("--speakers", action="store_true", help="each speaker held out in turn")
    parser.add_argument("--only", nargs="+", help="some of the speakers")
    parser.add_argument("--voices", action="store_true", help="also train with synthetic voices")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, help="of training")
    options = parser.parse_args()
    torch.set_num_threads(1)
    full = options.full
    runs = [(f"seed {seed}", None, seed) for seed in options.seeds]
    if options.speakers:
        speakers = options.only or np.unique(load_speech("all", full=full).speakers)
        runs = [(name, name, seed) for name in speakers for seed in options.seeds[:1]]

    print("".join([f"{'':12}", *(f"{name:>11}" for name in (*COLUMNS, *NATS, "CPU s"))]))
    cells = "".join(f"{PUBLISHED[c]:11.1f}" if c in PUBLISHED else f"{'':11}" for c in COLUMNS)
    print(f"{'published':12}{cells}")
    rows = []
    for name, speaker, seed in runs:
        data = {"full": full, "speaker": speaker, "voices": options.voices}
        trained, test = load("train", **data), load("test", **data)
        if not rows:
            truth = test.pairing().mutual_information
            nats = [truth["image", "speech"], truth["image", "text"]]
            show("truth", [1.0] * len(COLUMNS) + nats, "")
        start = time.process_time()
        model = train(trained, full=full, seed=seed, steps=options.steps)
        seconds = time.process_time() - start
        rows.append(list(score(model, trained, test).values()))
        show(name, rows[-1], f"{seconds:11.0f}")
    show("mean", np.mean(rows, axis=0), "")
    show("worst", np.min(rows, axis=0), "")
    return 0


def show(name: str, values: list[float] | np.ndarray, seconds: str) -> None:
    percent, nats = values[: len(COLUMNS)], values[len(COLUMNS) :]
    cells = "".join(f"{100 * value:11.2f}" for value in percent)
    print(f"{name:12}{cells}{''.join(f'{value:11.3f}' for value in nats)}{seconds}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
