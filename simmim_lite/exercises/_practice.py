"""Notebooks 08 to 11."""

import math

import numpy as np

from simmim_lite.exercises._check import Case, Cases, exercise

# --- 08: simulated memory ------------------------------------------------------------------


@exercise("nearest slot", "return the row number of the key with the highest cosine to the query")
def _nearest_slot() -> Cases:
    keys = np.array([[10.0, 10.0], [1.0, 0.0], [-3.0, 0.1]])
    situation = "a long key at 45 degrees and a short one at 0"
    reason = "the cosine does not depend on the length of a key"
    yield Case(situation, (keys, [2.0, 0.2]), 1, reason)
    reason = "the best cosine is the highest, not the highest absolute value"
    yield Case("a query on the other side", (keys, [-0.1, 0.0]), 2, reason)
    reason = "the cosines are -0.95 and -0.45, and -0.45 is the highest"
    yield Case("all cosines negative", (keys[:2], [-1.0, -2.0]), 1, reason)


@exercise(
    "soft read", "return the values (N, m), averaged with weights softmax(beta * keys @ query)"
)
def _soft_read() -> Cases:
    keys, values = np.eye(3), np.array([[1.0, 0.0], [0.0, 1.0], [4.0, 4.0]])
    given, reason = (keys, values, [1.0, 0.0, 0.0]), "all weights are equal then"
    yield Case("beta 0", (*given, 0.0), values.mean(axis=0), reason)
    reason = "the weights are 2/4, 1/4 and 1/4"
    yield Case("beta ln 2", (*given, math.log(2)), [1.5, 1.25], reason)
    reason = "the best key has all the weight, and e^2000 overflows"
    yield Case("beta 2000", (*given, 2000.0), [1.0, 0.0], reason)


@exercise("buckets", "return the probability of a shared bucket of b planes in one of L tables")
def _buckets() -> Cases:
    yield Case("the same direction", (0.0, 8, 1), 1.0, "no plane separates them")
    reason = "half of all planes separate them"
    yield Case("a right angle, one plane, one table", (math.pi / 2, 1, 1), 0.5, reason)
    reason = "neither plane may separate them: (3/4)^2"
    yield Case("45 degrees, two planes, one table", (math.pi / 4, 2, 1), 0.5625, reason)
    reason = "the probability of no shared bucket in three tables is (7/16)^3"
    yield Case("45 degrees, two planes, three tables", (math.pi / 4, 2, 3), 0.916259765625, reason)


# --- 09: cross-modal generation ------------------------------------------------------------


@exercise("divergence", "return KL(N(mean, variance) || N(0, I)) in nats of each row")
def _divergence() -> Cases:
    zeros = np.zeros((2, 3))
    yield Case("a standard normal", (zeros, zeros), [0.0, 0.0], "both are equal")
    reason = "with variance 1 the divergence is half the squared length of the mean"
    yield Case("means (1, 2)", ([[1.0, 2.0]], [[0.0, 0.0]]), [2.5], reason)
    expected = [0.5 * (0.25 - 1 - math.log(0.25))]
    reason = "the divergence is half of variance - 1 - ln variance"
    yield Case("a variance of 1/4", ([[0.0]], [[math.log(0.25)]]), expected, reason)


@exercise("best discriminator", "return p / (p + q), from ln p and ln q")
def _best_discriminator() -> Cases:
    yield Case("equal densities", ([-3.0], [-3.0]), [0.5], "p and q are equal")
    logarithms, reason = ([math.log(0.3)], [math.log(0.1)]), "0.3 of 0.4 is 0.75"
    yield Case("three times as dense", logarithms, [0.75], reason)
    logarithms = [-2000.0, -2000.0], [-2001.0, -1000.0]
    expected, reason = [1 / (1 + math.exp(-1)), 0.0], "only the difference of the logarithms counts"
    yield Case("densities below the smallest number", logarithms, expected, reason)


@exercise("coverage", "return the share of real samples with a generated one in their k-NN ball")
def _coverage() -> Cases:
    real, situation = [0.0, 1.0, 10.0, 11.0], "generated samples near two of four real ones"
    reason = "the balls around 0 and 1 are reached, those around 10 and 11 are not"
    yield Case(situation, (real, [0.5, 0.6, 50.0], 1), 0.5, reason)
    reason = "the second neighbors of 0 and 1 are at distances 10 and 9"
    yield Case("a larger k", (real, [-5.0], 2), 0.5, reason)
    samples = [0.0, 1.0, 5.0], [5.0, 5.0, 5.0]
    reason = "many samples in one ball count once, and a sample is not its own neighbor"
    yield Case("copies of one isolated sample", (*samples, 1), 1 / 3, reason)


# --- 10: GPU training ----------------------------------------------------------------------


