"""Attributions against models whose answer is known by hand, and the tests that maps must pass."""

import pytest
import torch
from hypothesis import given, strategies as st
from scipy.stats import spearmanr
from torch import nn

from simmim_lite.datasets import load_digits
from simmim_lite.encoders import seeded
from simmim_lite.evaluation import (
    deletion_curve,
    gradient_times_input,
    integrated_gradients,
    occlusion,
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
def test_of_a_linear_model_each_part_is_its_weight_times_its_way(seed):
    weights, x, start = draw(5, seed=seed), draw(3, 5, seed=seed + 1), draw(5, seed=seed + 2)

    def score(z):
        return z @ weights + 7  # a constant belongs to no part

    found = integrated_gradients(score, x, start, steps=1)
    torch.testing.assert_close(found.values, weights * (x - start))
    torch.testing.assert_close(gradient_times_input(score, x), weights * x)
    assert (found.gap < 1e-12).all()


def test_of_a_product_the_parts_are_those_of_the_paths_integral():
    """f = x1^2 x2: along t x the gradients are 2 t^2 x1 x2 and t^2 x1^2; so 2/3 and 1/3 of f."""
    x = draw(4, 2)
    f = x[:, 0] ** 2 * x[:, 1]
    found = integrated_gradients(lambda z: z[:, 0] ** 2 * z[:, 1], x, steps=2)  # exact to degree 3
    torch.testing.assert_close(found.values, torch.stack([2 * f / 3, f / 3], dim=1))
    # The gradient at the end counts every part in full, and so misses completeness.
    plain = gradient_times_input(lambda z: z[:, 0] ** 2 * z[:, 1], x)
    torch.testing.assert_close(plain.sum(dim=1), 3 * f)


@pytest.mark.parametrize(("layer", "tolerance"), [(nn.Tanh(), 1e-10), (nn.ReLU(), 2e-3)])
def test_parts_sum_to_the_change_of_the_score(layer, tolerance):
    """Completeness; a network of ReLU has kinks on the way, which no quadrature sees at once."""
    model, x, start = network(layer), draw(20, 6), draw(20, 6, seed=1)
    found = integrated_gradients(model, x, start, steps=256)
    with torch.no_grad():
        change = model(x) - model(start)
    assert change.abs().min() > tolerance
    assert (found.values.sum(dim=1) - change).abs().max() < tolerance
    torch.testing.assert_close(found.gap, (found.values.sum(dim=1) - change).abs())
    coarse = integrated_gradients(model, x, start, steps=1)
    assert coarse.gap.max() > 10 * tolerance  # the gap tells when the steps are too few


def test_what_the_score_does_not_use_gets_nothing_and_equals_get_the_same():
    x = draw(5, 4)
    x[:, 1] = x[:, 0]
    parts = integrated_gradients(lambda z: torch.tanh(z[:, 0] + z[:, 1]) + z[:, 2], x).values
    assert (parts[:, 3] == 0).all()
    torch.testing.assert_close(parts[:, 0], parts[:, 1])


def test_a_score_is_one_number_an_item():
    with pytest.raises(ValueError, match=r"score: .* each of 3 items, got shape \(3, 2\)"):
        integrated_gradients(lambda z: z[:, :2], draw(3, 4))


# Occlusion


def test_occlusion_of_a_sum_is_what_was_covered():
    images = draw(2, 3, 4, 6)
    weights = draw(3, 4, 6, seed=1)
    falls = occlusion(lambda z: (z * weights).sum(dim=(1, 2, 3)), images, window=2)
    parts = (images * weights).sum(dim=1, keepdim=True)
    squares = parts.unfold(2, 2, 2).unfold(3, 2, 2).sum(dim=(-1, -2))
    assert falls.shape == (2, 1, 4, 6)
    expected = squares.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    torch.testing.assert_close(falls, expected)
    falls = occlusion(lambda z: z.sum(dim=(1, 2, 3)), images, window=1, value=2.0)
    torch.testing.assert_close(falls, (images - 2).sum(dim=1, keepdim=True))


def test_occlusion_refuses_a_window_that_does_not_tile():
    with pytest.raises(ValueError, match="window: expected a divisor of 4 and 6, got 4"):
        occlusion(lambda z: z.sum(dim=(1, 2, 3)), draw(1, 1, 4, 6), window=4)
    with pytest.raises(ValueError, match="images: expected 4 dimensions"):
        occlusion(lambda z: z.sum(dim=1), draw(3, 4))


# Do maps depend on the model?


def test_rank_correlation_is_that_of_scipy_item_by_item():
    x, y = draw(5, 2, 7), draw(5, 2, 7, seed=1)
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(x, y, strict=True)]
    assert rank_correlation(x, y) == pytest.approx(sum(expected) / 5)
    assert rank_correlation(x, x.exp()) == pytest.approx(1)
    assert rank_correlation(x, -x) == pytest.approx(-1)
    assert rank_correlation(x, y) == pytest.approx(rank_correlation(y, x))
    assert rank_correlation(x, torch.ones_like(x)) == 0  # a constant map orders nothing
    black = torch.zeros(5, 2, 100)
    padded = [torch.cat([z, black], dim=2) for z in (x, y)]
    assert rank_correlation(*padded) == pytest.approx(sum(expected) / 5)
    assert rank_correlation(black, black) == 0
    with pytest.raises(ValueError, match=r"second: expected the shape of first, \(5, 2, 7\)"):
        rank_correlation(x, y[:1])


