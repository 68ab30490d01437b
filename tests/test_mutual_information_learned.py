"""`learned` and `auto` against known truths, and the parts of their networks."""

import math
import re

import numpy as np
import pytest
import torch
from scipy.stats import logistic

from reproduction.experiments.mi_distributions import (
    ClassAndNormal,
    Joined,
    MixingTransform,
    NoisyCurve,
    NoisyDirection,
    UniformCells,
)
from simmim_lite import mutual_information as mi
from simmim_lite.ground_truth import (
    AdditiveNoise,
    CorrelatedGaussian,
    Independent,
)
from simmim_lite.mutual_information import (
    _densities,
    _estimate,
    _neighbors,
    _numbers,
    estimate,
)

CURVED = np.random.default_rng(0).standard_normal((600, 2))


# --- learned -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("truth", "tolerance"),
    [
        # At N = 2,000 the sampling deviation alone is 0.02 to 0.05.
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


def test_learned_is_symmetric_in_the_variable_with_symbols():
    x, y = ClassAndNormal([[0.0], [2.0]]).sample(400)
    one, other = (
        mi.learned(x, y, discrete="x", seconds=0),
        mi.learned(y, x, discrete="y", seconds=0),
    )
    assert one.nats == pytest.approx(other.nats, abs=0.02)  # folds differ
    assert one.reason == other.reason
    assert one.reason.startswith("2 symbols x 1 columns of numbers")


def test_learned_reduces_columns_and_says_so():
    x, y = CorrelatedGaussian(30, nats=3).sample(200)
    found = mi.learned(x, y, seconds=0)
    assert found.is_lower_bound
    assert "x reduced from 30 to 10 principal components" in found.reason
    assert math.isfinite(found.nats)
    assert not mi.learned(x[:, :5], y[:, :5], seconds=0).is_lower_bound


def test_learned_drops_redundant_columns():
    x, y = CorrelatedGaussian(2, nats=1).sample(500)
    found = mi.learned(np.hstack([x, x[:, :1], np.ones((500, 1))]), y, seconds=0)
    assert found.nats == pytest.approx(mi.learned(x, y, seconds=0).nats, abs=0.02)  # folds differ
    assert found.reason.startswith(
        "numbers x numbers; 1 constant columns of x dropped; 1 columns of x dropped, increasing or "
        "decreasing functions of others"
    )


def test_learned_respects_its_time_limit_and_its_seed():
    x, y = CorrelatedGaussian(4, nats=1).sample(400)
    found = mi.learned(x, y, seconds=0)
    assert "cut short by the time limit" in found.reason
    x, y = NoisyCurve("sine", 0.2).sample(100)
    assert mi.learned(x, y, seed=1) == mi.learned(x, y, seed=1)
    assert mi.learned(x, y, seed=1) != mi.learned(x, y, seed=2)


def test_copies_of_a_pair_are_one_sample_and_share_a_fold(monkeypatch):
    rows = np.random.default_rng(0).standard_normal((100, 2))
    group, distinct, note = _estimate.groups_of_rows(np.repeat(rows, 3, axis=0))
    assert (np.bincount(group).tolist(), distinct, note) == ([3] * 100, 100, "")
    seen = []
    by_networks = _numbers.by_networks

    def kept(x, y, order, folds, distinct, **options):
        seen.append(folds)
        return by_networks(x, y, order, folds, distinct, **options)

    monkeypatch.setattr(_numbers, "by_networks", kept)
    mi.learned(*np.repeat(rows, 3, axis=0).T, seconds=0)
    (folds,) = seen
    assert (folds.reshape(100, 3) == folds[::3, None]).all()
    assert np.bincount(folds).tolist() == [60] * 5


def test_copies_of_pairs_make_no_estimate_more_certain():
    x, y = CorrelatedGaussian(nats=0.5).sample(600)
    once = mi.learned(x, y, seconds=0)
    thrice = mi.learned(np.repeat(x, 3, axis=0), np.repeat(y, 3, axis=0), seconds=0)
    assert thrice.standard_error == pytest.approx(once.standard_error, rel=0.2)
    assert "infinite" not in thrice.reason  # a copy is not a neighbor


def test_conditional_densities_depend_only_on_earlier_columns():
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((300, 2)), generator.standard_normal((300, 3))
    inputs, first = _densities._inputs(x, y)
    changed, _ = _densities._inputs(x, np.hstack([y[:, :1], y[:, 1:] + 1]))
    same = (inputs == changed).all(axis=0)
    assert same[first <= 1].all()  # inputs of the density of y[:, 1]
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


@pytest.mark.slow
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
def test_functions_have_infinite_information(x, function):
    for pair in ((x, function), (function, x)):
        found = estimate(*pair, seconds=0)
        assert found.standard_error == math.inf
        assert found.is_lower_bound
        assert re.search("seems a function of the other variable: infinite I", found.reason)


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
def test_a_classifier_finds_the_information_of_many_columns():
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
        (SMALL.astype(float), SMALL, {}, "shuffle_corrected"),  # whole numbers as floats
        (torch.tensor(SMALL), SMALL, {}, "shuffle_corrected"),
        (SMALL, REAL, {}, "ross"),
        (REAL, SMALL.astype(float), {}, "ross"),
        (np.stack([REAL, REAL[::-1], REAL**2], 1), SMALL, {}, "learned"),
        (REAL, REAL[::-1], {}, "learned"),
        (np.round(1e6 * REAL).astype(int), REAL[::-1], {}, "learned"),  # numbers as integers
        (SMALL, REAL, {"discrete": "neither"}, "learned"),
        (np.round(REAL), REAL, {"discrete": "both"}, "shuffle_corrected"),
        (np.full(300, 7), REAL, {}, "constant"),
        (REAL, np.full(300, 0.5), {}, "constant"),
    ],
)
def test_auto_chooses_the_method(x, y, options, method):
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
    assert "too few samples: chao_shen gives" in found.reason


