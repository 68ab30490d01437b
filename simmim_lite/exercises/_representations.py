"""Notebooks 04 to 07."""

import math

import numpy as np

from simmim_lite.entropy import mutual_information
from simmim_lite.exercises._check import Case, Cases, exercise

# --- 04: encoders --------------------------------------------------------------------------


@exercise("layers", "return (size, receptive field) of the last feature map, in pixels")
def _layers() -> Cases:
    yield Case("no layer", (28, (), (), ()), (28, 1), "each position is one pixel")
    reason = "the window starts at pixel 0, 1 or 2; the stride of a layer affects only later layers"
    yield Case("5 pixels, a window of 3", (5, (3,), (1,), (0,)), (3, 3), reason)
    reason = "(7 - 2) // 2 + 1 = 3: the last pixel is not used"
    yield Case("7 pixels, window 2, stride 2", (7, (2,), (2,), (0,)), (3, 2), reason)
    reason = "zeros are added on *each* side, and the second window adds one pixel on each side"
    yield Case("two windows of 3, padding 1", (32, (3, 3), (1, 1), (1, 1)), (32, 5), reason)
    situation = "windows of 5, 3, 2 and 3, strides 2, 1, 2 and 1, on 28 pixels"
    reason = "each layer adds (k - 1) x the product of the earlier strides: 1 + 4 + 4 + 2 + 8"
    yield Case(situation, (28, (5, 3, 2, 3), (2, 1, 2, 1), (2, 1, 0, 1)), (7, 19), reason)


@exercise("mel peaks", "return the frequencies in Hz at which the filters peak, as (mels,)")
def _mel_peaks() -> Cases:
    situation = "one filter from 0 to 700 (10^(2000/2595) - 1) Hz, which is 2000 mel"
    middle, end = (700 * (10 ** (mel / 2595) - 1) for mel in (1000, 2000))
    yield Case(situation, (0.0, end, 1), [middle], "halfway on the mel scale is 1000 mel")
    low, high = (2595 * math.log10(1 + hertz / 700) for hertz in (50.0, 4000.0))
    expected = 700 * (10 ** (np.linspace(low, high, 6)[1:-1] / 2595) - 1)
    reason = "at the two ends filters begin and end, but have no peak"
    yield Case("four filters from 50 to 4000 Hz", (50.0, 4000.0, 4), expected, reason)


@exercise("pointwise information", "return ln(p(a, b) / (p(a) p(b))) in nats of a table of counts")
def _pointwise_information() -> Cases:
    independent, reason = [[2.0, 4.0], [3.0, 6.0]], "p(a, b) = p(a) p(b) everywhere"
    yield Case("independent rows and columns", (independent,), np.zeros((2, 2)), reason)
    expected = [[math.log(2), -math.inf], [-math.inf, math.log(2)]]
    reason = (
        "p is 1/2 instead of 1/4, and ln 0 is minus infinity for words that never occur together"
    )
    yield Case("two words that always occur together", (5 * np.eye(2),), expected, reason)
    counts = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 1.0]])
    p = counts / counts.sum()
    expected = np.log(p / np.outer(p.sum(axis=1), p.sum(axis=0)))
    reason = "p(a) is the sum of a row, p(b) the sum of a column"
    yield Case("a table of 2 x 3", (counts,), expected, reason)


# --- 05: fusion ----------------------------------------------------------------------------


@exercise("mean of present", "return (N, dim): in each row the mean of the vectors present in it")
def _mean_of_present() -> Cases:
    vectors = np.arange(12.0).reshape(2, 3, 2)
    reason = "the mean goes over the axis of modalities"
    yield Case("all present", (vectors, np.ones((2, 3))), vectors.mean(axis=1), reason)
    present = [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]
    expected = [vectors[0, 1], vectors[1, ::2].mean(axis=0)]
    reason = "a sum of k vectors is divided by k, not by M"
    yield Case("one modality, and two of three", (vectors, present), expected, reason)
    missing = vectors.copy()
    missing[0, 1] = math.nan
    present = [[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    expected = [vectors[0, ::2].mean(axis=0), vectors[1, :2].mean(axis=0)]
    reason = "missing vectors must not count, and nan times 0 is nan: use np.where"
    yield Case("a missing vector of nan", (missing, present), expected, reason)


@exercise("product of experts", "return p(y | x, a) from p(y | x), p(y | a) and p(y)")
def _product_of_experts() -> Cases:
    prior, p, q = np.array([0.7, 0.2, 0.1]), np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.4, 0.2])
    yield Case("an expert without information", (p, prior, prior), p, "the other expert decides")
    experts, expected = ([0.8, 0.2], [0.8, 0.2], [0.5, 0.5]), [16 / 17, 1 / 17]
    yield Case("two experts that agree", experts, expected, "odds of 4 and 4 make odds of 16")
    product = p * q / prior
    reason = "both experts contain the prior, which should count once"
    yield Case("a prior that is not uniform", (p, q, prior), product / product.sum(), reason)


