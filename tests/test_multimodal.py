"""Multimodal information maximization: the model learns, and its controls do not."""

import math
from functools import partial
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn

from simmim_lite import bounds
from simmim_lite.bounds import BOUNDS, exact_bound
from simmim_lite.datasets import BlindPairing, Pairing, load_digits, load_speech
from simmim_lite.encoders import (
    AudioEncoder,
    ImageEncoder,
    TabularEncoder,
    TextEncoder,
    Tokenizer,
)
from simmim_lite.fusion import FUSIONS, AverageFusion
from simmim_lite.multimodal import InformationObjective, MultimodalInfoMax, minus_log
from simmim_lite.storage import CheckpointError

WORDS = ("zero", "one", "two", "three")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def clouds(labels, columns, seed=0, noise=0.2):
    """Rows of numbers around a center of their class, of unit size: (N, columns) float32."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((int(max(labels)) + 1, columns))
    return (centers[labels] + noise * rng.standard_normal((len(labels), columns))).astype("f4")


def two_sensors(N=400, classes=4, seed=0):
    """Tables of 5 and 3 columns that share a class, as items and labels."""
    rng = np.random.default_rng(seed)
    first, second = np.arange(N) % classes, rng.permutation(np.arange(N // 2) % classes)
    items = {"first": clouds(first, 5), "second": clouds(second, 3)}
    return items, {"first": first, "second": second}


def small_model(seed=0, **options):
    encoders = {
        "first": TabularEncoder(5, 16, hidden=16, seed=seed),
        "second": TabularEncoder(3, 16, hidden=16, seed=seed + 1),
    }
    return MultimodalInfoMax(encoders, 8, seed=seed, **options)


def shown(model, pairs):
    """InfoNCE of the critic in the whole population of two sensors, exactly."""
    return model.exact_information(pairs)["first", "second"]


def test_training_sees_no_labels():
    items, labels = two_sensors()
    pairs = Pairing(items, labels)
    blind = BlindPairing(pairs)
    model, other = small_model(), small_model()
    model.fit(blind, steps=100, batch_size=64, progress=False)
    other.fit(pairs, steps=100, batch_size=64, progress=False)
    assert shown(model, pairs) == shown(other, pairs) > 1.0


def test_it_learns_what_is_shared_and_nothing_where_nothing_is():
    items, labels = two_sensors()
    pairs = Pairing(items, labels)
    model = small_model()
    before = shown(model, pairs)
    history = model.fit(pairs, steps=150, batch_size=64, progress=False)
    after = shown(model, pairs)
    assert before < 0.7
    assert 1.15 < after < pairs.mutual_information["first", "second"] == pytest.approx(math.log(4))
    ceiling = bounds.class_paired_ceiling(64, [1 / 4] * 4)
    assert 1.0 < history["first-second"][-1] < ceiling + 0.1
    z = model.project(items)
    nearest = (z["first"] @ z["second"].T).argmax(dim=1)
    assert (labels["second"][nearest] == labels["first"]).mean() > 0.97

    shuffled = dict(labels, second=np.random.default_rng(0).permutation(labels["second"]))
    control = small_model()
    control.fit(Pairing(items, shuffled), steps=150, batch_size=64, progress=False)
    assert shown(control, pairs) < 0.05


@pytest.mark.parametrize("objective", BOUNDS)
def test_every_objective_trains_every_weight(objective):
    items, labels = two_sensors()
    pairs = Pairing(items, labels)
    model = small_model(objective=objective)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    model.fit(pairs, steps=150, batch_size=64, progress=False)
    assert shown(model, pairs) > 1.0
    for name, weight in model.named_parameters():
        assert (weight - before[name]).abs().max() > 1e-4, name


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_every_optimizer_trains(optimizer):
    items, labels = two_sensors()
    pairs = Pairing(items, labels)
    model = small_model()
    rate = {"sgd": 0.1}.get(optimizer, 2e-3)
    options = {"optimizer": optimizer, "learning_rate": rate}
    model.fit(pairs, steps=150, batch_size=64, progress=False, **options)
    assert shown(model, pairs) > 1.0


def test_an_objective_of_ones_own():
    def sharper(scores):
        return 2 * bounds.info_nce(scores)

    items, labels = two_sensors()
    outputs = {"a": torch.eye(5), "b": torch.eye(5)}
    ours, plain = (
        InformationObjective([("a", "b")], objective) for objective in (sharper, "info_nce")
    )
    assert ours(outputs)["loss"].item() == pytest.approx(2 * plain(outputs)["loss"].item())
    model = small_model(objective=sharper)
    model.fit(Pairing(items, labels), steps=60, batch_size=64, progress=False)
    assert shown(model, Pairing(items, labels)) > 0.8


def test_the_loss_is_minus_the_sum_over_pairs():
    rows = torch.nn.functional.normalize(torch.randn(3, 20, 8, generator=generator()), dim=2)
    outputs = dict(zip("abc", rows, strict=True))
    information = InformationObjective(list(combinations("abc", 2)), temperature=0.1)
    terms = information(outputs)
    for a, b in combinations("abc", 2):
        scores = outputs[a] @ outputs[b].T / 0.1
        wanted = (bounds.info_nce(scores) + bounds.info_nce(scores.T)) / 2
        assert terms[f"{a}-{b}"].item() == pytest.approx(wanted.item(), abs=1e-5)
    assert terms["loss"].item() == pytest.approx(
        -sum(terms[f"{a}-{b}"].item() for a, b in combinations("abc", 2))
    )


def test_four_modalities_with_a_simulated_sensor():
    """Each encoder, projection and temperature has a gradient; positives can be few or missing."""
    rng = np.random.default_rng(0)
    digits = np.arange(24) % 4
    items = {
        "image": rng.integers(0, 256, (24, 12, 12), np.uint8),
        "speech": [rng.standard_normal(1500).astype("f4") for _ in range(9)],
        "text": [f"a {WORDS[digit]}" for digit in digits],
        "sensor": clouds(digits, 6),
    }
    labels = {"image": digits, "speech": np.arange(9) % 4}
    encoders = {
        "image": ImageEncoder(dim=16, width=4),
        "speech": AudioEncoder(seconds=0.2, dim=16, width=8, hidden=8),
        "text": TextEncoder(Tokenizer.from_texts(items["text"]), 16, hidden=8),
        "sensor": TabularEncoder(6, 16, hidden=8),
    }
    model = MultimodalInfoMax(encoders, 8, fusion=FUSIONS["gated"](list(encoders), 16))
    nine = {name: values[:9] for name, values in items.items()}
    terms = model.information(model(nine))
    terms["loss"].backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 0, name
    history = model.fit(Pairing(items, labels), steps=4, batch_size=12, progress=False)
    assert set(history.epochs[-1]) >= {"image-speech", "text-sensor", "sensor-all but sensor"}
    some = model.project({"speech": items["speech"][:2], "image": items["image"][:5]})
    assert {name: tuple(z.shape) for name, z in some.items()} == {"speech": (2, 8), "image": (5, 8)}
    for z in some.values():
        torch.testing.assert_close(z.norm(dim=1), torch.ones(len(z)))
    assert model.encode({"sensor": items["sensor"]})["sensor"].shape == (24, 16)


def test_only_fusion_learns_synergy():
    """c = (a + b) mod 3 shares nothing with a, nothing with b, and ln 3 with both together."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 3, (2, 1500))
    items = {
        name: clouds(values, 4, seed=i)
        for i, (name, values) in enumerate({"a": a, "b": b, "c": (a + b) % 3}.items())
    }
    encoders = {name: TabularEncoder(4, 32, hidden=32, seed=i) for i, name in enumerate("abc")}
    model = MultimodalInfoMax(encoders, 16, fusion=FUSIONS["bilinear"](["a", "b", "c"], 32))
    history = model.fit(items, steps=250, batch_size=128, progress=False)
    last = history.epochs[-1]
    for pair in ("a-b", "a-c", "b-c"):
        assert last[pair] < 0.1
    for name in "abc":
        assert last[f"{name}-all but {name}"] > 0.85  # of ln 3 = 1.10, less the finite K
    together = model.fuse({"a": items["a"], "b": items["b"]})
    z = model.project({"c": items["c"]})["c"]
    nearest = (together[:300] @ z[300:].T).argmax(dim=1)
    assert ((a + b)[300:][nearest] % 3 == (a + b)[:300] % 3).mean() > 0.95
    present = torch.tensor([[True, True, False]]).expand(1500, -1)
    spoilt = dict(items, c=np.full_like(items["c"], 7))
    torch.testing.assert_close(model.fuse(spoilt, present), together)


