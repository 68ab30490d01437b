"""Generators: bounds against exact values, samplers against known distributions, provenance."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import nn

from simmim_lite.datasets import load_speech
from simmim_lite.encoders import AudioEncoder, TabularEncoder, Tokenizer, power_spectrogram
from simmim_lite.generation import (
    CaptionDecoder,
    ConditionalGAN,
    ConditionalVAE,
    CrossModalGenerator,
    LatentGenerator,
    LatentSpace,
    RectifiedFlow,
    WhitenedKeys,
    _samplers,
    bits_per_dimension,
    condition_batches,
    griffin_lim,
    image_vae,
    make_condition,
    neighbor_means,
    power_from_mel,
    sample_around,
    speech_vae,
    to_waveforms,
)
from simmim_lite.memory import SimulatedMemory
from simmim_lite.multimodal import MultimodalInfoMax, Pairing
from simmim_lite.training import Batches


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# Variational autoencoder


class _Affine(nn.Module):
    """[x, c] -> A x + B c + b, with a constant log variance beside it."""

    def __init__(self, A, B, b, log_variance=None):
        super().__init__()
        self.A, self.B, self.b = (nn.Parameter(torch.as_tensor(v).float()) for v in (A, B, b))
        self.log_variance = log_variance

    def forward(self, x, condition=None):
        if condition is None:
            condition = x[:, -self.B.shape[1] :]
            x = x[:, : -self.B.shape[1]]
        mean = x @ self.A.T + condition @ self.B.T + self.b
        if self.log_variance is None:
            return mean
        return torch.cat([mean, self.log_variance.expand(len(x), -1)], dim=1)


def linear_gaussian(shift=0.0):
    """x = W z + V c + noise: a VAE whose posterior is exact but for ``shift``, and log p(x | c)."""
    rng = np.random.default_rng(0)
    W = np.linalg.qr(rng.standard_normal((5, 2)))[0] * (1.5, 0.7)  # orthogonal: q has no covariance
    V, sigma = rng.standard_normal((5, 3)), 0.4
    precision = np.eye(2) + W.T @ W / sigma**2
    A = np.linalg.solve(precision, W.T) / sigma**2
    log_variance = torch.tensor(-np.log(np.diag(precision))).float()
    encoder = _Affine(A, -A @ V, np.full(2, shift), log_variance)
    decoder = _Affine(W, V, np.zeros(5))
    vae = ConditionalVAE(
        encoder, decoder, latent_dim=2, condition_dim=3, likelihood="normal", scale=sigma
    )
    c = rng.standard_normal((4000, 3))
    x = rng.standard_normal((4000, 2)) @ W.T + c @ V.T + sigma * rng.standard_normal((4000, 5))
    exact = multivariate_normal(cov=W @ W.T + sigma**2 * np.eye(5)).logpdf(x - c @ V.T)
    return vae, torch.tensor(x).float(), torch.tensor(c).float(), exact, precision


def bound(vae, x, c=None):
    """The parts of the bound of each row, with one draw of z."""
    with torch.no_grad():
        parts = vae({"x": x, "condition": c})
    return parts | {"nats": parts["reconstruction"] - parts["divergence"]}


def test_the_bound_is_exact_with_the_exact_posterior():
    vae, x, c, exact, _ = linear_gaussian()
    found = bound(vae, x, c)["nats"].numpy()
    # log p(x, z) - log q(z) + log q(z) - ... : one draw of z has the noise of z ~ q only
    assert np.mean(found) == pytest.approx(np.mean(exact), abs=4 * np.std(found - exact) / 63)
    assert np.mean(exact) == pytest.approx(-4.9, abs=1)  # not both zero


def test_the_bound_falls_by_the_divergence_to_the_exact_posterior():
    shift = 0.3
    vae, x, c, exact, precision = linear_gaussian(shift)
    found = bound(vae, x, c)["nats"].numpy()
    gap = 0.5 * shift**2 * np.diag(precision).sum()
    assert np.mean(exact - found) == pytest.approx(gap, abs=4 * np.std(found - exact) / 63)
    assert gap > 0.5


def test_the_divergence_is_that_of_normal_distributions():
    vae, x, c, _, _ = linear_gaussian()
    mean, deviation = vae.encode(x, c)
    q = torch.distributions.Normal(mean, deviation)
    truth = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(bound(vae, x, c)["divergence"], truth, rtol=1e-4)


def test_bernoulli_likelihood_of_binary_images_sums_up_to_one():
    vae = ConditionalVAE(nn.Identity(), nn.Identity(), latent_dim=1)
    logits = torch.tensor([[0.3, -2.0, 5.0]]).expand(8, -1)
    every = torch.cartesian_prod(*3 * [torch.tensor([0.0, 1.0])])
    assert vae.log_likelihood(every, logits).exp().sum() == pytest.approx(1, abs=1e-5)


def test_bits_of_a_fair_coin():
    assert bits_per_dimension(torch.tensor([-10 * math.log(2)]), 10) == pytest.approx(1)


def test_wrong_shapes_are_refused_and_not_broadcast():
    vae = image_vae(4, 3, width=4)
    x = torch.rand(5, 1, 28, 28)
    with pytest.raises(ValueError, match=r"condition: expected \(5, 3\), got none"):
        vae.encode(x)
    with pytest.raises(ValueError, match=r"condition: expected \(5, 3\), got \(1, 3\)"):
        vae.encode(x, torch.zeros(1, 3))
    with pytest.raises(ValueError, match="x: expected shape"):
        vae.log_likelihood(x[:1], x)


def test_a_vae_of_images_learns_them_and_repeats_itself():
    rng = np.random.default_rng(0)
    columns = rng.integers(4, 24, 256)  # a bar at a random place: one number says it all
    x = torch.zeros(256, 1, 28, 28)
    for image, column in zip(x, columns, strict=True):
        image[0, :, column - 2 : column + 2] = 1
    vae = image_vae(2, width=4)
    batches = Batches({"x": x}, 64)
    history = vae.fit(batches, steps=100, learning_rate=1e-2, progress=False)
    alone = torch.distributions.Bernoulli(x.mean(dim=0)).log_prob(x).flatten(1).sum(dim=1).mean()
    assert bound(vae, x)["nats"].mean() > 0.6 * alone  # latents without information cannot beat 1.0
    assert history["elbo"][-1] > history["elbo"][0]
    made = vae.sample(n=50, seed=1)
    assert made.shape == (50, 1, 28, 28)
    assert 0 <= made.min() <= made.max() <= 1
    assert torch.equal(made, vae.sample(n=50, seed=1))
    assert not torch.equal(made, vae.sample(n=50, seed=2))


def test_a_vae_of_speech_takes_any_number_of_frames():
    vae = speech_vae(67, 3, width=4)
    x = torch.randn(6, 40, 67)
    assert vae.reconstruct(x).shape == x.shape
    assert bound(vae, x)["nats"].shape == (6,)


# Flow and GAN, on a mixture that they must sort by its condition


def two_clouds(N=1024):
    """x (N, 2) around (1, 0) or (-1, 0), higher than wide, and one-hot conditions."""
    g = generator()
    which = torch.arange(N) % 2
    x = torch.randn(N, 2, generator=g) * torch.tensor([0.7, 1.0])
    x[:, 0] += 3 - 6 * which
    return x / 3, nn.functional.one_hot(which, 2).float()


@pytest.fixture(scope="module")
def flow():
    x, c = two_clouds()
    flow = RectifiedFlow(2, 2, width=48)
    flow.fit(Batches({"x": x, "condition": c}, 128), steps=250, progress=False)
    return flow


@pytest.mark.parametrize("kind", ["flow", "hinge", "r1"])
def test_samples_follow_their_condition_and_vary(kind, flow):
    x, c = two_clouds()
    model = flow
    if kind != "flow":
        model = ConditionalGAN(2, 2, width=48, objective=kind)
        batches = Batches({"x": x, "condition": c}, 128)
        model.fit(batches, steps=350, learning_rate=1e-3, progress=False)
    made = model.sample(c, seed=3)
    assert ((made[:, 0] > 0) == (c[:, 0] == 1)).float().mean() > 0.98
    for column in (0, 1):
        assert 0.4 < made[c[:, 0] == 1][:, column].std() / x[c[:, 0] == 1][:, column].std() < 1.7
    assert torch.equal(made, model.sample(c, seed=3))
    assert not torch.equal(made, model.sample(c, seed=4))


def test_the_best_velocity_of_a_normal_distribution_is_known():
    """For x1 ~ N(m, s^2): v(x, t) = m + (t s^2 - (1 - t)) / (t^2 s^2 + (1 - t)^2) (x - t m)."""
    m, s = 1.0, 0.5
    x = m + s * torch.randn(4096, 1, generator=generator())
    flow = RectifiedFlow(1, 1, width=48)
    batches = Batches({"x": x, "condition": torch.zeros(4096, 1)}, 512)
    flow.fit(batches, steps=250, progress=False)
    t, at = torch.full((5, 1), 0.4), torch.linspace(-0.6, 1.4, 5)[:, None]
    slope = (0.4 * s**2 - 0.6) / (0.16 * s**2 + 0.36)
    truth = m + slope * (at - 0.4 * m)
    found = flow.velocity(at, t, torch.zeros(5, 1)).detach()
    assert (found - truth).abs().max() < 0.3  # the slope is -1.25, over a range of 2


def test_guidance_goes_beyond_the_condition_and_one_is_none(flow):
    _, c = two_clouds()
    plain = flow.sample(c)
    assert torch.equal(plain, flow.sample(c, guidance=1.0, guide_from=0.5))
    guided = flow.sample(c, guidance=3.0)
    assert guided[:, 0].abs().mean() > plain[:, 0].abs().mean()
    assert torch.equal(plain, flow.sample(c, guidance=3.0, guide_from=1.0))


def test_each_player_is_blind_to_the_weights_of_the_other():
    gan = ConditionalGAN(2, 2, width=16, seed=0)
    x, c = two_clouds(64)
    losses = gan({"x": x, "condition": c})
    for own, other in (("generator", "discriminator"), ("discriminator", "generator")):
        weights = list(getattr(gan, other).parameters())
        found = torch.autograd.grad(losses[own], weights, retain_graph=True, allow_unused=True)
        assert all(gradient is None for gradient in found)
        weights = list(getattr(gan, own).parameters())
        assert all(g.abs().sum() > 0 for g in torch.autograd.grad(losses[own], weights[:1]))


@pytest.mark.parametrize("make", [ConditionalGAN, RectifiedFlow])
def test_weights_and_training_follow_from_the_seed_alone(make):
    x, c = two_clouds(64)
    found = []
    for noise in (1, 2):
        torch.manual_seed(noise)  # what was drawn before must not matter
        model = make(2, 2, width=16, seed=5)
        model.fit(Batches({"x": x, "condition": c}, 32), steps=3, seed=5, progress=False)
        found.append(model.sample(c, seed=0))
    assert torch.equal(*found)


def test_hinge_discriminators_are_smooth_and_r1_penalizes_slopes(monkeypatch: pytest.MonkeyPatch):
    gan = ConditionalGAN(2, 2, width=32).train()
    x, c = two_clouds(64)
    for _ in range(30):  # power iterations
        gan.discriminator(x, c)
    for name, layer in gan.discriminator.named_modules():
        if isinstance(layer, nn.Linear):
            norm = torch.linalg.matrix_norm(layer.weight.detach(), 2).item()
            assert norm == pytest.approx(1, abs=0.1), name
    losses = []
    for penalty in (0.0, 10.0):
        monkeypatch.setattr(_samplers, "_PENALTY", penalty)
        gan = ConditionalGAN(2, 2, width=32, objective="r1")
        losses.append(gan({"x": x, "condition": c})["discriminator"])
    assert losses[0] < losses[1]


# Latents, conditions, samples around remembered latents


def test_samples_around_latents_have_their_mean_and_scaled_covariance():
    cloud = torch.randn(16, 3, generator=generator()) * torch.tensor([1.0, 2.0, 0.0])
    latents = cloud.expand(20_000, -1, -1)
    weights = torch.full((20_000, 16), 1 / 16)
    options = {"n_neighbors": 16, "generator": generator(1)}
    made, columns = sample_around(latents, weights, spread=0.5, **options)
    assert torch.allclose(made.mean(0), cloud.mean(0), atol=0.03)
    assert torch.allclose(made.T.cov(), 0.25 * cloud.T.cov(), atol=0.03)
    assert made[:, 2].abs().max() == 0  # stays in their plane
    assert (columns.sort().values == torch.arange(16)).all()
    options = {"n_neighbors": 1, "generator": generator(1)}
    near, _ = sample_around(latents, weights, spread=0.0, **options)
    assert (near[:, None] == cloud).all(dim=2).any(dim=1).all()  # the anchors themselves


def test_latents_without_weight_are_not_used_and_single_latents_come_out():
    latents = torch.tensor([[[0.0], [5.0], [100.0]]]).expand(50, -1, -1)
    weights = torch.tensor([[0.5, 0.5, 0.0]]).expand(50, -1)
    made, columns = sample_around(latents, weights, generator=generator())
    assert made.max() < 15
    assert (columns[:, 2] == -1).all()
    single, columns = sample_around(
        latents, torch.eye(3)[[2]].expand(50, -1), generator=generator()
    )
    assert (single == 100).all()
    assert columns[0].tolist() == [2, -1, -1]
    bad = torch.tensor([[1.0, 0, 0], [0.0, 0, 0]])
    with pytest.raises(ValueError, match=r"weights: expected .* some above 0.* row 1"):
        sample_around(latents[:2], bad, generator=generator())


def test_neighbor_means_leave_the_row_itself_out():
    latents = torch.tensor([[0.0], [1.0], [10.0], [12.0]])
    assert neighbor_means(latents, 1)[:, 0].tolist() == [1, 0, 12, 10]
    assert neighbor_means(latents, 3)[0] == pytest.approx((1 + 10 + 12) / 3)


def test_neighbor_means_know_no_offset():
    latents = torch.randn(20, 3, generator=generator()).double().numpy()
    means = neighbor_means(latents, 2)
    assert means.dtype == torch.float64
    torch.testing.assert_close(neighbor_means(latents + 1e9, 2) - 1e9, means, atol=1e-5, rtol=0)


def test_neighbor_means_leave_copies_of_the_row_out():
    latents = torch.randn(20, 3, generator=generator())
    means = neighbor_means(latents, 2)
    torch.testing.assert_close(neighbor_means(torch.cat([latents] * 3), 2), means.repeat(3, 1))
    torch.testing.assert_close(neighbor_means(latents.numpy(), 2), means)
    with pytest.raises(ValueError, match="k: "):
        neighbor_means(torch.ones(9, 2), 1)


@pytest.mark.parametrize("make", [RectifiedFlow, ConditionalGAN])
@pytest.mark.parametrize(("unit", "offset"), [(1e-6, 0), (1e6, 0), (1, 1e6)])
def test_samplers_refuse_data_that_are_not_standardized(make, unit, offset):
    x = unit * torch.randn(64, 2, generator=generator()) + offset
    batches = Batches({"x": x, "condition": torch.ones(64, 3)}, 32)
    with pytest.raises(ValueError, match="batches: expected a standardized"):
        make(2, 3, width=8).fit(batches, steps=1, progress=False)
    with pytest.raises(ValueError, match=r"condition: expected shape \(N, 3\), got \(4, 2\)"):
        make(2, 3, width=8).sample(torch.ones(4, 2))


def test_a_latent_space_of_one_item_is_finite():
    vae, image = image_vae(4, width=4), torch.rand(1, 1, 28, 28, generator=generator())
    mean, deviation = LatentSpace(vae, image).encode(image)
    assert mean.eq(0).all()
    torch.testing.assert_close(deviation, torch.ones(1, 4))


def test_pixels_of_another_range_are_refused():
    vae = image_vae(4, width=4)
    pixels = torch.randint(0, 256, (2, 1, 28, 28), generator=generator(), dtype=torch.uint8)
    torch.testing.assert_close(vae.encode(pixels)[0], vae.encode(pixels / 255)[0])
    for call in (vae.encode, vae.reconstruct, lambda x: vae({"x": x})):
        with pytest.raises(ValueError, match=r"x: expected pixels in 0..1, got 0 to 255"):
            call(pixels.float())
    with pytest.raises(ValueError, match=r"x: expected \(N, 28, 28\), got \(2, 1, 14, 56\)"):
        vae.encode((pixels / 255).reshape(2, 1, 14, 56))


def test_conditions_and_weights_of_another_shape_are_named():
    with pytest.raises(ValueError, match="latents: expected one row for each query"):
        make_condition(torch.eye(3), torch.ones(2, 4))
    weights = torch.tensor([[1.0, -1.0]])
    with pytest.raises(ValueError, match="weights: expected numbers >= 0"):
        sample_around(torch.zeros(1, 2, 3), weights, generator=generator())


def test_conditions_belong_to_their_rows_and_come_from_all_modalities():
    labels = np.arange(60) % 3
    pairs = Pairing({"a": np.arange(60), "b": np.arange(30)}, {"a": labels, "b": np.arange(30) % 3})
    one_hot = nn.functional.one_hot(torch.arange(60) % 3, 3).float()
    embeddings = {"a": one_hot, "b": -one_hot[:30]}
    targets = torch.arange(60.0)[:, None]
    batch = condition_batches(pairs, embeddings, targets, 60)[0]
    wanted = make_condition(one_hot[batch["x"][:, 0].long()])
    signs = (batch["condition"] * wanted).sum(dim=1) / 3
    assert set(signs.round().tolist()) == {1.0, -1.0}  # the class is right, the modality drawn
    again = condition_batches(pairs, embeddings, (targets, torch.ones(60, 1)), 60)[0]["x"]
    assert (again - batch["x"]).std() == pytest.approx(1, abs=0.3)
    with pytest.raises(ValueError, match=r"embeddings\['b'\]: expected \(30, ...\), got \(29, 3\)"):
        condition_batches(pairs, {"b": one_hot[:29]}, targets, 8)
    with pytest.raises(ValueError, match=r"latents: expected \(60, ...\), got \(59, 3\)"):
        condition_batches(pairs, embeddings, targets, 8, latents=one_hot[:59])


def test_whole_numbers_of_words_and_pixels_stay_whole():
    pairs, z = Pairing({"a": np.arange(4), "b": np.arange(4)}), {"b": torch.eye(4)}
    for dtype in (torch.int64, torch.uint8):
        targets = torch.randint(255, (4, 3), generator=generator()).to(dtype)
        for given in (targets, targets.numpy()):
            x = condition_batches(pairs, z, given, 4)[0]["x"]
            assert x.dtype == dtype
            assert sorted(x.tolist()) == sorted(targets.tolist())
    with pytest.raises(ValueError, match="targets: expected finite"):
        condition_batches(pairs, z, torch.full((4, 3), math.nan), 4)


def test_bytes_are_pixels_of_arrays_too():
    vae = image_vae(4, width=4)
    pixels = torch.randint(0, 256, (3, 1, 28, 28), generator=generator(), dtype=torch.uint8)
    expected = LatentSpace(vae, pixels / 255)
    latents = torch.zeros(3, 4)
    for given in (pixels, pixels.numpy()):
        space = LatentSpace(vae, given)
        assert (space.low, space.high) == (expected.low, expected.high)
        varied = space.vary(given, latents)
        torch.testing.assert_close(varied, expected.vary(pixels / 255, latents))
        torch.testing.assert_close(vae.encode(given)[0], vae.encode(pixels / 255)[0])


def test_a_condition_for_more_rows_is_refused():
    vae = ConditionalVAE(nn.Linear(2, 2), nn.Linear(3, 1), latent_dim=1, condition_dim=2)
    with pytest.raises(ValueError, match=r"condition: expected \(512, 2\), got \(513, 2\)"):
        vae.expand(torch.zeros(512, 1), torch.zeros(513, 2))


def test_generators_show_what_changes_their_function():
    layers = {"encoder": nn.Linear(2, 2), "decoder": nn.Linear(1, 2), "latent_dim": 1}
    kinds = ({}, {"likelihood": "normal"}, {"likelihood": "normal", "scale": 0.5})
    shown = {str(ConditionalVAE(**layers, **options)) for options in kinds}
    shown |= {str(speech_vae(frames)) for frames in (61, 62)}
    shown |= {str(CaptionDecoder(Tokenizer(words), 3)) for words in (["a", "b"], ["b", "a"])}
    assert len(shown) == 7


@pytest.mark.parametrize("steps", [1, 2])
def test_a_single_step_of_training_needs_no_longer_warmup(steps):
    x = torch.rand(8, 1, 28, 28, generator=generator())
    assert len(image_vae(4, width=4).fit(Batches({"x": x}, 8), steps=steps, progress=False)["loss"])
    rows = {"x": torch.randn(64, 2, generator=generator()), "condition": torch.ones(64, 3)}
    RectifiedFlow(2, 3, width=8).fit(Batches(rows, 32), steps=steps, progress=False)


# Speech


def test_griffin_lim_finds_a_waveform_with_these_magnitudes():
    time = np.arange(4000) / 8000
    tones = torch.tensor(np.sin(2 * np.pi * time * np.array([[440.0], [1000.0]]))).float()
    power = power_spectrogram(tones)
    errors = []
    for iterations in (0, 32):
        made = griffin_lim(power, iterations=iterations)
        again = power_spectrogram(made)
        assert again.shape == power.shape
        errors.append(((again.sqrt() - power.sqrt()).norm() / power.sqrt().norm()).item())
    assert errors[1] < 0.1 < 0.5 * errors[0]
    peaks = torch.fft.rfft(made).abs().argmax(dim=1) * 8000 / made.shape[1]
    assert peaks.tolist() == pytest.approx([440, 1000], abs=4)


def test_power_from_mel_has_these_mel_energies():
    encoder = AudioEncoder(width=8, hidden=8)
    x = encoder.prepare(load_speech("test").waveforms[:4])
    power = power_from_mel(x, encoder.filters)
    assert power.min() >= 0
    again = (encoder.filters @ power + 1e-2).log()
    assert (again - x).abs().mean() < 0.1  # nats; the spectrograms' deviation is 2.8
    with pytest.raises(ValueError, match=r"spectrograms: expected shape \(N, 40, frames\)"):
        power_from_mel(x[:, :30], encoder.filters)


def test_speech_survives_the_way_there_and_back():
    encoder = AudioEncoder(width=8, hidden=8)
    x = encoder.prepare(load_speech("test").waveforms[:8])
    waves = to_waveforms(x, encoder)
    assert waves.abs().amax(dim=1).tolist() == pytest.approx([1] * 8)
    again = encoder.prepare(waves)
    assert (again - x).square().mean().sqrt() < 0.8  # nats, of a deviation of 2.8


# Captions


def test_captions_are_learned_and_their_nats_are_those_of_their_words():
    texts = ["a thin one", "a one", "a wide two"]
    tokenizer = Tokenizer.from_texts(texts)
    decoder = CaptionDecoder(tokenizer, 3, hidden=32)
    words, c = tokenizer.encode(texts), torch.eye(3)
    V = len(tokenizer)
    with torch.no_grad():
        for p in decoder.head.parameters():
            p.zero_()  # all words alike: (words + end) ln V
        nats = decoder({"x": words, "condition": c})["nats"]
    assert nats.tolist() == pytest.approx([n * math.log(V) for n in (4, 3, 4)], rel=1e-5)
    nn.init.normal_(decoder.head.weight, std=0.1)
    batches = Batches({"x": words.repeat(40, 1), "condition": c.repeat(40, 1)}, 60)
    decoder.fit(batches, steps=120, learning_rate=2e-2, progress=False)
    assert decoder.sample(c, temperature=0.0) == decoder.sample(c, temperature=1e-40) == texts
    assert decoder.sample(c, seed=1) == decoder.sample(c, seed=1)


# All together, with a memory


@pytest.fixture(scope="module")
def world():
    """Numbers that belong to three classes, an untrained embedder, and a memory of 60 of them."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    centers = rng.standard_normal((3, 4)) * 3
    first = torch.tensor(centers[labels] + 0.1 * rng.standard_normal((60, 4))).float()
    encoders = {"first": TabularEncoder(4, 8, hidden=8), "text": TabularEncoder(4, 8, hidden=8)}
    embedder = MultimodalInfoMax(encoders, 8)
    z = embedder.project({"first": first, "text": first})
    vae = ConditionalVAE(
        _Concatenated(4, 4), nn.Linear(2, 4), latent_dim=2, likelihood="normal", scale=0.5
    )
    space = LatentSpace(vae, first)
    return first, labels, embedder, z, space


