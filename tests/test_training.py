"""`fit` against plain loops of torch: batches, gradients, schedules, stops, logs, refusals."""

import collections
import copy
import math
import time
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from training_worker import Encoders, fingerprint, pairs, run

from simmim_lite.training import Batches, ContrastiveLoss, _fit as fit_module, fit
from simmim_lite.training._optimizers import Muon
from simmim_lite.training._trainer import Gradients, System


def network(seed=0, dtype=torch.float64) -> nn.Sequential:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).to(dtype)


def samples(N=24, dtype=torch.float64) -> torch.Tensor:
    return torch.randn(N, 3, generator=torch.Generator().manual_seed(2), dtype=dtype)


def distance(outputs, batch):
    """A loss that is a mean over rows."""
    return (outputs - batch[:, :2]).square().mean()


# --- batches -------------------------------------------------------------------------------


def test_an_epoch_has_every_row_once_and_another_order():
    batches = Batches(torch.arange(20), 5)
    epochs = [[batches[e * 4 + i].tolist() for i in range(4)] for e in range(2)]
    for epoch in epochs:
        assert sorted(np.ravel(epoch)) == list(range(20))
    assert epochs[0] != epochs[1]
    assert len(batches) == 4
    assert [batch.tolist() for batch in batches] == epochs[0]


def test_a_batch_depends_on_seed_and_number_alone():
    def noisy(seed):
        def transform(batch, generator):
            return batch, torch.rand(5, generator=generator)

        return Batches(torch.arange(21), 5, seed=seed, transform=transform)

    first, again = noisy(1), noisy(1)
    rows, noise = first[7]
    first[12], first[3]
    torch.rand(5)
    for batches in (first, again):
        assert torch.equal(batches[7][0], rows)
        assert torch.equal(batches[7][1], noise)
    for other in (noisy(2)[7], first[8]):
        assert not torch.equal(other[0], rows)
        assert not torch.equal(other[1], noise)


def test_a_subclass_may_transform_by_the_number_of_the_batch():
    class Annealed(Batches):
        def transformed(self, batch, i, generator):
            return super().transformed(batch, i, generator) / (1 + i)

    def noise(batch, generator):
        return batch + torch.rand(4, generator=generator)

    data = torch.arange(12.0)
    annealed, plain = (kind(data, 4, transform=noise) for kind in (Annealed, Batches))
    for i in (5, 0, 5):
        assert torch.equal(annealed[i], plain[i] / (1 + i))
    assert torch.equal(Annealed(data, 4)[2], Batches(data, 4)[2] / 3)


def test_what_is_left_over_changes_with_the_epoch():
    batches = Batches(torch.arange(7), 5)
    left = {frozenset(range(7)) - set(batches[i].tolist()) for i in range(6)}
    assert len(left) > 1


def test_form_and_types_of_the_data_are_those_of_the_batches():
    data = {"image": np.zeros((6, 1, 2, 2), np.uint8), "text": (torch.arange(6), torch.ones(6, 3))}
    batch = Batches(data, 4)[0]
    assert list(batch) == ["image", "text"]
    assert batch["image"].dtype == torch.uint8
    assert batch["image"].shape == (4, 1, 2, 2)
    tokens, values = batch["text"]
    assert isinstance(batch["text"], tuple)
    assert tokens.dtype == torch.int64
    assert values.shape == (4, 3)


def test_rows_stay_together():
    batch = Batches({"a": torch.arange(50), "b": -torch.arange(50)}, 20)[3]
    assert torch.equal(batch["a"], -batch["b"])


def test_read_only_memory_maps(tmp_path):
    np.save(tmp_path / "data.npy", np.arange(12.0))
    data = np.load(tmp_path / "data.npy", mmap_mode="r")
    batches = Batches(data, 12).to("cpu")
    assert sorted(batches[0].tolist()) == list(range(12))
    assert batches.data.data_ptr() == data.ctypes.data  # not read into memory


