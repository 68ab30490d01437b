"""Pairings: positives within a class, and a mutual information that is counted exactly."""

import math
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch

from simmim_lite import datasets, multimodal
from simmim_lite.datasets import BlindPairing, Pairing
from simmim_lite.entropy import mutual_information

WORDS = ("zero", "one", "two", "three")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def three_modalities():
    rng = np.random.default_rng(0)
    digits = rng.integers(0, 4, 30)
    thick = rng.integers(0, 2, 30)
    texts = [f"a {'thick ' * t}{WORDS[d]}" for d, t in zip(digits, thick, strict=True)]
    speech = np.r_[np.arange(4), rng.integers(0, 4, 9)]
    items = {"image": np.zeros((30, 2, 2)), "speech": np.zeros((13, 5)), "text": texts}
    return Pairing(items, {"image": digits, "speech": speech}), digits, speech, texts


def test_information_and_population_by_brute_force():
    pairs, digits, speech, texts = three_modalities()
    distinct = sorted(set(texts))
    wanted = {
        pair: np.zeros(shape)
        for pair, shape in [
            (("image", "speech"), (30, 13)),
            (("image", "text"), (30, len(distinct))),
            (("speech", "text"), (13, len(distinct))),
        ]
    }
    for i, (digit, text) in enumerate(zip(digits, texts, strict=True)):
        positives = np.flatnonzero(speech == digit)
        for j in positives:
            p = 1 / 30 / len(positives)
            wanted["image", "speech"][i, j] += p
            wanted["image", "text"][i, distinct.index(text)] += p
            wanted["speech", "text"][j, distinct.index(text)] += p
    for (a, b), table in wanted.items():
        population = pairs.population(a, b)
        np.testing.assert_allclose(population.joint, table, atol=1e-12)
        truth = mutual_information(table)
        assert population.mutual_information == pytest.approx(truth)
        assert pairs.mutual_information[a, b] == pytest.approx(truth)
        if b == "text":
            assert [texts[i] for i in population.second] == distinct
        np.testing.assert_allclose(pairs.population(b, a).joint, table.T, atol=1e-12)


@pytest.mark.parametrize("numpy", [False, True])
def test_positives_are_uniform_within_the_class(numpy):
    pairs, digits, speech, _ = three_modalities()
    rows = np.tile(np.arange(30), 400)
    if numpy:
        drawn = pairs.indices(rows, np.random.default_rng(0))
    else:
        drawn = {n: i.numpy() for n, i in pairs.indices(torch.tensor(rows), generator()).items()}
    np.testing.assert_array_equal(drawn["image"], rows)
    np.testing.assert_array_equal(drawn["text"], rows)
    assert (speech[drawn["speech"]] == digits[rows]).all()
    for digit in range(4):
        counts = np.bincount(drawn["speech"][digits[rows] == digit], minlength=13)
        counts = counts[speech == digit]
        expected = counts.mean()
        assert (abs(counts - expected) < 5 * math.sqrt(expected)).all()


def test_positives_are_drawn_anew():
    rows = torch.arange(30)
    fresh, digits, speech, _ = three_modalities()
    first, second = (fresh.indices(rows, generator(seed))["speech"] for seed in (0, 1))
    assert not torch.equal(first, second)
    assert torch.equal(first, fresh.indices(rows, generator(0))["speech"])
    assert (speech[first] == digits).all()


def test_rows_that_are_no_symbols_all_differ():
    pairs = Pairing({"a": np.zeros((8, 3)), "b": np.zeros((8, 2)), "c": np.arange(8) % 2})
    found = pairs.mutual_information
    assert found["a", "b"] == pytest.approx(math.log(8))
    assert found["a", "c"] == found["b", "c"] == pytest.approx(math.log(2))


