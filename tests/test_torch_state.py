"""Torch's ambient state changes no result, and no call changes the state."""

import os
import random
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch
from torch import Tensor, nn
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
    memory,
    multimodal,
    storage,
    training,
)
from simmim_lite._torch_state import like_parameters, ordinary_torch
from simmim_lite.datasets import Pairing
from simmim_lite.mutual_information import estimate

N, DIM = 8, 4
WORDS = ["one two", "two", "three one two", "one"] * 2
TOKENS = encoders.Tokenizer(["one", "two", "three"])
IMAGES = np.random.default_rng(0).integers(0, 256, (N, 28, 28), np.uint8)
TABLE = np.random.default_rng(1).normal(size=(60, 3))
SOUNDS = list(np.random.default_rng(2).normal(size=(N, 5000)).astype(np.float32))


@contextmanager
def everything_changed() -> Iterator[None]:
    """Default dtype and device, inference mode, deterministic algorithms and anomaly detection."""
    with ExitStack() as stack:
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        stack.callback(torch.use_deterministic_algorithms, False)
        torch.set_default_dtype(torch.float64)
        torch.use_deterministic_algorithms(True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stack.enter_context(torch.autograd.detect_anomaly())
        stack.enter_context(torch.device("meta"))  # tensors without numbers: nothing may use it
        stack.enter_context(torch.inference_mode())
        yield


@contextmanager
def float64_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def state() -> dict[str, Any]:
    cudnn = torch.backends.cudnn
    return {
        "dtype": torch.get_default_dtype(),
        "device": torch.empty(0).device,
        "gradients": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "anomaly": torch.is_anomaly_enabled(),
        "cudnn": (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32),
        "matmul": torch.get_float32_matmul_precision(),
        "torch": torch.get_rng_state().tolist(),
        "numpy": repr(np.random.get_state()),  # noqa: NPY002
        "random": random.getstate(),
        "figures": dict(mpl.rcParams),
        "warnings": list(warnings.filters),
        "environment": dict(os.environ),
    }


def numbers(found: Any) -> list[np.ndarray]:
    """All numbers of a result."""
    if isinstance(found, Tensor):
        return [found.detach().numpy()]
    if isinstance(found, dict):
        return [part for value in found.values() for part in numbers(value)]
    if isinstance(found, list | tuple):
        return [part for value in found for part in numbers(value)]
    return [np.asarray(found)]


def trained(model: nn.Module, fit: Callable[[], object]) -> list[Tensor]:
    fit()
    return list(model.state_dict().values())


# By name, a function that makes everything in the ordinary state and returns the call.
ACTIONS: dict[str, Callable[[], Callable[[], Any]]] = {}


def action(function: Callable[[], Callable[[], Any]]) -> Callable[[], Callable[[], Any]]:
    ACTIONS[function.__name__] = function
    return function


@action
def learned_information() -> Callable[[], Any]:
    return lambda: estimate(TABLE[:, :1], TABLE[:, 1:2], "learned", seconds=0).nats


@action
def learned_classifier() -> Callable[[], Any]:
    words = ["ab"[row % 2] for row in range(60)]
    return lambda: estimate(words, TABLE, "learned", discrete="x", seconds=0).nats


def clusters(**options: Any) -> Callable[[], Any]:
    x = np.tile(np.abs(TABLE), (1, 12)) if options.get("augment") == "image" else TABLE
    model = manifold.ManifoldInfoMax(2, max_iter=2, random_state=0, **options)
    return lambda: (model.fit(x).labels_, model.bound_, model.transform(x), model.score(x))


for _name in (None, "image", "adversarial"):
    ACTIONS[f"manifold, {_name}"] = partial(clusters, augment=_name)
ACTIONS["manifold, iic"] = partial(clusters, augment="adversarial", objective="iic")
ACTIONS["manifold, function"] = partial(clusters, augment=lambda x, generator: x + 0.1)


@action
def manifold_graph() -> Callable[[], Any]:
    images = torch.rand(9, 1, 20, 20)
    return lambda: (
        manifold.nearest_neighbors(TABLE, 3),
        manifold.image_neighbors(images, 3),
        manifold.image_distortion(images, images.flip(0)),
        manifold.intrinsic_dimension(TABLE),
    )


ENCODERS: dict[str, tuple[Callable[[], encoders.Encoder], Any]] = {
    "image": (partial(encoders.ImageEncoder, 1, DIM), IMAGES),
    "text": (partial(encoders.TextEncoder, TOKENS, DIM), WORDS),
    "speech": (partial(encoders.AudioEncoder, dim=DIM), SOUNDS),
    "table": (partial(encoders.TabularEncoder, 3, DIM), TABLE[:N]),
}


def encoded(make: Callable[[], encoders.Encoder], items: Any) -> Callable[[], Any]:
    encoder = make().eval()

    def call() -> Any:
        prepared = encoder.prepare(items)
        generator = torch.Generator().manual_seed(0)
        return encoder(items), encoder.augment(prepared, generator)

    return call


for _name, (_make, _items) in ENCODERS.items():
    ACTIONS[f"encoder, {_name}"] = partial(encoded, _make, _items)


@action
def augmentation() -> Callable[[], Any]:
    images, generator = torch.rand(N, 1, 12, 12), torch.Generator()
    functions = [
        partial(augment.random_crop, padding=2),
        partial(augment.random_rotation, degrees=9),
        augment.RandomWarp(),
    ]
    return lambda: [f(images, generator.manual_seed(0)) for f in functions]


@action
def fusions() -> Callable[[], Any]:
    features = {name: torch.rand(N, DIM) for name in "ab"}
    present = torch.arange(3 * N).reshape(N, 3) % 3 != 0
    made = [kind(["a", "b", "c"], DIM).eval() for kind in fusion.FUSIONS.values()]
    return lambda: [
        *(module(features, present) for module in made),
        fusion.drop_modalities(present, 0.5, generator=torch.Generator().manual_seed(0)),
    ]


@action
def scores_and_bounds() -> Callable[[], Any]:
    x, y = torch.rand(20, 3), torch.rand(20, 2)
    made = [critics.SeparableCritic(3, 2)]
    joint = np.full((20, 20), 1 / 400)
    return lambda: [
        [bound.function(critic(x, y)) for critic in made for bound in bounds.BOUNDS.values()],
        bounds.exact_bound(made[0](x, y), joint, K=5),
    ]


@action
def contrastive_losses() -> Callable[[], Any]:
    found = [torch.rand(2, N, DIM), torch.rand(2, N, DIM, dtype=torch.float64) * 50]
    functions = contrastive.info_nce_loss, contrastive.nt_xent_loss
    return lambda: [
        loss(*z, 0.1, tile=tile) for z in found for loss in functions for tile in (None, 3)
    ]


class Logits(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, batch: list[Tensor]) -> Tensor:
        return self.layer(batch[0])


def fitted(loader: bool = False, **options: Any) -> Callable[[], Any]:
    data = torch.rand(16, 3), torch.arange(16) % 2
    model = Logits()

    def loss(logits: Tensor, batch: list[Tensor]) -> Tensor:
        return nn.functional.cross_entropy(logits, batch[1])

    def call() -> Any:
        rows = DataLoader(TensorDataset(*data), 4, shuffle=True) if loader else None
        rows = training.Batches(list(data), 4) if rows is None else rows
        training.fit(model, loss, rows, epochs=2, device="cpu", progress=False, **options)
        return list(model.state_dict().values())

    return call


for _name in ("adam", "adamw", "rmsprop", "sgd", "muon"):
    ACTIONS[f"fit, {_name}"] = partial(fitted, optimizer=_name, schedule="one_cycle")
ACTIONS["fit, data loader"] = partial(fitted, loader=True)


@action
def gradient_caching() -> Callable[[], Any]:
    views, encoder = torch.rand(2, 16, 3), nn.Linear(3, DIM)
    loss = training.ContrastiveLoss()

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, batch: list[Tensor]) -> Any:
            return self.encoder(batch[0]), self.encoder(batch[1])

    model = Twice()
    fit = partial(training.fit, model, loss, steps=2, chunk=3, device="cpu", progress=False)
    return lambda: trained(model, lambda: fit(training.Batches(list(views), 8)))


