"""`critics.py`: every score against one computed pair by pair, and values after training."""

import pytest
import torch

from simmim_lite import bounds
from simmim_lite.critics import SeparableCritic
from simmim_lite.ground_truth import CorrelatedGaussian

X, Y = (torch.tensor(each).float() for each in CorrelatedGaussian(3, nats=1.5).sample(400))
Y = Y[:, :2]


def test_score_of_a_pair_does_not_depend_on_the_batch():
    critic = SeparableCritic(3, 2)
    scores = critic(X[:5], Y[:7])
    assert scores.shape == (5, 7)
    alone = torch.tensor([[critic(x[None], y[None]).item() for y in Y[:7]] for x in X[:5]])
    assert scores.detach() == pytest.approx(alone, abs=1e-4)
    assert scores.std() > 0


def test_weights_depend_on_the_seed_alone():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    one = SeparableCritic(3, 2, seed=5)(X[:4], Y[:4])
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert torch.equal(SeparableCritic(3, 2, seed=5)(X[:4], Y[:4]), one)
    assert not torch.equal(SeparableCritic(3, 2, seed=6)(X[:4], Y[:4]), one)


def test_training_finds_dependence():
    # 1.5 nats, below the ceiling log 64 of InfoNCE with 64 candidates. A critic with equal scores
    # for all pairs stays at 0, and so does a critic that ignores x or y.
    truth = CorrelatedGaussian(3, nats=1.5)
    x, y = (torch.tensor(each).float() for each in truth.sample(6400))
    critic = SeparableCritic(3, 3)
    optimizer = torch.optim.Adam(critic.parameters(), lr=5e-3)
    for batch in torch.arange(6400).split(64):
        loss = -bounds.info_nce(critic(x[batch], y[batch]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, y = (torch.tensor(each).float() for each in truth.sample(640, seed=1))
    with torch.no_grad():
        values = [bounds.info_nce(critic(x[b], y[b])) for b in torch.arange(640).split(64)]
    assert torch.stack(values).mean() > 0.6


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: SeparableCritic(0, 2), ValueError, "^dim_x: .* got 0"),
        (lambda: SeparableCritic(2, 1.5), TypeError, "^dim_y: .* got 1.5"),
        (lambda: SeparableCritic(3, 2, seed=-1), ValueError, "^seed: .* got -1"),
        (lambda: SeparableCritic(3, 2)(X[:, :2], Y), ValueError, r"^x: .*\(N, 3\), got \(400, 2\)"),
        (lambda: SeparableCritic(3, 2)(X, Y[0]), ValueError, r"^y: .*\(N, 2\), got \(2,\)"),
    ],
)
def test_bad_input_names_the_argument_and_what_came(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_critic_without_hidden_units_is_refused():
    with pytest.raises(ValueError, match=r"hidden: .* got 0"):
        SeparableCritic(2, 2, hidden=0)