def test_a_blind_pairing_gives_items_and_positives_only():
    pairs, _, _, _ = three_modalities()
    blind = BlindPairing(pairs)
    rows = torch.arange(30)
    drawn, expected = (p.indices(rows, generator()) for p in (blind, pairs))
    assert all(torch.equal(drawn[name], expected[name]) for name in pairs.items)
    assert (len(blind), blind.items) == (30, pairs.items)
    for question in ("mutual_information", "labels", "_classes", "_symbols"):
        with pytest.raises(PermissionError, match="expected questions about items and positives"):
            getattr(blind, question)
    with pytest.raises(PermissionError):
        blind.population("image", "speech")


def test_there_is_one_pairing():
    assert multimodal.Pairing is Pairing
    assert multimodal.BlindPairing is BlindPairing


def test_pairs_without_torch():
    code = "import sys; from simmim_lite import datasets; datasets.paired_digits(n=3); "
    loaded = subprocess.run([sys.executable, "-c", code + "sys.exit('torch' in sys.modules)"])
    assert loaded.returncode == 0


@pytest.mark.parametrize(
    "column",
    [
        ["a", "b", "b", "c"],
        np.array(["a", "b", "b", "c"], dtype=object),
        pd.Series(["a", "b", "b", "c"], index=[9, 8, 7, 6]),
        pd.Series(["a", "b", "b", "c"], dtype="category"),
        [0, 5, 5, 7],
        np.array([0.0, 5.0, 5.0, 7.0], np.float32),
        torch.tensor([0, 5, 5, 7]),
        [False, 1, True, Decimal(7)],
    ],
)
def test_equal_symbols_are_one_symbol_in_every_kind_of_column(column):
    pairs = Pairing({"a": np.zeros((4, 2)), "b": column})
    expected = 1.5 * np.log(2)  # H(1/4, 1/2, 1/4)
    assert pairs.mutual_information == {("a", "b"): pytest.approx(expected, abs=1e-12)}
    assert pairs.population("a", "b").joint.shape == (4, 3)