@exercise("merge sums", "return (top, sum of e^(s - top)) of two parts, each given in this form")
def _merge_sums() -> Cases:
    yield Case("two equal parts", (1.0, 3.0, 1.0, 2.0), (1.0, 5.0), "no rescaling is needed")
    parts, expected = (0.0, 2.0, math.log(4), 1.0), (math.log(4), 1.5)
    reason = "the first sum has the unit e^0 and must be divided by 4, the new unit"
    yield Case("a second part that is higher", parts, expected, reason)
    parts, expected = (2.0, 1.5, 1.0, 4.0), (2.0, 1.5 + 4 * math.exp(-1))
    reason = "the top is the larger of the two, whichever part it comes from"
    yield Case("a first part that is higher", parts, expected, reason)
    yield Case("scores of 1000", (1000.0, 1.0, 0.0, 5.0), (1000.0, 1.0), "e^1000 overflows")


@exercise("largest batch", "return the largest whole B for which matrices of B x B numbers fit")
def _largest_batch() -> Cases:
    yield Case("400 bytes, one matrix", (400, 1), 10, "10 x 10 numbers of 4 bytes are 400")
    yield Case("399 bytes, one matrix", (399, 1), 9, "a tenth row would not fit")
    yield Case("16 GB, four matrices", (16e9, 4), 31622, "4 matrices of 4 B^2 bytes")


@exercise("attainable", "return the smaller of the compute limit and the bandwidth limit")
def _attainable() -> Cases:
    yield Case("adding vectors", (1 / 12, 1e12, 1e11), 1e11 / 12, "bandwidth limits the rate")
    yield Case("large matrices", (200.0, 1e12, 1e11), 1e12, "compute limits the rate")
    yield Case("at the balance", (10.0, 1e12, 1e11), 1e12, "both limits are equal there")


@exercise("epoch mean", "return the mean loss over samples, not over batches")
def _epoch_mean() -> Cases:
    yield Case("equal batches", ([1.0, 3.0], [8, 8]), 2.0, "the plain mean")
    reason = "eight samples count 1 and two count 6"
    yield Case("a last batch of 2 after one of 8", ([1.0, 6.0], [8, 2]), 2.0, reason)


# --- 11: evaluation ------------------------------------------------------------------------


@exercise(
    "calibration error",
    "return the mean gap between confidence and accuracy in bins of equal numbers of predictions, "
    "sorted by confidence",
)
def _calibration_error() -> Cases:
    half, wrong = [0.5, 0.5, 0.5, 0.5], [0, 0, 0, 0]
    yield Case("confidence 1/2, half correct", (half, [1, 0, 0, 1], 1), 0.0, "there is no gap")
    yield Case("confidence 1/2, all wrong", (half, wrong, 2), 0.5, "the gap is 1/2")
    situation = "one overconfident bin and one underconfident bin"
    given, expected = ([0.9, 0.6, 0.9, 0.6], [0, 1, 0, 1], 2), (0.9 + 0.4) / 2
    yield Case(situation, given, expected, "the gaps of the bins are added without their signs")
    given, expected = ([0.9, 0.6, 0.8, 0.7], [0, 1, 1, 0], 2), (abs(0.5 - 0.65) + 0.35) / 2
    reason = "the bin of low confidence holds 0.6 and 0.7"
    yield Case("predictions that are not sorted", given, expected, reason)
    given, expected = ([0.2, 0.97, 0.98, 0.99], [0, 1, 1, 0], 2), (abs(0.5 - 0.585) + 0.485) / 2
    reason = "each bin holds two predictions; the bins do not have equal widths"
    yield Case("confidences close to 1", given, expected, reason)


@exercise(
    "fold error",
    "return the standard error of the mean over k folds: the sample's standard deviation times "
    "sqrt(1/k + 1/(k - 1))",
)
def _fold_error() -> Cases:
    yield Case("equal folds", (np.full(5, 0.9),), 0.0, "the values do not vary")
    reason = "the variance is 0.005, and validation and training sets are equally large"
    yield Case("two folds", ([0.8, 0.9],), np.sqrt(0.005 * 1.5), reason)
    values = np.array([0.9, 0.92, 0.94, 0.9, 0.89])
    reason = "a validation set has a quarter of the size of its training set"
    yield Case("five folds", (values,), values.std(ddof=1) * np.sqrt(1 / 5 + 1 / 4), reason)


@exercise(
    "permutation test",
    "return the share of scores at least as good as the given one, which itself counts as one",
)
def _permutation_test() -> Cases:
    nine = np.linspace(0.1, 0.3, 9)
    yield Case("better than nine shuffles", (0.9, nine), 0.1, "1 of 10, the score itself")
    yield Case("worse than nine shuffles", (0.05, nine), 1.0, "all scores are at least as good")
    shuffles, reason = [0.4, 0.5, 0.6], "an equal score counts"
    yield Case("a score that some shuffles reach", (0.5, shuffles), 0.75, reason)
