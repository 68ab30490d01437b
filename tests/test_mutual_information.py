"""`mutual_information.py` against brute force, closed forms, scikit-learn and known truths."""

import math
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.special import digamma
from scipy.stats import logistic, norm, rankdata
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from simmim_lite import mutual_information as mi
from simmim_lite.ground_truth import (
    AdditiveNoise,
    ClassAndFeature,
    ClassAndNormal,
    CorrelatedGaussian,
    DiscreteTable,
    GaussianMixture,
    Independent,
    Joined,
    MixingTransform,
    MonotoneTransform,
    NoisyCurve,
    WithNoiseDimensions,
)
from simmim_lite.mutual_information import (
    _auto,
    _densities,
    _estimate,
    _neighbors,
    estimate,
)

DISCRETE = ["plug_in", "miller_madow", "chao_shen", "jackknife", "shuffle_corrected"]
CONTINUOUS = ["gaussian", "rank_gaussian", "ksg"]
CROSSED = GaussianMixture(
    [0.5, 0.5], np.zeros((2, 2)), [[[1, 0.9], [0.9, 1]], [[1, -0.9], [-0.9, 1]]], 1
)
CURVED = np.random.default_rng(0).standard_normal((600, 2))
TABLE = DiscreteTable(np.array([[4, 1, 0], [1, 3, 2], [0, 2, 7]]) / 20)


def nats(truth, method, *, N, seeds, **options):
    """Estimates (seeds,) and their standard errors (seeds,), each from N samples."""
    estimates = [estimate(*truth.sample(N, seed), method, **options) for seed in range(seeds)]
    return np.array([(each.nats, each.standard_error) for each in estimates]).T


# --- the door ------------------------------------------------------------------------------


def test_an_estimate_prints_with_its_error_and_method():
    assert str(mi.Estimate(0.5123, 0.0134, "ksg")) == "0.512 ± 0.013 nats (ksg)"
    bound = mi.Estimate(0.5, math.inf, "learned", is_lower_bound=True)
    assert str(bound) == "at least 0.500 ± inf nats (learned)"
    assert mi.Estimate(0.5, 0.1, "ksg").history == ()


@pytest.mark.parametrize("method", mi.ESTIMATORS)
def test_estimate_hands_over_to_the_function_of_that_name(method):
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
    # The mean of 20 within 4 of its deviations, and 0.002 for what bias is left.
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


def test_ross_does_not_mind_names_sides_and_increasing_maps():
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
    # With one column each the correction is (psi((N - 2) / 2) - psi((N - 1) / 2)) / 2.
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


def ksg_by_brute_force(x, y, k, variant):
    """Kraskov et al. (2004), eq. 8 and 9, point by point from all N^2 distances."""
    N = len(x)
    d_x = np.abs(x[:, None] - x).max(axis=2)
    d_y = np.abs(y[:, None] - y).max(axis=2)
    total = 0.0
    for i in range(N):
        others = np.arange(N) != i
        nearest = np.argsort(np.maximum(d_x[i], d_y[i])[others])[:k]
        to_x, to_y = d_x[i][others], d_y[i][others]
        if variant == 1:
            radius = np.maximum(to_x, to_y)[nearest].max()
            total += digamma((to_x < radius).sum() + 1) + digamma((to_y < radius).sum() + 1)
        else:
            n_x, n_y = (to_x <= to_x[nearest].max()).sum(), (to_y <= to_y[nearest].max()).sum()
            total += digamma(n_x) + digamma(n_y)
    return digamma(k) + digamma(N) - total / N - (1 / k if variant == 2 else 0)


@pytest.mark.parametrize("variant", [1, 2])
@pytest.mark.parametrize("neighbors", [1, 3, 8])
@pytest.mark.parametrize(
    ("scale", "dim_x", "dim_y"),
    # No ranks in several columns: all columns then hold the same values, a few distances are equal
    # but for rounding, and brute force may take another one of two equal neighbors.
    [("standardize", 1, 1), ("standardize", 1, 3), ("standardize", 2, 2), ("rank", 1, 1)],
)
def test_ksg_by_brute_force(variant, neighbors, scale, dim_x, dim_y):
    columns = np.random.default_rng(dim_y).standard_normal((90, 4)).cumsum(axis=1)
    x, y = columns[:, :dim_x], columns[:, -dim_y:]
    if scale == "rank":
        scaled = [norm.ppf(rankdata(part, axis=0) / 91) for part in (x, y)]
    else:
        scaled = [(part - part.mean(axis=0)) / part.std(axis=0) for part in (x, y)]
    result = mi.ksg(x, y, n_neighbors=neighbors, variant=variant, scale=scale)
    expected = ksg_by_brute_force(*scaled, neighbors, variant)
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
def test_estimates_are_symmetric_and_blind_to_the_order_of_samples(seed, dim_x, dim_y):
    generator = np.random.default_rng(seed)
    x, y = generator.standard_normal((60, dim_x)), generator.standard_normal((60, dim_y))
    y[:, 0] += x[:, 0]
    order = generator.permutation(60)
    for method in CONTINUOUS:
        value = estimate(x, y, method).nats
        assert estimate(y, x, method).nats == pytest.approx(value, abs=1e-9)
        assert estimate(x[order], y[order], method).nats == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("variant", [1, 2])
