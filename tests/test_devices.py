"""Every part on an accelerator that is not there: no tensor is on another device than it has to be.

See `fake_accelerator`: operations check devices, dtypes and shapes, and compute nothing.
"""

import json
import math
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import fake_accelerator
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize
from torch.utils.data import DataLoader, TensorDataset

from simmim_lite import (
    augment,
    bounds,
    contrastive,
    critics,
    encoders,
    evaluation,
    fusion,
    generation,
    manifold,
    masked,
    memory,
    multimodal,
    mutual_information,
    training,
)
from simmim_lite.datasets import Pairing
from simmim_lite.manifold import _networks
from simmim_lite.memory import _recall, _search

pytestmark = pytest.mark.slow

N, DIM = 8, 6
WORDS = ["one two", "two", "three one two", "one"] * 2

# What stand-ins for numbers cannot run.
LEFT_OUT = {
    "Faiss, SQLite, Milvus": "they search and store numbers on the CPU",
    "checkpoints, save, load, fingerprint": "they read the bytes of tensors",
    "KeyTable.remove": "the shape of the result depends on numbers",
    "exact_bound with K": "the shape of the result depends on numbers",
    "gather_rows": "needs several processes",
    "deployment_table": "it measures time and memory",
}

Part = Callable[[torch.device], object]
PARTS: dict[str, Part] = {}


def part(function: Part) -> Part:
    PARTS[function.__name__] = function
    return function


def add_part(name: str, function: Part) -> None:
    assert name not in PARTS
    PARTS[name] = function


def randn(*shape: int, device: torch.device) -> Tensor:
    return torch.randn(shape, device=device, requires_grad=True)


def learn(module: nn.Module, output: Tensor, device: torch.device) -> None:
    """Take a step of an optimizer; output, parameters and gradients are on the device."""
    assert output.device == device
    optimizer = torch.optim.AdamW(module.parameters())
    output.square().mean().backward()
    assert all(p.grad is None or p.grad.device == device for p in module.parameters())
    assert any(p.grad is not None for p in module.parameters())
    optimizer.step()
    assert {tensor.device for tensor in module.state_dict().values()} == {device}


def trains(module: nn.Module, *inputs: Any) -> Part:
    def run(device: torch.device) -> None:
        here = module().to(device).train()
        moved = [x.to(device) if isinstance(x, Tensor) else x for x in inputs]
        learn(here, here(*moved), device)
        here.eval()
        with torch.no_grad():
            assert here(*moved).device == device

    return run


def parts_of_encoders() -> None:
    images = np.zeros((N, 28, 28), np.uint8)
    sounds = [np.ones(5000, np.float32)] * N
    tokenizer = encoders.Tokenizer(["one", "two", "three"])
    cases = {
        "ImageEncoder": (encoders.ImageEncoder, images),
        "resnet18_encoder": (partial(encoders.resnet18_encoder, 1), images),
        "TextEncoder": (partial(encoders.TextEncoder, tokenizer), WORDS),
        "AudioEncoder": (encoders.AudioEncoder, sounds),
        "TabularEncoder": (partial(encoders.TabularEncoder, 3), np.ones((N, 3))),
    }
    for name, (make, items) in cases.items():
        add_part(name, trains(make, items))

        def on_device(device: torch.device, make: Any = make, items: Any = items) -> None:
            encoder = make().to(device)
            prepared = encoder.prepare(items).to(device)
            varied = encoder.augment(prepared, torch.Generator(device))
            learn(encoder, encoder(varied), device)

        add_part(f"{name}, augmented", on_device)


def parts_of_augment() -> None:
    functions: dict[str, Any] = {
        "random_crop": partial(augment.random_crop, padding=2),
        "random_rotation": partial(augment.random_rotation, degrees=9),
        "RandomWarp": augment.RandomWarp(),
    }
    for name, function in functions.items():

        def run(device: torch.device, function: Any = function) -> None:
            images = torch.rand(N, 1, 28, 28, device=device)
            assert function(images, torch.Generator(device)).device == device

        add_part(name, run)


