"""Measures of generated items: closed forms, other implementations, planted failures."""

import math

import numpy as np
import pytest
import torch

from simmim_lite.datasets import load_digits, load_speech
from simmim_lite.encoders import AudioEncoder, ImageEncoder
from simmim_lite.evaluation import (
    EvaluationClassifier,
    RealItems,
    caption_cosine,
    caption_match,
    coherence_table,
    density_and_coverage,
    distance_to_nearest,
    frechet_distance,
    gaussian_noise,
    generation_table,
    log_mel_error,
    mistype,
    psnr,
    robustness_table,
    salt_and_pepper,
    scale_invariant_snr,
    snr,
    spectral_convergence,
    spread_within_classes,
    ssim,
)


def normal(N, dim, seed=0):
    return np.random.default_rng(seed).standard_normal((N, dim))


# Distances between sets


def test_frechet_distance_of_normal_distributions_is_that_of_their_moments():
    """Diagonal: |m - m'|^2 + sum (s - s')^2; and turning both changes nothing."""
    x, y = normal(4000, 3), normal(4000, 3, 1)
    for z in (x, y):  # exact moments, so that the answer is exact
        z -= z.mean(axis=0)
        z[:] = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z, rowvar=False))).T
    y = y * (1.0, 2.0, 0.5) + (3.0, 0.0, 0.0)
    assert frechet_distance(x, y) == pytest.approx(9 + 1 + 0.25)
    turn = np.linalg.qr(normal(3, 3, 2))[0]
    assert frechet_distance(x @ turn, y @ turn) == pytest.approx(10.25)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_is_the_one_of_torchmetrics():
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Given(torch.nn.Module):
        num_features = 5

        def forward(self, x):
            return x

    x, y = normal(300, 5), normal(200, 5, 1) @ normal(5, 5, 2)
    metric = FrechetInceptionDistance(feature=Given(), normalize=True, input_img_size=(5,))
    metric.used_custom_model = True
    metric.set_dtype(torch.float64)
    for real, z in ((True, x), (False, y)):
        metric.update(torch.from_numpy(z), real=real)
    assert frechet_distance(x, y) == pytest.approx(metric.compute().item(), rel=1e-6)


def test_density_and_coverage_of_points_counted_by_hand():
    real = np.array([[0.0], [1.0], [10.0], [11.0]])  # radius 1 around each, for k = 1
    made = np.array([[0.5], [0.6], [50.0]])
    # balls around 0 and 1 hold two generated points each, those around 10 and 11 none
    assert density_and_coverage(real, made, k=1) == (pytest.approx(4 / 3), pytest.approx(0.5))


def test_density_and_coverage_tell_equal_from_collapsed_and_from_far():
    real = normal(800, 4)
    density, coverage = density_and_coverage(real, normal(800, 4, 1))
    assert density == pytest.approx(1, abs=0.1)
    assert coverage == pytest.approx(1 - 0.5**5, abs=0.03)  # expected for equal distributions
    density, coverage = density_and_coverage(real, np.zeros((800, 4)) + 0.01 * normal(800, 4, 1))
    assert density > 1.2  # all where real ones are dense, and
    assert coverage < 0.2  # all in one place
    assert density_and_coverage(real, normal(800, 4, 1) + 50) == (0, 0)


def test_spread_is_within_classes_and_copies_have_no_distance():
    x = np.array([[0.0], [2.0], [100.0], [104.0], [7.0]])
    assert spread_within_classes(x, [0, 0, 1, 1, 2]) == pytest.approx((2 + 4) / 2)
    with pytest.raises(ValueError, match="labels: expected a class of two"):
        spread_within_classes(x, range(5))
    memory = np.zeros((3, 1, 2, 2)) + np.arange(3)[:, None, None, None]
    assert distance_to_nearest(memory[:2], memory) == 0
    assert distance_to_nearest(memory[:1] + 0.25, memory) == pytest.approx(0.5)  # 4 pixels
    with pytest.raises(ValueError, match="memory: expected 4 numbers an item, got 3"):
        distance_to_nearest(memory, np.zeros((2, 3)))


# EvaluationClassifier and table


@pytest.fixture(scope="module")
def judged():
    train, test = load_digits("train"), load_digits("test")
    encoder = ImageEncoder(width=8, dim=32, seed=5)
    judge = EvaluationClassifier(encoder)
    judge.fit(train.images, train.labels, steps=60, progress=False)
    items = encoder.prepare(test.images[::2])
    memory = encoder.prepare(train.images[::4])
    return RealItems(judge, items, test.labels[::2], memory), train