class _Concatenated(nn.Linear):
    def forward(self, x, condition=None):
        return super().forward(x)


def filled(world, rows, memory=None):
    first, _, _, z, space = world
    memory = memory or SimulatedMemory(8)
    memory.write(
        {name: keys[rows] for name, keys in z.items()},
        {"first": first[rows].numpy(), "text": [f"row {i}" for i in rows]},
        instance={"first": space.encode(first[rows])[0]},
    )
    return memory


@pytest.mark.parametrize("condition", ["query", "key", "items"])
def test_each_condition_generates_and_names_its_sources(world, condition):
    first, _, embedder, _, space = world
    memory = filled(world, range(60))
    flow = RectifiedFlow(2, 10 if condition == "items" else 8, width=8)
    made = CrossModalGenerator(embedder, {"first": LatentGenerator(space, flow, condition)}, memory)
    out = made.generate(first[:5], "text", "first", n=2, seed=7)
    assert out.samples.shape == (10, 4)
    assert not out.remembered.any()
    assert out.ids.shape == (10, {"query": 0, "key": 1, "items": 4}[condition])
    if condition == "key":  # the whole input of the generator
        keys = make_condition(memory.keys(out.ids[:, 0], "first"))
        assert torch.equal(out.samples, space.decode(flow.sample(keys, seed=7)))
    again = made.generate(first[:5], "text", "first", n=2, seed=7)
    assert torch.equal(out.samples, again.samples)
    assert torch.equal(out.ids, again.ids)
    other = made.generate(first[:5], "text", "first", n=2, seed=8)
    assert not torch.equal(out.samples, other.samples)


