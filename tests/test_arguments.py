"""`_arguments.py`: what comes through a check, and what each refusal says."""

import numpy as np
import pytest
import torch

from simmim_lite import _arguments as arguments


def test_samples_become_float_columns():
    for given in ([1, 2, 3], (1.0, 2.0, 3.0), np.array([1, 2, 3], np.uint8), torch.arange(1, 4)):
        samples = arguments.as_samples("x", given)
        assert samples.dtype == np.float64
        assert samples.tolist() == [[1.0], [2.0], [3.0]]
    assert arguments.as_samples("x", np.ones((4, 3))).shape == (4, 3)


def test_samples_are_a_copy():
    given = np.zeros((3, 1))
    arguments.as_samples("x", given)[:] = 1
    assert (given == 0).all()


def test_tensors_that_require_gradients_are_accepted():
    assert arguments.as_array("x", torch.ones(2, requires_grad=True)).tolist() == [1.0, 1.0]


def test_bfloat16_tensors_are_accepted():
    given = torch.tensor([1.5, 2.0], dtype=torch.bfloat16)
    assert arguments.as_samples("x", given).tolist() == [[1.5], [2.0]]


def test_labels_are_codes_in_sorted_order():
    assert arguments.as_labels("x", ["b", "a", "b"]).tolist() == [1, 0, 1]
    assert arguments.as_labels("x", [7.5, -1.0, 7.5]).tolist() == [1, 0, 1]
    assert arguments.as_labels("x", [True, False]).tolist() == [1, 0]
    assert arguments.as_labels("x", [[0, 9], [0, 1], [0, 9]]).tolist() == [1, 0, 1]
    assert arguments.as_labels("x", np.array(["b", "a"], dtype=object)).tolist() == [1, 0]


def test_probabilities_keep_their_shape():
    table = arguments.as_probabilities("p", [[0.25, 0.25], [0.5, 0]])
    assert table.shape == (2, 2)
    assert table.dtype == np.float64


def test_numbers_come_back_as_plain_python():
    assert type(arguments.check_integer("k", np.int64(3), minimum=1)) is int
    assert type(arguments.check_number("t", np.float32(0.5), minimum=0)) is float


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda a: a.as_array("x", [[1], [1, 2]]), ValueError, "x: .* rows of unequal length"),
        (lambda a: a.as_samples("x", ["1", "2"]), TypeError, "x: .* real numbers, got dtype <U1"),
        (lambda a: a.as_samples("x", [1j, 2]), TypeError, "x: .* got dtype complex128"),
        (lambda a: a.as_samples("x", np.ones((2, 2, 2))), ValueError, r"x: .* got \(2, 2, 2\)"),
        (lambda a: a.as_samples("x", np.ones((5, 0))), ValueError, r"x: .* got \(5, 0\)"),
        (lambda a: a.as_samples("x", 3.0), ValueError, r"x: .* got \(\)"),
        (lambda a: a.as_samples("x", [1], minimum=2), ValueError, "x: .* 2 samples, got 1"),
        (
            lambda a: a.as_samples("x", [[1, 2], [3, np.inf], [np.nan, 0]]),
            ValueError,
            r"x: .* got \[3.0, inf\] in row 1 \(2 bad rows\)",
        ),
        (lambda a: a.as_labels("y", np.ones((2, 2, 2))), ValueError, r"y: .* got \(2, 2, 2\)"),
        (lambda a: a.as_labels("y", [1.0, np.nan]), ValueError, "y: .*nan.* in row 1"),
        (lambda a: a.as_probabilities("p", 1.0), ValueError, r"p: .* non-empty .* got \(\)"),
        (lambda a: a.as_probabilities("p", [1.5, -0.5]), ValueError, r"p: .* got -0.5 at \(1,\)"),
        (lambda a: a.as_probabilities("p", [0.5, 0.4]), ValueError, "p: .* got sum 0.9"),
        (
            lambda a: a.check_same_length(x=[1, 2], y=[1]),
            ValueError,
            "x and y: .* x has 2, y has 1",
        ),
        (lambda a: a.check_choice("m", "c", ("a", "b")), ValueError, "m: .* 'a', 'b', got 'c'"),
        (lambda a: a.check_integer("k", True, minimum=0), TypeError, "k: .* got True"),
        (lambda a: a.check_integer("k", 2.0, minimum=0), TypeError, "k: .* got 2.0"),
        (lambda a: a.check_integer("k", 9, minimum=0, maximum=8), ValueError, r"in 0..8, got 9"),
        (lambda a: a.check_number("t", "1", minimum=0), TypeError, "t: .* got '1'"),
        (lambda a: a.check_number("t", float("inf"), minimum=0), ValueError, "t: .* got inf"),
        (lambda a: a.check_number("t", 2, minimum=0, maximum=1), ValueError, r"\[0, 1\], got 2"),
    ],
)
def test_refusals_name_the_argument_and_what_came(call, error, message):
    with pytest.raises(error, match=message):
        call(arguments)
