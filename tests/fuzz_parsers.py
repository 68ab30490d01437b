"""Fuzz the parsers of files: changed bytes give a result in its range, or the documented error.

    python tests/fuzz_parsers.py                             # 25,000 inputs of each format
    python tests/fuzz_parsers.py --inputs 500 --formats WAV zip

Inputs are small files whose bytes are flipped, cut, repeated, spliced, or overwritten by sizes that
lie; half of them then get right checksums again, so that the change is seen by the parser behind.
The table has for each format: inputs, how many were read, how many gave the documented error, how
many gave another, and the most CPU seconds and MB of memory of one input. Exit status 1: an error
of another kind, more than 2 s, or more than 200 MB.
"""

import argparse
import hashlib
import io
import json
import os
import random
import resource
import shutil
import sqlite3
import sys
import tempfile
import time
import traceback
import warnings
import wave
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from simmim_lite import datasets
from simmim_lite.datasets import DataError, _download, _images, _speech
from simmim_lite.memory import SimulatedMemory, SQLite
from simmim_lite.storage import CheckpointError, pack, unpack

MOST_SECONDS, MOST_MB, BATCH = 2.0, 200.0, 500
LIES = (0, 1, 2, 3, 7, 40, 127, 128, 255, 256, 4095, 32767, 65535, 65536, 10**6, 2**24, 2**31 - 1)
Change = Callable[[bytes, random.Random], bytes]


@dataclass
class Format:
    """Files to begin with, a function that reads one, and the errors that its docstring names.

    An entry of ``deeper`` changes a file below its checksums.
    """

    seeds: list[bytes]
    read: Callable[[bytes], None]
    errors: type[Exception] | tuple[type[Exception], ...]
    deeper: list[Change] = field(default_factory=list)


