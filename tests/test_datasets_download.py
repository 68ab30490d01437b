"""Downloads from a server on this machine: good, bad, cut off, and hostile archives."""

import gzip
import hashlib
import io
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from simmim_lite import datasets
from simmim_lite.datasets import DataError, _download

pytestmark = pytest.mark.usefixtures("empty_cache")

CONTENT = np.random.default_rng(0).bytes(1_000_000)


def put(path: Path, content: bytes) -> Path:
    """``path``, with that content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def packed(*members: tuple[str, bytes | str, bytes]) -> bytes:
    """A .tar.gz of (name, tar type, content or, for links, target)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info.linkname = content.decode()
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def leftovers(folder: Path) -> list[str]:
    """All that is in a folder but the lock."""
    return sorted(path.name for path in folder.glob("*") if path.name != ".lock")


def test_a_good_download_arrives_whole(server, tmp_path):
    server.files["a.bin"] = CONTENT
    _download.fetch([server.url("a.bin")], tmp_path / "new" / "a.bin", sha256(CONTENT))
    assert (tmp_path / "new" / "a.bin").read_bytes() == CONTENT
    assert leftovers(tmp_path / "new") == ["a.bin"]


@pytest.mark.parametrize(
    "sent", [CONTENT[:-1] + b"?", CONTENT[:500_000], b""], ids=["corrupted", "truncated", "empty"]
)
def test_a_bad_download_is_named_and_removed(server, tmp_path, sent):
    server.files["a.bin"] = sent
    with pytest.raises(DataError, match="Run it again") as caught:
        _download.fetch([server.url("a.bin")], tmp_path / "a.bin", sha256(CONTENT))
    expected, actual = (hashlib.sha256(content).hexdigest() for content in (CONTENT, sent))
    assert all(part in str(caught.value) for part in ("a.bin", expected, actual))
    assert leftovers(tmp_path) == []


def test_a_download_that_is_cut_leaves_nothing(server, tmp_path):
    server.files["a.bin"] = CONTENT
    server.drop_after = [400_000]
    with pytest.raises(DataError, match=r"a.bin: expected a download.*Run it again"):
        _download.fetch([server.url("a.bin")], tmp_path / "a.bin", sha256(CONTENT))
    assert leftovers(tmp_path) == []


def test_the_next_mirror_is_tried(server, tmp_path):
    server.files["good"] = CONTENT
    urls = [server.url("missing"), server.url("good")]
    _download.fetch(urls, tmp_path / "a.bin", sha256(CONTENT))
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


PAGE = b"<h3>Error. Page cannot be displayed.</h3>"


@pytest.mark.parametrize("name", ["page", "cut", "loop", "silent", "odd length"])
def test_the_next_mirror_is_tried_after_any_fault(server, tmp_path, monkeypatch, name):
    server.files |= {"page": PAGE, "cut": b"?" * 500_000, "good": CONTENT, "odd length": PAGE}
    monkeypatch.setattr(_download, "_TIMEOUT", 0.2)
    server.drop_after = [300_000] if name == "cut" else []
    _download.fetch([server.url(name), server.url("good")], tmp_path / "a.bin", sha256(CONTENT))
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert leftovers(tmp_path) == ["a.bin"]


def test_a_failed_download_names_every_mirror(server, tmp_path):
    server.files["page"], server.files["cut"] = PAGE, b"?" * 500_000
    server.drop_after = [100, 300_000]
    urls = [server.url(name) for name in ("page", "cut", "loop", "none")]
    with pytest.raises(DataError) as caught:
        _download.fetch(urls, tmp_path / "a.bin", sha256(CONTENT))
    reasons = (sha256(PAGE).partition(":")[2], "Error", "TooManyRedirects", "404 Client Error")
    for url, reason in zip(urls, reasons, strict=True):
        assert reason in caught.value.got.partition(url)[2].partition("; http")[0]
    assert f"a.bin: expected a download of {sha256(CONTENT)}, got" in str(caught.value)
    assert not (tmp_path / "a.bin").exists()


