"""Real sets for the applications that are not embedded, for their size or their rights.

X-rays and speeches are found in SIMMIM_DATA, prices in an installed package, visits are downloaded.
Where a set is missing, a `DataError` says where to get it. data/README.md is the datasheet. In
every split a patient, a person or a time stands on one side.
"""

import csv
import hashlib
import importlib.util
import io
import lzma
from pathlib import Path

import numpy as np
import pandas as pd

from simmim_lite.datasets._download import fetch, locked_cache
from simmim_lite.datasets._files import DataError, find, parts, reading, split_indices

_TRAIN_SHARE = 0.7  # of the days, or of the patients with X-rays
# Files that are not embedded, in the order of the loaders below: SHA-256 of what .xz holds.
_SHA256 = {
    "data.csv": "f49e0d93a3162d318475a640fa3274d9d852b781c05edcd4f7055575ecc0537b",
    "hannover_cxr.npz": "7cff1451729ac00649c86dfd7c5f4e7899bf8a0a7363f7b783c5eceac6f50562",
    "speeches.csv": "5691e2dc79fa538f44645739e95819ec4c56ba206fc93bb49562fd8e90bcbefb",
    "sp500_dataset.csv.gz": "ee21cac28befb1d0a739a9ceb22184f995394726aa0cfde9a21941d1ac04ac0d",
    "sp500_index.csv.gz": "894c34431c284f86aa64a467e176e2a3c9b697c857eb9ab35006c2dd55d3fdf2",
    "anonymous-msweb.data": "60fd5f438a55d2105ca0ff4142e748e2146486bde84c96d55dc98b37a8139cbd",
    "anonymous-msweb.test": "db0a902a744ac488a0a6817a5df871f2341df083b6ab8ee1a046a69c635e7241",
}
_MADE = "Set SIMMIM_DATA to a folder with it; data/README.md says how github.com/{} became it."
_MSWEB = (  # the same two files at both
    "https://archive.ics.uci.edu/ml/machine-learning-databases/anonymous/",
    "https://raw.githubusercontent.com/mhahsler/recommenderlab/"
    "c737fca94bc58652e750b03a3737ac7d9952f71b/Work/data/MSWeb/",
)


def load_xrays(split: str = "train") -> tuple[np.ndarray, pd.DataFrame]:
    """243 chest X-rays of 71 patients with COVID-19, and what the hospital knew on that day.

    Returns:
        Images (N, 112, 112) uint8, and N records: the columns of the source, ``in_icu`` (in
        intensive care on that day) and ``died`` (at any time). About 30% of the patients
        (``patient_id``) are "test".
    """
    advice = _MADE.format("ml-workgroup/covid-19-image-repository")
    records = pd.read_csv(_checked("applications/hannover_cxr/data.csv.xz", advice))
    content = _checked("applications/hannover_cxr/hannover_cxr.npz.xz", advice)
    images = np.load(content, allow_pickle=False)["images"]
    in_icu = (records["icu_admission_offset"] <= 0) & (records["icu_release_offset"] >= 0)
    records = records.assign(in_icu=in_icu, died=records["death_offset"].notna())
    chance = [int(name[-2:], 16) / 256 for name in records["patient_id"]]  # names are hexadecimal
    chosen = split_indices(np.array(chance) > _TRAIN_SHARE, split)
    return images[chosen], records.iloc[chosen].reset_index(drop=True)


def load_speeches(split: str = "train") -> pd.DataFrame:
    """Speeches of the Federal Reserve 1996-2022 in order of time; the later 30% are "test".

    Returns:
        Speaker, title, location, text (the first 1,500 characters), by date. Texts that occur
        more than once are left out.
    """
    advice = _MADE.format("gtfintechlab/fomc-hawkish-dovish")
    found = _checked("applications/fed_speeches/speeches.csv.xz", advice)
    table = pd.read_csv(found, index_col=0, parse_dates=True)
    table.columns = ["speaker", "title", "location", "text"]
    return _later(table.dropna(subset="text").drop_duplicates("text", keep=False), split)


def load_prices(split: str = "train") -> pd.DataFrame:
    """Daily closing prices, adjusted, of 20 American firms and of the S&P 500 index, 1990-2022.

    They are read from the package skfolio, whose example data they are: not for trading, not
    current, and only of firms that lasted. The later 30% of the 8,313 days are "test".

    Returns:
        A row for each day, a column for each firm, and "SP500".
    """
    spec = importlib.util.find_spec("skfolio")  # not imported: only its files are read
    folder = Path(spec.origin).parent if spec and spec.origin else Path("skfolio")
    advice = "Install it: pip install 'simmim-lite[applications]'."
    tables = []
    for name in ("sp500_dataset.csv.gz", "sp500_index.csv.gz"):
        found = _checked(folder / "datasets" / "data" / name, advice)
        tables.append(pd.read_csv(found, index_col=0, parse_dates=True, compression="gzip"))
    return _later(pd.concat(tables, axis=1), split)


def load_visits(split: str = "train") -> tuple[np.ndarray, list[str]]:
    """Which areas of microsoft.com anonymous people visited in a week of February 1998.

    From Breese, Heckerman and Kadie (UCI Machine Learning Repository): 32,711 people "train",
    5,000 others "test", as published. Downloaded on the first call (1.7 MB).

    Returns:
        Visits (N, 294) bool, and the titles of the areas.
    """
    titles: dict[str, str] = {}
    visits: list[list[str]] = []
    for part in parts(split):
        name = f"anonymous-msweb.{'data' if part == 'train' else 'test'}"
        path = find(f"applications/msweb/{name}.xz", f"msweb/{name}")
        if path is None:
            with locked_cache() as cache:
                path = cache / "msweb" / name
                fetch([address + name for address in _MSWEB], path, f"sha256:{_SHA256[name]}")
        found = _checked(path, "Remove it, so that it is downloaded again.")
        for kind, number, *rest in csv.reader(io.TextIOWrapper(found, "utf-8")):
            if kind == "A":
                titles[number] = rest[1].strip()
            elif kind == "C":
                visits.append([])
            elif kind == "V":
                visits[-1].append(number)
    areas = sorted(titles)
    table = np.array([np.isin(areas, numbers) for numbers in visits])
    return table, [titles[number] for number in areas]


def _later(table: pd.DataFrame, split: str) -> pd.DataFrame:
    """The part of a table that is sorted by its index, a time; equal times stay together."""
    first = table.index[int(_TRAIN_SHARE * len(table))]
    return table.iloc[split_indices(np.asarray(table.index >= first), split)]


def _checked(place: str | Path, advice: str) -> io.BytesIO:
    """The content of a file (of SIMMIM_DATA) or of what an .xz holds, of the known checksum."""
    path = find(str(place)) or Path(place)
    expected = _SHA256[path.name.removesuffix(".xz")]
    with reading(path, f"a file of SHA-256 {expected}", advice):
        content = path.read_bytes()
        content = lzma.decompress(content) if path.suffix == ".xz" else content
        got = hashlib.sha256(content).hexdigest()
        if got != expected:
            raise DataError(path, f"a file of SHA-256 {expected}", got, advice)
        return io.BytesIO(content)
