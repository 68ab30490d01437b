"""Costs counted by hand, and cheaper versions with the outputs of the model."""

import pytest
import torch
from torch import nn

from simmim_lite._random import seeded
from simmim_lite.datasets import load_speech
from simmim_lite.encoders import AudioEncoder, ImageEncoder
from simmim_lite.evaluation import (
    deployment_table,
    flops,
    weight_bytes,
    with_int8_weights,
)
from simmim_lite.evaluation._tables import _exported


def network(seed=0):
    """A convolution 1 -> 4 of 3 x 3 with batch normalization, then linear 4 * 6 * 6 -> 10."""
    with seeded(seed):
        layers = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)
        return nn.Sequential(*layers)


def images(N, seed=0):
    return torch.rand(N, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


# Operations, bytes, samples


def test_operations_agree_with_a_count_by_hand():
    convolution, linear = 2 * 36 * 4 * 9, 2 * 144 * 10
    model, x = network().eval(), images(7)
    assert flops(lambda: model(x)) == 7 * (convolution + linear)
    x = torch.rand(5, 9)
    assert flops(lambda: x @ x.T) == 2 * 5 * 5 * 9
    recurrent = nn.GRU(7, 11, batch_first=True)  # three gates, from input and state, per step
    assert flops(lambda: recurrent(torch.zeros(3, 13, 7))) == 2 * 3 * 13 * 3 * 11 * (7 + 11)


# Cheaper versions


def test_8_bit_weights_are_the_nearest_integers():
    model = nn.Linear(3, 2, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[127.0, -3.4, 0.6], [0.0, 0.0, 0.0]]))
    found = with_int8_weights(model)
    assert found.weight.tolist() == [[127, -3, 1], [0, 0, 0]]  # and zeros give no nan
    assert weight_bytes(found) == 6 + 2 * 4  # integers, and a scale per output
    assert model.weight[0, 1].item() == pytest.approx(-3.4)  # a copy was made


def test_8_bit_weights_are_within_half_a_step():
    model = network()
    found = with_int8_weights(model)
    for i in (0, 4):
        weight = model[i].weight.detach().flatten(1)
        step = weight.abs().amax(dim=1, keepdim=True) / 127
        off = (found[i].weight.flatten(1) - weight).abs()
        assert (off <= step * (0.5 + 1e-5)).all()
        assert off.max() > 0
    torch.testing.assert_close(found[0].bias, model[0].bias, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_exported_models_take_any_batch_size_and_give_equal_outputs(kind):
    """The file holds a graph and weights: the outputs do not depend on the original model."""
    if kind == "image":
        model, x = ImageEncoder(width=4, dim=8).eval(), torch.rand(5, 1, 28, 28)
    else:
        model = AudioEncoder(width=4, hidden=4).eval()
        x = model.prepare(load_speech("test").waveforms[:5])
    with torch.no_grad():
        truth = model(x)
    found, _ = _exported(model, x)
    for parameter in model.parameters():
        parameter.data.zero_()
    with torch.no_grad():
        for N in (5, 1, 3):
            torch.testing.assert_close(found(x[:N]), truth[:N], rtol=1e-5, atol=1e-6)


def test_exporting_refuses_a_single_item():
    with pytest.raises(ValueError, match="batch: expected 2 items or more, got 1"):
        deployment_table(network(), images(1), lambda z: 0.0)


def test_deployment_table_compares_each_version_with_the_model():
    model, x = network(), images(6)
    truth = model.eval()(x).detach()
    table = deployment_table(model.train(), x, lambda z: z.sum().item(), repetitions=1)
    assert table.index.tolist() == ["float32", "int8 weights", "exported"]
    assert table.loc["float32", "score"] == pytest.approx(truth.sum().item(), rel=1e-5)
    assert table.loc["float32", "difference"] == 0
    assert (table["difference"] <= table["tolerance"]).all()
    small = with_int8_weights(model)(x)
    expected = (small - truth).abs().max() / truth.abs().max()
    assert table.loc["int8 weights", "difference"] == pytest.approx(expected.item(), rel=1e-3)
    assert expected > 0
    large = deployment_table(model, images(600), lambda z: 0.0, repetitions=1)
    assert large.loc["exported", "bytes"] < table.loc["exported", "bytes"] + 100
    # A quarter of the weights of both layers; biases and batch normalization stay.
    saved = table.loc["float32", "bytes"] - table.loc["int8 weights", "bytes"]
    assert saved == 3 * (36 + 1440) - 4 * (4 + 10)
    assert model.training