def test_auto_refuses_names_that_are_all_different():
    names = np.array([f"name {i}" for i in range(300)])
    with pytest.raises(ValueError, match="x: expected symbols that occur several times"):
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
    with pytest.raises(ValueError, match="monotone function of the other variable"):
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


# --- methods held against each other --------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "truth",
    [NoisyDirection(2, 5), MixingTransform(CorrelatedGaussian(1, nats=1.2), "circle", "circle")],
    ids=["directions", "circles"],
)
def test_columns_that_determine_one_another_are_noticed(truth):
    x, y = truth.sample(2000)
    found = mi.learned(x, y)
    assert abs(found.nats - truth.mutual_information) < max(0.06, 2 * found.standard_error)
    assert "columns determine one another" in found.reason
    densities = float(found.reason.split(" by densities")[0].split()[-1])
    assert densities > truth.mutual_information + 0.05  # the fault that is mended


@pytest.mark.slow
def test_many_thin_pieces_are_found():
    truth = UniformCells(np.indices((12, 12)).sum(axis=0) % 2 / 72)  # a checkerboard
    found = mi.learned(*truth.sample(4000))
    assert found.nats == pytest.approx(math.log(2), abs=2.5 * found.standard_error)
    assert found.nats > 0.5
    assert "by densities" in found.reason or "by neighbors" in found.reason


def test_a_time_limit_chooses_a_part_of_large_data_and_says_so():
    x, y = CorrelatedGaussian(2, nats=1).sample(40_000)
    found = estimate(x, y, seconds=0.2)
    assert found.nats == pytest.approx(1, abs=0.1)
    assert "of 40000 samples used, as time is short" in found.reason
    x[39_998, 1] = np.nan  # also in a row that is left out
    with pytest.raises(ValueError, match=r"x: expected finite numbers.* in row 39998"):
        estimate(x, y, seconds=0.2)


def test_the_part_of_periodic_data_is_random():
    x = np.random.default_rng(0).normal(size=40_000)
    y = np.where(np.arange(40_000) % 2, x, np.roll(x, 1)) + np.random.default_rng(1).normal(
        size=40_000
    )
    assert estimate(x, y, seconds=0.2).nats < 0.3  # every other pair is independent


# --- copies of rows -------------------------------------------------------------------------