def test_what_was_written_after_training_is_drawn_around_and_named(world):
    first, labels, embedder, _, space = world
    old, new = np.flatnonzero(labels != 2), np.flatnonzero(labels == 2)
    memory = filled(world, old)
    tokenizer = Tokenizer.from_texts(["row 1"])
    # The autoencoder is untrained: the residuals hold all of the items.
    generators = {
        "first": LatentGenerator(space, RectifiedFlow(2, 8, width=8), detail=1.0),
        "text": CaptionDecoder(tokenizer, 8),
    }
    made = CrossModalGenerator(embedder, generators, memory)
    assert made.known == 39
    filled(world, new, memory)
    out = made.generate(first[new[:4]], "first", "first", seed=1)
    assert out.remembered.all()
    assert (out.ids >= 40).all()  # only new items, no others
    truth = first[labels == 2]
    assert (out.samples - truth.mean(dim=0)).abs().max() < 1  # the classes are some 3 apart
    before = made.generate(first[old[:4]], "first", "first", seed=1)
    assert not before.remembered.any()
    texts = made.generate(first[new[:4]], "first", "text")
    assert texts.samples == [f"row {new[i - 40]}" for i in texts.ids[:, 0].tolist()]


class _Echo:
    """The smallest generator of one's own: conditions for new items, or a found value."""

    condition = "query"

    def sample(self, condition, *, seed=0):
        return condition

    def around(self, found, *, generator):
        ids = found.at(torch.zeros(len(found.ids), 1, dtype=torch.long))
        return found.prepared(ids[:, 0]).repeat(1, 2), ids