@action
def checkpoints() -> Callable[[], Any]:
    content = storage.pack({"a": torch.rand(3), "b": 0.1})
    return lambda: storage.unpack(content)["a"]


def embedder(**options: Any) -> multimodal.MultimodalInfoMax:
    made = {name: ENCODERS[name][0]() for name in ("image", "text", "table")}
    return multimodal.MultimodalInfoMax(made, 3, **options)


def triples() -> dict[str, Any]:
    return {name: ENCODERS[name][1] for name in ("image", "text", "table")}


@action
def multimodal_infomax() -> Callable[[], Any]:
    joint = fusion.GatedFusion(["image", "text", "table"], DIM)
    model = embedder(fusion=joint)

    def call() -> Any:
        pairs = Pairing(triples())
        fit = partial(model.fit, pairs, batch_size=4, steps=2, device="cpu", progress=False)
        found = trained(model, fit), model.project(pairs.items), model.fuse(pairs.items)
        return *found, list(model.exact_information(pairs).values())

    return call


def memories(make: Callable[[Path], Any]) -> Callable[[], Any]:
    keys, query = np.random.default_rng(0).normal(size=(2, 20, DIM))

    def use(metric: str, folder: str) -> list[Any]:
        found, backend = [], make(Path(folder, f"{metric}.sqlite"))
        with memory.SimulatedMemory(DIM, metric=metric, capacity=15, backend=backend) as store:
            store.write({"a": keys}, {"a": WORDS + WORDS + WORDS[:4]}, instance={"a": keys[:, :2]})
            for k, mode in ((3, "top"), (3, "attend"), (None, "attend")):
                read = store.read(torch.from_numpy(query), "a", k, mode=mode)
                found.append((read.ids, read.scores, read.weights))
                found.append(() if read.key is None else read.key)
            few = store.read(torch.from_numpy(query), "a", 3)
            near = store.style_neighbors(few, "a", 2, generator=torch.Generator().manual_seed(0))
            stats = store.stats()["keys"]["a"]["effective_rank"]
            return [*found, near.ids, store.keys(store.ids[:2], "a"), store.ids, stats]

    def call() -> Any:
        with TemporaryDirectory() as folder:
            return [use(metric, folder) for metric in ("cosine", "euclidean")]

    return call


