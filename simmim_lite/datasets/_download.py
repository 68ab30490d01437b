"""Downloads into the cache: resumed when cut off, checked by checksum, whole or not at all."""

import gzip
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath

import pooch
import requests
from filelock import FileLock
from tqdm import tqdm

from simmim_lite.datasets._files import DataError, cache_root

# The binary version: the one for Python is a pickle, which runs code when it is read. The MD5 is
# the one on the dataset's own page.
CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_HASH = "md5:c32a1d4ab5d03f1284b67883e8d87530"
FSDD_URL = (
    "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.tar.gz"
)
FSDD_DIGEST = "45a9b976ba3397a2fd5c70a9f2e43c34f442a3a6be47392ecfc41174b678f37e"

_TIMEOUT = 30  # seconds without a byte
_CHUNK = 1 << 16  # bytes
_UNPACKING = ".unpacking-"
_NO_NETWORK = (
    "Run it again with a network (what has arrived is kept), or point the environment variable "
    "SIMMIM_DATA at a folder that holds the data already (data/README.md shows the layouts)."
)
_TRY_AGAIN = "The bad file was removed; run it again."


def mnist() -> Path:
    """MNIST's four idx files from torchvision's own addresses; returns ``<cache>/MNIST``."""
    from torchvision.datasets import MNIST  # here, as its import takes seconds

    with _locked_cache() as cache:
        for name, md5 in MNIST.resources:
            packed = cache / "MNIST" / "raw" / name
            target = packed.with_suffix("")
            if not target.exists():
                fetch([mirror + name for mirror in MNIST.mirrors], packed, f"md5:{md5}")
                _gunzip(packed, target)
    return cache / "MNIST"


def cifar10() -> Path:
    """CIFAR-10's binary version; returns ``<cache>/cifar-10-batches-bin``."""
    with _locked_cache() as cache:
        target = cache / "cifar-10-batches-bin"
        if not target.exists():
            archive = cache / "cifar-10-binary.tar.gz"
            fetch([CIFAR10_URL], archive, CIFAR10_HASH)
            extract_tar(archive, target, "cifar-10-batches-bin")
    return target


def fsdd(digest: Callable[[Path], str]) -> Path:
    """FSDD's recordings, checked by ``digest`` of their folder; returns that folder."""

    def check(folder: Path) -> None:
        got = digest(folder)
        if got != FSDD_DIGEST:
            expected = f"FSDD 1.0.10, recordings of SHA-256 {FSDD_DIGEST}"
            raise DataError(FSDD_URL, expected, got, _TRY_AGAIN)

    with _locked_cache() as cache:
        target = cache / "fsdd" / "recordings"
        if not target.exists():
            archive = cache / "fsdd.tar.gz"
            fetch([FSDD_URL], archive)
            extract_tar(archive, target, "*/recordings", check)
    return target


def fetch(urls: Sequence[str], target: Path, known_hash: str | None = None) -> None:
    """Download the first of the addresses that answers, with a progress bar, to ``target``.

    The file appears at ``target`` only complete and with the right checksum ("md5:..." or
    "sha256:..."). Until then its bytes are in ``<target>.part``, where a later call goes on.

    Raises:
        DataError: no network, an HTTP error, or another checksum (the file is then removed).
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel("WARNING")  # the progress bar says enough

    def download(url: str, output_file: str, _: object) -> None:
        part = target.with_name(target.name + ".part")
        _complete(url, part)
        part.replace(output_file)

    problems = []
    for url in urls:
        try:
            pooch.retrieve(url, known_hash, target.name, target.parent, downloader=download)
            return
        except requests.RequestException as error:
            problems.append(f"{url}: {error}")
        except ValueError as error:  # pooch's word for another checksum; it removed the file
            raise DataError(url, f"a file of {known_hash}", str(error), _TRY_AGAIN) from error
    raise DataError(target.name, "a download", "; ".join(problems), _NO_NETWORK)


def extract_tar(
    archive: Path,
    target: Path,
    inside: str,
    check: Callable[[Path], None] = lambda folder: None,
) -> None:
    """Unpack a .tar.gz, check its folder ``inside`` (a glob), move that to ``target``.

    The archive is removed in any case; ``target`` appears complete or not at all. Only plain files
    and folders inside the archive's own tree are accepted: no links, devices, absolute or
    climbing paths (Python's own filter for this is not in every 3.11).

    Raises:
        DataError: a damaged archive, a refused member, or no such folder in it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=archive.parent, prefix=_UNPACKING) as temporary:
            _unpack(archive, Path(temporary))
            found = next(Path(temporary).glob(inside), None)
            if found is None:
                raise DataError(archive, f"a folder {inside}", "none", _TRY_AGAIN)
            check(found)
            found.replace(target)
    finally:
        archive.unlink()


@contextmanager
def _locked_cache() -> Iterator[Path]:
    """The cache folder, for one process at a time: a second one waits, then finds the data."""
    root = cache_root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / ".lock")
        lock.acquire()
    except OSError as error:
        advice = "Name another folder in the environment variable SIMMIM_CACHE."
        raise DataError(root, "a folder to keep downloads in", str(error), advice) from error
    try:
        for abandoned in root.glob(f"{_UNPACKING}*"):  # by a process that was killed
            shutil.rmtree(abandoned)
        yield root
    finally:
        lock.release()


def _complete(url: str, part: Path) -> None:
    """Append to ``part`` until it is complete; go on after a cut for as long as bytes arrive."""
    while True:
        before = _size(part)
        try:
            return _append(url, part)
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ):
            if _size(part) <= before:
                raise


def _append(url: str, part: Path) -> None:
    """One request for what ``part`` still lacks."""
    start = _size(part)
    headers = {"Accept-Encoding": "identity"}  # the bytes as they are, so that they can be counted
    if start:
        headers["Range"] = f"bytes={start}-"
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        if start and response.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink()  # longer than the file: not a beginning of it
            return _append(url, part)
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            start = 0  # the server sends the whole file again
        total = start + int(response.headers.get("Content-Length", 0))
        with (
            part.open("ab" if start else "wb") as file,
            tqdm(
                total=total or None, initial=start, desc=part.stem, unit="B", unit_scale=True
            ) as bar,
        ):
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    if _size(part) < total:
        raise requests.ConnectionError(f"{url}: {_size(part):,} of {total:,} bytes arrived")
    return None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _gunzip(packed: Path, target: Path) -> None:
    """Unpack a checked ``.gz`` to ``target`` in one step, and remove it."""
    temporary = target.with_name(target.name + ".tmp")
    with gzip.open(packed) as source, temporary.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    temporary.replace(target)
    packed.unlink()


def _unpack(archive: Path, folder: Path) -> None:
    # Without a filter Python 3.12 and 3.13 warn; the first 3.11s do not know the argument.
    options = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                _refuse_unsafe(archive, member)
                tar.extract(member, folder, **options)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            archive, "a .tar.gz archive", f"a damaged one ({error})", _TRY_AGAIN
        ) from error


def _refuse_unsafe(archive: Path, member: tarfile.TarInfo) -> None:
    path = PureWindowsPath(member.name)  # knows both separators and drives
    inside = not (path.drive or path.root or ".." in path.parts)
    if not (inside and (member.isfile() or member.isdir())):
        got = f"the member {member.name!r}, a link, a device or a path that leads out"
        advice = "Do not use this archive; nothing of it was kept."
        raise DataError(archive, "plain files in one folder", got, advice)