def parts_of_fusion() -> None:
    for name, kind in fusion.FUSIONS.items():

        def run(device: torch.device, kind: Any = kind) -> None:
            module = kind(["a", "b", "c"], DIM).to(device)
            features = {name: randn(N, DIM, device=device) for name in "ab"}
            present = fusion.drop_modalities(torch.ones(N, 3, dtype=torch.bool), 0.3)
            assert module(features).device == module(features, present).device == device
            module(features, present.to(device)).sum().backward()
            assert module.weights is None or module.weights.device == device

        add_part(f"fusion {name}", run)


@part
def classifiers(device: torch.device) -> None:
    labels = torch.zeros(N, dtype=torch.int64)
    encoder = encoders.TabularEncoder(3, DIM)
    joint = fusion.GatedFusion(["a", "b"], DIM)
    model = fusion.FusedClassifier(joint, 4, encoders={"a": encoder}, drop=0.5).to(device)
    batch = {"a": torch.zeros(N, 3), "b": torch.zeros(N, DIM)}
    augmented = model.augment({name: x.to(device) for name, x in batch.items()}, None)
    learn(model, model(augmented)[:, 0], device)
    assert model.predict(batch).device == device
    experts = {name: fusion.FusedClassifier(fusion.AverageFusion([name], DIM), 4) for name in "ab"}
    bayes = fusion.BayesClassifier(experts, 4).to(device)
    batch["a"] = torch.zeros(N, DIM)
    assert bayes({name: x.to(device) for name, x in batch.items()}).device == device
    with patch.object(fake_accelerator, "TRUE", fake_accelerator.CHECKS):
        bayes.calibrate("a", batch["a"], labels)  # no label is too large


@part
def all_critics(device: torch.device) -> None:
    x, y = randn(20, 3, device=device), randn(20, 2, device=device)
    critic = critics.SeparableCritic(3, 2).to(device)
    learn(critic, critic(x, y), device)
    critic(x.detach().cpu(), y.detach().cpu())
    evaluation.staircase(
        critics.SeparableCritic(20, 20).to(device), "nwj", {"nwj": bounds.nwj}, levels=[1], steps=2
    )


def parts_of_bounds() -> None:
    for name, entry in bounds.BOUNDS.items():

        def run(device: torch.device, name: str = name, entry: bounds.Bound = entry) -> None:
            scores = randn(N, N, device=device)
            for function in (entry.function, entry.objective or entry.function):
                value = function(scores)
                assert value.device == device
                value.backward()
            assert scores.grad is not None
            joint = np.full((N, N), 1 / N**2)
            if entry.expectation:
                assert math.isfinite(bounds.exact_bound(scores, joint, name))
            objective = multimodal.InformationObjective([("a", "b")], name).to(device)
            for _ in range(2):
                views = {key: normalize(randn(N, DIM, device=device)) for key in "ab"}
                learn(objective, objective(views)["loss"], device)

        add_part(f"bound {name}", run)

    @part
    def other_bounds(device: torch.device) -> None:
        scores = randn(N, N, device=device)
        assert bounds.club(scores).device == bounds.leave_one_out(scores).device == device
        assert bounds.barber_agakov(scores.diagonal(), 1.0).device == device
        assert bounds.interpolated(scores, 0.3).device == device


