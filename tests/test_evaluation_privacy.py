"""Membership inference: known scores, coverage of the intervals, and a model that memorizes."""

from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy.stats import norm, rankdata
from torch import nn

from reproduction.experiments import evaluation as experiment
from simmim_lite.datasets import load_digits
from simmim_lite.encoders import Encoder, ImageEncoder, seeded
from simmim_lite.evaluation import _models, membership_score

AUC, TPR = "AUC", "TPR at 1 % FPR"


def values(members, non_members):
    with mock.patch.object(_models, "_RESAMPLES", 1):
        return membership_score(members, non_members)["value"]


@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(100, 400), st.integers(1, 40))
def test_both_metrics_agree_with_rank_sums_and_thresholds(seed, N, M, levels):
    """Few levels give many ties. Independent formulas: Mann-Whitney ranks, and every threshold."""
    rng = np.random.default_rng(seed)
    members, non_members = rng.integers(0, levels, N) + 1.0, rng.integers(0, levels, M)
    found = values(members, non_members)
    ranks = rankdata(np.r_[members, non_members])[:N]
    assert found[AUC] == pytest.approx((ranks.sum() - N * (N + 1) / 2) / (N * M))
    thresholds = [t for t in range(-1, levels + 2) if (non_members > t).sum() <= 0.01 * M]
    assert found[TPR] == max((members > t).mean() for t in thresholds)
    # Ranges, reversed scores, and an increasing map of the scores.
    assert 0 <= found.min() <= found.max() <= 1
    assert values(-members, -non_members)[AUC] == pytest.approx(1 - found[AUC])
    assert values(members**3, non_members**3.0).tolist() == pytest.approx(found.tolist())


def test_intervals_contain_the_known_values_for_normal_scores():
    rng = np.random.default_rng(0)
    table = membership_score(rng.normal(1, 1, 2000), rng.normal(0, 1, 2000))
    truth = {AUC: norm.cdf(1 / np.sqrt(2)), TPR: norm.sf(norm.isf(0.01) - 1)}
    for name, value in truth.items():
        assert table.loc[name, "low"] < value < table.loc[name, "high"]
        assert table.loc[name, "low"] < table.loc[name, "value"] < table.loc[name, "high"]
    assert table["chance"].tolist() == [0.5, 0.01]
    assert table.loc[AUC, "high"] - table.loc[AUC, "low"] < 0.04


@pytest.mark.slow
def test_intervals_contain_the_truth_about_as_often_as_their_level():
    """60 draws of 95 % intervals: fewer than 50 hits have probability 2e-4.

    One group is small, in turn: an interval that resamples only the other would be too short.
    """
    rng = np.random.default_rng(1)
    truth, hits = norm.cdf(0.5 / np.sqrt(2)), 0
    for draw in range(60):
        N, M = (1000, 100) if draw % 2 else (100, 1000)
        with mock.patch.object(_models, "_RESAMPLES", 200):
            row = membership_score(rng.normal(0.5, 1, N), rng.normal(0, 1, M))
        hits += row.loc[AUC, "low"] < truth < row.loc[AUC, "high"]
    assert hits >= 50


def test_a_few_memorized_members_raise_the_tpr_and_hardly_the_auc():
    rng = np.random.default_rng(0)
    members, non_members = rng.random((2, 2000))
    members[:100] = 2  # one in twenty is memorized
    found = values(members, non_members)
    assert found[AUC] == pytest.approx(0.525, abs=0.03)
    assert found[TPR] == pytest.approx(0.06, abs=0.01)  # six times the chance level


def test_a_low_false_positive_rate_needs_many_non_members():
    with pytest.raises(ValueError, match=r"non_members: expected at least 100 .* got 99"):
        membership_score(np.arange(5.0), np.arange(99.0))
    members = np.full(5, 98.5)
    assert values(members, np.arange(100.0))[TPR] == 1  # one non-member of 100 may pass, not two
    assert values(members - 1, np.arange(100.0))[TPR] == 0


@pytest.mark.parametrize(
    ("members", "non_members", "message"),
    [
        (np.ones((3, 2)), np.ones(100), r"members: expected one number per item, got shape \(3, 2"),
        (np.ones(3), np.r_[np.ones(100), np.nan], r"non_members: .*row 100"),
    ],
)
def test_bad_scores(members, non_members, message):
    with pytest.raises(ValueError, match=message):
        membership_score(members, non_members)


# Attacks on models


def split():
    """A random split into members and non-members, with labels that only memory can know."""
    digits = load_digits("test")
    order = np.random.default_rng(0).permutation(len(digits.images))
    labels = np.random.default_rng(1).integers(0, 10, len(order))
    x = torch.tensor(digits.images[order]).float().flatten(1) / 255
    return (x[:200], torch.tensor(labels[:200])), (x[200:600], torch.tensor(labels[200:600]))


def losses(model, part):
    with torch.no_grad():
        return nn.functional.cross_entropy(model(part[0]), part[1], reduction="none")


def test_attack_succeeds_on_a_memorizing_model_and_not_on_an_untrained_one():
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
    """An encoder whose augmentations rotate a unit vector by plus or minus the item, an angle."""

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
    """Rotated by +angle or -angle: two copies are equal or 2 angles apart, equally often."""
    angles = torch.tensor([0.0, 0.3, 1.0]).repeat(500)
    with mock.patch.object(experiment, "_COPIES", 2):
        found = experiment._augmentation_consistency(Given(), angles).reshape(500, 3)
    assert found[:, 0] == pytest.approx(1)
    for column, angle in ((1, 0.3), (2, 1.0)):
        assert set(found[:, column].round(5)) == {1.0, round(np.cos(2 * angle), 5)}
    many = experiment._augmentation_consistency(Given(), angles).reshape(500, 3).mean(axis=0)
    assert many == pytest.approx((1 + np.cos(2 * np.array([0, 0.3, 1.0]))) / 2, abs=0.02)


def test_consistency_does_not_change_the_encoder():
    encoder = ImageEncoder(width=4, dim=8, seed=0).train()
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    images = load_digits("test").images[:30]
    first = experiment._augmentation_consistency(encoder, images, seed=1)
    assert first.shape == (30,)
    assert (np.abs(first) <= 1 + 1e-6).all()
    assert encoder.training
    assert all((before[name] == tensor).all() for name, tensor in encoder.state_dict().items())
    assert (first == experiment._augmentation_consistency(encoder, images, seed=1)).all()
    assert (first != experiment._augmentation_consistency(encoder, images, seed=2)).any()