def test_a_generator_of_ones_own_needs_a_condition_and_two_methods(world):
    first, labels, embedder, z, _ = world
    memory = filled(world, np.flatnonzero(labels != 2))
    made = CrossModalGenerator(embedder, {"first": _Echo()}, memory)
    plain = made.generate(first[:3], "first", "first")
    assert torch.equal(plain.samples, make_condition(z["first"][:3]))
    filled(world, np.flatnonzero(labels == 2), memory)
    out = made.generate(first[labels == 2][:3], "first", "first")
    assert out.remembered.all()
    values = torch.tensor(np.array(memory.values(out.ids[:, 0], "first")))
    assert torch.equal(out.samples, values.repeat(1, 2))


def test_one_written_item_comes_back_as_its_own_reconstruction_or_itself(world):
    first, labels, embedder, _, space = world
    old, new = np.flatnonzero(labels != 2), np.flatnonzero(labels == 2)[:1]
    memory = filled(world, old)
    filled(world, new, memory)
    for detail, expected in (
        (1.0, first[new]),
        (0.0, space.decode(space.encode(first[new])[0])),
    ):
        flow = LatentGenerator(space, RectifiedFlow(2, 8, width=8), detail=detail)
        made = CrossModalGenerator(embedder, {"first": flow}, memory, known=39)
        out = made.generate(first[new], "first", "first")
        assert out.ids.tolist() == [[40]]
        assert torch.allclose(out.samples, expected, atol=1e-5)