def test_an_archive_of_very_many_bytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_download, "_MOST_UNPACKED", 1500)
    members = [(f"set/{i}.bin", tarfile.REGTYPE, bytes(1000)) for i in range(2)]
    archive = put(tmp_path / "a.tar.gz", packed(*members))
    with pytest.raises(DataError, match=r"a.tar.gz: expected.*more than 1,500 bytes"):
        _download.extract_tar(archive, tmp_path / "set", "set")
    assert leftovers(tmp_path) == []


def test_a_missing_file_and_no_network_say_what_to_do(server, tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"a.bin: expected a download.*404.*SIMMIM_DATA"):
        _download.fetch([server.url("none")], tmp_path / "a.bin", sha256(CONTENT))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setattr(_download, "CIFAR10_URL", f"http://127.0.0.1:{port}/cifar.tar.gz")
    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz.*refused.*SIMMIM_DATA"):
        datasets.load_cifar10()
    assert leftovers(tmp_path / "cache") == []


@pytest.mark.parametrize(
    ("name", "kind", "content"),
    [
        ("../outside.bin", tarfile.REGTYPE, b"x"),
        ("set/../../outside.bin", tarfile.REGTYPE, b"x"),
        ("set\\..\\..\\outside.bin", tarfile.REGTYPE, b"x"),
        ("/outside.bin", tarfile.REGTYPE, b"x"),
        ("C:/outside.bin", tarfile.REGTYPE, b"x"),
        ("set/link", tarfile.SYMTYPE, b"/etc"),
        ("set/link", tarfile.SYMTYPE, b"harmless.bin"),
        ("set/hard", tarfile.LNKTYPE, b"../outside.bin"),
        ("set/pipe", tarfile.FIFOTYPE, b""),
    ],
)
def test_archives_cannot_leave_their_folder(tmp_path, name, kind, content):
    members = [("set/harmless.bin", tarfile.REGTYPE, b"x"), (name, kind, content)]
    archive = put(tmp_path / "cache" / "a.tar.gz", packed(*members))
    with pytest.raises(DataError, match=r"a.tar.gz: expected plain files.*leads out"):
        _download.extract_tar(archive, tmp_path / "cache" / "set", "set")
    assert leftovers(tmp_path) == ["cache"]
    assert leftovers(tmp_path / "cache") == []


@pytest.mark.parametrize("damaged", ["cut", "noise", "without the folder"])
def test_a_bad_archive_leaves_nothing(tmp_path, damaged):
    content = packed(("set/a.bin", tarfile.REGTYPE, CONTENT))
    content = {"cut": content[:50_000], "noise": CONTENT}.get(damaged, content)
    archive = put(tmp_path / "a.tar.gz", content)
    with pytest.raises(DataError, match=r"a.tar.gz: expected a (.tar.gz archive|folder other)"):
        _download.extract_tar(archive, tmp_path / "other", "other")
    assert leftovers(tmp_path) == []


def test_cifar10_is_downloaded_checked_and_unpacked(server, empty_cache, monkeypatch):
    records = np.random.default_rng(0).integers(256, size=(10_000, 3073), dtype=np.uint8)
    records[:, 0] %= 10
    member = ("cifar-10-batches-bin/test_batch.bin", tarfile.REGTYPE, records.tobytes())
    server.files["cifar.tar.gz"] = packed(member)
    monkeypatch.setattr(_download, "CIFAR10_URL", server.url("cifar.tar.gz"))
    monkeypatch.setattr(_download, "CIFAR10_HASH", sha256(server.files["cifar.tar.gz"]))
    put(empty_cache / ".unfinished-killed" / "half.bin", b"x")  # what a killed process left behind
    loaded = datasets.load_cifar10("test")
    np.testing.assert_array_equal(loaded.labels, records[:, 0])
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    np.testing.assert_array_equal(loaded.images[..., 2], planes[:, 2])
    assert datasets.download("cifar10") == empty_cache / "cifar-10-batches-bin"
    assert server.requests == 1  # the second time it was there
    assert leftovers(empty_cache) == ["cifar-10-batches-bin"]