@pytest.mark.parametrize(
    ("truth", "margin"),
    # Mean of 20 samples of 2,000; its deviation is 0.006. What more there is, is the method's bias:
    # the edges of a uniform law, and the thin density of high information.
    [
        (Independent(), 0.025),
        (CorrelatedGaussian(nats=0.5), 0.025),
        (CorrelatedGaussian(nats=3), 0.04),
        (MonotoneTransform(CorrelatedGaussian(nats=1), "cube", "exp"), 0.03),
        (AdditiveNoise(0.25), 0.05),
        (CROSSED, 0.025),
    ],
)
def test_ksg_near_the_truth(truth, margin, variant):
    values, _ = nats(truth, "ksg", N=2000, seeds=20, variant=variant)
    assert values.mean() == pytest.approx(truth.mutual_information, abs=margin)


def test_ksg_collapses_with_columns_that_carry_nothing():
    base = CorrelatedGaussian(nats=1)
    few, many = (mi.ksg(*WithNoiseDimensions(base, extra).sample(1000)).nats for extra in (0, 10))
    assert few == pytest.approx(1, abs=0.15)
    assert -0.1 < many < 0.25


@pytest.mark.parametrize("scale", ["rank", "standardize"])
def test_ties_are_broken_without_making_information(scale):
    # The trap: data from default_rng(0), and ties broken by the very same numbers.
    draws = np.random.default_rng(0)
    x, y = draws.random(2000) < 0.5, draws.random(2000) < 0.5
    for method in ("ksg", "rank_gaussian") if scale == "rank" else ("ksg",):
        options = {"scale": scale} if method == "ksg" else {}
        result = estimate(x, y, method, **options)
        assert result == estimate(x, y, method, **options)
        assert abs(result.nats) < 0.1
    # Here too, broken by what made the data, they gave 0.63 for this truth of 0.09.
    truth = DiscreteTable([[0.3, 0.1], [0.2, 0.4]])
    value = estimate(*truth.sample(2000), "ksg", scale=scale).nats
    assert value == pytest.approx(truth.mutual_information, abs=0.08)


def test_constant_columns_share_nothing_by_ranks():
    x, y = np.ones(500), np.random.default_rng(1).standard_normal(500)
    assert abs(mi.ksg(x, y).nats) < 0.15
    assert mi.plug_in(x, y).nats == pytest.approx(0, abs=1e-12)


# --- all -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["ksg", "gaussian", "rank_gaussian", "shuffle_corrected"])
def test_estimates_of_nothing_scatter_around_zero(method):
    # Clipped at zero they would not be below it, and their mean would be too large.
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
        ((NUMBERS, NUMBERS), {"method": "ksg", "variant": 3}, ValueError, r"^variant: .* got 3"),
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
            r'^discrete: expected "x" or "y".*x of',
        ),
        ((LABELS, LABELS), {"method": "ross"}, ValueError, r"^discrete: .* got x of int64"),
        ((LABELS, NUMBERS), {"method": "ross", "discrete": "z"}, ValueError, r"^discrete: .* 'z'"),
        ((LABELS, NUMBERS[:-1]), {"method": "ross"}, ValueError, r"x has 20, y has 19"),
        ((NUMBERS[:-1], LABELS), {"method": "ross"}, ValueError, r"x has 19, y has 20"),
        ((LABELS, replaced(2, np.nan)), {"method": "ross"}, ValueError, r"^y: .* in row 2"),
        (
            (LABELS, NUMBERS),
            {"method": "ross", "n_neighbors": 10},
            ValueError,
            r"^n_neighbors: .* got 10 where rarest symbol has 10",
        ),
        (
            (LABELS, LABELS),
            {"method": "shuffle_corrected", "shuffles": 0},
            ValueError,
            r"^shuffles: .* >= 1, got 0",
        ),
    ],
)
def test_bad_input_names_the_argument_and_what_came(arguments, options, error, message):
    with pytest.raises(error, match=message):
        estimate(*arguments, **options)


