"""Where data are: the files in the package, the folders of ``SIMMIM_DATA``, the download cache."""

import io
import lzma
import os
import zipfile
from pathlib import Path

import numpy as np
import pooch

from simmim_lite._arguments import check_choice

SPLITS = ("train", "test", "all")
_PACKAGE = Path(__file__).resolve().parents[1]


class DataError(Exception):
    """A file or folder is missing, damaged or not what was expected.

    Attributes:
        where: the file, folder or address.
        expected: the content that was expected.
        got: what was found.
        advice: what to do.
    """

    def __init__(self, where: object, expected: str, got: str, advice: str):
        super().__init__(where, expected, got, advice)  # all four, so that it can be pickled
        self.where, self.expected, self.got, self.advice = str(where), expected, got, advice

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, got {self.got}. {self.advice}"


def wants_full(full: bool | None) -> bool:
    """Return ``full``, or for None whether the environment variable SIMMIM_FULL is "1"."""
    if full is not None:
        if not isinstance(full, bool):
            raise TypeError(f"full: expected True, False or None, got {full!r}")
        return full
    value = os.environ.get("SIMMIM_FULL", "0")
    check_choice("SIMMIM_FULL", value, ("1", "0", ""))
    return value == "1"


def cache_root() -> Path:
    """Folder of the downloads: SIMMIM_CACHE, or the cache folder of the system."""
    return Path(os.environ.get("SIMMIM_CACHE") or pooch.os_cache("simmim-lite")).expanduser()


def data_roots() -> list[Path]:
    """Folders that are searched for full sets, in order: SIMMIM_DATA (if set), the cache."""
    given = os.environ.get("SIMMIM_DATA")
    if not given:
        return [cache_root()]
    root = Path(given).expanduser()
    if not root.is_dir():
        got = "a file" if root.exists() else "nothing there"
        advice = "Set the environment variable SIMMIM_DATA to the folder of your data, or unset it."
        raise DataError(root, "a folder, from SIMMIM_DATA", got, advice)
    return [root, cache_root()]


def find(*relative: str) -> Path | None:
    """First of the relative paths that exists, root by root; None if there is none."""
    candidates = (root / path for root in data_roots() for path in relative)
    return next((path for path in candidates if path.exists()), None)


def embedded(name: str) -> Path | None:
    """A data file of the package: inside an installed package, beside a cloned one."""
    candidates = (_PACKAGE / "data" / name, _PACKAGE.parent / "data" / name)
    return next((path for path in candidates if path.is_file()), None)


def read_embedded(name: str) -> dict[str, np.ndarray]:
    """All arrays of an embedded ``.npz.xz``; xz checks its own sum, and nothing is unpickled."""
    path = embedded(name)
    advice = "Install simmim-lite again, or fetch the file again from its repository."
    if path is None:
        raise DataError(_PACKAGE / "data" / name, "the embedded data", "no such file", advice)
    try:
        with lzma.open(path) as file:
            archive = np.load(io.BytesIO(file.read()), allow_pickle=False)
        return dict(archive)  # at once: an NpzFile reads its member again at every access
    except (lzma.LZMAError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(path, "arrays packed by xz", f"a damaged file ({error})", advice) from error


def split_indices(test: np.ndarray, split: str) -> np.ndarray:
    """Indices of a split, given the mask of the test set; "all" is train, then test."""
    return np.concatenate([np.flatnonzero(test == (part == "test")) for part in parts(split)])


def parts(split: str) -> tuple[str, ...]:
    """The parts of a split: ("train",), ("test",), or both for "all"."""
    check_choice("split", split, SPLITS)
    return ("train", "test") if split == "all" else (split,)
