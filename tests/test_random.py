"""Random numbers of a seed and a purpose; the global state stays as it was."""

import numpy as np

from simmim_lite._random import random_generator


def test_purposes_do_not_share_random_numbers():
    draws = [
        np.random.default_rng(0).random(1000),
        random_generator(0, "ties").random(1000),
        random_generator(0, "ground truth").random(1000),
        random_generator(1, "ties").random(1000),
    ]
    correlations = np.corrcoef(draws) - np.eye(4)
    assert np.abs(correlations).max() < 0.15  # 4.7 deviations of chance