ACTIONS["memory"] = partial(memories, lambda _: memory.Ram())
ACTIONS["memory, SQLite"] = partial(memories, memory.SQLite)
ACTIONS["memory, FAISS"] = partial(memories, lambda _: memory.Ram(memory.Faiss(smallest=1)))


@action
def associative_memories() -> Callable[[], Any]:
    x = torch.rand(5, DIM).sign() * torch.tensor([1.0, -1, 1, -1])

    def call() -> Any:
        sums, products = memory.SumMemory(DIM), memory.OuterProductMemory(DIM, DIM)
        patterns = memory.HopfieldMemory(DIM)
        sums.write(x)
        products.write(x, x)
        patterns.write(x)
        return sums.familiarity(x), products.read(x), patterns.read(x)

    return call


@action
def variational_autoencoder() -> Callable[[], Any]:
    model, x, c = generation.image_vae(3, 2, width=4), torch.rand(N, 1, 28, 28), torch.rand(N, 2)
    rows = training.Batches({"x": x, "condition": c}, 4)
    fit = partial(model.fit, rows, steps=2, device="cpu", progress=False)
    return lambda: (trained(model, fit), model.sample(c), model.reconstruct(x, c))


def vector_batches() -> training.Batches:
    return training.Batches({"x": torch.rand(N, DIM), "condition": torch.rand(N, 2)}, 4)


def sampler(kind: Callable[..., Any], **options: Any) -> Callable[[], Any]:
    model, rows, c = kind(DIM, 2, width=8, **options), vector_batches(), torch.rand(3, 2)
    fit = partial(model.fit, rows, steps=2, device="cpu", progress=False)
    return lambda: (trained(model, fit), model.sample(c))


for _name in ("hinge", "r1"):
    ACTIONS[f"gan, {_name}"] = partial(sampler, generation.ConditionalGAN, objective=_name)
ACTIONS["flow"] = partial(sampler, generation.RectifiedFlow)


@action
def captions() -> Callable[[], Any]:
    model, c = generation.CaptionDecoder(TOKENS, 2), torch.rand(N, 2)
    rows = training.Batches({"x": TOKENS.encode(WORDS), "condition": c}, 4)
    fit = partial(model.fit, rows, steps=2, device="cpu", progress=False)
    return lambda: (trained(model, fit), model.sample(c))


