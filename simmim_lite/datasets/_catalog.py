"""Which sets there are, where each is found, and how to fetch those that are not."""

from pathlib import Path

from simmim_lite._arguments import check_choice
from simmim_lite.datasets import _download
from simmim_lite.datasets._files import embedded
from simmim_lite.datasets._images import MNIST_FILES, find_cifar10, find_mnist
from simmim_lite.datasets._speech import find_fsdd, fsdd_digest

_EMBEDDED = {"digits": "digits.npz.xz", "speech": "speech.npz.xz"}
_FULL = {
    "mnist": (find_mnist, _download.mnist),
    "fsdd": (find_fsdd, lambda: _download.fsdd(fsdd_digest)),
    "cifar10": (find_cifar10, _download.cifar10),
}


def available() -> dict[str, str | None]:
    """Where each data set is found: "embedded", a path, or None. Nothing is downloaded or read.

    Raises:
        DataError: SIMMIM_DATA names no folder.
    """
    found = {name: "embedded" if embedded(file) else None for name, file in _EMBEDDED.items()}
    for name, (find, _) in _FULL.items():
        path = find()
        found[name] = str(path) if path else None
    return found


def download(name: str) -> Path:
    """The folder (or zip) of "mnist", "fsdd" or "cifar10", downloaded unless it is found already.

    Raises:
        ValueError: another name.
        DataError: no network, or not the expected bytes.
    """
    check_choice("name", name, tuple(_FULL))
    find, fetch = _FULL[name]
    return find() or fetch()


def files(name: str) -> list[Path]:
    """The files that a data set is read from, in order of name; none if it is not here.

    Raises:
        ValueError: an unknown name.
    """
    check_choice("name", name, (*_EMBEDDED, *_FULL))
    if name in _EMBEDDED:
        path = embedded(_EMBEDDED[name])
        return [path] if path else []
    place = _FULL[name][0]()
    if place is None or place.is_file():
        return [place] if place else []
    if name == "mnist":
        return [place / "raw" / file for file in MNIST_FILES]
    return sorted(place.glob("*.wav" if name == "fsdd" else "*.bin"))