def test_fusions_see_all_modalities_but_one():
    rows = list("abc")
    items = {name: clouds(np.arange(60) % 3, 4, seed=i) for i, name in enumerate(rows)}
    encoders = {name: TabularEncoder(4, 8, hidden=8) for name in rows}
    model = MultimodalInfoMax(encoders, 4, fusion=FUSIONS["gated"](rows, 8))
    model(items)
    assert (model.fusion.weights > 0).sum(dim=1).unique().tolist() == [2]


def test_exact_information_of_all_pairs():
    rng = np.random.default_rng(0)
    digits, words = rng.integers(0, 4, 30), np.arange(13) % 4
    items = {
        "image": torch.rand(30, 1, 4, 4, generator=generator()),
        "speech": np.zeros((13, 5)),
        "text": [f"a {WORDS[digit]}" for digit in digits],
    }
    pairs = Pairing(items, {"image": digits, "speech": words})
    encoders = {
        "image": ImageEncoder(dim=8, width=2),
        "speech": TabularEncoder(5, 8),
        "text": TextEncoder(Tokenizer.from_texts(pairs.items["text"]), 8),
    }
    model = MultimodalInfoMax(encoders, 4)
    found = model.exact_information(pairs, K=3)
    assert found.keys() == pairs.mutual_information.keys()
    z = model.project(pairs.items)
    population = pairs.population("speech", "text")
    scores = model.scores(
        {"speech": z["speech"], "text": z["text"][population.second]}, "speech", "text"
    )
    assert found["speech", "text"] == pytest.approx(exact_bound(scores, population.joint, K=3))