def test_parts_of_processes_make_up_the_batch():
    batches = Batches(torch.arange(40), 12)
    parts = [batches.part(4, process=i, processes=3) for i in range(3)]
    assert torch.equal(torch.cat(parts), batches[4])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([1, 2], 1), TypeError, "data: expected tensors or arrays .* got 1"),
        ((np.array(["a"]), 1), TypeError, "data: .* got an array of <U1"),
        (((torch.ones(3), torch.ones(4)), 1), ValueError, r"data: .* got \[3, 4\]"),
        (({}, 1), ValueError, r"data: .* got \[\]"),
        ((torch.tensor(1.0), 1), ValueError, "data: .* got a single number"),
        ((torch.ones(3), 4), ValueError, r"batch_size: .* 1\.\.3, got 4"),
        ((torch.ones(3), 2.0), TypeError, r"batch_size: .* got 2\.0"),
    ],
)
def test_batches_refuse(arguments, error, message):
    with pytest.raises(error, match=message):
        Batches(*arguments)


def test_a_batch_that_processes_cannot_share():
    with pytest.raises(ValueError, match=r"batch_size: expected a multiple of 3, .* got 4"):
        Batches(torch.ones(8), 4).part(0, processes=3)


# --- the loop ------------------------------------------------------------------------------


@pytest.mark.parametrize("clip_norm", [None, 0.05])
def test_fit_is_the_plain_loop(clip_norm):
    ours, theirs = network(), network()
    batches = Batches(samples(), 4)
    history = fit(
        ours,
        distance,
        batches,
        steps=9,
        learning_rate=0.01,
        weight_decay=0.1,
        warmup=3,
        clip_norm=clip_norm,
    )
    matrices = [p for p in theirs.parameters() if p.ndim > 1]
    vectors = [p for p in theirs.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    )
    losses, norms = [], []
    for step in range(9):
        optimizer.zero_grad()
        cosine = (1 + math.cos(math.pi * (step - 3) / 6)) / 2
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * ((step + 1) / 3 if step < 3 else cosine)
        loss = distance(theirs(batches[step]), batches[step])
        loss.backward()
        norms.append(nn.utils.clip_grad_norm_(theirs.parameters(), clip_norm or math.inf).item())
        optimizer.step()
        losses.append(loss.item())
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert (a - b).abs().max() < 1e-12
    # Means of epochs, the last of which is incomplete.
    for epoch in history.epochs:
        there = slice(epoch["epoch"] * 6, (epoch["epoch"] + 1) * 6)
        assert epoch["steps"] == len(losses[there])
        assert epoch["loss"] == pytest.approx(np.mean(losses[there]), abs=1e-12)
        assert epoch["gradient_norm"] == pytest.approx(np.mean(norms[there]), abs=1e-12)
    assert sum(history["steps"]) == history.steps == 9
    assert history.stop_reason == "finished"


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("rmsprop", torch.optim.RMSprop),
        ("sgd", lambda groups: torch.optim.SGD(groups, momentum=0.9)),
    ],
)
def test_optimizers_by_name(name, make):
    results = []
    for optimizer in (name, make):
        model = network()
        options = {"steps": 5, "learning_rate": 0.03, "weight_decay": 0.2}
        fit(model, distance, Batches(samples(), 8), optimizer=optimizer, **options)
        results.append(fingerprint(model))
    assert results[0] == results[1] != fingerprint(network())


def test_muon_orthogonalizes_the_momentum_of_matrices():
    """Against the singular value decomposition; and other parameters take a step of Adam."""
    torch.manual_seed(0)
    weight, bias = nn.Parameter(torch.randn(6, 4)), nn.Parameter(torch.randn(5))
    before, gradient = weight.detach().clone(), torch.randn(6, 4)
    weight.grad, bias.grad, start = gradient.clone(), torch.randn(5), bias.detach().clone()
    optimizer = Muon([weight, bias], lr=0.1)
    optimizer.step()
    values = torch.linalg.svdvals((before - weight.detach()) / 0.1)
    assert ((values > 0.6) & (values < 1.3 * (6 / 4) ** 0.5)).all()
    ideal = torch.linalg.svd(gradient, full_matrices=False)
    direction = ideal.U @ ideal.Vh
    cosine = F.cosine_similarity((before - weight.detach()).flatten(), direction.flatten(), dim=0)
    assert cosine > 0.95
    other = nn.Parameter(start.clone())
    other.grad = bias.grad.clone()
    torch.optim.Adam([other], lr=0.03, betas=(0.9, 0.95)).step()
    assert torch.allclose(bias, other, atol=1e-6)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_muon_takes_the_steps_of_torch():
    torch.manual_seed(0)
    start, gradients = torch.randn(8, 5), torch.randn(4, 8, 5)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    optimizers = Muon([ours], lr=0.02), torch.optim.Muon([theirs], lr=0.02, weight_decay=0.0)
    for gradient in gradients:
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        for optimizer in optimizers:
            optimizer.step()
    moved, expected = ours.detach() - start, theirs.detach() - start
    assert moved.norm() / expected.norm() == pytest.approx(1, abs=0.05)
    assert F.cosine_similarity(moved.flatten(), expected.flatten(), dim=0) > 0.99


