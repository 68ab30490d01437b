"""How much damage to a query a system stands."""

import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from simmim_lite._arguments import as_array, check_integer, check_number, random_generator
from simmim_lite.datasets import add_noise, babble

LEVELS = {  # of each damage: its modality and, beginning with none, how much
    "Gaussian noise": ("image", (0.0, 0.1, 0.25, 0.5)),  # standard deviation, of a range of 1
    "salt and pepper": ("image", (0.0, 0.05, 0.1, 0.2)),  # share of the pixels
    "babble": ("speech", (np.inf, 20.0, 10.0, 0.0)),  # dB of speech over other voices
    "typing errors": ("text", (0, 1, 2, 3)),  # letters
}


def gaussian_noise(images: Any, deviation: float, *, seed: int = 0) -> np.ndarray:
    """Brightnesses (N, ...) with independent noise in each pixel; not clipped."""
    images = as_array("images", images)
    check_number("deviation", deviation, minimum=0.0)
    noise = deviation * random_generator(seed, "noise").standard_normal(images.shape)
    return (images + noise).astype(images.dtype)


def salt_and_pepper(images: Any, share: float, *, seed: int = 0) -> np.ndarray:
    """Brightnesses (N, ...), a share of them replaced by 0 or 1, as often."""
    images = as_array("images", images)
    check_number("share", share, minimum=0.0, maximum=1.0)
    draws = random_generator(seed, "salt and pepper").random(images.shape)
    return np.where(draws < share, (draws < share / 2).astype(images.dtype), images)


def mistype(texts: Sequence[str], letters: int, *, seed: int = 0) -> list[str]:
    """So many letters of each sentence (all, if it has fewer) replaced by others."""
    letters = check_integer("letters", letters, minimum=0)
    generator = random_generator(seed, "typing errors")
    wrong = []
    for text in texts:
        there = list(text)
        places = [i for i, letter in enumerate(there) if letter.isalpha()]
        for place in generator.permutation(places)[:letters].astype(int):
            others = string.ascii_lowercase.replace(there[place].lower(), "")
            there[place] = others[generator.integers(len(others))]
        wrong.append("".join(there))
    return wrong


def robustness_table(
    measure: Callable[[Any, str], float],
    queries: Mapping[str, Any],
    *,
    voices: Sequence[np.ndarray] = (),
    seed: int = 0,
) -> pd.DataFrame:
    """What a measure becomes as queries are damaged: a row a level, a column a kind of damage.

    Args:
        measure: ``measure(queries, modality)``.
        queries: "image", floating point in 0..1 (N, ...); "speech", waveforms; "text",
            sentences; some of them.
        voices: recordings that babble is made of.

    Returns:
        Levels 0 (none) to 3, see `LEVELS`.
    """
    damage = {
        "Gaussian noise": gaussian_noise,
        "salt and pepper": salt_and_pepper,
        "babble": lambda waves, snr_db, seed: _in_babble(waves, snr_db, voices, seed),
        "typing errors": mistype,
    }
    return pd.DataFrame(
        {
            name: [
                measure(damage[name](queries[modality], level, seed=seed), modality)
                for level in levels
            ]
            for name, (modality, levels) in LEVELS.items()
            if modality in queries
        }
    ).rename_axis("level")


def _in_babble(
    waves: Sequence[np.ndarray], snr_db: float, voices: Sequence[np.ndarray], seed: int
) -> list[np.ndarray]:
    if snr_db == np.inf:
        return list(waves)
    return add_noise(waves, babble([len(wave) for wave in waves], voices, seed=seed), snr_db)