def test_a_number_is_not_the_text_of_it():
    with pytest.raises(ValueError, match="labels: expected items of every class in 'b', got none"):
        Pairing({"a": np.eye(2), "b": np.eye(2)}, {"a": [0, 1], "b": ["0", "1"]})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pairing({"a": [[1.0]] * 2, "b": ["x", None]}), r"items\['b'\]: .*row 1"),
        (
            lambda: Pairing({"a": [[1.0]] * 2, "b": [[1.0]] * 2}, {"a": [0, np.nan], "b": [0, 1]}),
            "labels: .*row 1",
        ),
        (
            lambda: Pairing(
                {"a": [[1.0]] * 2, "b": [[1.0]] * 2}, {"a": ["x", None], "b": ["x", "y"]}
            ),
            "labels: .*row 1",
        ),
        (lambda: Pairing({"a": [1.0]}), "items: .*two modalities"),
        (lambda: Pairing({"a": [[1.0]], "b": [[1.0], [2.0]]}), "items: expected 1 in 'b'"),
        (
            lambda: Pairing({"a": [[1.0]], "b": [[1.0]]}, {"b": [0]}),
            "labels: expected those of 'a'",
        ),
        (
            lambda: Pairing({"a": [[1.0]], "b": [[1.0]]}, {"a": [0], "b": [0, 1]}),
            r"labels: .*\(1,\) and \(2,\)",
        ),
        (
            lambda: Pairing({"a": [[1.0]] * 2, "b": [[1.0]]}, {"a": [0, 3], "b": [0]}),
            "labels: .*none of class .*3.*row 1",
        ),
        (
            lambda: Pairing({"a": [[1.0]], "b": [[1.0]]}).indices(np.array([-1]), None),
            "rows: .*got -1",
        ),
        (lambda: three_modalities()[0].population("image", "image"), "first, second: "),
        (lambda: three_modalities()[0].population("smell", "image"), "first, second: .*smell"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- paired digits -------------------------------------------------------------------------


def test_paired_digits_are_of_one_class_and_the_text_is_that_images():
    pairs = datasets.paired_digits()
    images, speech = datasets.load_digits(), datasets.load_speech()
    captions = datasets.load_captions()
    np.testing.assert_array_equal(np.sort(pairs.indices["image"]), np.arange(4000))
    np.testing.assert_array_equal(pairs.indices["text"], pairs.indices["image"])
    np.testing.assert_array_equal(images.labels[pairs.indices["image"]], pairs.labels)
    np.testing.assert_array_equal(speech.labels[pairs.indices["speech"]], pairs.labels)
    np.testing.assert_array_equal(pairs.data["image"], images.images[pairs.indices["image"]])
    assert pairs.data["text"] == [captions.texts[i] for i in pairs.indices["image"]]
    chosen = speech.waveforms[pairs.indices["speech"][7]]
    np.testing.assert_array_equal(pairs.data["speech"][7], chosen)
    assert (len(pairs), list(pairs.data)) == (4000, ["image", "speech", "text"])


def test_paired_digits_repeat_with_the_seed_and_whatever_the_modalities():
    first = datasets.paired_digits(("speech", "image"), n=6000, seed=3)
    again = datasets.paired_digits(("image", "speech", "text"), n=6000, seed=3)
    other = datasets.paired_digits(("image", "speech"), n=6000, seed=4)
    for name in ("image", "speech"):
        np.testing.assert_array_equal(first.indices[name], again.indices[name])
        assert (first.indices[name] != other.indices[name]).any()
    assert len(first) == 6000  # with replacement, so more than there are images


@pytest.mark.parametrize("modalities", [("image", "speech"), ("image", "text"), ("text", "speech")])
def test_two_modalities_come_with_the_one_truth_between_them(modalities):
    pairs = datasets.paired_digits(modalities, split="test", n=50)
    assert set(pairs.data) == set(pairs.indices) == set(modalities)
    captions = datasets.load_captions("test")
    expected = captions.entropy if "speech" not in modalities else np.log(10)
    ordered = tuple(sorted(modalities))  # alphabetical happens to be their order
    assert pairs.mutual_information == {ordered: pytest.approx(expected, abs=1e-12)}


def test_the_truth_equals_the_mutual_information_of_a_whole_joint_table():
    # A small population, all outcomes enumerated: 7 images, 3 classes, 5 captions, 6 recordings.
    labels = np.array([0, 0, 0, 1, 1, 2, 2])
    captions = np.array([0, 0, 1, 2, 2, 3, 4])
    recordings = np.array([0, 1, 1, 1, 2, 2])
    joint = np.zeros((7, 6, 5))  # image, recording, caption
    for image, label in enumerate(labels):
        same = np.flatnonzero(recordings == label)
        joint[image, same, captions[image]] = 1 / 7 / len(same)
    items = {"image": np.zeros((7, 2)), "speech": np.zeros((6, 2)), "text": captions}
    known = Pairing(items, {"image": labels, "speech": recordings}).mutual_information
    for (one, other), summed in zip(
        [("image", "speech"), ("image", "text"), ("speech", "text")], (2, 1, 0), strict=True
    ):
        exact = mutual_information(joint.sum(axis=summed))
        assert known[one, other] == pytest.approx(exact, abs=1e-12)


def test_recordings_are_drawn_uniformly_within_the_class():
    labels, recordings = np.array([0, 1]), np.array([1, 0, 1, 1, 0])
    pairs = Pairing({"a": [[0], [1]], "b": np.eye(5)}, {"a": labels, "b": recordings})
    rows = np.repeat([0, 1], 20000)
    drawn = pairs.indices(rows, np.random.default_rng(0))["b"]
    counts = np.bincount(drawn, minlength=5)
    expected = np.array([20000 / 3, 10000, 20000 / 3, 20000 / 3, 10000])
    # Binomial counts have a standard deviation below 71: five of them.
    np.testing.assert_allclose(counts, expected, atol=355)
    np.testing.assert_array_equal(recordings[drawn], rows)
