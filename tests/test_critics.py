"""`critics.py`: every score against one computed pair by pair, and values after training."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from simmim_lite import bounds
from simmim_lite.critics import ConcatCritic, GaussianBase, SeparableCritic
from simmim_lite.ground_truth import CorrelatedGaussian

X, Y = (torch.tensor(each).float() for each in CorrelatedGaussian(3, nats=1.5).sample(400))
Y = Y[:, :2]
LEARNED = [SeparableCritic, ConcatCritic]
EVERY = [*LEARNED, lambda *_: GaussianBase(X, Y)]


@pytest.mark.parametrize("make", EVERY)
def test_score_of_a_pair_does_not_depend_on_the_batch(make):
    critic = make(3, 2)
    scores = critic(X[:5], Y[:7])
    assert scores.shape == (5, 7)
    alone = torch.tensor([[critic(x[None], y[None]).item() for y in Y[:7]] for x in X[:5]])
    assert scores.detach() == pytest.approx(alone, abs=1e-4)
    assert scores.std() > 0


@pytest.mark.parametrize("make", [SeparableCritic, ConcatCritic])
def test_weights_depend_on_the_seed_alone(make):
    torch.manual_seed(0)
    state = torch.get_rng_state()
    one = make(3, 2, seed=5)(X[:4], Y[:4])
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert torch.equal(make(3, 2, seed=5)(X[:4], Y[:4]), one)
    assert not torch.equal(make(3, 2, seed=6)(X[:4], Y[:4]), one)


def test_concatenated_critic_is_a_network_of_the_joined_pair():
    critic = ConcatCritic(3, 2)
    joined = torch.cat([X[:6], Y[:6]], dim=1)
    expected = critic.network(joined)[:, 0]
    assert torch.allclose(critic(X[:6], Y[:6]).diagonal(), expected, atol=1e-6)


def test_gaussian_base_is_the_log_ratio_of_normal_densities():
    x, y = X.double() * 3 + 1, Y.double() @ torch.tensor([[1.0, 0.5], [0, 2]]).double()
    joined = torch.cat([x, y], dim=1).numpy()
    mean, covariance = joined.mean(0), np.cov(joined.T, bias=True)

    def log_density(points, columns):
        part = covariance[columns][:, columns]
        return multivariate_normal(mean[columns], part).logpdf(points[:, columns])

    every, of_x, of_y = [0, 1, 2, 3, 4], [0, 1, 2], [3, 4]
    expected = log_density(joined, every) - log_density(joined, of_x) - log_density(joined, of_y)
    critic = GaussianBase(x, y)
    assert critic(x, y).diagonal().numpy() == pytest.approx(expected, abs=1e-8)
    assert list(critic.parameters()) == []


def test_gaussian_base_keeps_the_digits_of_arrays():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 2))
    y = x + rng.standard_normal((500, 2))
    near, far = ((x + offset, y + offset) for offset in (0, 1e6))
    scores = [GaussianBase(*pair)(*map(torch.tensor, pair)) for pair in (near, far)]
    assert scores[1].dtype == torch.float64
    torch.testing.assert_close(scores[1], scores[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("make", LEARNED)
def test_training_finds_dependence(make):
    # 1.5 nats, below the ceiling log 64 of InfoNCE with 64 candidates. A critic with equal scores
    # for all pairs stays at 0, and so does a critic that ignores x or y.
    truth = CorrelatedGaussian(3, nats=1.5)
    x, y = (torch.tensor(each).float() for each in truth.sample(6400))
    critic = make(3, 3)
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
        (lambda: ConcatCritic(2, 1.5), TypeError, "^dim_y: .* got 1.5"),
        (lambda: ConcatCritic(3, 2, seed=-1), ValueError, "^seed: .* got -1"),
        (lambda: ConcatCritic(3, 2)(X[:, :2], Y), ValueError, r"^x: .*\(N, 3\), got \(400, 2\)"),
        (lambda: GaussianBase(X, Y)(X, Y[0]), ValueError, r"^y: .*\(N, 2\), got \(2,\)"),
        (lambda: GaussianBase(X[:5], Y[:5]), ValueError, "^x and y: .* larger than dim_x"),
        (lambda: GaussianBase(X, Y[:-1]), ValueError, "^x and y: .* same number"),
        (lambda: GaussianBase(X, 0 * Y), ValueError, "^y: expected independent columns"),
        (lambda: GaussianBase(X, X[:, :1]), ValueError, "^x, y: .* linear function"),
    ],
)
def test_bad_input_names_the_argument_and_what_came(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_critic_without_hidden_units_is_refused():
    for critic in (SeparableCritic, ConcatCritic):
        with pytest.raises(ValueError, match=r"hidden: .* got 0"):
            critic(2, 2, hidden=0)