def test_generators_need_what_they_are_conditioned_on(world):
    _, _, embedder, _, space = world
    needy = LatentGenerator(space, RectifiedFlow(2, 10), "items")
    with pytest.raises(ValueError, match=r"memory: expected a memory, which \['first'\] need"):
        CrossModalGenerator(embedder, {"first": needy})
    with pytest.raises(ValueError, match="generators: expected one of 'first', 'text'"):
        CrossModalGenerator(embedder, {"third": needy})
    made = CrossModalGenerator(embedder, {"first": LatentGenerator(space, RectifiedFlow(2, 8))})
    with pytest.raises(ValueError, match="target: expected one of 'first', got 'text'"):
        made.generate(torch.zeros(1, 4), "first", "text")
    assert made.generate(torch.zeros(1, 4), "first", "first").ids.shape == (1, 0)


def test_a_modality_that_knows_only_the_class_finds_a_single_new_item(world):
    """Keys of "first" encode style and find the wrong class; keys of "text" are right."""
    first, labels, embedder, z, space = world
    old, new = np.flatnonzero(labels != 2), np.flatnonzero(labels == 2)
    memory = SimulatedMemory(8)
    for rows in (old, new[:1]):
        memory.write(
            {"first": -z["first"][rows], "text": z["first"][rows]},
            {"first": first[rows].numpy()},
            instance={"first": space.encode(first[rows])[0]},
        )
    flow = LatentGenerator(space, RectifiedFlow(2, 8, width=8))
    args = embedder, {"first": flow}, memory
    for search, found in ((None, False), ({"first": "text"}, True)):
        made = CrossModalGenerator(*args, known=39, beta=1e4, search=search)
        out = made.generate(first[new[:1]], "first", "first")
        assert out.remembered.all() == found
    with pytest.raises(ValueError, match="search: expected one of 'first', 'text', got 'third'"):
        CrossModalGenerator(*args, search={"first": "third"})


