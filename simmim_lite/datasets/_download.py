"""The full data sets: where each is found, and its download into the cache, by pooch.

The checksum is compared before the files appear, and they appear complete or not at all.
"""

import gzip
import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PureWindowsPath

import pooch
import requests
from filelock import FileLock

from simmim_lite._arguments import check_choice
from simmim_lite.datasets._files import DataError, cache_root, data_roots, embedded, find, reading

# The binary version (see `load_cifar10`), with the MD5 on the page of the data set.
CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_HASH = "md5:c32a1d4ab5d03f1284b67883e8d87530"
FSDD_URL = (
    "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.tar.gz"
)
FSDD_DIGEST = "45a9b976ba3397a2fd5c70a9f2e43c34f442a3a6be47392ecfc41174b678f37e"
MNIST_FILES = tuple(
    f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
)

_EMBEDDED = {"digits": "digits.npz.xz", "speech": "speech.npz.xz"}
_TIMEOUT = 30  # seconds without a byte
_MOST_UNPACKED = 1 << 30  # bytes of all files in one archive
_UNFINISHED = ".unfinished-"
_TRY_AGAIN = "The bad file was removed; run it again."
_NO_NETWORK = (
    "Run it again with a network, or set the environment variable SIMMIM_DATA to a folder that "
    "holds the data (data/README.md shows the layouts)."
)


def available() -> dict[str, str | None]:
    """Where each data set is found: "embedded", a path, or None. Nothing is downloaded or read."""
    found = {name: "embedded" if embedded(file) else None for name, file in _EMBEDDED.items()}
    paths = {name: find_set() for name, (find_set, _) in _FULL.items()}
    return found | {name: str(path) if path else None for name, path in paths.items()}


def download(name: str) -> Path:
    """Folder (or zip) of "mnist", "fsdd" or "cifar10", downloaded if it is not found."""
    check_choice("name", name, tuple(_FULL))
    find_set, fetch_set = _FULL[name]
    return find_set() or fetch_set()


def files(name: str) -> list[Path]:
    """Files of a data set, sorted by name; an empty list if the set is not found."""
    check_choice("name", name, (*_EMBEDDED, *_FULL))
    place = embedded(_EMBEDDED[name]) if name in _EMBEDDED else _FULL[name][0]()
    if place is None or place.is_file():
        return [place] if place else []
    if name == "mnist":
        return [place / "raw" / file for file in MNIST_FILES]
    return sorted(place.glob("*.wav" if name == "fsdd" else "*.bin"))


def _find_mnist() -> Path | None:
    """Folder ``MNIST`` with the four unpacked idx files."""
    for root in data_roots():
        if all((root / "MNIST" / "raw" / name).is_file() for name in MNIST_FILES):
            return root / "MNIST"
    return None


def _fetch_mnist() -> Path:
    """Download MNIST's four idx files from the addresses of torchvision to ``<cache>/MNIST``."""
    from torchvision.datasets import MNIST  # here, as its import takes seconds

    from simmim_lite.storage import write_atomically  # imports torch

    with locked_cache() as cache:
        for name, md5 in MNIST.resources:
            target = (cache / "MNIST" / "raw" / name).with_suffix("")
            if not target.exists():
                with tempfile.TemporaryDirectory(dir=cache, prefix=_UNFINISHED) as temporary:
                    packed = Path(temporary) / name
                    fetch([mirror + name for mirror in MNIST.mirrors], packed, f"md5:{md5}")
                    write_atomically(target, gzip.decompress(packed.read_bytes()))
    return cache / "MNIST"


def fetch_cifar10() -> Path:
    """Download CIFAR-10's binary version to ``<cache>/cifar-10-batches-bin``."""
    folder = "cifar-10-batches-bin"
    return _unpacked("cifar-10-binary.tar.gz", CIFAR10_URL, CIFAR10_HASH, folder, folder)


def _fetch_fsdd() -> Path:
    """Download FSDD's recordings, checked by `fsdd_digest`, to ``<cache>/fsdd/recordings``."""
    folder, inside = "fsdd/recordings", "*/recordings"
    return _unpacked("fsdd.tar.gz", FSDD_URL, None, folder, inside, FSDD_DIGEST)


