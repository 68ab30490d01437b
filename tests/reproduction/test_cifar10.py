"""CIFAR-10: both layouts, damaged files, which are named, and changes of photographs."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reproduction import cifar10
from simmim_lite.datasets import DataError


@pytest.mark.slow
def test_all_of_cifar10_from_the_zip_and_from_the_binary_layout(real_data, tmp_path, monkeypatch):
    train, test = cifar10.load_cifar10("train"), cifar10.load_cifar10("test")
    assert train.images.shape == (50000, 32, 32, 3)
    assert np.bincount(train.labels).tolist() == [5000] * 10
    assert np.bincount(test.labels).tolist() == [1000] * 10
    with zipfile.ZipFile(real_data / "cifar10" / "cifar10-images.zip") as archive:
        ship = np.asarray(Image.open(io.BytesIO(archive.read("test/ship/0007.jpg"))))
    ships = test.images[test.labels == cifar10.CLASSES.index("ship")]
    np.testing.assert_array_equal(ships[7], ship)

    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    planes = test.images.transpose(0, 3, 1, 2).reshape(10000, -1)
    np.column_stack([test.labels.astype(np.uint8), planes]).tofile(folder / "test_batch.bin")
    monkeypatch.setenv("SIMMIM_DATA", str(tmp_path))
    binary = cifar10.load_cifar10("test")
    np.testing.assert_array_equal(binary.images, test.images)
    np.testing.assert_array_equal(binary.labels, test.labels)
    assert binary.source == str(folder)


@pytest.fixture
def folder(tmp_path, empty_cache, monkeypatch) -> Path:
    """An empty folder of data sets."""
    monkeypatch.setenv("SIMMIM_DATA", str(tmp_path))
    return tmp_path


def test_the_pickled_version_is_never_opened(folder):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(folder / "sprung"),)

    batches = folder / "cifar-10-batches-py"
    batches.mkdir()
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        (batches / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match=r"cifar-10-batches-py.*pickled code and is never opened"):
        cifar10.load_cifar10()
    assert not (folder / "sprung").exists()


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def zip_of(content: bytes, *names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return buffer.getvalue()


def jpeg(side: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (9, 99, 200)).save(buffer, "JPEG")
    return buffer.getvalue()


NAMES = ("test/dog/2.jpg", "test/cat/1.jpg", "../test/cat/3.jpg", "train/cat/1.jpg")
ENCRYPTED = zip_of(jpeg(32), *NAMES).replace(b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1")
ZIPS = {
    "too few": (zip_of(jpeg(32), *NAMES[1:]), "1 images"),
    "a bomb": (zip_of(bytes(1 << 20), *NAMES), "test/cat/1.jpg: 1,048,576 bytes"),
    "large images": (zip_of(jpeg(64), *NAMES), "test/cat/1.jpg: an image of 64 x 64, RGB"),
    "no images": (zip_of(b"no jpeg", *NAMES), "cannot identify image file"),
    "an unknown class": (zip_of(jpeg(32), "test/gnu/1.jpg", "test/cat/1.jpg"), "ValueError"),
    "an encrypted file": (ENCRYPTED, "encrypted"),
    "noise": (b"x", "not a zip file"),
}


def test_a_zip(folder, monkeypatch):
    monkeypatch.setattr(cifar10, "COUNTS", {"train": 1, "test": 2})
    put(folder / "cifar10/cifar10-images.zip", zip_of(jpeg(32), *NAMES))
    loaded = cifar10.load_cifar10("test")
    assert loaded.images.shape == (2, 32, 32, 3)
    assert [cifar10.CLASSES[i] for i in loaded.labels] == ["cat", "dog"]
    assert cifar10.load_cifar10("train").labels.tolist() == [3]


@pytest.mark.parametrize(("content", "message"), ZIPS.values(), ids=ZIPS.keys())
def test_bad_zips_are_named(folder, monkeypatch, content, message):
    monkeypatch.setattr(cifar10, "COUNTS", {"train": 1, "test": 2})
    put(folder / "cifar10/cifar10-images.zip", content)
    with pytest.raises(DataError, match=f"images.zip: expected a zip of 2 .*{message}"):
        cifar10.load_cifar10("test")


def test_short_files_and_unknown_splits_are_named(folder):
    put(folder / "cifar-10-batches-bin/test_batch.bin", b"x")
    with pytest.raises(DataError, match=r"test_batch.bin: expected 30,730,000 bytes, .*: 1 bytes"):
        cifar10.load_cifar10("test")
    with pytest.raises(ValueError, match="split: expected one of train, test, got ''"):
        cifar10.load_cifar10("")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(N=64, size=8):
    return torch.randint(1, 256, (N, 3, size, size + 2), generator=generator(9), dtype=torch.uint8)


def test_flips_half_of_the_images():
    images = pictures(1000)
    flipped = cifar10.random_flip(images, generator())
    changed = (flipped != images).flatten(1).any(dim=1)
    assert 430 < changed.sum() < 570  # 4.4 standard deviations
    assert torch.equal(flipped[changed], images[changed].flip(-1))


def test_parts_are_resized_and_shifted():
    images = torch.zeros(300, 1, 41, 61)
    images[:, :, 19:22, 29:32] = 1
    options = {"scale": (1.0, 1.0), "shift": 0.0}
    assert torch.allclose(cifar10.random_part(images, generator(), **options), images, atol=1e-5)
    options = {"scale": (1.0, 3.0), "shift": 0.0}
    larger = cifar10.random_part(images, generator(), **options).sum(dim=(1, 2, 3))
    assert 8.5 < larger.min() < 12  # 9 pixels
    assert 70 < larger.max() < 85  # 81 pixels
    moved = cifar10.random_part(images, generator(), scale=(1.0, 1.0), shift=0.25)[:, 0]
    moved = moved / moved.sum(dim=(1, 2), keepdim=True)
    rows, columns = (torch.arange(size) - (size - 1) / 2 for size in (41, 61))
    moved = torch.stack([moved.sum(2) @ rows, moved.sum(1) @ columns], dim=1)
    for axis, length in enumerate((41, 61)):
        assert -0.25 * length - 0.3 < moved[:, axis].min() < -0.22 * length
        assert 0.22 * length < moved[:, axis].max() < 0.25 * length + 0.3


def test_brightness_and_contrast():
    images = torch.full((500, 1, 2, 2), 0.5)
    images[:, :, 0] = 0.6
    same = cifar10.random_brightness_contrast(images, generator(), brightness=0, contrast=0)
    assert torch.allclose(same, images)
    changed = cifar10.random_brightness_contrast(images, generator(), brightness=0.1, contrast=0.5)
    means = changed.mean(dim=(1, 2, 3))
    assert 0.44 < means.min() < 0.46 < 0.64 < means.max() < 0.66
    contrast = (changed[:, 0, 0] - changed[:, 0, 1]).mean(dim=1)
    assert 0.05 <= contrast.min() < 0.06
    assert 0.14 < contrast.max() <= 0.15001
    assert cifar10.random_brightness_contrast(pictures(), generator()).max() <= 1


@pytest.mark.parametrize("augment", [cifar10.random_flip, cifar10.random_brightness_contrast])
def test_a_change_is_a_function_of_its_generator(augment):
    assert torch.equal(augment(pictures(), generator(4)), augment(pictures(), generator(4)))
    assert not torch.equal(augment(pictures(), generator(4)), augment(pictures(), generator(5)))
