"""Copies of rows carry no information."""

import numpy as np
import pytest
from doors import Door, Refused, as_arrays, differ, names_argument
from recipes import RECIPES, labels, numbers

from simmim_lite import evaluation, manifold, mutual_information

DOORS = {repr(door): door for door in RECIPES}
N = 60
X, Y = numbers(N, 1, seed=11).value, numbers(N, 1, seed=12).value
T = labels(N, 2, seed=13).value


def said(found) -> bool:
    return any(word in found.reason for word in ("cop", "repeat", "duplic"))


def some_rows(copies: int) -> np.ndarray:
    return np.tile(np.arange(N), copies)


def oversampled() -> np.ndarray:
    """The rarer symbol drawn with replacement until both are equally frequent."""
    rng = np.random.default_rng(0)
    few = np.arange(N) < 12
    return np.concatenate([np.flatnonzero(~few), rng.choice(np.flatnonzero(few), (~few).sum())])


ROWS = {
    "as drawn": some_rows(1),
    "twice": some_rows(2),
    "four times": some_rows(4),
    "bootstrap": np.random.default_rng(1).integers(N, size=4 * N),
    "one row often": np.concatenate([some_rows(1), np.zeros(N, int)]),
}


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("method", ["ksg", "ross", "auto"])
def test_copies_do_not_look_like_information(method: str, rows: np.ndarray):
    """Independent variables: 0 nats within the error, or the reason says what is wrong."""
    x = X if method == "ksg" else T
    found = mutual_information.estimate(x[rows], Y[rows], method)
    limit = max(4 * found.standard_error, 0.25)
    assert abs(found.nats) < limit or said(found), f"{found}; {found.reason}"


@pytest.mark.parametrize("method", ["ross", "auto"])
def test_an_oversampled_class_does_not_look_like_information(method: str):
    rows = oversampled()
    label = (np.arange(N) < 12).astype(int)
    found = mutual_information.estimate(label[rows], Y[rows], method)
    assert abs(found.nats) < max(4 * found.standard_error, 0.25) or said(found), str(found)


@pytest.mark.parametrize("copies", [2, 4])
@pytest.mark.parametrize("method", ["plug_in", "gaussian"])
def test_copies_change_no_estimate_of_frequencies_or_moments(method: str, copies: int):
    x, y = (T, labels(N, 3, seed=14).value) if method == "plug_in" else (X, Y)
    one = mutual_information.estimate(x, y, method).nats
    rows = some_rows(copies)
    many = mutual_information.estimate(x[rows], y[rows], method).nats
    assert many == pytest.approx(one, abs=1e-9 if method == "plug_in" else 0.02)


@pytest.mark.parametrize("method", ["two_nn", "levina_bickel"])
def test_copies_change_no_dimension(method: str):
    x = np.hstack([X, Y])
    one = manifold.intrinsic_dimension(x, method)
    assert manifold.intrinsic_dimension(x[some_rows(3)], method) == pytest.approx(one)


def test_copies_change_no_distance_of_sets():
    a, b = np.hstack([X, Y]), np.hstack([Y, X])
    rows = some_rows(3)
    assert evaluation.distance_to_nearest(a[rows], b[rows]) == pytest.approx(
        evaluation.distance_to_nearest(a, b)
    )


def test_copies_of_generated_items_change_no_density_and_coverage():
    real, made = np.hstack([X, Y]), np.hstack([Y, X])
    one = evaluation.density_and_coverage(real, made)
    assert evaluation.density_and_coverage(real, made[some_rows(3)]) == pytest.approx(one)


def test_real_items_that_repeat_leave_balls_around_them():
    """With k copies of each, every ball would have radius 0, and nothing would be covered."""
    real, made = np.hstack([X, Y]), np.hstack([Y, X])
    found = DOORS["evaluation.density_and_coverage"].of(real=real[some_rows(7)], generated=made)
    if isinstance(found, Refused):
        assert names_argument(found.message, "real")
    else:
        assert found["result"][1] > 0.5


@pytest.mark.slow
def test_copies_change_no_clusters():
    x = np.hstack([X, Y])
    x[::2] += 8
    one, many = (
        manifold.ManifoldInfoMax(2, max_iter=60, random_state=0).fit(x[rows]).labels_
        for rows in (some_rows(1), some_rows(4))
    )
    assert evaluation.cluster_accuracy(np.tile(one, 4), many) > 0.95


@pytest.mark.parametrize("name", ["entropy.sample_entropy", "evaluation.cluster_accuracy"])
def test_copies_change_no_shares(name: str):
    door: Door = DOORS[name]
    many = {n: np.tile(a.value, 3) for n, a in door.arguments.items()}
    assert differ(as_arrays(door.call(**many)), door.expected, 1e-9) is None