# --- learned -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("truth", "tolerance"),
    [
        # At N = 2,000 the samples alone make 0.02 to 0.05 (one deviation).
        (CorrelatedGaussian(5, nats=4), 0.15),
        (NoisyCurve("sine", 0.2), 0.08),
        (MixingTransform(CorrelatedGaussian(2, nats=1), "swirl", "identity"), 0.12),
        (Joined(NoisyCurve("parabola", 0.2), Independent(3, 3)), 0.1),
        (ClassAndNormal(2 * np.eye(3)), 0.08),
        (MixingTransform(Independent(3, 2), "swirl", "bend"), 0.03),
    ],
    ids=lambda value: type(value).__name__,
)
def test_learned_finds_the_truth(truth, tolerance):
    x, y = truth.sample(2000)
    found = mi.learned(x, y, discrete="x" if x.dtype.kind == "i" else "neither")
    assert found.nats == pytest.approx(truth.mutual_information, abs=tolerance)
    assert abs(found.nats - truth.mutual_information) < 3 * found.standard_error + 0.01
    assert found.history[0] <= found.history[-1] + 1e-9


def test_learned_does_not_care_which_is_symbols():
    x, y = ClassAndNormal([[0.0], [2.0]]).sample(400)
    one, other = (
        mi.learned(x, y, discrete="x", seconds=0),
        mi.learned(y, x, discrete="y", seconds=0),
    )
    assert one.nats == pytest.approx(other.nats, abs=0.02)  # folds differ
    assert one.reason == other.reason == "2 symbols x 1 columns of numbers"


def test_learned_reduces_columns_and_says_so():
    x, y = CorrelatedGaussian(30, nats=3).sample(200)
    found = mi.learned(x, y, seconds=0)
    assert found.is_lower_bound
    assert "x reduced from 30 to 10 principal components" in found.reason
    assert math.isfinite(found.nats)
    assert not mi.learned(x[:, :5], y[:, :5], seconds=0).is_lower_bound


def test_learned_leaves_out_columns_that_carry_nothing_new():
    x, y = CorrelatedGaussian(2, nats=1).sample(500)
    found = mi.learned(np.hstack([x, x[:, :1], np.ones((500, 1))]), y, seconds=0)
    assert found.nats == pytest.approx(mi.learned(x, y, seconds=0).nats, abs=0.02)  # folds differ
    assert found.reason.startswith(
        "numbers x numbers; 1 constant columns of x left out; 1 copies of columns of x left out"
    )


def test_learned_keeps_to_its_time_and_its_seed():
    x, y = NoisyCurve("sine", 0.2).sample(500)
    assert len(mi.learned(x, y, seconds=0).history) == 1
    assert mi.learned(x, y, seconds=0, seed=1) == mi.learned(x, y, seconds=0, seed=1)
    assert mi.learned(x, y, seconds=0, seed=1) != mi.learned(x, y, seconds=0, seed=2)


