"""The loaders and captions: shapes, balance, splits, and the content of the full sets."""

import io
import os
import pickle
import zipfile
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile
from scipy.signal import stft
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from simmim_lite import datasets
from simmim_lite.datasets import DataError, _download

ALL_CELLS = np.stack(np.meshgrid(range(10), *[range(3)] * 3, indexing="ij"), -1).reshape(-1, 4)

pytestmark = pytest.mark.usefixtures("empty_cache")


def as_bytes(array: np.ndarray) -> list[bytes]:
    return [item.tobytes() for item in array]


# --- embedded digits -----------------------------------------------------------------------


def test_embedded_digits_have_the_promised_shape_and_balance():
    train, test, both = (datasets.load_digits(split) for split in ("train", "test", "all"))
    assert train.images.shape == (4000, 28, 28)
    assert train.images.dtype == np.uint8
    assert train.images.max() == 255
    assert np.bincount(train.labels).tolist() == [400] * 10
    assert np.bincount(test.labels).tolist() == [100] * 10
    np.testing.assert_array_equal(both.images, np.concatenate([train.images, test.images]))
    assert (len(train), len(both), train.labels.dtype) == (4000, 5000, np.int64)


def test_no_embedded_digit_is_there_twice():
    assert len(set(as_bytes(datasets.load_digits("all").images))) == 5000


def test_embedded_digits_are_the_first_500_a_class_of_mnists_training_set(real_data):
    mnist = datasets.load_mnist("train")
    train, test = datasets.load_digits("train"), datasets.load_digits("test")
    for digit in range(10):
        of_class = mnist.images[mnist.labels == digit]
        np.testing.assert_array_equal(train.images[train.labels == digit], of_class[:400])
        np.testing.assert_array_equal(test.images[test.labels == digit], of_class[400:500])


# --- embedded speech -----------------------------------------------------------------------


def test_embedded_speech_has_the_promised_shape_and_balance():
    train, test = datasets.load_speech("train"), datasets.load_speech("test")
    assert np.bincount(train.labels).tolist() == [160] * 10
    assert np.bincount(test.labels).tolist() == [48] * 10
    assert (len(train), len(test), train.rate) == (1600, 480, 8000)
    assert len(train.waveforms) == len(train.speakers) == 1600
    assert (len(set(train.speakers)), len(set(test.speakers))) == (52, 12)
    assert not set(train.speakers) & set(test.speakers)


def test_embedded_clips_are_sound_whole_and_different():
    clips = datasets.load_speech("all").waveforms
    assert {clip.dtype for clip in clips} == {np.dtype(np.float32)}
    # The recipe sets each peak to 120 of 127: a clipped or silent clip would have another.
    assert {float(np.abs(clip).max()) for clip in clips} == {120 / 128}
    assert max(abs(float(clip.mean())) for clip in clips) < 0.01  # no offset
    seconds = np.array([len(clip) for clip in clips]) / 8000
    assert 0.1 < seconds.min() < seconds.max() < 1
    assert all(abs(clip[0]) < 0.05 and abs(clip[-1]) < 0.05 for clip in clips)  # faded
    assert len({clip.tobytes() for clip in clips}) == len(clips)


def test_embedded_clips_say_their_label_to_a_classifier_of_other_voices():
    def features(speech: datasets.Speech) -> np.ndarray:
        spectra = np.abs(stft(speech.padded(0.64), speech.rate, nperseg=256)[2])
        bands = np.add.reduceat(spectra, [2, 4, 6, 8, 11, 15, 20, 28, 40, 56, 80, 110], axis=1)
        return np.log(bands + 1e-2).reshape(len(speech), -1)

    train, test = datasets.load_speech("train"), datasets.load_speech("test")
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    model.fit(features(train), train.labels)
    assert model.score(features(test), test.labels) > 0.93  # 0.98 measured, a tenth by chance


def test_other_digits_look_like_mnist_and_are_none_of_it():
    other, ours = datasets.load_other_digits(), datasets.load_digits("train", full=False)
    assert other.images.shape == (1797, 28, 28)
    assert other.images.dtype == ours.images.dtype
    assert np.bincount(other.labels).min() > 170
    margin = np.ones((28, 28), bool)
    margin[4:24, 4:24] = False
    assert not other.images[:, margin].any()
    assert other.images.max() == 255
    ink = [images.mean() / 255 for images in (other.images, ours.images)]
    assert 0.5 < ink[0] / ink[1] < 2
    # Upright and not mirrored: what is special to a class is like what is special in MNIST.
    theirs, mine = (
        np.stack([d.images[d.labels == k].mean(axis=0) for k in range(10)]) for d in (other, ours)
    )
    theirs, mine = theirs - theirs.mean(axis=0), mine - mine.mean(axis=0)
    turns = theirs, theirs[:, ::-1], theirs[:, :, ::-1], theirs.transpose(0, 2, 1)
    likeness = [np.corrcoef(turned.ravel(), mine.ravel())[0, 1] for turned in turns]
    assert likeness[0] > 1.4 * max(likeness[1:])


