"""How much damage to a query a system stands."""

import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.integrate import trapezoid
from scipy.ndimage import gaussian_filter

from simmim_lite._arguments import as_array, check_choice, check_integer, check_number
from simmim_lite._random import random_generator
from simmim_lite.datasets import add_noise, babble

LEVELS = {  # of each damage: its modality and, beginning with none, how much
    "Gaussian noise": ("image", (0.0, 0.1, 0.25, 0.5)),  # standard deviation, of a range of 1
    "salt and pepper": ("image", (0.0, 0.05, 0.1, 0.2)),  # share of the pixels
    "occlusion": ("image", (0.0, 0.1, 0.2, 0.4)),  # share of the pixels, in one square
    "blur": ("image", (0.0, 1.0, 2.0, 3.0)),  # standard deviation in pixels
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


def occlude(images: Any, share: float, *, seed: int = 0) -> np.ndarray:
    """Brightnesses (N, ..., height, width), in each a square somewhere else set to 0.

    Args:
        share: of the pixels that the square covers, up to rounding of its side; it lies within the
            image, and is cut off where the image is not as high or wide.
    """
    images = as_array("images", images).copy()
    height, width = images.shape[-2:]
    share = check_number("share", share, minimum=0.0, maximum=1.0)
    side = round(np.sqrt(share * height * width))
    generator = random_generator(seed, "occlusion")
    for image in images:
        top, left = (generator.integers(max(n - side, 0) + 1) for n in (height, width))
        image[..., top : top + side, left : left + side] = 0
    return images


def blur(images: Any, deviation: float, *, seed: int = 0) -> np.ndarray:
    """Brightnesses (N, ..., height, width) smoothed by a Gaussian; dark beyond the edge.

    Args:
        deviation: of the Gaussian, in pixels.
        seed: changes nothing: there is no chance in it. All kinds of damage take one.
    """
    images = as_array("images", images)
    deviation = check_number("deviation", deviation, minimum=0.0)
    return gaussian_filter(images, deviation, mode="constant", axes=(-2, -1))


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
    kinds: Sequence[str] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """What a measure becomes as queries are damaged: a row a level, a column a kind of damage.

    Args:
        measure: ``measure(queries, modality)``.
        queries: "image", floating point in 0..1 (N, ...); "speech", waveforms; "text",
            sentences; some of them.
        voices: recordings that babble is made of.
        kinds: of damage, some of `LEVELS`; None is all of the modalities that there are.

    Returns:
        Levels 0 (none) to 3, see `LEVELS`.
    """
    for kind in kinds or ():
        check_choice("kinds", kind, LEVELS)
    damage = {
        "Gaussian noise": gaussian_noise,
        "salt and pepper": salt_and_pepper,
        "occlusion": occlude,
        "blur": blur,
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
            if modality in queries and (kinds is None or name in kinds)
        }
    ).rename_axis("level")


def robustness_area(table: pd.DataFrame, *, chance: float = 0.0) -> pd.DataFrame:
    """One number a curve: the area under it, with the levels at equal distances.

    Args:
        table: of `robustness_table`.
        chance: what the measure is where nothing is known.

    Returns:
        A row each kind of damage: clean, worst (at the last level) and area, the mean height of the
        curve above chance over that of no damage: 1 if damage does nothing, 0 if all is lost at
        once. It depends on the levels: compare areas of the same ones only.
    """
    chance = check_number("chance", chance, minimum=-np.inf)
    if len(table) < 2:
        raise ValueError(f"table: expected two levels or more, got {len(table)}")
    clean = table.iloc[0]
    height = pd.Series(trapezoid(table, axis=0), table.columns) / (len(table) - 1)
    area = (height - chance) / (clean - chance)
    return pd.DataFrame({"clean": clean, "worst": table.iloc[-1], "area": area})


def _in_babble(
    waves: Sequence[np.ndarray], snr_db: float, voices: Sequence[np.ndarray], seed: int
) -> list[np.ndarray]:
    if snr_db == np.inf:
        return list(waves)
    return add_noise(waves, babble([len(wave) for wave in waves], voices, seed=seed), snr_db)
