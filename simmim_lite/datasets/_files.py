"""Where data are: the files in the package, the folders of ``SIMMIM_DATA``, the download cache."""

import hashlib
import io
import lzma
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pooch

from simmim_lite._arguments import check_choice

_PACKAGE = Path(__file__).resolve().parents[1]
# SHA-256 of the embedded files, which nothing parses before it is compared.
_SHA256 = {
    "digits.npz.xz": "b26616488b69998a97c20bcbd81c858fa48eff1653c2fa0d8ef076e6f76023d9",
    "emoji.npz.xz": "72bc20fccb0da3c5f01a2666ffdcbbaacdfbff5835ab7f249b0e103147e9e14a",
    "glosses.npz.xz": "5dea46d66982c84bfa5d68afd00b47c9c83ad28e39bdda098325bb5e6880958e",
    "speech.npz.xz": "a0f3e770de44e2ee5b949206e884bbb3d09c20bd292761ae11337fcde82d0370",
    "tables.npz.xz": "401fd26744fed17479877af7f639236516de94234fe461c7ea3e1779708651a7",
    "tweets.npz.xz": "fd5c206a93bce1ff4c3c64b3d7ea5cb2a11ab74321f696f10e6004466f40b758",
    "visual_questions.npz.xz": "8ad826c06afd2b5091e46d28e0d6ef54e8179c9cf8451b8c5bec8a9bdcda89c4",
}


class DataError(Exception):
    """A file, folder or address (``where``) is missing, damaged or not what was expected."""

    def __init__(self, where: object, expected: str, got: str, advice: str):
        super().__init__(where, expected, got, advice)  # all four, so that it can be pickled
        self.where, self.expected, self.got, self.advice = str(where), expected, got, advice

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, got {self.got}. {self.advice}"


@contextmanager
def reading(path: Path, expected: str, advice: str = "Check or replace it.") -> Iterator[None]:
    """Turn any error of a parser into a DataError about the file."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # each parser has errors of its own, and lets others out
        missing = isinstance(error, FileNotFoundError)
        got = f"something damaged or unreadable ({type(error).__name__}: {error})"
        raise DataError(path, expected, "no such file" if missing else got, advice) from error


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
    """All arrays of an embedded ``.npz.xz``, after its checksum is compared."""
    path = embedded(name) or _PACKAGE / "data" / name
    expected = f"a file of SHA-256 {_SHA256[name]}"
    advice = "Install simmim-lite again, or fetch the file again from its repository."
    with reading(path, expected, advice):
        content = path.read_bytes()
        got = hashlib.sha256(content).hexdigest()
        if got != _SHA256[name]:
            raise DataError(path, expected, got, advice)
        return dict(np.load(io.BytesIO(lzma.decompress(content)), allow_pickle=False))


def split_indices(test: np.ndarray, split: str) -> np.ndarray:
    """Indices of a split, given the mask of the test set; "all" is train, then test."""
    return np.concatenate([np.flatnonzero(test == (part == "test")) for part in parts(split)])


def parts(split: str) -> tuple[str, ...]:
    """The parts of a split: ("train",), ("test",), or both for "all"."""
    check_choice("split", split, ("train", "test", "all"))
    return ("train", "test") if split == "all" else (split,)
