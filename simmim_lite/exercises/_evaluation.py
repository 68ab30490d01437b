"""Cases of the exercises of notebook 13."""

from simmim_lite.exercises._check import Case, Cases, cases


@cases("calibration error")
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


@cases("correlated folds")
def _correlated_folds() -> Cases:
    yield Case("independent values", (5, 0.0), 1 / 5, "the ratio of independent values is 1 / m")
    reason = "the correlation of Nadeau and Bengio for 5 folds is 1/5"
    yield Case("five folds, correlation 1/5", (5, 0.2), 1 / 5 + 1 / 4, reason)
    reason = "the variance of the mean is 3/4 and the expected sample variance 1/2, times sigma^2"
    yield Case("two values, correlation 1/2", (2, 0.5), 1.5, reason)
    reason = "negative correlation makes the mean more certain"
    yield Case("three values, correlation -1/4", (3, -0.25), 1 / 3 - 0.2, reason)
