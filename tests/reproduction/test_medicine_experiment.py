"""Parts of the experiments on medicine that need no data set."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from reproduction.experiments import medicine


def test_auroc_is_that_of_scikit_learn_and_a_mean_over_runs():
    rng = np.random.default_rng(0)
    y, scores = rng.integers(2, size=60), rng.integers(5, size=(60, 3))  # with ties
    each = [roc_auc_score(y, column) for column in scores.T]
    assert np.isclose(medicine.auroc(y, scores), np.mean(each))
    assert np.isclose(medicine.auroc(y, scores[:, 0]), each[0])
    assert medicine.auroc(np.zeros(5), np.arange(5)) == 0.5


def test_the_gain_of_equal_scores_is_0_and_of_a_perfect_score_is_exact():
    y, groups = np.arange(80) % 2, np.arange(80) // 4
    gain = medicine.auroc_interval(y, y.astype(float), np.zeros(80), groups)
    assert gain.value == 0.5
    same = np.random.default_rng(0).random(80)
    assert medicine.auroc_interval(y, same, same, groups) == (0, 0, 0)


def test_a_planted_leak_is_found():
    images = np.random.default_rng(0).random((6, 4, 4))
    train, test = images[:4], images[4:].copy()
    assert medicine.leaking(train, test) == 0
    test[1] = train[2]
    assert medicine.leaking(train, test) == 1


def test_each_row_is_predicted_without_its_fold():
    x, y = np.zeros((4, 1)), np.array([0, 1, 0, 1])
    plan = [(np.array([0, 1, 2]), np.array([3])), (np.array([1, 3, 0]), np.array([2]))]
    plan += [(np.array([2, 3]), np.array([0, 1]))]
    p = medicine.out_of_fold(LogisticRegression(), x, y, plan)
    assert np.allclose(p, [0.5, 0.5, 2 / 3, 1 / 3], atol=1e-2)