def test_only_matrices_decay():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    decays = {}

    def make(groups):
        decays.update({p: group["weight_decay"] for group in groups for p in group["params"]})
        return torch.optim.SGD(groups)

    images = torch.ones(4, 1, 3, 3)
    fit(model, mean_square, Batches(images, 4), steps=1, optimizer=make, weight_decay=0.5)
    assert decays[model[0].weight] == 0.5
    assert [decays[p] for p in (model[0].bias, *model[1].parameters())] == [0, 0, 0]


def mean_square(outputs, _):
    return outputs.square().mean()


def rates(name, *, steps, warmup):
    """The learning rate of each step, as an epoch of one batch records it."""
    batches = Batches(torch.ones(1, 1), 1)
    options = {"schedule": name, "warmup": warmup, "learning_rate": 2.0, "optimizer": "sgd"}
    return fit(nn.Linear(1, 1), mean_square, batches, steps=steps, **options)["learning_rate"]


def test_schedules():
    assert rates("constant", steps=4, warmup=0) == [2] * 4
    assert rates("constant", steps=4, warmup=2) == [1, 2, 2, 2]
    assert rates("cosine", steps=4, warmup=0) == pytest.approx([2, 1 + 0.5**0.5, 1, 1 - 0.5**0.5])
    assert rates("cosine", steps=4, warmup=4) == pytest.approx([0.5, 1, 1.5, 2])
    cycle = rates("one_cycle", steps=20, warmup=5)
    assert cycle[0] == pytest.approx(2 / 25)
    assert max(cycle) == cycle[4] == pytest.approx(2)
    assert cycle[4:] == sorted(cycle[4:], reverse=True)
    assert cycle[-1] < 1e-3
    assert np.argmax(rates("one_cycle", steps=20, warmup=0)) == 5


@pytest.mark.parametrize("steps", range(1, 6))
def test_one_cycle_has_any_warmup_that_fits(steps):
    for warmup in range(steps + 1):
        cycle = rates("one_cycle", steps=steps, warmup=warmup)
        assert len(cycle) == steps
        assert all(0 < rate <= 2 for rate in cycle)


def test_random_numbers_outside_are_left_alone():
    torch.manual_seed(3)
    wanted = torch.rand(4)
    torch.manual_seed(3)
    run(None, steps=3)
    assert torch.equal(torch.rand(4), wanted)


def test_seed_is_that_of_the_dropout():
    weights = [run(None, steps=5, seed=seed)["weights"] for seed in (0, 0, 1)]
    assert weights[0] == weights[1] != weights[2]


def test_afterwards_the_model_is_ready_for_use():
    model, loss = Encoders(), ContrastiveLoss()
    fit(model, loss, Batches(pairs(), 24), steps=2)
    assert not model.training
    assert not loss.training
    assert all(p.grad is None for p in model.parameters())


def test_a_learned_temperature_learns():
    loss = ContrastiveLoss(0.5)
    history = fit(Encoders(), loss, Batches(pairs(), 24), epochs=6, learning_rate=0.05)
    assert loss.temperature.log_temperature.exp() < 0.45
    assert history["temperature"] == sorted(history["temperature"], reverse=True)
    assert history["nats"][-1] > history["nats"][0] + 0.2


def test_evaluation_is_recorded():
    def evaluate(model):
        assert not model.training
        assert not torch.is_grad_enabled()
        return {"held_out": torch.tensor(2.0), "dropped": torch.rand(())}

    histories = [
        fit(Encoders(), ContrastiveLoss(), Batches(pairs(), 24), epochs=2, evaluate=evaluate)
        for _ in range(2)
    ]
    assert histories[0]["held_out"] == [2, 2]
    assert histories[0]["dropped"] == histories[1]["dropped"]  # seeded, too
    with pytest.raises(ValueError, match=r"evaluate: .* got 'loss'"):
        fit(network(), distance, Batches(samples(), 8), epochs=1, evaluate=lambda _: {"loss": 1.0})