def test_same_seed_same_weights():
    items, labels = two_sensors()
    runs = []
    for seed in (0, 0, 1):
        model = small_model()
        model.fit(Pairing(items, labels), steps=5, batch_size=64, seed=seed, progress=False)
        runs.append(torch.cat([weight.flatten() for weight in model.parameters()]))
        torch.rand(3)
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_modules_of_ones_own_as_encoders():
    class Mine(nn.Linear):
        dim = 4

    items, labels = two_sensors()
    model = MultimodalInfoMax({"first": Mine(5, 4), "second": Mine(3, 4)}, 4)
    model.fit(Pairing(items, labels), steps=100, batch_size=64, learning_rate=0.01, progress=False)
    assert shown(model, Pairing(items, labels)) > 0.6


def test_saved_and_loaded_models_agree(tmp_path):
    items, labels = two_sensors()
    model = small_model()
    model.fit(Pairing(items, labels), steps=20, batch_size=64, progress=False)
    model.save(tmp_path / "model")
    other = small_model(seed=5)
    assert other.load(tmp_path / "model") is other
    z, again = model.project(items), other.project(items)
    assert torch.equal(model.scores(z, "first", "second"), other.scores(again, "first", "second"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_files_of_other_models_and_damaged_ones_are_refused(tmp_path):
    path = tmp_path / "model"
    small_model().save(path)
    other = MultimodalInfoMax({"first": TabularEncoder(5, 16), "second": TabularEncoder(3, 16)}, 8)
    with pytest.raises(CheckpointError, match=r"of another model: .*=16.*there.*=128"):
        other.load(path)
    words = [TextEncoder(Tokenizer(words), 4) for words in (["a", "b"], ["b", "a"])]
    first, second = (MultimodalInfoMax({"t": text, "s": TabularEncoder(2, 4)}) for text in words)
    first.save(path)
    with pytest.raises(CheckpointError, match="vocabulary"):
        second.load(path)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    before = [weight.clone() for weight in first.parameters()]
    with pytest.raises(CheckpointError, match="damaged"):
        first.load(path)
    assert all(torch.equal(a, b) for a, b in zip(before, first.parameters(), strict=True))


def test_evaluation_changes_no_mode_and_no_offset():
    model = small_model(objective="nwj").train()
    model.encoders["first"].eval()
    z = model.project(two_sensors()[0])
    model.scores(z, "first", "second")
    assert model.training
    assert not model.encoders["first"].training
    assert not model.information.critic("first-second").offset.begun


@pytest.mark.parametrize(
    "names",
    [("image", "type"), ("values", "text.title", ""), ("a-b", "a", "b-a"), ("forward", "x")],
)
@pytest.mark.parametrize("objective", ["info_nce", "mine"])
def test_any_string_is_a_name_of_a_modality(names, objective, tmp_path):
    items = {name: np.random.default_rng(0).normal(size=(32, 2)) for name in names}

    def new(seed=0):
        encoders = {name: TabularEncoder(2, 4, hidden=4, seed=seed) for name in names}
        fusion = AverageFusion(names, 4) if len(names) > 2 else None
        return MultimodalInfoMax(encoders, 4, fusion=fusion, objective=objective)

    model = new()
    pairs = len(names) * (len(names) - 1) // 2 + (len(names) if len(names) > 2 else 0)
    assert len(model.information.pairs) == len(model.information.critics) == pairs
    history = model.fit(items, steps=2, batch_size=8, progress=False)
    assert set(model.information.pairs) <= set(history.epochs[0])
    model.save(tmp_path / "model")
    other = new(seed=1).load(tmp_path / "model")
    z, again = model.project(items), other.project(items)
    for first, second in combinations(names, 2):
        assert torch.equal(model.scores(z, first, second), other.scores(again, first, second))


def test_names_of_pairs_stay_apart():
    pairs = [("a-b", "a"), ("a-b", "b-a"), ("a", "b-a")]
    objective = InformationObjective(pairs)
    assert list(objective.pairs) == ["'a-b'-'a'", "a-b-b-a", "'a'-'b-a'"]
    assert list(objective.pairs.values()) == pairs
    with pytest.raises(ValueError, match="pairs: expected different pairs"):
        InformationObjective([("a", "b"), ("a", "b")])


def test_files_are_those_of_a_model_with_functions_of_another_process(tmp_path):
    """The text of a function holds its address."""

    def new():
        encoders = {name: Printed(2, 4) for name in "ab"}
        return MultimodalInfoMax(encoders, 4, objective=partial(bounds.info_nce))

    class Printed(nn.Linear):
        dim = 4

        def extra_repr(self):
            return str(object())

    new().save(tmp_path / "model")
    new().load(tmp_path / "model")


def test_variation_of_ones_own_reaches_its_modality_only():
    items, labels = two_sensors()
    seen = []

    def vary(batch, generator):
        seen.append(tuple(batch.shape))
        return batch + torch.randn(batch.shape, generator=generator)

    model = small_model()
    options = {"batch_size": 64, "progress": False}
    model.fit(Pairing(items, labels), steps=3, augment={"second": vary}, **options)
    assert seen == [(64, 3)] * 3


def test_minus_log_turns_the_sign_below_zero_and_refuses_it():
    nats = torch.tensor([0.5, 1.0, 2.0], requires_grad=True)
    minus_log(nats).sum().backward()
    torch.testing.assert_close(nats.grad, torch.tensor([-2.0, -1.0, -0.5]))
    plain = torch.tensor(-0.5, requires_grad=True)
    (-plain.log()).backward()  # nan, and yet
    assert plain.grad.item() == pytest.approx(2.0)  # descent lowers the information
    for bad in (0.0, -0.1, math.nan):
        with pytest.raises(ValueError, match="nats: expected information above 0"):
            minus_log(torch.tensor([1.0, bad]))


def test_identical_views_leave_nothing_to_learn():
    """The same images twice: an untrained encoder is at the ceiling already."""
    items = {"one": load_digits("test").images[::8], "two": load_digits("test").images[::8]}
    model = MultimodalInfoMax({name: ImageEncoder(seed=0) for name in items}, temperature=0.01)
    model.projections["two"].load_state_dict(model.projections["one"].state_dict())
    with torch.no_grad():
        nats = model.eval().information(model(items))["one-two"].item()
    assert nats > 0.9 * math.log(125)


@pytest.mark.slow
def test_real_digits_and_voices():
    """60 steps: about a tenth of what the notebook trains."""
    pairings = {}
    for split in ("train", "test"):
        digits, speech = load_digits(split), load_speech(split)
        pairings[split] = Pairing(
            {"image": digits.images, "speech": speech.waveforms},
            {"image": digits.labels, "speech": speech.labels},
        )
    model = MultimodalInfoMax({"image": ImageEncoder(), "speech": AudioEncoder()})
    model.fit(pairings["train"], steps=60, progress=False)
    nats = model.exact_information(pairings["test"])["image", "speech"]
    # 1.84 when written; what chance alone shows is below 0
    assert 1.6 < nats < pairings["test"].mutual_information["image", "speech"]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MultimodalInfoMax({"a": TabularEncoder(2)}), ValueError, "encoders: .*two"),
        (
            lambda: MultimodalInfoMax({"a": TabularEncoder(2), "b": nn.Linear(2, 2)}),
            TypeError,
            "encoders: .*'b'",
        ),
        (
            lambda: MultimodalInfoMax({0: TabularEncoder(2), 1: TabularEncoder(2)}),
            TypeError,
            "encoders: expected names that are strings, got 0",
        ),
        (
            lambda: MultimodalInfoMax(
                {name: TabularEncoder(2, 4) for name in ("a", "b", "all but a")},
                fusion=AverageFusion(["a", "b", "all but a"], 4),
            ),
            ValueError,
            "encoders: .*'all but a'",
        ),
        (lambda: small_model(objective="club"), ValueError, "objective: .*'club'"),
        (lambda: small_model(temperature=0.0), ValueError, "temperature: "),
        (lambda: small_model(fusion=AverageFusion(["first"], 16)), ValueError, "fusion: .*three"),
        (lambda: small_model().fit({"first": [[0.0]], "other": [[0.0]]}), ValueError, "pairs: "),
        (lambda: small_model().project({"other": [[0.0]]}), ValueError, "items: .*other"),
        (lambda: small_model().fuse({"first": [[0.0]]}), ValueError, "fuse: "),
        (lambda: small_model().scores({}, "second", "first"), ValueError, "first, second: "),
        (
            lambda: small_model().fit(Pairing(*two_sensors()), steps=1, augment={"other": abs}),
            ValueError,
            "augment: .*'other'",
        ),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()
