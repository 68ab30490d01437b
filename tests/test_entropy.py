"""`entropy.py` against closed forms, SciPy, scikit-learn and its own definitions."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, example, given
from hypothesis.extra.numpy import array_shapes, arrays
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from reproduction.experiments.mi_distributions import DiscreteTable
from simmim_lite import entropy, mutual_information

ROUNDING = 1e-12
METHODS = ["plug_in", "miller_madow", "chao_shen", "jackknife"]


def tables(axes: int, side: int = 5) -> st.SearchStrategy[np.ndarray]:
    """Random probability tables, zeros and empty rows included."""
    shapes = array_shapes(min_dims=axes, max_dims=axes, max_side=side)
    weights = arrays(np.int64, shapes, elements=st.integers(0, 20))
    return weights.filter(lambda table: table.sum() > 0).map(lambda table: table / table.sum())


def symbols(N: int, largest: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.int64, N, elements=st.integers(0, largest))


# --- exact, on tables ----------------------------------------------------------------------


def test_entropy_of_known_distributions():
    assert entropy.entropy([0.5, 0.5]) == pytest.approx(math.log(2), abs=ROUNDING)
    assert entropy.entropy([0.5, 0.5], base=2) == pytest.approx(1, abs=ROUNDING)
    assert entropy.entropy(np.full((4, 8), 1 / 32), base=2) == pytest.approx(5, abs=ROUNDING)
    assert entropy.entropy([1 / 2, 1 / 4, 1 / 8, 1 / 8], base=2) == pytest.approx(1.75)


def test_certainty_is_a_plain_zero():
    # "-0.0" would confuse the readers of a notebook.
    certain = np.diag([0.5, 0.5])
    values = [entropy.entropy([1.0, 0.0]), entropy.conditional_entropy(certain)]
    values += [entropy.cross_entropy([1, 0], [1, 0]), entropy.kl_divergence(certain, certain)]
    assert [str(value) for value in values] == ["0.0"] * 4


def test_binary_symmetric_channel():
    # A fair bit flipped with probability e: I = log 2 - H(e), the capacity of the channel.
    e = 0.11
    table = [[(1 - e) / 2, e / 2], [e / 2, (1 - e) / 2]]
    capacity = 1 - entropy.entropy([e, 1 - e], base=2)
    assert entropy.mutual_information(table, base=2) == pytest.approx(capacity, abs=ROUNDING)


def test_exclusive_or_shares_nothing_in_pairs_and_one_bit_in_threes():
    table = np.zeros((2, 2, 2))
    for x, y in np.ndindex(2, 2):
        table[x, y, x ^ y] = 1 / 4
    assert entropy.mutual_information(table.sum(axis=2)) == 0
    assert entropy.conditional_mutual_information(table, base=2) == pytest.approx(1, abs=ROUNDING)
    assert entropy.total_correlation(table, base=2) == pytest.approx(1, abs=ROUNDING)


@given(tables(2))
def test_entropy_and_divergence_agree_with_scipy(table):
    p, q = table.ravel(), np.roll(table.ravel(), 1)
    for base in (math.e, 2, 10):
        assert entropy.entropy(table, base=base) == pytest.approx(
            scipy.stats.entropy(p, base=base), abs=ROUNDING
        )
        assert entropy.kl_divergence(p, q, base=base) == pytest.approx(
            scipy.stats.entropy(p, q, base=base), abs=ROUNDING
        )


@given(tables(3), st.sampled_from([0, 1, 2, -1, (0, 1), (2, 0), (), (0, 1, 2)]))
def test_conditional_entropy_is_joint_minus_given(table, axes):
    conditional = entropy.conditional_entropy(table, given=axes)
    kept = {axis % 3 for axis in (axes if isinstance(axes, tuple) else (axes,))}
    marginal = table.sum(axis=tuple({0, 1, 2} - kept))
    known = entropy.entropy(marginal) if kept else 0.0
    assert conditional == pytest.approx(entropy.entropy(table) - known, abs=ROUNDING)
    assert conditional >= 0


def test_conditioning_on_the_second_axis_is_the_default():
    # X is known from Y but not Y from X.
    table = [[0.25, 0.25, 0.0], [0.0, 0.0, 0.5]]
    assert entropy.conditional_entropy(table) == 0
    assert entropy.conditional_entropy(table, given=0, base=2) == pytest.approx(0.5)


@given(tables(3))
def test_chain_rule(table):
    terms = entropy.chain_rule_terms(table)
    assert len(terms) == 3
    assert min(terms) >= 0
    assert terms[0] == pytest.approx(entropy.entropy(table.sum(axis=(1, 2))), abs=ROUNDING)
    assert sum(terms) == pytest.approx(entropy.entropy(table), abs=ROUNDING)


@given(tables(2))
def test_mutual_information_identities_and_bounds(table):
    information = entropy.mutual_information(table)
    p_x, p_y = table.sum(axis=1), table.sum(axis=0)
    H_x, H_y = entropy.entropy(p_x), entropy.entropy(p_y)
    for other in (
        H_x + H_y - entropy.entropy(table),
        H_x - entropy.conditional_entropy(table),
        entropy.mutual_information(table.T),
        entropy.kl_divergence(table, np.outer(p_x, p_y)),
        entropy.total_correlation(table),
    ):
        assert information == pytest.approx(other, abs=ROUNDING)
    assert 0 <= information <= min(H_x, H_y) + ROUNDING


@given(tables(2), st.randoms(use_true_random=False))
def test_names_of_symbols_do_not_matter(table, random):
    rows = random.sample(range(table.shape[0]), table.shape[0])
    columns = random.sample(range(table.shape[1]), table.shape[1])
    renamed = table[rows][:, columns]
    for quantity in (entropy.entropy, entropy.mutual_information, entropy.conditional_entropy):
        assert quantity(renamed) == pytest.approx(quantity(table), abs=ROUNDING)


@given(tables(2), arrays(np.int64, (5, 4), elements=st.integers(0, 9)))
def test_data_processing_inequality(table, weights):
    # Z is computed from Y by a random channel, so it has no more information about X than Y.
    channel = (weights + 1) / (weights + 1).sum(axis=1, keepdims=True)
    processed = table @ channel[: table.shape[1]]
    before, after = entropy.mutual_information(table), entropy.mutual_information(processed)
    assert after <= before + ROUNDING


@given(tables(3))
def test_chain_rule_of_mutual_information(table):
    # I(X; Y, Z) = I(X; Z) + I(X; Y | Z)
    x, y, z = table.shape
    both = entropy.mutual_information(table.reshape(x, y * z))
    first = entropy.mutual_information(table.sum(axis=1))
    added = entropy.conditional_mutual_information(table)
    assert both == pytest.approx(first + added, abs=ROUNDING)
    assert added >= 0


@given(tables(3))
def test_total_correlation_is_the_sum_of_entropies_minus_the_joint(table):
    parts = [entropy.entropy(table.sum(axis=tuple({0, 1, 2} - {i}))) for i in range(3)]
    excess = sum(parts) - entropy.entropy(table)
    assert entropy.total_correlation(table) == pytest.approx(excess, abs=ROUNDING)


@given(tables(1, side=8), st.data())
def test_cross_entropy_is_entropy_plus_divergence(p, data):
    q = data.draw(tables(1, side=8).filter(lambda q: q.shape == p.shape))
    divergence = entropy.kl_divergence(p, q)
    assert divergence >= 0
    assert entropy.cross_entropy(p, q) == pytest.approx(entropy.entropy(p) + divergence)
    if (p[q == 0] > 0).any():
        assert divergence == math.inf


# --- from samples --------------------------------------------------------------------------


def test_counts_of_words_and_numbers():
    table = entropy.counts(["b", "a", "b", "b"], [7, 7, 9, 7])
    assert table.tolist() == [[1, 0], [2, 1]]  # a, b by 7, 9
    assert table.dtype.kind == "i"


@given(symbols(30, 4), symbols(30, 6))
def test_counts_agree_with_scikit_learn(x, y):
    assert np.array_equal(entropy.counts(x, y), contingency_matrix(x, y))
    assert np.array_equal(entropy.counts(x, y, x).sum(axis=2), contingency_matrix(x, y))


@given(symbols(40, 5), symbols(40, 5))
def test_plug_in_is_the_entropy_of_the_frequencies(x, y):
    frequencies = entropy.counts(x, y) / 40
    H_x = entropy.entropy(frequencies.sum(axis=1))
    assert entropy.sample_entropy(x) == pytest.approx(H_x, abs=ROUNDING)
    information = entropy.sample_mutual_information(x, y)
    assert information == pytest.approx(mutual_info_score(x, y), abs=ROUNDING)
    assert information == pytest.approx(entropy.mutual_information(frequencies), abs=ROUNDING)


@given(symbols(25, 8), symbols(25, 8), st.sampled_from(METHODS), st.permutations(range(9)))
def test_sample_information_is_symmetric_and_independent_of_names(x, y, method, names):
    value = entropy.sample_mutual_information(x, y, method)
    swapped = entropy.sample_mutual_information(y, x, method)
    renamed = entropy.sample_mutual_information(np.array(names)[x], y, method)
    assert swapped == pytest.approx(value, abs=1e-9)
    assert renamed == pytest.approx(value, abs=1e-9)


def by_definition(counts: list[int], method: str) -> float:
    """Each estimator written out from its definition, one count at a time."""
    counts = [n for n in counts if n]
    N, K = sum(counts), len(counts)
    plug_in = -sum(n / N * math.log(n / N) for n in counts)
    if method == "miller_madow":
        return plug_in + (K - 1) / (2 * N)
    if method == "chao_shen":
        coverage = 1 - min(counts.count(1), N - 1) / N
        p = [coverage * n / N for n in counts]
        return -sum(p_i * math.log(p_i) / (1 - (1 - p_i) ** N) for p_i in p)
    if method == "jackknife":
        without = [
            n * by_definition([*counts[:i], n - 1, *counts[i + 1 :]], "plug_in")
            for i, n in enumerate(counts)
        ]
        return N * plug_in - (N - 1) / N * sum(without)
    return plug_in


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.sampled_from(METHODS))
@example([1, 1, 1], "chao_shen")  # nothing seen twice
def test_corrections_are_what_their_definitions_say(counts, method):
    assume(sum(counts) >= 2)
    value = entropy.entropy_from_counts(counts, method)
    assert value == pytest.approx(by_definition(counts, method), abs=1e-10)
    bits = entropy.entropy_from_counts(np.array(counts), method, base=2)
    assert bits == pytest.approx(value / math.log(2), abs=1e-10)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.sampled_from(METHODS))
def test_leave_one_out_is_the_estimate_without_one_sample(counts, method):
    assume(sum(counts) >= 3)
    values = entropy.leave_one_out(counts, method)
    for i, n in enumerate(counts):
        if n == 0:
            assert np.isnan(values[i])
            continue
        less = entropy.entropy_from_counts([*counts[:i], n - 1, *counts[i + 1 :]], method)
        assert values[i] == pytest.approx(less, abs=1e-10)


@given(symbols(12, 3), symbols(12, 3), st.sampled_from(METHODS))
def test_pairs_left_out_one_by_one(x, y, method):
    pairs = entropy.PairCounts.of(x, y)
    values = pairs.leave_one_out(method)
    labels_x, labels_y = (np.unique(part, return_inverse=True)[1] for part in (x, y))
    for a, b, value in zip(pairs.x, pairs.y, values, strict=True):
        gone = np.flatnonzero((labels_x == a) & (labels_y == b))[0]
        rest = [np.delete(part, gone) for part in (x, y)]
        less = entropy.sample_mutual_information(*rest, method)
        assert value == pytest.approx(less, abs=1e-9)


def zipf_with_shared_part(K: int) -> np.ndarray:
    """Skewed marginals; a fifth of the pairs are equal symbols, the others independent."""
    p = 1 / np.arange(1, K + 1)
    p /= p.sum()
    return 0.8 * np.outer(p, p) + 0.2 * np.diag(p)


def test_bias_on_independent_symbols():
    # 200 x 200 symbols, 10,000 pairs: a quarter of a sample for each cell. The values are from an
    # earlier independent run; the tolerance is four deviations over repeated samples (measured:
    # .004, .005, .007, .024 and .004).
    x, y = DiscreteTable(np.full((200, 200), 1 / 40_000)).sample(10_000, seed=3)
    seen = {"plug_in": 1.5275, "miller_madow": 1.1042, "jackknife": 0.7024, "chao_shen": -0.0671}
    tolerances = {"plug_in": 0.02, "miller_madow": 0.02, "jackknife": 0.03, "chao_shen": 0.1}
    for method, value in seen.items():
        estimate = entropy.sample_mutual_information(x, y, method)
        assert estimate == pytest.approx(value, abs=tolerances[method]), method
    corrected = mutual_information.shuffle_corrected(x, y).nats
    assert corrected == pytest.approx(0, abs=0.02)


def test_bias_on_skewed_dependent_symbols():
    # Truth .335: plug-in doubles it, and each correction subtracts more than the one before.
    truth = DiscreteTable(zipf_with_shared_part(100))
    x, y = truth.sample(10_000, seed=1)
    errors = {
        method: entropy.sample_mutual_information(x, y, method) - truth.mutual_information
        for method in ("plug_in", "miller_madow", "jackknife", "chao_shen")
    }
    corrected = mutual_information.shuffle_corrected(x, y).nats
    assert errors["plug_in"] > 0.28
    assert errors["plug_in"] > errors["miller_madow"] > errors["jackknife"] > errors["chao_shen"]
    assert abs(errors["chao_shen"]) < 0.15
    assert abs(corrected - truth.mutual_information) < 0.07


def test_large_alphabets_stay_sparse():
    # A dense table would need 10**11 cells.
    x, y = np.random.default_rng(0).integers(0, 10**6, (2, 300_000))
    plug_in = entropy.sample_mutual_information(x, y)
    corrected = mutual_information.shuffle_corrected(x, y).nats
    assert plug_in > 10
    assert corrected == pytest.approx(0, abs=0.01)


def test_sparse_and_dense_counting_agree():
    # The same pairs, with names that lead to dense or to sparse counting.
    x, y = np.random.default_rng(1).integers(0, 30, (2, 400))
    few = entropy.PairCounts.of(x, y)
    extra = np.arange(400) + 100  # symbols seen once, in pairs of their own
    many = entropy.PairCounts.of(np.append(x, extra), np.append(y, extra))
    assert 30 * 30 <= 4 * 400 < 430 * 430
    assert np.array_equal(many.x[: len(few.x)], few.x)
    assert np.array_equal(many.y[: len(few.y)], few.y)
    assert np.array_equal(many.count[: len(few.count)], few.count)
    assert (many.count[len(few.count) :] == 1).all()


def test_shuffles_repeat_with_their_seed_only():
    x, y = np.random.default_rng(2).integers(0, 9, (2, 200))
    values = [mutual_information.shuffle_corrected(x, y, seed=seed).nats for seed in (4, 4, 5)]
    assert values[0] == values[1] != values[2]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: entropy.entropy([0.5, -0.1, 0.6]), ValueError, r"^p: .* got -0.1 at \(1,\)"),
        (lambda: entropy.entropy([0.5, 0.6]), ValueError, r"^p: .* sum to 1, got sum 1.1"),
        (lambda: entropy.entropy([0.5, np.nan]), ValueError, r"^p: .* got nan at \(1,\)"),
        (lambda: entropy.entropy([]), ValueError, r"^p: .* non-empty .* got \(0,\)"),
        (lambda: entropy.entropy([[0.5], [0.2, 0.3]]), ValueError, r"^p: .* unequal length"),
        (lambda: entropy.entropy(["a", "b"]), TypeError, r"^p: expected probabilities, got dtype"),
        (lambda: entropy.entropy([1.0], base=1), ValueError, r"^base: .* > 1, got 1"),
        (lambda: entropy.entropy([1.0], base="2"), TypeError, r"^base: .* got '2'"),
        (
            lambda: entropy.mutual_information([0.5, 0.5]),
            ValueError,
            r"^table: .* 2 axes, .*\(2,\)",
        ),
        (
            lambda: entropy.conditional_mutual_information(np.eye(2) / 2),
            ValueError,
            r"^table: expected 3 axes, got shape \(2, 2\)",
        ),
        (
            lambda: entropy.conditional_entropy(np.eye(2) / 2, given=2),
            ValueError,
            r"^given: .* in -2..1, got 2",
        ),
        (
            lambda: entropy.kl_divergence([0.5, 0.5], [1.0]),
            ValueError,
            r"^q: expected the shape of p, \(2,\), got \(1,\)",
        ),
        (lambda: entropy.counts(), ValueError, r"^variables: .* got none"),
        (
            lambda: entropy.counts([1, 2, 3], [1, 2]),
            ValueError,
            r"variables\[0\] has 3, variables\[1\] has 2",
        ),
        (
            lambda: entropy.counts(*[np.arange(2000)] * 3),
            ValueError,
            r"^variables: .* got shape \(2000, 2000, 2000\)",
        ),
        (lambda: entropy.entropy_from_counts([1.5, 2]), ValueError, r"^counts: .* got 1.5"),
        (lambda: entropy.entropy_from_counts([3, -1]), ValueError, r"^counts: .* >= 0, got -1"),
        (lambda: entropy.entropy_from_counts([0, 1]), ValueError, r"^counts: .* 2 samples, got 1"),
        (lambda: entropy.sample_entropy([]), ValueError, r"^x: .* at least 2 samples, got 0"),
        (lambda: entropy.sample_entropy([1, 2], "nsb"), ValueError, r"^method: .* got 'nsb'"),
        (
            lambda: entropy.sample_mutual_information([1, 2, 3], [1, 2]),
            ValueError,
            r"x has 3, y has 2",
        ),
        (
            lambda: entropy.sample_mutual_information([1.0, np.inf], [1, 2]),
            ValueError,
            r"^x: expected finite symbols, got .*inf.* in row 1",
        ),
        (
            lambda: entropy.sample_mutual_information([1, 2], [1, 2], "shuffle_corrected"),
            ValueError,
            r"^method: .*'jackknife'.* got 'shuffle_corrected'",
        ),
    ],
)
def test_bad_input_names_the_argument_and_what_came(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("n", [10**9, 10**12, 10**15])
def test_the_jackknife_of_large_counts_keeps_its_digits(n):
    expected = math.log(2) + 1 / (4 * n)
    found = entropy.entropy_from_counts([n, n], "jackknife")
    assert found == pytest.approx(expected, abs=1e-9)
