"""Bounds against plain loops, exact expectations over small tables, and Gaussian pairs."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from simmim_lite import bounds, entropy, ground_truth

CRITIC_BOUNDS = {
    "donsker_varadhan": bounds.donsker_varadhan,
    "mine": lambda scores: bounds.mine(scores, bounds.moving_log_mean(scores, None)),
    "nwj": bounds.nwj,
    "info_nce": bounds.info_nce,
    "interpolated": lambda scores: bounds.interpolated(scores, 0.3),
    "smile": bounds.smile,
    "jensen_shannon": bounds.jensen_shannon,
}
UPPER_BOUNDS = {"club": bounds.club, "leave_one_out": bounds.leave_one_out}
ALL = CRITIC_BOUNDS | UPPER_BOUNDS


def random_scores(K, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(K, K, generator=generator, dtype=torch.float64)


def by_loops(name, s):
    """The same quantities from their definitions, one number at a time."""
    s, K = s.numpy(), len(s)
    positives = [s[i, i] for i in range(K)]
    negatives = [s[i, j] for i in range(K) for j in range(K) if i != j]
    log_sigmoid = lambda v: -np.logaddexp(0, -v)  # noqa: E731
    match name:
        case "donsker_varadhan" | "mine":
            return np.mean(positives) - math.log(np.mean(np.exp(negatives)))
        case "nwj":
            return np.mean(positives) - np.mean(np.exp(negatives)) / math.e
        case "info_nce":
            return np.mean([s[i, i] - math.log(np.mean(np.exp(s[i]))) for i in range(K)])
        case "smile":
            clipped = np.clip(negatives, -5, 5)
            return np.mean(positives) - math.log(np.mean(np.exp(clipped)))
        case "jensen_shannon":
            first = np.mean([log_sigmoid(v) for v in positives])
            return first + np.mean([log_sigmoid(-v) for v in negatives]) + math.log(4)
        case "club":
            return np.mean(positives) - np.mean(negatives)
        case "leave_one_out":
            others = [[math.exp(s[i, j]) for i in range(K) if i != j] for j in range(K)]
            return np.mean([s[j, j] - math.log(np.mean(others[j])) for j in range(K)])
        case "interpolated":
            mix = lambda row: 0.3 * np.mean(np.exp(row)) + 0.7  # noqa: E731
            joint = [
                s[i, i] - math.log(mix(np.delete(s[i], j)))
                for i in range(K)
                for j in range(K)
                if i != j
            ]
            negatives = [np.delete(s[i], i) for i in range(K)]
            return 1 + np.mean(joint) - np.mean([np.mean(np.exp(r)) / mix(r) for r in negatives])
    raise AssertionError(name)


@pytest.mark.parametrize("name", ALL)
@given(K=st.integers(3, 9), seed=st.integers(0, 10**6), scale=st.floats(0.01, 8))
@settings(max_examples=40, deadline=None)
def test_equal_to_plain_loops(name, K, seed, scale):
    scores = random_scores(K, seed, scale)
    assert ALL[name](scores).item() == pytest.approx(by_loops(name, scores), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", [name for name in ALL if name != "mine"])
def test_gradients(name):
    scores = random_scores(5, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(ALL[name], scores)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_huge_scores_give_finite_values_and_gradients(name, dtype, size):
    scores = random_scores(6).to(dtype)
    scores[0, 1] = scores[2, 2] = scores[4, 3] = size
    scores.requires_grad_()
    value = ALL[name](scores)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(scores.grad).all()
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


@pytest.mark.parametrize("name", ALL)
def test_half_precision_is_computed_in_single(name):
    scores = random_scores(64, scale=3).bfloat16()
    assert ALL[name](scores).item() == pytest.approx(ALL[name](scores.double()).item(), rel=1e-5)


def exact_expectation(bound, table, critic, K):
    """Mean of a bound over every possible sample of K pairs from a table of probabilities."""
    cells = list(np.ndindex(table.shape))
    total = 0.0
    for pairs in itertools.product(cells, repeat=K):
        x, y = np.array(pairs).T
        total += np.prod(table[x, y]) * bound(torch.tensor(critic[np.ix_(x, y)])).item()
    return total


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["nwj", "info_nce", "interpolated"])
def test_lower_bounds_hold_in_expectation_for_any_critic_at_any_K(name, seed):
    generator = np.random.default_rng(seed)
    table = generator.dirichlet(np.full(4, 0.3)).reshape(2, 2)
    truth = entropy.mutual_information(table)
    ideal = np.log(table / np.outer(table.sum(1), table.sum(0)))
    for critic in (ideal, ideal + 1, generator.normal(size=(2, 2)), 3 * ideal):
        assert exact_expectation(CRITIC_BOUNDS[name], table, critic, 4) <= truth + 1e-12


def test_donsker_varadhan_exceeds_the_truth_at_finite_K():
    table = np.array([[0.45, 0.05], [0.05, 0.45]])
    ideal = np.log(table / 0.25)
    truth = entropy.mutual_information(table)
    assert exact_expectation(bounds.donsker_varadhan, table, ideal, 3) > truth + 0.01


@pytest.mark.parametrize("alpha", [0.0, 0.01, 0.5, 1.0])
def test_interpolated_is_a_lower_bound_with_any_alpha(alpha):
    table = np.array([[0.5, 0.02], [0.08, 0.4]])
    ideal = np.log(table / np.outer(table.sum(1), table.sum(0)))
    for critic in (ideal - 1, ideal, ideal + 2):
        value = exact_expectation(lambda s: bounds.interpolated(s, alpha), table, critic, 4)
        assert value <= entropy.mutual_information(table) + 1e-12


def test_interpolated_joins_nwj_and_info_nce():
    scores = random_scores(7)
    assert bounds.interpolated(scores, 0.0).item() == pytest.approx(bounds.nwj(scores + 1).item())
    without_one = [
        bounds.info_nce(torch.cat([scores[i, i].view(1, 1), row[None]], dim=1)).item()
        for i in range(7)
        for j in range(7)
        if i != j
        for row in [scores[i, [k for k in range(7) if k not in (i, j)]]]
    ]
    assert bounds.interpolated(scores, 1.0).item() == pytest.approx(np.mean(without_one))


def gaussian_log_ratio(pair, x, y):
    """log p(y | x) and log p(x, y) / p(x) p(y) for all K^2 combinations, dimension 1."""
    rho = math.sqrt(1 - math.exp(-2 * pair.mutual_information))
    x, y = torch.from_numpy(x), torch.from_numpy(y).T
    conditional = -0.5 * ((y - rho * x) ** 2 / (1 - rho**2) + math.log(2 * math.pi * (1 - rho**2)))
    return conditional, conditional + 0.5 * (y**2 + math.log(2 * math.pi))


def test_gaussian_pairs_with_the_ideal_critic():
    pair = ground_truth.CorrelatedGaussian(nats=1.0)
    values = {name: [] for name in ["barber_agakov", "nwj", "info_nce", "smile", *UPPER_BOUNDS]}
    for seed in range(60):
        conditional, ratio = gaussian_log_ratio(pair, *pair.sample(256, seed=seed))
        entropy_of_y = 0.5 * math.log(2 * math.pi * math.e)
        values["barber_agakov"].append(
            bounds.barber_agakov(conditional.diagonal(), entropy_of_y).item()
        )
        values["nwj"].append(bounds.nwj(ratio + 1).item())
        values["info_nce"].append(bounds.info_nce(ratio).item())
        values["smile"].append(bounds.smile(ratio, math.inf).item())
        for name, upper in UPPER_BOUNDS.items():
            values[name].append(upper(conditional).item())
    mean = {name: np.mean(v) for name, v in values.items()}
    error = {name: np.std(v) / math.sqrt(len(v)) for name, v in values.items()}
    for name in ("barber_agakov", "nwj", "smile"):  # tight with the ideal critic
        assert abs(mean[name] - 1) < 4 * error[name] + 0.01, name
    assert 0.95 < mean["info_nce"] < 1 + 4 * error["info_nce"]
    assert mean["leave_one_out"] > 1 - 4 * error["leave_one_out"]
    rho_squared = 1 - math.exp(-2)
    exact = rho_squared / (1 - rho_squared)  # E_joint - E_product of -(y - rho x)^2 / 2 (1 - rho^2)
    assert abs(mean["club"] - exact) < 4 * error["club"]


@pytest.mark.parametrize("K", [2, 16, 200])
def test_info_nce_stops_at_log_K(K):
    perfect = 1e4 * torch.eye(K)
    assert bounds.info_nce(perfect).item() == pytest.approx(math.log(K))


def test_info_nce_with_extra_candidates():
    scores = random_scores(8)
    wide = torch.cat([scores, random_scores(8, seed=1)], dim=1)
    expected = math.log(16) - torch.nn.functional.cross_entropy(wide, torch.arange(8))
    assert bounds.info_nce(wide).item() == pytest.approx(expected.item())


def test_jensen_shannon_is_at_most_log_four_and_zero_without_information():
    assert bounds.jensen_shannon(torch.zeros(5, 5)).item() == pytest.approx(0, abs=1e-6)
    separated = 200 * torch.eye(5) - 100
    assert bounds.jensen_shannon(separated).item() == pytest.approx(math.log(4))


def test_smile_clips_only_the_second_term():
    scores = random_scores(6, scale=10)
    assert bounds.smile(scores, math.inf).item() == bounds.donsker_varadhan(scores).item()
    shifted = bounds.smile(scores + 100, 1.0) - bounds.smile(scores + 50, 1.0)
    assert shifted.item() == pytest.approx(50)


def test_mine_divides_by_the_moving_average():
    scores = random_scores(6).requires_grad_()
    plain = torch.autograd.grad(bounds.donsker_varadhan(scores), scores)[0]
    log_mean = bounds.moving_log_mean(scores, None)
    same = torch.autograd.grad(bounds.mine(scores, log_mean), scores)[0]
    halved = torch.autograd.grad(bounds.mine(scores, log_mean + math.log(2)), scores)[0]
    negatives = ~torch.eye(6, dtype=torch.bool)
    torch.testing.assert_close(same, plain)
    torch.testing.assert_close(halved[negatives], plain[negatives] / 2)
    torch.testing.assert_close(halved.diagonal(), plain.diagonal())


def test_moving_log_mean_is_the_logarithm_of_a_moving_average():
    first, second = random_scores(5), random_scores(5, seed=1)
    negatives = ~torch.eye(5, dtype=torch.bool)
    average = 0.9 * first[negatives].exp().mean() + 0.1 * second[negatives].exp().mean()
    log_mean = bounds.moving_log_mean(second, bounds.moving_log_mean(first, None), momentum=0.9)
    assert log_mean.item() == pytest.approx(math.log(average))
    assert bounds.moving_log_mean(second, log_mean, momentum=1.0) is log_mean


@pytest.mark.parametrize(("K", "classes"), [(2, 10), (5, 3), (64, 10)])
def test_class_paired_ceiling_is_info_nce_of_the_ideal_critic(K, classes):
    labels = torch.randint(classes, (4000, K), generator=torch.Generator().manual_seed(0))
    same = (labels[:, :1] == labels).double()
    simulated = math.log(K) - torch.log(same.sum(dim=1))
    error = simulated.std().item() / math.sqrt(len(simulated))
    exact = bounds.class_paired_ceiling(K, np.full(classes, 1 / classes))
    assert abs(simulated.mean().item() - exact) < 4 * error + 1e-12


def test_class_paired_ceiling_limits():
    assert bounds.class_paired_ceiling(1, [0.5, 0.5]) == pytest.approx(0)
    assert bounds.class_paired_ceiling(8, [1.0]) == pytest.approx(0)
    skewed = [0.7, 0.2, 0.1]
    values = [bounds.class_paired_ceiling(K, skewed) for K in (2, 8, 64, 1024, 20_000)]
    assert values == sorted(values)
    assert values[-1] < entropy.entropy(skewed) < values[-1] + 1e-3
    assert bounds.class_paired_ceiling(256, np.full(10, 0.1)) == pytest.approx(2.2849, abs=5e-5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: bounds.nwj(torch.zeros(3, 4)), ValueError, r"scores: .*\(K, K\).*\(3, 4\)"),
        (lambda: bounds.nwj(torch.zeros(1, 1)), ValueError, r"scores: .*K >= 2.*\(1, 1\)"),
        (lambda: bounds.info_nce(torch.zeros(4, 3)), ValueError, r"scores: .*K >= N.*\(4, 3\)"),
        (lambda: bounds.info_nce(torch.zeros(3, 3).long()), TypeError, "scores: .*int64"),
        (lambda: bounds.smile(torch.zeros(3, 3), -1), ValueError, "clip: .*-1"),
        (lambda: bounds.interpolated(torch.zeros(3, 3), 1.5), ValueError, "alpha: .*1.5"),
        (lambda: bounds.interpolated(torch.zeros(2, 2), 0.5), ValueError, "scores: .*K >= 3"),
        (
            lambda: bounds.barber_agakov(torch.zeros(2, 2), 1.0),
            ValueError,
            "log_likelihood: .*2, 2",
        ),
        (lambda: bounds.barber_agakov(torch.zeros(2), math.nan), ValueError, "entropy: .*nan"),
        (lambda: bounds.class_paired_ceiling(0, [1.0]), ValueError, "K: .*0"),
        (lambda: bounds.class_paired_ceiling(4, [0.5, 0.6]), ValueError, "class_prob.*sum 1.1"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