@action
def waveforms() -> Callable[[], Any]:
    encoder = encoders.AudioEncoder()
    spectrograms = encoder.prepare(SOUNDS[:2])
    return lambda: generation.to_waveforms(spectrograms, encoder)


@action
def cross_modal() -> Callable[[], Any]:
    model, items = embedder(), triples()
    images = model.encoders["image"].prepare(items["image"])
    vae, flow = generation.image_vae(3, width=4), generation.RectifiedFlow(3, 3 + 3, width=8)

    def call() -> Any:
        space = generation.LatentSpace(vae, images)
        target = {"image": generation.LatentGenerator(space, flow, "items")}
        store = memory.SimulatedMemory(3)
        latents, _ = space.encode(images)
        keys = model.project(items)
        store.write(keys, {"image": items["image"]}, instance={"image": latents})
        made = generation.CrossModalGenerator(model, target, store, known=3)
        found = made.generate(items["text"], "text", "image")
        rows = generation.condition_batches(Pairing(items), keys, space.encode(images), 4)
        return found.samples, found.ids, rows[0], generation.neighbor_means(latents, 2)

    return call


POINTS = np.random.default_rng(0).normal(size=(18, 3))


@action
def evaluations() -> Callable[[], Any]:
    judge = evaluation.EvaluationClassifier(ENCODERS["image"][0](), 2)
    encoder, images = ENCODERS["image"][0]().eval(), torch.rand(N, 1, 28, 28)
    critic, labels = critics.SeparableCritic(20, 20), np.arange(N) % 2

    def call() -> Any:
        judge.fit(IMAGES, labels, steps=2, batch_size=4, device="cpu", progress=False)
        grown = evaluation.staircase(critic, "nwj", {"nwj": bounds.nwj}, levels=[1.0], steps=2)
        maps = evaluation.integrated_gradients(lambda x: encoder(x).sum(dim=1), images, steps=2)
        real, made = judge.features(IMAGES), judge.features(IMAGES[::-1].copy())
        return [
            judge.classify(IMAGES),
            grown.to_numpy(),
            maps,
            evaluation.density_and_coverage(POINTS[:9], POINTS[9:], k=2),
            evaluation.distance_to_nearest(real, made),
            evaluation.psnr(images.numpy(), images.flip(0).numpy()),
            evaluation.ssim(images.numpy(), images.flip(0).numpy()),
        ]

    return call


