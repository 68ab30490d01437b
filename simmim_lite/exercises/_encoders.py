"""Notebook 04."""

import math

import numpy as np

from simmim_lite.exercises._check import Case, Cases, exercise


@exercise("layers", "return (size, receptive field) of the last feature map, in pixels")
def _layers() -> Cases:
    yield Case("no layer", (28, (), (), ()), (28, 1), "each position is one pixel")
    reason = "the window starts at pixel 0, 1 or 2; the stride of a layer affects only later layers"
    yield Case("5 pixels, a window of 3", (5, (3,), (1,), (0,)), (3, 3), reason)
    reason = "(7 - 2) // 2 + 1 = 3: the last pixel is not used"
    yield Case("7 pixels, window 2, stride 2", (7, (2,), (2,), (0,)), (3, 2), reason)
    reason = "zeros are added on *each* side, and the second window adds one pixel on each side"
    yield Case("two windows of 3, padding 1", (32, (3, 3), (1, 1), (1, 1)), (32, 5), reason)
    yield Case(
        "windows of 5, 3, 2 and 3, strides 2, 1, 2 and 1, on 28 pixels",
        (28, (5, 3, 2, 3), (2, 1, 2, 1), (2, 1, 0, 1)),
        (7, 19),
        "each layer adds (k - 1) x the product of the earlier strides: 1 + 4 + 4 + 2 + 8",
    )


@exercise("mel peaks", "return the frequencies in Hz at which the filters peak, as (mels,)")
def _mel_peaks() -> Cases:
    yield Case(
        "one filter from 0 to 700 (10^(2000/2595) - 1) Hz, which is 2000 mel",
        (0.0, 700 * (10 ** (2000 / 2595) - 1), 1),
        [700 * (10 ** (1000 / 2595) - 1)],
        "halfway on the mel scale is 1000 mel",
    )
    ends = 2595 * np.log10(1 + np.array([50.0, 4000.0]) / 700)
    mels = ends[0] + np.arange(1, 5) * (ends[1] - ends[0]) / 5
    expected = 700 * (10 ** (mels / 2595) - 1)
    reason = "at the two ends filters begin and end, but have no peak"
    yield Case("four filters from 50 to 4000 Hz", (50.0, 4000.0, 4), expected, reason)


@exercise("pointwise information", "return ln(p(a, b) / (p(a) p(b))) in nats of a table of counts")
def _pointwise_information() -> Cases:
    yield Case(
        "independent rows and columns",
        (np.array([[2.0, 4.0], [3.0, 6.0]]),),
        np.zeros((2, 2)),
        "p(a, b) = p(a) p(b) everywhere",
    )
    yield Case(
        "two words that always occur together",
        (np.array([[5.0, 0.0], [0.0, 5.0]]),),
        [[math.log(2), -math.inf], [-math.inf, math.log(2)]],
        "p is 1/2 instead of 1/4, and ln 0 is minus infinity for words that never occur together",
    )
    counts = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 1.0]])
    p = counts / counts.sum()
    expected = np.log(p / np.outer(p.sum(axis=1), p.sum(axis=0)))
    reason = "p(a) is the sum of a row, p(b) the sum of a column"
    yield Case("a table of 2 x 3", (counts,), expected, reason)