def test_padded_cuts_and_fills_at_the_end():
    speech = datasets.load_speech("test")
    padded = speech.padded(0.3)
    assert padded.shape == (480, 2400)
    for row, clip in zip(padded, speech.waveforms, strict=True):
        heard = min(len(clip), 2400)
        np.testing.assert_array_equal(row[:heard], clip[:heard])
        assert not row[heard:].any()


# --- full sets -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("split", "prefix", "count"), [("train", "train", 60000), ("test", "t10k", 10000)]
)
def test_all_of_mnist_equals_its_raw_bytes(real_data, split, prefix, count):
    mnist = datasets.load_mnist(split)
    raw = real_data / "MNIST" / "raw"
    images = np.fromfile(raw / f"{prefix}-images-idx3-ubyte", np.uint8, offset=16)
    labels = np.fromfile(raw / f"{prefix}-labels-idx1-ubyte", np.uint8, offset=8)
    assert len(mnist) == count
    np.testing.assert_array_equal(mnist.images, images.reshape(-1, 28, 28))
    np.testing.assert_array_equal(mnist.labels, labels)


def test_fsdd_has_its_official_split(real_data):
    train, test = datasets.load_fsdd("train"), datasets.load_fsdd("test")
    assert (len(train), len(test)) == (2700, 300)
    for speech, takes in ((train, 45), (test, 5)):
        counts = Counter(zip(speech.labels.tolist(), speech.speakers.tolist(), strict=True))
        assert set(counts.values()) == {takes}
        assert len(counts) == 10 * 6
    rate, samples = wavfile.read(real_data / "fsdd" / "recordings" / "0_george_0.wav")
    assert rate == test.rate
    np.testing.assert_array_equal(test.waveforms[0], samples / np.float32(2**15))
    assert (test.labels[0], test.speakers[0]) == (0, "george")


def test_fsdds_checksum_is_that_of_the_recordings(real_data):
    assert _download.fsdd_digest(real_data / "fsdd" / "recordings") == _download.FSDD_DIGEST


@pytest.mark.slow
def test_all_of_cifar10_from_the_zip_and_from_the_binary_layout(real_data, tmp_path, monkeypatch):
    train, test = datasets.load_cifar10("train"), datasets.load_cifar10("test")
    assert train.images.shape == (50000, 32, 32, 3)
    assert np.bincount(train.labels).tolist() == [5000] * 10
    assert np.bincount(test.labels).tolist() == [1000] * 10
    with zipfile.ZipFile(real_data / "cifar10" / "cifar10-images.zip") as archive:
        ship = np.asarray(Image.open(io.BytesIO(archive.read("test/ship/0007.jpg"))))
    ships = test.images[test.labels == datasets.CIFAR10_CLASSES.index("ship")]
    np.testing.assert_array_equal(ships[7], ship)

    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    planes = test.images.transpose(0, 3, 1, 2).reshape(10000, -1)
    np.column_stack([test.labels.astype(np.uint8), planes]).tofile(folder / "test_batch.bin")
    monkeypatch.setenv("SIMMIM_DATA", str(tmp_path))
    binary = datasets.load_cifar10("test")
    np.testing.assert_array_equal(binary.images, test.images)
    np.testing.assert_array_equal(binary.labels, test.labels)
    assert binary.source == str(folder)


def test_full_sets_are_asked_for_by_argument_or_variable(real_data, monkeypatch):
    assert len(datasets.load_digits("test", full=True)) == 10000
    assert len(datasets.load_speech("test", full=True)) == 300
    monkeypatch.setenv("SIMMIM_FULL", "1")
    assert len(datasets.load_digits("test")) == 10000
    assert len(datasets.load_digits("test", full=False)) == 1000


def test_cifar10s_pickled_version_is_never_opened(tmp_path, monkeypatch):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    batches = tmp_path / "cifar-10-batches-py"
    batches.mkdir()
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        (batches / name).write_bytes(pickle.dumps(Trap()))
    monkeypatch.setenv("SIMMIM_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"cifar-10-batches-py.*pickled code and is never opened"):
        datasets.load_cifar10()
    assert not (tmp_path / "sprung").exists()


def test_available_says_where_each_set_is(tmp_path, monkeypatch):
    nothing = {"digits": "embedded", "speech": "embedded", "mnist": None, "fsdd": None}
    assert datasets.available() == {**nothing, "cifar10": None}
    for name in _download.MNIST_FILES[1:]:
        path = tmp_path / "MNIST" / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "fsdd" / "recordings").mkdir(parents=True)
    monkeypatch.setenv("SIMMIM_DATA", str(tmp_path))
    assert datasets.available()["fsdd"] == str(tmp_path / "fsdd" / "recordings")
    assert datasets.available()["mnist"] is None  # a file is still missing
    (tmp_path / "MNIST" / "raw" / _download.MNIST_FILES[0]).touch()
    assert datasets.available()["mnist"] == str(tmp_path / "MNIST")