@pytest.mark.parametrize("name", ACTIONS)
def test_state_of_torch_changes_no_result(name: str):
    torch.manual_seed(0)
    call = ACTIONS[name]()
    torch.manual_seed(0)
    again = ACTIONS[name]()
    expected = numbers(call())  # what torch imports on demand changes warnings and environment
    with everything_changed():
        before = state()
        found = again()
        assert state() == before
    for a, b in zip(expected, numbers(found), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[Tensor, ...]]] = {
    "image": (ENCODERS["image"][0], (torch.rand(N, 1, 28, 28),)),
    "text": (ENCODERS["text"][0], (TOKENS.encode(WORDS),)),
    "speech": (ENCODERS["speech"][0], (torch.rand(N, 40, 20),)),
    "table": (ENCODERS["table"][0], (torch.rand(N, 3),)),
    "separable critic": (
        partial(critics.SeparableCritic, 3, 2),
        (torch.rand(N, 3), torch.rand(N, 2)),
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_take_inputs_of_another_dtype(name: str):
    make, inputs = MODULES[name]
    with float64_by_default():
        double = make()
    single = make()
    for module, dtype in ((double, torch.float64), (single, torch.float32)):
        for other in (torch.float32, torch.float64):
            given = [x.to(other) if x.is_floating_point() else x for x in inputs]
            assert module(*given).dtype == dtype


@pytest.mark.parametrize("kind", fusion.FUSIONS.values())
def test_fusions_take_inputs_of_another_dtype(kind: type[fusion.Fusion]):
    features = {name: torch.rand(N, DIM) for name in "ab"}
    with float64_by_default():
        module = kind(["a", "b"], DIM)
        model = fusion.FusedClassifier(kind(["a", "b"], DIM), 2)
    assert module(features).isfinite().all()
    assert model.predict(features).dtype == torch.float64


def test_generators_and_embedders_run_in_double_precision():
    with float64_by_default():
        for kind in (generation.ConditionalGAN, generation.RectifiedFlow):
            model = kind(DIM, 2, width=8)
            model.fit(vector_batches(), steps=2, device="cpu", progress=False)
            assert model.sample(torch.rand(3, 2, dtype=torch.float32)).dtype == torch.float64
        vae = generation.image_vae(3, width=4)
        vae.fit(training.Batches({"x": torch.rand(N, 1, 28, 28).float()}, 4), steps=2, device="cpu")
        assert vae.sample(n=2).dtype == torch.float64
        model = embedder()
    model.fit(triples(), batch_size=4, steps=1, device="cpu", progress=False)
    assert model.project(triples())["image"].dtype == torch.float64
    assert all(map(np.isfinite, model.exact_information(Pairing(triples())).values()))


def test_encoders_of_several_dtypes_share_a_space():
    made = {"image": ENCODERS["image"][0]().double(), "table": ENCODERS["table"][0]()}
    model = multimodal.MultimodalInfoMax(made, 3)
    items = {name: triples()[name] for name in made}
    model.fit(items, batch_size=4, steps=1, device="cpu", progress=False)
    assert model.project(items)["image"].dtype == torch.float32


def test_gradients_reach_inputs_of_another_dtype():
    table = torch.rand(N, 3, dtype=torch.float64, requires_grad=True)
    ENCODERS["table"][0]().eval()(table).sum().backward()
    assert table.grad is not None
    assert table.grad.abs().sum() > 0


def test_model_that_was_made_in_inference_mode_is_refused():
    with torch.inference_mode():
        model = nn.Linear(3, 2)
    rows = training.Batches(torch.rand(N, 3), 4)
    with pytest.raises(ValueError, match=r"model: .*inference_mode"):
        training.fit(model, lambda z, _: z.sum(), rows, steps=1, device="cpu")


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_memory_that_was_filled_in_inference_mode_remains_usable(metric: str):
    keys = torch.rand(6, DIM)
    with torch.inference_mode():
        store, sums = memory.SimulatedMemory(DIM, metric=metric), memory.SumMemory(DIM)
        store.write({"a": keys[:3]})
        sums.write(keys[:3])
    store.write({"a": keys[3:]})
    sums.write(keys[3:])
    assert store.read(keys, "a").ids[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(sums.sum, keys.sum(dim=0), rtol=1e-6)
    store.forget([0])
    queries = keys.clone().requires_grad_()
    store.read(queries, "a", 2, mode="attend").key.sum().backward()
    assert queries.grad is not None


def test_temperature_has_the_precision_of_the_embeddings():
    z = torch.rand(2, N, DIM, dtype=torch.float64)
    exact = torch.tensor(0.1, dtype=torch.float64)
    assert contrastive.info_nce_loss(*z, 0.1) == contrastive.info_nce_loss(*z, exact)


def test_dtype_of_other_threads_stays_as_it_is():
    """`torch.set_default_dtype` would change it: it belongs to all threads."""
    seen, end = set(), threading.Event()

    def watch() -> None:
        while not end.wait(1e-4):
            seen.add(torch.get_default_dtype())

    with float64_by_default():
        thread = threading.Thread(target=watch)
        thread.start()
        estimate(TABLE[:, :1], TABLE[:, 1:2], "learned", seconds=0)
        manifold.ManifoldInfoMax(2, max_iter=2, random_state=0).fit(TABLE)
        end.set()
        thread.join()
    assert seen == {torch.float64}


def test_ordinary_torch_ends_with_an_error():
    @ordinary_torch()
    def fail() -> None:
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        assert not torch.is_autocast_enabled("cpu")
        assert torch.empty(0).device.type == "cpu"
        raise KeyError

    with everything_changed(), torch.autocast("cpu", torch.bfloat16):
        before = state()
        with pytest.raises(KeyError):
            fail()
        assert state() == before


def test_like_parameters():
    layer = nn.Linear(2, 2).double()
    assert like_parameters(layer, torch.ones(2)).dtype == torch.float64
    assert like_parameters(layer, torch.ones(2, dtype=torch.int64)).dtype == torch.int64
    assert like_parameters(nn.ReLU(), torch.ones(2)).dtype == torch.float32
    half = torch.ones(2, dtype=torch.bfloat16)
    assert like_parameters(layer, half).dtype == torch.float64
    with torch.autocast("cpu", torch.bfloat16):
        assert like_parameters(layer, half).dtype == torch.bfloat16
