"""Attributions: models with known attributions, and the tests that maps must pass."""

import pytest
import torch
from hypothesis import given, strategies as st
from scipy.stats import spearmanr
from torch import nn

from simmim_lite.datasets import load_digits
from simmim_lite.encoders import seeded
from simmim_lite.evaluation import (
    integrated_gradients,
    randomization_table,
    rank_correlation,
)
from simmim_lite.training import Batches, fit


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def network(*layers, inputs=6, seed=0):
    with seeded(seed):
        return nn.Sequential(
            nn.Linear(inputs, 16), *layers, nn.Linear(16, 1), nn.Flatten(0)
        ).double()


# Integrated gradients


@given(st.integers(0, 10**6))
def test_attribution_of_a_linear_model_is_weight_times_difference(seed):
    weights, x, start = draw(5, seed=seed), draw(3, 5, seed=seed + 1), draw(5, seed=seed + 2)

    def score(z):
        return z @ weights + 7  # the constant is attributed to no part

    found = integrated_gradients(score, x, start, steps=1)
    torch.testing.assert_close(found.values, weights * (x - start))
    assert (found.gap < 1e-12).all()


def test_attribution_of_a_product_is_the_path_integral():
    """f = x1^2 x2: along t x the gradients are 2 t^2 x1 x2 and t^2 x1^2; so 2/3 and 1/3 of f."""
    x = draw(4, 2)
    f = x[:, 0] ** 2 * x[:, 1]
    found = integrated_gradients(lambda z: z[:, 0] ** 2 * z[:, 1], x, steps=2)  # exact to degree 3
    torch.testing.assert_close(found.values, torch.stack([2 * f / 3, f / 3], dim=1))


@pytest.mark.parametrize(("layer", "tolerance"), [(nn.Tanh(), 1e-10), (nn.ReLU(), 2e-3)])
def test_parts_sum_to_the_change_of_the_score(layer, tolerance):
    """Completeness; a ReLU network has kinks on the line, which lower the accuracy of the sum."""
    model, x, start = network(layer), draw(20, 6), draw(20, 6, seed=1)
    found = integrated_gradients(model, x, start, steps=256)
    with torch.no_grad():
        change = model(x) - model(start)
    assert change.abs().min() > tolerance
    assert (found.values.sum(dim=1) - change).abs().max() < tolerance
    torch.testing.assert_close(found.gap, (found.values.sum(dim=1) - change).abs())
    coarse = integrated_gradients(model, x, start, steps=1)
    assert coarse.gap.max() > 10 * tolerance  # the gap shows that the steps are too few


def test_unused_parts_get_0_and_equal_parts_get_equal_values():
    x = draw(5, 4)
    x[:, 1] = x[:, 0]
    parts = integrated_gradients(lambda z: torch.tanh(z[:, 0] + z[:, 1]) + z[:, 2], x).values
    assert (parts[:, 3] == 0).all()
    torch.testing.assert_close(parts[:, 0], parts[:, 1])


def test_a_score_is_one_number_per_item():
    with pytest.raises(ValueError, match=r"score: .* each of 3 items, got shape \(3, 2\)"):
        integrated_gradients(lambda z: z[:, :2], draw(3, 4))


# Randomization


def test_rank_correlation_agrees_with_scipy_item_by_item():
    x, y = draw(5, 2, 7), draw(5, 2, 7, seed=1)
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(x, y, strict=True)]
    assert rank_correlation(x, y) == pytest.approx(sum(expected) / 5)
    assert rank_correlation(x, x.exp()) == pytest.approx(1)
    assert rank_correlation(x, -x) == pytest.approx(-1)
    assert rank_correlation(x, y) == pytest.approx(rank_correlation(y, x))
    assert rank_correlation(x, torch.ones_like(x)) == 0  # a constant map has no order
    black = torch.zeros(5, 2, 100)
    padded = [torch.cat([z, black], dim=2) for z in (x, y)]
    assert rank_correlation(*padded) == pytest.approx(sum(expected) / 5)
    assert rank_correlation(black, black) == 0
    with pytest.raises(ValueError, match=r"second: expected one shape .*\(5, 2, 7\), \(1, 2, 7\)"):
        rank_correlation(x, y[:1])


def test_maps_of_the_model_change_and_maps_of_the_input_do_not():
    model = network(nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), inputs=200)
    x = draw(10, 200)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    table = randomization_table(model, lambda m, z: integrated_gradients(m, z).values, x)
    assert table["layer"].tolist() == ["none", "4", "2", "0"]  # from the output
    assert table.loc[0, ["signed", "absolute"]].tolist() == [1, 1]
    # A correlation of 200 unrelated numbers has a standard error of 0.07, and so may have the
    # mean over items, as these share the model.
    assert abs(table["signed"].iloc[-1]) < 4 * 0.07
    edges = randomization_table(model, lambda m, z: z, x)
    assert edges["signed"].tolist() == pytest.approx([1] * 4)
    assert all((before[name] == tensor).all() for name, tensor in model.state_dict().items())


def test_layers_are_randomized_one_after_another():
    model = network(nn.Tanh())
    seen = []

    def attribute(m, z):
        seen.append([m[i].weight.clone() for i in (0, 2)])
        return z

    randomization_table(model, attribute, draw(2, 6), seed=3)
    (first0, first2), (second0, second2), (third0, third2) = seen
    assert (first0 == second0).all()
    assert not (first2 == second2).any()
    assert (second2 == third2).all()
    assert not (second0 == third0).any()


@pytest.fixture(scope="module")
def trained():
    """A small network trained on the bundled digits."""
    digits = load_digits("train")
    x = torch.tensor(digits.images).float().flatten(1) / 255
    with seeded(0):
        model = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    batches = Batches({"x": x, "y": torch.tensor(digits.labels)}, 64, seed=0)
    net = nn.Sequential(model)

    class OfBatch(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = net

        def forward(self, batch):
            return self.layers(batch["x"])

    fit(
        OfBatch(),
        lambda z, b: nn.functional.cross_entropy(z, b["y"]),
        batches,
        steps=150,
        learning_rate=3e-3,
        progress=False,
    )
    return model.eval()


def test_maps_of_real_digits_pass_both_tests(trained):
    digits = load_digits("test")
    x = torch.tensor(digits.images[::20]).float().flatten(1) / 255
    labels = torch.tensor(digits.labels[::20])

    def score(model, z):
        return model(z).log_softmax(dim=1)[torch.arange(len(z)), labels]

    found = integrated_gradients(lambda z: score(trained, z), x, steps=64)
    assert found.gap.max() < 0.05  # nats, of changes of several
    table = randomization_table(
        trained, lambda m, z: integrated_gradients(lambda v: score(m, v), z, steps=16).values, x
    )
    # The strokes stay the same, and so do parts of the absolute values of the maps.
    assert abs(table["signed"].iloc[-1]) < 0.15
    assert table["absolute"].iloc[-1] < 0.7