def test_a_data_loader_is_as_good():
    ours, theirs = network(), network()
    loader = DataLoader(samples(), 8, drop_last=True)
    fit(ours, distance, loader, steps=4, schedule="constant", optimizer="sgd")
    optimizer = torch.optim.SGD(theirs.parameters(), lr=1e-3, momentum=0.9)
    for batch in [*loader, *loader][:4]:
        optimizer.zero_grad()
        distance(theirs(batch), batch).backward()
        optimizer.step()
    assert fingerprint(ours) == fingerprint(theirs)


def test_a_data_loader_may_hold_texts_beside_tensors():
    rows = [{"caption": "a cat", "x": row} for row in samples()]
    seen = []

    def loss(outputs, batch):
        seen.append(batch["caption"])
        return distance(outputs, batch["x"])

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network()

        def forward(self, batch):
            return self.network(batch["x"])

    fit(Model(), loss, DataLoader(rows, 8), epochs=1)
    assert seen == [["a cat"] * 8] * 3
    with pytest.raises(TypeError, match=r"batches: expected tensors .* got .*'a cat'"):
        fit(Model(), loss, DataLoader([{"caption": "a cat"}] * 4, 2), epochs=1)


class Pack(collections.UserDict):
    """A mapping as libraries of texts return them."""


class Rows(NamedTuple):
    x: torch.Tensor
    caption: list
    more: dict


def mixed(rows):
    """A batch of texts, None and tensors in nested dicts, lists and named tuples."""
    x = torch.stack(rows)
    pack = Pack(names=tuple(str(row[0].item()) for row in rows), scale=torch.tensor(2.0))
    return Rows(x, ["a cat"] * len(rows), {"none": None, "kind": "animals", "pack": pack})


