"""Cases of the exercises of notebook 04."""

from simmim_lite.exercises._check import Case, Cases, cases


@cases("layers")
def _layers() -> Cases:
    yield Case("no layer", (28, (), (), ()), (28, 1), "each position is one pixel")
    reason = "the window starts at pixel 0, 1 or 2; the stride of a layer affects only later layers"
    yield Case("5 pixels, a window of 3", (5, (3,), (1,), (0,)), (3, 3), reason)
    reason = "(7 - 2) // 2 + 1 = 3: the last pixel is not used"
    yield Case("7 pixels, window 2, stride 2", (7, (2,), (2,), (0,)), (3, 2), reason)
    reason = "zeros are added on *each* side, and the second window adds one pixel on each side"
    yield Case("two windows of 3, padding 1", (32, (3, 3), (1, 1), (1, 1)), (32, 5), reason)
    situation = "windows of 5, 3, 2 and 3, strides 2, 1, 2 and 1, on 28 pixels"
    reason = (
        "each layer adds (F - 1) J, and J is the product of the earlier strides: 1 + 4 + 4 + 2 + 8"
    )
    yield Case(situation, (28, (5, 3, 2, 3), (2, 1, 2, 1), (2, 1, 0, 1)), (7, 19), reason)
