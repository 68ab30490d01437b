"""Make emoji.npz.xz: 1,906 emoji in two designs, with their names in twelve languages.

python data/make_emoji.py           writes the file beside this script
python data/make_emoji.py --check   regenerates it and compares byte for byte

Needs the client npm, which fetches three pinned packages (140 MB).
"""

import io
import json
import re
import tarfile
from pathlib import Path

import numpy as np
from _wheels import choose_test, fetch_npm, main, pack
from PIL import Image
from scipy.spatial.distance import cdist

NAMES = "emojibase-data@17.0.0"
NAMES_SHA256 = "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a"
DESIGNS = {  # name here, name in the package, SHA-256
    "noto": ("google", "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438"),
    "twemoji": ("twitter", "f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877"),
}
LANGUAGES = "en de fr es it pt ru hi zh ja ko th"
NEARLY_ALIKE = 0.02  # mean difference of two pictures on white, of the range
TEST_SHARE, LARGEST_FAMILY = 0.2, 0.05  # of a category

# Words that name a variant. Two emoji whose names differ by these words only are one family.
PEOPLE = "man woman men women person people boy girl child adult older old"
HAIR = "hair beard bald curly blond"
LOOKS = (
    "red orange yellow green blue light purple brown black grey white pink "
    "small medium medium-small large left right up down leftwards rightwards upwards downwards "
    "left-facing right-facing facing up-left up-right down-left down-right up-down left-right "
    "low high slightly"
)
SERIES = {"clock": r"o’clock|-thirty", "moon": r"moon\b(?! cake)", "keycap": r"^keycap"}
SAME = ({"prince", "princess"}, {"Santa Claus", "Mrs. Claus", "Mx Claus"})
# Parts of a code that say who it is, not what: gender, hair, direction, and the joiner.
VARIANT = "FE0F 200D 2640 2642 27A1 1F9B0 1F9B1 1F9B2 1F9B3"
PERSON = "1F468 1F469 1F9D1 1F466 1F467 1F9D2"


def family_by_name(name: str) -> str:
    """What is left of an English name without the words of its variant."""
    if name.startswith("flag: "):
        return name
    for series, pattern in SERIES.items():
        if re.search(pattern, name):
            return series
    for names in SAME:
        if name in names:
            return min(names)
    head = name.split(":")[0]
    if name.split()[0].strip(":") in PEOPLE.split():  # "man: beard", "deaf woman", "man in tuxedo"
        head = " ".join(word for word in re.split(r"[\s:,]+", name) if word not in HAIR.split())
    words = [word for word in head.split() if word not in f"{PEOPLE} {LOOKS}".split()]
    return " ".join(words) or ("person" if set(PEOPLE.split()) & set(head.split()) else name)


def family_by_code(code: str) -> str:
    """The code without the parts of its variant; the code itself if nothing else is left."""
    parts = [part for part in code.split("-") if part not in VARIANT.split()]
    return "-".join("PERSON" if part in PERSON.split() else part for part in parts) or code


def families(names: list[str], codes: list[str], designs: dict[str, np.ndarray]) -> np.ndarray:
    """Number of the family (N,): alike by name, by code, or by picture in a design."""
    parent = list(range(len(names)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    pairs = []
    for keys in (map(family_by_name, names), map(family_by_code, codes)):
        first: dict[str, int] = {}
        pairs += [(first.setdefault(key, i), i) for i, key in enumerate(keys)]
    for sprites in designs.values():
        white = on_white(sprites)
        # The mean of a block differs by no more than its pixels do: most pairs are ruled out.
        blocks = white.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4)).reshape(len(white), -1)
        limit = 255 * NEARLY_ALIKE
        close = np.argwhere(np.triu(cdist(blocks, blocks, "cityblock") < limit * 192, 1))
        pairs += [(i, j) for i, j in close if np.abs(white[i] - white[j]).mean() < limit]
    for i, j in pairs:
        low, high = sorted((root(i), root(j)))
        parent[high] = low
    return np.unique([root(i) for i in range(len(names))], return_inverse=True)[1]


def on_white(sprites: np.ndarray) -> np.ndarray:
    """RGBA sprites on a white ground: (N, 32, 32, 3) float64."""
    rgba = sprites.astype(np.float64)
    return rgba[..., :3] * rgba[..., 3:] / 255 + 255 - rgba[..., 3:]


def halved(encoded: bytes) -> np.ndarray:
    """A PNG of 64 x 64 as RGBA 32 x 32: means of 2 x 2, colors weighted by their opacity."""
    rgba = np.asarray(Image.open(io.BytesIO(encoded)).convert("RGBA")).astype(np.float64)
    assert rgba.shape == (64, 64, 4), rgba.shape
    opacity = rgba[..., 3:] / 255
    weighted = np.concatenate([rgba[..., :3] * opacity, opacity], axis=-1)
    weighted = weighted.reshape(32, 2, 32, 2, 4).mean(axis=(1, 3))
    opacity = weighted[..., 3:]
    colors = np.divide(weighted[..., :3], opacity, np.zeros((32, 32, 3)), where=opacity > 0)
    out = np.concatenate([colors, 255 * opacity], axis=-1).round().astype(np.uint8)
    return out * (out[..., 3:] > 0)  # no color where nothing is seen


def make(folder: Path) -> dict[str, np.ndarray]:
    """Sprites, and what is known of each emoji, in Unicode's order."""
    designs, table = {}, []
    for design, (part, sha256) in DESIGNS.items():
        archive = fetch_npm(f"emoji-datasource-{part}@16.0.0", sha256, folder)
        with tarfile.open(archive) as tar:
            files = {member.name: member for member in tar}
            read = lambda name, t=tar, f=files: t.extractfile(f[f"package/{name}"]).read()  # noqa: E731
            table = [
                row for row in json.loads(read("emoji.json")) if row["category"] != "Component"
            ]
            table.sort(key=lambda row: row["sort_order"])
            designs[design] = np.stack([halved(read(f"img/{part}/64/{r['image']}")) for r in table])
    codes = [row["unified"] for row in table]
    names, tags = {}, []
    with tarfile.open(fetch_npm(NAMES, NAMES_SHA256, folder)) as tar:
        for language in LANGUAGES.split():
            entries = json.load(tar.extractfile(f"package/{language}/data.json"))
            found = {entry["hexcode"].replace("-FE0F", ""): entry for entry in entries}
            rows = [found[code.replace("-FE0F", "")] for code in codes]
            names[language] = [row["label"] for row in rows]
            tags = tags or [",".join(row.get("tags", ())) for row in rows]  # of English, the first
    family = families(names["en"], codes, designs)
    categories = [row["category"] for row in table]
    test = choose_test([str(f) for f in family], categories, TEST_SHARE, LARGEST_FAMILY)
    return {
        **designs,
        "codes": pack(codes),
        "categories": pack(categories),
        "subcategories": pack(row["subcategory"] for row in table),
        "tags": pack(tags),
        **{f"names_{language}": pack(names[language]) for language in LANGUAGES.split()},
        "families": family.astype(np.uint16),
        "test": test,
    }


if __name__ == "__main__":
    main("emoji.npz.xz", make, "emoji and their names from three pinned packages of npm")
