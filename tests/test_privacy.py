"""Membership inference: scikit-learn's curve, scores whose answer is known, and a memorizer."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve
from torch import nn

from simmim_lite.datasets import load_digits
from simmim_lite.encoders import Encoder, ImageEncoder, seeded
from simmim_lite.evaluation import augmentation_consistency, membership_score

AUC, TPR = "AUC", "TPR at 1 % FPR"


def measure(members, outsiders, **options):
    return membership_score(members, outsiders, resamples=1, **options)["value"]


@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(100, 400), st.integers(1, 40))
def test_both_measures_are_those_of_scikit_learn(seed, N, M, levels):
    """Few levels make many equal scores."""
    rng = np.random.default_rng(seed)
    members, outsiders = rng.integers(0, levels, N) + 1.0, rng.integers(0, levels, M)
    labels, scores = np.repeat([1, 0], [N, M]), np.r_[members, outsiders]
    found = measure(members, outsiders)
    assert found[AUC] == pytest.approx(roc_auc_score(labels, scores))
    false, true, _ = roc_curve(labels, scores, drop_intermediate=False)
    assert found[TPR] == pytest.approx(true[false <= 0.01 + 1e-12].max())
    # Ranges; the other way round; and any increasing scale is as good.
    assert 0 <= found.min() <= found.max() <= 1
    assert measure(-members, -outsiders)[AUC] == pytest.approx(1 - found[AUC])
    assert measure(members**3, outsiders**3.0).tolist() == pytest.approx(found.tolist())


def test_of_normal_scores_the_values_are_known_and_in_the_intervals():
    rng = np.random.default_rng(0)
    table = membership_score(rng.normal(1, 1, 2000), rng.normal(0, 1, 2000))
    truth = {AUC: norm.cdf(1 / np.sqrt(2)), TPR: norm.sf(norm.isf(0.01) - 1)}
    for name, value in truth.items():
        assert table.loc[name, "low"] < value < table.loc[name, "high"]
        assert table.loc[name, "low"] < table.loc[name, "value"] < table.loc[name, "high"]
    assert table["chance"].tolist() == [0.5, 0.01]
    assert table.loc[AUC, "high"] - table.loc[AUC, "low"] < 0.04


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """60 draws of 95 % intervals: fewer than 50 hits have probability 2e-4.

    One group is small, in turn: to draw the other one alone anew would make intervals too short.
    """
    rng = np.random.default_rng(1)
    truth, hits = norm.cdf(0.5 / np.sqrt(2)), 0
    for draw in range(60):
        N, M = (1000, 100) if draw % 2 else (100, 1000)
        row = membership_score(rng.normal(0.5, 1, N), rng.normal(0, 1, M), resamples=200)
        hits += row.loc[AUC, "low"] < truth < row.loc[AUC, "high"]
    assert hits >= 50


def test_a_certain_few_hide_in_the_mean_and_show_at_the_low_end():
    rng = np.random.default_rng(0)
    members, outsiders = rng.random((2, 2000))
    members[:100] = 2  # one in twenty is remembered
    found = measure(members, outsiders)
    assert found[AUC] == pytest.approx(0.525, abs=0.03)
    assert found[TPR] == pytest.approx(0.06, abs=0.01)  # six times chance


def test_few_false_alarms_need_many_outsiders():
    with pytest.raises(ValueError, match=r"outsiders: .* a share of 0.01 .* got 99"):
        membership_score(np.arange(5.0), np.arange(99.0))
    members = np.full(5, 98.5)
    assert measure(members, np.arange(100.0))[TPR] == 1  # one outsider of 100 may pass, not two
    assert measure(members - 1, np.arange(100.0))[TPR] == 0
    found = membership_score(members, np.arange(20.0), false_positives=0.05, resamples=5)
    assert found.index.tolist() == [AUC, "TPR at 5 % FPR"]


@pytest.mark.parametrize(
    ("members", "outsiders", "message"),
    [
        (np.ones((3, 2)), np.ones(100), r"members: expected one number an item, got shape \(3, 2"),
        (np.ones(3), np.r_[np.ones(100), np.nan], r"outsiders: .*row 100"),
    ],
)
def test_bad_scores(members, outsiders, message):
    with pytest.raises(ValueError, match=message):
        membership_score(members, outsiders)


# Attacks on models


def split():
    """Members and outsiders from one source, at random; labels that nothing but memory can know."""
    digits = load_digits("test")
    order = np.random.default_rng(0).permutation(len(digits.images))
    labels = np.random.default_rng(1).integers(0, 10, len(order))
    x = torch.tensor(digits.images[order]).float().flatten(1) / 255
    return (x[:200], torch.tensor(labels[:200])), (x[200:600], torch.tensor(labels[200:600]))


def losses(model, part):
    with torch.no_grad():
        return nn.functional.cross_entropy(model(part[0]), part[1], reduction="none")


def test_a_model_that_memorizes_is_found_out_and_an_untrained_one_is_not():
    inside, outside = split()
    with seeded(0):
        model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    before = membership_score(-losses(model, inside), -losses(model, outside))
    assert before.loc[AUC, "low"] < 0.5 < before.loc[AUC, "high"]
    assert before.loc[TPR, "value"] < 0.05
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inside[0]), inside[1]).backward()
        optimizer.step()
    after = membership_score(-losses(model, inside), -losses(model, outside))
    assert after.loc[AUC, "low"] > 0.9
    assert after.loc[TPR, "low"] > 0.5


class Given(Encoder):
    """Its augmentations turn a unit vector by an angle that the item brings along."""

    dim = 2

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def prepare(self, items):
        return torch.as_tensor(items)

    def augment(self, prepared, generator):
        signs = 2 * torch.randint(0, 2, prepared.shape, generator=generator) - 1
        return prepared * signs

    def encode(self, prepared):
        return 5 * torch.stack([prepared.cos(), prepared.sin()], dim=1)


def test_consistency_is_the_mean_cosine_of_pairs():
    """Turned by +angle or -angle: two copies are alike, or 2 angles apart, as often."""
    angles = torch.tensor([0.0, 0.3, 1.0]).repeat(500)
    found = augmentation_consistency(Given(), angles, copies=2).reshape(500, 3)
    assert found[:, 0] == pytest.approx(1)
    for column, angle in ((1, 0.3), (2, 1.0)):
        assert set(found[:, column].round(5)) == {1.0, round(np.cos(2 * angle), 5)}
    many = augmentation_consistency(Given(), angles, copies=40).reshape(500, 3).mean(axis=0)
    assert many == pytest.approx((1 + np.cos(2 * np.array([0, 0.3, 1.0]))) / 2, abs=0.02)


def test_consistency_leaves_the_encoder_as_it_was():
    encoder = ImageEncoder(width=4, dim=8, seed=0).train()
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    images = load_digits("test").images[:30]
    first = augmentation_consistency(encoder, images, copies=3, seed=1)
    assert first.shape == (30,)
    assert (np.abs(first) <= 1 + 1e-6).all()
    assert encoder.training
    assert all((before[name] == tensor).all() for name, tensor in encoder.state_dict().items())
    assert (first == augmentation_consistency(encoder, images, copies=3, seed=1)).all()
    assert (first != augmentation_consistency(encoder, images, copies=3, seed=2)).any()
    with pytest.raises(ValueError, match=r"copies: .* got 1"):
        augmentation_consistency(encoder, images, copies=1)
