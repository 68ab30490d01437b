"""The full data sets: where each is found, and its download into the cache.

A download that was cut continues at the next call. Its checksum is compared before the files
appear, and they appear complete or not at all.
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
from tqdm import tqdm

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
_CHUNK = 1 << 16  # bytes
_MOST_UNPACKED = 1 << 30  # bytes of all files in one archive
_UNPACKING = ".unpacking-"
_NO_NETWORK = (
    "Run it again with a network (the bytes that have arrived are kept), or set the environment "
    "variable SIMMIM_DATA to a folder that holds the data (data/README.md shows the layouts)."
)
_TRY_AGAIN = "The bad file was removed; run it again."


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

    with _locked_cache() as cache:
        for name, md5 in MNIST.resources:
            packed = cache / "MNIST" / "raw" / name
            target = packed.with_suffix("")
            if not target.exists():
                fetch([mirror + name for mirror in MNIST.mirrors], packed, f"md5:{md5}")
                write_atomically(target, gzip.decompress(packed.read_bytes()))
                packed.unlink()
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
    is right; with another checksum it is removed, and the next address is tried. Until then its
    bytes are in ``<target>.part``, which a later call continues.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    expected, advice = "a download" + (f" of {known_hash}" if known_hash else ""), _NO_NETWORK
    problems = []
    for url in urls:
        try:
            continued = part.exists()
            got = _complete(url, part, known_hash)
            if got and continued:  # the bytes before were of another file
                part.unlink()
                got = _complete(url, part, known_hash)
        except (requests.RequestException, ValueError) as error:  # also of a bad redirection
            problems.append(f"{url}: {type(error).__name__}: {error}")
            continue
        if not got:
            part.replace(target)
            return
        problems.append(f"{url}: {_size(part):,} bytes of {got}")
        advice = _TRY_AGAIN
        part.unlink()
    raise DataError(target.name, expected, "; ".join(problems), advice)


def _other_hash(path: Path, known_hash: str | None) -> str:
    """The checksum of a file, "" if it is the known one or none is known."""
    if known_hash is None:
        return ""
    algorithm = known_hash.partition(":")[0]
    found = f"{algorithm}:{pooch.file_hash(str(path), algorithm)}"
    return "" if found == known_hash.lower() else found


def _unpacked(
    archive: str, url: str, known_hash: str | None, folder: str, inside: str, digest: str = ""
) -> Path:
    """Return a folder of the cache, downloaded as an archive if it is missing."""
    with _locked_cache() as cache:
        target = cache / folder
        if not target.exists():
            fetch([url], cache / archive, known_hash)
            extract_tar(cache / archive, target, inside, digest)
    return target


def extract_tar(archive: Path, target: Path, inside: str, digest: str = "") -> None:
    """Unpack a .tar.gz, and move its folder ``inside`` (a glob, of a `fsdd_digest`) to ``target``.

    The archive is removed in any case; ``target`` appears complete or not at all. Only plain files
    and folders inside the tree of the archive are accepted: no links, devices, absolute paths or
    paths with "..".
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=archive.parent, prefix=_UNPACKING) as temporary:
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
def _locked_cache() -> Iterator[Path]:
    """Cache folder, for one process at a time: a second process waits, then finds the data."""
    root = cache_root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / ".lock").acquire()
    except OSError as error:
        advice = "Name another folder in the environment variable SIMMIM_CACHE."
        raise DataError(root, "a folder to keep downloads in", str(error), advice) from error
    with lock:
        for abandoned in root.glob(f"{_UNPACKING}*"):  # by a process that was killed
            shutil.rmtree(abandoned)
        yield root


def _complete(url: str, part: Path, known_hash: str | None) -> str:
    """Append to ``part`` as long as bytes arrive, also after a cut; return `_other_hash`."""
    while True:
        before = _size(part)
        try:
            _append(url, part)
            return _other_hash(part, known_hash)
        except requests.RequestException:
            if _size(part) <= before:
                raise


def _append(url: str, part: Path) -> None:
    """Send one request for the missing bytes of ``part``."""
    start = _size(part)
    headers = {"Accept-Encoding": "identity"}  # unpacked bytes could not be counted
    if start:
        headers["Range"] = f"bytes={start}-"
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        if start and response.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink()  # longer than the file: not a beginning of it
            return _append(url, part)
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            start = 0  # the server sends the whole file again
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else 0
        bar = tqdm(total=total or None, initial=start, desc=part.stem, unit="B", unit_scale=True)
        with bar, part.open("ab" if start else "wb") as file:
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    if _size(part) < total:
        raise requests.ConnectionError(f"{url}: {_size(part):,} of {total:,} bytes arrived")
    return None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