# --- captions ------------------------------------------------------------------------------


def test_every_cell_has_a_sentence_of_its_own():
    texts = datasets.describe(ALL_CELLS)
    assert len(ALL_CELLS) == 270
    assert len(set(texts)) == 270
    # 10 digits, 6 adjectives, 2 articles
    assert len({word for text in texts for word in text.replace(",", "").split()}) == 18


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ((4, 1, 1, 1), "a four"),
        ((1, 1, 2, 1), "a slanted one"),
        ((9, 2, 0, 2), "a thick, upright, wide nine"),
        ((8, 1, 1, 1), "an eight"),
        ((8, 0, 1, 1), "a thin eight"),
        ((3, 1, 0, 0), "an upright, narrow three"),
        ((1, 1, 1, 1), "a one"),  # spoken with a w
    ],
)
def test_captions_read_naturally(cell, text):
    assert datasets.describe([cell]) == [text]


def test_captions_are_those_of_the_images_in_order():
    images, captions = datasets.load_digits("test"), datasets.load_captions("test")
    np.testing.assert_array_equal(captions.cells[:, 0], images.labels)
    np.testing.assert_array_equal(captions.measurements, datasets.measure_strokes(images.images))
    assert captions.texts == datasets.describe(captions.cells)
    assert len(captions) == 1000


def test_terciles_are_equal_within_each_digit_of_the_training_set():
    cells = datasets.load_captions("train").cells
    for digit in range(10):
        for codes in cells[cells[:, 0] == digit, 1:].T:
            assert np.bincount(codes).tolist() == [133, 134, 133]  # of 400


def test_the_cuts_come_from_the_training_set():
    cells = datasets.load_captions("all").cells
    np.testing.assert_array_equal(cells[:4000], datasets.load_captions("train").cells)
    np.testing.assert_array_equal(cells[4000:], datasets.load_captions("test").cells)


@pytest.mark.parametrize("split", ["train", "test"])
def test_caption_entropy_is_that_of_the_counted_sentences(split):
    captions = datasets.load_captions(split)
    frequencies = np.array(list(Counter(captions.texts).values())) / len(captions)
    assert captions.entropy == pytest.approx(-np.sum(frequencies * np.log(frequencies)), abs=1e-12)
    # With digit and one tercile alone it would be about ln 30 = 3.4; with all cells equal ln 270.
    assert 5 < captions.entropy < np.log(270)


def bar(width: int, shear: float = 0.0) -> np.ndarray:
    """A bar of ink (60, 60), 40 high, that leans right by ``shear`` pixels a row."""
    image = np.zeros((60, 60))
    for row in range(10, 50):
        left = round(30 - width / 2 - shear * (row - 30))
        image[row, left : left + width] = 255
    return image


def test_measures_of_a_bar_are_its_width_and_slant():
    straight = datasets.measure_strokes(np.stack([bar(4), bar(8)]))
    np.testing.assert_allclose(straight[:, 1], 0, atol=1e-12)
    # A bar of w pixel columns has variance (w^2 - 1) / 12 exactly.
    np.testing.assert_allclose(straight[:, 2], np.sqrt([4**2 - 1, 8**2 - 1]), rtol=1e-12)
    # Thickness to half a pixel: the ridge of an even width lies between two rows of pixels.
    np.testing.assert_allclose(straight[:, 0], [4, 8], atol=0.5)
    leaning = datasets.measure_strokes(bar(4, shear=0.5)[None])
    # Rows are rounded to whole pixels: up to 1/4 more variance, 0.4 more width (without the
    # deslanting it would be 20.6).
    np.testing.assert_allclose(leaning[0, 1], 0.5, atol=0.02)
    np.testing.assert_allclose(leaning[0, 2], np.sqrt(4**2 - 1), atol=0.4)


def test_measures_ignore_place_ink_level_and_specks_and_follow_a_mirror():
    digits = datasets.load_digits("test").images[::50]
    measures = datasets.measure_strokes(digits)
    moved = np.pad(digits, ((0, 0), (5, 1), (2, 9)))
    np.testing.assert_allclose(datasets.measure_strokes(moved), measures, rtol=1e-9)
    np.testing.assert_allclose(datasets.measure_strokes(digits / 4), measures, rtol=1e-9)
    mirrored = datasets.measure_strokes(digits[:, :, ::-1])
    np.testing.assert_allclose(mirrored, measures * [1, -1, 1], rtol=1e-9, atol=1e-9)
    specked = np.pad(digits, ((0, 0), (4, 0), (4, 0)))
    specked[:, 0, 0] = 255
    np.testing.assert_allclose(datasets.measure_strokes(specked), measures, rtol=1e-9)
