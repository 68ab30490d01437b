"""The registry of bounds, and exact expectations over small populations."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from simmim_lite import bounds, entropy, evaluation, multimodal
from simmim_lite.bounds import BOUNDS, Bound, bound_table, exact_bound
from simmim_lite.critics import SeparableCritic
from simmim_lite.datasets import Pairing


def random_population(seed, n=7, m=5):
    rng = np.random.default_rng(seed)
    joint = rng.dirichlet(np.full(n * m, 0.3)).reshape(n, m)
    return torch.from_numpy(rng.normal(0, 3, (n, m))), joint


def log_ratio(joint):
    product = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    return torch.from_numpy(np.log(joint / product))


# --- the registry --------------------------------------------------------------------------


def test_a_bound_is_registered_in_one_place(monkeypatch):
    def twice(scores, *, joint=None, scale=2.0):
        return scale * bounds.donsker_varadhan(scores, joint=joint)

    with pytest.raises(ValueError, match=r"objective: expected one of info_nce.*'toy'"):
        multimodal.InformationObjective([("a", "b")], "toy")
    toy = Bound("toy", twice, best_critic="any", ceiling=lambda K: 2.0 * K, expectation=twice)
    monkeypatch.setitem(BOUNDS, "toy", toy)
    outputs = {"a": torch.eye(4), "b": torch.eye(4)}
    objective = multimodal.InformationObjective([("a", "b")], "toy", temperature=0.5)
    assert objective.critic("a-b").offset is None
    expected = twice(2 * torch.eye(4)).item()
    assert objective(outputs)["loss"].item() == pytest.approx(-expected)
    scores, joint = random_population(0)
    exact = exact_bound(scores, joint, "donsker_varadhan")
    assert exact_bound(scores, joint, "toy", scale=3.0) == pytest.approx(3 * exact)
    assert bound_table(K=5).loc["toy"].tolist() == [False, 10.0, False, "any"]
    critic = SeparableCritic(20, 20)
    table = evaluation.staircase(critic, "toy", {"toy": twice}, levels=[1], steps=1)
    assert table.columns.tolist() == ["level", "toy"]


@pytest.mark.parametrize("name", BOUNDS)
def test_the_ceiling_is_reached_with_perfect_scores_and_never_exceeded(name):
    bound, K = BOUNDS[name], 6
    value = bound.function(100.0 * (2 * torch.eye(K, dtype=torch.float64) - 1)).item()
    assert bound.name == name
    if bound.ceiling is None:
        assert value > 50
        assert bound_table(K).loc[name, "ceiling"] == math.inf
    else:
        assert value == pytest.approx(bound.ceiling(K))
        generator = torch.Generator().manual_seed(0)
        for scale in (1, 10, 100):
            scores = scale * torch.randn(50, K, K, generator=generator, dtype=torch.float64)
            assert max(bound.function(matrix) for matrix in scores) <= bound.ceiling(K) + 1e-9


@pytest.mark.parametrize("name", BOUNDS)
def test_an_offset_is_needed_where_the_objective_has_a_gradient_for_it(name):
    scores = torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    offset = torch.zeros((), dtype=torch.float64, requires_grad=True)
    objective = BOUNDS[name].objective or BOUNDS[name].function
    (slope,) = torch.autograd.grad(objective(scores + offset), offset)
    assert (abs(slope.item()) > 1e-9) == BOUNDS[name].needs_offset


def mean_over_all_samples(bound, table, critic, K):
    """Mean of a bound over every possible sample of K pairs from a table of probabilities."""
    total = 0.0
    for pairs in itertools.product(list(np.ndindex(table.shape)), repeat=K):
        x, y = np.array(pairs).T
        total += np.prod(table[x, y]) * bound(torch.tensor(critic[np.ix_(x, y)])).item()
    return total


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", BOUNDS)
def test_lower_bounds_hold_in_expectation_for_any_critic(name, seed):
    rng = np.random.default_rng(seed)
    table = rng.dirichlet(np.full(4, 0.3)).reshape(2, 2)
    truth = entropy.mutual_information(table)
    ideal = log_ratio(table).numpy()
    largest = max(
        mean_over_all_samples(BOUNDS[name].function, table, critic, 4)
        for critic in (ideal, ideal + 1, rng.normal(size=(2, 2)), 3 * ideal)
    )
    if BOUNDS[name].is_lower_bound:
        assert largest <= truth + 1e-12
    else:
        assert largest > truth


# --- exact expectations --------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), K=st.sampled_from([1, 2, 7, 100]))
@settings(max_examples=40)
def test_no_bound_exceeds_the_information(seed, K):
    scores, joint = random_population(seed)
    truth = entropy.mutual_information(joint)
    ratio = log_ratio(joint)
    for bound in ("info_nce", "donsker_varadhan", "nwj", "jensen_shannon"):
        assert exact_bound(scores, joint, bound) <= truth + 1e-9
    at_K = exact_bound(scores, joint, K=K)
    assert at_K <= min(truth, math.log(K)) + 1e-7
    assert at_K <= exact_bound(ratio, joint, K=K) + 1e-7
    # and the best critic reaches it, whatever a bound leaves open
    assert exact_bound(ratio, joint, "donsker_varadhan") == pytest.approx(truth)
    assert exact_bound(ratio + 1, joint, "nwj") == pytest.approx(truth)
    shift = torch.from_numpy(np.random.default_rng(seed).normal(size=(len(joint), 1)))
    assert exact_bound(ratio + shift, joint) == pytest.approx(truth)


@pytest.mark.parametrize("size", [1, 1e3, 1e9])
@pytest.mark.parametrize("K", [1, 2, 3])
def test_info_nce_of_few_candidates_by_enumeration(K, size):
    scores, joint = random_population(3, n=4, m=3)
    scores = scores * size
    p_y, f, wanted = joint.sum(axis=0), scores.numpy(), 0.0
    for x, y in np.ndindex(joint.shape):
        for negatives in np.ndindex((3,) * (K - 1)):
            p = joint[x, y] * p_y[list(negatives)].prod()
            candidates = [f[x, y], *(f[x, j] for j in negatives)]
            wanted += p * (f[x, y] - np.logaddexp.reduce(candidates) + math.log(K))
    assert exact_bound(scores, joint, K=K) == pytest.approx(wanted, abs=1e-9 + 1e-13 * size)


@pytest.mark.parametrize("K", [2, 64, 1000])
def test_the_ideal_critic_reaches_the_ceiling_of_class_pairs(K):
    first, second = np.arange(400) % 4, np.arange(200) % 4
    pairs = Pairing({"a": np.eye(4)[first], "b": second[:, None]}, {"a": first, "b": second})
    joint = pairs.population("a", "b").joint
    scores = torch.from_numpy(np.where(first[:, None] == second, 0.0, -60.0))
    ceiling = bounds.class_paired_ceiling(K, [1 / 4] * 4)
    assert exact_bound(scores, joint, K=K) == pytest.approx(ceiling, abs=1e-8)
    assert exact_bound(scores, joint) == pytest.approx(math.log(4))


def test_exact_values_are_the_means_of_the_sampled_ones():
    scores, joint = random_population(5)
    rng, K, draws = np.random.default_rng(0), 6, 20_000
    cells = rng.choice(joint.size, (draws, K), p=joint.ravel())
    x, y = np.unravel_index(cells, joint.shape)
    batches = scores[torch.from_numpy(x)[:, :, None], torch.from_numpy(y)[:, None, :]]
    for name, options in (("info_nce", {"K": K}), ("nwj", {}), ("jensen_shannon", {})):
        values = torch.stack([BOUNDS[name].function(batch) for batch in batches[:4000]])
        error = values.std().item() / math.sqrt(len(values))
        assert abs(exact_bound(scores, joint, name, **options) - values.mean()) < 4.5 * error


@pytest.mark.parametrize("clip", [1e9, math.inf])
def test_smile_without_clipping_is_donsker_varadhan_and_clipped_overshoots(clip):
    scores, joint = random_population(1)
    exact = exact_bound(scores, joint, "donsker_varadhan")
    assert exact_bound(scores, joint, "mine") == exact
    assert exact_bound(scores, joint, "smile", clip=clip) == pytest.approx(exact)
    ratio = log_ratio(joint)
    assert exact_bound(3 * ratio, joint, "smile", clip=0.1) > 2 * entropy.mutual_information(joint)


@pytest.mark.parametrize(
    ("joint", "options", "message"),
    [
        (np.full((2, 3), 1 / 6), {}, "scores, joint"),
        (np.eye(2), {}, "joint: .*sum"),
        (np.eye(2) / 2, {"bound": "club"}, "bound: "),
        (np.eye(2) / 2, {"bound": "interpolated"}, "bound: "),
        (np.eye(2) / 2, {"bound": "nwj", "K": 3}, "K: "),
        (np.eye(2) / 2, {"bound": "smile", "clip": -1.0}, "clip: "),
        (np.eye(2) / 2, {"K": 0}, "K: "),
    ],
)
def test_bad_arguments(joint, options, message):
    with pytest.raises(ValueError, match=message):
        exact_bound(torch.zeros(2, 2), joint, **options)


@pytest.mark.parametrize("name", ["nwj", "donsker_varadhan", "smile", "jensen_shannon"])
def test_a_population_that_does_not_fit_is_refused(name):
    scores = torch.zeros(4, 6)
    for joint, message in [
        (torch.full((1, 6), 1 / 6), r"scores, joint: .* got \(4, 6\) and \(1, 6\)"),
        (torch.full((4, 6), 1 / 8), "joint: expected probabilities with sum 1, got sum 3"),
    ]:
        with pytest.raises(ValueError, match=message):
            bounds.BOUNDS[name].function(scores, joint=joint)


@pytest.mark.parametrize("name", ["nwj", "donsker_varadhan", "smile", "jensen_shannon"])
def test_a_population_may_be_an_array_or_a_tensor_of_any_dtype(name):
    scores, joint = random_population(2)
    expected = exact_bound(scores, joint, name)
    for table in (joint, torch.tensor(joint), torch.tensor(joint).float()):
        found = bounds.BOUNDS[name].function(scores.float(), joint=table)
        assert found.item() == pytest.approx(expected, abs=1e-5)
