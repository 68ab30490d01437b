"""Make tweets.npz.xz: 4,200 short texts, each rated by about 20 people, from VADER's archive.

python data/make_tweets.py           writes the file beside this script
python data/make_tweets.py --check   regenerates it and compares byte for byte
"""

import io
import json
import re
import tarfile
from collections import Counter
from html import unescape
from pathlib import Path

import numpy as np
from _wheels import choose_test, fetch_source, main, pack

REQUIREMENT = "vaderSentiment==2.5"  # later ones, and the wheel, lack the ratings
SHA256 = "b960c954831f5ca58afee61780cc04ed48e551b91e783bfcbfb2c18bb8081a84"
INNER = "vaderSentiment-2.5/additional_resources/hutto_ICWSM_2014.tar.gz"
TEST_SHARE = 0.2
ALIKE = 0.6  # words in both texts over words in either
MASKS = {"anonymous", "http", "url", "removed", "rt"}  # of names and addresses


def words_of(text: str) -> set[str]:
    """The words of a text in lower case, or the text if there are none."""
    return set(re.findall(r"[a-z0-9]+", text.lower())) - MASKS or {text}


def group(texts: list[str]) -> list[int]:
    """Number of the group of each text: chains of texts that share most of their words.

    The authors added variants of some texts, with other capitals, signs or intensifiers.
    """
    words = [words_of(text) for text in texts]
    of_word: dict[str, list[int]] = {}
    of_letters: dict[str, int] = {}
    numbers = list(range(len(texts)))
    for row, own in enumerate(words):
        shared = Counter(other for word in own for other in of_word.get(word, ()))
        alike = [
            other
            for other, count in shared.items()
            if count >= ALIKE * (len(own) + len(words[other]) - count)
        ]
        letters = re.sub(r"[^a-z0-9]+", "", texts[row].lower()) or texts[row]
        alike.append(of_letters.setdefault(letters, row))
        for old in {numbers[other] for other in alike}:
            numbers = [numbers[row] if number == old else number for number in numbers]
        for word in own:
            of_word.setdefault(word, []).append(row)
    return numbers


def make(folder: Path) -> dict[str, np.ndarray]:
    """Texts, all ratings one after the other, and which rows are the test set."""
    with tarfile.open(fetch_source(REQUIREMENT, SHA256, folder)) as outer:
        content = outer.extractfile(INNER).read()
    rows = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for name in ("tweets_GroundTruth", "tweets_anonDataRatings"):
            text = tar.extractfile(f"hutto_ICWSM_2014/{name}.txt").read().decode()
            rows[name] = [line.split("\t") for line in text.replace("\r", "").split("\n") if line]
    texts = [unescape(row[2]).strip() for row in rows["tweets_GroundTruth"]]
    rated = {row[0]: json.loads(row[3]) for row in rows["tweets_anonDataRatings"]}
    ratings = [rated[row[0]] for row in rows["tweets_GroundTruth"]]
    numbers = group(texts)
    places = {number: place for place, number in enumerate(dict.fromkeys(numbers))}
    groups = [places[number] for number in numbers]
    signs = [str(np.sign(round(2 * np.mean(r)))) for r in ratings]
    return {
        "texts": pack(texts),
        "ratings": np.concatenate(ratings).astype(np.int8),
        "counts": np.array([len(r) for r in ratings], dtype=np.uint8),
        "groups": np.array(groups, dtype=np.uint16),
        "test": choose_test([str(number) for number in groups], signs, TEST_SHARE),
    }


if __name__ == "__main__":
    main("tweets.npz.xz", make, "rated short texts from VADER's pinned source archive")