def test_copies_of_a_pair_are_never_parted():
    rows = np.random.default_rng(0).standard_normal((100, 2))
    folds, distinct = _auto._folds(np.repeat(rows, 3, axis=0), np.random.default_rng(1))
    assert sorted(distinct // 3) == list(range(100))
    assert (folds.reshape(100, 3) == folds[::3, None]).all()
    assert np.bincount(folds).tolist() == [60] * 5


def test_copies_of_pairs_make_no_estimate_more_certain():
    x, y = CorrelatedGaussian(nats=0.5).sample(600)
    once = mi.learned(x, y, seconds=0)
    thrice = mi.learned(np.repeat(x, 3, axis=0), np.repeat(y, 3, axis=0), seconds=0)
    assert thrice.standard_error == pytest.approx(once.standard_error, rel=0.2)
    assert "infinite" not in thrice.reason  # a copy is no neighbor


def test_conditional_densities_see_only_the_columns_before():
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((300, 2)), generator.standard_normal((300, 3))
    inputs, first = _densities._inputs(x, y)
    changed, _ = _densities._inputs(x, np.hstack([y[:, :1], y[:, 1:] + 1]))
    same = (inputs == changed).all(axis=0)
    assert same[first <= 1].all()  # what a density of y[:, 1] may see
    assert not same[first > 1].any()
    again, _ = _densities._inputs(x, np.hstack([y[:, :2], y[:, 2:] + 1]))
    assert (inputs == again).all(axis=0)[first <= 2].all()


def test_networks_use_only_usable_inputs_and_begin_nearly_normal():
    usable = np.array([[1.0, 0.0], [1.0, 1.0]])
    nets = _densities._Mixtures(5, usable, torch.Generator().manual_seed(0))
    torch.nn.init.normal_(nets.last, generator=torch.Generator().manual_seed(1))
    inputs = torch.zeros(5, 7, 2)
    other = inputs.clone()
    other[..., 1] = 3
    residuals = torch.randn(5, 7, 2, generator=torch.Generator().manual_seed(2))
    one, two = nets(inputs, residuals), nets(other, residuals)
    assert torch.equal(one[..., 0], two[..., 0])
    assert not torch.allclose(one[..., 1], two[..., 1])
    # Densities integrate to 1.
    torch.nn.init.normal_(nets.last, std=0.05, generator=torch.Generator().manual_seed(1))
    grid = torch.linspace(-20, 20, 8001)[None, :, None].expand(5, -1, 2)
    with torch.no_grad():
        total = nets(torch.ones_like(grid), grid).exp().sum(1) * (40 / 8000)
    assert total == pytest.approx(torch.ones(5, 2), abs=1e-3)


def test_boxes_are_uniform_variables_plus_logistic_ones():
    width, softness = 1.5, 0.2
    z = torch.linspace(-4, 4, 81, dtype=torch.float64)
    found = _densities._log_box(z, *torch.tensor([width, softness], dtype=torch.float64).log())
    edges = logistic.cdf(np.array([z + width, z - width]), scale=softness)
    assert found.exp() == pytest.approx((edges[0] - edges[1]) / (2 * width), abs=1e-12)
    far = _densities._log_box(torch.tensor(1e4), torch.tensor(-5.0), torch.tensor(-6.0))
    assert -5e6 < far < -1e6  # neither nan nor minus infinity


def test_learned_predicts_the_variable_that_is_easier_to_predict():
    x, y = MixingTransform(CorrelatedGaussian(2, nats=2), "identity", "bend").sample(500)
    found = [mi.learned(*pair) for pair in ((x, y), (y, x))]
    assert found[0].nats == pytest.approx(found[1].nats, abs=0.1)  # both predict y from x


@pytest.mark.parametrize(
    ("x", "function"),
    [
        (CURVED, CURVED**2),
        (CURVED, np.sin(5 * CURVED) + 3),
        (CURVED[:, :1], np.hstack([CURVED[:, 1:], np.abs(CURVED[:, :1])])),
        (CURVED, CURVED[:, :1] * CURVED[:, 1:]),
    ],
)
def test_functions_are_no_finite_information(x, function):
    for pair in ((x, function), (function, x)):
        found = estimate(*pair, seconds=0)
        assert found.standard_error == math.inf
        assert found.is_lower_bound
        assert re.search("seems a function of the other: I would be infinite", found.reason)


@pytest.mark.parametrize("N", [100, 500, 3000])
@pytest.mark.parametrize(
    "truth",
    [
        CorrelatedGaussian(nats=3),
        CorrelatedGaussian(3, nats=6),
        NoisyCurve("spiral", 0.1),
        AdditiveNoise(0.1),
        Independent(3, 3),
    ],
    ids=lambda truth: type(truth).__name__,
)
def test_noise_is_never_taken_for_a_function(truth, N):
    for seed in range(5):
        x, y = (_estimate.normal_scores(v, np.random.default_rng(0)) for v in truth.sample(N, seed))
        assert not _neighbors.looks_like_function(x, y)
        assert not _neighbors.looks_like_function(y, x)


@pytest.mark.slow
def test_a_classifier_finds_what_many_columns_tell_of_a_symbol():
    truth = ClassAndNormal(3 * np.eye(10, 20))
    labels, y = truth.sample(4000)
    found = estimate(labels, y)
    assert found.nats == pytest.approx(truth.mutual_information, abs=0.06)
    assert abs(found.nats - truth.mutual_information) < 2 * found.standard_error
    shuffled = np.random.default_rng(0).permutation(labels)
    assert abs(estimate(shuffled, y).nats) < 0.01


def test_residuals_are_those_of_regressions_on_the_columns_before():
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((60, 2)), generator.standard_normal((60, 3))
    y[:, 2] += x[:, 0] - 2 * y[:, 1]
    training = np.arange(60) < 40
    found = _densities._residuals(x, y, training)
    for i in range(3):
        columns = np.hstack([np.ones((60, 1)), x, y[:, :i]])
        weights = np.linalg.lstsq(columns[training], y[training, i], rcond=None)[0]
        residual = y[:, i] - columns @ weights
        assert found[:, i] == pytest.approx(residual / residual[training].std(), abs=1e-5)


def test_association_is_standardized_chi_square():
    x, y = Independent(20, 20).sample(5000)
    z = _densities.association(x, y)
    assert z.shape == (20, 20)
    assert abs(z.mean()) < 0.2  # 400 values of deviation 1
    assert 0.8 < z.std() < 1.2
    x, y = NoisyCurve("sine", 0.2).sample(5000)
    assert _densities.association(x, y)[0, 0] > 50


# --- auto ----------------------------------------------------------------------------------

SMALL = np.random.default_rng(0).integers(3, size=300)
REAL = np.random.default_rng(1).standard_normal(300)


@pytest.mark.parametrize(
    ("x", "y", "options", "method"),
    [
        (SMALL, SMALL[::-1], {}, "shuffle_corrected"),
        (SMALL.astype(str), SMALL > 1, {}, "shuffle_corrected"),
        (SMALL.astype(float), SMALL, {}, "shuffle_corrected"),  # integers passed as continuous
        (torch.tensor(SMALL), SMALL, {}, "shuffle_corrected"),
        (SMALL, REAL, {}, "ross"),
        (REAL, SMALL.astype(float), {}, "ross"),
        (np.stack([REAL, REAL[::-1], REAL**2], 1), SMALL, {}, "learned"),
        (REAL, REAL[::-1], {}, "learned"),
        (np.round(1e6 * REAL).astype(int), REAL[::-1], {}, "learned"),  # and the reverse
        (SMALL, REAL, {"discrete": "neither"}, "learned"),
        (np.round(REAL), REAL, {"discrete": "both"}, "shuffle_corrected"),
        (np.full(300, 7), REAL, {}, "constant"),
        (REAL, np.full(300, 0.5), {}, "constant"),
    ],
)
def test_auto_takes_the_branch_that_suits(x, y, options, method):
    options = options if method != "learned" else {"seconds": 0, **options}
    found = estimate(x, y, **options)
    assert found.method == method
    assert found.reason
    assert math.isfinite(found.nats)
    if method == "constant":
        assert found.nats == found.standard_error == 0


def test_auto_warns_of_too_few_samples():
    generator = np.random.default_rng(0)
    x, y = generator.integers(30, size=(2, 1000))
    found = estimate(x, y)
    assert abs(found.nats) < 2 * found.standard_error
    assert "too few samples to tell: chao_shen gives" in found.reason


def test_auto_refuses_names_that_are_all_different():
    names = np.arange(300).astype(str)
    with pytest.raises(ValueError, match="x: expected symbols that are seen several times"):
        estimate(names, REAL)


def test_auto_refuses_complex_numbers():
    with pytest.raises(TypeError, match="y: expected real numbers or symbols, got dtype complex"):
        estimate(REAL, REAL + 1j)


def test_auto_of_no_information_says_how_uncertain_it_is():
    x = np.random.default_rng(5).integers(4, size=500)
    found = estimate(x, np.random.default_rng(6).standard_normal((500, 4)))
    assert abs(found.nats) < 2 * found.standard_error
    assert 0.004 < found.standard_error < 0.05


def test_auto_of_equal_variables_is_refused_not_guessed():
    x = np.random.default_rng(0).standard_normal((300, 2))
    with pytest.raises(ValueError, match="linear function of the other's"):
        estimate(x, x)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((REAL[:49], REAL[:49]), {}, ValueError, r"^x: .* at least 50 samples, got 49"),
        ((REAL, REAL[:-1]), {}, ValueError, r"^x and y: .* x has 300, y has 299"),
        ((REAL, np.where(REAL > 2, np.nan, REAL)), {}, ValueError, r"^y: expected finite"),
        ((REAL, REAL), {"discrete": "z"}, ValueError, r"^discrete: .* got 'z'"),
        ((REAL, REAL[::-1]), {"seconds": -1}, ValueError, r"^seconds: .* got -1"),
        ((REAL, REAL), {"epochs": 3}, TypeError, r"^epochs: .*'auto'.* got 3"),
        ((REAL, REAL), {"seed": -1}, ValueError, r"^seed: .* got -1"),
        (
            (np.round(REAL), SMALL),
            {"discrete": "neither"},
            ValueError,
            r"^x and y: expected at least 50 distinct pairs, got \d+; .*discrete=\"both\"",
        ),
    ],
)
def test_auto_names_the_argument_and_what_came(arguments, options, error, message):
    with pytest.raises(error, match=message):
        estimate(*arguments, **options)