def test_maps_of_the_model_change_and_maps_of_the_input_do_not():
    model = network(nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), inputs=200)
    x = draw(10, 200)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    table = randomization_table(model, lambda m, z: integrated_gradients(m, z).values, x)
    assert table["layer"].tolist() == ["none", "4", "2", "0"]  # from the output
    assert table.loc[0, ["signed", "absolute"]].tolist() == [1, 1]
    # Nothing is left: a correlation of 200 numbers has a standard error of 0.07, and the items
    # share the model, so that their mean may have as much.
    assert abs(table["signed"].iloc[-1]) < 4 * 0.07
    edges = randomization_table(model, lambda m, z: z, x)
    assert edges["signed"].tolist() == pytest.approx([1] * 4)
    assert all((before[name] == tensor).all() for name, tensor in model.state_dict().items())


def test_layers_stay_random_one_after_the_other():
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


# Deletion


def test_deletion_takes_the_highest_first():
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]])
    curve = deletion_curve(lambda z: z.sum(dim=1), x, x, shares=(0.0, 0.25, 0.5, 1.0))
    assert curve["share"].tolist() == [0, 0.25, 0.5, 1]
    assert curve["highest first"].tolist() == [10, 6, 3, 0]
    assert curve["random order"].iloc[[0, 3]].tolist() == [10, 0]
    assert (curve["random order"] >= curve["highest first"]).all()
    curve = deletion_curve(lambda z: z.sum(dim=1), x, -x, shares=(0.25,), baseline=10.0)
    assert curve["highest first"].tolist() == [19]  # the 1 has become 10


def test_a_place_loses_all_its_channels():
    images = torch.ones(1, 3, 2, 2)
    values = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    seen = []

    def score(z):
        seen.append(z.clone())
        return z.sum(dim=(1, 2, 3))

    deletion_curve(score, images, values, shares=(0.5,))
    assert seen[0][0].sum(dim=(1, 2)).tolist() == [2, 2, 2]
    assert (seen[0][0, :, 1] == 0).all()
    with pytest.raises(ValueError, match=r"values: expected the shape of items, \(1, 3, 2, 2\)"):
        deletion_curve(score, images, torch.ones(2, 1, 2, 2))


@pytest.fixture(scope="module")
def reader():
    """A small network that has learned the embedded digits."""
    digits = load_digits("train")
    x = torch.tensor(digits.images).float().flatten(1) / 255
    with seeded(0):
        model = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    batches = Batches({"x": x, "y": torch.tensor(digits.labels)}, 64, seed=0)
    net = nn.Sequential(model)

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = net

        def forward(self, batch):
            return self.layers(batch["x"])

    fit(
        Reader(),
        lambda z, b: nn.functional.cross_entropy(z, b["y"]),
        batches,
        steps=150,
        learning_rate=3e-3,
        progress=False,
    )
    return model.eval()


def test_maps_of_real_digits_pass_all_three_tests(reader):
    digits = load_digits("test")
    x = torch.tensor(digits.images[::20]).float().flatten(1) / 255
    labels = torch.tensor(digits.labels[::20])

    def score(model, z):
        return model(z).log_softmax(dim=1)[torch.arange(len(z)), labels]

    found = integrated_gradients(lambda z: score(reader, z), x, steps=64)
    assert found.gap.max() < 0.05  # nats, of changes of several
    curve = deletion_curve(lambda z: score(reader, z), x, found.values, shares=(0.0, 0.05, 0.1))
    fall = curve.loc[0] - curve.loc[2]
    assert fall["highest first"] > 3 * abs(fall["random order"])
    table = randomization_table(
        reader, lambda m, z: integrated_gradients(lambda v: score(m, v), z, steps=16).values, x
    )
    # The strokes themselves are the same, and so are parts of the maps' absolute values.
    assert abs(table["signed"].iloc[-1]) < 0.15
    assert table["absolute"].iloc[-1] < 0.7
