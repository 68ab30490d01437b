"""Few labels, folds and transfer: what may be seen, what is counted, and planted cases."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from simmim_lite.datasets import load_digits
from simmim_lite.evaluation import (
    LabeledSplit,
    cross_validate,
    draw_evenly,
    fit_linear_probe,
    fold_interval,
    grouped_folds,
    label_efficiency_curve,
    linear_probe,
    load_other_digits,
    probe_learner,
    shuffled_folds,
    transfer_table,
    wilson_interval,
)

# Few labels


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(2, 60))
def test_rows_are_drawn_evenly(seed, classes, N):
    labels = np.random.default_rng(seed).integers(0, classes, N)
    order = draw_evenly(labels, seed=seed)
    assert sorted(order) == list(range(N))
    sizes = pd.Series(labels).value_counts()
    for count in range(1, N + 1):
        drawn = pd.Series(labels[order[:count]]).value_counts().reindex(sizes.index, fill_value=0)
        unfinished = drawn[drawn < sizes]
        if len(unfinished):  # classes of which there are more have one row less, or none
            assert drawn.max() - unfinished.min() <= 1


def test_draws_differ_and_no_class_gains_from_a_remainder():
    labels = np.repeat(np.arange(10), 30)
    orders = [draw_evenly(labels, seed=seed) for seed in range(200)]
    assert len({tuple(order) for order in orders}) == 200
    first = np.bincount([labels[order[0]] for order in orders], minlength=10)
    assert first.min() > 3  # 20 each in the mean, with a standard deviation of 4.2
    assert first.max() < 37
    chosen = np.bincount(np.concatenate([order[:10] for order in orders]), minlength=300)
    assert chosen.max() < 25  # 6.7 in the mean


def test_curve_shows_learners_the_same_nested_balanced_rows():
    labels = np.repeat(["a", "b"], 40)
    seen = {"one": [], "two": []}

    def learner(name):
        return lambda rows: seen[name].append(rows) or len(rows) / 80

    table = label_efficiency_curve(
        {name: learner(name) for name in seen}, labels, counts=(2, 10, 80, 500), draws=3
    )
    assert table.columns.tolist() == ["labels", "draw", "learner", "accuracy"]
    counts = table.groupby(["labels", "learner"])["draw"].count().unstack()
    assert counts.loc[2].tolist() == counts.loc[10].tolist() == [3, 3]
    assert counts.loc[80].tolist() == [1, 1]  # of all rows there is one draw
    assert 500 not in counts.index
    assert (table["accuracy"] == table["labels"] / 80).all()
    for rows, others in zip(seen["one"], seen["two"], strict=True):
        assert (rows == others).all()
        assert abs((labels[rows] == "a").sum() - (labels[rows] == "b").sum()) == 0
    small, large = seen["one"][0], seen["one"][1]
    assert set(small) < set(large)
    assert set(seen["one"][0]) != set(seen["one"][3])


def test_probe_learner_is_a_probe_of_these_rows():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    x = np.eye(3)[y] + 0.5 * rng.standard_normal((200, 3))
    rows = np.arange(40, 70)
    found = probe_learner(x[:100], y[:100], x[100:], y[100:])(rows)
    assert found == linear_probe(x[rows], y[rows], x[100:], y[100:])


def test_curve_refuses_what_leaves_a_class_out():
    with pytest.raises(ValueError, match="counts: expected at least 3, one a class, got 2"):
        label_efficiency_curve({"one": len}, [0, 1, 2, 0], counts=(2,))
    with pytest.raises(ValueError, match="learners: "):
        label_efficiency_curve({}, [0, 1])


# Folds

LABELS = np.tile(np.arange(5), 60)
SPEAKERS = np.repeat([f"voice {i}" for i in range(12)], 25)


@pytest.mark.parametrize("folds", [2, 5, 12])
def test_grouped_folds_keep_groups_apart_and_use_each_row_once(folds):
    plan = grouped_folds(LABELS, SPEAKERS, folds=folds)
    assert len(plan) == folds
    for train, rest in plan:
        assert not set(SPEAKERS[train]) & set(SPEAKERS[rest])
        assert sorted([*train, *rest]) == list(range(300))
        assert np.bincount(LABELS[rest]).min() > 0
    assert sorted(np.concatenate([rest for _, rest in plan])) == list(range(300))
    again = grouped_folds(LABELS, SPEAKERS, folds=folds)
    assert all((a[1] == b[1]).all() for a, b in zip(plan, again, strict=True))


def test_shuffled_folds_mix_groups_and_keep_classes_even():
    for train, rest in shuffled_folds(LABELS, folds=5):
        assert len(set(SPEAKERS[train]) & set(SPEAKERS[rest])) > 6
        assert np.bincount(LABELS[rest]).tolist() == [12] * 5
        assert not set(train) & set(rest)


def test_what_is_known_of_speakers_only_is_good_in_shuffled_folds_alone():
    """Labels that hang on the speaker, and features that tell who it is."""
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(20), 15)
    labels = (rng.permutation(20) % 2)[speakers]
    x = rng.standard_normal((20, 30))[speakers] + 0.1 * rng.standard_normal((300, 30))

    def measure(train, rest):
        return linear_probe(x[train], labels[train], x[rest], labels[rest], C=100)

    table = cross_validate(measure, labels, speakers, folds=5)
    means = table.groupby("kind")["value"].mean()
    assert means["shuffled"] > 0.95
    assert means["grouped"] < 0.8  # 20 coins that 16 others do not tell; two SD above a half
    assert table.groupby("kind")["items"].sum().tolist() == [300, 300]


def test_fold_interval_is_wider_by_the_overlap():
    values = np.array([0.9, 0.92, 0.94, 0.9, 0.89])
    found = fold_interval(values)
    naive = values.std(ddof=1) / np.sqrt(5)
    assert found.value == pytest.approx(values.mean())
    # 2.7764 is Student's t of 4 degrees of freedom; sqrt(1 + 5 / 4) the correction.
    assert found.high - found.value == pytest.approx(2.7764 * naive * 1.5, rel=1e-4)
    assert found.value - found.low == pytest.approx(found.high - found.value)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (grouped_folds, ([0, 1, 0, 1], ["a", "a", "b", "b"]), "groups: expected 5 or more"),
        (grouped_folds, ([0, 1, 0], ["a", "b"]), "labels and groups: .*same number"),
        (shuffled_folds, ([0] * 9 + [1],), "labels: expected 5 or more of each class, got 1"),
        (fold_interval, ([0.9],), "values: "),
    ],
)
def test_folds_refuse(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)


# Transfer


def test_other_digits_look_like_mnist_and_are_none_of_it():
    other, ours = load_other_digits(), load_digits("train", full=False)
    assert other.images.shape == (1797, 28, 28)
    assert other.images.dtype == ours.images.dtype
    assert np.bincount(other.labels).min() > 170
    margin = np.ones((28, 28), bool)
    margin[4:24, 4:24] = False
    assert not other.images[:, margin].any()
    assert other.images.max() == 255
    ink = [images.mean() / 255 for images in (other.images, ours.images)]
    assert 0.5 < ink[0] / ink[1] < 2
    # Upright and not mirrored: what is special to a class is like what is special in MNIST.
    theirs, mine = (
        np.stack([d.images[d.labels == k].mean(axis=0) for k in range(10)]) for d in (other, ours)
    )
    theirs, mine = theirs - theirs.mean(axis=0), mine - mine.mean(axis=0)
    turns = theirs, theirs[:, ::-1], theirs[:, :, ::-1], theirs.transpose(0, 2, 1)
    likeness = [np.corrcoef(turned.ravel(), mine.ravel())[0, 1] for turned in turns]
    assert likeness[0] > 1.4 * max(likeness[1:])


def test_transfer_tells_as_it_is_from_an_own_probe():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    x = np.eye(3)[y] + 0.2 * rng.standard_normal((400, 3))
    home = LabeledSplit(x[:200], y[:200], x[200:], y[200:])
    turned = x[:, [1, 2, 0]]  # the same knowledge in other columns
    away = LabeledSplit(turned[:200], y[:200], turned[200:], y[200:])
    other = LabeledSplit(x[:200], y[:200] + 7, x[200:], y[200:] + 7)
    noise = lambda items: np.zeros((len(items), 2)) + rng.random((len(items), 2))  # noqa: E731
    table = transfer_table(
        {"plain": lambda items: items, "noise": noise}, home, {"turned": away, "classes": other}
    ).set_index(["features", "source"])
    assert table.loc[("plain", "home"), "as it is"] == table.loc[("plain", "home"), "own probe"]
    assert table.loc[("plain", "home"), "own probe"] > 0.97
    assert table.loc[("plain", "turned"), "as it is"] < 0.05
    assert table.loc[("plain", "turned"), "own probe"] > 0.97
    assert np.isnan(table.loc[("plain", "classes"), "as it is"])
    assert table.loc[("plain", "classes"), "own probe"] > 0.97
    assert table.loc["noise", "own probe"].max() < 0.5
    answers = fit_linear_probe(x[:200], y[:200]).predict(x[200:]) == y[200:]
    row = table.loc[("plain", "home")]
    assert (row["own probe"], row["low"], row["high"]) == wilson_interval(answers)
    assert (table["items"] == 200).all()


def test_transfer_tells_the_own_probe_so_many_labels_of_each_class():
    def embed(items):
        return items

    y = np.repeat(np.arange(4), 50)
    x = np.eye(4)[y]
    home = LabeledSplit(x, y, x, y)
    # With one label a class in four clean columns, the probe knows all; with 3 labels it cannot.
    few = transfer_table({"x": embed}, home, {}, labels=4)
    none = transfer_table({"x": embed}, home, {}, labels=3)
    assert few["own probe"].item() == 1
    assert none["own probe"].item() == 0.75
    with pytest.raises(ValueError, match=r"train and train_labels: .*same number"):
        transfer_table({"x": embed}, home._replace(train=x[:9]), {})
