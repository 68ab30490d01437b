"""Notebooks 00 to 03."""

import math

import numpy as np
from scipy.special import digamma, logsumexp
from scipy.stats import binom

from simmim_lite import entropy as reference
from simmim_lite.exercises._check import Case, Cases, exercise

# --- 00: start here ------------------------------------------------------------------------


@exercise("joint table", "return the share of samples in each cell, rows x, columns y")
def _joint_table() -> Cases:
    reason = "a quarter of the pairs is (0, 0), a quarter (0, 1), half (1, 1)"
    expected = [[0.25, 0.25], [0.0, 0.5]]
    yield Case("four pairs of two symbols", ([0, 0, 1, 1], [0, 1, 1, 1]), expected, reason)
    reason = "x is the row and y the column; the table need not be square"
    expected = [[0.0, 0.2], [0.2, 0.0], [0.2, 0.4]]
    yield Case("three rows and two columns", ([0, 1, 2, 2, 2], [1, 0, 1, 1, 0]), expected, reason)
    x, y = np.random.default_rng(0).integers(0, (5, 3), size=(200, 2)).T
    table = np.histogram2d(x, y, bins=(np.arange(6), np.arange(4)))[0] / 200
    yield Case("200 random pairs", (x, y), table, "each pair adds 1/200 to its cell")


@exercise("mutual information", "return I(X; Y) in nats of a table, possibly with zeros")
def _mutual_information() -> Cases:
    independent = np.outer([0.2, 0.8], [0.5, 0.3, 0.2])
    yield Case("an independent table", (independent,), 0.0, "p(x, y) = p(x) p(y)")
    reason = "each symbol determines the other; an empty cell adds 0 (0 log 0 = 0)"
    yield Case("a diagonal table of ten classes", (np.eye(10) / 10,), math.log(10), reason)
    table = np.random.default_rng(1).dirichlet(np.ones(12)).reshape(3, 4)
    reason = "I = sum p log(p / (p_x p_y)), nats"
    yield Case("a random 3 x 4 table", (table,), reference.mutual_information(table), reason)


@exercise("chance level", "return the mean plug-in mutual information of x and many shuffles of y")
def _chance_level() -> Cases:
    generator = np.random.default_rng(2)
    for symbols, n, tolerance in ((10, 400, 0.1), (4, 200, 0.2)):
        x = generator.integers(0, symbols, n)
        shuffles = (generator.permutation(x) for _ in range(2000))
        expected = np.mean([reference.sample_mutual_information(x, y) for y in shuffles])
        bias = (symbols - 1) ** 2 / (2 * n)
        reason = f"shuffling breaks every pair and leaves the bias, about {bias:.3f} nats"
        situation = f"{n} pairs that are equal, of {symbols} symbols"
        yield Case(situation, (x, x), expected, reason, tolerance)


# --- 01: entropy ---------------------------------------------------------------------------


@exercise("entropy", "return H(p) in nats of probabilities p, which may be 0")
def _entropy() -> Cases:
    yield Case("a fair coin", ([0.5, 0.5],), math.log(2), "H = ln 2 nats, not 1 bit")
    yield Case("a certain outcome", ([1.0, 0.0],), 0.0, "0 log 0 = 0: no uncertainty")
    p = np.random.default_rng(3).dirichlet(np.ones(7))
    yield Case("seven random probabilities", (p,), reference.entropy(p), "H = -sum p log p")


@exercise("conditional entropy", "return H(X | Y) in nats of a table with rows X, columns Y")
def _conditional_entropy() -> Cases:
    yield Case("a diagonal table", (np.eye(3) / 3,), 0.0, "Y determines X")
    table = np.outer([0.25, 0.75], [0.1, 0.9])
    reason = "Y has no information about X, so H(X | Y) = H(X): check which axis is X"
    yield Case("an independent table", (table,), reference.entropy([0.25, 0.75]), reason)
    table = np.array([[0.5, 0.0, 0.1], [0.25, 0.0, 0.15]])
    expected = reference.conditional_entropy(table, given=1)
    reason = "H(X | Y) = H(X, Y) - H(Y), and an empty column adds nothing"
    yield Case("a table with an empty column", (table,), expected, reason)


@exercise("kl divergence", "return KL(p || q) in nats, infinite if q is 0 where p is not")
def _kl_divergence() -> Cases:
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    yield Case("p with a zero", (p, q), 0.5 * math.log(2), "0 log 0 = 0, and p weights the sum")
    yield Case("q with a zero", (q, p), math.inf, "the second vector is 0 where the first is not")
    p, q = np.random.default_rng(4).dirichlet(np.ones(5), size=2)
    yield Case("p and p", (p, p), 0.0, "the divergence of equal distributions is 0")
    yield Case("two random vectors", (p, q), np.sum(p * np.log(p / q)), "KL = sum p log(p / q)")


@exercise("miller-madow", "return the Miller-Madow estimate of the entropy in nats from counts")
def _miller_madow() -> Cases:
    reason = "(K - 1) / 2N = 1/20 is added to ln 2"
    yield Case("counts 5 and 5", ([5, 5],), math.log(2) + 1 / 20, reason)
    expected = reference.entropy([0.75, 0.25]) + 1 / 16
    reason = "K is the number of cells with a count above 0"
    yield Case("a cell of count 0", ([6, 0, 2],), expected, reason)
    yield Case("one cell only", ([9],), 0.0, "K - 1 = 0: the correction is 0")


# --- 02: mutual information ----------------------------------------------------------------