def test_a_judge_knows_real_digits_and_no_noise(judged):
    truth, _ = judged
    assert truth.judge.coherence(truth.items, truth.labels) > 0.9
    noise = torch.rand(500, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert truth.judge.coherence(noise, truth.labels) < 0.3
    with pytest.raises(ValueError, match="items and labels: expected the same number"):
        truth.judge.coherence(noise, truth.labels[:10])


def test_halves_differ_in_no_frequency_of_a_class(judged):
    truth, _ = judged
    first, second = truth.halves
    assert sorted(torch.cat([first, second]).tolist()) == list(range(len(truth.labels)))
    counts = [np.bincount(truth.labels[half], minlength=10) for half in (first, second)]
    assert abs(counts[0] - counts[1]).max() <= 1
    assert (np.diff(truth.labels[first]) < 0).sum() > 100  # not sorted: a part is of all classes
    assert torch.equal(first, truth.halves[0])


def test_the_table_shows_each_failure_by_the_measure_that_reveals_it(judged):
    truth, train = judged
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 25)
    rows = np.array([generator.choice(np.flatnonzero(train.labels == c), 4) for c in labels])
    retrieved = truth.judge.encoder.prepare(train.images[rows.ravel()]).unflatten(0, rows.shape)
    means = torch.stack([retrieved[labels == c, 0].mean(dim=0) for c in range(10)])
    fair = truth.judge.encoder.prepare(load_digits("test").images[1::2])
    fair_labels = load_digits("test").labels[1::2]
    table = generation_table(
        truth,
        {
            "memory": (means[labels], labels),  # collapsed: one image a class
            "no memory": (fair[torch.randperm(500, generator=torch.Generator())], fair_labels),
        },
        retrieved=retrieved,
    )
    assert list(table.index) == ["memory", "no memory", "retrieval", "pixel mean", "real"]
    assert table.loc["memory", "diversity"] < 0.05 < 0.5 * table.loc["pixel mean", "diversity"]
    assert table.loc["memory", "coverage"] < 0.2 < 0.8 < table.loc["real", "coverage"]
    assert table.loc["memory", "frechet"] > 5 * table.loc["real", "frechet"]
    assert table.loc["no memory", "coherence"] < 0.3 < 0.9 < table.loc["real", "coherence"]
    # Of what was retrieved from all training images, a quarter is in the memory that is asked here.
    assert table.loc["retrieval", "copy_distance"] == pytest.approx(0.75, abs=0.1)
    assert table.loc["real", ["diversity", "copy_distance"]].to_numpy() == pytest.approx(1, abs=0.1)
    assert table.loc["pixel mean", "diversity"] < 0.95 * table.loc["retrieval", "diversity"]


def test_consistency_counts_votes_and_sees_through_a_constant(judged):
    truth, _ = judged
    constant = truth.items[:20, None].expand(-1, 6, -1, -1, -1)
    found = truth.consistency(constant)
    assert found["agreement"] == 1
    assert found["variety"] == pytest.approx(0, abs=1e-3)
    order = np.argsort(truth.labels, kind="stable")[:500].reshape(10, 50)
    found = truth.consistency(truth.items[order])  # "queries" that ask for a digit
    assert found["agreement"] > 0.9
    assert found["variety"] == pytest.approx(1, abs=0.05)
    mixed = truth.consistency(truth.items[order.T])  # one of each digit
    assert mixed["agreement"] < 0.4


def test_the_table_asks_for_both_arms(judged):
    truth, _ = judged
    with pytest.raises(ValueError, match=r"rows: expected \['no memory'\] too"):
        generation_table(truth, {"memory": (truth.items, truth.labels)}, retrieved=truth.items)


# Reconstructions


def images(seed=0):
    return torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(seed))


def test_ssim_and_psnr_of_known_errors_and_their_true_ranges():
    x = images()
    assert ssim(x, x).tolist() == pytest.approx([1] * 4)
    assert (ssim(1 - x, x) < -0.5).all()  # the range is -1..1, not 0..1
    assert psnr(x + 0.1, x).tolist() == pytest.approx([20] * 4, abs=1e-4)
    assert (psnr(3 * x + 1, x) < 0).all()
    assert psnr(x, x).tolist() == [math.inf] * 4