def mutate(content: bytes, chance: random.Random, other: bytes = b"") -> bytes:
    """The content after one change to eight."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        near = chance.choice((24, 64, 512, len(data)))  # most lies are told in headers
        at = chance.randrange(max(1, min(near, len(data))))
        kind = chance.randrange(9)
        if kind == 0:
            data[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del data[chance.randrange(len(data) + 1) :]
        elif kind == 3:
            del data[at : at + chance.randrange(1, 9)]
        elif kind == 4:
            data[at:at] = chance.randbytes(chance.randrange(1, 9))
        elif kind == 5:
            data[at:at] = data[at : at + chance.randrange(1, 65)]
        elif kind == 6 and other:
            data[at:] = other[chance.randrange(len(other)) :]
        else:
            size = chance.choice((2, 4, 8))
            lie = chance.choice((*LIES, len(data), -1, -(2**15)))
            lie = (lie + chance.choice((0, 0, -1, 1))) % 256**size
            data[at : at + size] = lie.to_bytes(size, chance.choice(("little", "big")))
    return bytes(data)


# --- formats -----------------------------------------------------------------------------------


def wav_seeds() -> list[bytes]:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.arange(-40, 40, dtype="<i2").tobytes())
    content = buffer.getvalue()
    listed = content[:36] + b"LIST\x08\0\0\0INFOabc\0" + content[36:]
    return [content, listed[:4] + (len(listed) - 8).to_bytes(4, "little") + listed[8:]]


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def change_member(content: bytes, chance: random.Random) -> bytes:
    members = unzipped(content)
    name = chance.choice(sorted(members))
    members[name] = mutate(members[name], chance, chance.choice(list(members.values())))
    return zipped(members, chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def with_sha256(content: bytes, chance: random.Random) -> bytes:
    """A changed file of `storage.pack`, often in its JSON only, with a right checksum."""
    data = bytearray(mutate(content, chance))
    if chance.random() < 0.5:
        size = int.from_bytes(content[:8], "little")
        header = mutate(content[8 : 8 + size], chance)
        data = bytearray(len(header).to_bytes(8, "little") + header + content[8 + size :])
    at = data.find(b'"sha256":"') + 10
    data[at : at + 64] = b"0" * 64
    data[at : at + 64] = hashlib.sha256(data).hexdigest().encode()
    return bytes(data)


def change_cell(content: bytes, chance: random.Random, folder: Path) -> bytes:
    """A database with an odd value in a table."""
    path = folder / "changed.db"
    path.write_bytes(content)
    values = (None, -1, 2**63 - 1, 0, 1.5, "x", "", "[]", "{}", b"", b"abc", b"t\xff", b"a[]\n")
    cells = ["header.text", "modalities.name", "items.id", "items.item_group", "keys.key"]
    cells += ["keys.id", "keys.key_table", "contents.content", "contents.modality"]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = MEMORY")
        table, column = chance.choice(cells).split(".")
        statement = f"UPDATE OR IGNORE {table} SET {column} = ?"
        if chance.random() < 0.5:
            statement += f" WHERE rowid = 1 OR {column} = (SELECT min({column}) FROM {table})"
        try:
            connection.execute(statement.replace("rowid = 1 OR ", ""), (chance.choice(values),))
        except sqlite3.Error:
            connection.execute("DELETE FROM items")
    return path.read_bytes()


def remember(memory: SimulatedMemory) -> SimulatedMemory:
    generator = np.random.default_rng(0)
    keys = {m: generator.normal(size=(3, 4)).astype(np.float32) for m in ("image", "text")}
    values = {"image": [np.arange(4.0)] * 3, "text": ["a cat", "a dog", "été"]}
    memory.write(keys, values, instance={"image": keys["image"][:, :2]}, groups=[0, 1, 1])
    return memory


def use(memory: SimulatedMemory) -> None:
    """What a reader does with a memory that opens: every result has its range."""
    if not len(memory):
        return
    for modality in ("image", "text"):
        found = memory.read(torch.ones(1, 4), modality, k=2)
        assert torch.isfinite(found.scores).all()
        memory.values(memory.ids, modality)
    memory.write({"image": torch.ones(1, 4)})


def formats(folder: Path) -> dict[str, Format]:
    """All formats; their files lie in ``folder``."""

    def place(name: str, read: Callable[[Path], None]) -> Callable[[bytes], None]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)

        def read_bytes(content: bytes) -> None:
            path.write_bytes(content)
            try:
                read(path)
            except DataError as error:
                if Path(error.where).name not in (path.name, path.parent.name):
                    raise RuntimeError(f"expected the name {path.name}") from error
                raise

        return read_bytes

    def read_wav(path: Path) -> None:
        waveform = _speech._read_recording(path)
        assert waveform.dtype == np.float32
        assert waveform.ndim == 1
        assert np.abs(waveform).max() <= 1

    def read_mnist(_: Path) -> None:
        loaded = datasets.load_mnist("test")
        assert loaded.images.shape == (len(loaded.labels), 28, 28)
        assert loaded.labels.max() <= 9

    def read_database(path: Path) -> None:
        for rest in path.parent.glob(path.name + "-*"):
            rest.unlink()
        with SimulatedMemory(4, backend=SQLite(path)) as memory:
            use(memory)

    for name in _download.MNIST_FILES:
        place(f"MNIST/raw/{name}", lambda _: None)(b"")
    labels = np.array([0x801, 3], ">i4").tobytes() + bytes([1, 5, 9])
    pictures = np.array([0x803, 3, 28, 28], ">i4").tobytes() + bytes(3 * 784)
    os.environ["SIMMIM_DATA"] = str(folder)
    _images._CIFAR10_COUNTS = {"train": 3, "test": 3}

    jpeg = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 90, 10)).save(jpeg, "JPEG")
    cifar = {
        f"test/{kind}/{i}.jpg": jpeg.getvalue() for i, kind in enumerate(("cat", "dog", "frog"))
    }

    memory = remember(SimulatedMemory(4))
    memory.save(folder / "seed.mem")
    database = folder / "seed.db"
    with SimulatedMemory(4, backend=SQLite(database)) as durable:
        remember(durable)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for statement in ("journal_mode = DELETE", "page_size = 512"):  # small, so that hits count
            connection.execute(f"PRAGMA {statement}")
        connection.execute("VACUUM")
    state = {"w": torch.arange(6.0), "b": [torch.ones(2).bfloat16(), {"step": 3, "name": "été"}]}

    def read_idx(name: str, other: str, fixed: bytes) -> Callable[[bytes], None]:
        read = place(f"MNIST/raw/{name}", read_mnist)

        def read_pair(content: bytes) -> None:
            (folder / "MNIST" / "raw" / other).write_bytes(fixed)
            read(content)

        return read_pair

    images, classes = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
    return {
        "WAV": Format(wav_seeds(), place("a.wav", read_wav), DataError),
        "idx images": Format([pictures], read_idx(images, classes, labels), DataError),
        "idx labels": Format([labels], read_idx(classes, images, pictures), DataError),
        "zip": Format(
            [zipped(cifar), zipped(cifar, zipfile.ZIP_DEFLATED)],
            place(
                "cifar10/cifar10-images.zip",
                lambda path: _images._read_cifar10_zip(path, "test") and None,
            ),
            DataError,
            [change_member],
        ),
        "safetensors": Format(
            [pack(state)], lambda content: unpack(content) and None, CheckpointError, [with_sha256]
        ),
        "memory file": Format(
            [(folder / "seed.mem").read_bytes()],
            place("a.mem", lambda path: use(SimulatedMemory.load(path))),
            ValueError,
            [with_sha256],
        ),
        "SQLite file": Format(
            [database.read_bytes()],
            place("a.db", read_database),
            (ValueError, OSError),
            [lambda content, chance: change_cell(content, chance, folder)],
        ),
    }


# --- running -----------------------------------------------------------------------------------


def fuzz(name: str, form: Format, seed: int, count: int) -> dict:
    """Read ``count`` inputs; return what the table shows, and the other errors with examples."""
    chance = random.Random(f"{name} {seed}")
    found: Counter = Counter()
    others: dict[str, str] = {}
    slowest, before = 0.0, megabytes()
    for i in range(count):
        content = chance.choice(form.seeds)
        if form.deeper and chance.random() < 0.5:
            content = chance.choice(form.deeper)(content, chance)
        else:
            content = mutate(content, chance, chance.choice(form.seeds))
        began = time.process_time()
        try:
            form.read(content)
            found["read"] += 1
        except form.errors:
            found["declared"] += 1
        except Exception as error:
            found["others"] += 1
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(last.filename).name}:{last.lineno}"
            key = f"{type(error).__name__} at {place}"
            others.setdefault(key, f"{key}: {error!s:.100} (seed {seed}, input {i})")
        slowest = max(slowest, time.process_time() - began)
    return {
        **{key: found[key] for key in ("read", "declared", "others")},
        "slowest": slowest,
        "most": megabytes() - before,
        "examples": others,
    }


def megabytes() -> float:
    """The most memory that this process has ever had."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def in_a_process(name: str, form: Format, seed: int, count: int) -> dict:
    """`fuzz` in a fork, so that its memory is measured and a crash is seen."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what C libraries write
        with os.fdopen(writer, "w") as answer:
            json.dump(fuzz(name, form, seed, count), answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        content = answer.read()
    status = os.waitpid(child, 0)[1]
    if status:
        example = {"crash": f"the process ended with status {status} (seed {seed})"}
        return {"read": 0, "declared": 0, "others": 1, "slowest": 0, "most": 0, "examples": example}
    return json.loads(content)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=25_000, help="of each format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", nargs="*", help="some of the names in the table")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    memory_disk = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory_disk if memory_disk.is_dir() else None))
    failed = False
    print(f"{'format':14} {'inputs':>8} {'read':>8} {'declared':>8} {'others':>7} "
          f"{'slowest s':>9} {'most MB':>8}")  # fmt: skip
    try:
        chosen = formats(folder)
        for name in options.formats or chosen:
            total: Counter = Counter()
            slowest, most, examples = 0.0, 0.0, {}
            for batch in range(0, options.inputs, BATCH):
                count = min(BATCH, options.inputs - batch)
                part = in_a_process(name, chosen[name], options.seed + batch, count)
                total.update({key: part[key] for key in ("read", "declared", "others")})
                slowest, most = max(slowest, part["slowest"]), max(most, part["most"])
                examples = part["examples"] | examples
            print(f"{name:14} {options.inputs:8,} {total['read']:8,} {total['declared']:8,} "
                  f"{total['others']:7,} {slowest:9.2f} {most:8.0f}", flush=True)  # fmt: skip
            for example in examples.values():
                print("   ", example, flush=True)
            failed |= bool(total["others"]) or slowest > MOST_SECONDS or most > MOST_MB
    finally:
        shutil.rmtree(folder)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
