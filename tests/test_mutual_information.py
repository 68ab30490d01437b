"""Closed-form and nearest-neighbor estimators against brute force, scikit-learn, known truths."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.special import digamma
from scipy.stats import norm, rankdata
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from reproduction.experiments.mi_distributions import ClassAndFeature, DiscreteTable
from simmim_lite import mutual_information as mi
from simmim_lite.ground_truth import (
    AdditiveNoise,
    CorrelatedGaussian,
    GaussianMixture,
    Independent,
    MonotoneTransform,
    WithNoiseDimensions,
)
from simmim_lite.mutual_information import estimate

DISCRETE = ["plug_in", "miller_madow", "chao_shen", "jackknife", "shuffle_corrected"]
CONTINUOUS = ["gaussian", "rank_gaussian", "ksg"]
CROSSED = GaussianMixture(
    [0.5, 0.5], np.zeros((2, 2)), [[[1, 0.9], [0.9, 1]], [[1, -0.9], [-0.9, 1]]], 1
)
TABLE = DiscreteTable(np.array([[4, 1, 0], [1, 3, 2], [0, 2, 7]]) / 20)


def nats(truth, method, *, N, seeds, **options):
    """Estimates (seeds,) and their standard errors (seeds,), each from N samples."""
    estimates = [estimate(*truth.sample(N, seed), method, **options) for seed in range(seeds)]
    return np.array([(each.nats, each.standard_error) for each in estimates]).T


# --- estimate ------------------------------------------------------------------------------


def test_an_estimate_prints_with_its_error_and_method():
    assert str(mi.Estimate(0.5123, 0.0134, "ksg")) == "0.512 ± 0.013 nats (ksg)"
    bound = mi.Estimate(0.5, math.inf, "learned", is_lower_bound=True)
    assert str(bound) == "at least 0.500 ± inf nats (learned)"


@pytest.mark.parametrize("method", mi.ESTIMATORS)
def test_estimate_calls_the_function_of_that_name(method):
    truth = {"ross": ClassAndFeature(3), "learned": CorrelatedGaussian(nats=1)}.get(method, TABLE)
    x, y = truth.sample(200)
    result = estimate(x, y, method)
    assert result == getattr(mi, method)(x, y)
    assert result.method == method
    assert type(result.nats) is type(result.standard_error) is float
    assert math.isfinite(result.nats)
    assert result.standard_error >= 0


def test_options_and_seed_reach_the_function():
    x, y = TABLE.sample(200)
    assert estimate(x, y, "ksg", n_neighbors=5, seed=3) == mi.ksg(x, y, n_neighbors=5, seed=3)
    assert estimate(x, y, "ksg", seed=3) != estimate(x, y, "ksg", seed=4)  # other ties
    assert estimate(x, y, "gaussian", seed=3) == mi.gaussian(x, y)  # draws nothing


def test_vectors_lists_and_tensors_are_one():
    x, y = CorrelatedGaussian(nats=1).sample(100)
    expected = mi.ksg(x, y)
    assert mi.ksg(x[:, 0].tolist(), y[:, 0]) == expected
    assert mi.ksg(torch.tensor(x, requires_grad=True), torch.tensor(y)) == expected


def test_importing_does_not_load_torch():
    code = "import sys, simmim_lite.mutual_information; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- symbols x symbols ---------------------------------------------------------------------


@pytest.mark.parametrize("method", DISCRETE)
def test_symbols_under_any_name_and_in_any_order(method):
    x, y = TABLE.sample(300)
    words = np.array(["zero", "one", "two"])
    named = estimate(words[x[:, 0]], y[:, 0], method)
    assert named.nats == pytest.approx(estimate(2 - x, y, method).nats, abs=0.01)
    if method != "shuffle_corrected":  # whose shuffles depend on the order
        assert named.nats == pytest.approx(estimate(x, y, method).nats, abs=1e-12)
        assert named.nats == pytest.approx(estimate(y, x, method).nats, abs=1e-12)


@pytest.mark.parametrize("method", DISCRETE)
def test_symbols_near_the_truth_with_ample_data(method):
    values, errors = nats(TABLE, method, N=5000, seeds=20)
    # The mean of 20 within 4 of its deviations, and 0.002 for the remaining bias.
    margin = 4 * errors.mean() / math.sqrt(20) + 0.002
    assert values.mean() == pytest.approx(TABLE.mutual_information, abs=margin)


def test_a_variable_with_itself_shows_only_the_sample_size():
    z = np.random.default_rng(0).standard_normal(500)
    result = mi.plug_in(z, z)
    assert result.nats == pytest.approx(math.log(500), abs=1e-12)
    assert result.standard_error == pytest.approx(0, abs=1e-6)


# --- symbols x numbers ---------------------------------------------------------------------


def test_ross_by_brute_force():
    truth = WithNoiseDimensions(ClassAndFeature(3), 1)
    x, y = truth.sample(120, 2)
    symbols, k = x[:, 0].astype(int), 4
    scaled = (y - y.mean(axis=0)) / y.std(axis=0)
    distances = np.abs(scaled[:, None] - scaled).max(axis=2)
    terms = []
    for i in range(120):
        others = np.arange(120) != i
        radius = np.sort(distances[i][others & (symbols == symbols[i])])[k - 1]
        m = (distances[i][others] <= radius).sum()
        terms.append(
            digamma(120) - digamma((symbols == symbols[i]).sum()) + digamma(k) - digamma(m)
        )
    result = mi.ross(symbols, y, n_neighbors=k, scale="standardize")
    assert result.nats == pytest.approx(np.mean(terms), abs=1e-12)


@pytest.mark.parametrize("neighbors", [3, 10])
def test_ross_agrees_with_scikit_learn(neighbors):
    x, y = ClassAndFeature(4).sample(1000, 1)
    theirs = mutual_info_classif(y, x[:, 0], n_neighbors=neighbors, random_state=0)[0]
    ours = mi.ross(x, y, n_neighbors=neighbors, scale="standardize").nats
    assert ours == pytest.approx(theirs, abs=1e-6)  # they add noise of 1e-10 to y


def test_ross_is_invariant_to_names_sides_and_increasing_maps():
    x, y = ClassAndFeature(4).sample(500)
    expected = mi.ross(x, y)
    assert mi.ross(x, y**3).nats == expected.nats
    assert mi.ross(y, x).nats == expected.nats
    words = np.array(["d", "a", "c", "b"])[x[:, 0]]
    assert mi.ross(words, y).nats == pytest.approx(expected.nats, abs=1e-12)
    assert mi.ross(x.astype(float), y, discrete="x") == expected
    assert mi.ross(y, x.astype(float), discrete="y") == expected


@pytest.mark.parametrize("K", [2, 5])
def test_ross_near_the_truth(K):
    truth = ClassAndFeature(K)
    values, _ = nats(truth, "ross", N=2000, seeds=20)
    # Measured: bias 0.003 at N = 1,000, deviation of the mean of 20 samples 0.003.
    assert values.mean() == pytest.approx(truth.mutual_information, abs=0.015)


# --- numbers x numbers: gaussian -----------------------------------------------------------


def test_gaussian_of_two_columns_is_its_formula():
    x, y = CorrelatedGaussian(nats=0.5).sample(80)
    r = np.corrcoef(x[:, 0], y[:, 0])[0, 1]
    # The correction for one column each is (psi((N - 2) / 2) - psi((N - 1) / 2)) / 2.
    bias = (digamma(79 / 2) - digamma(78 / 2)) / 2
    assert mi.gaussian(x, y).nats == pytest.approx(-math.log(1 - r**2) / 2 - bias, abs=1e-12)


@pytest.mark.parametrize("truth", [CorrelatedGaussian(2, nats=0.6), Independent(3, 1)])
def test_gaussian_is_unbiased_from_very_few_samples(truth):
    values, _ = nats(truth, "gaussian", N=9, seeds=3000)
    assert values.std() > 0.2  # so without the correction, of 0.2 to 0.4 nats, this would fail
    margin = 4 * values.std() / math.sqrt(3000)
    assert values.mean() == pytest.approx(truth.mutual_information, abs=margin)


def test_gaussian_sees_through_linear_maps():
    generator = np.random.default_rng(5)
    x, y = CorrelatedGaussian(3, nats=2).sample(200)
    mixed = x @ generator.standard_normal((3, 3)) * [1e-6, 1, 1e6] + 40
    expected = mi.gaussian(x, y)
    for result in (mi.gaussian(mixed, -2 * y), mi.gaussian(-2 * y, mixed)):
        assert result.nats == pytest.approx(expected.nats, abs=1e-9)
        assert result.standard_error == pytest.approx(expected.standard_error, abs=1e-9)


@pytest.mark.parametrize("method", ["gaussian", "rank_gaussian"])
def test_high_information_in_many_columns(method):
    truth = MonotoneTransform(CorrelatedGaussian(20, nats=10), "identity", "identity")
    values, errors = nats(truth, method, N=5000, seeds=5)
    # rank_gaussian: 0.02 to 0.03 too small at this N.
    margin = 4 * errors.mean() / math.sqrt(5) + 0.04
    assert values.mean() == pytest.approx(10, abs=margin)


def test_rank_gaussian_on_cubes_where_gaussian_fails():
    truth = MonotoneTransform(CorrelatedGaussian(2, nats=1.5), "cube", "exp")
    x, y = truth.sample(4000)
    assert mi.rank_gaussian(x, y).nats == pytest.approx(1.5, abs=0.1)
    assert mi.gaussian(x, y).nats < 1


# --- numbers x numbers: ksg ----------------------------------------------------------------


def ksg_by_brute_force(x, y, k):
    """Kraskov et al. (2004), eq. 8, point by point from all N^2 distances."""
    N = len(x)
    d_x = np.abs(x[:, None] - x).max(axis=2)
    d_y = np.abs(y[:, None] - y).max(axis=2)
    total = 0.0
    for i in range(N):
        others = np.arange(N) != i
        nearest = np.argsort(np.maximum(d_x[i], d_y[i])[others])[:k]
        to_x, to_y = d_x[i][others], d_y[i][others]
        radius = np.maximum(to_x, to_y)[nearest].max()
        total += digamma((to_x < radius).sum() + 1) + digamma((to_y < radius).sum() + 1)
    return digamma(k) + digamma(N) - total / N


@pytest.mark.parametrize("neighbors", [1, 3, 8])
@pytest.mark.parametrize(
    ("scale", "dim_x", "dim_y"),
    # No ranks in several columns: these would all hold the same values, so that a few distances are
    # equal up to rounding, and brute force may choose the other of two equal neighbors.
    [("standardize", 1, 1), ("standardize", 1, 3), ("standardize", 2, 2), ("rank", 1, 1)],
)
def test_ksg_by_brute_force(neighbors, scale, dim_x, dim_y):
    columns = np.random.default_rng(dim_y).standard_normal((90, 4)).cumsum(axis=1)
    x, y = columns[:, :dim_x], columns[:, -dim_y:]
    if scale == "rank":
        scaled = [norm.ppf(rankdata(part, axis=0) / 91) for part in (x, y)]
    else:
        scaled = [(part - part.mean(axis=0)) / part.std(axis=0) for part in (x, y)]
    result = mi.ksg(x, y, n_neighbors=neighbors, scale=scale)
    expected = ksg_by_brute_force(*scaled, neighbors)
    assert result.nats == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("truth", [CorrelatedGaussian(nats=1.2), AdditiveNoise(0.2), CROSSED])
def test_ksg_agrees_with_scikit_learn(truth):
    x, y = truth.sample(1000, 4)
    theirs = mutual_info_regression(x, y[:, 0], n_neighbors=3, random_state=0)[0]
    assert mi.ksg(x, y, scale="standardize").nats == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("method", ["ksg", "rank_gaussian"])
@pytest.mark.parametrize("maps", [("cube", "exp"), ("sinh", "normal_cdf"), ("asinh", "cube_root")])
def test_increasing_maps_change_nothing_at_all(method, maps):
    base = CorrelatedGaussian(2, nats=1)
    mapped = estimate(*MonotoneTransform(base, *maps).sample(400), method)
    assert mapped == estimate(*base.sample(400), method)


@given(st.integers(0, 10_000), st.integers(1, 2), st.integers(1, 3))
@settings(max_examples=25)
def test_estimates_are_symmetric_and_independent_of_the_order_of_samples(seed, dim_x, dim_y):
    generator = np.random.default_rng(seed)
    x, y = generator.standard_normal((60, dim_x)), generator.standard_normal((60, dim_y))
    y[:, 0] += x[:, 0]
    order = generator.permutation(60)
    for method in CONTINUOUS:
        value = estimate(x, y, method).nats
        assert estimate(y, x, method).nats == pytest.approx(value, abs=1e-9)
        assert estimate(x[order], y[order], method).nats == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(
    ("truth", "margin"),
    # Mean of 20 samples of 2,000; its deviation is 0.006. The rest of the margin is for the bias of
    # the method: the edges of a uniform distribution, and the narrow density at high information.
    [
        (Independent(), 0.025),
        (CorrelatedGaussian(nats=0.5), 0.025),
        (CorrelatedGaussian(nats=3), 0.04),
        (MonotoneTransform(CorrelatedGaussian(nats=1), "cube", "exp"), 0.03),
        (AdditiveNoise(0.25), 0.05),
        (CROSSED, 0.025),
    ],
)
def test_ksg_near_the_truth(truth, margin):
    values, _ = nats(truth, "ksg", N=2000, seeds=20)
    assert values.mean() == pytest.approx(truth.mutual_information, abs=margin)


def test_ksg_collapses_with_columns_that_carry_nothing():
    base = CorrelatedGaussian(nats=1)
    few, many = (mi.ksg(*WithNoiseDimensions(base, extra).sample(1000)).nats for extra in (0, 10))
    assert few == pytest.approx(1, abs=0.15)
    assert -0.1 < many < 0.25


@pytest.mark.parametrize("scale", ["rank", "standardize"])
def test_ties_are_broken_without_making_information(scale):
    # A trap: the data come from default_rng(0), so ties must not be broken by the same draws.
    draws = np.random.default_rng(0)
    x, y = draws.random(2000) < 0.5, draws.random(2000) < 0.5
    for method in ("ksg", "rank_gaussian") if scale == "rank" else ("ksg",):
        options = {"scale": scale} if method == "ksg" else {}
        result = estimate(x, y, method, **options)
        assert result == estimate(x, y, method, **options)
        assert abs(result.nats) < 0.1
    # With ties broken by the draws of the data, the estimate here was 0.63 instead of 0.09.
    truth = DiscreteTable([[0.3, 0.1], [0.2, 0.4]])
    value = estimate(*truth.sample(2000), "ksg", scale=scale).nats
    assert value == pytest.approx(truth.mutual_information, abs=0.08)


def test_constant_columns_share_nothing_by_ranks():
    x, y = np.ones(500), np.random.default_rng(1).standard_normal(500)
    assert abs(mi.ksg(x, y).nats) < 0.15
    assert mi.plug_in(x, y).nats == pytest.approx(0, abs=1e-12)


# --- all -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["ksg", "gaussian", "rank_gaussian", "shuffle_corrected"])
def test_estimates_of_independent_variables_scatter_around_zero(method):
    # With clipping at zero, no estimate would be negative, and their mean would be too large.
    truth = (
        DiscreteTable(np.full((4, 4), 1 / 16)) if method == "shuffle_corrected" else Independent()
    )
    values, errors = nats(truth, method, N=300, seeds=40)
    assert values.min() < 0 < values.max()
    assert abs(values.mean()) < 4 * errors.mean() / math.sqrt(40)


@pytest.mark.parametrize(
    ("truth", "method"),
    [
        (Independent(), "ksg"),
        (CorrelatedGaussian(nats=1), "ksg"),
        (AdditiveNoise(0.25), "ksg"),
        (CROSSED, "ksg"),
        (CorrelatedGaussian(2, nats=1), "ksg"),
        (CorrelatedGaussian(nats=0.2), "gaussian"),
        (CorrelatedGaussian(5, nats=2), "gaussian"),
        (Independent(5, 5), "gaussian"),
        (CROSSED, "gaussian"),
        (MonotoneTransform(CorrelatedGaussian(nats=1), "cube", "exp"), "rank_gaussian"),
        (ClassAndFeature(4), "ross"),
        (TABLE, "plug_in"),
        (TABLE, "chao_shen"),
        (DiscreteTable(np.full((30, 30), 1 / 900)), "chao_shen"),
        (DiscreteTable(np.full((5, 5), 1 / 25)), "jackknife"),
        (TABLE, "shuffle_corrected"),
    ],
)
def test_standard_errors_are_the_scatter_of_repeated_samples(truth, method):
    # Over 120 samples the scatter itself is known to 6.5 %; the bounds leave three times that
    # around what was measured, 0.9 to 1.6 (the large ratios at independence, where an estimate is
    # a sum of squares and the error's first order vanishes).
    values, errors = nats(truth, method, N=500, seeds=120)
    ratio = math.sqrt((errors**2).mean()) / values.std(ddof=1)
    assert 0.75 < ratio < 1.9


def test_standard_errors_fall_with_the_square_root_of_N():
    for method in CONTINUOUS:
        few, many = (
            estimate(*CorrelatedGaussian(nats=1).sample(N), method).standard_error
            for N in (1000, 16_000)
        )
        assert few / many == pytest.approx(4, rel=0.2)


NUMBERS = np.random.default_rng(0).standard_normal(20)
LABELS = np.arange(20) % 2


def replaced(row: int, value: float) -> np.ndarray:
    return np.where(np.arange(20) == row, value, NUMBERS)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        *[
            (arguments, {"method": method}, error, message)
            for method in CONTINUOUS
            for arguments, error, message in [
                ((replaced(3, np.nan), NUMBERS), ValueError, r"^x: .*\[nan\] in row 3 \(1 bad"),
                ((NUMBERS, replaced(7, np.inf)), ValueError, r"^y: .*\[inf\] in row 7 \(1 bad"),
                ((NUMBERS, NUMBERS[:-1]), ValueError, r"^x and y: .* x has 20, y has 19"),
                (([], []), ValueError, r"^x: .* at least 2 samples, got 0"),
                ((NUMBERS, NUMBERS.reshape(5, 2, 2)), ValueError, r"^y: .* got \(5, 2, 2\)"),
                ((["a"] * 20, NUMBERS), TypeError, r"^x: expected real numbers, got dtype <U1"),
                ((NUMBERS[:1], NUMBERS[:1]), ValueError, r"^x: .* 2 samples, got 1"),
            ]
        ],
        *[
            (arguments, {"method": method}, ValueError, message)
            for method in DISCRETE
            for arguments, message in [
                ((LABELS, LABELS[:-1]), r"^x and y: .* x has 20, y has 19"),
                (([], []), r"^x: .* at least 2 samples, got 0"),
                ((LABELS, replaced(7, np.nan)), r"^y: expected finite symbols.* in row 7"),
            ]
        ],
        ((NUMBERS, NUMBERS), {"method": "mine"}, ValueError, r"^method: .*'ksg'.* got 'mine'"),
        ((NUMBERS, NUMBERS), {"method": "ksg", "k": 3}, TypeError, r"^k: .*neighbors.* got 3"),
        ((NUMBERS, NUMBERS), {"method": "gaussian", "k": 3}, TypeError, r"^k: .*\(none\), got 3"),
        ((NUMBERS, NUMBERS), {"method": "ksg", "seed": "a"}, TypeError, r"^seed: .* got 'a'"),
        (
            (NUMBERS, NUMBERS),
            {"method": "ksg", "n_neighbors": 20},
            ValueError,
            r"^n_neighbors: expected fewer than the 20 samples, got 20",
        ),
        (
            (NUMBERS, NUMBERS),
            {"method": "ksg", "n_neighbors": 0},
            ValueError,
            r"^n_neighbors: .* got 0",
        ),
        (
            (NUMBERS, NUMBERS),
            {"method": "ksg", "n_neighbors": 3.0},
            TypeError,
            r"^n_neighbors: .* 3.0",
        ),
        ((NUMBERS, NUMBERS), {"method": "ksg", "scale": "log"}, ValueError, r"^scale: .*'log'"),
        (
            (NUMBERS.reshape(2, 10), NUMBERS.reshape(2, 10)),
            {"method": "gaussian"},
            ValueError,
            r"^x, y: expected more samples than columns \(10 \+ 10\), got 2 samples",
        ),
        ((NUMBERS, 2 * NUMBERS), {"method": "gaussian"}, ValueError, r"canonical correlation of 1"),
        (
            (np.stack([NUMBERS, NUMBERS], 1), LABELS),
            {"method": "gaussian"},
            ValueError,
            r"^x: expected linearly independent columns that vary, got column 1",
        ),
        ((LABELS, np.ones(20)), {"method": "gaussian"}, ValueError, r"^y: .* got column 0"),
        (
            (NUMBERS, NUMBERS),
            {"method": "ross"},
            ValueError,
            r'^discrete: expected "x" or "y".* in neither',
        ),
        ((LABELS, LABELS), {"method": "ross"}, ValueError, r"^discrete: .* got symbols in x and y"),
        ((LABELS, NUMBERS), {"method": "ross", "discrete": "z"}, ValueError, r"^discrete: .* 'z'"),
        ((LABELS, NUMBERS[:-1]), {"method": "ross"}, ValueError, r"x has 20, y has 19"),
        ((NUMBERS[:-1], LABELS), {"method": "ross"}, ValueError, r"x has 19, y has 20"),
        ((LABELS, replaced(2, np.nan)), {"method": "ross"}, ValueError, r"^y: .* in row 2"),
        (
            (LABELS, NUMBERS),
            {"method": "ross", "n_neighbors": 10},
            ValueError,
            r"^n_neighbors: .* got 10 with 10 different samples of the rarest symbol",
        ),
    ],
)
def test_bad_input_names_the_argument_and_what_came(arguments, options, error, message):
    with pytest.raises(error, match=message):
        estimate(*arguments, **options)