def test_snr_counts_decibels_and_may_be_negative():
    time = torch.arange(8000) / 8000
    x = torch.sin(2 * math.pi * 440 * time)[None]
    noise = torch.cos(2 * math.pi * 440 * time)[None]  # orthogonal, of equal energy
    assert snr(x + 0.1 * noise, x).item() == pytest.approx(20, abs=0.01)
    assert snr(x + 3 * noise, x).item() == pytest.approx(-9.54, abs=0.01)
    assert snr(0.5 * x, x).item() == pytest.approx(6.02, abs=0.01)
    assert scale_invariant_snr(0.5 * (x + 0.1 * noise), x).item() == pytest.approx(20, abs=0.01)


def test_phases_matter_to_snr_and_not_to_spectra():
    x = torch.from_numpy(load_speech("test").waveforms[0])[None, :4000]
    assert snr(-x, x).item() == pytest.approx(-6.02, abs=0.01)
    assert spectral_convergence(-x, x).item() < -100
    assert spectral_convergence(0 * x, x).item() == pytest.approx(0)
    assert spectral_convergence(0.9 * x, x).item() == pytest.approx(-20, abs=1e-3)
    spectrograms = AudioEncoder(width=8, hidden=8).prepare(x)
    assert log_mel_error(spectrograms + 0.3, spectrograms).item() == pytest.approx(0.3, abs=1e-5)


@pytest.mark.parametrize("measure", [ssim, psnr, snr, spectral_convergence, log_mel_error])
def test_nothing_is_broadcast(measure):
    shape = {ssim: (4, 1, 28, 28), psnr: (4, 1, 28, 28), log_mel_error: (4, 40, 67)}
    x = torch.rand(shape.get(measure, (4, 1000)))
    with pytest.raises(ValueError, match="made: expected the shape of reference"):
        measure(x[:1], x)
    with pytest.raises(ValueError, match=r"made: expected \d dimensions"):
        measure(x[0], x[0])


def test_captions_match_word_by_word():
    made = ["a thick upright nine", "A thick, upright nine", "a nine", ""]
    references = ["a thick, upright nine"] * 4
    assert caption_match(made, references).tolist() == [True, True, False, False]
    cosine = caption_cosine(made, references)
    assert cosine == pytest.approx([1, 1, 2 / math.sqrt(2 * 4), 0])


# Directions and damage


def test_the_table_of_directions_has_queries_in_rows_and_targets_in_columns():
    labels = np.arange(4)
    found = coherence_table(
        lambda items, source, target: [f"{source} to {target}"] * len(items),
        {"b": lambda made, labels: float(made[0] == "a to b"), "c": lambda made, labels: len(made)},
        {"a": labels, "d": labels},
        labels,
    )
    assert found.loc["a", "b"] == 1
    assert found.loc["d", "b"] == 0
    assert (found["c"] == 4).all()


def test_damage_is_as_large_as_it_says():
    images = np.full((50, 28, 28), 0.5)
    assert gaussian_noise(images, 0.2).std() == pytest.approx(0.2, rel=0.02)
    spotted = salt_and_pepper(images, 0.1)
    assert (spotted == 0).mean() == pytest.approx(0.05, abs=0.005)
    assert (spotted == 1).mean() == pytest.approx(0.05, abs=0.005)
    texts = ["a thick, upright nine", "an eight"]
    for n in (0, 1, 3):
        wrong = mistype(texts, n)
        assert [
            sum(a != b for a, b in zip(*pair, strict=True))
            for pair in zip(texts, wrong, strict=True)
        ] == [n, n]
    assert mistype(["a"], 5)[0] != "a"


def test_robustness_starts_with_untouched_queries_and_hears_the_babble():
    speech = load_speech("test").waveforms[:5]
    images = np.random.default_rng(0).random((5, 28, 28))
    queries = {"image": images, "speech": speech, "text": ["a nine"] * 5}

    def measure(damaged, modality):
        if modality == "text":
            return np.mean([a == b for a, b in zip(damaged, queries["text"], strict=True)])
        pairs = zip(damaged, queries[modality], strict=True)
        return np.mean([np.sum((a - b) ** 2) / np.sum(b**2) for a, b in pairs])

    table = robustness_table(measure, queries, voices=load_speech("train").waveforms[:9])
    assert table["babble"].to_numpy() == pytest.approx([0, 0.01, 0.1, 1], rel=1e-4)
    assert table["typing errors"].tolist() == [1, 0, 0, 0]
    assert (np.diff(table["Gaussian noise"]) > 0).all()
    assert (np.diff(table["salt and pepper"]) > 0).all()
    assert list(robustness_table(measure, {"text": ["a nine"] * 5})) == ["typing errors"]
