"""Random numbers of a seed and a purpose; the global state stays as it was."""

import numpy as np
import pytest
import torch

from simmim_lite._random import random_generator, seed_for, seeded


def test_purposes_do_not_share_random_numbers():
    draws = [
        np.random.default_rng(0).random(1000),
        random_generator(0, "ties").random(1000),
        random_generator(0, "ground truth").random(1000),
        random_generator(1, "ties").random(1000),
    ]
    correlations = np.corrcoef(draws) - np.eye(4)
    assert np.abs(correlations).max() < 0.15  # 4.7 deviations of chance


def test_a_seed_for_each_purpose():
    assert seed_for(0, "ties") == seed_for(0, "ties")
    assert len({seed_for(0, "ties"), seed_for(0, "order"), seed_for(1, "ties")}) == 3
    with pytest.raises(ValueError, match=r"seed: .* got -1"):
        seed_for(-1, "ties")


def test_seeded_draws_follow_from_the_seed_and_leave_the_global_state():
    before = torch.random.get_rng_state()
    draws = []
    for seed in (0, 0, 1):
        with seeded(seed):
            draws.append(torch.rand(3).tolist())
    assert draws[0] == draws[1] != draws[2]
    assert torch.equal(torch.random.get_rng_state(), before)