def test_many_equal_rows_are_an_atom_and_no_copies():
    """Half of all measurements are 0 in both variables: ln 2 nats."""
    rng = np.random.default_rng(0)
    some = rng.random(2000) < 0.5
    x, y = some * rng.exponential(size=2000), some * rng.exponential(size=2000)
    for method in ("auto", "ksg"):
        found = estimate(x, y, method)
        assert found.nats == pytest.approx(math.log(2), abs=3 * found.standard_error)
        assert found.standard_error < 0.1
    labels = rng.integers(0, 2, 2000)
    x = (rng.random(2000) < np.where(labels, 0.3, 0.05)) * rng.exponential(size=2000)
    assert estimate(x, labels).nats == pytest.approx(0.059, abs=0.05)


def test_columns_that_are_monotone_functions_of_one_another_count_once():
    rng = np.random.default_rng(0)
    x = np.exp(rng.normal(size=1000))
    y = np.log(x) + rng.normal(size=1000)
    for columns in (np.c_[x, np.log(x)], np.c_[x, -x, x**2]):
        for method in ("auto", "rank_gaussian"):
            assert estimate(columns, y, method).nats == pytest.approx(0.5 * math.log(2), abs=0.07)


def test_thin_pieces_among_further_columns_are_found():
    rng = np.random.default_rng(0)
    x = rng.random((2000, 4))
    found = estimate(x, np.floor(20 * x[:, 0]) % 2)
    assert found.nats == pytest.approx(math.log(2), abs=3 * found.standard_error)
    assert "by neighbors in a part of the columns" in found.reason
    comb = ((15 * x[:, 0]) % 1 + rng.random(2000) / 4) % 1
    found = estimate(x, comb)
    assert found.nats == pytest.approx(math.log(4), abs=2 * found.standard_error)


def test_few_samples_of_columns_that_determine_one_another():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, (400, 3))
    moved = angle + 0.3 * rng.normal(size=(400, 3))
    x, y = (np.hstack([np.cos(a), np.sin(a)]) for a in (angle, moved))
    found = estimate(x, y)
    assert found.nats == pytest.approx(4.869, abs=2 * found.standard_error)


@pytest.mark.parametrize("N", [300, 2000])
def test_many_symbols_with_few_samples_each(N):
    x = np.random.default_rng(0).random(N)
    found = estimate(x, np.floor(x * N / 15))
    assert found.nats == pytest.approx(math.log(N / 15), abs=2.5 * found.standard_error)


@pytest.mark.parametrize("method", ["auto", "ross", "learned"])
def test_a_table_repeated_four_times_is_the_table(method):
    x, y = ClassAndNormal([[0.0], [1.0]]).sample(400)
    options = {"discrete": "x"} if method == "learned" else {}
    once = estimate(x, y, method, **options)
    found = estimate(np.tile(x, (4, 1)), np.tile(y, (4, 1)), method, **options)
    assert found.nats == pytest.approx(once.nats, abs=0.02)
    assert found.standard_error == pytest.approx(once.standard_error, rel=0.3)
    assert "copies of rows" in found.reason
    assert "copies" not in once.reason


def test_oversampling_a_rare_symbol_makes_no_information():
    draws = np.random.default_rng(3)
    symbols, numbers = (draws.random(2000) < 0.05).astype(int), draws.standard_normal(2000)
    rare, common = np.flatnonzero(symbols == 1), np.flatnonzero(symbols == 0)
    rows = np.concatenate([common, draws.choice(rare, len(common))])
    for method in ("auto", "ross"):
        found = estimate(symbols[rows], numbers[rows], method)
        assert abs(found.nats) < max(2.5 * found.standard_error, 0.02), method
        assert "copies of rows" in found.reason


def test_a_bootstrap_sample_keeps_the_information_of_its_sample():
    x, y = CorrelatedGaussian(1, nats=0.5).sample(2000)
    rows = np.random.default_rng(4).integers(2000, size=2000)
    found = mi.ksg(x[rows], y[rows])
    assert found.nats == pytest.approx(0.5, abs=0.1)  # 1.7 nats with copies as neighbors
    assert "copies of rows left out" in found.reason


def test_rounded_numbers_are_no_copies():
    x, y = (np.round(values, 1) for values in CorrelatedGaussian(1, nats=0.5).sample(2000))
    assert mi.ksg(x, y).reason == ""
    assert mi.ksg(x, y).nats == pytest.approx(0.5, abs=0.1)
