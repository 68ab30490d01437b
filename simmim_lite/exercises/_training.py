"""Cases of the exercises of notebook 11."""

from simmim_lite.exercises._check import Case, Cases, cases


@cases("batch that fits")
def _batch_that_fits() -> Cases:
    reason = "1,600 bytes are for the parameters, and 400 bytes are left"
    yield Case("2,000 bytes, 100 parameters", (2000, 100, 40), 10, reason)
    yield Case("one byte less", (1999, 100, 40), 9, "the tenth item would not fit")
    yield Case("a model that is too large", (1000, 100, 40), 0, "the parameters alone need 1,600")


@cases("epoch mean")
def _epoch_mean() -> Cases:
    yield Case("equal batches", ([1.0, 3.0], [8, 8]), 2.0, "the plain mean")
    reason = "eight items have loss 1 and two items have loss 6"
    yield Case("a last batch of 2 after one of 8", ([1.0, 6.0], [8, 2]), 2.0, reason)