class _Identity(nn.Module):
    def encode(self, items):
        return {name: torch.as_tensor(x).float() for name, x in items.items()}


def test_whitened_keys_find_what_differs_where_training_was_narrow():
    """Training fills nine columns; a new class differs in a tenth, narrow one."""
    rng = np.random.default_rng(0)
    spread, shift = np.array([2.0] * 9 + [0.05]), np.array([0.0] * 9 + [0.5])
    train = rng.standard_normal((400, 10)) * spread
    new = rng.standard_normal((400, 10)) * spread + shift
    keys = WhitenedKeys(_Identity(), {"x": train}, dim=10)
    known, queries = keys({"x": np.concatenate([train, new[:20]])})["x"], keys({"x": new[20:]})["x"]
    assert known.norm(dim=1) == pytest.approx(torch.ones(420))
    found = (queries @ known.T).argmax(dim=1) >= 400
    plain = nn.functional.normalize(torch.tensor(np.concatenate([train, new[:20]])), dim=1)
    missed = (nn.functional.normalize(torch.tensor(new[20:]), dim=1) @ plain.T).argmax(dim=1) < 400
    assert found.float().mean() > 0.95
    assert missed.float().mean() > 0.5
    alone = keys({"x": train})["x"]
    assert torch.allclose(alone.T.cov(), torch.eye(10) / 10, atol=0.03)  # all directions as wide
    with pytest.raises(ValueError, match=r"dim: expected a whole number in 1\.\.10, got 11"):
        WhitenedKeys(_Identity(), {"x": train}, dim=11)
    with pytest.raises(ValueError, match="items: expected one of 'x', got 'y'"):
        keys({"y": train})


