"""Encoders: shapes, what the loaders give, spectrograms against scipy, order, gradients."""

import math

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings, strategies as st

from simmim_lite.datasets import describe, load_digits, load_speech
from simmim_lite.encoders import (
    AudioEncoder,
    Encoder,
    ImageEncoder,
    TabularEncoder,
    TextEncoder,
    Tokenizer,
    log_mel,
    mel_filters,
    power_spectrogram,
    resnet18_encoder,
    seeded,
)
from simmim_lite.encoders._audio import _other_microphone
from simmim_lite.encoders._base import ByName

TEXTS = ["a thick nine", "an upright, wide seven", "a nine"]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


def tone(frequency, rate, seconds):
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def examples():
    """An encoder of each kind with items as a loader gives them."""
    rng = np.random.default_rng(0)
    waveforms = [rng.standard_normal(n).astype(np.float32) for n in (900, 4000, 9000)]
    return {
        "image": (ImageEncoder(dim=7), rng.integers(0, 256, (3, 28, 28), np.uint8)),
        "color": (ImageEncoder(3, dim=7, width=4), rng.integers(0, 256, (3, 17, 40, 3), np.uint8)),
        "resnet": (resnet18_encoder(dim=7), rng.integers(0, 256, (3, 32, 32, 3), np.uint8)),
        "audio": (AudioEncoder(dim=7, seconds=0.3), waveforms),
        "text": (TextEncoder(Tokenizer.from_texts(TEXTS), dim=7), TEXTS),
        "table": (TabularEncoder(4, dim=7), rng.standard_normal((3, 4))),
    }