@pytest.mark.parametrize("chunk", [None, 3])
def test_a_batch_may_hold_anything_beside_its_tensors(chunk):
    """In chunks, too; lists of texts are cut as the tensors are."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network()

        def forward(self, batch):
            assert type(batch) is Rows
            assert type(batch.more["pack"]) is Pack
            assert batch.more["pack"]["names"] == tuple(str(v.item()) for v in batch.x[:, 0])
            assert batch.caption == ["a cat"] * len(batch.x)
            assert batch.more["none"] is None
            assert batch.more["kind"] == "animals"
            return self.network(batch.x) * batch.more["pack"]["scale"]

    model, plain = Model(), network()
    loader = DataLoader(samples(), 8, collate_fn=mixed)
    fit(model, lambda z, batch: distance(z, batch.x), loader, epochs=1, chunk=chunk)
    twice = lambda z, batch: distance(2 * z, batch)  # noqa: E731
    fit(plain, twice, DataLoader(samples(), 8), epochs=1)
    pairs = zip(model.network.parameters(), plain.parameters(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in pairs)


class Endless(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter(samples())


class Short(Endless):
    def __len__(self):
        return 40


def test_loaders_that_cannot_be_read_in_epochs_are_refused():
    with pytest.raises(TypeError, match="batches: expected a DataLoader with a length"):
        fit(network(), distance, DataLoader(Endless(), 8), steps=1)
    with pytest.raises(ValueError, match="batches: expected 5 in an epoch, its length, got 3"):
        fit(network(), distance, DataLoader(Short(), 8), epochs=1)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x[::-1][::-1],
        lambda x: x[:, ::-1][:, ::-1],
        lambda x: x.astype(">f8"),
        lambda x: x.astype(np.longdouble),
        lambda x: pd.DataFrame(x),
        lambda x: np.ma.masked_array(x, np.zeros(x.shape, bool)),
    ],
)
def test_data_of_numpy_and_pandas_are_read_right(change):
    x = samples().numpy()
    batch = Batches(change(x), 24)[0]
    assert batch.dtype == torch.float64
    assert torch.equal(batch, Batches(x, 24)[0])


def test_masked_data_are_refused():
    x = np.ma.masked_array(np.ones((4, 2)), [[1, 0]] * 4)
    with pytest.raises(ValueError, match=r"data: .*missing"):
        Batches(x, 2)


def test_batches_are_not_part_of_the_graph_of_their_data():
    assert not Batches(torch.ones(3, 1, requires_grad=True), 2)[0].requires_grad


def test_two_losses_of_adversaries_in_one():
    """Generator and discriminator in one system, as the docstring of the module says."""
    generator, discriminator = network(1), nn.Linear(2, 1).double()
    model = nn.ModuleDict({"generator": generator, "discriminator": discriminator})

    def play(outputs, batch):
        generated = generator(batch)
        frozen = {name: p.detach() for name, p in discriminator.named_parameters()}
        fools = torch.func.functional_call(discriminator, frozen, generated)
        tells = discriminator(generated.detach()) - discriminator(batch[:, :2])
        return {"loss": F.softplus(-fools).mean() + tells.mean(), "fools": fools.mean()}

    before = copy.deepcopy(model)
    model.forward = lambda batch: batch
    gradient = torch.autograd.grad(play(None, samples())["loss"], list(generator.parameters()))
    alone = F.softplus(-discriminator(generator(samples()))).mean()
    wanted = torch.autograd.grad(alone, list(generator.parameters()))
    assert all(torch.allclose(a, b) for a, b in zip(gradient, wanted, strict=True))
    fit(model, play, Batches(samples(), 8), steps=3)
    assert fingerprint(model) != fingerprint(before)


# --- the gradient in chunks ----------------------------------------------------------------


def gradient(model, loss, batch, *, chunk, autocast=None):
    system = System(model, loss)
    context = torch.autocast("cpu", autocast, enabled=autocast is not None)
    Gradients(system, context, lambda value: value, chunk).add(
        batch, lambda j: torch.manual_seed(100 + j)
    )
    return [p.grad for p in system.parameters()]


def largest_difference(a, b):
    return max((x - y).abs().max().item() for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("chunk", [1, 7, 24, 95, 96, 1000])
def test_chunks_have_the_gradient_of_the_whole_batch(chunk):
    batch = pairs(dtype=torch.float64)

    def found(chunk):
        model = Encoders(dropout=0, dtype=torch.float64)
        return gradient(model, ContrastiveLoss(0.2).double(), batch, chunk=chunk)

    whole = found(None)
    assert max(g.abs().max() for g in whole) > 0.01
    assert largest_difference(found(chunk), whole) < 1e-12


def test_no_more_than_a_chunk_is_kept_for_the_gradient():
    seen = []

    class Watched(Encoders):
        def forward(self, batch):
            seen.append((len(batch["x"]), torch.is_grad_enabled()))
            return super().forward(batch)

    model = Watched(dropout=0, dtype=torch.float64)
    gradient(model, ContrastiveLoss(0.2).double(), pairs(50, torch.float64), chunk=20)
    assert seen == [(20, False), (20, False), (10, False), (20, True), (20, True), (10, True)]


def test_chunks_are_dropped_out_the_same_in_both_passes():
    batch, chunk = pairs(dtype=torch.float64), 20
    with torch.random.fork_rng([]):
        model, loss = Encoders(dropout=0.5, dtype=torch.float64), ContrastiveLoss(0.2).double()
        found = gradient(model, loss, batch, chunk=chunk)
        system, embedded = System(Encoders(dropout=0.5, dtype=torch.float64), loss), []
        loss.zero_grad()
        for j, start in enumerate(range(0, 96, chunk)):
            torch.manual_seed(100 + j)
            embedded.append(
                system.model({name: v[start : start + chunk] for name, v in batch.items()})
            )
        loss(tuple(map(torch.cat, zip(*embedded, strict=True))))["loss"].backward()
        assert largest_difference(found, [p.grad for p in system.parameters()]) < 1e-12


def test_chunks_under_autocast_reach_the_weights():
    """Weights cast while no gradient is wanted must not serve the second pass."""
    batch = pairs()
    whole, chunks = (
        gradient(Encoders(dropout=0), ContrastiveLoss(0.2), batch, chunk=c, autocast=torch.bfloat16)
        for c in (None, 20)
    )
    scale = max(g.abs().max().item() for g in whole)
    assert largest_difference(whole, chunks) < 0.02 * scale  # bfloat16 has 8 bits


def test_running_statistics_see_a_batch_in_chunks_once():
    data = samples(12)
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2)).double()
    gradient(model, lambda outputs, _: outputs.square().mean(), data, chunk=4)
    norm = nn.BatchNorm1d(3).double()
    for part in data.split(4):
        norm(part)
    assert torch.equal(model[0].running_mean, norm.running_mean)
    assert model[0].num_batches_tracked == 3


def test_outputs_that_are_not_used_or_have_no_gradient():
    class Several(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = network(1), network(2)

        def forward(self, batch):
            chosen = batch.argmax(dim=1)
            return {"z": self.used(batch), "more": (self.unused(batch), chosen)}

    def loss(outputs, _):
        return (outputs["z"] * outputs["more"][1][:, None]).square().mean()

    whole = gradient(Several(), loss, samples(), chunk=None)
    chunks = gradient(Several(), loss, samples(), chunk=5)
    assert [g is None for g in chunks] == [g is None for g in whole]
    pairs_of = [(a, b) for a, b in zip(whole, chunks, strict=True) if a is not None]
    assert largest_difference(*zip(*pairs_of, strict=True)) < 1e-12


def test_chunks_need_a_row_a_sample():
    with pytest.raises(
        ValueError, match=r"chunk: expected outputs with one row for each sample, got \(\)"
    ):
        gradient(
            nn.Sequential(nn.Linear(3, 1), nn.Flatten(0), Mean()).double(),
            lambda outputs, _: outputs,
            samples(),
            chunk=4,
        )


def test_chunks_need_as_many_rows_in_all_of_the_batch():
    batch = {"x": torch.ones(6, 6), "y": torch.ones(4, 6)}
    with pytest.raises(ValueError, match=r"chunk: .* got \[6, 4\]"):
        gradient(Encoders(), ContrastiveLoss(), batch, chunk=3)


class Mean(nn.Module):
    def forward(self, values):
        return values.mean()


# --- stops ---------------------------------------------------------------------------------


class NoCoreSharing:
    """It reads the clock, too."""

    def look(self):
        pass


def test_stops_after_a_time(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(fit_module, "CoreSharing", NoCoreSharing)
    monkeypatch.setattr(fit_module.time, "monotonic", lambda: float(next(clock)))
    history = fit(network(), distance, Batches(samples(), 8), epochs=10, seconds=5)
    assert (history.stop_reason, history.steps) == ("seconds", 4)


def test_stops_on_a_plateau():
    values = iter([3.0, 2.0, 2.5, 2.0, 2.2, 1.0])
    history = fit(
        network(),
        distance,
        Batches(samples(), 8),
        epochs=10,
        evaluate=lambda _: {"held_out": next(values)},
        patience=3,
        watch="held_out",
    )
    assert history.stop_reason == "plateau"
    first_is_nan = [{"held_out": np.nan}, {"held_out": 2.0}]
    assert type(history)(first_is_nan).epochs_since_best("held_out") == 0
    assert history["held_out"] == [3, 2, 2.5, 2, 2.2]
    with pytest.raises(ValueError, match=r"watch: .*'loss'.* got 'los'"):
        fit(network(), distance, Batches(samples(), 8), epochs=2, patience=1, watch="los")


def test_a_plateau_stays_one_when_resumed(tmp_path):
    options = {"epochs": 10, "learning_rate": 0.0, "patience": 2, "checkpoints": tmp_path}
    batches = Batches(samples(24), 24)  # one batch, so that the loss of all epochs is one
    first = fit(network(), distance, batches, **options)
    assert (first.stop_reason, first.steps) == ("plateau", 3)
    again = fit(network(), distance, batches, resume=True, **options)
    assert (again.stop_reason, again.steps) == ("plateau", 3)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_loss_that_is_not_finite_stops_at_once(value):
    model = network()
    weights = []

    def loss(outputs, batch):
        weights.append(fingerprint(model))
        return distance(outputs, batch) * (value if len(weights) == 9 else 1)

    with pytest.raises(FloatingPointError, match=rf"loss: {value} in step 8, epoch 1$"):
        fit(model, loss, Batches(samples(), 4), epochs=3)
    assert fingerprint(model) == weights[-1] != weights[0]  # the step was not taken


def test_a_gradient_that_is_not_finite_stops_too():
    model = network()
    before = fingerprint(model)

    def loss(outputs, _):
        return (outputs.sum() * 0).sqrt() + 1  # 0 has a root, and the root no slope there

    with pytest.raises(FloatingPointError, match="gradient: norm nan in step 0, epoch 0"):
        fit(model, loss, Batches(samples(), 4), epochs=1)
    assert fingerprint(model) == before


def test_overflow_in_float16_is_skipped_and_not_an_error():
    model = network(dtype=torch.float32)
    first = fingerprint(model)
    seen = []

    def loss(outputs, batch):
        seen.append(fingerprint(model))
        return 3 * outputs.float().square().mean()  # times 65,536: beyond float16

    options = {"steps": 12, "autocast": "float16", "schedule": "constant", "learning_rate": 0.01}
    history = fit(model, loss, Batches(100 * samples(dtype=torch.float32), 8), **options)
    assert seen[1] == first  # skipped
    assert seen[-1] != first
    assert all(map(math.isfinite, history["gradient_norm"]))


def test_errors_say_where():
    def loss(outputs, batch):
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad") as caught:
        fit(network(), loss, Batches(samples(), 4), epochs=1)
    assert caught.value.__notes__ == ["in step 0, epoch 0"]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"epochs": None}, ValueError, "epochs, steps: expected one of them, got None and None"),
        ({"steps": 3}, ValueError, "epochs, steps: .* got 1 and 3"),
        ({"epochs": 0}, ValueError, "epochs: .* got 0"),
        ({"chunk": 0}, ValueError, "chunk: .* got 0"),
        ({"checkpoint_every": 0}, ValueError, "checkpoint_every: .* got 0"),
        ({"patience": 0.5}, TypeError, r"patience: .* got 0\.5"),
        ({"seconds": -1}, ValueError, "seconds: .* got -1"),
        ({"clip_norm": math.nan}, ValueError, "clip_norm: .* got nan"),
        ({"optimizer": "lion"}, ValueError, "optimizer: .*'adamw'.* got 'lion'"),
        ({"schedule": "step"}, ValueError, "schedule: .*'cosine'.* got 'step'"),
        ({"warmup": 7}, ValueError, r"warmup: .* 0\.\.6, got 7"),
        ({"learning_rate": -1}, ValueError, "learning_rate: .* got -1"),
        ({"autocast": "float8"}, ValueError, "autocast: .* got 'float8'"),
        ({"resume": True}, ValueError, "resume: expected a folder .* checkpoints=None"),
        ({"batches": [1]}, TypeError, r"batches: expected Batches or a DataLoader, got \[1\]"),
        ({"model": nn.Tanh()}, ValueError, "model: expected parameters to learn"),
        ({"loss": lambda o, b: o}, ValueError, r"loss: expected one number, got loss \(4, 2\)"),
        ({"loss": lambda o, b: {"nll": o.sum()}}, ValueError, r"loss: .* got \['nll'\]"),
        ({"loss": lambda o, b: o.detach().sum()}, ValueError, "loss: .* got a constant"),
    ],
)
def test_fit_refuses(change, error, message):
    arguments = {"model": network(), "loss": distance, "batches": Batches(samples(), 4)}
    with pytest.raises(error, match=message):
        fit(**arguments | {"epochs": 1} | change)


def test_an_evaluation_is_a_dict():
    with pytest.raises(TypeError, match=r"evaluate: expected a dict of numbers, got 0\.5"):
        fit(network(), distance, Batches(samples(), 4), epochs=1, evaluate=lambda _: 0.5)


def test_a_loader_without_batches():
    loader = DataLoader(TensorDataset(samples()), 50, drop_last=True)
    with pytest.raises(ValueError, match="batches: expected at least one batch in an epoch"):
        fit(network(), distance, loader, epochs=1)


# --- a time limit --------------------------------------------------------------------------


class Clock:
    """A time that each call of the loss moves on."""

    def __init__(self, monkeypatch, seconds):
        self.now, self.seconds = 100.0, seconds
        for clock in ("monotonic", "perf_counter"):
            monkeypatch.setattr(time, clock, lambda: self.now)
        monkeypatch.setattr(fit_module, "CoreSharing", NoCoreSharing)

    def __call__(self, outputs, batch):
        self.now += self.seconds
        return distance(outputs, batch)


def seconds_taken(monkeypatch, each, limit, **options):
    with monkeypatch.context() as patch:
        clock = Clock(patch, each)
        model, before = network(), fingerprint(network())
        options = {"steps": 1000} | options
        history = fit(model, clock, Batches(samples(), 4), seconds=limit, **options)
        assert history.stop_reason == "seconds"
        assert (fingerprint(model) != before) == (history.steps > 0)
        assert not model.training
        return clock.now - 100, history.steps


def test_a_time_limit_holds_whatever_a_step_takes(monkeypatch):
    assert seconds_taken(monkeypatch, 0.25, 10) == (10, 40)
    assert seconds_taken(monkeypatch, 4, 10) == (8, 2)  # the third would end at 12
    assert seconds_taken(monkeypatch, 3.5, 9) == (10.5, 3)


def test_a_step_in_chunks_is_broken_off(monkeypatch):
    class Slow(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network()

        def forward(self, batch):
            clock.now += 1
            return self.network(batch)

    clock, model = Clock(monkeypatch, 0), Slow()
    before = fingerprint(model)
    history = fit(model, clock, Batches(samples(), 24), steps=9, chunk=2, seconds=3)
    assert clock.now - 100 <= 5
    assert (history.steps, history.epochs, fingerprint(model)) == (0, [], before)


def test_time_before_the_first_step_counts(monkeypatch):
    class Late(Batches):
        def to(self, device):
            clock.now += 5
            return super().to(device)

    clock = Clock(monkeypatch, 1)
    assert fit(network(), clock, Late(samples(), 4), steps=9, seconds=4).steps == 0


# --- what it shows -------------------------------------------------------------------------


def test_tensorboard_curves_are_read_back(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    folder = tmp_path / "curves"
    options = {"autocast": None, "schedule": "constant", "log_dir": folder}
    run(tmp_path / "run", steps=6, **options)
    history = fit(
        Encoders(),
        ContrastiveLoss(0.2),
        Batches(pairs(), 24),
        epochs=2,
        log_dir=tmp_path / "other",
        evaluate=lambda _: {"held_out": 1.5},
    )
    curves = events.EventAccumulator(str(tmp_path / "other")).Reload()
    names = ["loss", "nats", "temperature", "learning_rate", "gradient_norm", "samples_per_second"]
    for name in names:
        steps = curves.Scalars(f"step/{name}")
        assert [event.step for event in steps] == list(range(1, 9))
        epochs = curves.Scalars(f"epoch/{name}")
        assert [event.step for event in epochs] == [4, 8]
        assert [event.value for event in epochs] == pytest.approx(history[name], rel=1e-6)
        if name != "samples_per_second":
            means = np.reshape([event.value for event in steps], (2, 4)).mean(axis=1)
            assert means == pytest.approx(history[name], rel=1e-5)
    assert [event.value for event in curves.Scalars("epoch/held_out")] == [1.5, 1.5]
    run(tmp_path / "run", steps=9, **options)  # goes on at 6
    curves = events.EventAccumulator(str(folder)).Reload()
    assert [event.step for event in curves.Scalars("step/loss")] == list(range(1, 10))


def test_a_progress_bar_on_request(capfd):
    batches = Batches(samples(), 4)
    fit(network(), distance, batches, epochs=2)
    assert capfd.readouterr() == ("", "")  # no terminal, no bar
    fit(network(), distance, batches, epochs=2, progress=True)
    shown = capfd.readouterr().err
    assert "12/12" in shown
    assert "loss=" in shown
    assert "training: " in shown
    fit(network(), distance, batches, epochs=2, progress="second network")
    assert "second network: 100%" in capfd.readouterr().err


# --- faster --------------------------------------------------------------------------------


def test_channels_last_and_compiled_models():
    images = torch.rand(16, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    weights = []
    for faster in (False, True):
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.Flatten())
        if faster:
            model.to(memory_format=torch.channels_last)
            model.compile(backend="eager")
        fit(model, lambda z, _: (z - 1).square().mean(), Batches(images, 4), epochs=2)
        weights.append(model[0].weight.detach())
    assert weights[1].is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(*weights, atol=1e-5)


def test_a_long_pass_is_broken_off_and_leaves_the_buffers(monkeypatch):
    class Slow(nn.Linear):
        def forward(self, batch):
            clock.now += 1
            return super().forward(batch)

    layers = [Slow(4, 4) if i % 2 else nn.BatchNorm1d(4) for i in range(40)]
    clock, model = Clock(monkeypatch, 0), nn.Sequential(*layers)
    before, data = fingerprint(model), Batches(torch.randn(8, 4), 8)
    history = fit(model, lambda outputs, _: outputs.square().mean(), data, steps=9, seconds=3)
    assert (history.steps, history.stop_reason) == (0, "seconds")
    assert clock.now - 100 <= 5
    assert fingerprint(model) == before
    hooks = [module._forward_pre_hooks for module in model.modules()]
    assert not any(hooks)


def test_a_missing_number_of_pandas_is_refused():
    with pytest.raises(ValueError, match="data: expected no missing values, got nan in row 1"):
        Batches(pd.array([1, None], dtype="Int64"), 1)
