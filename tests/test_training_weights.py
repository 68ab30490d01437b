"""Stored weights: `load_trained` gives back what `save_trained` writes, and refuses all else."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from notebooks.tools import builder, weights
from simmim_lite.storage import CheckpointError, unpack
from simmim_lite.training import History, _weights, load_trained, save_trained

HISTORY = History([{"epoch": 0, "loss": 0.5}], steps=3, seconds=1.5, stop_reason="finished")


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A folder of weights in place of the package's own."""
    found = {}
    monkeypatch.setattr(_weights, "embedded", lambda name: found.get(name))

    def save(name, *parts, **options):
        save_trained(tmp_path, name, *parts, **options)
        found[f"weights/{name}.safetensors"] = tmp_path / f"{name}.safetensors"
        return tmp_path / f"{name}.safetensors"

    return save


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_modules_arrays_and_history_come_back(stored):
    first, second, labels = network(0), network(1), np.arange(5)
    first(torch.randn(8, 3))  # running statistics
    stored("both", {"a": first, "b": [second]}, labels, history=HISTORY)
    others, zeros = (network(2), network(3)), np.zeros(5, int)
    assert load_trained("both", {"a": others[0], "b": [others[1]]}, zeros) == HISTORY
    for module, other in zip((first, second), others, strict=True):
        assert not other.training
        for value, found in zip(*(m.state_dict().values() for m in (module, other)), strict=True):
            assert found.dtype == value.dtype
            assert torch.allclose(value.float(), found.float(), rtol=1e-3, atol=1e-6)
    assert np.array_equal(zeros, labels)


def test_other_parts_or_a_damaged_file_are_refused(stored):
    path = stored("one", network(0), np.arange(5))
    for parts in (
        (network(0),),
        (nn.Linear(3, 4), np.arange(5)),
        (network(0), np.arange(4)),
        (network(0), np.arange(5.0)),
        (network(0), np.zeros((2, 5), int)),
    ):
        with pytest.raises(CheckpointError, match=r"one\.safetensors: expected weights of these"):
            load_trained("one", *parts)
    with pytest.raises(ValueError, match="name: expected the name of stored weights, got 'two'"):
        load_trained("two", network(0))
    with pytest.raises(TypeError, match="parts: expected modules, arrays, and lists"):
        stored("three", "text")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match="damaged"):
        load_trained("one", network(0), np.arange(5))


def scripts() -> dict[str, object]:
    found = {name: builder.read_script(builder.FOLDER / f"scripts/{name}.py") for name in NAMES}
    return {name: notebook for name, notebook in found.items() if weights.trained_parts(notebook)}


NAMES = builder.names(builder.FOLDER)


def test_the_notebooks_that_wait_longest_have_weights():
    assert {name[:2] for name in scripts()} >= {"06", "07", "09", "10"}
    parts = {}
    for name, notebook in scripts().items():
        assert all(part.startswith(name[:2]) for part in weights.trained_parts(notebook))
        parts |= weights.trained_parts(notebook)
        code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
        assert len(re.findall(rf"^{weights.SLOW}\b", code, re.MULTILINE)) == 1
    files = {path.stem: path for path in weights.WEIGHTS.glob("*.safetensors")}
    assert files.keys() == parts.keys()
    for path in files.values():
        assert unpack(path.read_bytes(), path.name)["parts"]  # compares the checksum
    assert sum(path.stat().st_size for path in files.values()) < 12e6


def test_weights_of_another_notebook_are_only_read(tmp_path):
    script = tmp_path / "00_x.py"
    script.write_text('# %%\nload_trained("00_a", model)\n')
    assert weights.trained_parts(builder.read_script(script)) == {}


def test_saving_follows_the_statement_that_loads(tmp_path):
    script = tmp_path / "00_x.py"
    text = (
        'FAST = False\nmodel = train()\nif FAST:\n    history = load_trained("00_a", model, [b])\n'
    )
    script.write_text(f"# %%\n{text}")
    notebook = builder.read_script(script)
    assert weights.trained_parts(notebook) == {"00_a": "'00_a', model, [b], history=history"}
    saving = weights.with_saving(notebook, Path("folder")).cells[0].source
    assert saving.endswith("save_trained(Path('folder'), '00_a', model, [b], history=history)")
    assert weights.with_weights(notebook).cells[0].source.startswith("FAST = True\n")
    assert notebook.cells[0].source == text.rstrip()