@exercise("gaussian information", "return I(X; Y) in nats of a Gaussian pair of correlation rho")
def _gaussian_information() -> Cases:
    yield Case("rho = 0", (0.0,), 0.0, "uncorrelated Gaussians are independent")
    for rho in (0.6, -0.6):
        yield Case(f"rho = {rho}", (rho,), -0.5 * math.log(0.64), "I = -1/2 ln(1 - rho^2)")
    yield Case("rho = 0.999", (0.999,), -0.5 * math.log1p(-(0.999**2)), "I grows without bound")


@exercise("merge", "return the table with the rows of each group added up")
def _merge() -> Cases:
    table, reason = [[0.1, 0.2], [0.3, 0.1], [0.05, 0.25]], "rows 0 and 2 become the new row 0"
    expected = [[0.15, 0.45], [0.3, 0.1]]
    yield Case("three rows in two groups", (table, [0, 1, 0]), expected, reason)
    reason = "one row is left: the distribution of y"
    yield Case("one group for all", (table, [0, 0, 0]), [[0.45, 0.55]], reason)
    random = np.random.default_rng(5).dirichlet(np.ones(24)).reshape(6, 4)
    groups = np.array([2, 0, 1, 1, 0, 2])
    expected = [random[groups == group].sum(axis=0) for group in range(3)]
    yield Case("six rows in three groups", (random, groups), expected, "row g is group g")


@exercise("conditional information", "return I(X; Y | Z) in nats of a table p(x, y, z)")
def _conditional_information() -> Cases:
    reason = "X and Y are independent, but given Z each determines the other"
    xor = [[[0.25, 0.0], [0.0, 0.25]], [[0.0, 0.25], [0.25, 0.0]]]
    yield Case("exclusive or", (xor,), math.log(2), reason)
    copies = [[[0.5, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.5]]]
    yield Case("three copies of a coin", (copies,), 0.0, "given Z, X and Y are certain")
    table = np.random.default_rng(6).dirichlet(np.ones(24)).reshape(2, 3, 4)
    expected = reference.conditional_mutual_information(table)
    reason = "I(X; Y | Z) = H(X, Z) + H(Y, Z) - H(X, Y, Z) - H(Z)"
    yield Case("a random 2 x 3 x 4 table", (table,), expected, reason)


@exercise("ksg", "return Kraskov's first estimate from the neighbor counts n_x and n_y and k")
def _ksg() -> Cases:
    n_x, n_y = np.array([3, 4, 3, 9]), np.array([5, 3, 3, 4])
    reason = "I = psi(k) + psi(N) - mean(psi(n_x + 1) + psi(n_y + 1))"
    for k in (1, 3):
        own = np.mean(digamma(n_x + 1.0)) + np.mean(digamma(n_y + 1.0))
        yield Case(f"four points, k = {k}", (n_x, n_y, k), digamma(k) + digamma(4) - own, reason)
    n, expected = np.full(50, 49), digamma(2) - digamma(50)
    reason = "the estimate is negative here, and must not be clipped"
    yield Case("every point is a neighbor in x and in y", (n, n, 2), expected, reason)


# --- 03: variational bounds ----------------------------------------------------------------


def _scores(K: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(K, K)) + 2 * np.eye(K)


@exercise("info nce", "return the InfoNCE bound in nats of a (K, K) matrix of scores")
def _info_nce() -> Cases:
    yield Case("equal scores", (np.zeros((4, 4)),), 0.0, "no positive has a higher score")
    reason = "a perfect critic reaches ln K, and e^1000 must not overflow: use logsumexp"
    yield Case("a diagonal far above the rest", (1000 * np.eye(8),), math.log(8), reason)
    scores = _scores(5, 7)
    expected = math.log(5) + np.mean(np.diag(scores) - logsumexp(scores, axis=1))
    yield Case("random scores", (scores,), expected, "row i holds the candidates of x_i")


@exercise("nwj", "return the NWJ bound in nats of a (K, K) matrix of scores")
def _nwj() -> Cases:
    reason = "1 - e^(1 - 1) = 0, as for independent variables"
    yield Case("scores of one", (np.ones((3, 3)),), 0.0, reason)
    reason = "the first term uses the diagonal, the second term only the other entries"
    for K in (2, 6):
        scores = _scores(K, K)
        second = np.mean(np.exp(scores[~np.eye(K, dtype=bool)] - 1))
        expected = np.mean(np.diag(scores)) - second
        yield Case(f"random scores of {K} pairs", (scores,), expected, reason)


@exercise("candidates", "return the smallest whole number K with ln K >= nats")
def _candidates() -> Cases:
    for nats, K in ((0.0, 1), (2.0, 8), (4.1, 61), (10.0, 22027)):
        yield Case(f"{nats} nats", (nats,), K, f"ln {K} = {math.log(K):.4f} is enough, not K - 1")


@exercise("ceiling", "return E ln(K / (1 + n)): n of the K - 1 negatives have the same class")
def _ceiling() -> Cases:
    yield Case("one candidate", (1, 10), 0.0, "a choice of one candidate carries no information")
    reason = "half of the time the negative has the same class, and the choice has no information"
    yield Case("two candidates, two classes", (2, 2), math.log(2) / 2, reason)
    counts = np.arange(64)
    expected = binom.pmf(counts, 63, 0.1) @ (math.log(64) - np.log1p(counts))
    yield Case("64 candidates, ten classes", (64, 10), expected, "n is binomial (K - 1, 1/classes)")