def test_whitened_keys_of_a_function_need_no_encoder():
    rng = np.random.default_rng(0)
    train, other = rng.standard_normal((400, 10)), rng.standard_normal((400, 10))
    keys = WhitenedKeys(_Identity(), {"x": train, "y": train}, 10, features={"x": torch.tensor})
    found = keys({"x": other, "y": other})
    assert found["x"].dtype == torch.float64  # those of the function, not of the encoder
    cosines = {name: each.double() @ each.double().T for name, each in found.items()}
    assert torch.allclose(cosines["x"], cosines["y"], atol=1e-4)
    assert list(keys({"x": other})) == ["x"]
    with pytest.raises(ValueError, match="features: expected one of 'x', got 'z'"):
        WhitenedKeys(_Identity(), {"x": train}, 10, features={"z": torch.tensor})


def test_whitened_keys_search_their_own_modality_only(world):
    first, labels, embedder, _, space = world
    keys = WhitenedKeys(embedder, {"first": first, "text": first}, dim=8)
    memory, old = SimulatedMemory(8), np.flatnonzero(labels != 2)
    for rows in (old, np.flatnonzero(labels == 2)):
        items = {"first": first[rows], "text": first[rows]}
        instance = {"first": space.encode(first[rows])[0]}
        memory.write(keys(items), {"first": first[rows].numpy()}, instance=instance)
    flow = LatentGenerator(space, RectifiedFlow(2, 8, width=8))
    made = CrossModalGenerator(embedder, {"first": flow}, memory, known=39, keys=keys)
    out = made.generate(first[labels == 2], "text", "first")
    assert out.remembered.all()  # 20 new ones among 64 hits of 60
    assert not made.generate(first[old[:5]], "text", "first").remembered.any()
    few = CrossModalGenerator(embedder, {"first": flow}, memory, known=58, keys=keys)
    asked = first[labels == 2]
    alone = few.generate(asked, "text", "first").remembered  # one new item among 60
    few = CrossModalGenerator(embedder, {"first": flow}, memory, known=58, keys=keys, share=0.999)
    assert few.generate(asked, "text", "first").remembered.sum() > alone.sum()
    with pytest.raises(ValueError, match=r"share: expected a number in \[0\.001, 0\.999\], got 1"):
        CrossModalGenerator(embedder, {"first": flow}, memory, keys=keys, share=1)
    with pytest.raises(ValueError, match=r"keys: expected none, as \['first'\] need shared keys"):
        CrossModalGenerator(embedder, {}, memory, keys=keys, search={"first": "text"})


def test_a_share_weighs_old_and_new_items_by_their_numbers(world):
    """Three old items and one new one, equally near: the new one counts as much as its share."""
    first, _, embedder, _, space = world
    memory = SimulatedMemory(8)
    memory.write({"first": torch.ones(4, 8)}, {"first": first[:4].numpy()})
    flow = LatentGenerator(space, RectifiedFlow(2, 8, width=8))
    ids, equal = torch.tensor([[0, 1, 2, 3]]), torch.full((1, 4), 0.25)
    for share in (0.2, 0.7):
        made = CrossModalGenerator(embedder, {"first": flow}, memory, known=2, share=share)
        weights = made._weights(memory.ids, ids, equal)[0]
        assert weights == pytest.approx(torch.tensor([(1 - share) / 3] * 3 + [share]))
    plain = CrossModalGenerator(embedder, {"first": flow}, memory, known=2)
    assert plain._weights(memory.ids, ids, equal) is equal
    unchanged = CrossModalGenerator(embedder, {"first": flow}, memory, known=3, share=0.5)
    assert unchanged._weights(memory.ids, ids, equal) is equal  # nothing was written after training