def parts_of_contrastive() -> None:
    losses: dict[str, Any] = {
        "info_nce_loss": contrastive.info_nce_loss,
        "info_nce_loss, one way": partial(contrastive.info_nce_loss, symmetric=False),
        "nt_xent_loss": contrastive.nt_xent_loss,
    }
    for name, loss in losses.items():

        def run(device: torch.device, loss: Any = loss) -> None:
            temperature = contrastive.LearnedTemperature().to(device)
            views = randn(N, DIM, device=device), randn(N, DIM, device=device)
            scores = contrastive._Scores
            for small in (False, True):  # fake tensors do not know how large scores are
                with patch.object(contrastive, "_Scores", lambda *a, s=small: scores(*a[:-1], s)):
                    for tile in (None, 3):
                        learn(temperature, loss(*views, temperature(), tile=tile), device)
            assert loss(*views, 0.1).device == device

        add_part(name, run)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = encoders.ImageEncoder()
        self.head = nn.Linear(128, 10)

    def forward(self, batch: Any) -> Any:
        if isinstance(batch, dict):
            return self.head(self.encoder(batch["x"]))
        return self.encoder(batch[0]), self.encoder(batch[1])


def class_loss(logits: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    loss = cross_entropy(logits, batch["y"])
    return {"loss": loss, "twice": 2 * loss}


def small_data() -> dict[str, Tensor]:
    return {"x": torch.zeros(32, 1, 28, 28), "y": torch.zeros(32, dtype=torch.int64)}


@part
def batches(device: torch.device) -> None:
    model = Model()

    def vary(batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        return batch | {"x": model.encoder.augment(batch["x"], generator)}

    found = training.Batches(small_data(), N, transform=vary).to(device)
    assert {leaf.device for i in (0, 5) for leaf in found[i].values()} == {device}
    history = training.fit(model, class_loss, found, steps=3, device=device, clip_norm=1.0)
    assert history.steps == 3
    assert {p.device for p in model.parameters()} == {device}


def parts_of_fit() -> None:
    for optimizer in ("adam", "adamw", "rmsprop", "sgd", "muon"):

        def run(device: torch.device, optimizer: str = optimizer) -> None:
            options = {"optimizer": optimizer, "schedule": "one_cycle"}
            found = training.Batches(small_data(), N)
            training.fit(Model(), class_loss, found, steps=3, device=device, **options)

        add_part(f"fit, {optimizer}", run)

    @part
    def fit_data_loader(device: torch.device) -> None:
        rows = DataLoader(TensorDataset(*small_data().values()), batch_size=N)

        def loss(logits: Tensor, batch: list[Tensor]) -> Tensor:
            return cross_entropy(logits, batch[1])

        training.fit(nn.Sequential(First(), Model().encoder), loss, rows, steps=2, device=device)

    @part
    def gradient_caching(device: torch.device) -> None:
        views = torch.zeros(32, 1, 28, 28), torch.zeros(32, 1, 28, 28)
        loss, found = training.ContrastiveLoss(), training.Batches(views, N)
        training.fit(Model(), loss, found, steps=2, chunk=3, device=device)
        assert {p.device for p in loss.parameters()} == {device}


class First(nn.Module):
    def forward(self, batch: list[Tensor]) -> Tensor:
        return batch[0]


def embedder(**options: Any) -> multimodal.MultimodalInfoMax:
    tokenizer = encoders.Tokenizer(["one", "two", "three"])
    made = {
        "image": encoders.ImageEncoder(1, DIM),
        "speech": encoders.AudioEncoder(dim=DIM),
        "text": encoders.TextEncoder(tokenizer, DIM),
    }
    return multimodal.MultimodalInfoMax(made, 4, **options)


def digits() -> Pairing:
    labels = np.arange(N) % 4
    items = {
        "image": np.zeros((N, 28, 28), np.uint8),
        "speech": [np.ones(5000, np.float32)] * (2 * N),
        "text": WORDS,
    }
    return Pairing(items, {"image": labels, "speech": np.tile(labels, 2)})


@part
def multimodal_infomax(device: torch.device) -> None:
    names, pairs = ["image", "speech", "text"], digits()
    model = embedder(fusion=fusion.AttentionFusion(names, DIM))
    model.fit(pairs, batch_size=N, steps=2, device=device)
    assert {p.device for p in model.parameters()} == {device}
    for found in (model.encode(pairs.items), model.project(pairs.items)):
        assert {z.device.type for z in found.values()} == {"cpu"}
    items = {"image": pairs.items["image"], "text": pairs.items["text"]}
    assert model.fuse(items).device.type == "cpu"
    assert model.scores(found, "image", "text").device.type == "cpu"
    assert len(model.exact_information(pairs)) == 3


@part
def memory_of_keys(device: torch.device) -> None:
    for metric in ("cosine", "euclidean"):
        table = memory.Exact(str(device)).table(DIM, metric)
        table.add(torch.arange(N), torch.zeros(N, DIM))
        table.add(torch.arange(N, 2 * N), torch.zeros(N, DIM, device=device))
        assert table.keys.device == table.ids.device == device
        assert table.rows(torch.arange(3)).device == device
        for queries in (torch.zeros(5, DIM), torch.zeros(5, DIM, device=device)):
            scores, ids = table.search(queries, 3)
            assert scores.shape == ids.shape == (5, 3)
            assert scores.device.type == ids.device.type == "cpu"
        queries = randn(5, DIM, device=device)
        _search.score(queries, table.keys[:3].expand(5, 3, DIM), metric).sum().backward()
        _recall.attend_to_all(queries, table.keys, 1.0, metric).sum().backward()
        assert queries.grad is not None


@part
def simulated_memory(device: torch.device) -> None:
    found = memory.SimulatedMemory(DIM, backend=memory.Ram(memory.Exact(str(device))))
    found.write({"a": torch.zeros(N, DIM, device=device)}, instance={"a": torch.zeros(N, 2)})
    queries = randn(5, DIM, device=device)
    for k, mode in ((3, "top"), (3, "attend"), (None, "attend")):
        result = found.read(queries, "a", k, mode=mode)
        assert result.scores.device.type == result.ids.device.type == "cpu"
        if result.key is not None:
            assert result.key.device == device
            result.key.sum().backward()
    found.style_neighbors(found.read(queries, "a", 4), "a", 2)
    assert found.keys(torch.arange(2), "a").device.type == "cpu"


def conditioned(columns: int = DIM) -> training.Batches:
    data = {"x": torch.zeros(32, columns), "condition": torch.zeros(32, 4)}
    return training.Batches(data, N)


@part
def vae(device: torch.device) -> None:
    x, condition = torch.zeros(32, 1, 28, 28), torch.zeros(32, 4)
    model = generation.image_vae(5, 4)
    rows = training.Batches({"x": x, "condition": condition}, N)
    model.fit(rows, steps=3, device=device)
    assert model.sample(condition).device.type == "cpu"
    assert model.reconstruct(x, condition).shape == x.shape
    plain = generation.speech_vae(20, 5).to(device)
    spectrograms = torch.zeros(N, 40, 20)
    space = generation.LatentSpace(plain, spectrograms).to(device)
    latents, _ = space.encode(spectrograms)
    assert space.vary(spectrograms.to(device), latents).device.type == "cpu"


@part
def masked_images(device: torch.device) -> None:
    images = torch.zeros(N, 1, 8, 8)
    for hide, head in (("token", "gaussian"), ("drop", "bins"), ("token", "linear")):
        model = masked.MaskedModel((1, 8, 8), 4, dim=DIM + 2, depth=1, hide=hide, head=head)
        kinds = {"likelihood": head != "linear", "l1": True, "l2": True}
        for loss in (name for name, there in kinds.items() if there):
            model.fit(images, loss=loss, steps=1, batch_size=4, device=device)
        assert model.token.device == device
        masks = masked.random_masks(N, (2, 2), 0.5, generator=torch.Generator(device))
        assert masks.device == device
        assert model.predict(images, masks).device.type == "cpu"
        assert model.features(images, side=2).device.type == "cpu"
        here = images.to(device)
        learn(model, model({"image": here, "mask": masks}), device)
        if head != "linear":
            assert model.log_likelihood(here, masks).device.type == "cpu"


@part
def gan(device: torch.device) -> None:
    for objective in ("hinge", "r1"):
        model = generation.ConditionalGAN(DIM, 4, objective=objective)
        model.fit(conditioned(), steps=2, device=device)
        assert model.sample(torch.zeros(3, 4)).device.type == "cpu"


@part
def flow(device: torch.device) -> None:
    model = generation.RectifiedFlow(DIM, 4, width=8)
    model.fit(conditioned(), steps=2, device=device)
    assert model.sample(torch.zeros(3, 4), steps=2, guidance=2.0).device.type == "cpu"


@part
def captions(device: torch.device) -> None:
    tokenizer = encoders.Tokenizer(["one", "two", "three"])
    model = generation.CaptionDecoder(tokenizer, 4)
    rows = {"x": tokenizer.encode(WORDS), "condition": torch.zeros(N, 4)}
    model.fit(training.Batches(rows, 4), steps=2, device=device)
    for temperature in (0.0, 0.5):
        assert len(model.sample(torch.zeros(3, 4), temperature=temperature)) == 3


@part
def conditions(device: torch.device) -> None:
    pairs, z = digits(), torch.zeros(N, 4)
    found = {"image": z, "speech": torch.zeros(2 * N, 4), "text": z}
    targets, latents = (torch.zeros(N, DIM), torch.ones(N, DIM)), torch.zeros(N, 2)
    rows = generation.condition_batches(pairs, found, targets, 4, latents=latents).to(device)
    assert {leaf.device for leaf in rows[0].values()} == {device}
    generator = torch.Generator(device)
    weights = torch.ones(N, 5, device=device)
    drawn, used = generation.sample_around(
        torch.zeros(N, 5, DIM, device=device), weights, generator=generator
    )
    assert drawn.device == used.device == device


@part
def cross_modal(device: torch.device) -> None:
    pairs, model = digits(), embedder().to(device)
    images = model.encoders["image"].prepare(pairs.items["image"])
    space = generation.LatentSpace(generation.image_vae(5).to(device), images).to(device)
    sampler = generation.RectifiedFlow(5, 4 + 5, width=8).to(device)
    target = {"image": generation.LatentGenerator(space, sampler, "items")}
    store = memory.SimulatedMemory(4)
    store.write(
        model.project(pairs.items | {"speech": pairs.items["speech"][:N]}),
        instance={"image": space.encode(images)[0]},
    )
    generator = generation.CrossModalGenerator(model, target, store)
    made = generator.generate(pairs.items["text"], "text", "image")
    assert len(made.samples) == N


@part
def waveforms(device: torch.device) -> None:
    encoder = encoders.AudioEncoder()
    spectrograms = torch.zeros(2, encoder.mels, encoder.frames, device=device)
    assert generation.to_waveforms(spectrograms, encoder).device == device
    filters = encoders.mel_filters(8000)
    sounds = torch.zeros(2, 4000, device=device)
    assert encoders.log_mel(sounds, filters).device == device


@part
def learned_information(device: torch.device) -> None:
    x = np.random.default_rng(0).normal(size=(100, 3))
    found = mutual_information.estimate(x[:, :1], x[:, 1:], "learned", seconds=0, device=device)
    assert found.method == "learned"
    words = np.arange(100) % 5
    options = {"discrete": "x", "seconds": 0, "device": device}
    mutual_information.estimate(words, x, "learned", **options)


@part
def manifold_networks(device: torch.device) -> None:
    for moved in (None, "image", "adversarial"):
        x = torch.zeros((32, 1, 12, 12) if moved == "image" else (32, 3))
        data = {"x": x, "p": torch.ones(32, 2) / 2, "radius": torch.ones(32)}
        data["neighbors"] = torch.zeros(32, 4, dtype=torch.int64)
        for objective in (None, manifold.CLUSTERING_OBJECTIVES["iic"]):
            rows = _networks.TransformedBatches(data, N, moved, (1.0, 0.4), 2, 0)
            network = _networks.small_network(x, 2, width=1, seed=0)
            with patch.object(_networks, "fit", partial(training.fit, device=device)):
                _networks.train(network, rows, objective, 1e-3)
            assert next(network.parameters()).device == device
            assert _networks.logits_of(network, x).device.type == "cpu"


@part
def image_distances(device: torch.device) -> None:
    images = torch.zeros(N, 1, 28, 28, device=device)
    assert manifold.deskew(images).device == device
    assert manifold.oriented_gradients(images).device == device
    assert manifold.image_distortion(images, images).device == device
    _, index = manifold.image_neighbors(images, 3)
    assert index.shape == (N, 3)


@part
def evaluations(device: torch.device) -> None:
    images, labels = np.zeros((32, 28, 28), np.uint8), np.zeros(32, int)
    judge = evaluation.EvaluationClassifier(encoders.ImageEncoder(1, DIM), 4)
    judge.fit(images, labels, steps=2, batch_size=N, device=device)
    assert judge.features(images).device.type == "cpu"
    assert judge.classify(images).shape == (32,)
    encoder = encoders.ImageEncoder(1, DIM).to(device)
    items = torch.zeros(N, 1, 28, 28, device=device)
    found = evaluation.integrated_gradients(lambda x: encoder(x).sum(dim=1), items, steps=2)
    assert found.values.device == found.gap.device == device


# Mistakes that have to be found: without them the parts above would show nothing.


def add_cpu_range(device: torch.device) -> None:
    torch.zeros(N, device=device) + torch.arange(N)


def gather_by_cpu_range(device: torch.device) -> None:
    torch.zeros(N, device=device).gather(0, torch.arange(N))


def mask_by_cpu_range(device: torch.device) -> None:
    torch.zeros(N, device=device).masked_fill(torch.arange(N) < 3, 0)


def generator_of_the_cpu(device: torch.device) -> None:
    torch.rand(N, device=device, generator=torch.Generator())


def numpy_of_the_device(device: torch.device) -> None:
    torch.zeros(N, device=device).numpy()


def lengths_on_the_device(device: torch.device) -> None:
    lengths = torch.ones(N, dtype=torch.int64, device=device)
    nn.utils.rnn.pack_padded_sequence(torch.zeros(N, 3, 2, device=device), lengths, True)


def batch_on_the_cpu(device: torch.device) -> None:
    nn.Linear(3, 2).to(device)(torch.zeros(N, 3))


MISTAKES = [add_cpu_range, gather_by_cpu_range, mask_by_cpu_range, generator_of_the_cpu]
MISTAKES += [numpy_of_the_device, lengths_on_the_device, batch_on_the_cpu]

parts_of_encoders()
parts_of_augment()
parts_of_fusion()
parts_of_bounds()
parts_of_contrastive()
parts_of_fit()


def run_all(names: list[str]) -> dict[str, str]:
    """Errors of parts and mistakes by name (all without names); empty where there was none."""
    found, functions = {}, PARTS | {function.__name__: function for function in MISTAKES}
    for name in names or functions:
        function = functions[name]
        try:
            with fake_accelerator.fake_accelerator() as device:
                function(device)
            found[name] = ""
        except Exception:
            found[name] = traceback.format_exc(limit=-6)[-3000:]
    return found


@pytest.fixture(scope="module")
def errors() -> dict[str, str]:
    """`run_all` in a process of its own, as torch cannot forget a device."""
    if reason := fake_accelerator.missing():
        pytest.skip(reason)
    root = Path(__file__).resolve().parents[1]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", __file__]
    run = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", PARTS)
def test_part_runs_where_its_parameters_are(name: str, errors: dict[str, str]):
    assert errors[name] == ""


@pytest.mark.parametrize("name", [function.__name__ for function in MISTAKES])
def test_mistake_is_found(name: str, errors: dict[str, str]):
    assert "Error" in errors[name]


if __name__ == "__main__":
    print(json.dumps(run_all(sys.argv[1:])), flush=True)
    os._exit(0)  # torch may crash when it takes the device down
