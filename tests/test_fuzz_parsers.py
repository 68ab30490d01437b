"""The fuzzer of the parsers, with few inputs; `python tests/fuzz_parsers.py` tries many."""

import warnings

import pytest

fuzz_parsers = pytest.importorskip("fuzz_parsers")  # needs a system with the module resource

NAMES = [
    "WAV",
    "idx images",
    "idx labels",
    "zip",
    "safetensors",
    "memory file",
    "SQLite file",
]


@pytest.fixture
def formats(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMMIM_DATA", str(tmp_path))
    monkeypatch.setattr(fuzz_parsers._images, "_CIFAR10_COUNTS", {})
    return fuzz_parsers.formats(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_only_documented_errors_come_out(formats, name):
    for content in formats[name].seeds:  # all are good
        formats[name].read(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about damaged files
        found = fuzz_parsers.fuzz(name, formats[name], seed=1, count=60)
    assert found["examples"] == {}
    assert found["read"] + found["declared"] == 60
    assert found["declared"] > 0


def test_the_fuzzer_finds_an_error_of_another_kind(formats):
    formats["WAV"].read = lambda content: content.index(b"data")
    formats["WAV"].errors = fuzz_parsers.DataError
    found = fuzz_parsers.fuzz("WAV", formats["WAV"], seed=1, count=60)
    assert found["others"] > 0
    assert "ValueError at test_fuzz_parsers.py" in next(iter(found["examples"]))
