"""`storage.py`: files that come back as they were, damage that is seen, and writes as a whole."""

import hashlib
import json
import os
import pickle

import pytest
import torch
from safetensors.torch import load_file

from simmim_lite import storage
from simmim_lite.memory import SimulatedMemory
from simmim_lite.storage import CheckpointError, pack, unpack, write_atomically
from simmim_lite.training import load_weights

STATE = {
    "weights": {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor(1.5).bfloat16()},
    "list": [1, 2.5, None, True, "text", {"x": torch.zeros(0, dtype=torch.uint8)}, []],
    0: {1: 1 / 3, "infinite": float("inf")},
}


def equal(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return type(a) is type(b) and a == b


def test_a_checkpoint_comes_back_as_it_was():
    assert equal(unpack(pack(STATE)), STATE)


def test_tied_and_equally_named_tensors_are_kept_apart():
    weight = torch.ones(3)
    state = {"a": {"b": weight, "c": weight[:2]}, "a/b": torch.zeros(1)}
    assert equal(unpack(pack(state)), state)


def test_a_checkpoint_is_a_safetensors_file(tmp_path):
    (tmp_path / "file").write_bytes(pack(STATE))
    assert torch.equal(load_file(tmp_path / "file")["weights/a"], STATE["weights"]["a"])


def test_every_flipped_bit_is_seen():
    content = pack({"w": torch.arange(4.0), "n": 3})
    for position in range(len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[position] ^= 1 << bit
            with pytest.raises(CheckpointError):
                unpack(bytes(damaged))


def test_every_truncation_and_what_is_appended_is_seen():
    content = pack({"w": torch.arange(4.0), "n": 3})
    for damaged in (*(content[:length] for length in range(len(content))), content + b"\0"):
        with pytest.raises(CheckpointError, match=r"run\.safetensors: damaged"):
            unpack(damaged, "run.safetensors")


def test_nothing_is_executed():
    class Bomb:
        def __reduce__(self):
            return os.mkdir, ("exploded",)

    with pytest.raises(CheckpointError):
        unpack(pickle.dumps(Bomb()))
    with pytest.raises(TypeError, match=r"a/1: .*Bomb"):
        pack({"a": [1, Bomb()]})


def with_checksum(header: bytes, tensors: bytes = b"") -> bytes:
    """A file of any content with a right checksum."""
    size = len(header).to_bytes(8, "little")
    content = size + header + tensors
    at = content.find(b'"sha256":"') + 10
    blank = content[:at] + b"0" * 64 + content[at + 64 :]
    return blank[:at] + hashlib.sha256(blank).hexdigest().encode() + blank[at + 64 :]


def header(state: str, **entries) -> bytes:
    metadata = {"state": state, "sha256": "0" * 64}
    return json.dumps({"__metadata__": metadata, **entries}, separators=(",", ":")).encode()


LIES = {
    "no JSON": b'{"sha256":"' + b"0" * 64,
    "no metadata": b'{"sha256":"' + b"0" * 64 + b'"}',
    "no state": json.dumps({"__metadata__": {"sha256": "0" * 64}}, separators=(",", ":")).encode(),
    "a tensor that is missing": header('["tensor","w"]'),
    "another kind of node": header('["dict",[[["list",[]],1,2]]]'),
    "a key that cannot be one": header('["dict",[[[1],2]]]'),
    "very deep": header("[" * 100_000),
    "2**60 bytes": header("1", w={"dtype": "F32", "shape": [2**58], "data_offsets": [0, 2**60]}),
    "unknown numbers": header("1", w={"dtype": "Q9", "shape": [0], "data_offsets": [0, 0]}),
}


@pytest.mark.parametrize("content", LIES.values(), ids=LIES.keys())
def test_other_content_under_a_right_checksum_is_refused(content):
    with pytest.raises(CheckpointError, match=r"run\.safetensors: expected a file of storage.pack"):
        unpack(with_checksum(content), "run.safetensors")


def test_any_content_is_refused():
    for content in (b"", b"\0" * 8, b"\xff" * 99, b'"sha256":"', bytes(2000)):
        with pytest.raises(CheckpointError):
            unpack(content)


def test_files_of_another_kind_are_named(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(pack({"trainer": [1, 2]}))
    with pytest.raises(CheckpointError, match=r"a\.safetensors: expected a checkpoint of fit"):
        load_weights(torch.nn.Linear(1, 1), tmp_path / "a.safetensors")


def saved_memory(**changes) -> bytes:
    """A file of a memory of two items, with parts of it changed."""
    keys = torch.eye(2)
    state = {
        "memory": {"format": 1, "dim": 2, "metric": "cosine", "encoder": None},
        "options": {"capacity": None, "policy": "oldest", "seed": 0},
        "next_id": 5,
        "items": torch.tensor([[1, 0], [4, 0]]),
        "keys": {"image": [torch.tensor([1, 4]), keys]},
        "values": {"image": [torch.tensor([1]), torch.tensor([2]), torch.tensor([116, 97]).byte()]},
    }
    return pack(state | changes)


MEMORIES = {
    "ids that do not rise": {"items": torch.tensor([[4, 0], [1, 0]])},
    "items of fractions": {"items": torch.tensor([[1.0, 0], [4, 0]])},
    "an id to come": {"next_id": 4},
    "keys of no item": {"keys": {"image": [torch.tensor([1, 3]), torch.eye(2)]}},
    "keys twice": {"keys": {"image": [torch.tensor([1, 1]), torch.eye(2)]}},
    "keys of another width": {"keys": {"image": [torch.tensor([1, 4]), torch.ones(2, 3)]}},
    "keys that are no numbers": {"keys": {"image": [torch.tensor([1, 4]), torch.eye(2) / 0]}},
    "more ids than keys": {"keys": {"image": [torch.tensor([1, 4]), torch.ones(1, 2)]}},
    "values that are too short": {
        "values": {"image": [torch.tensor([1]), torch.tensor([9]), torch.tensor([116]).byte()]}
    },
    "other options": {"options": {"size": 3}},
    "an encoder of another type": {
        "memory": {"format": 1, "dim": 2, "metric": "cosine", "encoder": 3}
    },
    "a list": {"memory": [1]},
}


@pytest.mark.parametrize("changes", MEMORIES.values(), ids=MEMORIES.keys())
def test_a_memory_that_contradicts_itself_is_refused(tmp_path, changes):
    path = tmp_path / "a.mem"
    path.write_bytes(saved_memory())
    assert SimulatedMemory.load(path).values([1], "image") == ["a"]
    path.write_bytes(saved_memory(**changes))
    with pytest.raises(CheckpointError, match=r"a\.mem: expected a file of SimulatedMemory.save"):
        SimulatedMemory.load(path)


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt("no space left")])
def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path, monkeypatch, function, error
):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(*_):
        raise error

    monkeypatch.setattr(os, function, full)
    with pytest.raises(type(error), match="no space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_is_full_in_the_middle_of_the_content(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    open_file = storage.Path.open

    def open_full(path, mode="r"):
        file = open_file(path, mode)
        file.write(b"ne")
        file.close()  # and the next write fails
        return file

    monkeypatch.setattr(storage.Path, "open", open_full)
    with pytest.raises(ValueError, match="closed file"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_first_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_atomically(tmp_path / "new folder" / "file", b"new")
    assert list((tmp_path / "new folder").iterdir()) == []


def test_two_processes_that_write_one_file_do_not_share_a_temporary_file(tmp_path, monkeypatch):
    path, replace = tmp_path / "file", os.replace

    def meanwhile(source, target):
        if monkeypatch.undo() is None and os.getpid() != 1:
            monkeypatch.setattr(os, "getpid", lambda: 1)
            write_atomically(path, b"of the other process")
        assert source.read_bytes() == b"of this process"
        replace(source, target)

    monkeypatch.setattr(os, "replace", meanwhile)
    write_atomically(path, b"of this process")
    assert path.read_bytes() == b"of this process"


def test_text_is_written_as_utf8(tmp_path):
    write_atomically(tmp_path / "new folder" / "file", "1 nat ≈ 1.44 bits")
    assert (tmp_path / "new folder" / "file").read_bytes() == "1 nat ≈ 1.44 bits".encode()


def test_the_file_is_on_the_disk_before_its_name(tmp_path, monkeypatch):
    done = []
    for name in ("fsync", "replace"):
        function = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, f=function, n=name: (done.append(n), f(*a))[1])
    write_atomically(tmp_path / "file", b"new")
    assert done == ["fsync", "replace", "fsync"]