def test_mnist_is_downloaded_checked_and_read_by_torchvision(server, empty_cache, monkeypatch):
    from torchvision.datasets import MNIST

    images = np.random.default_rng(0).integers(256, size=(20, 28, 28), dtype=np.uint8)
    labels = np.arange(20, dtype=np.uint8) % 10
    idx = {
        "images": np.array([0x803, 20, 28, 28], ">i4").tobytes() + images.tobytes(),
        "labels": np.array([0x801, 20], ">i4").tobytes() + labels.tobytes(),
    }
    resources = []
    for name in _download.MNIST_FILES:
        content = gzip.compress(idx["images" if "images" in name else "labels"])
        server.files[f"{name}.gz"] = content
        resources.append((f"{name}.gz", hashlib.md5(content).hexdigest()))
    assert [name for name, _ in resources] == [name for name, _ in MNIST.resources]
    monkeypatch.setattr(MNIST, "mirrors", [server.url("gone/"), server.url("")])
    monkeypatch.setattr(MNIST, "resources", resources)
    loaded = datasets.load_digits("test", full=True)
    np.testing.assert_array_equal(loaded.images, images)
    np.testing.assert_array_equal(loaded.labels, labels)
    assert leftovers(empty_cache / "MNIST" / "raw") == sorted(_download.MNIST_FILES)


def fsdd_archive(recordings: Path, spoil: bool = False) -> bytes:
    members = []
    for path in sorted(recordings.glob("*.wav")):
        content = path.read_bytes()
        if spoil and path.name == "7_theo_31.wav":
            content = content[:-1] + b"?"
        name = f"free-spoken-digit-dataset-1.0.10/recordings/{path.name}"
        members.append((name, tarfile.REGTYPE, content))
    return packed(*members)


@pytest.mark.slow
def test_fsdd_is_downloaded_and_its_recordings_checked(real_data, server, tmp_path, monkeypatch):
    recordings = real_data / "fsdd" / "recordings"
    monkeypatch.delenv("SIMMIM_DATA")
    monkeypatch.setattr(_download, "FSDD_URL", server.url("fsdd.tar.gz"))
    server.files["fsdd.tar.gz"] = fsdd_archive(recordings, spoil=True)
    with pytest.raises(DataError, match=f"SHA-256 {_download.FSDD_DIGEST}, got [0-9a-f]{{64}}"):
        datasets.load_fsdd()
    cache = tmp_path / "cache"
    assert [path for path in cache.rglob("*") if path.name not in (".lock", "fsdd")] == []
    server.files["fsdd.tar.gz"] = fsdd_archive(recordings)
    assert len(datasets.load_fsdd("all")) == 3000
    assert leftovers(cache) == ["fsdd"]


def test_two_processes_at_once_download_once(server, empty_cache):
    content = packed(("cifar-10-batches-bin/a.bin", tarfile.REGTYPE, CONTENT))
    server.files["a.tar.gz"] = content
    code = (
        "from simmim_lite.datasets import _download, download\n"
        f"_download.CIFAR10_URL = {server.url('a.tar.gz')!r}\n"
        f"_download.CIFAR10_HASH = {sha256(content)!r}\n"
        "print((download('cifar10') / 'a.bin').stat().st_size)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == ["1000000"] * 2
    assert server.requests == 1


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMMIM_CACHE", str(put(tmp_path / "file", b"") / "cache"))
    with pytest.raises(DataError, match=r"expected a folder to keep downloads in.*SIMMIM_CACHE"):
        datasets.download("cifar10")
