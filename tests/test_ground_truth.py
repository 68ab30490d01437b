"""`ground_truth.py`: every formula against numerical integration, every sample against its law."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chisquare, kstest, multivariate_normal, multivariate_t, norm

from reproduction.experiments.mi_distributions import (
    CURVES,
    MIXING_MAPS,
    ClassAndFeature,
    ClassAndNormal,
    DiscreteTable,
    Gaussian,
    Joined,
    MixingTransform,
    NoisyCurve,
    NoisyDirection,
    OneHotClass,
    StudentT,
    UniformCells,
)
from simmim_lite import entropy
from simmim_lite.ground_truth import (
    MONOTONE_MAPS,
    AdditiveNoise,
    CorrelatedGaussian,
    GaussianField,
    GaussianMixture,
    Independent,
    MonotoneTransform,
    WithNoiseDimensions,
)

CROSSED = GaussianMixture(
    [0.5, 0.5], np.zeros((2, 2)), [[[1, 0.9], [0.9, 1]], [[1, -0.9], [-0.9, 1]]], 1
)
EVERY = [
    CorrelatedGaussian(3, nats=1.5),
    CorrelatedGaussian(correlation=-0.6),
    Independent(2, 3),
    AdditiveNoise(0.25),
    DiscreteTable([[0.1, 0.2, 0.0], [0.3, 0.1, 0.3]]),
    ClassAndFeature(4),
    CROSSED,
    NoisyDirection(3, 4),
    UniformCells([[0.4, 0.1], [0.2, 0.3]]),
    OneHotClass(ClassAndFeature(3)),
    MonotoneTransform(AdditiveNoise(0.25), "exp", "cube"),
    WithNoiseDimensions(ClassAndFeature(4), 2),
    Gaussian([[2.0, 0.5, 0.3], [0.5, 1.0, 0.1], [0.3, 0.1, 1.0]], 1),
    StudentT(CorrelatedGaussian(2, nats=0.5), 3),
    ClassAndNormal([[0.0, 1.0], [2.0, 0.0]]),
    NoisyCurve("circle", 0.2),
    MixingTransform(CorrelatedGaussian(2, nats=0.5), "swirl", "swiss_roll"),
    Joined(AdditiveNoise(0.25), Independent(2, 1)),
]


@pytest.mark.parametrize("truth", EVERY, ids=lambda truth: type(truth).__name__)
def test_every_truth_has_the_same_interface(truth):
    x, y = truth.sample(50, seed=1)
    assert x.shape == (50, truth.dim_x)
    assert y.shape == (50, truth.dim_y)
    for again in (truth.sample(50, 1), truth.sample(50, seed=1)):
        assert np.array_equal(again[0], x)
        assert np.array_equal(again[1], y)
    assert not np.array_equal(truth.sample(50)[1], y)  # the default seed is another one
    assert isinstance(truth.mutual_information, float)
    assert truth.mutual_information >= 0
    exact = not isinstance(truth, GaussianMixture | ClassAndNormal | NoisyCurve)
    assert (truth.mutual_information_error == 0) == exact


def density_of_sum(y: float, width: float) -> float:
    """Of X + uniform noise, at y: the share of (0, 1) within ``width`` of y."""
    return max(min(1, y + width) - max(0, y - width), 0) / (2 * width)


@pytest.mark.parametrize("width", [0.01, 0.1, 0.25, 0.5, 0.51, 0.75, 3.0])
def test_additive_noise_by_integration(width):
    def term(y: float) -> float:
        p = density_of_sum(y, width)
        return -p * math.log(p) if p > 0 else 0.0

    corners = sorted({-width, width, 1 - width, 1 + width})
    pieces = itertools.pairwise(corners)
    H_y = sum(quad(term, low, high, epsabs=1e-11)[0] for low, high in pieces)
    truth = AdditiveNoise(width).mutual_information
    assert truth == pytest.approx(H_y - math.log(2 * width), abs=1e-8)


def test_additive_noise_samples():
    x, y = AdditiveNoise(0.3).sample(20_000)
    assert 0 <= x.min() < 0.001 < 0.999 < x.max() <= 1
    assert -0.3 <= (y - x).min() < -0.299 < 0.299 < (y - x).max() <= 0.3
    assert abs(np.corrcoef(x[:, 0], (y - x)[:, 0])[0, 1]) < 0.03  # 4 deviations


@pytest.mark.parametrize("K", [1, 2, 5, 20])
def test_class_and_feature_by_integration(K):
    # Y's density is constant on each (i, i + 1): half of 1/K for each class that reaches it.
    p_y = [sum(k <= i < k + 2 for k in range(K)) / (2 * K) for i in range(K + 1)]
    information = sum(1 / K * 0.5 * math.log(0.5 / p_y[k + i]) for k in range(K) for i in (0, 1))
    assert ClassAndFeature(K).mutual_information == pytest.approx(information, abs=1e-12)


def test_class_and_feature_samples():
    x, y = ClassAndFeature(3).sample(9000)
    assert x.dtype.kind == "i"
    assert chisquare(np.bincount(x[:, 0], minlength=3)).pvalue > 1e-4
    assert 0 <= (y - x).min() < 0.01
    assert 1.99 < (y - x).max() <= 2


@pytest.mark.parametrize(("dim", "correlation"), [(1, 0.5), (1, -0.99), (4, 0.3)])
def test_gaussian_information_from_its_covariance(dim, correlation):
    truth = CorrelatedGaussian(dim, correlation=correlation)
    covariance = np.kron([[1, correlation], [correlation, 1]], np.eye(dim))
    log_volume = np.linalg.slogdet(covariance)[1]
    assert truth.mutual_information == pytest.approx(-log_volume / 2, abs=1e-12)
    back = CorrelatedGaussian(dim, nats=truth.mutual_information)
    assert back.correlation == pytest.approx(abs(correlation), abs=1e-12)

    sampled = np.cov(np.hstack(truth.sample(40_000)).T)
    assert np.abs(sampled - covariance).max() < 0.035  # 5 deviations of a variance


def test_gaussian_of_very_high_information():
    # The correlation rounds to 1; the noise must not round to 0.
    truth = CorrelatedGaussian(nats=25)
    x, y = truth.sample(1000)
    assert truth.correlation == 1
    assert truth.mutual_information == 25
    assert 0 < np.abs(y - x).max() < 1e-9


def test_discrete_table_samples():
    table = np.array([[0.1, 0.2, 0.0], [0.3, 0.1, 0.3]])
    truth = DiscreteTable(table)
    x, y = truth.sample(20_000)
    assert x.dtype.kind == y.dtype.kind == "i"
    observed = entropy.counts(x[:, 0], y[:, 0])
    assert observed[0, 2] == 0
    possible = table > 0
    assert chisquare(observed[possible], 20_000 * table[possible]).pvalue > 1e-4
    assert truth.mutual_information == entropy.mutual_information(table)


def test_mixture_of_one_component_is_gaussian():
    covariance = [[2.0, 1.2], [1.2, 1.0]]
    truth = GaussianMixture([1.0], [[3.0, -1.0]], [covariance], dim_x=1)
    exact = -math.log(1 - 1.2**2 / 2) / 2
    assert truth.mutual_information == pytest.approx(exact, abs=4 * truth.mutual_information_error)
    assert truth.mutual_information_error < 0.002


def test_mixture_by_integration():
    # Two crossed normals, uncorrelated as a whole; both marginals are standard normal.
    grid = np.linspace(-7, 7, 1401)
    x, y = np.meshgrid(grid, grid)
    points = np.stack([x, y], axis=-1)
    p = sum(multivariate_normal([0, 0], [[1, r], [r, 1]]).pdf(points) / 2 for r in (0.9, -0.9))
    marginal = np.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi)
    integral = (p * np.log(p / np.outer(marginal, marginal))).sum() * (grid[1] - grid[0]) ** 2
    assert CROSSED.mutual_information == pytest.approx(
        integral, abs=4 * CROSSED.mutual_information_error
    )


def test_mixture_samples_and_columns():
    weights, means = [0.3, 0.7], [[0.0, 0.0, 5.0], [2.0, 1.0, 0.0]]
    covariances = [np.diag([1.0, 4.0, 1.0]), np.eye(3) + 0.5]
    truth = GaussianMixture(weights, means, covariances, dim_x=2)
    x, y = truth.sample(60_000)
    assert (x.shape[1], y.shape[1]) == (2, 1)
    points = np.hstack([x, y])
    mean = np.average(means, axis=0, weights=weights)
    spread = np.average(covariances, axis=0, weights=weights)
    spread += np.cov(np.transpose(means), aweights=weights, bias=True)
    assert points.mean(axis=0) == pytest.approx(mean, abs=0.06)  # 5 deviations
    assert np.abs(np.cov(points.T) - spread).max() < 0.15
    # Truth and samples describe one distribution: the mean log ratio of a fresh sample is I.
    ratios = truth._log_ratio(x, y)
    error = math.hypot(ratios.std() / math.sqrt(len(ratios)), truth.mutual_information_error)
    assert ratios.mean() == pytest.approx(truth.mutual_information, abs=4 * error)


@pytest.mark.parametrize("name", MONOTONE_MAPS)
def test_monotone_maps_increase(name):
    values = MONOTONE_MAPS[name](np.linspace(-5, 5, 2001))
    assert (np.diff(values) > 0).all()


def test_monotone_transform_maps_the_samples_of_its_base():
    base = CorrelatedGaussian(2, nats=0.7)
    truth = MonotoneTransform(base, "sinh", "cube_root")
    (x, y), (u, v) = base.sample(100, 3), truth.sample(100, 3)
    assert np.array_equal(u, np.sinh(x))
    assert v**3 == pytest.approx(y)
    assert truth.mutual_information == base.mutual_information
    assert MonotoneTransform(CROSSED, "exp", "exp").mutual_information_error > 0


def test_noise_dimensions_are_appended_and_have_no_information():
    base = CorrelatedGaussian(2, nats=0.7)
    truth = WithNoiseDimensions(base, 3)
    x, y = truth.sample(20_000)
    assert np.array_equal(x[:, :2], base.sample(20_000)[0])
    assert np.array_equal(y[:, :2], base.sample(20_000)[1])
    correlations = np.corrcoef(np.hstack([x, y]).T) - np.eye(10)
    correlations[[0, 1, 5, 6], [5, 6, 0, 1]] = 0  # the base's own
    assert np.abs(correlations).max() < 0.036  # 5 deviations
    assert truth.mutual_information == base.mutual_information


def test_gaussian_of_any_covariance():
    truth = CorrelatedGaussian(2, nats=0.8)
    r = truth.correlation
    covariance = np.kron([[1, r], [r, 1]], np.eye(2))
    mixed = np.kron(np.eye(2), [[1.0, 2.0], [0.0, 3.0]])  # within X and within Y: no information
    general = Gaussian(mixed @ covariance @ mixed.T, 2)
    assert general.mutual_information == pytest.approx(0.8)
    x, y = general.sample(40_000)
    assert np.cov(np.hstack([x, y]).T) == pytest.approx(general.covariance, abs=0.5, rel=0.05)


@pytest.mark.parametrize("degrees", [1, 3, 30])
def test_student_t_by_its_densities(degrees):
    base = Gaussian([[1.0, 0.3, 0.5], [0.3, 1.0, 0.0], [0.5, 0.0, 1.0]], 1)
    truth = StudentT(base, degrees)
    x, y = truth.sample(40_000)
    points = np.hstack([x, y])

    def log_density(columns):
        shape = base.covariance[columns][:, columns]
        return multivariate_t(shape=shape, df=degrees).logpdf(points[:, columns])

    ratios = log_density([0, 1, 2]) - log_density([0]) - log_density([1, 2])
    error = ratios.std() / math.sqrt(len(ratios))
    assert ratios.mean() == pytest.approx(truth.mutual_information, abs=4 * error)
    assert kstest(x[:, 0], "t", args=(degrees,)).pvalue > 1e-4


def test_class_and_normal_by_integration():
    means = [0.0, 1.0, 3.0]

    def term(y: float) -> float:
        p = np.array([norm.pdf(y - mean) for mean in means]) / 3
        return (p * np.log(3 * p / p.sum())).sum()

    truth = ClassAndNormal(np.transpose([means]))
    exact = quad(term, -8, 11, epsabs=1e-10)[0]
    assert truth.mutual_information == pytest.approx(exact, abs=4 * truth.mutual_information_error)
    assert truth.mutual_information_error < 0.005


def test_an_offset_of_all_classes_changes_nothing():
    near, far = (ClassAndNormal([[offset], [offset + 2]]) for offset in (0, 1e8))
    assert far.mutual_information == pytest.approx(near.mutual_information, abs=1e-6)


@pytest.mark.parametrize("degrees", [0.1, 1e6])
def test_student_t_is_finite_at_the_ends_of_its_range(degrees):
    truth = StudentT(Independent(2, 2), degrees)
    assert np.isfinite(truth.sample(100_000)).all()
    assert 0 <= truth.mutual_information < 3


def test_bins_take_values_of_any_size():
    x, _ = MixingTransform(StudentT(Independent(), 0.5), "with_bins", "identity").sample(1000)
    assert np.abs(x[:, 0]).max() > 9
    assert (x[:, 1:].argmax(axis=1) == np.digitize(x[:, 0], norm.ppf([0.25, 0.5, 0.75]))).all()


@pytest.mark.slow
@pytest.mark.parametrize("curve", ["parabola", "sine", "zigzag"])
def test_noisy_curve_by_integration(curve):
    truth = NoisyCurve(curve, 0.2)
    points = CURVES[curve]((np.arange(20_000) + 0.5) / 20_000)[:, 0]
    grid = np.linspace(-2.5, 2.5, 1001)
    density = np.array([norm.pdf(y, points, 0.2).mean() for y in grid])
    H_y = -(density * np.log(density)).sum() * (grid[1] - grid[0])
    exact = H_y - math.log(2 * math.pi * math.e * 0.2**2) / 2
    assert truth.mutual_information == pytest.approx(exact, abs=4 * truth.mutual_information_error)
    assert truth.mutual_information_error < 0.004


@pytest.mark.slow
@pytest.mark.parametrize("curve", CURVES)
def test_noisy_curve_samples(curve):
    truth = NoisyCurve(curve, 0.1)
    x, y = truth.sample(5000)
    residual = (y - CURVES[curve](x[:, 0])) / 0.1
    assert kstest(residual.ravel(), "norm").pvalue > 1e-4
    ratios = truth._log_ratio(x, y)
    error = math.hypot(ratios.std() / math.sqrt(len(ratios)), truth.mutual_information_error)
    assert ratios.mean() == pytest.approx(truth.mutual_information, abs=4 * error)


def unswirl(v):
    radius = np.hypot(v[:, 0], v[:, 1])
    point = (v[:, 0] + 1j * v[:, 1]) * np.exp(-1.5j * radius)
    return np.stack([point.real, point.imag, v[:, 2]], axis=1)


def unshear(v):
    return v - np.hstack([np.zeros((len(v), 1)), np.sin(2 * v[:, :-1])])


def unbend(v):
    first = v[:, 0]
    second = v[:, 1] - first**2 / 2
    return np.stack([first, second, v[:, 2] - second**2 / 2], axis=1)


def unroll(v):
    turn = np.hypot(5 * v[:, 0], 5 * v[:, 1])
    return np.column_stack([norm.ppf((turn / (1.5 * np.pi) - 1) / 2), 5 * v[:, 2:]])


def unrotate(v):
    return v @ MIXING_MAPS["rotate"](np.eye(3)).T


UNDO = {
    "identity": lambda v: v,
    "swirl": unswirl,
    "shear": unshear,
    "bend": unbend,
    "rotate": unrotate,
    "swiss_roll": unroll,
    "shear_rotate": lambda v: unshear(unrotate(v)),
    "rotate_shear": lambda v: unrotate(unshear(v)),
    "rotate_cube": lambda v: unrotate(np.cbrt(v)),
    "circle": lambda v: np.column_stack(
        [norm.ppf(np.arctan2(v[:, 1], v[:, 0]) / (2 * np.pi) % 1), v[:, 2:]]
    ),
    "composition": lambda v: np.log(v[:, :3] / v[:, 3:]),
    "with_square": lambda v: np.where(np.allclose(v[:, 3], v[:, 0] ** 2), v[:, :3], np.nan),
    "with_bins": lambda v: np.where(
        (norm.cdf(v[:, :1]) * 4 // 1 == v[:, 3:].argmax(1)[:, None]), v[:, :3], np.nan
    ),
}
ADDING = ("identity", "with_square", "with_bins")  # maps that keep the columns


@pytest.mark.parametrize("name", MIXING_MAPS)
def test_mixing_maps_are_invertible(name):
    base = CorrelatedGaussian(3, nats=0.7)
    truth = MixingTransform(base, name, "identity")
    (x, y), (u, v) = base.sample(200, 3), truth.sample(200, 3)
    assert np.array_equal(v, y)
    assert UNDO[name](u) == pytest.approx(x, abs=1e-6)
    assert name in ADDING or not np.allclose(u[:, :3], x, atol=0.1)
    assert truth.mutual_information == base.mutual_information


def test_joined_truths_add_up():
    parts = AdditiveNoise(0.25), NoisyCurve("circle", 0.2)
    truth = Joined(*parts)
    assert truth.mutual_information == sum(part.mutual_information for part in parts)
    assert truth.mutual_information_error == parts[1].mutual_information_error
    x, y = truth.sample(20_000)
    assert np.array_equal(x[:, :1], parts[0].sample(20_000)[0])
    assert np.abs(np.corrcoef(np.hstack([x, y]).T)[[0, 2]][:, [1, 3, 4]]).max() < 0.036


def test_samples_are_not_the_draws_of_a_plain_generator():
    # Else `default_rng(0).standard_normal(n)`, meant as noise, would be a copy of x.
    x, _ = Independent().sample(1000, seed=0)
    plain = np.random.default_rng(0).standard_normal(1000)
    assert abs(np.corrcoef(x[:, 0], plain)[0, 1]) < 0.15


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: CorrelatedGaussian(), ValueError, r"^nats, correlation: .* exactly one"),
        (lambda: CorrelatedGaussian(nats=1, correlation=0.5), ValueError, r"got nats=1, corr"),
        (lambda: CorrelatedGaussian(nats=-0.1), ValueError, r"^nats: .* got -0.1"),
        (lambda: CorrelatedGaussian(correlation=1), ValueError, r"^correlation: .* < 1, got 1"),
        (lambda: CorrelatedGaussian(0, nats=1), ValueError, r"^dim: .* >= 1, got 0"),
        (lambda: CorrelatedGaussian(2.5, nats=1), TypeError, r"^dim: .* got 2.5"),
        (lambda: Independent(0, 1), ValueError, r"^dim_x: .* got 0"),
        (lambda: AdditiveNoise(0), ValueError, r"^width: .* > 0, got 0"),
        (lambda: AdditiveNoise(-1), ValueError, r"^width: .* got -1"),
        (lambda: DiscreteTable([[0.5, 0.6]]), ValueError, r"^table: .* got sum 1.1"),
        (lambda: DiscreteTable([0.5, 0.5]), ValueError, r"^table: expected 2 axes, .* \(2,\)"),
        (lambda: ClassAndFeature(0), ValueError, r"^K: .* >= 1, got 0"),
        (lambda: GaussianMixture([1], [[0, 0]], [np.eye(3)], 1), ValueError, r"^covariances: "),
        (lambda: GaussianMixture([1], [[0, 0]], [-np.eye(2)], 1), ValueError, r"at index 0"),
        (
            lambda: GaussianMixture([1], [[0, 0]], [[[1, 0.5], [0, 1]]], 1),
            ValueError,
            r"^covariances: expected symmetric",
        ),
        (lambda: GaussianMixture([1], [[0]], [np.eye(1)], 1), ValueError, r"^means: .*\(1, 1\)"),
        (lambda: GaussianMixture([1], [[0, np.nan]], [np.eye(2)], 1), ValueError, r"^means: .*nan"),
        (lambda: GaussianMixture([1], [[0, "a"]], [np.eye(2)], 1), TypeError, r"^means: .* dtype"),
        (lambda: GaussianMixture([1], [[0, 0]], [np.eye(2)], 2), ValueError, r"^dim_x: .* got 2"),
        (lambda: MonotoneTransform(Independent(), "square", "exp"), ValueError, r"^x_map: "),
        (lambda: MonotoneTransform(Independent(), "exp", "abs"), ValueError, r"^y_map: .* 'abs'"),
        (lambda: Gaussian(np.eye(3)[:2], 1), ValueError, r"^covariances: .* got \(1, 2, 3\)"),
        (lambda: Gaussian(-np.eye(2), 1), ValueError, "^covariances: .* positive definite"),
        (lambda: Gaussian(np.eye(2), 2), ValueError, "^dim_x: .* got 2"),
        (lambda: StudentT(AdditiveNoise(1), 2), TypeError, "^base: .* got AdditiveNoise"),
        (lambda: StudentT(Independent(), 0), ValueError, "^degrees: .* got 0"),
        (lambda: StudentT(Independent(), 0.01), ValueError, r"^degrees: .* \[0.1, .* got 0.01"),
        (lambda: StudentT(Independent(), 1e8), ValueError, r"^degrees: .* 1e\+06\], got"),
        (
            lambda: Gaussian(1e-9 * np.array([[1, 0.9], [0, 1]]), 1),
            ValueError,
            "^covariances: .*sym",
        ),
        (lambda: MixingTransform(Independent(), "cube", "bend"), ValueError, "^x_map: .*'cube'"),
        (lambda: WithNoiseDimensions(Independent(), -1), ValueError, r"^extra: .* got -1"),
        (lambda: Independent().sample(0), ValueError, r"^n: .* >= 1, got 0"),
        (lambda: Independent().sample(10, seed=-1), ValueError, r"^seed: .* got -1"),
        (lambda: Independent().sample(10, seed=None), TypeError, r"^seed: .* got None"),
    ],
)
def test_bad_input_names_the_argument_and_what_came(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(("dim", "concentration"), [(2, 5), (3, 20), (5, 8)])
def test_directions_have_the_information_of_von_mises_and_fisher(dim, concentration):
    truth = NoisyDirection(dim, concentration)
    x, y = truth.sample(20_000, 1)
    for values in (x, y):
        assert np.square(values).sum(axis=1) == pytest.approx(np.ones(20_000))
        assert values.mean(axis=0) == pytest.approx(np.zeros(dim), abs=0.03)
    # I by quadrature over the cosine t between X and Y, of density ~ exp(c t) (1 - t^2)^((d-3)/2)
    angle = (np.arange(20_000) + 0.5) * np.pi / 20_000
    flat = np.sin(angle) ** (dim - 2)
    tilted = flat * np.exp(concentration * (np.cos(angle) - 1))
    p, q = tilted / tilted.sum(), flat / flat.sum()
    assert truth.mutual_information == pytest.approx(float(p @ np.log(p / q)), abs=1e-6)
    assert (x * y).sum(axis=1).mean() == pytest.approx(float(p @ np.cos(angle)), abs=0.01)


def test_cells_have_the_information_of_their_table():
    truth = UniformCells([[0.4, 0.1, 0.0], [0.0, 0.2, 0.3]])
    x, y = truth.sample(50_000, 2)
    assert truth.mutual_information == DiscreteTable(truth._cells.table).mutual_information
    cells = np.stack([np.floor(2 * x[:, 0]), np.floor(3 * y[:, 0])]).astype(int)
    table = np.bincount(cells[0] * 3 + cells[1], minlength=6).reshape(2, 3) / 50_000
    assert table == pytest.approx(truth._cells.table, abs=0.01)
    assert kstest(2 * x[:, 0] % 1, "uniform").pvalue > 1e-4


def test_one_hot_classes_are_the_classes():
    base = ClassAndFeature(4)
    truth, (x, y), (classes, same) = (
        OneHotClass(base),
        OneHotClass(base).sample(50),
        base.sample(50),
    )
    assert x.shape == (50, truth.dim_x)
    assert np.array_equal(x.argmax(axis=1), classes[:, 0])
    assert np.array_equal(y, same)
    assert truth.mutual_information == base.mutual_information


# --- Gaussian random fields ----------------------------------------------------------------


def hidden_pixels(field, seed=0):
    return np.random.default_rng(seed).random((field.height, field.width)) < 0.5


@pytest.mark.parametrize("kernel", ["exponential", "squared"])
def test_samples_of_a_field_have_its_covariance(kernel):
    field = GaussianField(3, 4, length=1.5, kernel=kernel, nugget=0.1)
    samples = field.sample(40_000, seed=1)
    assert samples.shape == (40_000, 3, 4)
    found = np.cov(samples.reshape(40_000, 12).T)
    assert np.abs(found - field.covariance).max() < 0.03
    far = math.hypot(2, 3) / 1.5
    expected = math.exp(-far) if kernel == "exponential" else math.exp(-(far**2) / 2)
    assert field.covariance[0, -1] == pytest.approx(expected)
    assert field.covariance[0, 0] == pytest.approx(1.1)


def test_conditional_mean_is_the_best_linear_prediction():
    """Least squares on samples find the same weights, and the same error, in both norms."""
    field = GaussianField(3, 3, length=2.0)
    mask, samples = hidden_pixels(field), field.sample(200_000, seed=3)
    rows = samples.reshape(len(samples), 9)
    visible, hidden = rows[:, ~mask.ravel()], rows[:, mask.ravel()]
    weights, covariance = field.conditional(mask)
    found = np.linalg.lstsq(visible, hidden, rcond=None)[0].T
    assert np.abs(found - weights).max() < 0.02
    filled = field.conditional_mean(samples, mask)
    assert np.array_equal(filled[:, ~mask], samples[:, ~mask])
    rest = (samples - filled)[:, mask]
    assert np.abs(rest.T @ rest / len(rest) - covariance).max() < 0.01
    squared, absolute = field.bayes_errors(mask)
    assert np.mean(rest**2) == pytest.approx(squared, rel=0.01)
    assert np.mean(np.abs(rest)) == pytest.approx(absolute, rel=0.01)


def test_information_in_a_field():
    field = GaussianField(3, 4)
    mask, samples = hidden_pixels(field, 1), field.sample(20_000, seed=2)
    hidden, joint = mask.ravel(), field.covariance
    both, one, other = (
        multivariate_normal(cov=joint[np.ix_(rows, rows)])
        for rows in (np.ones(12, bool), hidden, ~hidden)
    )
    nats = both.entropy() - one.entropy() - other.entropy()
    assert field.mutual_information(mask) == pytest.approx(-nats, abs=1e-9)
    rows = samples.reshape(len(samples), 12)
    exact = both.logpdf(rows) - other.logpdf(rows[:, ~hidden])
    np.testing.assert_allclose(field.log_density(samples, mask), exact, atol=1e-6)
    alone = sum(
        0.5 * math.log(joint[i, i] / field.conditional(mask)[1][k, k])
        for k, i in enumerate(np.flatnonzero(hidden))
    )
    assert field.pixelwise_information(mask) == pytest.approx(alone)
    # sum of I(pixel; visible) = I(hidden; visible) + TC(hidden) - TC(hidden | visible)
    correlation = field.total_correlation(mask)
    given = field.total_correlation(mask, given_visible=True)
    assert alone == pytest.approx(field.mutual_information(mask) + correlation - given)
    assert correlation > given > 0


def test_a_field_needs_hidden_and_visible_pixels():
    field = GaussianField(2, 3)
    for mask in (
        np.ones((2, 3), bool),
        np.zeros((2, 3), bool),
        np.eye(2, 3),
        np.eye(3, dtype=bool),
    ):
        with pytest.raises(ValueError, match="mask: expected bool of shape"):
            field.conditional(mask)
    with pytest.raises(ValueError, match="fields: expected shape"):
        field.conditional_mean(np.zeros((5, 3, 2)), hidden_pixels(field))
    with pytest.raises(ValueError, match="length: expected a number above 0"):
        GaussianField(2, 2, length=0.0)
    with pytest.raises(ValueError, match="nugget: expected a larger one"):
        GaussianField(12, 12, length=5.0, kernel="squared")