@exercise("precision weights", "return the weights of sum 1 that minimize the variance")
def _precision_weights() -> Cases:
    yield Case("equal noise", ([2.0, 2.0],), [0.5, 0.5], "neither is more precise")
    reason = "w^2 + 9 (1 - w)^2 is smallest at w = 9/10: weights are proportional to 1 / variance"
    yield Case("a sensor three times as noisy", ([1.0, 3.0],), [0.9, 0.1], reason)
    reason = "precisions 1, 1/4 and 1/4 are divided by their sum"
    yield Case("three sensors", ([1.0, 2.0, 2.0],), [2 / 3, 1 / 6, 1 / 6], reason)


@exercise("synergy", "return I(y; x, a) - I(y; x) - I(y; a) in nats of a table p(x, a, y)")
def _synergy() -> Cases:
    copy = [[[0.5, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.5]]]
    yield Case("copies of one bit", (copy,), -math.log(2), "ln 2 - ln 2 - ln 2: redundancy")
    xor = [[[0.25, 0.0], [0.0, 0.25]], [[0.0, 0.25], [0.25, 0.0]]]
    yield Case("y = x XOR a", (xor,), math.log(2), "only x and a together determine y")
    table = np.random.default_rng(5).dirichlet(np.ones(24)).reshape(2, 3, 4)
    both = mutual_information(table.reshape(6, 4))
    alone = mutual_information(table.sum(axis=1)) + mutual_information(table.sum(axis=0))
    yield Case("a random table", (table,), both - alone, "the axes are x, a and y")


# --- 06: multimodal infomax ----------------------------------------------------------------


@exercise(
    "symmetric info nce", "return the mean of InfoNCE, in nats, of the scores and of the transpose"
)
def _symmetric_info_nce() -> Cases:
    yield Case("equal scores", (np.zeros((5, 5)),), 0.0, "equal scores do not separate positives")
    yield Case("scores of 50 for positives", (50 * np.eye(4),), math.log(4), "the maximum is ln K")
    # The rows of [[1, 0], [2, 1]] have the differences of its columns.
    expected = 1 + math.log(2) - (math.log(math.e + 1) + math.log(math.e**2 + math.e)) / 2
    reason = "both directions have weight 1/2"
    yield Case("a 2 x 2 table", ([[1.0, 0.0], [2.0, 1.0]],), expected, reason)
    rows = 1 - math.log((math.e**3 + 2) / 3)
    reason = "the columns are constant and give 0, the rows give less than 0"
    yield Case("identical rows", (np.tile([3.0, 0.0, 0.0], (3, 1)),), rows / 2, reason)
    yield Case("scores of 1000", (1000 * np.eye(3),), math.log(3), "e^1000 overflows")


@exercise(
    "paired information",
    "return I(image; recording of its class) in nats from the classes of the images",
)
def _paired_information() -> Cases:
    yield Case("two classes of equal size", ([0, 1, 0, 1],), math.log(2), "I is H(class)")
    situation = "three images of one class, one of another"
    expected = 2 * math.log(2) - 0.75 * math.log(3)
    reason = "p(class) is the share of its images, and labels are only names"
    yield Case(situation, ([3, 3, 7, 3],), expected, reason)
    yield Case("one class", (np.zeros(6, int),), 0.0, "the class is certain")
    yield Case("ten digits", (np.arange(100) % 10,), math.log(10), "ten equally frequent classes")