@pytest.mark.parametrize("kind", examples())
def test_every_encoder_keeps_the_contract(kind):
    encoder, items = examples()[kind]
    assert isinstance(encoder, Encoder)
    prepared = encoder.prepare(items)
    assert len(prepared) == 3
    assert encoder.prepare(prepared) is prepared or torch.equal(encoder.prepare(prepared), prepared)
    encoder.train()
    out = encoder(items)
    assert out.shape == (3, encoder.dim) == (3, 7)
    torch.testing.assert_close(encoder(prepared), out)
    # every weight matters: each gets a gradient, and one that is not zero
    (out * random(3, 7)).sum().backward()
    for name, weight in encoder.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 0, name
    encoder.eval()
    with torch.no_grad():
        one_by_one = torch.cat([encoder(prepared[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(one_by_one, encoder(prepared), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", examples())
def test_weights_follow_from_the_seed_and_nothing_else(kind):
    makers = {
        "image": lambda seed: ImageEncoder(seed=seed),
        "color": lambda seed: ImageEncoder(3, seed=seed),
        "resnet": lambda seed: resnet18_encoder(seed=seed),
        "audio": lambda seed: AudioEncoder(seed=seed),
        "text": lambda seed: TextEncoder(Tokenizer(["a"]), seed=seed),
        "table": lambda seed: TabularEncoder(3, seed=seed),
    }
    before = torch.random.get_rng_state()
    first = torch.cat([p.flatten() for p in makers[kind](1).parameters()])
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    again = torch.cat([p.flatten() for p in makers[kind](1).parameters()])
    other = torch.cat([p.flatten() for p in makers[kind](2).parameters()])
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_loaders_fit_without_glue():
    digits, speech = load_digits("test"), load_speech("test")
    captions = describe([[7, 0, 1, 2], [1, 2, 2, 2], [8, 1, 0, 1], [0, 1, 1, 1]])
    text = TextEncoder(Tokenizer.from_texts(captions), dim=5)
    pairs = (
        (ImageEncoder(dim=5), digits.images[:4]),
        (AudioEncoder(speech.rate, dim=5), speech.waveforms[:4]),
        (AudioEncoder(speech.rate, dim=5), speech.padded(0.5)[:4]),
        (text, captions),
    )
    for encoder, items in pairs:
        assert encoder(items).shape == (4, 5)


def test_pixels_become_brightnesses_with_channels_first():
    pixels = np.zeros((2, 5, 6, 3), np.uint8)
    pixels[1, 2, 3] = 255, 51, 0
    prepared = ImageEncoder(3).prepare(pixels)
    assert prepared.shape == (2, 3, 5, 6)
    assert prepared[1, :, 2, 3].tolist() == pytest.approx([1, 0.2, 0])
    assert prepared.sum().item() == pytest.approx(1.2)
    gray = ImageEncoder().prepare(torch.full((2, 4, 4), 51, dtype=torch.uint8))
    assert gray.shape == (2, 1, 4, 4)
    assert gray.unique().tolist() == pytest.approx([0.2])


@pytest.mark.parametrize(
    ("channels", "size"), [(1, (4, 4)), (2, (9, 31)), (3, (32, 32)), (5, (65, 40))]
)
def test_images_of_any_size_and_channels(channels, size):
    assert ImageEncoder(channels, 6, width=2)(random(3, channels, *size)).shape == (3, 6)


def test_position_counts_in_an_image_of_any_size():
    encoder = ImageEncoder(dim=16).eval()
    for size in (28, 56):
        images = torch.zeros(2, 1, size, size)
        images[0, :, : size // 4, : size // 4] = 1
        images[1, :, -size // 4 :, -size // 4 :] = 1
        first, second = encoder(images)
        assert (first - second).norm() > 0.05 * first.norm()


def test_moved_images_hold_the_same_ink():
    images = torch.zeros(400, 2, 9, 9)
    images[:, 0, 4, 4], images[:, 1, 4, 5] = 1.0, 2.0
    moved = ImageEncoder(2, shift=2).augment(images, generator())
    assert moved.shape == images.shape
    assert torch.equal(moved.sum(dim=(2, 3)), images.sum(dim=(2, 3)))
    places = moved[:, 0].flatten(1).argmax(dim=1)
    rows, columns = places // 9, places % 9
    assert set(rows.tolist()) == set(columns.tolist()) == {2, 3, 4, 5, 6}
    # both channels move together, rows and columns on their own
    assert torch.equal(moved[:, 1].flatten(1).argmax(dim=1), places + 1)
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.2
    assert ImageEncoder(2, shift=0).augment(images, generator()) is images


def test_what_leaves_the_image_does_not_come_back():
    moved = ImageEncoder(shift=3).augment(torch.ones(200, 1, 8, 8), generator())
    assert set(moved.unique().tolist()) == {0.0, 1.0}
    assert moved.sum(dim=(1, 2, 3)).min() == 25


def test_turned_images_are_turned_about_the_center():
    image = torch.zeros(400, 1, 41, 61)
    image[:, :, 17:24, 45:52] = 1.0  # to the right of the center, (20, 30), by 18
    turned = ImageEncoder(shift=0, turn=30).augment(image, generator())
    ink = turned[:, 0] / turned.sum(dim=(1, 2, 3))[:, None, None]
    y = (ink.sum(dim=2) * torch.arange(41)).sum(dim=1) - 20
    x = (ink.sum(dim=1) * torch.arange(61)).sum(dim=1) - 30
    angles, distances = torch.rad2deg(torch.atan2(y, x)), torch.hypot(x, y) / 18
    assert 28 < angles.abs().max() < 31
    assert abs(angles.mean()) < 3
    wide = math.radians(30)
    assert 1 / (1 + wide) - 0.02 < distances.min() < 0.7
    assert 1.6 < distances.max() < 1 / (1 - wide) + 0.05
    areas = turned.sum(dim=(1, 2, 3)) / 49
    inside = distances < 1.3  # none of it beyond the edge
    torch.testing.assert_close(areas[inside], distances[inside] ** 2, atol=0.1, rtol=0.1)


def test_resnet_for_small_and_large_images():
    for channels, small in ((1, True), (3, False), (2, False)):
        encoder = resnet18_encoder(channels, 5, small=small)
        assert encoder(random(2, channels, 40, 40)).shape == (2, 5)
    # torchvision's own count without its last layer and with ours, for the original form
    count = sum(p.numel() for p in resnet18_encoder(3, 128, small=False).parameters())
    assert count == 11_689_512 - 513_000 + 513 * 128
    with pytest.raises(ValueError, match="pretrained: expected channels=3 and small=False"):
        resnet18_encoder(pretrained=True)


@given(
    window=st.sampled_from([16, 32, 50, 256]), hop=st.integers(3, 100), extra=st.integers(0, 500)
)
@settings(max_examples=40)
def test_spectrogram_is_scipys(window, hop, extra):
    waveforms = random(2, window + extra).double()
    hann = scipy.signal.get_window("hann", window)  # periodic
    transform = scipy.signal.ShortTimeFFT(hann, hop, fs=1, fft_mode="onesided")
    frames = extra // hop + 1
    for waveform, ours in zip(
        waveforms, power_spectrogram(waveforms, window=window, hop=hop), strict=True
    ):
        assert ours.shape == (window // 2 + 1, frames)
        # scipy centers its slices: slice p covers samples from p * hop - window // 2
        for t in range(0, frames, max(1, frames // 3)):
            sound = waveform[t * hop : t * hop + window].numpy()
            theirs = np.abs(transform.stft(sound, p0=0, p1=1, k_offset=window // 2)[:, 0]) ** 2
            np.testing.assert_allclose(ours[:, t], theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("window", [32, 33])
def test_parseval(window):
    waveforms = random(3, 200).double()
    powers = power_spectrogram(waveforms, window=window, hop=7)
    twice = torch.full((powers.shape[1],), 2.0, dtype=torch.float64)
    twice[0] = 1
    if window % 2 == 0:
        twice[-1] = 1
    frames = waveforms.unfold(1, window, 7) * torch.hann_window(window, dtype=torch.float64)
    energy = (frames**2).sum(dim=2)
    torch.testing.assert_close((twice[:, None] * powers).sum(dim=1), window * energy)


@pytest.mark.parametrize("frequency", [250, 1000, 3000])
def test_a_tone_stands_at_its_frequency(frequency):
    sound = torch.from_numpy(tone(frequency, 8000, 0.2))[None].float()
    powers = power_spectrogram(sound, window=256, hop=80)[0]
    assert powers.argmax(dim=0).unique().tolist() == [frequency * 256 // 8000]
    # and in the mel band whose peak is nearest, by the formula of the scale
    mels = log_mel(sound, mel_filters(8000))[0]
    low, high = (2595 * math.log10(1 + f / 700) for f in (50, 4000))
    place = (2595 * math.log10(1 + frequency / 700) - low) / (high - low) * 41 - 1
    assert set(mels.argmax(dim=0).tolist()) == {round(place)}


def test_mel_filters_are_triangles_that_add_up_to_one():
    filters = mel_filters(7000, window=4096, mels=20)
    assert filters.shape == (20, 2049)
    assert filters.min() >= 0
    assert filters.max() <= 1
    frequencies = torch.arange(2049) * 7000 / 4096
    inner = slice(filters[0].argmax() + 1, filters[-1].argmax())
    torch.testing.assert_close(filters.sum(dim=0)[inner], torch.ones(2049)[inner])
    assert not filters[:, frequencies < 50].any()
    assert filters[-1].nonzero().max() >= 2047  # up to half the rate
    peaks = 2595 * torch.log10(1 + frequencies[filters.argmax(dim=1)] / 700)
    torch.testing.assert_close(
        peaks.diff(), torch.full((19,), peaks.diff().mean()), rtol=0.02, atol=0
    )
    with pytest.raises(ValueError, match=r"mels: .*31.25 Hz apart, got 100"):
        mel_filters(8000, mels=100)


def test_log_mel_is_the_logarithm_of_weighted_powers():
    sound, filters = random(2, 600), mel_filters(8000, mels=12)
    powers = power_spectrogram(sound, window=256, hop=80)
    wanted = torch.einsum("mf,nft->nmt", filters, powers).add(0.01).log()
    torch.testing.assert_close(log_mel(sound, filters), wanted)


def test_level_and_silence_behind_do_not_count():
    sound = tone(440, 8000, 0.2).astype(np.float32)
    encoder = AudioEncoder(seconds=0.5)
    quiet, loud, longer, integers = encoder.prepare(
        [sound / 50, sound, np.r_[sound, np.zeros(9000, np.float32)], np.int16(sound * 20000)]
    )
    torch.testing.assert_close(quiet, loud, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(longer, loud)
    torch.testing.assert_close(integers, loud, atol=0.05, rtol=0)  # rounding to 16 bits
    silence = encoder.prepare(np.zeros((1, 100), np.float32))
    assert silence.unique().tolist() == pytest.approx([math.log(1e-2)])


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100])
def test_waveforms_of_any_rate_give_the_same_spectrogram(rate):
    encoder = AudioEncoder(8000, 0.5)
    prepared = encoder.prepare([tone(700, rate, 0.6)], rate=rate)
    wanted = encoder.prepare([tone(700, 8000, 0.6)])
    assert prepared.shape == wanted.shape == (1, 40, encoder.frames)
    loud = wanted > 0  # the tone, away from the floor and from the filter's ends
    torch.testing.assert_close(
        prepared[:, :, 2:-2][loud[:, :, 2:-2]],
        wanted[:, :, 2:-2][loud[:, :, 2:-2]],
        atol=0.05,
        rtol=0,
    )


def test_spectrograms_are_float32_under_autocast():
    encoder, sound = AudioEncoder(seconds=0.3), random(2, 2400).numpy()
    with torch.autocast("cpu", torch.bfloat16):
        found = encoder.prepare(sound)
    torch.testing.assert_close(found, encoder.prepare(sound), atol=0, rtol=0)


def test_spectrograms_of_many_clips_are_those_of_each():
    encoder = AudioEncoder(seconds=0.1)
    waveforms = random(1030, 800).numpy()
    prepared = encoder.prepare(waveforms)
    assert prepared.shape == (1030, 40, encoder.frames)
    for i in (0, 511, 512, 1029):
        torch.testing.assert_close(prepared[i : i + 1], encoder.prepare(waveforms[i : i + 1]))


def center(powers, dim):
    """Mean place along an axis, weighted by what is above the floor: (N,)."""
    weights = (powers + 4).clamp(min=0).sum(dim=3 - dim)
    return (weights * torch.arange(powers.shape[dim])).sum(dim=1) / weights.sum(dim=1)


def test_augmented_speech_is_moved_stretched_and_louder():
    encoder = AudioEncoder(seconds=0.5)
    clips = torch.full((500, 40, encoder.frames), -4.0)
    clips[:, 15:25, 16:32] = 5.0
    augmented = encoder.augment(clips, generator())
    assert augmented.shape == clips.shape
    times, bands = (center(augmented, dim) for dim in (2, 1))
    # drawn uniformly from -w to w: standard deviation w / sqrt(3), with w of an eighth of the clip
    assert 0.7 * encoder.frames / 8 < times.std() * math.sqrt(3) < 1.3 * encoder.frames / 8
    assert 1 < bands.std() * math.sqrt(3) < 4
    sounds = (augmented > 0.5).flatten(1).sum(dim=1) / 160
    assert 0.1 < sounds.std() < 0.35
    gains = augmented.flatten(1).quantile(0.98, dim=1)
    assert 0.7 < gains.std() < 1.3
    assert not torch.equal(augmented, encoder.augment(clips, generator(1)))
    assert torch.equal(augmented, encoder.augment(clips, generator(0)))


def test_another_microphone_is_a_smooth_gain_with_noise():
    """Sound far above the noise shows the gain; silence shows how often there is noise."""
    flat = torch.full((2000, 40, 50), 30.0)
    changed = _other_microphone(flat, generator())
    gains = changed[:, :, 0] - 30
    assert torch.equal(changed, changed[:, :, :1].expand_as(changed))  # the same in all frames
    assert 0.75 < gains[:, 0].std() < 0.85
    assert 0.75 < gains[:, -1].std() < 0.85
    knots = torch.linspace(0, 39, 6)
    curvature = gains.diff(n=2, dim=1).abs() > 1e-4
    assert (curvature.sum(dim=1) <= 8).all()  # straight between six knots
    assert gains[:, knots.long()[1:5]].T.corrcoef()[0, 2].abs() < 0.1
    silent = _other_microphone(torch.full((2000, 40, 50), -30.0), generator(1))
    noisy = silent.mean(dim=(1, 2)) > -20
    assert 0.77 < noisy.double().mean() < 0.83
    assert -2.7 < silent[noisy].mean() < -2.3  # the middle of -5 and 0
    plain, changing = AudioEncoder(), AudioEncoder(microphones=True)
    sounds = torch.randn(4, 40, plain.frames)
    assert not torch.equal(*(some.augment(sounds, generator()) for some in (plain, changing)))
    assert torch.equal(plain.encode(sounds), changing.encode(sounds))  # augmentation only


def test_bands_and_moments_are_silenced():
    encoder = AudioEncoder(seconds=0.5)
    clips = torch.full((300, 40, encoder.frames), 5.0)
    clips[:, 0, 0] = -4.0  # the lowest
    silent = encoder.augment(clips, generator()) == -4  # noise keeps all others from being equal
    for dim, length in ((2, 40), (1, encoder.frames)):
        runs = silent.all(dim=dim).sum(dim=1)
        assert runs.max() == length // 7
        assert runs.min() == 0
        assert (runs.bincount() > 15).all()


def test_words_and_their_numbers():
    tokenizer = Tokenizer.from_texts(["A thick, ÉTÉ nine; don't!", "a nine", "a"])
    assert tokenizer.vocabulary == ("a", "nine", "don't", "thick", "été")
    numbers = tokenizer.encode(["a nine", "NINE unheard été a"])
    assert numbers.tolist() == [[2, 3, 0, 0], [3, 1, 6, 2]]
    assert tokenizer.decode(numbers) == ["a nine", "nine ? été a"]
    assert len(tokenizer) == 7
    assert Tokenizer.from_texts(["a a b"], minimum=2).vocabulary == ("a",)


def test_order_matters():
    encoder = TextEncoder(Tokenizer.from_texts(["dog bites man"])).eval()
    first, second, first_again = encoder(["dog bites man", "man bites dog", "dog bites man"])
    torch.testing.assert_close(first, first_again)
    assert (first - second).norm() > 0.1 * first.norm()


def test_longer_neighbors_do_not_matter():
    encoder = TextEncoder(Tokenizer.from_texts(TEXTS)).eval()
    together = encoder(TEXTS)
    alone = torch.cat([encoder([text]) for text in TEXTS])
    torch.testing.assert_close(together, alone)


def test_units_of_a_table_do_not_matter():
    table = random(50, 3).double().numpy()
    encoder = TabularEncoder(3, dim=4).train()
    torch.testing.assert_close(encoder(table), encoder(1000 * table + 7), atol=1e-3, rtol=1e-3)


def trained_on(table):
    """Vectors of a table in evaluation mode, after a few batches of it."""
    encoder = TabularEncoder(table.shape[1], 8, hidden=16).train()
    for start in range(12):
        encoder(encoder.prepare(table[start::3]))
    return encoder.eval()(table).detach()


@pytest.mark.parametrize("unit", [1e-30, 1e-12, 1.0, 1e12, 1e25])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_tables_know_no_offset_and_no_unit(unit, offset):
    table = random(120, 3).double().numpy()
    expected = trained_on(table)
    vectors = trained_on(unit * (table + offset * np.arange(3)))
    torch.testing.assert_close(vectors, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("constant", [94110.0, 0.1, 1e300])
def test_constant_columns_of_tables_count_for_nothing(constant):
    table, column = random(120, 3).double().numpy(), np.ones((120, 1))
    expected = trained_on(np.hstack([table, 0 * column]))
    vectors = trained_on(np.hstack([table, constant * column]))
    torch.testing.assert_close(vectors, expected)


@pytest.mark.parametrize("unit", [1e-40, 1e-12, 1e12])
@pytest.mark.parametrize("offset", [0.0, 5.0, 1e6])
def test_gain_and_offset_of_a_sound_do_not_matter(unit, offset):
    sound = np.random.default_rng(0).normal(size=(2, 2400)) * np.hanning(2400)
    encoder = AudioEncoder(seconds=0.3)
    expected = encoder.prepare(sound)
    spectrograms = encoder.prepare(unit * (sound + offset))
    torch.testing.assert_close(spectrograms, expected, atol=0.02, rtol=0)
    silence = encoder.prepare(np.full((1, 2400), offset))
    assert torch.equal(silence, encoder.prepare(np.zeros((1, 2400))))


def test_sounds_and_images_of_any_memory_layout():
    sound = np.random.default_rng(0).normal(size=(2, 2400))
    audio, pixels = AudioEncoder(seconds=0.3), ImageEncoder()
    images = np.random.default_rng(0).random((2, 1, 8, 8))
    for encoder, items in ((audio, sound), (pixels, images)):
        expected = encoder.prepare(items).float()
        for other in (items.astype(">f8"), items.astype(np.longdouble), items[::-1][::-1]):
            torch.testing.assert_close(encoder.prepare(other).float(), expected)
        masked = np.ma.masked_array(items, items > 0.5)
        with pytest.raises(ValueError, match="expected no missing values, got masked"):
            encoder.prepare(masked)


@pytest.mark.parametrize("name", ["type", "a.b", "", "keys_of", "=type", "=a%2eb", "training"])
def test_any_string_is_a_name_of_modules(name):
    modules = ByName({name: torch.nn.Linear(1, 2), "plain": torch.nn.Linear(2, 1)}, "encoders")
    assert list(modules) == list(modules.keys()) == [name, "plain"]
    assert name in modules
    assert "other" not in modules
    assert modules[name].out_features == 2
    assert dict(modules.items())[name] is modules[name]
    assert "plain.weight" in modules.state_dict()
    assert len(modules.state_dict()) == 4
    with pytest.raises(TypeError, match="encoders: expected names that are strings, got 3"):
        ByName({3: torch.nn.Linear(1, 2)}, "encoders")


def test_seeded_leaves_the_global_state():
    before = torch.random.get_rng_state()
    with seeded(3):
        first = torch.rand(2)
    with seeded(3):
        assert torch.equal(first, torch.rand(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    with pytest.raises(ValueError, match="seed: "), seeded(-1):
        pass


@pytest.mark.parametrize(
    ("encoder", "items", "error", "message"),
    [
        (ImageEncoder(), [[1]], TypeError, "images: .*list"),
        (ImageEncoder(), np.zeros((2, 28, 28)), ValueError, r"images: .*\(N, 1, .*\(2, 28, 28\)"),
        (ImageEncoder(), np.zeros((2, 28, 28), int), TypeError, "images: .*int64"),
        (ImageEncoder(), torch.full((2, 1, 8, 8), 255.0), ValueError, "images: .*got 255"),
        (ImageEncoder(), torch.full((2, 1, 8, 8), math.nan), ValueError, "images: .*got nan"),
        (ImageEncoder(3), np.zeros((2, 8, 8, 1), np.uint8), ValueError, "images: .*3 channels"),
        (ImageEncoder(3), np.zeros((2, 8, 8), np.uint8), ValueError, r"images: .*\(2, 8, 8, 1\)"),
        (ImageEncoder(), np.zeros((0, 8, 8), np.uint8), ValueError, r"images: .*\(0, 8, 8, 1\)"),
        (ImageEncoder(), torch.zeros(2, 1, 3, 9), ValueError, "images: .*at least 4"),
        (AudioEncoder(), 3, ValueError, "waveforms: .*int"),
        (AudioEncoder(), [], ValueError, "waveforms: .*nothing"),
        (AudioEncoder(), [np.zeros(9), np.zeros((2, 9))], ValueError, r"\(2, 9\) in row 1"),
        (AudioEncoder(), [np.zeros(9), np.zeros(0)], ValueError, r"\(0,\) in row 1"),
        (AudioEncoder(), [np.zeros(9), np.array([0, math.nan])], ValueError, "finite.*row 1"),
        (AudioEncoder(), ["one"], TypeError, r"waveforms\[0\]: .*str"),
        (AudioEncoder(), torch.zeros(2, 39, 5), ValueError, r"spectrograms \(N, 40, frames\)"),
        (TextEncoder(Tokenizer(["a"])), "a", TypeError, "texts: .*one string"),
        (TextEncoder(Tokenizer(["a"])), ["a", 3], TypeError, "texts: .*int in row 1"),
        (TextEncoder(Tokenizer(["a"])), ["a", "!"], ValueError, "texts: .*row 1"),
        (TextEncoder(Tokenizer(["a"])), [], ValueError, "texts: .*none"),
        (TextEncoder(Tokenizer(["a"])), torch.tensor([[1], [3]]), ValueError, r"\[3\] in row 1"),
        (TextEncoder(Tokenizer(["a"])), torch.tensor([[1], [0]]), ValueError, r"\[0\] in row 1"),
        (TextEncoder(Tokenizer(["a"])), torch.tensor([[1, 0, 1]]), ValueError, "in row 0"),
        (TextEncoder(Tokenizer(["a"])), torch.zeros(2, 2), TypeError, "texts: .*float32"),
        (TabularEncoder(3), np.zeros((2, 2)), ValueError, r"table: .*\(N, 3\).*\(2, 2\)"),
        (TabularEncoder(1), torch.tensor([[0.0], [math.nan]]), ValueError, "finite.*row 1"),
    ],
)
def test_bad_items(encoder, items, error, message):
    with pytest.raises(error, match=message):
        encoder(items)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ImageEncoder(0), ValueError, "channels: "),
        (lambda: ImageEncoder(dim=2.0), TypeError, "dim: "),
        (lambda: AudioEncoder(mels=500), ValueError, "mels: "),
        (lambda: AudioEncoder(seconds=-1), ValueError, "seconds: "),
        (lambda: ImageEncoder(turn=46), ValueError, "turn: "),
        (lambda: TabularEncoder(0), ValueError, "columns: "),
        (lambda: Tokenizer("abc"), TypeError, "vocabulary: "),
        (lambda: Tokenizer(["a", "a"]), ValueError, "vocabulary: "),
        (lambda: Tokenizer([]), ValueError, "vocabulary: "),
        (lambda: Tokenizer(["a"]).decode([[-1]]), ValueError, "numbers: .*0..2, got -1"),
        (
            lambda: power_spectrogram(torch.zeros(2, 9), window=10),
            ValueError,
            r"waveforms: .*\(2, 9\)",
        ),
        (lambda: mel_filters(100), ValueError, "rate: .*>= 101, got 100"),
        (lambda: AudioEncoder().prepare([np.zeros(9)], rate=0), ValueError, "rate: "),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()