def fsdd_digest(folder: Path) -> str:
    """SHA-256 of the names and bytes of the recordings, sorted by name.

    The archive itself has no fixed checksum: GitHub packs it anew, not always to the same bytes.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.wav")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


_find_fsdd = partial(find, "fsdd/recordings", "free-spoken-digit-dataset/recordings")
find_cifar10 = partial(find, "cifar-10-batches-bin", "cifar10/cifar10-images.zip")
_FULL: dict[str, tuple[Callable[[], Path | None], Callable[[], Path]]] = {
    "mnist": (_find_mnist, _fetch_mnist),
    "fsdd": (_find_fsdd, _fetch_fsdd),
    "cifar10": (find_cifar10, fetch_cifar10),
}


def fetch(urls: Sequence[str], target: Path, known_hash: str | None) -> None:
    """Download from the first address that sends the right file to ``target``.

    The file appears at ``target`` when it is complete and its checksum ("md5:..." or "sha256:...")
    is right; with another checksum it is removed, and the next address is tried.
    """
    plain = {"Accept-Encoding": "identity"}  # nothing unpacks the file on its way
    downloader = pooch.HTTPDownloader(progressbar=True, timeout=_TIMEOUT, headers=plain)
    problems = []
    for url in urls:
        try:
            pooch.retrieve(url, known_hash, target.name, target.parent, downloader=downloader)
            return
        except (requests.RequestException, ValueError) as error:  # also of another checksum
            problems.append(f"{url}: {type(error).__name__}: {error}")
    expected = "a download" + (f" of {known_hash}" if known_hash else "")
    raise DataError(target.name, expected, "; ".join(problems), _NO_NETWORK)


def _unpacked(
    archive: str, url: str, known_hash: str | None, folder: str, inside: str, digest: str = ""
) -> Path:
    """Return a folder of the cache, downloaded as an archive if it is missing."""
    with locked_cache() as cache:
        target = cache / folder
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=cache, prefix=_UNFINISHED) as temporary:
                packed = Path(temporary) / archive
                fetch([url], packed, known_hash)
                extract_tar(packed, target, inside, digest)
    return target


def extract_tar(archive: Path, target: Path, inside: str, digest: str = "") -> None:
    """Unpack a .tar.gz, and move its folder ``inside`` (a glob, of a `fsdd_digest`) to ``target``.

    The archive is removed in any case; ``target`` appears complete or not at all. Only plain files
    and folders inside the tree of the archive are accepted: no links, devices, absolute paths or
    paths with "..".
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=archive.parent, prefix=_UNFINISHED) as temporary:
            with reading(archive, "a .tar.gz archive", _TRY_AGAIN):
                _extract_members(archive, temporary)
            found = next(Path(temporary).glob(inside), None)
            if found is None:
                raise DataError(archive, f"a folder {inside}", "none", _TRY_AGAIN)
            got = fsdd_digest(found) if digest else ""
            if got != digest:
                raise DataError(archive, f"recordings of SHA-256 {digest}", got, _TRY_AGAIN)
            found.replace(target)
    finally:
        archive.unlink()


def _extract_members(archive: Path, folder: str) -> None:
    """Python's filter "data", without the links and paths that this filter accepts or repairs."""
    size = 0
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            size += member.size
            if size > _MOST_UNPACKED:
                raise ValueError(f"more than {_MOST_UNPACKED:,} bytes unpacked")
            path = PureWindowsPath(member.name)  # knows both separators and drives
            outside = path.drive or path.root or ".." in path.parts
            if outside or not (member.isfile() or member.isdir()):
                got = f"the member {member.name!r}, a link, a device or a path that leads out"
                advice = "Do not use this archive; nothing of it was kept."
                raise DataError(archive, "plain files in one folder", got, advice)
            tar.extract(member, folder, filter="data")


@contextmanager
def locked_cache() -> Iterator[Path]:
    """Cache folder, for one process at a time: a second process waits, then finds the data."""
    root = cache_root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / ".lock").acquire()
    except OSError as error:
        advice = "Name another folder in the environment variable SIMMIM_CACHE."
        raise DataError(root, "a folder to keep downloads in", str(error), advice) from error
    with lock:
        for abandoned in root.glob(f"{_UNFINISHED}*"):  # by a process that was killed
            shutil.rmtree(abandoned)
        yield root