@exercise(
    "clusters", "return the accuracy under the best one-to-one matching of clusters and classes"
)
def _clusters() -> Cases:
    labels, clusters = [0, 0, 1, 1, 1, 2], [2, 2, 0, 0, 0, 1]
    yield Case("other names", (labels, clusters), 1.0, "names do not matter")
    labels, clusters = [0, 0, 0, 1, 1, 2], [1, 1, 1, 1, 1, 0]
    reason = "a cluster matches one class only"
    yield Case("two classes in one cluster", (labels, clusters), 4 / 6, reason)
    both = np.repeat([0, 0, 1], [5, 4, 4]), np.repeat([0, 1, 0], [5, 4, 4])
    reason = "cluster 0 for class 1 and cluster 1 for class 0 give 4 + 4, the other way gives 5"
    yield Case("a case where the greedy choice loses", both, 8 / 13, reason)


# --- 07: manifold infomax ------------------------------------------------------------------


def _probabilities(N: int, K: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(K), size=N)


@exercise("manifold bound", "return H(Y) + E log p(y|x') in nats from p(y|x) and p(y|x'), (N, K)")
def _manifold_bound() -> Cases:
    uniform = np.full((6, 3), 1 / 3)
    yield Case("uniform probabilities", (uniform, uniform), 0.0, "ln 3 - ln 3 = 0")
    sure = np.tile(0.98 * np.eye(4) + 0.005, (3, 1))
    sure /= sure.sum(axis=1, keepdims=True)
    expected = math.log(4) + np.mean(np.sum(sure * np.log(sure), axis=1))
    reason = "near ln 4, the maximum"
    yield Case("balanced and nearly certain clusters", (sure, sure), expected, reason)
    p, moved = _probabilities(50, 5, 0), _probabilities(50, 5, 1)
    mean = p.mean(axis=0)
    expected = -np.sum(mean * np.log(mean)) + np.mean(np.sum(p * np.log(moved), axis=1))
    reason = (
        "clusters are drawn at x and predicted at x', and H(Y) is the entropy of the mean p(y|x)"
    )
    yield Case("random probabilities", (p, moved), expected, reason)


@exercise("two nn", "return the Two-NN dimension from the distances to first and second neighbors")
def _two_nn() -> Cases:
    first = np.array([1.0, 2.0, 0.5, 1.0])
    reason = "(4 - 1) / (1 + 1 + 1 + 1): the logarithms of the ratios are all 1"
    yield Case("ratios of e", (first, math.e * first), 0.75, reason)
    generator = np.random.default_rng(0)
    for dim in (2, 7):
        ratio = generator.random(1000) ** (-1 / dim)  # the density that Two-NN assumes
        first = generator.random(1000) + 0.1
        expected, both = 999 / np.log(ratio).sum(), (first, ratio * first)
        yield Case(f"a sample of dimension {dim}", both, expected, "d = (N-1)/sum")


@exercise("cluster information", "return I(C; C') in nats of labels (N,) and edge weights (N, N)")
def _cluster_information() -> Cases:
    groups = np.repeat([0, 1], 4)
    apart, equal = (groups[:, None] == groups).astype(float), np.ones((8, 8))
    reason = "I is one bit, ln 2"
    yield Case("two groups without edges between", (groups, apart), math.log(2), reason)
    yield Case("all edges of equal weight", (groups, equal), 0.0, "the ends are independent")
    generator = np.random.default_rng(0)
    labels, weights = generator.integers(3, size=30), generator.random((30, 30))
    weights = weights + weights.T
    member = np.eye(3)[labels]
    expected = mutual_information(member.T @ weights @ member / weights.sum())
    reason = "an edge is drawn in proportion to its weight, not uniformly"
    yield Case("random labels and weights", (labels, weights), expected, reason)


@exercise(
    "cheapest merge", "return the two clusters (i, j), i < j, whose merge loses least I(C; C')"
)
def _cheapest_merge() -> Cases:
    joint = np.array([[0.3, 0.0, 0.0], [0.0, 0.2, 0.15], [0.0, 0.15, 0.2]])
    reason = "edges connect 1 and 2, but none leads to 0"
    yield Case("two clusters with edges between them", (joint,), (1, 2), reason)
    # The heaviest edges connect the large clusters 0 and 1, but merging 2 and 3 loses less.
    joint = np.array([[24, 6, 0, 0], [6, 24, 0, 0], [0, 0, 10, 5], [0, 0, 5, 10]]) / 90
    reason = "the lost information counts, not the weight of the edges between the clusters"
    yield Case("large clusters and small ones", (joint,), (2, 3), reason)
