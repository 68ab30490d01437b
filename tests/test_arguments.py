"""`_arguments.py`: what comes through a check, and what each refusal says."""

import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

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


# The same numbers in other clothes: first dense arrays, then what else is taken for numbers.
ARRAYS = {
    "float64": lambda v: v.astype(float),
    "float16": lambda v: v.astype(np.float16),
    "long double": lambda v: v.astype(np.longdouble),
    "big-endian": lambda v: v.astype(">f8"),
    "reversed": lambda v: np.ascontiguousarray(v[::-1])[::-1],
    "read-only": lambda v: np.broadcast_to(v, v.shape),
    "field of records": lambda v: np.rec.fromarrays([v.astype(np.int8), v])["f1"],
    "masked": lambda v: np.ma.array(v, mask=v < -100),
}
NUMBERS = ARRAYS | {
    "list": lambda v: v.tolist(),
    "Decimal": lambda v: [Decimal(int(n)) for n in v],
    "Fraction": lambda v: [Fraction(int(n)) for n in v],
    "object": lambda v: v.astype(object),
    "of three types": lambda v: [(int, float, Decimal)[i % 3](int(n)) for i, n in enumerate(v)],
    "category": lambda v: pd.Series(v, dtype="category"),
    "Int64": lambda v: pd.Series(v, dtype="Int64", index=np.arange(len(v))[::-1]),
    "Float64": lambda v: pd.Series(v, dtype="Float64"),
    "frame": lambda v: pd.DataFrame({"column": v}),
    "index": lambda v: pd.Index(v),
    "tensor": lambda v: torch.tensor(v),
    "bfloat16": lambda v: torch.tensor(v).bfloat16(),
    "gradient": lambda v: torch.tensor(v, dtype=torch.float64, requires_grad=True),
    "negative bit": lambda v: torch.complex(torch.zeros(len(v)), -torch.tensor(v)).conj().imag,
    "list of tensors": lambda v: list(torch.tensor(v)),
}
WORDS = {
    "digits": lambda v: v.astype(str),
    "digits as objects": lambda v: v.astype(str).astype(object),
    "digits of pandas": lambda v: pd.Series(v.astype(str), dtype="string"),
}
LABELS = np.random.default_rng(0).integers(0, 7, 200)


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_are_the_same_from_every_container(kind):
    given = NUMBERS[kind](LABELS.astype(np.float32) if kind == "negative bit" else LABELS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(arguments.as_samples("x", given)[:, 0], LABELS)
        assert np.array_equal(arguments.as_labels("x", given), LABELS)
        tensor = arguments.as_tensor("x", given, dtype=torch.int64)
        assert torch.equal(tensor.ravel(), torch.tensor(LABELS))
        assert arguments.as_tensor("x", given).is_floating_point()
        torch.from_numpy(arguments.as_array("x", given))
    assert arguments.is_symbolic("x", given)


def test_arrays_become_float32_whatever_the_state_of_torch():
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"), torch.inference_mode():
            made = arguments.as_tensor("x", [1, 2])
    finally:
        torch.set_default_dtype(torch.float32)
    assert (made.dtype, made.device.type, made.tolist()) == (torch.float32, "cpu", [1, 2])
    given = torch.ones(2, dtype=torch.float64, requires_grad=True)
    arguments.as_tensor("x", given).sum().backward()
    assert given.grad.tolist() == [1, 1]
    array = np.zeros(3, np.float32)
    arguments.as_tensor("x", array).add_(1)
    assert (array == 0).all()


@pytest.mark.parametrize("unit", [1.0, 1e-12, 1e12, 1 / 2.54])
def test_symbols_are_found_by_their_values_in_any_unit(unit):
    rng = np.random.default_rng(0)
    height = np.round(rng.normal(170, 9, 1000)) * unit  # 57 distinct values
    normal = rng.normal(size=1000) * unit
    for symbols in (LABELS * unit, rng.poisson(4, 200) * unit, rng.permutation(60) % 2):
        assert arguments.is_symbolic("x", symbols)
    for numbers in (height, normal, normal.astype(np.float32), np.repeat(normal[:100], 10)):
        assert not arguments.is_symbolic("x", numbers)
    pairs = np.c_[LABELS % 2, LABELS % 3]
    assert arguments.is_symbolic("x", pairs * unit)
    assert not arguments.is_symbolic("x", np.c_[pairs * unit, normal[:200]])


@pytest.mark.parametrize("kind", [*NUMBERS, *WORDS])
@pytest.mark.parametrize("distinct", [2, 10, 20, 40, 200])
def test_symbols_do_not_depend_on_the_type(kind, distinct):
    values = np.random.default_rng(0).permutation(400) % distinct
    given = (NUMBERS | WORDS)[kind](values.astype(np.float32) if kind == "negative bit" else values)
    assert arguments.is_symbolic("x", given) == (distinct <= 40)


def test_symbols_do_not_merge():
    assert arguments.as_labels("x", [2**53, 2**53 + 1, 1]).tolist() == [1, 2, 0]
    assert arguments.as_labels("x", [2**63, 2**63 + 1, -1]).tolist() == [1, 2, 0]
    assert arguments.as_labels("x", [1, "1", 1.0, True]).tolist() == [0, 1, 0, 0]
    assert arguments.as_labels("x", [[1, "b"], [10, "a"], [1.0, "b"]]).tolist() == [0, 1, 0]
    a, b = arguments.as_common_labels(a=["x", "y"], b=pd.Series(["y", "z"], dtype="category"))
    assert (a.tolist(), b.tolist()) == ([0, 1], [1, 2])


MISSING = {
    "None": ([1, None, 3], 1),
    "None among words": (["a", "b", None], 2),
    "nan among words": (["a", float("nan")], 1),
    "NA": (pd.Series([True, None], dtype="boolean"), 1),
    "NA among words": (pd.Series(["a", None], dtype="string"), 1),
    "category": (pd.Series(["a", None], dtype="category"), 1),
    "NaT": (np.array(["2020", "NaT"], "M8[s]"), 1),
    "frame": (pd.DataFrame({"n": [1, 2], "word": ["a", None]}), 1),
    "mask": (np.ma.array([1.0, 2.0], mask=[False, True]), 1),
    "list of masks": ([np.ma.array([1, 2]), np.ma.array([1, 2], mask=[True, False])], 0),
    "Decimal": ([Decimal(1), Decimal("sNaN")], 1),
}


@pytest.mark.parametrize("check", ["as_array", "as_samples", "as_labels", "is_symbolic"])
@pytest.mark.parametrize("kind", MISSING)
def test_missing_values_are_refused_with_their_row(check, kind):
    given, row = MISSING[kind]
    with pytest.raises(ValueError, match=rf"^x: expected no missing values, .* in row {row} \(1 "):
        getattr(arguments, check)("x", given)


def test_a_nullable_column_without_a_value_is_refused():
    with pytest.raises(ValueError, match=r"x: .*(nan|NA)"):
        arguments.as_samples("x", pd.Series([1, None], dtype="Int64"))


def test_probabilities_need_the_sum_1_within_their_precision():
    exact = np.random.default_rng(0).dirichlet(np.ones(1000))
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.float16, 1e-2), (torch.bfloat16, 1e-2)):
        table = arguments.as_probabilities("p", torch.tensor(exact).to(dtype))
        assert table.sum() == pytest.approx(1, abs=1e-12)
        assert table == pytest.approx(exact, rel=tolerance, abs=1e-5)
    rows = arguments.as_probabilities("p", np.full((5, 3), 1 / 3, np.float32), axis=1)
    assert rows == pytest.approx(1 / 3, abs=1e-15)


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
        (lambda a: a.as_probabilities("p", [0.5, 0.5 + 3e-9]), ValueError, "got sum 1.000000003"),
        (lambda a: a.as_probabilities("p", [[1], [2]], axis=1), ValueError, r"sum 2.0 in row 1"),
        (lambda a: a.as_array("x", {1, 2}), TypeError, "x: expected an array, got set"),
        (lambda a: a.as_array("x", (n for n in "ab")), TypeError, "x: .* got generator"),
        (lambda a: a.as_array("x", {"a": 1}), TypeError, "x: .* got dict"),
        (lambda a: a.as_array("x", "abc"), TypeError, "x: .* got str"),
        (lambda a: a.as_array("x", None), TypeError, "x: .* got NoneType"),
        (lambda a: a.as_array("x", sparse.eye(2)), TypeError, "x: .* got dia_"),
        (lambda a: a.as_array("x", torch.eye(2).to_sparse()), TypeError, "x: .* torch.sparse_coo"),
        (lambda a: a.as_array("x", torch.empty(2, device="meta")), TypeError, r"x: .*\(meta\)"),
        (lambda a: a.as_array("x", torch.ones(2) * 1j), TypeError, "x: .* complex64"),
        (lambda a: a.as_array("x", [Decimal("1e400")]), ValueError, "x: .* float64, got 1E.400"),
        (lambda a: a.as_labels("x", np.array([{}, 1])), TypeError, "x: expected symbols, got {}"),
        (lambda a: a.is_symbolic("x", [["a", n] for n in range(30)]), TypeError, "x: .* got both"),
        (lambda a: a.is_symbolic("x", ["1", "nan"]), ValueError, "x: .* missing .* in row 1"),
        (lambda a: a.as_tensor("x", [1e300]), ValueError, r"x: .*float32, got 1e\+300 at \(0,\)"),
        (lambda a: a.as_tensor("x", [1, np.nan]), ValueError, r"x: expected finite .* at \(1,\)"),
        (
            lambda a: a.as_tensor("x", [0.5], dtype=torch.int64),
            ValueError,
            "x: .* torch.int64, got 0.5",
        ),
        (lambda a: a.as_tensor("x", ["a"]), TypeError, "x: .* got dtype <U1"),
        (
            lambda a: a.as_class_numbers("y", [0, 1.5], 3),
            ValueError,
            "y: .* 0..2, got 1.5 in row 1",
        ),
        (lambda a: a.as_class_numbers("y", [0, 3], 3), ValueError, "y: .* got 3 in row 1"),
        (lambda a: a.as_common_labels(a=[1], b=["1"]), TypeError, "a and b: .* a has numbers, b"),
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
