"""Fusion: exact means, Bayes' rule, missing modalities, and which fusions can represent XOR."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.nn.functional import cross_entropy

from simmim_lite.fusion import (
    FUSIONS,
    AverageFusion,
    BayesClassifier,
    FusedClassifier,
    GatedFusion,
    ProductOfExperts,
    WeightedFusion,
    drop_modalities,
    fit_temperature,
)

NAMES = ("image", "speech", "text")
LEARNED = [kind for kind in FUSIONS if kind not in ("average", "experts")]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def features(N=6, dim=8, names=NAMES, seed=0):
    values = torch.randn(len(names), N, dim, generator=generator(seed))
    return dict(zip(names, values, strict=True))


def make(kind, names=NAMES, dim=8, seed=0):
    """Return a fusion with random changes of all weights, so that nothing cancels by chance."""
    module = FUSIONS[kind](names, dim, seed=seed)
    with torch.no_grad():
        for weight in module.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator(seed))
    return module


@pytest.mark.parametrize("kind", FUSIONS)
@pytest.mark.parametrize("names", [("a",), ("a", "b"), NAMES, (*NAMES, "sensor")])
def test_any_number_of_modalities(kind, names):
    module = make(kind, names)
    fused = module(features(names=names))
    assert fused.shape == (6, 8)
    if module.weights is not None:
        assert module.weights.shape == (6, len(names))
        torch.testing.assert_close(module.weights.sum(dim=1), torch.ones(6))
        assert not module.weights.requires_grad


@pytest.mark.parametrize("kind", FUSIONS)
def test_values_of_missing_modalities_change_nothing(kind):
    module, rows = make(kind), features()
    present = torch.ones(6, 3, dtype=torch.bool)
    present[0, 1] = present[1, 0] = present[2, :2] = present[3, 1:] = False
    wanted = module(rows, present)
    weights = module.weights
    corrupted = {}
    for column, (name, values) in enumerate(rows.items()):
        values = values.clone()
        values[~present[:, column]] = math.nan
        corrupted[name] = values.requires_grad_()
    fused = module(corrupted, present)
    torch.testing.assert_close(fused, wanted)
    if weights is not None:
        torch.testing.assert_close(module.weights, weights)
        assert not module.weights[~present].any()
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(6))
    (fused * torch.randn(6, 8, generator=generator(1))).sum().backward()
    for column, values in enumerate(corrupted.values()):
        missing = ~present[:, column]
        assert not values.grad[missing].any()
        assert values.grad[~missing].abs().amax(dim=1).min() > 0
    for name, weight in module.named_parameters():
        assert weight.grad.isfinite().all(), name
        assert weight.grad.abs().max() > 0, name


@pytest.mark.parametrize("kind", FUSIONS)
def test_a_name_left_out_is_missing_everywhere(kind):
    module, rows = make(kind), features()
    present = torch.tensor([[True, False, True]]).expand(6, -1)
    wanted = module(rows, present)
    del rows["speech"]
    torch.testing.assert_close(module(rows), wanted)
    torch.testing.assert_close(module(rows, torch.ones(6, 3, dtype=torch.bool)), wanted)
    assert not torch.allclose(module(features()), wanted)


@pytest.mark.parametrize("kind", FUSIONS)
def test_rows_are_independent_and_the_order_of_names_does_not_matter(kind):
    module, rows = make(kind).double(), {k: v.double() for k, v in features().items()}
    together = module(rows)
    backwards = module({name: rows[name] for name in reversed(NAMES)})
    torch.testing.assert_close(together, backwards)
    for i in range(6):
        alone = module({name: values[i : i + 1] for name, values in rows.items()})
        torch.testing.assert_close(alone, together[i : i + 1])


@pytest.mark.parametrize("kind", LEARNED)
def test_weights_follow_from_the_seed(kind):
    def flat(seed):
        return torch.cat([p.flatten() for p in FUSIONS[kind](NAMES, 4, seed=seed).parameters()])

    before = torch.random.get_rng_state()
    assert torch.equal(flat(1), flat(1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert kind == "weighted" or not torch.equal(flat(1), flat(2))


def test_average_and_weighted_by_hand():
    rows = features()
    mean = sum(rows.values()) / 3
    torch.testing.assert_close(AverageFusion(NAMES, 8)(rows), mean)
    weighted = WeightedFusion(NAMES, 8)
    torch.testing.assert_close(weighted(rows), mean)  # equal weights at first
    with torch.no_grad():
        weighted.logits.copy_(torch.tensor([1.0, 2.0, 5.0]).log())
    wanted = (rows["image"] + 2 * rows["speech"] + 5 * rows["text"]) / 8
    torch.testing.assert_close(weighted(rows), wanted)
    del rows["speech"]
    wanted = (rows["image"] + 5 * rows["text"]) / 6
    torch.testing.assert_close(weighted(rows), wanted)


def test_the_gate_between_two_is_that_of_the_paper():
    names, rows = ("a", "b"), features(names=("a", "b"))
    module = make("gated", names)
    marked = [rows["a"], rows["b"], torch.ones(6, 2)]
    logits = module.gate(torch.cat(marked, dim=1)).view(6, 2, 8)
    z = torch.sigmoid(logits[:, 0] - logits[:, 1])
    h = [layer(rows[name]).tanh() for name, layer in zip(names, module.values, strict=True)]
    torch.testing.assert_close(module(rows), z * h[0] + (1 - z) * h[1])
    torch.testing.assert_close(module.weights[:, 0], z.mean(dim=1))


def test_bilinear_holds_products_and_single_terms():
    """With two modalities, f(a, b) - f(a, 0) - f(0, b) + f(0, 0) is bilinear in a and b."""
    module = make("bilinear", ("a", "b")).double()
    a, b = torch.randn(2, 5, 8, generator=generator(), dtype=torch.float64)
    zero = torch.zeros_like(a)

    def mixed(x, y):
        terms = [module({"a": p, "b": q}) for p, q in ((x, y), (x, zero), (zero, y), (zero, zero))]
        return terms[0] - terms[1] - terms[2] + terms[3]

    torch.testing.assert_close(mixed(2 * a, -3 * b), -6 * mixed(a, b))
    assert mixed(a, b).abs().max() > 0.01


@given(seed=st.integers(0, 10**6), M=st.integers(1, 4))
@settings(max_examples=30)
def test_product_of_experts_is_bayes_rule(seed, M):
    """On a joint distribution in which the modalities are independent given the class."""
    classes, values = 4, 3
    names = [f"m{i}" for i in range(M)]
    draw = torch.rand(1 + M, classes, values, generator=generator(seed), dtype=torch.float64) + 0.05
    prior = draw[0, :, 0] / draw[0, :, 0].sum()
    likelihoods = draw[1:] / draw[1:].sum(dim=2, keepdim=True)  # p(x_m | c)
    seen = torch.randint(values, (50, M), generator=generator(seed))
    joint = prior.log() + sum(likelihoods[m][:, seen[:, m]].log().T for m in range(M))
    experts = {
        name: (prior * likelihoods[m][:, seen[:, m]].T).log() + 3.0  # up to a constant
        for m, name in enumerate(names)
    }
    fused = ProductOfExperts(names, classes, prior=prior).double()(experts)
    torch.testing.assert_close(fused, joint.log_softmax(dim=1), atol=1e-6, rtol=0)  # prior: float32
    torch.testing.assert_close(fused.exp().sum(dim=1), torch.ones(50).double())


def test_whole_numbers_are_averaged_as_numbers():
    average = AverageFusion(["a", "b"], 2)
    rows = {"a": torch.tensor([[1, 4]]), "b": torch.tensor([[2, 0]])}
    expected = torch.tensor([[1.5, 2.0]])
    assert torch.equal(average(rows), expected)
    assert torch.equal(average({name: values.numpy() for name, values in rows.items()}), expected)


@pytest.mark.parametrize("name", ["type", "a.b", "", "head"])
def test_any_string_is_a_name_of_a_modality(name):
    fusion = AverageFusion([name, "other"], 4)
    fused = FusedClassifier(fusion, 2, encoders={name: nn.Linear(3, 4)})
    batch = {name: torch.ones(2, 3), "other": torch.ones(2, 4)}
    assert fused(batch).shape == (2, 2)
    bayes = BayesClassifier({name: _Picks(name), "other": _Picks("other")}, 2)
    assert bayes({name: torch.zeros(3, 2), "other": torch.zeros(3, 2)}).shape == (3, 2)
    bayes.load_state_dict(bayes.state_dict())


class _Picks(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.name = name

    def forward(self, batch):
        return batch[self.name]


def test_a_modality_cannot_have_the_name_of_the_labels():
    fusion = AverageFusion(["label", "image"], 4)
    with pytest.raises(ValueError, match=r"fusion: .*'label'"):
        FusedClassifier(fusion, 2)
    with pytest.raises(ValueError, match=r"classifiers: .*'label'"):
        BayesClassifier({"label": nn.Linear(1, 2)}, 2)
    with pytest.raises(TypeError, match="names: expected strings"):
        AverageFusion([0, 1], 4)


def test_a_single_expert_is_not_changed():
    rows = features()
    alone = ProductOfExperts(NAMES, 8)({"text": rows["text"]})
    torch.testing.assert_close(alone, rows["text"].log_softmax(dim=1))


def accuracy_of_xor(kind, seed=0):
    """Train with a linear layer on signs a, b with noise; the class is a != b."""
    signs = torch.randint(0, 2, (400, 2), generator=generator(seed)) * 2.0 - 1
    noise = 0.1 * torch.randn(2, 400, 8, generator=generator(seed))
    rows = {"a": signs[:, :1] + noise[0], "b": signs[:, 1:] + noise[1]}
    classes = (signs[:, 0] != signs[:, 1]).long()
    fusion = FUSIONS[kind](("a", "b"), 8, seed=seed)
    head = nn.Linear(8, 2)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer = torch.optim.Adam([*fusion.parameters(), *head.parameters()], lr=0.02)
    for _ in range(300):
        loss = cross_entropy(head(fusion(rows)), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (head(fusion(rows)).argmax(dim=1) == classes).float().mean().item()


@pytest.mark.parametrize(
    "kind", ["average", "weighted", "gated", "concatenation", "bilinear", "attention"]
)
def test_synergy_needs_more_than_a_mean(kind):
    """A sum of one term for each modality classifies three of four corners at most; here, half."""
    accuracy = accuracy_of_xor(kind)
    if kind in ("average", "weighted"):
        assert accuracy < 0.8
    else:
        assert accuracy > 0.98


def test_learned_weight_leaves_a_noisy_modality():
    signs = torch.randint(0, 2, (500,), generator=generator()) * 2.0 - 1
    noise = torch.randn(2, 500, 8, generator=generator(1))
    rows = {"good": signs[:, None] + 0.5 * noise[0], "bad": 0 * signs[:, None] + 3 * noise[1]}
    for module in (WeightedFusion(("good", "bad"), 8), GatedFusion(("good", "bad"), 8)):
        head = nn.Linear(8, 2)
        optimizer = torch.optim.Adam([*module.parameters(), *head.parameters()], lr=0.02)
        for _ in range(150):
            loss = cross_entropy(head(module(rows)), (signs > 0).long())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        module(rows)
        assert module.weights[:, 0].mean() > 0.6


@given(
    probability=st.floats(0, 1),
    M=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    N=st.integers(1, 40),
)
@settings(max_examples=60)
def test_dropping_modalities_leaves_one(probability, M, seed, N):
    present = torch.rand(N, M, generator=generator(seed)) < 0.6
    present[torch.arange(N), torch.randint(M, (N,), generator=generator(seed))] = True
    kept = drop_modalities(present, probability, generator=generator(seed + 1))
    assert kept.any(dim=1).all()
    assert not (kept & ~present).any()
    if probability == 0:
        assert torch.equal(kept, present)
    if probability == 1:
        assert (kept.sum(dim=1) == 1).all()


def test_modalities_are_dropped_with_the_given_probability():
    present = torch.ones(20_000, 3, dtype=torch.bool)
    kept = drop_modalities(present, 0.3, generator=generator())
    # each stays with probability 0.7 + 0.3^3 / 3 = 0.709; 4 standard errors are 0.013
    torch.testing.assert_close(
        kept.float().mean(dim=0), torch.full((3,), 0.709), atol=0.013, rtol=0
    )
    last = drop_modalities(present, 1.0, generator=generator())
    torch.testing.assert_close(
        last.float().mean(dim=0), torch.full((3,), 1 / 3), atol=0.013, rtol=0
    )


@pytest.mark.parametrize(
    ("rows", "present", "message"),
    [
        ({}, None, "features: expected some of image, speech, text, got none"),
        ({"smell": torch.zeros(2, 8)}, None, "features: .*'smell'"),
        ({"image": torch.zeros(2, 7)}, None, r"features: .*\(2, 8\), got \(2, 7\) for 'image'"),
        ({"image": torch.zeros(8)}, None, r"features: .*got \(8,\)"),
        ({"image": torch.zeros(2, 8), "text": torch.zeros(3, 8)}, None, r"\(3, 8\) for 'text'"),
        ({"image": torch.zeros(2, 8)}, torch.ones(2, 1).bool(), r"present: expected bool \(2, 3\)"),
        ({"image": torch.zeros(2, 8)}, torch.ones(2, 3), "present: .*float32"),
        (
            {"image": torch.zeros(2, 8)},
            torch.tensor([[True, False, False], [False, True, True]]),
            "present: .*none in row 1",
        ),
    ],
)
def test_bad_input(rows, present, message):
    with pytest.raises(ValueError, match=message):
        AverageFusion(NAMES, 8)(rows, present)


def test_bad_arguments():
    with pytest.raises(TypeError, match="names: "):
        AverageFusion("image", 8)
    with pytest.raises(ValueError, match="names: "):
        AverageFusion(["a", "a"], 8)
    with pytest.raises(ValueError, match="dim: "):
        AverageFusion(NAMES, 0)
    with pytest.raises(ValueError, match="prior: expected probabilities"):
        ProductOfExperts(NAMES, 2, prior=[0.5, 0.6])
    with pytest.raises(ValueError, match="probability: "):
        drop_modalities(torch.ones(2, 2).bool(), 1.5)


def test_a_classifier_of_fused_features():
    rows = features()
    model = FusedClassifier(make("gated"), 5, drop=0.5)
    batch = rows | {"label": torch.arange(6)}
    model.eval()
    logits = model(batch)
    assert logits.shape == (6, 5)
    torch.testing.assert_close(logits, model.head(model.fusion(rows)))
    missing = torch.tensor([[True, False, True]]).expand(6, -1)
    torch.testing.assert_close(
        model(batch, missing), model({"image": rows["image"], "text": rows["text"]})
    )
    model.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        seen = torch.stack([(model(batch), model.fusion.weights > 0)[1] for _ in range(200)])
    # each stays with probability 1/2 + 1/2^3 / 3 = 0.542; 4 standard errors of 3600 are 0.033
    assert seen.float().mean().item() == pytest.approx(0.542, abs=0.033)
    with pytest.raises(ValueError, match="features: "):
        model({"label": torch.arange(6)})
    with pytest.raises(ValueError, match="drop: "):
        FusedClassifier(make("gated"), 5, drop=-1)


def test_a_classifier_trains_its_encoders():
    """Items of a modality with an encoder are encoded; vectors of the others are used directly."""
    encoder = nn.Linear(3, 8)
    model = FusedClassifier(AverageFusion(("a", "b"), 8), 5, encoders={"a": encoder})
    items, vectors = torch.randn(6, 3, generator=generator()), features(names=("b",))["b"]
    logits = model({"a": items, "b": vectors})
    torch.testing.assert_close(logits, model.head((encoder(items) + vectors) / 2))
    torch.testing.assert_close(model({"b": vectors}), model.head(vectors))
    cross_entropy(logits, torch.arange(6) % 5).backward()
    assert encoder.weight.grad.abs().max() > 0
    with pytest.raises(ValueError, match="encoders: expected one of 'a', 'b', got 'c'"):
        FusedClassifier(AverageFusion(("a", "b"), 8), 5, encoders={"c": encoder})


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_temperature_is_the_factor_by_which_logits_are_too_large(factor):
    """Labels drawn from softmax(logits): 20,000 rows give the temperature to about one percent."""
    logits = 2 * torch.randn(20_000, 6, generator=generator())
    labels = torch.multinomial(logits.softmax(dim=1), 1, generator=generator(1))[:, 0]
    shift = 5 * torch.randn(20_000, 1, generator=generator(2))  # changes no probability
    found = fit_temperature(factor * logits + shift, labels)
    assert found == pytest.approx(factor, rel=0.04)


def test_temperature_refuses_classes_that_do_not_exist():
    with pytest.raises(ValueError, match=r"labels: expected whole numbers 0..2, got 3 in row 1"):
        fit_temperature(torch.zeros(2, 3), torch.tensor([0, 3]))
    with pytest.raises(ValueError, match=r"labels: .*0.5"):
        fit_temperature(torch.zeros(2, 3), [0, 0.5])


def test_temperature_of_rows_without_a_mistake_is_small_and_finite():
    assert 0.05 <= fit_temperature(torch.eye(4), torch.arange(4)) < 0.06
    with pytest.raises(ValueError, match=r"logits and labels: .*logits has 4, labels has 3"):
        fit_temperature(torch.eye(4), torch.arange(3))
    with pytest.raises(ValueError, match="logits: "):
        fit_temperature(torch.zeros(0, 4), torch.arange(0))


def one_each(names=("a", "b"), classes=5):
    """Return a classifier for each modality, with random weights."""
    return {
        name: FusedClassifier(AverageFusion([name], 8, seed=i), classes, seed=i)
        for i, name in enumerate(names)
    }


def test_bayes_classifier_multiplies_probabilities():
    experts, rows = one_each(), features(names=("a", "b"))
    bayes = BayesClassifier(experts, 5)
    p, q = (experts[name](rows).softmax(dim=1) for name in ("a", "b"))
    wanted = p * q / (p * q).sum(dim=1, keepdim=True)
    torch.testing.assert_close(bayes(rows | {"label": torch.arange(6)}).exp(), wanted)
    torch.testing.assert_close(bayes({"b": rows["b"]}).exp(), q)
    present = torch.tensor([[True, False]]).expand(6, -1)
    torch.testing.assert_close(bayes(rows | {"b": rows["b"] * math.nan}, present).exp(), p)


def test_calibration_is_of_one_modality_and_is_saved():
    experts = one_each()
    with torch.no_grad():
        experts["b"].head.weight.mul_(20)
    bayes = BayesClassifier(experts, 5)
    values = torch.randn(5000, 8, generator=generator(3))
    logits = experts["b"]({"b": values}) / 3
    labels = torch.multinomial(logits.softmax(dim=1), 1, generator=generator(4))[:, 0]
    assert bayes.calibrate("b", values, labels) == pytest.approx(3, rel=0.1)
    assert bayes.temperatures[0] == 1
    torch.testing.assert_close(bayes({"b": values}), logits.log_softmax(dim=1), atol=0.3, rtol=0.1)
    other = BayesClassifier(one_each(), 5)
    other.load_state_dict(bayes.state_dict())
    torch.testing.assert_close(other({"b": values}), bayes({"b": values}))
    with pytest.raises(ValueError, match="name: expected one of 'a', 'b', got 'c'"):
        bayes.calibrate("c", values, labels)


def test_predictions_are_normalized_without_dropping_or_gradients():
    model = FusedClassifier(make("gated"), 5, drop=1.0)
    model.train()
    predicted = model.predict(features())
    assert model.training
    assert not predicted.requires_grad
    torch.testing.assert_close(predicted.exp().sum(dim=1), torch.ones(6))
    torch.testing.assert_close(predicted, model.eval()(features()).log_softmax(dim=1))


def test_frozen_parts_stay_frozen_after_a_prediction():
    encoder = nn.Dropout()
    model = FusedClassifier(make("gated"), 5, encoders={NAMES[0]: encoder}).train()
    encoder.eval()
    model.predict(features())
    assert model.training
    assert not encoder.training
    bayes = BayesClassifier(one_each(), 5).train()
    bayes.calibrate("b", torch.ones(5, 8), torch.arange(5))
    assert bayes.training
    assert bayes.classifiers["b"].training


def test_arrays_are_dropped_like_tensors():
    model = FusedClassifier(AverageFusion(("a", "b"), 8), 5, drop=0.5).train()
    batch = {name: np.ones((6, 8), np.float32) for name in ("a", "b")}
    present = np.array([[True, False]] * 6)
    torch.testing.assert_close(model(batch, present), model.head(torch.ones(6, 8)))
    with pytest.raises(ValueError, match="present: expected bool"):
        model(batch, present[:5])


def test_a_fusion_shows_the_order_of_its_names():
    assert str(make("gated", ("x", "y", "z"))) != str(make("gated", ("z", "y", "x")))


def test_the_loss_is_the_cross_entropy_of_the_labels():
    logits, labels = torch.randn(6, 5, generator=generator()), torch.arange(6) % 5
    by_hand = -logits.log_softmax(dim=1)[torch.arange(6), labels].mean()
    torch.testing.assert_close(FusedClassifier.loss(logits, {"label": labels}), by_hand)


class Shifted(nn.Linear):
    """An encoder with a known augmentation."""

    def augment(self, items, generator):
        return items + torch.rand(1, generator=generator)


def test_items_are_augmented_by_their_encoders_and_nothing_else_changes():
    encoders = {"a": Shifted(3, 8), "b": nn.Linear(3, 8)}
    model = FusedClassifier(AverageFusion(("a", "b", "c"), 8), 5, encoders=encoders)
    batch = {name: torch.zeros(4, 3) for name in ("a", "b")} | {"label": torch.arange(4)}
    augmented = model.augment(batch, generator())
    torch.testing.assert_close(augmented["a"], torch.rand(1, generator=generator()).expand(4, 3))
    assert all(torch.equal(augmented[name], batch[name]) for name in ("b", "label"))
    assert not batch["a"].any()
